# raw-peer.pl LOG: TCP by hand on port 7002. It answers a SYN with a SYN (simultaneous open, RFC 9293, 3.5), which a filter against SYN+ACK
# lets through, acknowledges, answers data with 'canary', and writes down each SYN and what it hears. The kernel's own RST must be kept in.
use strict; use warnings; use Socket; use IO::Handle;
open(my $log, '>>', $ARGV[0]) or die $!; $log->autoflush(1);
socket(my $raw, AF_INET, SOCK_RAW, 6) or die $!;
my $ours = 1000;   # sequence number of our SYN

sub sum { my $n = 0; $n += $_ for unpack 'n*', $_[0] . "\0"; $n = ($n & 0xffff) + ($n >> 16) while $n >> 16; ~$n & 0xffff }
sub utter { my ($from, $to, $port, $sequence, $acknowledged, $flags, $data) = @_;
  my $segment = pack('n n N N C C n n n', 7002, $port, $sequence, $acknowledged, 0x50, $flags, 64000, 0, 0) . $data;
  substr($segment, 16, 2) = pack 'n', sum(pack('a4 a4 C C n', $from, $to, 0, 6, length $segment) . $segment);
  send($raw, $segment, 0, sockaddr_in(0, $to)) }

while (defined(recv($raw, my $packet, 65535, 0))) {
  my ($them, $us) = unpack 'x12 a4 a4', $packet;
  my $segment = substr $packet, (ord($packet) & 15) * 4;
  my ($port, $to, $sequence, undef, $offset, $flags) = unpack 'n n N N C C', $segment;
  next if $to != 7002;
  my $data = substr $segment, ($offset >> 4) * 4;
  my $answer = sub { utter($us, $them, $port, @_) };
  if (($flags & 0x12) == 0x02) { print $log "SYN\n"; $answer->($ours, 0, 0x02, '') }
  elsif (($flags & 0x12) == 0x12) { $answer->($ours + 1, $sequence + 1, 0x10, '') }
  elsif (length $data) { print $log $data; $answer->($ours + 1, $sequence + length $data, 0x18, "canary\n") }
}
