# fake-agent.pl TEXT COUNT FILE: listens where the node agent does; answers each connection with TEXT (\n is a line feed) and COUNT descriptors
# of FILE, then closes it. FILE 'new' is the network namespace that it makes for itself.
use strict; use warnings; use Socket;
my ($text, $count, $file) = @ARGV;
$text =~ s/\\n/\n/g;
my $path = '/run/casement/node.sock'; unlink $path;
socket(my $l, AF_UNIX, SOCK_SEQPACKET, 0); bind($l, sockaddr_un($path)) or die $!;
if ($file eq 'new') { syscall(272, 0x40000000) == 0 or die "unshare: $!"; $file = '/proc/self/ns/net' }
open(my $handle, '<', $file) or die $!;
listen($l, 9);
while (accept(my $s, $l)) {
  recv($s, my $heard, 9000, 0);
  my $vector = pack('P q', $text, length $text);   # struct iovec, cmsghdr (SOL_SOCKET, SCM_RIGHTS), msghdr; 46 is sendmsg
  my $control = $count ? pack('q l l l*', 16 + 4 * $count, 1, 1, (fileno $handle) x $count) : ''; $control .= "\0" x (-length($control) % 8);
  my $message = pack('q l x4 P q P q l x4', 0, 0, $vector, 1, $control, length $control, 0);
  syscall(46, fileno $s, $message, 0); close $s;
}
