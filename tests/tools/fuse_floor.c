/* The machine's floor for a FUSE file system: one file, /events/emit, that takes every write and
 *does nothing; /events/status gives a constant.  One thread, low-level API, direct_io: what any
 *daemon of this kind pays before it does its work.
 *
 *	fuse_floor DIR        in the foreground, until SIGTERM
 */
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>

enum { INO_ROOT = FUSE_ROOT_ID, INO_EVENTS, INO_EMIT, INO_STATUS };

static const char status_text[] = "completed\n";

static int
stat_of(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_nlink = 1;
	st->st_mode = ino == INO_EMIT ? S_IFREG | 0660 : S_IFDIR | 0755;
	if (ino == INO_STATUS) {
		st->st_mode = S_IFREG | 0444;
		st->st_size = sizeof(status_text) - 1;
	}
	return ino >= INO_ROOT && ino <= INO_STATUS ? 0 : ENOENT;
}

static void
do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {0};

	if (parent == INO_ROOT && strcmp(name, "events") == 0)
		e.ino = INO_EVENTS;
	else if (parent == INO_EVENTS && strcmp(name, "emit") == 0)
		e.ino = INO_EMIT;
	else if (parent == INO_EVENTS && strcmp(name, "status") == 0)
		e.ino = INO_STATUS;
	if (!e.ino) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	(void)stat_of(e.ino, &e.attr); /* known above */
	fuse_reply_entry(req, &e);
}

static void
do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	if (stat_of(ino, &st) == 0)
		fuse_reply_attr(req, &st, 0);
	else
		fuse_reply_err(req, ENOENT);
}

static void
do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void
do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (ino != INO_STATUS || off >= (off_t)sizeof(status_text) - 1 || size == 0)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, status_text + off, sizeof(status_text) - 1 - (size_t)off);
}

static void
do_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)off;
	(void)fi;
	fuse_reply_write(req, size);
}

static void
do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void
do_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set, struct fuse_file_info *fi)
{
	(void)attr;
	(void)set;
	do_getattr(req, ino, fi);
}

int
main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops ops = {
		.lookup = do_lookup,
		.getattr = do_getattr,
		.setattr = do_setattr,
		.open = do_open,
		.read = do_read,
		.write = do_write,
		.flush = do_flush,
		.release = do_flush,
	};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *se;
	int code = 1;

	if (argc != 2) {
		fputs("fuse_floor DIR\n", stderr);
		return 2;
	}
	se = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (se && fuse_set_signal_handlers(se) == 0 && fuse_session_mount(se, argv[1]) == 0) {
		code = fuse_session_loop(se) < 0;
		fuse_session_unmount(se);
	}
	if (se)
		fuse_session_destroy(se);
	fuse_opt_free_args(&args);
	return code;
}
