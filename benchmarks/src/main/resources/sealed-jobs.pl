# sealed-jobs.pl FIRST COUNT: has the node agent seal COUNT jobs, as the plugin asks it to (contracts/node.md); none of them has a listener.
use strict; use warnings; use Socket;
for my $job ($ARGV[0] + 1 .. $ARGV[0] + $ARGV[1]) {
  my $child = fork // die "fork: $!";
  if ($child) { waitpid $child, 0; $? == 0 or die "job $job: $?"; next }
  socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0); connect($s, sockaddr_un('/run/casement/node.sock')) or die "connect: $!";
  my $number = 1000000 + $job;
  send($s, "task 1\njob $number\nstep 0\nuid 60001\ngid 60001\ntasks 1\nasked 1\nlisteners \n", 0);
  recv($s, my $heard, 9000, 0); $heard eq "create\n" or die "not create: $heard";
  syscall(272, 0x40000000) == 0 or die "unshare: $!";
  open(my $handle, '<', '/proc/self/ns/net') or die $!;
  my $text = "made\n"; my $vector = pack('P q', $text, length $text);   # struct iovec, cmsghdr (SOL_SOCKET, SCM_RIGHTS), msghdr; 46 is sendmsg
  my $control = pack('q l l l x4', 20, 1, 1, fileno $handle);
  my $message = pack('q l x4 P q P q l x4', 0, 0, $vector, 1, $control, length $control, 0);
  syscall(46, fileno $s, $message, 0) == length $text or die "sendmsg: $!";
  recv($s, $heard, 9000, 0); $heard =~ /^joined\n/ or die "not joined: $heard";
  exit 0;
}
