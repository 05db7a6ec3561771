/* events/log: see event_log.h; the schema of its lines is in event_json.h.
 *
 * Lines follow the commit, so a crash can leave final events without one.  The log is repaired
 * after such a start: events that became final about when the last line was written, or later, are
 * looked for among the last lines and written when missing.  Which events to ask the store for is
 * bounded by the oldest one that was unfinished at that time; each line carries its creation time
 * in `open_since`, so the search never goes further back than the work that was under way.
 */
#include "fsd/events/event_log.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/events/dispatcher.h"
#include "fsd/events/event_json.h"
#include "fsd/events/room.h"
#include "fsd/tree/log_file.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL_BYTES (4 * 1024 * 1024) /* of the log looked at after a crash */
#define SLACK_NS   (10 * NS_PER_S)   /* commits and clocks are not that exact */
#define PAGE       256
#define LINE_BYTES 768 /* of most lines, without the data */

/* A line of the log's tail. */
struct seen {
	uint64_t seq;
	UT_hash_handle hh;
};

struct event_log {
	struct events *events;
	struct log_file *file;
	char *dir; /* full segments */
	/* repair */
	struct seen *seen;
	int64_t last_ns;    /* processed_at of the last line; 0: no line */
	int64_t since_ns;   /* its open_since */
	int64_t started_ns; /* this life's: what ends later is logged as it ends */
	uint64_t cursor;
	struct event_list missing;
};

/* ---- writing --------------------------------------------------------------------------------- */

/* Creation time of the oldest unfinished event, or the event's own. */
static int64_t
open_since_ns(const struct event_log *log, const struct event *ev)
{
	struct dispatcher_figures figures = {0};

	if (log->events->dispatcher)
		dispatcher_figures(log->events->dispatcher, &figures);
	if (figures.oldest_ns && (int64_t)figures.oldest_ns < ev->created_ns)
		return (int64_t)figures.oldest_ns;
	return ev->created_ns;
}

void
event_log_append(
	struct event_log *log, const struct event *ev, const struct execution_list *executions)
{
	AUTO(sbuf) struct sbuf line = {0};
	char since[CLOCK_TEXT_MAX];

	(void)sbuf_room(&line, LINE_BYTES + ev->data_len); /* once, instead of growing to it */
	event_json(&line,
		&(struct event_json){.ev = ev, .status = ev->status, .executions = executions});
	clock_format(open_since_ns(log, ev), since);
	line.len--; /* the closing bracket */
	sbuf_adds(&line, ",\"open_since\":\"");
	sbuf_adds(&line, since);
	sbuf_adds(&line, "\"}");
	log_file_append(log->file, line.data, line.len);
}

static void
on_grew(void *arg)
{
	struct event_log *log = arg;

	if (log->events->tree)
		tree_changed(log->events->tree, "/events/log");
}

/* ---- what the last life wrote ---------------------------------------------------------------- */

static int64_t
time_member(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));
	int64_t ns;

	return text && clock_parse(text, &ns, NULL) == 0 ? ns : 0;
}

static void
see_line(struct event_log *log, const char *text, size_t len)
{
	json_t *line = json_loadb(text, len, 0, NULL);
	int64_t processed_ns = time_member(line, "processed_at");
	struct seen *seen;

	if (processed_ns) {
		log->last_ns = processed_ns;
		log->since_ns = time_member(line, "open_since");
		seen = NEW(struct seen);
		seen->seq = (uint64_t)json_integer_value(json_object_get(line, "seq"));
		HASH_ADD(hh, log->seen, seq, sizeof(seen->seq), seen);
	}
	json_decref(line);
}

/* Look at the last lines of a file. */
static void
see_tail(struct event_log *log, const char *path)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(sbuf) struct sbuf text = {0};
	char *line, *rest;
	struct stat st;
	ssize_t got;
	off_t start;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	start = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
	got = pread(fd, sbuf_room(&text, TAIL_BYTES), TAIL_BYTES, start);
	if (got <= 0)
		return;
	text.len = (size_t)got;
	text.data[text.len] = '\0';
	rest = text.data;
	if (start > 0)
		(void)strsep(&rest, "\n"); /* the rest of a line */
	while ((line = strsep(&rest, "\n")))
		if (line[0])
			see_line(log, line, strlen(line));
}

/* The newest full segment goes on where the log begins. */
static void
see_newest_segment(struct event_log *log)
{
	AUTO(free) char *path = NULL;
	unsigned long newest = 0, n;
	DIR *dir = opendir(log->dir);
	struct dirent *entry;
	char *end;

	while (dir && (entry = readdir(dir))) {
		n = strtoul(entry->d_name, &end, 10);
		if (strcmp(end, ".jsonl") == 0 && n > newest)
			newest = n;
	}
	if (dir)
		(void)closedir(dir); /* read only */
	if (newest == 0)
		return;
	path = mem_printf("%s/%lu.jsonl", log->dir, newest);
	see_tail(log, path);
}

/* ---- repair ---------------------------------------------------------------------------------- */

static void
repair_end(struct event_log *log)
{
	struct seen *seen, *next;
	struct event *ev;

	HASH_ITER (hh, log->seen, seen, next) {
		HASH_DEL(log->seen, seen);
		free(seen);
	}
	while ((ev = STAILQ_FIRST(&log->missing))) {
		STAILQ_REMOVE_HEAD(&log->missing, link);
		event_unref(ev);
	}
}

static void repair_next(struct event_log *log);

static void
on_missing(void *arg, int code, struct event *ev, struct execution_list *executions)
{
	struct event_log *log = arg;

	if (code == 0)
		event_log_append(log, ev, executions);
	event_unref(ev);
	repair_next(log);
}

static void
repair_next(struct event_log *log)
{
	struct event *ev = STAILQ_FIRST(&log->missing);

	if (!ev) {
		repair_end(log);
		return;
	}
	STAILQ_REMOVE_HEAD(&log->missing, link);
	store_get_event(log->events->store, ev->seq, on_missing, log);
	event_unref(ev);
}

static bool
is_missing(const struct event_log *log, const struct event *ev)
{
	struct seen *seen;

	HASH_FIND(hh, log->seen, &ev->seq, sizeof(ev->seq), seen);
	return !seen && ev->status >= EVENT_COMPLETED &&
	       ev->processed_ns >= log->last_ns - SLACK_NS && ev->processed_ns < log->started_ns;
}

static void repair_ask(struct event_log *log);

static void
on_page(void *arg, int code, struct event_list *page)
{
	struct event_log *log = arg;
	bool is_empty = STAILQ_EMPTY(page);
	struct event *ev;

	while ((ev = STAILQ_FIRST(page))) {
		STAILQ_REMOVE_HEAD(page, link);
		log->cursor = ev->seq;
		if (is_missing(log, ev))
			STAILQ_INSERT_TAIL(&log->missing, ev, link);
		else
			event_unref(ev);
	}
	if (code == 0 && !is_empty)
		repair_ask(log);
	else
		repair_next(log);
}

static void
repair_ask(struct event_log *log)
{
	struct event_query query = {.after_seq = log->cursor,
		.status = -1,
		.since_ns = log->since_ns,
		.limit = PAGE,
		.without_data = true};

	store_query_events(log->events->store, &query, on_page, log);
}

static void
repair_begin(struct event_log *log, const char *path)
{
	see_newest_segment(log);
	see_tail(log, path);
	if (log->last_ns == 0) {
		repair_end(log);
		return;
	}
	repair_ask(log);
}

/* ---- life ------------------------------------------------------------------------------------ */

int
event_log_open(struct events *events, const struct events_options *opt, struct event_log **ret_log,
	struct err *err)
{
	struct event_log *log = NEW(struct event_log);
	struct log_options options = {.path = opt->log_path,
		.segments_dir = opt->log_dir,
		.max_bytes = opt->log_max_bytes,
		.grew = on_grew,
		.arg = log};
	int code;

	log->events = events;
	log->dir = mem_strdup(opt->log_dir);
	log->started_ns = clock_real_ns();
	STAILQ_INIT(&log->missing);
	code = log_file_open(opt->files, &options, &log->file, err);
	if (code < 0) {
		event_log_close(log);
		return code;
	}
	if (store_was_crashed(events->store))
		repair_begin(log, opt->log_path);
	*ret_log = log;
	return 0;
}

void
event_log_close(struct event_log *log)
{
	if (!log)
		return;
	repair_end(log);
	log_file_close(log->file);
	free(log->dir);
	free(log);
}

struct log_file *
event_log_file(struct event_log *log)
{
	return log->file;
}

/* ---- the nodes ------------------------------------------------------------------------------- */

int
events_log_open(struct node *node, struct log_reader **ret_reader, struct err *err)
{
	struct events *events = node_room(node);

	(void)err;
	*ret_reader = log_file_reader(events->log->file);
	return 0;
}

static bool
is_segment(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits > 0 && digits < 12 && strcmp(name + digits, ".jsonl") == 0;
}

static int
segment_open(const struct events *events, const char *name, struct log_reader **ret_reader,
	struct err *err)
{
	AUTO(free) char *path = mem_printf("%s/%s", events->log->dir, name);

	return log_reader_open(path, ret_reader, err);
}

int
events_segment_open(struct node *node, struct log_reader **ret_reader, struct err *err)
{
	return segment_open(node_room(node), node_name(node), ret_reader, err);
}

static int
segments_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	struct log_reader *reader;
	int code;

	(void)req, (void)ret_obj, (void)ret_ino;
	if (!is_segment(name))
		return -ENOENT;
	code = segment_open(node_room(parent), name, &reader, err);
	if (code == 0)
		log_reader_unref(reader);
	return code;
}

/* A few names, in the order of the directory: the cookie counts them. */
static int
segments_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	struct events *events = node_room(parent);
	DIR *dir = opendir(events->log->dir);
	bool wants_more = true;
	struct dirent *e;
	uint64_t at = 0;

	(void)req;
	if (!dir)
		return errno == ENOENT
			       ? 0
			       : err_set(err, errno, "'%s' cannot be read", events->log->dir);
	while (wants_more && (e = readdir(dir)))
		if (is_segment(e->d_name) && ++at > cookie)
			wants_more = entry(arg, e->d_name, 0, at);
	(void)closedir(dir); /* read only */
	return 0;
}

const struct node_set event_segments_set = {.lookup = segments_lookup, .list = segments_list};
