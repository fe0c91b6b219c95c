# Live targets for probe.pl. Standard input: one line a canary, `NAME KIND ADDRESS PORT TOKEN`, then an
# empty line. Standard output: `open NAME PORT` once it listens, then `contact NAME` for each contact.
# Every contact is answered with TOKEN. Ends with its standard input. Needs perl-base only.
use strict;
use Socket qw(:all);
$| = 1;
my (@children, %domain);

sub fail { print "failed $_[0] $!\n"; exit 1 }

sub ip {
  my ($address, $port, $type) = @_;
  my ($error, @found) = getaddrinfo($address, $port, { flags => AI_NUMERICHOST, socktype => $type });
  die "$address: $error\n" if $error;
  return ($found[0]{family}, $found[0]{addr});
}

sub serve {
  my ($name, $kind, $address, $port, $token) = @_;
  my ($transport, $socket_type) = $kind =~ /^(tcp|udplite|udp|abstract|path)-?(\w*)$/ or die "kind $kind\n";
  my $type = $transport eq 'tcp' || $socket_type eq 'stream' ? SOCK_STREAM : $socket_type eq 'seqpacket' ? SOCK_SEQPACKET : SOCK_DGRAM;
  my $socket;
  if ($transport eq 'abstract' || $transport eq 'path') {
    socket($socket, AF_UNIX, $type, 0) or fail($name);
    # An abstract name is a path that begins with a zero byte; as a plain sockaddr its length is the name's own.
    my $where = $transport eq 'path' ? pack_sockaddr_un($address) : pack('S x a*', AF_UNIX, $address);
    bind($socket, $where) or fail($name);
    chmod 0666, $address if $transport eq 'path';
  } else {
    my ($family, $where) = ip($address, $port, $type == SOCK_STREAM ? SOCK_STREAM : SOCK_DGRAM);
    socket($socket, $family, $type, $transport eq 'udplite' ? 136 : 0) or fail($name);
    # One address family each: otherwise the canary on [::] also answers for 0.0.0.0.
    setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $family == AF_INET6;
    bind($socket, $where) or fail($name);
    my $bound = getsockname($socket);
    $port = $family == AF_INET6 ? (unpack_sockaddr_in6($bound))[0] : (unpack_sockaddr_in($bound))[0];
    if ($kind eq 'udp' && $family == AF_INET) {
      setsockopt($socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, pack_ip_mreq(inet_aton('239.255.77.77'), inet_aton($_)))
        for grep { $address eq '0.0.0.0' } split /,/, ($ENV{MULTICAST} || '');
    }
  }
  if ($type != SOCK_DGRAM) {
    setsockopt($socket, IPPROTO_TCP, 23, pack('i', 16)) if $transport eq 'tcp';    # TCP_FASTOPEN
    listen($socket, 64) or fail($name);
  }
  print "open $name $port\n";
  while (1) {
    if ($type == SOCK_DGRAM) {
      my $from = recv($socket, my $data, 2048, 0);
      next unless defined $from;
      print "contact $name\n";
      send($socket, "$token\n", 0, $from) if length $from;
    } else {
      accept(my $peer, $socket) or next;
      print "contact $name\n";
      syswrite($peer, "$token\n");
      shutdown($peer, 1);
      my $gone = sysread($peer, my $rest, 2048);    # until the peer has read: a reset would eat the answer
      close $peer;
    }
  }
}

while (my $line = <STDIN>) {
  chomp $line;
  last if $line eq '';
  my $child = fork();
  if (!$child) {
    syscall(157, 1, 9);    # prctl(PR_SET_PDEATHSIG, SIGKILL): no canary outlives its parent
    exit 1 if getppid() == 1 && $$ != 1;
    $SIG{PIPE} = 'IGNORE';
    serve(split / /, $line);
    exit 1;
  }
  push @children, $child;
}
# A line later on is answered with `synced LINE`: behind every contact that came before it.
print "synced $_" while <STDIN>;
kill 'KILL', @children;
