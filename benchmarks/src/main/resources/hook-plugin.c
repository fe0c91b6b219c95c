/*
 * hook-plugin: what SlurmBenchmark measures iso_netns.so beside. It does the same steps the way plugins with hooks do: a listener on the node, a
 * network namespace for the task, and a bash script that makes the namespace usable. Without any of our checks; for a benchmark alone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct spank_handle *spank_t;
extern int spank_setenv(spank_t, const char *name, const char *value, int overwrite);

const char plugin_name[] = "hook";
const char plugin_type[] = "spank";
const unsigned int plugin_version = SLURM_VERSION;

int slurm_spank_task_init_privileged(spank_t sp, int ac, char **av)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
	socklen_t length = sizeof(address);
	char number[16];
	int listener = socket(AF_INET, SOCK_STREAM, 0), status;
	if (ac != 1 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &length) != 0 || unshare(CLONE_NEWNET) != 0)
		return -1;
	pid_t hook = fork();
	if (hook == 0) {
		execl("/bin/bash", "bash", av[0], (char *)NULL);
		_exit(127);
	}
	if (hook < 0 || waitpid(hook, &status, 0) != hook || status != 0)
		return -1;
	snprintf(number, sizeof(number), "%d", listener);
	spank_setenv(sp, "SPANK_ISO_NETNS_LISTENING_FD_0", number, 1);
	snprintf(number, sizeof(number), "%d", ntohs(address.sin_port));
	spank_setenv(sp, "SPANK_ISO_NETNS_LISTENING_PORT_0", number, 1);
	return spank_setenv(sp, "SPANK_ISO_NETNS_LISTENING_PROTO_0", "tcp", 1) == 0 ? 0 : -1;
}
