# canary.pl LOG: servers on TCP 7000 and UDP 7001, of IPv4 and IPv6, that write down what they hear; over TCP they answer.
use strict; use warnings; use Socket qw(:DEFAULT pack_sockaddr_in6 IN6ADDR_ANY); use IO::Handle;
open(my $log, '>>', $ARGV[0]) or die $!; $log->autoflush(1);
if (fork) {
  socket(my $l, AF_INET6, SOCK_STREAM, 0); setsockopt($l, SOL_SOCKET, SO_REUSEADDR, 1); bind($l, pack_sockaddr_in6(7000, IN6ADDR_ANY)) or die $!;
  setsockopt($l, 6, 23, pack('i', 5)); listen($l, 20);   # TCP_FASTOPEN
  while (accept(my $s, $l)) { my $heard = ''; sysread($s, $heard, 100); syswrite($s, "canary\n"); print $log $heard; close $s }
} else {
  socket(my $s, AF_INET6, SOCK_DGRAM, 0); bind($s, pack_sockaddr_in6(7001, IN6ADDR_ANY)) or die $!;
  while (defined(recv($s, my $heard, 100, 0))) { print $log $heard }
}
