# Runs a command inside another process's namespaces as an ordinary user without capabilities: `PID KINDS UID GID COMMAND...`,
# KINDS such as `net,user`, or `-` for none. The command's program comes from outside: it need not exist in the mount namespace.
# Needs root and perl-base; system calls by number (x86-64).
use strict;
use Fcntl;

my ($pid, $kinds, $uid, $gid, @command) = @ARGV;
my $check = sub { $_[1] == 0 or die "enter: $_[0]: $!\n" };
sysopen(my $program, $command[0], O_RDONLY) or die "enter: $command[0]: $!\n";
fcntl($program, F_SETFD, 0);
my %entered = map { $_ => 1 } grep { $_ ne '-' } split /,/, $kinds;
my @namespaces;
# The user namespace last: entering it gives up all rights over the others.
for my $kind (grep { $entered{$_} } qw(cgroup ipc uts net pid mnt user)) {
  open(my $namespace, '<', "/proc/$pid/ns/$kind") or die "enter: $kind: $!\n";
  push @namespaces, $namespace;
}
$check->('setgroups', syscall(116, 0, 0));
$check->('setns', syscall(308, fileno($_), 0)) for @namespaces;
$check->('setresgid', syscall(119, $gid + 0, $gid + 0, $gid + 0));
if ($entered{user}) {
  # No capability is lost by itself here, as root's id does not exist inside.
  syscall(157, 24, $_, 0, 0, 0) for 0 .. 63;    # PR_CAPBSET_DROP
}
$check->('setresuid', syscall(117, $uid + 0, $uid + 0, $uid + 0));
my $header = pack('L L', 0x20080522, 0);
my $nothing = pack('L6', (0) x 6);
$check->('capset', syscall(126, $header, $nothing));
$check->('no_new_privs', syscall(157, 38, 1, 0, 0, 0));
my $child = $entered{pid} ? fork() : 0;    # a pid namespace is for children
if ($child) {
  $SIG{TERM} = sub { kill 'KILL', $child };
  1 while waitpid($child, 0) < 0 && $!{EINTR};
  exit($? >> 8 || $? & 127);
}
syscall(157, 1, 9) if $entered{pid};    # PR_SET_PDEATHSIG
my $arguments = pack('p*', @command) . pack('Q', 0);
my @environment = map { "$_=$ENV{$_}" } keys %ENV;
my $environment = pack('p*', @environment) . pack('Q', 0);
my $empty = '';
syscall(322, fileno($program), $empty, $arguments, $environment, 0x1000);    # execveat(AT_EMPTY_PATH)
die "enter: $command[0]: $!\n";
