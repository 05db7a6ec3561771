/* inotify for the source directories: see watch.h.
 *
 * Events only say where to look; source_look compares what is there with what is known.  So lost
 * events (a full queue) cost a rescan, our own operations show no difference, and the order of
 * events does not matter.  Only a move is taken as it comes, because its two names belong together:
 * its halves follow each other with the same cookie.
 *
 * A descriptor of a directory is watched through /proc/self/fd, so what is watched is what was
 * opened inside the source and not what a path may lead to meanwhile.
 */
#include "fsd/tree/watch.h"

#include "base/auto.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/tree/node.h"
#include "fsd/tree/source_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#define WATCH_MASK                                                                                 \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR |       \
		IN_EXCL_UNLINK)

/* One watched directory. */
struct watched {
	int wd;
	struct source *source;
	char *rel;
	UT_hash_handle hh;
};

struct watch {
	uv_loop_t *loop;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned open_handles; /* of the loop's, while closing */
	struct watched *dirs;  /* hash by wd */
	TAILQ_HEAD(source_list, source) sources;
	/* the first half of a move, until the next event */
	uint32_t move_cookie;
	struct source *move_source;
	char *move_from;
};

/* ---- directories ---------------------------------------------------------------------------- */

static void
watched_free(struct watch *watch, struct watched *dir)
{
	HASH_DEL(watch->dirs, dir);
	free(dir->rel);
	free(dir);
}

int
watch_add_dir(struct watch *watch, struct source *source, const char *rel)
{
	AUTO(fd) int fd = source_openat(source, rel, O_PATH | O_DIRECTORY);
	AUTO(free) char *path = mem_printf("/proc/self/fd/%d", fd);
	struct watched *dir;
	int wd;

	if (fd < 0)
		return fd;
	wd = inotify_add_watch(watch->fd, path, WATCH_MASK);
	if (wd < 0)
		return -errno;
	HASH_FIND_INT(watch->dirs, &wd, dir);
	if (!dir) {
		dir = NEW(struct watched);
		dir->wd = wd;
		HASH_ADD_INT(watch->dirs, wd, dir);
	}
	free(dir->rel);
	dir->rel = mem_strdup(rel);
	dir->source = source;
	return 0;
}

void
watch_remove_source(struct watch *watch, struct source *source)
{
	struct watched *dir, *next;

	HASH_ITER (hh, watch->dirs, dir, next) {
		if (dir->source != source)
			continue;
		(void)inotify_rm_watch(watch->fd, dir->wd); /* gone already with its directory */
		watched_free(watch, dir);
	}
	if (watch->move_source == source)
		watch->move_source = NULL;
	TAILQ_REMOVE(&watch->sources, source, link);
}

/* ---- events --------------------------------------------------------------------------------- */

/* The second half of a move did not come: the name went elsewhere. */
static void
end_move(struct watch *watch)
{
	struct source *source = watch->move_source;
	AUTO(free) char *from = TAKE(watch->move_from);

	watch->move_source = NULL;
	if (source)
		source_look(source, from);
}

static void
take_file_event(struct watch *watch, struct source *source, const struct inotify_event *event,
	const char *rel)
{
	if ((event->mask & IN_MOVED_TO) && watch->move_source == source &&
		watch->move_cookie == event->cookie) {
		AUTO(free) char *from = TAKE(watch->move_from);

		watch->move_source = NULL;
		source_look_moved(source, from, rel);
		return;
	}
	end_move(watch);
	if (event->mask & IN_MOVED_FROM) {
		watch->move_cookie = event->cookie;
		watch->move_source = source;
		watch->move_from = mem_strdup(rel);
	} else if (!(event->mask & IN_CREATE)) { /* a new file is told when it is closed */
		source_look(source, rel);
	}
}

static void
take_dir_event(struct watch *watch, struct source *source, const struct inotify_event *event,
	const char *rel)
{
	end_move(watch);
	if (event->mask & IN_CREATE)
		source_look_dir(source, rel);
	else if (event->mask & (IN_MOVED_FROM | IN_MOVED_TO)) /* all names in it changed */
		source_rescan(source);
}

static void
take_event(struct watch *watch, const struct inotify_event *event)
{
	AUTO(sbuf) struct sbuf rel = {0};
	struct watched *dir;
	struct source *source;

	if (event->mask & IN_Q_OVERFLOW) {
		TAILQ_FOREACH (source, &watch->sources, link)
			source_rescan(source);
		return;
	}
	HASH_FIND_INT(watch->dirs, &event->wd, dir);
	if (!dir)
		return;
	if (event->mask & IN_IGNORED) { /* the directory is gone */
		watched_free(watch, dir);
		return;
	}
	if (event->len == 0)
		return;
	sbuf_printf(&rel, "%s%s%s", dir->rel, *dir->rel ? "/" : "", event->name);
	if (event->mask & IN_ISDIR)
		take_dir_event(watch, dir->source, event, sbuf_str(&rel));
	else
		take_file_event(watch, dir->source, event, sbuf_str(&rel));
}

static void
on_events(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	_Alignas(struct inotify_event) char buffer[16 * 1024];
	ssize_t n;

	(void)status, (void)events;
	while ((n = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		const char *at = buffer;

		while (at < buffer + n) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			at += sizeof(*event) + event->len;
			take_event(watch, event);
		}
	}
	end_move(watch);
}

/* ---- the timer ------------------------------------------------------------------------------ */

static void
on_timer(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	struct source *source, *next;
	uint64_t least = 0;

	for (source = TAILQ_FIRST(&watch->sources); source; source = next) {
		uint64_t ms;

		next = TAILQ_NEXT(source, link); /* an owner may close its source */
		ms = source_tick(source, watch_now_ms(watch));
		if (ms > 0 && (least == 0 || ms < least))
			least = ms;
	}
	if (least > 0)
		watch_arm(watch, least);
}

void
watch_arm(struct watch *watch, uint64_t ms)
{
	if (!uv_is_active((uv_handle_t *)&watch->timer))
		(void)uv_timer_start(&watch->timer, on_timer, ms, 0); /* fails only when closing */
}

uint64_t
watch_now_ms(const struct watch *watch)
{
	return uv_now(watch->loop);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int
watch_new(struct tree *tree, struct err *err)
{
	struct watch *watch;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno,
			"cannot watch directories: %s; see fs.inotify.max_user_instances",
			strerror(errno));
	watch = NEW(struct watch);
	watch->loop = tree->loop;
	watch->fd = fd;
	TAILQ_INIT(&watch->sources);
	(void)uv_timer_init(tree->loop, &watch->timer); /* cannot fail */
	watch->timer.data = watch;
	if (uv_poll_init(tree->loop, &watch->poll, fd) < 0 ||
		uv_poll_start(&watch->poll, UV_READABLE, on_events) < 0)
		abort(); /* a descriptor the loop cannot poll: not inotify */
	watch->poll.data = watch;
	uv_unref((uv_handle_t *)&watch->poll);
	tree->watch = watch;
	return 0;
}

int
watch_add_source(struct tree *tree, struct source *source, struct err *err)
{
	int code = tree->watch ? 0 : watch_new(tree, err);

	if (code == 0)
		TAILQ_INSERT_TAIL(&tree->watch->sources, source, link);
	return code;
}

static void
on_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;

	if (--watch->open_handles > 0)
		return;
	(void)close(watch->fd); /* nothing is written to it */
	free(watch->move_from);
	free(watch);
}

void
watch_free(struct watch *watch)
{
	struct watched *dir, *next;

	if (!watch)
		return;
	HASH_ITER (hh, watch->dirs, dir, next)
		watched_free(watch, dir);
	watch->open_handles = 2;
	uv_close((uv_handle_t *)&watch->poll, on_closed);
	uv_close((uv_handle_t *)&watch->timer, on_closed);
}
