# Tries to reach things. Standard input: one line a probe, `NAME KIND ARGUMENT...`. Standard output: `NAME reached TEXT`
# or `NAME failed REASON`, one line a probe; TEXT is what a canary answered. All run at once, each for $ARGV[0] seconds at most.
# Runs on the node, in a confinement and in the guest: needs perl-base only, system calls by number (x86-64).
use strict;
use Socket qw(:all);
use Fcntl;

my %probe = (
  tcp => sub { talk(ip(SOCK_STREAM, 0, @_)) },
  mptcp => sub { talk(ip(SOCK_STREAM, 262, @_)) },
  # Data in the SYN: a filter that only sees connect(2) misses it.
  fastopen => sub {
    my ($socket, $where) = ip(SOCK_STREAM, 0, @_);
    defined send($socket, "hello\n", 0x20000000, $where) or die "send: $!\n";
    answer($socket);
  },
  # A listener that came in from outside, disconnected and used as a client: descriptor, address, port.
  listener => sub {
    my ($fd, @to) = @_;
    my (undef, $where) = ip(SOCK_STREAM, 0, @to);
    open(my $listener, '+<&=', $fd) or die "descriptor $fd: $!\n";
    connect($listener, pack('S x14', 0)) or die "disconnect: $!\n";
    talk($listener, $where);
  },
  udp => sub { ask(ip(SOCK_DGRAM, 0, @_)) },
  udplite => sub { ask(ip(SOCK_DGRAM, 136, @_)) },
  group => sub { ask_group(ip(SOCK_DGRAM, 0, @_)) },
  'abstract-stream' => sub { talk(unix(SOCK_STREAM), abstract(@_)) },
  'abstract-seqpacket' => sub { talk(unix(SOCK_SEQPACKET), abstract(@_)) },
  'abstract-dgram' => sub { ask(named(), abstract(@_)) },
  'path-stream' => sub { talk(unix(SOCK_STREAM), pack_sockaddr_un(@_)) },
  'path-dgram' => sub { ask(named(), pack_sockaddr_un(@_)) },
  # A server that waits for the client to speak first.
  'path-connect' => sub { connect(unix(SOCK_STREAM), pack_sockaddr_un(@_)) or die "connect: $!\n"; 'connected' },
  vsock => sub { socket(my $s, 40, SOCK_STREAM, 0) or die "socket: $!\n"; talk($s, pack('S S L L L', 40, 0, $_[1], $_[0], 0)) },
  # Bytes straight onto an interface: needs CAP_NET_RAW over the namespace.
  packet => sub { socket(my $s, 17, SOCK_DGRAM, 0) or die "socket: $!\n"; 'opened' },
  raw => sub { socket(my $s, AF_INET, SOCK_RAW, 1) or die "socket: $!\n"; 'opened' },

  read => sub { open(my $f, '<', $_[0]) or die "open: $!\n"; defined sysread($f, my $b, 64) or die "read: $!\n"; printable($b) },
  list => sub { opendir(my $d, $_[0]) or die "opendir: $!\n"; join ',', sort grep { !/^\.\.?$/ } readdir $d },
  write => sub { sysopen(my $f, $_[0], O_WRONLY | O_CREAT | O_APPEND) or die "open: $!\n"; syswrite($f, "probe\n") or die "write: $!\n"; 'written' },
  setns => sub {
    open(my $ns, '<', $_[0]) or die "open: $!\n";
    syscall(308, fileno($ns), 0) == 0 or die "setns: $!\n";
    'entered';
  },
  'unshare-user' => sub { syscall(272, 0x10000000) == 0 or die "unshare: $!\n"; 'unshared' },

  # The rest aims at a process: pid, for some a descriptor or an address and length of its memory.
  signal => sub { kill(0, $_[0]) or die "kill: $!\n"; 'allowed' },
  environ => sub { open(my $f, '<', "/proc/$_[0]/environ") or die "open: $!\n"; local $/; my $e = <$f>; defined $e or die "read: $!\n"; printable($e) },
  memory => sub {
    my ($pid, $address, $length) = @_;
    open(my $f, '<', "/proc/$pid/mem") or die "open: $!\n";
    sysseek($f, $address, 0) or die "seek: $!\n";
    sysread($f, my $bytes, $length) or die "read: $!\n";
    printable($bytes);
  },
  'vm-read' => sub {
    my ($pid, $address, $length) = @_;
    my $into = "\0" x $length;
    my $local = pack('P Q', $into, $length);
    my $remote = pack('Q Q', $address, $length);
    my $n = syscall(310, $pid + 0, $local, 1, $remote, 1, 0);
    $n > 0 or die "process_vm_readv: $!\n";
    printable(substr($into, 0, $n));
  },
  ptrace => sub { syscall(101, 0x4206, $_[0] + 0, 0, 0) == 0 or die "ptrace: $!\n"; 'seized' },
  'pidfd-getfd' => sub {
    my ($pid, $theirs) = @_;
    my $pidfd = syscall(434, $pid + 0, 0);
    $pidfd >= 0 or die "pidfd_open: $!\n";
    my $fd = syscall(438, $pidfd, $theirs + 0, 0);
    $fd >= 0 or die "pidfd_getfd: $!\n";
    open(my $f, '<&=', $fd) or die "fdopen: $!\n";
    sysseek($f, 0, 0);
    sysread($f, my $bytes, 64);
    printable($bytes);
  },
);

sub printable { my ($text) = @_; $text =~ s/[^\x21-\x7e]+/ /g; return $text }

sub ip {
  my ($type, $protocol, $address, $port) = @_;
  my ($error, @found) = getaddrinfo($address, $port, { flags => AI_NUMERICHOST, socktype => $type });
  die "$address: $error\n" if $error;
  socket(my $socket, $found[0]{family}, $type, $protocol) or die "socket: $!\n";
  return ($socket, $found[0]{addr});
}

sub unix { socket(my $socket, AF_UNIX, $_[0], 0) or die "socket: $!\n"; return $socket }

# A datagram socket with a name of the kernel's choice, so that it can be answered.
sub named { my $socket = unix(SOCK_DGRAM); bind($socket, pack('S', AF_UNIX)) or die "bind: $!\n"; return $socket }

sub abstract { return pack('S x a*', AF_UNIX, $_[0]) }

sub talk {
  my ($socket, $where) = @_;
  connect($socket, $where) or die "connect: $!\n";
  answer($socket);
}

# Sends a datagram and waits for an answer. A connected socket also hears of a refusal; to a group the answer comes from
# another address, so the socket stays unconnected there.
sub ask {
  my ($socket, $where) = @_;
  connect($socket, $where) or die "connect: $!\n";
  defined send($socket, "hello\n", 0) or die "send: $!\n";
  answer($socket);
}

sub ask_group {
  my ($socket, $where) = @_;
  setsockopt($socket, SOL_SOCKET, SO_BROADCAST, 1) or die "SO_BROADCAST: $!\n";
  defined send($socket, "hello\n", 0, $where) or die "send: $!\n";
  answer($socket);
}

sub answer {
  my ($socket) = @_;
  my $n = sysread($socket, my $bytes, 256);
  defined $n or die "read: $!\n";
  $n > 0 or die "closed without a byte\n";
  return printable($bytes);
}

my $seconds = shift @ARGV || 4;
my @running;
while (my $line = <STDIN>) {
  chomp $line;
  last if $line eq '';
  my ($name, $kind, @arguments) = split / /, $line;
  pipe(my $in, my $out) or die "pipe: $!";
  my $child = fork();
  if (!$child) {
    close $in;
    close STDIN;
    $SIG{ALRM} = sub { syswrite($out, "failed no answer within $seconds s\n"); syscall(231, 0) };
    alarm $seconds;
    my $text = eval { ($probe{$kind} || die "no such probe: $kind\n")->(@arguments) };
    my $error = $@;
    chomp $error;
    syswrite($out, defined $text ? "reached $text\n" : "failed $error\n");
    syscall(231, 0);    # exit_group: no destructor may wait
  }
  close $out;
  push @running, [$name, $in, $child];
}
for my $one (@running) {
  my ($name, $in, $child) = @$one;
  my $result = <$in>;
  print "$name ", defined $result ? $result : "failed the probe died\n";
  waitpid $child, 0;
}
