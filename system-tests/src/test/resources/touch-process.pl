# touch-process.pl PID: what this account can do to a process: a line each, "WHAT yes" or "WHAT no".
use strict; use warnings;
my $pid = $ARGV[0];
sub say_it { printf "%s %s\n", $_[0], $_[1] ? 'yes' : 'no' }
sub can_open { my ($how, $file) = @_; my $ok = open(my $f, $how, "/proc/$pid/$file"); my $byte; $ok &&= defined(sysread($f, $byte, 1)) if $file eq 'environ'; $ok }
say_it('environ', can_open('<', 'environ'));
say_it('mem', can_open('+<', 'mem'));
for my $kind (qw(net user mnt pid)) {   # setns(2)
  my $child = fork // die $!;
  if (!$child) { open(my $ns, '<', "/proc/$pid/ns/$kind") or exit 1; exit(syscall(308, fileno($ns), 0) == 0 ? 0 : 1) }
  waitpid($child, 0);
  say_it("enter-$kind", $? == 0);
}
my $handle = syscall(434, $pid + 0, 0);   # pidfd_open(2)
my $taken = $handle >= 0 ? syscall(438, $handle, 1, 0) : -1;   # pidfd_getfd(2): its standard output
say_it('pidfd_getfd', $taken >= 0);
my $traced = syscall(101, 0x4206, $pid + 0, 0, 0);   # ptrace(PTRACE_SEIZE)
say_it('ptrace', $traced == 0);
