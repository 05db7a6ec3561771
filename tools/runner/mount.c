/* The mount: see mount.h.
 *
 * The table below holds every path the command uses, written as mount-layout/ writes them: ~ marks
 * those that exist below a stack too, * is the name.  When a write is refused the errno says
 * little, so the reason is looked up in the tree's own `errors`, among the lines that came after
 * the write began.
 */
#include "tools/runner/mount.h"

#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "tools/runner/print.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_CHUNK_BYTES 65536
#define REASON_WAIT_MS   100
#define REASON_LOOKS     20
#define NAME_BYTES_MAX   200 /* leaves room for .lua and a temporary name */

static const char *const paths[] = {
	[PLACE_STATUS] = "/status",
	[PLACE_STATUS_JSON] = "/status.json",
	[PLACE_EMIT] = "/events/emit",
	[PLACE_STREAM] = "/events/stream",
	[PLACE_EVENTS] = "/events",
	[PLACE_EVENTS_CLEANUP] = "/events/cleanup",
	[PLACE_EVENTS_QUERY] = "/events/query",
	[PLACE_EVENTS_REPLAY] = "/events/replay",
	[PLACE_EVENT_TYPES] = "/events/types",
	[PLACE_EVENT] = "/events/*",
	[PLACE_EVENT_JSON] = "/events/*/event.json",
	[PLACE_EVENT_WAIT] = "/events/*/wait",
	[PLACE_EVENT_HOOKS] = "/events/*/hooks",
	[PLACE_EVENT_WHY] = "/events/*/why",
	[PLACE_EVENT_REPLAY] = "/events/*/replay",
	[PLACE_STACKS] = "/stacks",
	[PLACE_STACK] = "/stacks/*",
	[PLACE_HOOKS] = "~/hooks",
	[PLACE_HOOK_FILE] = "~/hooks/*.lua",
	[PLACE_HOOK_LIST] = "~/ctl/hooks.jsonl",
	[PLACE_HOOK] = "~/ctl/hooks/*",
	[PLACE_HOOK_STATUS] = "~/ctl/hooks/*/status",
	[PLACE_HOOK_ENABLED] = "~/ctl/hooks/*/enabled",
	[PLACE_HOOK_EVENT] = "~/ctl/hooks/*/event",
	[PLACE_HOOK_DESCRIPTION] = "~/ctl/hooks/*/description",
	[PLACE_HOOK_PRIORITY] = "~/ctl/hooks/*/priority",
	[PLACE_HOOK_OVERRIDES] = "~/ctl/hooks/*/overrides",
	[PLACE_HOOK_LOG] = "~/ctl/hooks/*/log",
	[PLACE_HOOK_TEST] = "~/ctl/hooks/*/test",
	[PLACE_TEMPLATES] = "/templates/hooks",
	[PLACE_TEMPLATE] = "/templates/hooks/*.lua",
};
#define ERRORS_PATH "/errors"

/* Directories of events/ that are no events. */
static const char *const not_events[] = {"by-status", "by-type", "queue", "log.d"};

void
mount_fini(struct mount *mount)
{
	free(mount->root);
	*mount = (struct mount){0};
}

char *
mount_path(const struct mount *mount, enum place place, const char *stack, const char *name)
{
	struct sbuf path = {0};

	sbuf_adds(&path, mount->root);
	for (const char *p = paths[place]; *p; p++) {
		if (*p == '~') {
			if (stack && *stack)
				sbuf_printf(&path, "/stacks/%s", stack);
		} else if (*p == '*') {
			assert(name);
			sbuf_adds(&path, name);
		} else {
			sbuf_addc(&path, *p);
		}
	}
	return sbuf_take(&path);
}

int
mount_check_name(const char *what, const char *name, struct err *err)
{
	bool is_bad = !*name || *name == '.' || strchr(name, '/') || strlen(name) > NAME_BYTES_MAX;

	for (const char *p = name; *p; p++)
		is_bad |= (unsigned char)*p < ' ' || *p == 0x7f;
	if (!is_bad)
		return 0;
	return err_set(err, EINVAL,
		"'%s' cannot be the name of %s: no '/', no leading '.', at most %d bytes", name,
		what, NAME_BYTES_MAX);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void
trace(const struct mount *mount, const char *verb, const char *path)
{
	if (mount->is_traced)
		(void)fprintf(stderr, "debug: %s %s\n", verb, path);
}

static int
fail(const char *verb, const char *path, int code, struct err *err)
{
	if (code == ENOTCONN || code == ECONNABORTED)
		return err_set(err, EHOSTDOWN,
			"cannot %s '%s': the master is gone; start one: sloth-runner master start",
			verb, path);
	return err_set(err, code, "cannot %s '%s': %s", verb, path, strerror(code));
}

/* How long `errors` is now, so that later lines can be told from older ones. */
static off_t
errors_length(const struct mount *mount)
{
	AUTO(free) char *path = mem_printf("%s" ERRORS_PATH, mount->root);
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_size;
}

/* The reason in the lines of `errors` past `from` that are about path, into err.  Returns whether
 * there is one. */
static bool
find_reason(
	const struct mount *mount, const char *verb, const char *path, off_t from, struct err *err)
{
	AUTO(free) char *errors = mem_printf("%s" ERRORS_PATH, mount->root);
	AUTO(free) char *line = NULL;
	size_t size = 0;
	FILE *file = fopen(errors, "re");
	bool is_found = false;

	if (!file)
		return true; /* nothing to wait for */
	if (!fseeko(file, from, SEEK_SET)) {
		while (getline(&line, &size, file) > 0) {
			json_t *json = json_loads(line, 0, NULL);

			if (!strcmp(json_text(json, "path"), path + strlen(mount->root))) {
				err_set(err, err->code, "cannot %s '%s': %s", verb, path,
					json_text(json, "reason"));
				is_found = true;
			}
			json_decref(json);
		}
	}
	(void)fclose(file); /* only read from */
	return is_found;
}

/* Like fail(), with the daemon's own words.  It writes them to `errors` at about the time it
 * answers, so they are looked for a moment longer. */
static int
fail_with_reason(const struct mount *mount, const char *verb, const char *path, int code,
	off_t from, struct err *err)
{
	const struct timespec pause = {.tv_nsec = REASON_WAIT_MS * 1000000L / REASON_LOOKS};
	int result = fail(verb, path, code, err);

	if (!err || result == -EHOSTDOWN)
		return result;
	for (int i = 0; i < REASON_LOOKS; i++) {
		if (find_reason(mount, verb, path, from, err))
			break;
		(void)nanosleep(&pause, NULL); /* an early end only looks sooner */
	}
	return result;
}

int
mount_read(const struct mount *mount, const char *path, struct sbuf *out, struct err *err)
{
	AUTO(fd) int fd = -1;
	int result;

	trace(mount, "read", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail("read", path, errno, err);
	result = file_read_fd(fd, SIZE_MAX, out);
	return result < 0 ? fail("read", path, -result, err) : 0;
}

/* Append up to the end of a line: a conversation stays open, so its end of file may never come. */
static int
read_line(int fd, struct sbuf *out)
{
	while (!out->len || out->data[out->len - 1] != '\n') {
		ssize_t n = read(fd, sbuf_room(out, READ_CHUNK_BYTES), READ_CHUNK_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		out->len += (size_t)n;
	}
	out->data[--out->len] = '\0';
	return 0;
}

static void
cut_newlines(struct sbuf *text)
{
	while (text->len && text->data[text->len - 1] == '\n')
		text->data[--text->len] = '\0';
}

int
mount_read_value(const struct mount *mount, const char *path, struct sbuf *out, struct err *err)
{
	int result = mount_read(mount, path, out, err);

	if (!result)
		cut_newlines(out);
	return result;
}

int
mount_write(
	const struct mount *mount, const char *path, const char *text, size_t len, struct err *err)
{
	off_t errors_from = errors_length(mount);
	int fd, result;

	trace(mount, "write", path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail("write", path, errno, err);
	result = file_write_fd(fd, text, len);
	if (close(fd) < 0 && !result)
		result = -errno;
	return result < 0 ? fail_with_reason(mount, "write", path, -result, errors_from, err) : 0;
}

int
mount_ask(const struct mount *mount, const char *path, const struct sbuf *request,
	struct sbuf *answer, struct err *err)
{
	AUTO(fd) int fd = -1;
	off_t errors_from = errors_length(mount);
	int result;

	trace(mount, "ask", path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail("open", path, errno, err);
	result = file_write_fd(fd, request->data, request->len);
	if (result < 0)
		return fail_with_reason(mount, "write", path, -result, errors_from, err);
	result = read_line(fd, answer);
	return result < 0 ? fail_with_reason(mount, "read", path, -result, errors_from, err) : 0;
}

int
mount_follow(const struct mount *mount, const char *path, const char *first_line, mount_line_fn *fn,
	void *arg, struct err *err)
{
	AUTO(free) char *line = NULL;
	off_t errors_from = errors_length(mount);
	size_t size = 0;
	int code, fd, result = 0;
	FILE *file;

	trace(mount, "follow", path);
	fd = open(path, (first_line ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return fail("open", path, errno, err);
	if (first_line)
		result = file_write_fd(fd, first_line, strlen(first_line));
	if (result < 0) {
		(void)close(fd); /* the error that brought us here is the one to tell */
		return fail_with_reason(mount, "write", path, -result, errors_from, err);
	}
	file = fdopen(fd, "r");
	if (!file)
		abort(); /* out of memory */
	while (!result && (errno = 0, getline(&line, &size, file)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		result = fn(arg, line, err);
	}
	code = ferror(file) ? errno : 0;
	(void)fclose(file); /* what was written is told by write() */
	return code ? fail("read", path, code, err) : result;
}

int
mount_install(
	const struct mount *mount, const char *path, const struct sbuf *content, struct err *err)
{
	AUTO(free) char *temporary = NULL;
	const char *name = strrchr(path, '/') + 1;
	off_t errors_from = errors_length(mount);
	int fd, result;

	temporary = mem_printf("%.*s.%s.%d.tmp", (int)(name - path), path, name, (int)getpid());
	trace(mount, "install", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return fail("create", temporary, errno, err);
	result = file_write_fd(fd, sbuf_str(content), content->len);
	if (close(fd) < 0 && !result)
		result = -errno;
	if (!result && rename(temporary, path) < 0)
		result = -errno;
	if (!result)
		return 0;
	(void)unlink(temporary); /* the error that brought us here is the one to tell */
	return fail_with_reason(mount, "write", path, -result, errors_from, err);
}

bool
mount_exists(const struct mount *mount, const char *path)
{
	struct stat st;

	trace(mount, "look for", path);
	return lstat(path, &st) == 0;
}

int
mount_unlink(const struct mount *mount, const char *path, struct err *err)
{
	trace(mount, "remove", path);
	return unlink(path) < 0 ? fail("remove", path, errno, err) : 0;
}

int
mount_rmdir(const struct mount *mount, const char *path, struct err *err)
{
	off_t errors_from = errors_length(mount);

	trace(mount, "remove", path);
	if (rmdir(path) < 0)
		return fail_with_reason(mount, "remove", path, errno, errors_from, err);
	return 0;
}

/* ---- directories ---------------------------------------------------------------------------- */

void
names_add(struct names *names, const char *name)
{
	if (!(names->count & (names->count + 1))) /* full at every power of two less one */
		names->list =
			mem_realloc(names->list, (2 * names->count + 2) * sizeof(*names->list));
	names->list[names->count++] = mem_strdup(name);
}

void
names_fini(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct names){0};
}

int
mount_list(const struct mount *mount, const char *path, unsigned char type, struct names *ret_names,
	struct err *err)
{
	AUTO(names) struct names names = {0};
	struct dirent *entry;
	DIR *dir;
	int code;

	trace(mount, "list", path);
	dir = opendir(path);
	if (!dir)
		return fail("list", path, errno, err);
	while ((errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.' && (!type || entry->d_type == type))
			names_add(&names, entry->d_name);
	code = errno;
	(void)closedir(dir); /* only read from */
	if (code)
		return fail("list", path, code, err);
	*ret_names = names;
	names = (struct names){0};
	return 0;
}

static bool
is_event_name(const char *name)
{
	for (size_t i = 0; i < sizeof(not_events) / sizeof(not_events[0]); i++)
		if (!strcmp(name, not_events[i]))
			return false;
	return true;
}

int
mount_events(const struct mount *mount, struct names *ret_names, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENTS, NULL, NULL);
	AUTO(names) struct names all = {0};
	struct names events = {0};
	int result = mount_list(mount, path, DT_DIR, &all, err);

	if (result < 0)
		return result;
	for (size_t i = 0; i < all.count; i++)
		if (is_event_name(all.list[i]))
			names_add(&events, all.list[i]);
	*ret_names = events;
	return 0;
}
