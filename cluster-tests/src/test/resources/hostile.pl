# hostile.pl: says to the node agent what no plugin says: requests with bytes changed, cut, repeated, of every length around the limit, with up
# to five descriptors; half of the time without waiting for the answer. The same each time.
use strict; use warnings; use Socket;
srand 1;
$SIG{PIPE} = 'IGNORE';
open(my $handle, '<', '/dev/null') or die $!;
my @requests = ("task 1\njob 4000000000\nstep 0\nuid 60001\ngid 60001\ntasks 1\nasked 1\nlisteners 1,1\n", "begin 1\njob 4000000000\nuid 60001\npartition main\n",
  "end 1\njob 4000000000\nuid 60001\n", "made\n", "task 2\njob 4000000000\nuid 0\n", "task 1\njob -1\nuid 0\n", "task 1\njob 99999999999\nuid 0\n", '');
for my $i (1 .. 400) {
  my $text = $requests[rand @requests];
  my $change = int rand 5;
  if ($change == 1) { substr($text, rand length $text, 1) = chr rand 256 for 1 .. 4 }
  elsif ($change == 2) { $text = substr $text, 0, rand length $text }
  elsif ($change == 3) { $text x= 1 + rand 60 }
  elsif ($change == 4) { $text .= 'x' x (4094 + rand(4) - length $text) }
  socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0); connect($s, sockaddr_un('/run/casement/node.sock')) or die "connect: $!";
  my $count = int rand 6;
  my $vector = pack('P q', $text, length $text);   # as in fake-agent.pl
  my $control = $count ? pack('q l l l*', 16 + 4 * $count, 1, 1, (fileno $handle) x $count) : ''; $control .= "\0" x (-length($control) % 8);
  my $message = pack('q l x4 P q P q l x4', 0, 0, $vector, 1, $control, length $control, 0);
  syscall(46, fileno $s, $message, 0);
  shutdown($s, 1);
  recv($s, my $heard, 9000, 0) if rand() < 0.5;
  close $s;
}
print "said\n";
