# hold-agent.pl COUNT FILE: COUNT connections to the node agent that say nothing, or as many as there is room for; writes their number and
# its own to FILE and holds them until it is killed.
use strict; use warnings; use Socket;
my ($count, $file) = @ARGV;
my @held;
for (1 .. $count) {
  socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0);
  $SIG{ALRM} = sub { die "full\n" };
  my $fine = eval { alarm 1; my $connected = connect($s, sockaddr_un('/run/casement/node.sock')); alarm 0; $connected };
  alarm 0;
  last unless $fine;
  push @held, $s;
}
open(my $out, '>', "$file.new") or die $!; print $out scalar(@held), " $$\n"; close $out; rename "$file.new", $file or die $!;
sleep 600;
