/* What invocations start, and that nothing of it is left when they end.
 *
 * A program started by exec leads its own process group and carries the invocation's mark in its
 * environment.  The worker is a child subreaper, so whatever loses its parent (a background job, a
 * double fork, a setsid) becomes the worker's child.  When an invocation ends, the groups of its
 * programs are killed, and then every adopted process that carries its mark or no mark of a living
 * invocation; each death may hand over the next generation, so this repeats on SIGCHLD until
 * nothing is left.  A group id is only used while its leader has not been reaped: it cannot be
 * another's.
 */
#include "lua/host/invocation.h"

#include "base/auto.h"
#include "base/environ.h"
#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define MARK_NAME    WORKER_RUN_ENV "="
#define CHILDREN_MAX (4u * 1024 * 1024) /* bytes of their list */
#define LOOK_MS      20 /* for the environment of one process: others wait meanwhile */

void
contain_mark(const struct invocation *inv, struct sbuf *out)
{
	sbuf_printf(out, MARK_NAME "%ld-%u", (long)getpid(), inv->id);
}

struct child *
contain_add(struct invocation *inv, pid_t pid)
{
	struct child *c = NEW(struct child);

	c->pid = pid;
	c->inv = inv;
	inv->children++;
	inv->has_processes = true;
	HASH_ADD(hh, inv->worker->children, pid, sizeof(c->pid), c);
	return c;
}

/* ---- adopted processes ---------------------------------------------------------------------- */

/* The run a process was started by; 0 when it carries no mark of ours. */
static uint32_t
marked_run(pid_t pid)
{
	AUTO(sbuf) struct sbuf env = {0};

	if (environ_read(pid, LOOK_MS, &env) < 0)
		return 0; /* it is gone */
	for (size_t at = 0; at < env.len; at += strlen(env.data + at) + 1) {
		long owner;
		unsigned run;

		if (sscanf(env.data + at, MARK_NAME "%ld-%u", &owner, &run) == 2)
			return owner == (long)getpid() ? run : 0;
	}
	return 0;
}

static bool
belongs_to_another(struct worker *w, pid_t pid, const struct invocation *inv)
{
	uint32_t run = marked_run(pid);
	struct invocation *owner;

	if (run == inv->id)
		return false;
	HASH_FIND(hh, w->runs, &run, sizeof(run), owner);
	return owner != NULL;
}

/* Returns false when it is not ours to kill: it has become another user's. */
static bool
kill_adopted(pid_t pid)
{
	pid_t group = getpgid(pid);

	if (group > 1 && group != getpgrp())
		(void)kill(-group, SIGKILL); /* it may be gone */
	return kill(pid, SIGKILL) == 0;
}

/* Kill what was adopted from inv.  Returns how many were there. */
static unsigned
end_adopted(struct invocation *inv)
{
	AUTO(sbuf) struct sbuf list = {0};
	unsigned count = 0;
	char path[64], *end;
	const char *at;
	AUTO(fd) int fd = -1;

	(void)snprintf(
		path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid()); /* fits */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || file_read_fd(fd, CHILDREN_MAX, &list) < 0)
		return 0;
	for (at = sbuf_str(&list);; at = end) {
		pid_t pid = (pid_t)strtol(at, &end, 10);
		struct child *direct;

		if (end == at)
			return count;
		HASH_FIND(hh, inv->worker->children, &pid, sizeof(pid), direct);
		if (direct || belongs_to_another(inv->worker, pid, inv))
			continue;
		count += kill_adopted(pid);
	}
}

/* ---- the end of an invocation --------------------------------------------------------------- */

static void
end_direct(struct invocation *inv)
{
	struct child *c, *next;

	HASH_ITER (hh, inv->worker->children, c, next) {
		if (c->inv == inv)
			(void)kill(-c->pid, SIGKILL);
	}
}

void
contain_end(struct invocation *inv)
{
	if (inv->has_processes) {
		if (inv->children > 0)
			end_direct(inv);
		if (end_adopted(inv) > 0 || inv->children > 0)
			return; /* SIGCHLD brings us back */
	}
	invocation_finish(inv);
}

static void
reap(struct worker *w, pid_t pid, int status)
{
	struct child *c;

	HASH_FIND(hh, w->children, &pid, sizeof(pid), c);
	if (!c)
		return; /* adopted */
	HASH_DEL(w->children, c);
	c->inv->children--;
	if (c->exited)
		c->exited(c->arg, status);
	free(c);
}

void
contain_on_sigchld(uv_signal_t *handle, int signum)
{
	struct worker *w = handle->data;
	struct invocation *inv, *next;
	int status;
	pid_t pid;

	(void)signum;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reap(w, pid, status);
	HASH_ITER (hh, w->runs, inv, next) {
		if (inv->is_ended)
			contain_end(inv);
	}
}

void
contain_kill_all(struct worker *w)
{
	struct child *c, *next;

	HASH_ITER (hh, w->children, c, next)
		(void)kill(-c->pid, SIGKILL);
}
