/* Whose process it is: see origin.h.
 *
 * What a hook starts bears a mark in its environment, the worker's pid and the number of the run
 * (WORKER_RUN_ENV).  Reading it means two files of /proc, too much for every writer; but workers
 * and what they start stay in the session of the master, which one call tells.  A process that made
 * a session of its own, or took the mark out, hides where it comes from: its events have no cause.
 *
 * A worker has no mark, for it has many runs.  Which of them a thread of it writes for stands in
 * the page it shares with us (workers_run_of), and is true as long as the thread waits for the
 * answer.
 */
#include "fsd/events/origin.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/worker_proto.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROC_MAX (256 * 1024) /* bytes read of an environment */

bool
origin_may_be(pid_t pid)
{
	return pid > 0 && getsid(pid) == getsid(0);
}

static void
read_proc(pid_t pid, const char *name, struct sbuf *out)
{
	AUTO(free) char *path = mem_printf("/proc/%d/%s", (int)pid, name);
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && out->len < PROC_MAX) {
		n = read(fd, sbuf_room(out, 4096), 4096);
		out->len += n > 0 ? (size_t)n : 0;
	}
	sbuf_addc(out, '\0');
}

/* The mark in an environment; *ret_is_ours: it is one that only workers and what they start have.
 */
static void
find_mark(const struct sbuf *env, struct origin *ret_origin, bool *ret_is_ours)
{
	int worker;
	unsigned run;

	for (size_t at = 0; at < env->len; at += strlen(env->data + at) + 1) {
		const char *variable = env->data + at;

		if (strncmp(variable, WORKER_SCOPE_ENV "=", strlen(WORKER_SCOPE_ENV "=")) == 0)
			*ret_is_ours = true;
		if (sscanf(variable, WORKER_RUN_ENV "=%d-%u", &worker, &run) == 2)
			*ret_origin = (struct origin){.worker = worker, .run = run};
	}
}

void
origin_read(pid_t pid, struct origin *ret_origin)
{
	AUTO(sbuf) struct sbuf env = {0}, status = {0};
	bool is_ours = false;
	const char *line;

	*ret_origin = (struct origin){0};
	read_proc(pid, "environ", &env);
	find_mark(&env, ret_origin, &is_ours);
	if (ret_origin->worker || !is_ours)
		return;
	read_proc(pid, "status", &status); /* a worker bears no mark; pid may be a thread of it */
	line = strstr(sbuf_str(&status), "\nTgid:");
	if (line)
		*ret_origin = (struct origin){
			.worker = (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10), .thread = pid};
}
