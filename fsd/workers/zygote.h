/* The zygote's other end: start it, ask it for workers, hear of their ends.  The socket keeps
 * message boundaries; base/worker_proto.h says what is spoken. */
#ifndef SLOTH_WORKERS_ZYGOTE_H
#define SLOTH_WORKERS_ZYGOTE_H

#include "base/err.h"
#include "base/worker_proto.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct zygote_options {
	const char *program; /* sloth-worker */
	const char *scope;   /* WORKER_SCOPE_ENV */
	const char *mount;   /* NULL: not set */
	const char *bin_dir; /* NULL: PATH stays */
	int lock_fd;         /* borrowed */
	bool no_new_privs;   /* for its workers */
};

/* Start the program.  Blocks: until it is executed.  Returns 0, or why it could not be; then in
 * *ret_fd our end of the socket (non-blocking, owned) and in *ret_pid the process, our child. */
int zygote_start(
	const struct zygote_options *opt, int *ret_fd, pid_t *ret_pid, struct err *err) MUST_USE;

struct zygote_fork {
	uint32_t request;
	uid_t uid;
	gid_t gid;
	const char *home, *cgroup; /* may be NULL */
	int socket_fd, page_fd;    /* borrowed */
};

/* Ask for a worker; the answer comes as ZYGOTE_FORKED with the same request number. */
int zygote_ask(int fd, const struct zygote_fork *req, struct err *err) MUST_USE;

struct zygote_news {
	enum zygote_msg type;
	uint32_t request; /* ZYGOTE_FORKED */
	pid_t pid;        /* 0: the fork failed */
	int pidfd;        /* owned by the receiver; -1 */
	int status;       /* ZYGOTE_EXITED: as waitpid gives it */
	char error[128];
};

/* Take one message.  Returns 1 and the news, 0 when there is none now, -EPIPE when the zygote is
 * gone, -EPROTO when it does not speak our protocol. */
int zygote_hear(int fd, struct zygote_news *ret_news) MUST_USE;

/* Kill it, and with it (they are told so) every worker; reap it.  Blocks: briefly. */
void zygote_stop(int fd, pid_t pid);

#endif
