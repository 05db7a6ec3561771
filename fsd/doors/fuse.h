/* The FUSE door: the tree as a mounted file system.  One session of libfuse's low-level interface
 * on the core loop; every request becomes a struct treq and is answered exactly once.  Beside it
 * two threads: one talks back to the kernel, one makes calls through the mount, for inotify.
 * Thread: core.
 */
#ifndef SLOTH_DOORS_FUSE_H
#define SLOTH_DOORS_FUSE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct fuse_door;
struct tree;
struct watchdog;

struct fuse_options {
	uv_loop_t *loop;
	struct tree *tree;
	struct watchdog *watchdog; /* may be NULL */
	struct lane *through;      /* for calls through the mount, started apart (lane.h) */
	const char *mount;         /* made when missing */
	size_t names_max;          /* that the kernel may remember; 0: 32,768 */
	bool allow_other;          /* root's mounts always are for all */
	void (*ready)(void *arg);  /* the kernel and we agreed: the mount answers */
	void (*ended)(void *arg);  /* unmounted from outside; fuse_door_close is still due */
	void *arg;
};

/* Mount.  A dead mount of ours on the path is detached first, a live one refused.  Takes:
 * opt->through, on success.  Blocks: briefly. Returns owned, or -EBUSY (mounted already), -errno
 * with a sentence. */
int fuse_door_open(
	const struct fuse_options *opt, struct fuse_door **ret_door, struct err *err) MUST_USE;

/* Serve the session on a descriptor that speaks the kernel's protocol (tests: one end of a
 * SOCK_SEQPACKET pair).  Takes: fd. */
int fuse_door_attach(const struct fuse_options *opt, int fd, struct fuse_door **ret_door,
	struct err *err) MUST_USE;

/* Answer what is parked (EINTR), unmount, free.  closed is called when all is gone, 2 s later at
 * most, whatever readers do.  Takes: door.  Blocks: briefly. */
void fuse_door_close(struct fuse_door *door, void (*closed)(void *arg), void *arg);

struct fuse_figures {
	uint64_t requests, replies; /* since the start; equal when nothing is parked */
	size_t parked;
	size_t nodes;          /* the kernel knows, not forgotten yet */
	uint64_t told, untold; /* notifications given to the kernel, and dropped by a bound */
};
void fuse_door_figures(const struct fuse_door *door, struct fuse_figures *ret_figures);

#endif
