/* What the watchdog calls busy: work, not sleep, also when a signal interrupts it. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fsd/watchdog.h"
#include "tests/unit/suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rig {
	uv_loop_t loop;
	uv_timer_t timer;
	struct log *log;
	struct watchdog *watchdog;
	struct sbuf lines;
};

static void
on_line(void *arg, enum log_level level, const char *line, size_t len)
{
	struct rig *rig = arg;

	(void)level;
	sbuf_add(&rig->lines, line, len);
	sbuf_addc(&rig->lines, '\n');
}

static void
on_nothing(uv_timer_t *timer)
{
	(void)timer;
}

static void
run_timer(struct rig *rig, uv_timer_cb fn, uint64_t ms)
{
	(void)uv_timer_start(&rig->timer, fn, ms, 0); /* fn is not NULL */
	(void)uv_run(&rig->loop, UV_RUN_DEFAULT);
}

/* Runs a turn, so that the watchdog has something to measure from: a timer that is due when the
 * loop starts fires before its first preparation. */
static void
rig_start(struct rig *rig)
{
	*rig = (struct rig){0};
	ck_assert_int_eq(uv_loop_init(&rig->loop), 0);
	rig->log = log_new(LOG_LEVEL_INFO, on_line, rig);
	rig->watchdog = watchdog_start(&rig->loop, rig->log);
	(void)uv_timer_init(&rig->loop, &rig->timer); /* cannot fail */
	rig->timer.data = rig;
	run_timer(rig, on_nothing, 0);
}

static void
rig_stop(struct rig *rig)
{
	watchdog_stop(rig->watchdog);
	uv_close((uv_handle_t *)&rig->timer, NULL);
	(void)uv_run(&rig->loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&rig->loop), 0);
	log_free(rig->log);
	sbuf_fini(&rig->lines);
}

/* Use the processor for 20 ms of this thread's time. */
static void
work(void)
{
	struct timespec now, from;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	do
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	while ((now.tv_sec - from.tv_sec) * NS_PER_S + now.tv_nsec - from.tv_nsec < 20 * NS_PER_MS);
}

/* The next preparation counts the turn of this callback. */
static void
on_work(uv_timer_t *timer)
{
	work();
	(void)uv_timer_start(timer, on_nothing, 1, 0);
}

static void
on_slow_work(uv_timer_t *timer)
{
	struct rig *rig = timer->data;

	work();
	watchdog_slow(rig->watchdog, 20 * NS_PER_MS, "readdir", "/events");
	(void)uv_timer_start(timer, on_nothing, 1, 0);
}

static void
on_slow_wait(uv_timer_t *timer)
{
	struct rig *rig = timer->data;

	watchdog_slow(rig->watchdog, 20 * NS_PER_MS, "readdir", "/events");
}

static void
on_signal(int number)
{
	(void)number;
}

/* Interrupts the sleep of the loop's thread. */
static void *
interrupt(void *arg)
{
	const struct timespec pause = {.tv_nsec = 20 * NS_PER_MS};

	for (int i = 0; i < 5; i++) {
		(void)nanosleep(&pause, NULL);
		(void)pthread_kill(*(pthread_t *)arg, SIGUSR1);
	}
	return NULL;
}

START_TEST(sleep_is_not_work)
{
	pthread_t self = pthread_self(), other;
	struct rig rig;

	rig_start(&rig);
	(void)signal(SIGUSR1, on_signal);
	ck_assert_int_eq(pthread_create(&other, NULL, interrupt, &self), 0);
	run_timer(&rig, on_nothing, 200);
	(void)pthread_join(other, NULL);
	run_timer(&rig, on_nothing, 1); /* counts the turn before */
	ck_assert_str_eq(sbuf_str(&rig.lines), "");
	rig_stop(&rig);
}
END_TEST

/* How many turns were at most as long as the limit, in seconds. */
static unsigned long
counted(const struct sbuf *metrics, const char *limit)
{
	AUTO(free) char *bucket = mem_printf("_bucket{le=\"%s\"} ", limit);
	const char *at = strstr(metrics->data, bucket);

	ck_assert_ptr_nonnull(at);
	return strtoul(at + strlen(bucket), NULL, 10);
}

START_TEST(a_long_turn_is_told_and_counted)
{
	struct sbuf metrics = {0};
	struct rig rig;

	rig_start(&rig);
	run_timer(&rig, on_work, 1);
	ck_assert_ptr_nonnull(
		strstr(sbuf_str(&rig.lines), "a turn of the core loop kept the core"));
	watchdog_metrics(rig.watchdog, &metrics);
	ck_assert_uint_eq(counted(&metrics, "0.01") + 1, counted(&metrics, "+Inf"));
	sbuf_fini(&metrics);
	rig_stop(&rig);
}
END_TEST

START_TEST(a_slow_request_is_blamed_once)
{
	struct rig rig;

	rig_start(&rig);
	run_timer(&rig, on_slow_work, 1);
	ck_assert_ptr_nonnull(strstr(sbuf_str(&rig.lines), "readdir kept the core busy for 20 ms"));
	ck_assert_ptr_nonnull(strstr(rig.lines.data, "\"node\":\"/events\""));
	ck_assert_ptr_null(strstr(rig.lines.data, "a turn"));
	rig_stop(&rig);
}
END_TEST

START_TEST(a_request_that_waited_was_not_work)
{
	struct sbuf metrics = {0};
	struct rig rig;

	rig_start(&rig);
	run_timer(&rig, on_slow_wait, 1);
	ck_assert_ptr_nonnull(strstr(sbuf_str(&rig.lines), "readdir took 20 ms with less than "));
	watchdog_metrics(rig.watchdog, &metrics);
	ck_assert_ptr_nonnull(strstr(metrics.data, "sloth_loop_waits_total 1\n"));
	sbuf_fini(&metrics);
	rig_stop(&rig);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("watchdog");
	TCase *tc = tcase_create("watchdog");

	tcase_add_test(tc, sleep_is_not_work);
	tcase_add_test(tc, a_long_turn_is_told_and_counted);
	tcase_add_test(tc, a_slow_request_is_blamed_once);
	tcase_add_test(tc, a_request_that_waited_was_not_work);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
