# escape.pl WAY SOCKET [HOST]: tries to get out of a sealed job by a socket of the node's, as the job's owner may.
# SOCKET: the number of a descriptor that was given, or 'own' for one made like it: the twin, in a job that is not sealed.
# Prints 'got out', or what stood against it.
use strict; use warnings; use Socket;
my ($way, $given, $host) = @ARGV;
$host ||= '10.77.0.1';
my ($tcp, $udp) = (7000, 7001);   # of the canaries on $host
my $unspec = pack('S x14', 0);
$SIG{ALRM} = sub { print "timed out\n"; exit };
alarm 8;

sub made { my ($type, $port) = @_; socket(my $s, AF_INET, $type, 0) or die $!; bind($s, sockaddr_in($port, INADDR_ANY)) or die "bind: $!"; listen($s, 5) if $type == SOCK_STREAM; $s }
sub taken { my ($type) = @_; return made($type, 7100 + int rand 800) if $given eq 'own'; open(my $s, '+<&=', $given) or die "descriptor $given: $!"; $s }
sub told { my ($s) = @_; syswrite($s, "escaped by $way\n"); shutdown($s, 1); my $heard = ''; sysread($s, $heard, 100); print $heard =~ /canary/ ? "got out\n" : "not heard\n" }
sub turned { my ($s) = @_; connect($s, $unspec); connect($s, sockaddr_in($tcp, inet_aton($host))) ? told($s) : print "connect: $!\n" }

if ($way eq 'listener') { turned(taken(SOCK_STREAM)) }
elsif ($way eq 'accepted') { my $l = taken(SOCK_STREAM); print STDERR "port " . (sockaddr_in(getsockname $l))[0] . "\n"; accept(my $s, $l) or die $!; turned($s) }
elsif ($way eq 'fastopen') {   # TCP_FASTOPEN_NO_COOKIE is 34, MSG_FASTOPEN 0x20000000
  my $s = taken(SOCK_STREAM); connect($s, $unspec); setsockopt($s, 6, 34, pack('i', 1));
  defined(send($s, "escaped by fastopen\n", 0x20000000, sockaddr_in($tcp, inet_aton($host)))) ? told($s) : print "send: $!\n" }
elsif ($way eq 'rebind') { my $s = taken(SOCK_STREAM); connect($s, $unspec); print bind($s, sockaddr_in(7999, INADDR_ANY)) ? "got out\n" : "bind: $!\n" }
elsif ($way eq 'unmark') { my $s = taken(SOCK_STREAM); print setsockopt($s, SOL_SOCKET, 36, pack('i', 0)) ? "cleared\n" : "clear: $!\n"; print setsockopt($s, SOL_SOCKET, 27, pack('i', 0)) ? "detached\n" : "detach: $!\n" }
elsif ($way eq 'udp') { my $s = taken(SOCK_DGRAM); defined(send($s, "escaped by udp\n", 0, sockaddr_in($udp, inet_aton($host)))) ? print "sent\n" : print "send: $!\n" }
elsif ($way eq 'echo') {   # what a listener is for
  my $s = taken(SOCK_DGRAM); print STDERR "port " . (sockaddr_in(getsockname $s))[0] . "\n"; my $from = recv($s, my $heard, 100, 0); print defined(send($s, "answer\n", 0, $from)) ? "answered\n" : "send: $!\n" }
elsif ($way eq 'serve') { my $l = taken(SOCK_STREAM); print STDERR "port " . (sockaddr_in(getsockname $l))[0] . "\n"; accept(my $s, $l) or die $!; syswrite($s, "served\n") }
elsif ($way eq 'plain') { socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in($tcp, inet_aton($host))) ? told($s) : print "connect: $!\n" }
else { die "no such way" }
