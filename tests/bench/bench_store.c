/* What the store costs by itself, without a mount and hooks: events put, then finished with one
 * execution each.
 *
 *	bench_store EVENTS DIRECTORY          in a state of its own, which is removed
 *	bench_store --keep EVENTS STATE       fills that state, for a master to start with
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
#define LIMIT_MS  (3600 * 1000)

static const char payload[] =
	"{\"client\":3,\"n\":123456}"; /* what commit_floor and loadgen have too */

struct bench {
	uv_loop_t loop;
	uv_timer_t alive;
	struct store *store;
	uint64_t count, sent, answered;
	struct event *batch[BATCH];
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
	for (size_t i = 0; i < n; i++)
		b->batch[i] = make_event(b->sent + i + 1);
	store_append(b->store, b->batch, n, NULL, on_done, b);
}

static struct execution *
make_execution(uint64_t seq)
{
	struct execution *ex = NEW(struct execution);

	ex->seq = seq;
	ex->hook_id = 1;
	ex->version = 1;
	ex->status = EXEC_SUCCESS;
	ex->attempts = 1;
	ex->started_ns = clock_real_ns();
	ex->duration_ns = 123456;
	return ex;
}

static void
finish_batch(struct bench *b, size_t n)
{
	struct execution_list list = STAILQ_HEAD_INITIALIZER(list);

	for (size_t i = 0; i < n; i++) {
		struct execution *ex = make_execution(b->sent + i + 1);
		struct event *ev = NEW(struct event);

		STAILQ_INSERT_TAIL(&list, ex, link);
		ev->refs = 1;
		ev->seq = ex->seq;
		ev->status = EVENT_COMPLETED;
		ev->processed_ns = ex->started_ns;
		b->batch[i] = ev;
	}
	store_finish(b->store, &list, b->batch, n, on_done, b);
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
			for (size_t i = 0; i < n; i++)
				event_unref(b->batch[i]); /* the store has its own */
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
bench_store(const char *state, uint64_t count)
{
	struct bench b = {.count = count};
	struct store_figures figures;
	struct err err;

	if (uv_loop_init(&b.loop) != 0 || uv_timer_init(&b.loop, &b.alive) != 0 ||
		uv_timer_start(&b.alive, (uv_timer_cb)abort, LIMIT_MS, 0) != 0)
		abort();
	if (store_open(&b.loop, &(struct store_options){.dir = state}, &b.store, &err) < 0)
		die("open", &err);
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
}

static int
in_own_state(uint64_t count, const char *parent)
{
	AUTO(free) char *dir = mem_printf("%s/bench_store.XXXXXX", parent);

	if (!mkdtemp(dir)) {
		perror(dir);
		return 1;
	}
	bench_store(dir, count);
	(void)fflush(stdout);
	return execlp("rm", "rm", "-rf", dir, (char *)NULL);
}

int
main(int argc, char **argv)
{
	bool keeps = argc == 4 && strcmp(argv[1], "--keep") == 0;
	uint64_t count = keeps || argc == 3 ? strtoull(argv[argc - 2], NULL, 10) : 0;

	if (!count) {
		(void)fputs("bench_store [--keep] EVENTS DIRECTORY\n", stderr);
		return 2;
	}
	if (!keeps)
		return in_own_state(count, argv[2]);
	bench_store(argv[3], count);
	return 0;
}
