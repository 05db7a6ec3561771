/* fsd/lane.c: order, batches with a tail left over, stop with work queued. */
#include "base/clock.h"
#include "base/mem.h"
#include "fsd/lane.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <unistd.h>

#define JOBS 1000

struct seen {
	int order[JOBS];
	int count;
	uv_loop_t *loop;
};

struct job {
	struct lane_job base;
	int number, doubled;
	struct seen *seen;
};

static void
run(struct lane_job *base)
{
	struct job *job = (struct job *)base;

	job->doubled = 2 * job->number;
}

static void
done(struct lane_job *base)
{
	struct job *job = (struct job *)base;

	ck_assert_int_eq(job->doubled, 2 * job->number);
	job->seen->order[job->seen->count++] = job->number;
	if (job->seen->count == JOBS)
		uv_stop(job->seen->loop);
	free(job);
}

static void
submit_all(struct lane *lane, struct seen *seen)
{
	for (int i = 0; i < JOBS; i++) {
		struct job *job = NEW(struct job);

		*job = (struct job){.base = {.run = run, .done = done}, .number = i, .seen = seen};
		lane_submit(lane, &job->base);
	}
}

static void
check_order(const struct seen *seen)
{
	ck_assert_int_eq(seen->count, JOBS);
	for (int i = 0; i < JOBS; i++)
		ck_assert_int_eq(seen->order[i], i);
}

/* Takes three jobs at most and leaves the rest. */
static void
by_threes(void *arg, struct lane_jobs *jobs, struct lane_jobs *finished)
{
	(void)arg;
	for (int i = 0; i < 3 && !STAILQ_EMPTY(jobs); i++) {
		struct lane_job *job = STAILQ_FIRST(jobs);

		STAILQ_REMOVE_HEAD(jobs, link);
		run(job);
		STAILQ_INSERT_TAIL(finished, job, link);
	}
}

struct company {
	struct lane *lane;
	_Atomic bool is_awaiting;
	_Atomic int calls;
	int jobs;
	bool is_in_time;
};

/* One job alone waits for a second. */
static void
by_twos(void *arg, struct lane_jobs *jobs, struct lane_jobs *finished)
{
	struct company *company = arg;
	struct lane_job *job = STAILQ_FIRST(jobs);

	company->is_in_time = true;
	company->is_awaiting = true;
	while (!STAILQ_NEXT(job, link) && company->is_in_time)
		company->is_in_time =
			lane_await(company->lane, jobs, clock_mono_ns() + 20 * NS_PER_S);
	STAILQ_FOREACH (job, jobs, link)
		company->jobs++;
	company->calls++;
	STAILQ_CONCAT(finished, jobs);
}

static void
not_done(struct lane_job *job)
{
	(void)job;
}

START_TEST(a_batch_may_await_company)
{
	struct lane_job job[3] = {{.done = not_done}, {.done = not_done}, {.done = not_done}};
	struct company company = {0};
	uv_loop_t loop;

	ck_assert_int_eq(uv_loop_init(&loop), 0);
	company.lane = lane_start(&loop, "test", by_twos, &company);
	lane_submit(company.lane, &job[0]);
	while (!company.is_awaiting)
		(void)sched_yield();
	lane_submit(company.lane, &job[1]);
	while (company.calls == 0)
		(void)sched_yield();
	lane_submit(company.lane, &job[2]); /* has nobody to wait for but the end */
	lane_stop(company.lane);
	ck_assert_int_eq(company.calls, 2);
	ck_assert_int_eq(company.jobs, 3);
	ck_assert(!company.is_in_time);
	while (uv_run(&loop, UV_RUN_DEFAULT))
		continue;
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

static void
run_with(lane_batch_fn *batch, int wait_for_jobs)
{
	uv_loop_t loop;
	struct seen seen = {.loop = &loop};
	struct lane *lane;
	uv_timer_t alive; /* lanes do not keep a loop alive; a daemon's door does */

	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(uv_timer_init(&loop, &alive), 0);
	lane = lane_start(&loop, "test", batch, NULL);
	submit_all(lane, &seen);
	ck_assert_uint_eq(lane_depth(lane), JOBS);
	if (wait_for_jobs) {
		ck_assert_int_eq(uv_timer_start(&alive, (uv_timer_cb)abort, UINT32_MAX, 0), 0);
		uv_run(&loop, UV_RUN_DEFAULT);
		ck_assert_uint_eq(lane_depth(lane), 0);
	}
	lane_stop(lane);
	uv_close((uv_handle_t *)&alive, NULL);
	while (uv_run(&loop, UV_RUN_DEFAULT))
		continue; /* the first round may only take back the uv_stop of done() */
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	check_order(&seen);
}

START_TEST(jobs_come_back_in_order)
{
	run_with(NULL, 1);
}
END_TEST

START_TEST(a_batch_may_leave_a_tail)
{
	run_with(by_threes, 1);
}
END_TEST

START_TEST(stop_finishes_what_is_queued)
{
	run_with(NULL, 0);
	run_with(by_threes, 0);
}
END_TEST

struct probe {
	struct lane_job job;
	int early_fd, late_fd;
	bool has_early, has_late, is_done;
};

static void
probe_run(struct lane_job *job)
{
	struct probe *probe = (struct probe *)job;

	probe->has_early = fcntl(probe->early_fd, F_GETFD) >= 0;
	probe->has_late = fcntl(probe->late_fd, F_GETFD) >= 0;
}

static void
probe_done(struct lane_job *job)
{
	((struct probe *)job)->is_done = true;
}

/* What a lane apart holds while it hangs must not be what would free it. */
START_TEST(a_lane_apart_has_descriptors_of_its_own)
{
	struct probe probe = {.job = {.run = probe_run, .done = probe_done}};
	struct lane *lane;
	uv_loop_t loop;
	uv_timer_t alive;
	int ends[2];

	ck_assert_int_eq(uv_loop_init(&loop), 0);
	probe.early_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	lane = lane_start_apart(&loop, "apart");
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	probe.late_fd = ends[1];
	lane_submit(lane, &probe.job);
	ck_assert_int_eq(uv_timer_init(&loop, &alive), 0);
	ck_assert_int_eq(uv_timer_start(&alive, (uv_timer_cb)abort, UINT32_MAX, 0), 0);
	while (!probe.is_done)
		uv_run(&loop, UV_RUN_ONCE);
	ck_assert(probe.has_early);
	ck_assert(!probe.has_late);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &probe, 1), 0); /* nobody else has it open */
	close(ends[0]);
	close(probe.early_fd);
	lane_stop(lane);
	uv_close((uv_handle_t *)&alive, NULL);
	while (uv_run(&loop, UV_RUN_DEFAULT))
		continue;
	ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lane");
	TCase *tc = tcase_create("lane");

	tcase_add_test(tc, jobs_come_back_in_order);
	tcase_add_test(tc, a_batch_may_leave_a_tail);
	tcase_add_test(tc, a_batch_may_await_company);
	tcase_add_test(tc, a_lane_apart_has_descriptors_of_its_own);
	tcase_add_test(tc, stop_finishes_what_is_queued);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
