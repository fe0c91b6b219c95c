/*
 * harness: plays slurmstepd and the node agent to iso_netns.c, which is linked in under sanitizers, and is hostile as both.
 *
 *   harness SEED ROUNDS     as root; 0 when all went as it must, 1 with the round that did not
 *
 * Each round is a process of its own that calls the plugin as slurmstepd does; the parent is the agent. What must come of a round is worked
 * out here a second time from contracts/node.md, not from the plugin, and how the task stands at the end is asked of the kernel: which network
 * namespace it is in, and which descriptors survive exec.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A sanitizer's end must not look like a refusal. */
const char *__asan_default_options(void) { return "exitcode=99:detect_leaks=0:detect_stack_use_after_return=1"; }
const char *__ubsan_default_options(void) { return "exitcode=99:print_stacktrace=1"; }

/* ---- what the plugin says of itself, and what it calls */

typedef struct spank_handle *spank_t;
struct spank_option { char *name, *arginfo, *usage; int has_arg, val; int (*cb)(int val, const char *argument, int remote); };
extern const unsigned int plugin_version; /* up to 24.11 the user reads what a task logs */
extern int slurm_spank_init(spank_t, int, char **);
extern int slurm_spank_task_init_privileged(spank_t, int, char **);
extern int slurm_spank_job_prolog(spank_t, int, char **);
extern int slurm_spank_job_epilog(spank_t, int, char **);
enum { CONTEXT_LOCAL = 1, CONTEXT_REMOTE = 2, OPTIONS_MAX = 8, DESCRIPTORS_MAX = 41, SENT_MAX = 200, TEXT_MAX = 70000 };
enum { RAN_OPEN = 10, RAN_SEALED = 11, REFUSED = 1, WRONG = 77 };

static int context, unanswered_item, registered, kept, kept_numbers[4096];
static pid_t harness;
static int by_chance; /* a number in the environment need not be a descriptor's */
static struct spank_option *known[OPTIONS_MAX];

static struct { int given; char *argument; } options[OPTIONS_MAX];

int spank_context(void) { return context; }

int spank_option_register(spank_t sp, struct spank_option *option)
{
	(void)sp;
	if (registered == OPTIONS_MAX)
		return 1;
	known[registered++] = option;
	return 0;
}

int spank_option_getopt(spank_t sp, struct spank_option *option, char **argument)
{
	(void)sp;
	for (int i = 0; i < registered; i++)
		if (strcmp(known[i]->name, option->name) == 0 && options[i].given) {
			*argument = options[i].argument;
			return 0;
		}
	return 1;
}

int spank_get_item(spank_t sp, int item, ...)
{
	va_list values;
	(void)sp;
	if (item == unanswered_item)
		return 1;
	va_start(values, item);
	*va_arg(values, uint32_t *) = UINT32_MAX - (uint32_t)item; /* the longest there are */
	va_end(values);
	return 0;
}

/* Every byte is looked at; what may be a descriptor's number is kept. */
int spank_setenv(spank_t sp, const char *name, const char *value, int overwrite)
{
	char *end;
	(void)sp, (void)overwrite;
	if (*name == '\0' || strlen(name) + strlen(value) > TEXT_MAX)
		return 1;
	long number = strtol(value, &end, 10);
	if (*value != '\0' && *end == '\0' && kept < 4096)
		kept_numbers[kept++] = (int)number;
	return 0;
}

void slurm_error(const char *format, ...)
{
	char text[1024];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (getpid() != harness)
		dprintf(2, "log: %s\n", text);
}

/* ---- chance, the same for the same seed */

static uint64_t state;

static uint32_t any(uint32_t limit)
{
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (uint32_t)((state * 0x2545F4914F6CDD1DULL) >> 33) % limit;
}

/* ---- a round */

struct answer { char text[TEXT_MAX]; size_t length; int count, kind, silent; };
enum { NAMESPACE, NOTHING, UTS, SOCKET, DIRECTORY, KINDS };

static int kinds[KINDS], listener, said, rounds_done, limited;
static struct answer answers[2];
static int answers_count;
static char heard[2][8192];
static int heard_count;
static struct stat home;
static char directory[] = "/tmp/casement-harness-XXXXXX", path[64], socket_argument[80];
static const char *round_name = "";

static void fail(const char *format, ...)
{
	static char text[16384];
	va_list values;
	fprintf(stderr, "harness: round %d (%s): ", rounds_done, round_name);
	va_start(values, format);
	vfprintf(stderr, format, values);
	va_end(values);
	ssize_t length = pread(said, text, sizeof(text) - 1, 0);
	fprintf(stderr, "\nanswers:");
	for (int i = 0; i < answers_count; i++) {
		fprintf(stderr, " %zu bytes and %d descriptors of kind %d: ", answers[i].length, answers[i].count, answers[i].kind);
		for (size_t at = 0; at < answers[i].length && at < 120; at++)
			fprintf(stderr, isprint((unsigned char)answers[i].text[at]) ? "%c" : "\\%02x", (unsigned char)answers[i].text[at]);
	}
	fprintf(stderr, "\nit said: %.*s\n", (int)(length < 0 ? 0 : length), text);
	unlink(path), rmdir(directory);
	exit(1);
}

static void must(int fine, const char *what)
{
	if (!fine)
		fail("cannot %s: %s", what, strerror(errno));
}

static void listen_again(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	if (listener > 0)
		close(listener);
	unlink(path);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	must(listener >= 0 && bind(listener, (struct sockaddr *)&name, sizeof(name)) == 0 && listen(listener, 8) == 0, "listen");
}

static void answer_with(int s, const struct answer *answer)
{
	union { struct cmsghdr header; char room[CMSG_SPACE(SENT_MAX * sizeof(int))]; } control;
	struct iovec part = {.iov_base = (char *)answer->text, .iov_len = answer->length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	memset(&control, 0, sizeof(control));
	if (answer->count > 0) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE((size_t)answer->count * sizeof(int));
		control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN((size_t)answer->count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		for (int i = 0; i < answer->count; i++)
			memcpy(control.room + CMSG_LEN(0) + (size_t)i * sizeof(int), &kinds[i == 0 ? answer->kind : NOTHING], sizeof(int));
	}
	must(sendmsg(s, &message, MSG_NOSIGNAL) >= 0 || errno == EPIPE || errno == ECONNRESET, "answer");
}

static void be_the_agent(int s)
{
	struct timeval limit = {.tv_sec = 20};
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	for (int i = 0; i < answers_count && !answers[i].silent; i++) {
		ssize_t length = recv(s, heard[i], sizeof(heard[i]) - 1, 0); /* a descriptor that comes is the kernel's to close */
		must(length >= 0 || errno == ECONNRESET, "hear the plugin");
		if (length <= 0)
			break;
		heard[i][length] = '\0';
		heard_count++;
		answer_with(s, &answers[i]);
	}
	close(s);
}

/* How the task stands when the plugin lets it go on. */
static int standing(void)
{
	struct stat now;
	if (stat("/proc/self/ns/net", &now) != 0)
		return WRONG;
	for (int i = 3; i < 512; i++) {
		int flags = fcntl(i, F_GETFD), wanted = 0;
		for (int k = 0; k < kept; k++)
			wanted |= kept_numbers[k] == i;
		if (flags >= 0 && (flags & FD_CLOEXEC) == 0 && !wanted) {
			dprintf(2, "descriptor %d survives exec\n", i);
			return WRONG;
		}
		if (wanted && !by_chance && (flags < 0 || (flags & FD_CLOEXEC) != 0)) {
			dprintf(2, "descriptor %d does not survive exec\n", i);
			return WRONG;
		}
	}
	return now.st_ino == home.st_ino ? RAN_OPEN : RAN_SEALED;
}

/* What a process of slurmstepd's that calls `body` ended with; a sanitizer's report is the harness's end. */
static int run(int (*body)(void))
{
	static char text[65536];
	int done[2], status;
	must(ftruncate(said, 0) == 0 && lseek(said, 0, SEEK_SET) == 0 && pipe2(done, O_CLOEXEC) == 0, "begin a round");
	heard_count = 0;
	rounds_done++;
	fflush(NULL);
	pid_t child = fork();
	must(child >= 0, "fork");
	if (child == 0) {
		struct rlimit few = {limited, limited};
		dup2(said, 2);
		if (limited > 0)
			setrlimit(RLIMIT_NOFILE, &few);
		_exit(body());
	}
	close(done[1]);
	for (;;) {
		struct pollfd either[2] = {{.fd = done[0]}, {.fd = listener, .events = POLLIN}};
		if (poll(either, 2, 30000) <= 0) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			fail("hangs");
		}
		if (either[1].revents & POLLIN) {
			int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			must(s >= 0, "accept");
			be_the_agent(s);
		} else if (either[0].revents != 0) {
			break;
		}
	}
	close(done[0]);
	must(waitpid(child, &status, 0) == child, "wait");
	ssize_t length = pread(said, text, sizeof(text) - 1, 0);
	text[length < 0 ? 0 : length] = '\0';
	if (strstr(text, "runtime error") != NULL || strstr(text, "AddressSanitizer") != NULL)
		fail("a sanitizer reports");
	if (!WIFEXITED(status))
		fail("dies of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == WRONG)
		fail("leaves the task in disorder");
	if (WEXITSTATUS(status) == REFUSED && strstr(text, plugin_version < 0x190500 ? "log: iso_netns: " : "\niso_netns: ") == NULL)
		fail("refuses and does not say why to the user");
	return WEXITSTATUS(status);
}

static char *arguments[8];
static int arguments_count;

static int as_task(void)
{
	return slurm_spank_task_init_privileged(NULL, arguments_count, arguments) == 0 ? standing() : WRONG;
}

static int as_prolog(void) { return slurm_spank_job_prolog(NULL, arguments_count, arguments) == 0 ? standing() : WRONG; }
static int as_epilog(void) { return slurm_spank_job_epilog(NULL, arguments_count, arguments) == 0 ? standing() : WRONG; }

static void expect(int outcome, int wanted)
{
	if (outcome != wanted)
		fail("ended with %d instead of %d (%d open, %d sealed, %d refused)", outcome, wanted, RAN_OPEN, RAN_SEALED, REFUSED);
}

static void begin(const char *name)
{
	round_name = name;
	memset(options, 0, sizeof(options));
	unanswered_item = -1;
	limited = 0;
	answers_count = 0;
	arguments[0] = socket_argument;
	arguments_count = 1;
	options[0].given = 1;
}

static struct answer *then(const char *text, size_t length, int count, int kind)
{
	struct answer *answer = &answers[answers_count++];
	memcpy(answer->text, text, length);
	answer->length = length, answer->count = count, answer->kind = kind, answer->silent = 0;
	return answer;
}

static struct answer *then_says(const char *text, int count, int kind) { return then(text, strlen(text), count, kind); }

/* ---- what must come of it (contracts/node.md) */

static int starts(const char *text, const char *word) { return strncmp(text, word, strlen(word)) == 0; }

static int has_fine_environment(const char *text, int count)
{
	text = strchr(text, '\n');
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(++text, "\n");
		const char *equals = memchr(text, '=', length);
		if (length > 0 && (equals == NULL || equals == text))
			return 0;
		if (length > 0 && equals[1] == '#') {
			unsigned long long number = 0;
			const char *digit = equals + 2;
			while (digit < text + length && isdigit((unsigned char)*digit) && number < 1000000)
				number = number * 10 + (unsigned long long)(*digit++ - '0');
			if (digit == equals + 2 || digit != text + length || number >= (unsigned long long)count)
				return 0;
		}
		text += length;
	}
	return 1;
}

static int what_must_come(void)
{
	const struct answer *answer = &answers[0];
	const char *done = "join\n";
	for (int i = 0; i < 2; i++, answer++) {
		char text[8192];
		if (i >= answers_count || answer->silent || answer->length == 0 || answer->length > 8191 || answer->count > DESCRIPTORS_MAX)
			return REFUSED;
		memcpy(text, answer->text, answer->length);
		text[answer->length] = '\0';
		if (i == 0 && starts(text, "create\n")) {
			done = "joined\n";
			continue;
		}
		if (i == 0 && starts(text, "open\n"))
			return RAN_OPEN;
		if (!starts(text, done) || !has_fine_environment(text, answer->count))
			return REFUSED;
		return i == 1 || (answer->count > 0 && answer->kind == NAMESPACE) ? RAN_SEALED : REFUSED;
	}
	return REFUSED;
}

/* What the plugin said is one packet of the contract's lines and nothing else, whatever was in the options. */
static void check_request(void)
{
	static const char *const lines[] = {"task 1", "job ", "step ", "uid ", "gid ", "tasks ", "asked ", "listeners "};
	const char *text = heard[0];
	if (heard_count == 0)
		return;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!starts(text, lines[i]) || strchr(text, '\n') == NULL)
			fail("a request without '%s' in its place: %s", lines[i], heard[0]);
		text = strchr(text, '\n') + 1;
	}
	if (*text != '\0')
		fail("a request of more lines than there are: %s", heard[0]);
	if (heard_count > 1 && strcmp(heard[1], "made\n") != 0)
		fail("says something else than made: %s", heard[1]);
}

/* ---- fixed rounds: each refusal beside what is let through */

static void one(const char *name, const char *first, int count, int kind, const char *second, int second_count, int wanted)
{
	begin(name);
	then_says(first, count, kind);
	if (second != NULL)
		then_says(second, second_count, NOTHING);
	expect(run(as_task), wanted);
	expect(what_must_come(), wanted); /* the two that judge agree */
	check_request();
}

static void fixed_answers(void)
{
	char text[9000];
	one("open", "open\n", 0, 0, NULL, 0, RAN_OPEN);
	one("join", "join\nA=b\n", 1, NAMESPACE, NULL, 0, RAN_SEALED);
	one("create", "create\n", 0, 0, "joined\nA=b\n", 0, RAN_SEALED);
	one("create with listeners", "create\n", 0, 0, "joined\nFD_0=#0\nFD_1=#1\n", 2, RAN_SEALED);
	one("as many descriptors as there may be", "join\nFD=#40\n", 41, NAMESPACE, NULL, 0, RAN_SEALED);
	one("one more", "join\n", 42, NAMESPACE, NULL, 0, REFUSED);
	one("one more, and a number beyond", "join\nFD=#42\n", 42, NAMESPACE, NULL, 0, REFUSED);
	one("many more", "join\n", 200, NAMESPACE, NULL, 0, REFUSED);
	one("one more, when it is made", "create\n", 0, 0, "joined\nFD=#42\n", 42, REFUSED);
	one("no namespace", "join\n", 0, 0, NULL, 0, REFUSED);
	one("something else's namespace", "join\n", 1, UTS, NULL, 0, REFUSED);
	one("no file of a namespace", "join\n", 1, NOTHING, NULL, 0, REFUSED);
	one("open after create", "create\n", 0, 0, "open\n", 0, REFUSED);
	one("join after create", "create\n", 0, 0, "join\n", 1, REFUSED);
	one("create after create", "create\n", 0, 0, "create\n", 0, REFUSED);
	one("closed after create", "create\n", 0, 0, NULL, 0, REFUSED);
	one("joined without create", "joined\nA=b\n", 1, NAMESPACE, NULL, 0, REFUSED);
	one("refuse", "refuse %s%n%s\n", 0, 0, NULL, 0, REFUSED);
	one("no line", "open", 0, 0, NULL, 0, REFUSED);
	one("a number below", "join\nFD=#-1\n", 1, NAMESPACE, NULL, 0, REFUSED);
	one("a number far beyond", "join\nFD=#2147483647\n", 1, NAMESPACE, NULL, 0, REFUSED);
	one("a number beyond", "join\nFD=#1\n", 1, NAMESPACE, NULL, 0, REFUSED);
	one("a number that is 0 in 32 bits", "join\nFD=#4294967296\n", 1, NAMESPACE, NULL, 0, REFUSED);
	one("a number that is none", "join\nFD=#x\n", 1, NAMESPACE, NULL, 0, REFUSED);
	one("a number that is missing", "join\nFD=#\n", 1, NAMESPACE, NULL, 0, REFUSED);
	for (size_t length = 8189; length <= 8195; length++) {
		begin("around the longest");
		memset(text, 'x', sizeof(text));
		memcpy(text, "join\nA=", 7);
		then(text, length, 1, NAMESPACE);
		expect(run(as_task), length <= 8191 ? RAN_SEALED : REFUSED);
	}
	begin("a reason of the longest");
	memset(text, 'y', sizeof(text));
	memcpy(text, "refuse ", 7);
	then(text, 8191, 0, 0);
	expect(run(as_task), REFUSED);
	for (int i = 0; i < 2; i++) {
		begin(i == 0 ? "descriptors to spare" : "descriptors without room for all");
		then_says("join\n", 30, NAMESPACE);
		limited = i == 0 ? 100 : 30;
		expect(run(as_task), i == 0 ? RAN_SEALED : REFUSED);
	}
	begin("closed at once");
	then_says("open\n", 0, 0)->silent = 1;
	expect(run(as_task), REFUSED);
	begin("nobody listens");
	close(listener);
	listener = -1;
	expect(run(as_task), REFUSED);
	listen_again();
}

static void fixed_arguments(void)
{
	static char text[5000];
	begin("nothing asked");
	options[0].given = 0;
	expect(run(as_task), RAN_OPEN);
	begin("nothing asked, everybody sealed");
	options[0].given = 0, arguments[arguments_count++] = "default=sealed";
	expect(run(as_task), REFUSED);
	begin("an argument that nobody knows");
	arguments[arguments_count++] = memset(text, 'a', sizeof(text) - 1);
	then_says("open\n", 0, 0);
	expect(run(as_task), REFUSED);
	/* A path that is cut to fit would be somebody else's: this one is cut to ours. */
	begin("a path of the longest");
	snprintf(text, sizeof(text), "socket=");
	size_t at = strlen(text);
	while (at < 7 + 107 - strlen(path))
		text[at++] = '/';
	snprintf(text + at, sizeof(text) - at, "%s", path);
	arguments[0] = text;
	then_says("join\n", 1, NAMESPACE);
	expect(run(as_task), RAN_SEALED);
	begin("a path that is too long");
	strcat(text, "x");
	arguments[0] = text;
	then_says("join\n", 1, NAMESPACE);
	expect(run(as_task), REFUSED);
	begin("no path");
	arguments[0] = "socket=";
	expect(run(as_task), REFUSED);
	for (int item = 0; item < 7; item++) {
		if (item == 4 || item == 5)
			continue;
		begin("Slurm says not all of it");
		unanswered_item = item;
		then_says("open\n", 0, 0);
		expect(run(as_task), REFUSED);
	}
}

/* An option alone, as the command line and as the task have it. */
static void one_option(const char *name, const char *argument, int fine)
{
	char own[9000];
	int found = 0;
	if (argument != NULL)
		snprintf(own, sizeof(own), "%s", argument);
	for (int i = 0; i < registered; i++) {
		if (strcmp(known[i]->name, name) != 0)
			continue;
		found = 1;
		begin(name);
		if (known[i]->cb(known[i]->val, argument, 1) != 0)
			fail("an option fails in slurmstepd, which drains the node");
		context = CONTEXT_LOCAL;
		if ((known[i]->cb(known[i]->val, argument, 0) == 0) != fine)
			fail("the command line %s '%.100s'", fine ? "refuses" : "takes", argument == NULL ? "(none)" : argument);
		context = CONTEXT_REMOTE;
		options[0].given = 0, options[i].given = 1, options[i].argument = argument == NULL ? NULL : own;
		then_says("open\n", 0, 0);
		expect(run(as_task), fine ? RAN_OPEN : REFUSED);
		if (fine)
			check_request();
		else if (heard_count > 0)
			fail("asks the agent all the same");
		const char *listeners = fine ? strstr(heard[0], "listeners ") + 10 : "";
		if (fine && argument != NULL && (strlen(argument) + 1 != strlen(listeners) || strncmp(argument, listeners, strlen(argument)) != 0))
			fail("'%s' of '%s' reaches the agent", listeners, argument);
	}
	must(found, name);
}

static void fixed_options(void)
{
	static char text[8001];
	static const char *const fine[] = {"", "0", "1", "20", "20,20", ",", ",5", "1,", "+3", " 4", "007", "-0", "\t2"};
	static const char *const wrong[] = {"-1", "21", "1,21", "1,2,3", "x", "1x", "1 ", "0x1", "1;2", "99999999999999999999", "-99999999999999999999", "2147483648",
		"4294967297", "18446744073709551617", "1,-1", "%s%n", "1\n", "\n1", "1,\n2", "\r\njob 1", "1\1", "\xff\xfe", "--", "1.5"};
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		one_option("iso-netns-listeners", fine[i], 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		one_option("iso-netns-tcp-listeners", wrong[i], 0);
	one_option("iso-netns-listeners", NULL, 0);
	one_option("iso-netns", NULL, 1);
	one_option("iso-netns-listeners", "0000000000000000000000000000000000000002", 1); /* 40, as much as a request takes */
	one_option("iso-netns-listeners", "00000000000000000000000000000000000000012", 0);
	for (int i = 0; i < 3; i++) {
		memset(text, "0, "[i], sizeof(text) - 1);
		one_option("iso-netns-listeners", text, 0);
		one_option("iso-netns-proxies", text, 0);
	}
	one_option("iso-netns-http-proxy-conf", "", 0);
	one_option("iso-netns-options", NULL, 0);
	begin("an allowed option does not make up for a refused one");
	options[3].given = 1, options[3].argument = "";
	expect(run(as_task), REFUSED);
}

/* ---- rounds by chance */

static void change(char *text, size_t *length, size_t limit)
{
	static const char special[] = "\n\n\n==##\0%,-+ 0194";
	for (uint32_t i = any(4); i > 0 && *length > 0; i--) {
		size_t at = any((uint32_t)*length), rest = *length - at, times;
		switch (any(6)) {
		case 0: text[at] = (char)any(256); break;
		case 1: text[at] = special[any(sizeof(special) - 1)]; break;
		case 2: *length = at; break;
		case 3: memmove(text + at, text + at + 1, rest - 1), --*length; break;
		case 4:
			if (*length < limit)
				memmove(text + at + 1, text + at, rest), text[at] = special[any(sizeof(special) - 1)], ++*length;
			break;
		default:
			for (times = any(any(8) == 0 ? 4000 : 3); times > 0 && *length + rest <= limit; times--)
				memcpy(text + *length, text + at, rest), *length += rest;
		}
	}
}

static void chance_answer(int second)
{
	static const char *const words[] = {"join\n", "join\n", "create\n", "open\n", "refuse why\n", "joined\n", "noted\n", ""};
	struct answer *answer = then_says(second ? (any(8) == 0 ? words[any(8)] : "joined\n") : words[any(8)], 0, 0);
	if (any(12) == 0) {
		for (answer->length = any(any(3) == 0 ? TEXT_MAX : 200); second < (int)answer->length; second++)
			answer->text[second] = (char)any(256);
	} else {
		for (uint32_t i = any(any(10) == 0 ? 200 : 5); i > 0; i--)
			answer->length += (size_t)sprintf(answer->text + answer->length, any(3) == 0 ? "NAME_%u=%u\n" : "FD_%u=#%u\n", i, any(any(6) == 0 ? 100000 : 6));
		if (any(2) == 0)
			change(answer->text, &answer->length, TEXT_MAX);
	}
	static const int counts[] = {0, 1, 1, 2, 3, 5, 5, 6, 40, 41, 42, 43, 100, 200};
	answer->count = counts[any(sizeof(counts) / sizeof(counts[0]))];
	answer->kind = any(4) == 0 ? (int)any(KINDS) : NAMESPACE;
	answer->silent = any(40) == 0;
	if (answer->length == 0) /* on the wire no packet, or an end */
		answer->silent = 1;
}

static void chance(void)
{
	static char given[OPTIONS_MAX][6000], partition[20000];
	int outcome, refused = 0, asked = 0;
	begin("by chance");
	chance_answer(0);
	if (any(4) != 0)
		chance_answer(1);
	switch (any(5)) {
	case 0: /* options */
		options[0].given = 0;
		for (int i = 0; i < registered; i++) {
			size_t length = (size_t)sprintf(given[i], any(2) ? "%u" : "%u,%u", any(25), any(25));
			if (any(3) == 0)
				change(given[i], &length, sizeof(given[i]) - 1);
			given[i][length] = '\0';
			options[i].given = any(i < 3 ? 2 : 12) == 0;
			options[i].argument = any(20) == 0 ? NULL : given[i];
			asked += options[i].given;
			context = CONTEXT_LOCAL;
			refused |= options[i].given && known[i]->cb(known[i]->val, options[i].argument, 0) != 0;
			context = CONTEXT_REMOTE;
		}
		outcome = run(as_task);
		expect(outcome, refused ? REFUSED : asked == 0 ? RAN_OPEN : what_must_come());
		check_request();
		break;
	case 1: /* before and after the job */
		for (size_t i = any(any(2) ? 20000 : 120), k = 0; k <= i && i > 0; k++)
			partition[k] = k == i - 1 ? '\0' : (char)(1 + any(255));
		setenv("SLURM_JOB_PARTITION", partition, 1);
		unanswered_item = any(6) == 0 ? 2 : -1;
		expect(run(any(2) ? as_prolog : as_epilog), RAN_OPEN);
		if (heard_count > 0 && strlen(heard[0]) > 150)
			fail("a request of %zu bytes", strlen(heard[0]));
		break;
	default: /* answers */
		expect(run(as_task), what_must_come());
		check_request();
	}
}

int main(int ac, char **av)
{
	if (ac != 3)
		return fprintf(stderr, "harness SEED ROUNDS\n"), 64;
	harness = getpid();
	state = strtoull(av[1], NULL, 10) * 0x9E3779B97F4A7C15ULL + 1;
	must(mkdtemp(directory) != NULL, "make a directory");
	snprintf(path, sizeof(path), "%s/agent", directory);
	snprintf(socket_argument, sizeof(socket_argument), "socket=%s", path);
	said = memfd_create("said", MFD_CLOEXEC);
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must(said >= 0 && own >= 0 && fstat(own, &home) == 0 && unshare(CLONE_NEWNET) == 0, "make a network namespace, as root");
	kinds[NAMESPACE] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	must(setns(own, CLONE_NEWNET) == 0, "go back");
	kinds[NOTHING] = open("/dev/null", O_RDWR | O_CLOEXEC);
	kinds[UTS] = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	kinds[SOCKET] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	kinds[DIRECTORY] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < KINDS; i++)
		must(kinds[i] >= 0, "open what is sent");
	for (int i = 3; i < 512; i++) /* whatever was handed to us */
		if (fcntl(i, F_GETFD) == 0)
			fcntl(i, F_SETFD, FD_CLOEXEC);
	listen_again();

	begin("before any task");
	context = CONTEXT_LOCAL;
	setenv("SPANK_ISO_NETNS_SEALED", "1", 1);
	if (slurm_spank_init(NULL, 0, NULL) == 0)
		fail("srun is let go on inside a sealed job");
	unsetenv("SPANK_ISO_NETNS_SEALED");
	context = CONTEXT_REMOTE;
	if (slurm_spank_init(NULL, 0, NULL) != 0 || registered != 6)
		fail("does not begin");
	fixed_answers();
	fixed_arguments();
	fixed_options();
	int fixed = rounds_done;
	by_chance = 1;
	for (int i = atoi(av[2]); i > 0; i--)
		chance();
	printf("%d rounds, %d of them by chance\n", rounds_done, rounds_done - fixed);
	unlink(path), rmdir(directory);
	return 0;
}
