/*
 * iso_netns.so: Slurm's side of sealed network namespaces. slurmstepd loads it; the node agent decides everything.
 *
 * Theory of operation. All happens in task_init_privileged: root, in the forked task before exec, single-threaded, where unshare(2) and
 * setns(2) move exactly the task, and whose end fails the task without draining the node. The task asks over the agent's socket what to do
 * (contracts/node.md) and does it. The first of a job unshares and sends the handle; later ones are given it.
 *
 * Fail closed: a task that asked, a job with a marker, and under 'default=sealed' every task run as the agent says or not at all. The others
 * go on without the agent, at the cost of one readlink(2).
 *
 * No Slurm header: what is declared here is the same since 20.11 but for the version, which must be slurmd's. No fork, exec, thread, lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- from spank.h */

typedef struct spank_handle *spank_t;
struct spank_option { char *name, *arginfo, *usage; int has_arg, val; int (*cb)(int val, const char *argument, int remote); };
enum { S_JOB_UID = 0, S_JOB_GID = 1, S_JOB_ID = 2, S_JOB_STEPID = 3, S_JOB_LOCAL_TASK_COUNT = 6 };
enum { S_CTX_LOCAL = 1, S_CTX_REMOTE = 2, S_CTX_ALLOCATOR = 3 };
extern int spank_context(void);
extern int spank_option_register(spank_t, struct spank_option *);
extern int spank_option_getopt(spank_t, struct spank_option *, char **);
extern int spank_get_item(spank_t, int item, ...);
extern int spank_setenv(spank_t, const char *name, const char *value, int overwrite);
extern void slurm_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

const char plugin_name[] = "spank_iso_netns"; /* the predecessor's: Slurm makes variables' names of it */
const char plugin_type[] = "spank";
const unsigned int plugin_version = SLURM_VERSION; /* (major << 16) | (minor << 8): 0x160500 for 22.05 */

#define MARKERS "/run/casement/sealed/" /* an entry for each sealed job, made by the agent */
#define INSIDE "SPANK_ISO_NETNS_SEALED" /* set by the agent in every sealed task */
#define ANSWER_SECONDS 10               /* for a task: the controller may have to be asked */
#define NOTED_SECONDS 2                 /* where no task waits for a decision */
#define LISTENERS_MAX 20                /* of each protocol, as the predecessor */
#define DESCRIPTORS_MAX (1 + 2 * LISTENERS_MAX)
#define PACKET_BYTES 8192

static const char *agent = "/run/casement/node.sock";
static int default_sealed;
static const char *unknown; /* argument in plugstack.conf */

struct answer {
	char text[PACKET_BYTES];
	int descriptors[DESCRIPTORS_MAX], count;
};

static int refuse(const char *format, ...)
{
	char text[512];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	slurm_error("iso_netns: %s", text);
#if SLURM_VERSION >= 0x190500 /* up to 24.11 the user reads what a task logs */
	if (spank_context() == S_CTX_REMOTE)
		dprintf(2, "iso_netns: %s\n", text);
#endif
	return -1;
}

static void read_arguments(int ac, char **av)
{
	for (int i = 0; i < ac; i++) {
		if (strncmp(av[i], "socket=", 7) == 0)
			agent = av[i] + 7;
		else if (strcmp(av[i], "default=sealed") == 0 || strcmp(av[i], "default=open") == 0)
			default_sealed = av[i][8] == 's';
		else
			unknown = av[i];
	}
}

/* ---- options; each task is asked again, so that a forged environment of the step gets no further than the command line */

enum { SEALED, LISTENERS, REPLACED };

static int check(int val, const char *argument)
{
	if (val == REPLACED)
		return refuse("ways out of a sealed job are for the administrator to allow; see Migration in docs/iso_netns.md");
	for (int i = 0; val == LISTENERS; i++) { /* TCP[,UDP], each as strtol(3) takes it; all of it goes into one line of the request */
		char *end;
		long count = strtol(argument == NULL || strlen(argument) > 40 || strchr(argument, '\n') != NULL ? "x" : argument, &end, 10);
		if (count < 0 || count > LISTENERS_MAX || i > 1 || (*end != '\0' && *end != ','))
			return refuse("--iso-netns-listeners=TCP[,UDP] takes numbers from 0 to %d", LISTENERS_MAX);
		if (*end == '\0')
			break;
		argument = end + 1;
	}
	return 0;
}

/* In slurmstepd a failure here would drain the node: there the task is asked. */
static int on_option(int val, const char *argument, int remote)
{
	return remote ? 0 : check(val, argument);
}

static struct spank_option options[] = {
	{"iso-netns", NULL, "run in a network namespace of the job's own, without a way out", 0, SEALED, on_option},
	{"iso-netns-listeners", "TCP[,UDP]", "the same, with so many listening sockets of the node's", 1, LISTENERS, on_option},
	{"iso-netns-tcp-listeners", "TCP", "the same as --iso-netns-listeners", 1, LISTENERS, on_option},
	{"iso-netns-proxies", "...", "refused", 1, REPLACED, on_option},
	{"iso-netns-http-proxy-conf", "...", "refused", 1, REPLACED, on_option},
	{"iso-netns-options", "...", "refused", 1, REPLACED, on_option},
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* How many options the task has, -1 if one cannot be; `listeners` is what it says of them. */
static int asked_for(spank_t sp, const char **listeners)
{
	int count = 0;
	*listeners = "";
	for (size_t i = 0; i < OPTIONS; i++) {
		char *argument = NULL;
		if (spank_option_getopt(sp, &options[i], &argument) != 0)
			continue;
		if (check(options[i].val, argument) != 0)
			return -1;
		if (options[i].val == LISTENERS)
			*listeners = argument;
		count++;
	}
	return count;
}

/* What cannot be told counts as a marker. */
static int has_marker(uint32_t job)
{
	char path[64], target;
	snprintf(path, sizeof(path), MARKERS "%u", job);
	return readlink(path, &target, 1) >= 0 || (errno != ENOENT && errno != ENOTDIR); /* a link that leads nowhere, or a file */
}

/* ---- the agent's socket */

static int reach(int seconds)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = seconds};
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", agent);
	/* A path that is cut is another's. */
	if ((strlen(agent) < sizeof(name.sun_path) || (errno = ENAMETOOLONG) == 0) && setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 && connect(s, (struct sockaddr *)&name, sizeof(name)) == 0)
		return s;
	close(s);
	return -1;
}

/* Sends a packet, with a descriptor unless that is -1, and waits for the answer. */
static int ask(int s, const char *text, int descriptor, struct answer *answer)
{
	union { struct cmsghdr header; char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))]; } control = {0};
	struct iovec part = {.iov_base = (char *)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = descriptor < 0 ? 0 : CMSG_SPACE(sizeof(int))};
	control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(int));
	if (sendmsg(s, &message, MSG_NOSIGNAL) < 0)
		return -1;
	part = (struct iovec){.iov_base = answer->text, .iov_len = sizeof(answer->text) - 1};
	message.msg_controllen = CMSG_LEN(DESCRIPTORS_MAX * sizeof(int)); /* not CMSG_SPACE: the padding has room for another descriptor */
	ssize_t length = recvmsg(s, &message, MSG_CMSG_CLOEXEC);
	if (length <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return -1;
	answer->text[length] = '\0';
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	answer->count = header == NULL ? 0 : (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	if (header != NULL)
		memcpy(answer->descriptors, CMSG_DATA(header), (size_t)answer->count * sizeof(int));
	return 0;
}

static int says(const struct answer *answer, const char *word)
{
	return strncmp(answer->text, word, strlen(word)) == 0;
}

/* ---- the task */

static int set_environment(spank_t sp, struct answer *answer)
{
	strtok(answer->text, "\n");
	for (char *name; (name = strtok(NULL, "\n")) != NULL;) {
		char *value = strchr(name, '='), *end, number[16];
		if (value == NULL)
			return -1;
		*value++ = '\0';
		if (*value == '#') {
			long index = strtol(value + 1, &end, 10);
			if (value[1] < '0' || value[1] > '9' || *end != '\0' || index >= answer->count || fcntl(answer->descriptors[index], F_SETFD, 0) != 0)
				return -1;
			snprintf(number, sizeof(number), "%d", answer->descriptors[index]);
			value = number;
		}
		if (spank_setenv(sp, name, value, 1) != 0)
			return -1;
	}
	return 0;
}

static int seal(spank_t sp, const char *request)
{
	struct answer answer;
	const char *done = "join\n";
	int s = reach(ANSWER_SECONDS);
	if (s < 0 || ask(s, request, -1, &answer) != 0)
		return refuse("this task must run in a sealed network and %s does not answer: %s; tell the administrator", agent, strerror(errno));
	if (says(&answer, "create\n")) {
		if (unshare(CLONE_NEWNET) != 0)
			return refuse("cannot make a network namespace: %s", strerror(errno));
		int handle = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (handle < 0 || ask(s, "made\n", handle, &answer) != 0)
			return refuse("the node agent has not taken the namespace: %s", strerror(errno));
		done = "joined\n";
	} else if (says(&answer, "join\n") && (answer.count < 1 || setns(answer.descriptors[0], CLONE_NEWNET) != 0)) {
		return refuse("cannot enter the job's network namespace: %s", strerror(errno));
	}
	if (says(&answer, "refuse "))
		return refuse("%.*s", (int)strcspn(answer.text + 7, "\n"), answer.text + 7);
	if ((says(&answer, "open\n") && done[4] == '\n') || (says(&answer, done) && set_environment(sp, &answer) == 0))
		return 0;
	return refuse("the node agent's answer is not understood: is it of another version?");
}

/* ---- what Slurm calls */

int slurm_spank_init(spank_t sp, int ac, char **av)
{
	(void)ac, (void)av;
	int context = spank_context();
	if ((context == S_CTX_LOCAL || context == S_CTX_ALLOCATOR) && getenv(INSIDE) != NULL)
		return refuse("this job is sealed: srun, salloc and sbatch cannot reach Slurm from inside it");
	for (size_t i = 0; i < OPTIONS; i++)
		spank_option_register(sp, &options[i]);
	return 0;
}

static int start_task(spank_t sp, int ac, char **av)
{
	uint32_t job, step, uid, gid, tasks;
	const char *listeners;
	char request[256];
	read_arguments(ac, av);
	int asked = asked_for(sp, &listeners);
	if (asked < 0)
		return -1;
	if (spank_get_item(sp, S_JOB_ID, &job) != 0 || spank_get_item(sp, S_JOB_STEPID, &step) != 0 || spank_get_item(sp, S_JOB_UID, &uid) != 0 ||
	    spank_get_item(sp, S_JOB_GID, &gid) != 0 || spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &tasks) != 0)
		return refuse("Slurm does not say which job this is");
	if (asked == 0 && !default_sealed && !has_marker(job))
		return 0;
	if (unknown != NULL)
		return refuse("plugstack.conf has an argument that is not known here, %.100s: the node agent does what scripts did", unknown);
	snprintf(request, sizeof(request), "task 1\njob %u\nstep %u\nuid %u\ngid %u\ntasks %u\nasked %d\nlisteners %s\n", job, step, uid, gid, tasks, asked,
		 listeners);
	return seal(sp, request);
}

int slurm_spank_task_init_privileged(spank_t sp, int ac, char **av)
{
	if (start_task(sp, ac, av) != 0)
		_exit(1); /* as slurmstepd does where the plugin is 'required'; where it is 'optional', -1 would start the task in the open */
	return 0;
}

/* Before and after the job on this node. Never a failure, which would drain the node: the tasks are refused where something is amiss. */
static int tell(spank_t sp, int ac, char **av, const char *event)
{
	struct answer answer;
	uint32_t job, uid;
	char request[256];
	const char *partition = getenv("SLURM_JOB_PARTITION");
	read_arguments(ac, av);
	int s = reach(NOTED_SECONDS);
	if (s >= 0 && spank_get_item(sp, S_JOB_ID, &job) == 0 && spank_get_item(sp, S_JOB_UID, &uid) == 0) {
		snprintf(request, sizeof(request), "%s 1\njob %u\nuid %u\npartition %.100s\n", event, job, uid, partition == NULL ? "" : partition);
		ask(s, request, -1, &answer);
	}
	close(s);
	return 0;
}

int slurm_spank_job_prolog(spank_t sp, int ac, char **av) { return tell(sp, ac, av, "begin"); }
int slurm_spank_job_epilog(spank_t sp, int ac, char **av) { return tell(sp, ac, av, "end"); }
