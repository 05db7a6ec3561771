/* What the store costs by itself, without a mount and hooks: events put, then finished with one
 * execution each.
 *
 *	bench_store EVENTS DIRECTORY
 *
 * Prints one JSON object.  The lane's cost is the CPU time of the process without that of the main
 * thread.  The floor for it is tests/tools/commit_floor.c. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH     512 /* events of one call */
#define IN_FLIGHT 8   /* calls without an answer */

static const char payload[] =
	"{\"client\":3,\"n\":123456}"; /* what commit_floor and loadgen have too */

struct bench {
	uv_loop_t loop;
	uv_timer_t alive;
	struct store *store;
	uint64_t count, sent, answered;
	struct event **events;
	int64_t from_ns, from_cpu_ns;
};

static int64_t
cpu_ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts); /* these clocks always exist */
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t
others_cpu_ns(void)
{
	return cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void
die(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "bench_store: %s: %s\n", what, err->msg);
	exit(1);
}

/* ---- the store ------------------------------------------------------------------------------ */

static struct event *
make_event(uint64_t seq)
{
	struct event *ev = NEW(struct event);

	ev->refs = 1;
	ev->seq = seq;
	ev->salt = (uint32_t)(seq * 2654435761u);
	ev->created_ns = ev->timestamp_ns = clock_real_ns();
	ev->sender = mem_strdup("uid:1000");
	ev->type = mem_strdup("task.failed");
	ev->stack = mem_strdup("");
	ev->data = mem_strdup(payload);
	ev->data_len = sizeof(payload) - 1;
	return ev;
}

static void
on_done(void *arg, int code, const struct err *err)
{
	struct bench *b = arg;

	if (code < 0)
		die("write", err);
	b->answered++;
}

static void
append_batch(struct bench *b, size_t n)
{
	store_append(b->store, b->events + b->sent, n, NULL, on_done, b);
}

static void
finish_batch(struct bench *b, size_t n)
{
	struct execution_list list = STAILQ_HEAD_INITIALIZER(list);

	for (size_t i = 0; i < n; i++) {
		struct event *ev = b->events[b->sent + i];
		struct execution *ex = NEW(struct execution);

		ex->seq = ev->seq;
		ex->hook_id = 1;
		ex->version = 1;
		ex->status = EXEC_SUCCESS;
		ex->attempts = 1;
		ex->started_ns = clock_real_ns();
		ex->duration_ns = 123456;
		STAILQ_INSERT_TAIL(&list, ex, link);
		ev->status = EVENT_COMPLETED;
		ev->processed_ns = ex->started_ns;
	}
	store_finish(b->store, &list, b->events + b->sent, n, on_done, b);
}

/* Prints two members of the JSON object. */
static void
run_phase(struct bench *b, const char *name, void (*send)(struct bench *, size_t))
{
	int64_t from_ns = clock_mono_ns(), from_cpu_ns = others_cpu_ns();
	uint64_t calls = 0;

	b->sent = b->answered = 0;
	while (b->sent < b->count || b->answered < calls) {
		while (b->sent < b->count && calls - b->answered < IN_FLIGHT) {
			size_t n = b->count - b->sent < BATCH ? b->count - b->sent : BATCH;

			send(b, n);
			b->sent += n;
			calls++;
		}
		uv_run(&b->loop, UV_RUN_ONCE);
	}
	(void)printf("\"%s_per_second\":%.0f,\"%s_cpu_us\":%.2f,", name,
		(double)b->count * NS_PER_S / (double)(clock_mono_ns() - from_ns), name,
		(double)(others_cpu_ns() - from_cpu_ns) / (double)b->count / NS_PER_US);
}

static void
bench_store(const char *dir, uint64_t count)
{
	AUTO(free) char *state = mem_printf("%s/state", dir);
	struct bench b = {.count = count, .events = NEW_N(struct event *, count)};
	struct store_figures figures;
	struct err err;

	if (uv_loop_init(&b.loop) != 0 || uv_timer_init(&b.loop, &b.alive) != 0 ||
		uv_timer_start(&b.alive, (uv_timer_cb)abort, 600000, 0) != 0)
		abort();
	if (store_open(&b.loop, &(struct store_options){.dir = state}, &b.store, &err) < 0)
		die("open", &err);
	for (uint64_t i = 0; i < count; i++)
		b.events[i] = make_event(i + 1);
	(void)printf("{");
	run_phase(&b, "append", append_batch);
	run_phase(&b, "finish", finish_batch);
	store_figures(b.store, &figures);
	(void)printf("\"bytes_per_event\":%.0f}\n", (double)figures.db_bytes / (double)count);
	store_close(b.store);
	uv_close((uv_handle_t *)&b.alive, NULL);
	while (uv_run(&b.loop, UV_RUN_DEFAULT))
		continue;
	(void)uv_loop_close(&b.loop); /* the process ends */
	for (uint64_t i = 0; i < count; i++)
		event_unref(b.events[i]);
	free(b.events);
}

int
main(int argc, char **argv)
{
	uint64_t count = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
	AUTO(free) char *dir = mem_printf("%s/bench_store.XXXXXX", argc == 3 ? argv[2] : "");

	if (!count) {
		(void)fputs("bench_store EVENTS DIRECTORY\n", stderr);
		return 2;
	}
	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	bench_store(dir, count);
	(void)fflush(stdout);
	return execlp("rm", "rm", "-rf", dir, (char *)NULL);
}
