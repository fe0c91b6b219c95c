# hostile.pl SEED COUNT: says to the node agent COUNT times what no plugin says, by chance but the same for the same SEED. Valid requests with
# bytes changed, cut, repeated, of every length around the limit; descriptors of all kinds but a namespace that could be taken, up to five of them;
# the second packet, after 'create', just as hostile; half of the peers half closed, or gone before they hear; up to 40 of them held open.
# Prints how many were answered, and how often with 'create'.
use strict; use warnings; use Socket; use Fcntl; use POSIX ();
my ($seed, $count) = @ARGV;
srand $seed;
$SIG{PIPE} = 'IGNORE';
socket(my $unix, AF_UNIX, SOCK_STREAM, 0); socket(my $inet, AF_INET, SOCK_DGRAM, 0); socket(my $packet, AF_UNIX, SOCK_SEQPACKET, 0);
pipe(my $reads, my $writes) or die $!;
my @kinds = ($unix, $inet, $packet, $reads, $writes);
for my $file (qw(/dev/null /dev/zero /dev/full / /etc/passwd /proc/self/ns/net /proc/self/ns/uts /proc/self/ns/user /proc/self/ns/mnt /proc/self/ns/pid)) {
  sysopen(my $opened, $file, O_RDONLY) or die "$file: $!";
  push @kinds, $opened;
}
my $poll = syscall(291, 0); my $memory = syscall(319, my $name = "m", 0); my $path = syscall(257, -100, my $root = "/", 0x200000, 0);   # epoll_create1, memfd_create, openat with O_PATH
my @numbers = ((map { fileno $_ } @kinds), grep { $_ >= 0 } $poll, $memory, $path);

# A job for each, because a job's tasks wait for one another, and so do jobs whose numbers are the same modulo 64: those held open have one such
# number for themselves.
sub request { my ($i, $held) = @_;
  my $job = 4000000000 + 64 * $i + ($held ? 63 : $i % 60);
  my @requests = ("task 1\njob $job\nstep 0\nuid 60001\ngid 60001\ntasks 1\nasked 1\nlisteners 1,1\n", "task 1\njob $job\nstep 4294967291\nuid 60001\ngid 60001\ntasks 2\nasked 1\nlisteners \n",
  "task 1\njob $job\nstep 0\nuid 60001\ngid 60001\ntasks 1\nasked 0\nlisteners \n", "begin 1\njob $job\nuid 60001\npartition main\n",
  "end 1\njob $job\nuid 60001\n", "made\n", "task 2\njob $job\nuid 0\n", "task 1\njob -1\nuid 0\n", "task 1\njob 99999999999\nuid 0\n",
  "task 1\njob $job\nuid 60001\ntasks 2147483647\nasked -2147483648\n", "task 1\njob $job\nuid 60001\ntasks 2147483648\n", '', "\0", "\xff\xfe\n", "\n" x 4000);
  return $requests[rand @requests] }

sub changed { my ($text) = @_;
  my $change = int rand 9;
  if ($change == 1 && length $text) { substr($text, rand length $text, 1) = chr rand 256 for 1 .. 4 }
  elsif ($change == 2) { $text = substr $text, 0, rand length $text }
  elsif ($change == 3) { $text x= 1 + rand 60 }
  elsif ($change == 4) { $text .= 'x' x (4094 + rand(4) - length $text) if length $text < 4094 }
  elsif ($change == 5) { my @lines = split /^/, $text; $text = join '', map { $lines[rand @lines] } 1 .. rand 12 if @lines }
  elsif ($change == 6) { $text = join '', map { chr rand 256 } 1 .. rand 300 }
  elsif ($change == 7 && length $text) { substr($text, rand length $text, 0) = ("\n", "\0", ' ', '-', '9', "\xe2\x80\xa8")[rand 6] x (1 + rand 20) }
  return $text }

sub say_it { my ($s, $text, @sent) = @_;
  my $vector = pack('P q', $text, length $text);   # as in fake-agent.pl
  my $control = @sent ? pack('q l l l*', 16 + 4 * @sent, 1, 1, @sent) : ''; $control .= "\0" x (-length($control) % 8);
  my $message = pack('q l x4 P q P q l x4', 0, 0, $vector, 1, $control, length $control, 0);
  syscall(46, fileno $s, $message, 0x4000) }

my ($answered, $creates, @held) = (0, 0);
for my $i (1 .. $count) {
  socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0); connect($s, sockaddr_un('/run/casement/node.sock')) or die "connect: $!";
  setsockopt($s, SOL_SOCKET, SO_RCVTIMEO, pack('q q', 20, 0));
  my @sent = map { $numbers[rand @numbers] } 1 .. rand 6;
  my $way = int rand 12;
  shutdown($s, $way) if $way < 2;                   # hears nothing; says nothing
  say_it($s, changed(request($i, $way == 5)), @sent) unless $way == 2;
  shutdown($s, 1) if $way == 3;
  next if $way == 4;                                # gone
  if ($way == 5) { push @held, $s; shift @held if @held > 40; next }
  if ($way == 6) { say_it($s, changed("made\n"), map { $numbers[rand @numbers] } 1 .. rand 6) for 1 .. 3 }   # before it was asked
  next if $way <= 2 || rand() < 0.2;
  my $heard = '';
  defined recv($s, $heard, 9000, 0) or ($!{ECONNRESET} ? next : die "recv: $!");
  $answered++ if length $heard;
  if ($heard eq "create\n") {
    $creates++;
    next if rand() < 0.1;
    say_it($s, changed("made\n"), map { $numbers[rand @numbers] } 1 .. rand 6);
    next if rand() < 0.2;
    defined recv($s, $heard, 9000, 0) or next;
    $heard =~ /^joined/ and die "a namespace that is none was taken";
  }
}
# And each kind once where it counts, which chance may leave out; no job's number is 63 modulo 64, where those held open wait for one another.
for my $i (0 .. $#numbers) {
  socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0); connect($s, sockaddr_un('/run/casement/node.sock')) or die "connect: $!";
  setsockopt($s, SOL_SOCKET, SO_RCVTIMEO, pack('q q', 20, 0));
  say_it($s, "task 1\njob " . (64 * 60000000 + $i) . "\nstep 0\nuid 60001\ngid 60001\ntasks 1\nasked 1\nlisteners \n");
  defined recv($s, my $heard, 9000, 0) or die "recv: $!"; $heard eq "create\n" or die "instead of create: $heard";
  say_it($s, "made\n", $numbers[$i]);
  defined recv($s, $heard, 9000, 0) or die "recv: $!"; $heard =~ /^refuse / or die "descriptor $i: $heard";
}
print "answered $answered, create $creates\n";
