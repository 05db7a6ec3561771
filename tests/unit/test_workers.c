/* fsd/workers/ with real processes: fake_worker.h plays sloth-worker. */
#include "tests/unit/fake_worker.h"

#include "fsd/hooks/rules.h"
#include "fsd/workers/pool.h"
#include "tests/unit/restless.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <ftw.h>

#define JOBS_MAX 700
#define HOUR_MS  (3600 * 1000)

#define RESTLESS_ROUNDS 30 /* each misses it now and then when a look at it is not repeated */

struct job {
	struct run run;
	struct world *world;
	struct event ev;
	bool is_started, is_done;
	struct run_outcome outcome;
};

struct question {
	store_text_fn *done;
	void *arg;
};

struct world {
	uv_loop_t loop;
	char dir[64];
	struct workers *pool;
	struct job jobs[JOBS_MAX];
	unsigned count, done, alone;
	struct hook_code code;
	enum run_part part; /* of the runs to come */
	unsigned events;    /* that each stands for */
	char *data;         /* of the events to come */
	size_t data_len;
	/* services */
	struct question questions[FLOOD];
	unsigned asked, held;
	bool is_holding;
	/* checks */
	unsigned checked;
	int check_code;
	char check_text[ERR_MSG_MAX];
};

/* ---- services ------------------------------------------------------------------------------- */

static void
on_emit(void *arg, struct run *run, const char *type, const char *data, const char *stack,
	const char *options, store_text_fn *done, void *done_arg)
{
	struct world *w = arg;
	struct sbuf out = {0};

	ck_assert_ptr_nonnull(run);
	ck_assert_str_eq(type, "effect.one");
	ck_assert_str_eq(data, "{\"x\":1}");
	ck_assert_ptr_null(stack);
	ck_assert_ptr_null(options);
	w->asked++;
	if (w->is_holding) {
		w->questions[w->held++] = (struct question){.done = done, .arg = done_arg};
		return;
	}
	sbuf_adds(&out, "the-new-id");
	done(done_arg, 0, &out);
	sbuf_fini(&out);
}

static void
on_state(void *arg, struct run *run, const struct state_request *req, store_text_fn *done,
	void *done_arg)
{
	(void)arg;
	ck_assert_ptr_nonnull(run);
	ck_assert_int_eq(req->op, STATE_GET);
	ck_assert_str_eq(req->key, "counter");
	ck_assert_str_eq(req->stack, "prod");
	done(done_arg, -ENOENT, NULL);
}

static void
on_alone(void *arg, struct hook_code *code)
{
	struct world *w = arg;

	ck_assert(code->is_alone);
	w->alone++;
}

/* ---- the world ------------------------------------------------------------------------------ */

static const struct hook_rules no_rules;

static int
start_pool(struct world *w, const char *program, struct err *err)
{
	const struct worker_services services = {
		.arg = w, .emit = on_emit, .state = on_state, .alone = on_alone};

	return workers_start(&w->loop,
		&(struct worker_options){
			.program = program, .state_dir = w->dir, .mount = "/nowhere"},
		&services, &w->pool, err);
}

static struct world *
world_new(const char *dir)
{
	struct world *w = NEW(struct world);
	struct err err = {0};

	ck_assert_int_eq(uv_loop_init(&w->loop), 0);
	(void)snprintf(w->dir, sizeof(w->dir), "%s", dir ? dir : "/tmp/test_workers.XXXXXX");
	if (!dir)
		ck_assert_ptr_nonnull(mkdtemp(w->dir));
	ck_assert_msg(start_pool(w, "/proc/self/exe", &err) == 0, "%s", err.msg);
	workers_set_defaults(w->pool, HOUR_MS, 1 << 20);
	w->pool->suspect_ms = w->pool->grace_ms = HOUR_MS; /* a slow machine is none that hangs */
	w->data = (char *)"{}";
	w->data_len = 2;
	w->code = (struct hook_code){.rules = &no_rules,
		.hook_id = 1,
		.version = 1,
		.label = (char *)"x@prod",
		.stack = (char *)"prod",
		.path = (char *)"hooks/x.lua",
		.source = (char *)"return {}",
		.source_len = 9,
		.uid = geteuid(),
		.gid = getegid()};
	return w;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void
world_free(struct world *w)
{
	workers_stop(w->pool);
	ck_assert_int_eq(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
	ck_assert_int_eq(uv_loop_close(&w->loop), 0);
	ck_assert_uint_eq(w->done, w->count);
	for (unsigned i = 0; i < w->count; i++) {
		free(w->jobs[i].outcome.message);
		free(w->jobs[i].outcome.error);
		free(w->jobs[i].outcome.output);
		free(w->jobs[i].outcome.why);
	}
	ck_assert_int_eq(nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(w);
}

static void
on_started(struct run *run)
{
	((struct job *)run)->is_started = true;
}

static void
on_done(struct run *run, struct run_outcome *outcome)
{
	struct job *job = (struct job *)run;

	ck_assert(!job->is_done);
	job->is_done = true;
	job->outcome = *outcome;
	outcome->message = outcome->error = outcome->output = outcome->why = NULL;
	job->world->done++;
}

static struct job *
run_code(struct world *w, struct hook_code *code, const char *type)
{
	struct job *job = &w->jobs[w->count++];

	job->world = w;
	job->ev = (struct event){.refs = 1,
		.seq = w->count,
		.type = (char *)type,
		.data = w->data,
		.data_len = w->data_len,
		.stack = (char *)""};
	job->run = (struct run){.code = code,
		.event = &job->ev,
		.attempt = 1,
		.part = w->part,
		.count = w->events,
		.started = on_started,
		.done = on_done};
	workers_run(w->pool, &job->run);
	return job;
}

static struct job *
run(struct world *w, const char *type)
{
	return run_code(w, &w->code, type);
}

static void
until_done(struct world *w, unsigned count)
{
	while (w->done < count)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
}

static void
until_started(struct world *w, const struct job *job)
{
	while (!job->is_started)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
}

/* ---- runs ----------------------------------------------------------------------------------- */

START_TEST(a_run_and_its_result)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "ok");

	ck_assert_uint_eq(workers_busy(w->pool), 1);
	until_done(w, 1);
	ck_assert(job->is_started);
	ck_assert_int_eq(job->outcome.status, EXEC_SUCCESS);
	ck_assert_str_eq(job->outcome.message, "attempt 1 of x@prod 1");
	ck_assert_str_eq(job->outcome.output, "printed\nattempt 1 of x@prod 1");
	ck_assert_ptr_null(job->outcome.error);
	ck_assert_int_eq(job->outcome.duration_ns, 1000);
	ck_assert_int_gt(job->outcome.started_ns, 0);
	ck_assert_uint_eq(workers_busy(w->pool), 0);
	ck_assert_uint_eq(workers_processes(w->pool), 1);
	world_free(w);
}
END_TEST

START_TEST(an_edit_sends_the_new_script)
{
	struct world *w = world_new(NULL);

	run(w, "ok");
	until_done(w, 1);
	w->code.version = 2;
	run(w, "ok");
	until_done(w, 2);
	ck_assert_str_eq(w->jobs[1].outcome.message, "attempt 1 of x@prod 2");
	world_free(w);
}
END_TEST

START_TEST(scripts_of_a_worker_are_bounded)
{
	struct world *w = world_new(NULL);

	w->pool->cores = 1;
	for (unsigned i = 1; i <= 600; i++) {
		w->code.hook_id = i;
		run(w, "ok");
		until_done(w, i);
	}
	workers_set_log_level(w->pool, LOG_LEVEL_ERROR);
	run(w, "count");
	until_done(w, 601);
	ck_assert_str_eq(w->jobs[600].outcome.message, "512 scripts, level 3");
	world_free(w);
}
END_TEST

START_TEST(cut_output_says_so)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "print");

	until_done(w, 1);
	ck_assert_int_eq(job->outcome.status, EXEC_FAILED);
	ck_assert_str_eq(job->outcome.output, "printed\n[17 more bytes were not recorded]\nlong");
	world_free(w);
}
END_TEST

START_TEST(conditions_go_out_and_the_reason_comes_back)
{
	const struct hook_rules rules = {.match = (char *)"load > 90"};
	struct world *w = world_new(NULL);
	struct job *job;

	w->code.rules = &rules;
	w->part = RUN_CONDITIONS;
	w->events = 5;
	job = run(w, "filter");
	until_done(w, 1);
	ck_assert_int_eq(job->outcome.status, EXEC_FILTERED);
	ck_assert_str_eq(job->outcome.why, "1 for 5 events, load > 90");
	ck_assert_ptr_null(job->outcome.message);
	ck_assert_str_eq(job->outcome.output, "printed");
	world_free(w);
}
END_TEST

/* More than the sockets hold, to workers that are still starting. */
START_TEST(many_large_runs)
{
	struct world *w = world_new(NULL);
	AUTO(free) char *data = NEW_N(char, 100000);

	memset(data, 'x', 100000);
	w->data = data;
	w->data_len = 100000;
	for (int i = 0; i < 200; i++)
		run(w, "ok");
	until_done(w, 200);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(w->jobs[i].outcome.status, EXEC_SUCCESS);
	ck_assert_uint_le(workers_processes(w->pool), 2 * w->pool->cores);
	world_free(w);
}
END_TEST

START_TEST(a_cancelled_run_ends)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "wait");

	until_started(w, job);
	workers_cancel(w->pool, &job->run, RUN_INTERRUPTED);
	workers_cancel(w->pool, &job->run, RUN_INTERRUPTED);
	until_done(w, 1);
	ck_assert_int_eq(job->outcome.status, EXEC_INTERRUPTED);
	ck_assert_uint_eq(workers_processes(w->pool), 1);
	world_free(w);
}
END_TEST

/* ---- ends of workers ------------------------------------------------------------------------ */

START_TEST(a_crash_is_told_to_the_guilty)
{
	struct world *w = world_new(NULL);
	struct hook_code other = w->code;
	struct job *touched, *crash, *behind;

	other.hook_id = 2;
	w->pool->cores = 1;
	touched = run_code(w, &other, "touch");
	until_started(w, touched);
	crash = run(w, "crash");
	behind = run_code(w, &other, "ok");
	until_done(w, 3);
	ck_assert_int_eq(crash->outcome.status, EXEC_FAILED);
	ck_assert_str_eq(crash->outcome.error, "worker died: signal 11 (Segmentation fault)");
	ck_assert(crash->outcome.is_killed);
	ck_assert_int_eq(touched->outcome.status, EXEC_INTERRUPTED);
	ck_assert_ptr_nonnull(strstr(touched->outcome.error, "while it ran hook 'x@prod'"));
	ck_assert(!touched->outcome.is_killed);
	ck_assert_uint_eq(touched->run.attempt, 1);
	ck_assert_int_eq(behind->outcome.status, EXEC_SUCCESS);
	ck_assert_uint_eq(behind->run.attempt, 2);
	world_free(w);
}
END_TEST

/* Its next attempt has begun. */
static void
until_restarted(struct world *w, struct job *job, unsigned attempt)
{
	until_started(w, job);
	ck_assert(!job->is_done);
	ck_assert_uint_eq(job->run.attempt, attempt);
	job->is_started = false;
}

START_TEST(who_has_done_nothing_or_is_idempotent_runs_again)
{
	struct world *w = world_new(NULL);
	const struct hook_rules idempotent = {.is_idempotent = true};
	struct hook_code other = w->code, repeatable;
	struct job *innocent, *repeated;

	other.hook_id = 2;
	repeatable = other;
	repeatable.hook_id = 3;
	repeatable.rules = &idempotent;
	w->pool->cores = 1;
	innocent = run_code(w, &other, "wait");
	repeated = run_code(w, &repeatable, "touch");
	until_restarted(w, innocent, 1);
	until_restarted(w, repeated, 1);
	run(w, "crash");
	until_restarted(w, innocent, 2);
	until_restarted(w, repeated, 2);
	workers_cancel(w->pool, &innocent->run, RUN_INTERRUPTED);
	workers_cancel(w->pool, &repeated->run, RUN_INTERRUPTED);
	until_done(w, 3);
	world_free(w);
}
END_TEST

START_TEST(restarts_are_bounded)
{
	struct world *w = world_new(NULL);
	struct hook_code bad[4];
	struct job *innocent;

	w->pool->cores = 1;
	innocent = run(w, "wait");
	for (unsigned i = 0; i < 4; i++) {
		until_restarted(w, innocent, 1 + i);
		bad[i] = w->code;
		bad[i].hook_id = 10 + i;
		run_code(w, &bad[i], "crash");
	}
	until_done(w, 5);
	ck_assert_int_eq(innocent->outcome.status, EXEC_INTERRUPTED);
	world_free(w);
}
END_TEST

START_TEST(a_hook_that_crashed_runs_alone)
{
	struct world *w = world_new(NULL);
	struct hook_code other = w->code, edited = w->code;
	struct job *waiting, *alone;

	other.hook_id = 2;
	w->pool->cores = 1;
	run(w, "crash");
	until_done(w, 1);
	ck_assert(w->code.is_alone);
	ck_assert_uint_eq(w->alone, 1); /* the hooks' room was told */
	waiting = run_code(w, &other, "touch");
	until_started(w, waiting);
	run(w, "crash");
	until_done(w, 2);
	ck_assert(!waiting->is_done);
	alone = run(w, "wait");
	until_started(w, alone);
	ck_assert_uint_eq(workers_processes(w->pool), 2);
	run_code(w, &edited, "ok");
	until_done(w, 3);
	ck_assert_uint_eq(workers_processes(w->pool), 2);
	workers_cancel(w->pool, &alone->run, RUN_INTERRUPTED);
	while (workers_processes(w->pool) > 1) /* its process has nothing more to do */
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	ck_assert(!waiting->is_done);
	workers_cancel(w->pool, &waiting->run, RUN_TIMEOUT);
	until_done(w, 5);
	ck_assert_int_eq(waiting->outcome.status, EXEC_TIMEOUT);
	world_free(w);
}
END_TEST

START_TEST(a_run_that_hangs_is_killed)
{
	struct world *w = world_new(NULL);
	struct hook_code other = w->code;
	uint64_t begun_ns = uv_hrtime(), took_ms;
	struct job *hang, *behind;

	other.hook_id = 2;
	w->pool->cores = 1;
	w->pool->grace_ms = GRACE_MS;
	w->code.timeout_ms = 200;
	hang = run(w, "hang");
	behind = run_code(w, &other, "ok");
	until_done(w, 2);
	took_ms = (uv_hrtime() - begun_ns) / 1000000;
	ck_assert_int_eq(hang->outcome.status, EXEC_TIMEOUT);
	ck_assert(hang->outcome.is_killed);
	ck_assert_uint_ge(took_ms, 200 + GRACE_MS);
	ck_assert_int_eq(behind->outcome.status, EXEC_SUCCESS);
	ck_assert_uint_eq(behind->run.attempt, 2);
	world_free(w);
}
END_TEST

START_TEST(processes_beyond_the_cores_end_when_they_are_idle)
{
	struct world *w = world_new(NULL);
	struct job *one, *two;

	w->pool->cores = 2;
	one = run(w, "wait");
	until_started(w, one);
	two = run(w, "wait");
	until_started(w, two);
	ck_assert_uint_eq(workers_processes(w->pool), 2);
	w->pool->cores = 1;
	workers_cancel(w->pool, &two->run, RUN_INTERRUPTED);
	while (workers_processes(w->pool) > 1)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	ck_assert(!one->is_done);
	workers_cancel(w->pool, &one->run, RUN_INTERRUPTED);
	until_done(w, 2);
	run(w, "ok");
	until_done(w, 3);
	ck_assert_uint_eq(workers_processes(w->pool), 1);
	world_free(w);
}
END_TEST

START_TEST(others_pass_by_a_worker_that_hangs)
{
	struct world *w = world_new(NULL);
	struct job *hang, *stuck;

	w->pool->cores = 1;
	w->pool->suspect_ms = SUSPECT_MS;
	hang = run(w, "hang");
	until_started(w, hang);
	stuck = run(w, "ok");
	do { /* what comes once the worker is suspected goes elsewhere, long before the kill */
		if (w->count < JOBS_MAX)
			run(w, "ok");
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
		(void)poll(NULL, 0, 10);
	} while (w->done == 0);
	ck_assert(!hang->is_done);
	w->pool->grace_ms = GRACE_MS;
	workers_cancel(w->pool, &hang->run, RUN_TIMEOUT);
	until_done(w, w->count);
	ck_assert_int_eq(hang->outcome.status, EXEC_TIMEOUT);
	ck_assert_int_eq(stuck->outcome.status, EXEC_SUCCESS);
	world_free(w);
}
END_TEST

/* What a worker said before it died counts, also when it died with more to read. */
START_TEST(last_words_are_heard)
{
	struct world *w = world_new(NULL);
	struct job *last, *behind;
	struct pollfd end = {.events = POLLIN};
	struct worker *worker;

	w->pool->cores = 1;
	last = run(w, "last");
	until_started(w, last);
	worker = TAILQ_FIRST(&LIST_FIRST(&w->pool->crews)->workers);
	behind = run(w, "ok");
	do
		uv_run(&w->loop, UV_RUN_NOWAIT);
	while (worker->pidfd < 0 || worker->is_dirty || worker->out.len > 0);
	end.fd = worker->pidfd;
	ck_assert_int_eq(poll(&end, 1, 10000), 1);
	until_done(w, 2);
	ck_assert_int_eq(last->outcome.status, EXEC_SUCCESS);
	ck_assert_str_eq(last->outcome.message, "said");
	ck_assert_int_eq(behind->outcome.status, EXEC_SUCCESS);
	ck_assert_uint_eq(behind->run.attempt, 2);
	world_free(w);
}
END_TEST

START_TEST(nonsense_costs_the_worker)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "noise");

	until_done(w, 1);
	ck_assert_int_eq(job->outcome.status, EXEC_INTERRUPTED);
	ck_assert_ptr_nonnull(strstr(job->outcome.error, "unexpected frame of type 99"));
	world_free(w);
}
END_TEST

START_TEST(the_zygote_may_die)
{
	struct world *w = world_new(NULL);
	struct job *waiting = run(w, "wait"), *touched = run(w, "touch"), *hang = run(w, "hang");

	w->pool->grace_ms = GRACE_MS;
	until_restarted(w, waiting, 1);
	until_started(w, touched);
	until_restarted(w, hang, 1);
	ck_assert_int_eq(kill(w->pool->zygote_pid, SIGKILL), 0);
	until_restarted(w, waiting, 2);
	until_restarted(w, hang, 2); /* nobody is guilty */
	ck_assert(touched->is_done);
	ck_assert_int_eq(touched->outcome.status, EXEC_INTERRUPTED);
	workers_cancel(w->pool, &waiting->run, RUN_INTERRUPTED);
	workers_cancel(w->pool, &hang->run, RUN_INTERRUPTED);
	run(w, "ok");
	until_done(w, 4);
	ck_assert_int_eq(w->jobs[3].outcome.status, EXEC_SUCCESS);
	world_free(w);
}
END_TEST

START_TEST(stop_interrupts)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "wait");

	until_started(w, job);
	workers_stop(w->pool);
	ck_assert_uint_eq(w->done, 1);
	ck_assert_int_eq(job->outcome.status, EXEC_INTERRUPTED);
	ck_assert_str_eq(job->outcome.error, "the master was stopped");
	w->pool = NULL;
	world_free(w);
}
END_TEST

START_TEST(a_program_that_is_not_there)
{
	struct world *w = NEW(struct world);
	struct err err = {0};

	ck_assert_int_eq(uv_loop_init(&w->loop), 0);
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_workers.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	ck_assert_int_eq(start_pool(w, "/nowhere/sloth-worker", &err), -ENOENT);
	ck_assert_str_eq(
		err.msg, "'/nowhere/sloth-worker' cannot be started: No such file or directory");
	world_free(w);
}
END_TEST

/* ---- questions ------------------------------------------------------------------------------ */

START_TEST(an_emit_is_answered)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "emit");

	until_done(w, 1);
	ck_assert_int_eq(job->outcome.status, EXEC_SUCCESS);
	ck_assert_str_eq(job->outcome.message, "the-new-id");
	world_free(w);
}
END_TEST

START_TEST(a_refusal_is_answered)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "state");

	until_done(w, 1);
	ck_assert_int_eq(job->outcome.status, EXEC_FAILED);
	ck_assert_str_eq(job->outcome.error, "no such file or directory");
	world_free(w);
}
END_TEST

START_TEST(questions_are_bounded)
{
	struct world *w = world_new(NULL);
	struct job *job;
	unsigned seen;

	w->is_holding = true;
	job = run(w, "flood");
	while (w->asked < WORKER_REQUESTS_MAX)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	for (int i = 0; i < 20; i++)
		(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	ck_assert_uint_eq(w->asked, WORKER_REQUESTS_MAX);
	w->is_holding = false;
	seen = w->held;
	for (unsigned i = 0; i < seen; i++)
		w->questions[i].done(w->questions[i].arg, 0, NULL);
	until_done(w, 1);
	ck_assert_uint_eq(w->asked, FLOOD);
	ck_assert_str_eq(job->outcome.message, "all answered");
	world_free(w);
}
END_TEST

START_TEST(an_answer_may_come_after_the_end)
{
	struct world *w = world_new(NULL);
	struct job *job;

	w->is_holding = true;
	job = run(w, "emit");
	while (w->held == 0)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	workers_stop(w->pool);
	ck_assert_int_eq(job->outcome.status, EXEC_INTERRUPTED);
	w->questions[0].done(w->questions[0].arg, -ECANCELED, NULL);
	w->pool = NULL;
	world_free(w);
}
END_TEST

/* ---- checks --------------------------------------------------------------------------------- */

static void
on_checked(void *arg, int code, const char *meta, const struct err *err)
{
	struct world *w = arg;

	w->checked++;
	w->check_code = code;
	(void)snprintf(w->check_text, sizeof(w->check_text), "%s", code < 0 ? err->msg : meta);
}

static void
check_source(struct world *w, const char *source)
{
	unsigned before = w->checked;

	workers_check(w->pool,
		&(struct check_request){.path = "hooks/x.lua",
			.source = source,
			.source_len = strlen(source),
			.uid = geteuid(),
			.gid = getegid()},
		on_checked, w);
	while (w->checked == before)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
}

START_TEST(a_check_gives_metadata)
{
	struct world *w = world_new(NULL);

	check_source(w, "return {}");
	ck_assert_int_eq(w->check_code, 0);
	ck_assert_str_eq(w->check_text, "{\"name\":\"x\"}");
	check_source(w, "bad");
	ck_assert_int_eq(w->check_code, -EINVAL);
	ck_assert_str_eq(w->check_text, "hooks/x.lua:1: unexpected symbol");
	check_source(w, "crash");
	ck_assert_int_eq(w->check_code, -EINVAL);
	ck_assert_str_eq(
		w->check_text, "hooks/x.lua: loading it ended the worker: signal 9 (Killed)");
	while (workers_processes(w->pool) > 0)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	world_free(w);
}
END_TEST

START_TEST(a_check_that_hangs_is_killed)
{
	struct world *w = world_new(NULL);

	w->pool->grace_ms = GRACE_MS;
	check_source(w, "hang");
	ck_assert_int_eq(w->check_code, -ETIMEDOUT);
	ck_assert_str_eq(w->check_text, "hooks/x.lua: loading it did not end within 5 s");
	world_free(w);
}
END_TEST

START_TEST(a_stop_says_nothing_about_the_script)
{
	struct world *w = world_new(NULL);

	workers_check(w->pool,
		&(struct check_request){.path = "x", .source = "hang", .source_len = 4}, on_checked,
		w);
	(void)uv_run(&w->loop, UV_RUN_NOWAIT);
	workers_stop(w->pool);
	ck_assert_uint_eq(w->checked, 1);
	ck_assert_int_eq(w->check_code, -ECANCELED);
	w->pool = NULL;
	world_free(w);
}
END_TEST

/* ---- the fence ------------------------------------------------------------------------------ */

static bool
is_gone(int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	return poll(&end, 1, 0) == 1;
}

/* A program left by a hook ends when its master stops. */
START_TEST(stop_ends_what_hooks_left)
{
	struct world *w = world_new(NULL);
	struct job *job = run(w, "leave");
	int pidfd;

	until_done(w, 1);
	pidfd = pidfd_open((pid_t)strtol(job->outcome.message, NULL, 10), 0);
	ck_assert_int_ge(pidfd, 0);
	ck_assert(!is_gone(pidfd));
	workers_stop(w->pool);
	ck_assert(is_gone(pidfd));
	(void)close(pidfd);
	w->pool = NULL;
	world_free(w);
}
END_TEST

/* The first master: runs a hook that leaves a program, tells its pid, and waits to be killed. */
static void
be_first_master(const char *dir, int report)
{
	struct world *w = world_new(dir);
	struct job *job = run(w, "leave");
	int pid;

	until_done(w, 1);
	pid = (int)strtol(job->outcome.message, NULL, 10);
	if (write(report, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		_exit(1);
	for (;;)
		(void)pause();
}

START_TEST(the_next_master_ends_what_is_left)
{
	char dir[] = "/tmp/test_workers.XXXXXX";
	int ends[2], pid, pidfd;
	struct world *w;
	pid_t first;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	first = fork();
	if (first == 0)
		be_first_master(dir, ends[1]);
	ck_assert_int_eq(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	pidfd = pidfd_open(pid, 0);
	ck_assert_int_ge(pidfd, 0);
	ck_assert_int_eq(kill(first, SIGKILL), 0);
	(void)waitpid(first, NULL, 0);
	ck_assert(!is_gone(pidfd));
	w = world_new(dir);
	ck_assert(is_gone(pidfd));
	run(w, "ok");
	until_done(w, 1);
	ck_assert_int_eq(w->jobs[0].outcome.status, EXEC_SUCCESS);
	world_free(w);
	(void)close(pidfd);
	(void)close(ends[0]);
	(void)close(ends[1]);
}
END_TEST

/* A worker that lost its environment still holds the lock. */
START_TEST(who_holds_the_lock_is_ended)
{
	char dir[] = "/tmp/test_workers.XXXXXX";
	struct fence first = {.lock_fd = -1}, second = {.lock_fd = -1};
	pid_t holder;
	int status;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fence_take(dir, &first, NULL), 0);
	holder = fork(); /* shares the open file description, as workers do */
	if (holder == 0) {
		for (;;)
			(void)pause();
	}
	fence_fini(&first);
	ck_assert_int_eq(fence_take(dir, &second, NULL), 0);
	ck_assert_int_eq(waitpid(holder, &status, 0), holder);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_str_eq(first.scope, second.scope);
	fence_fini(&second);
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

/* What a hook started holds no lock, but its environment tells. */
START_TEST(who_carries_the_scope_is_ended)
{
	char dir[] = "/tmp/test_workers.XXXXXX";
	struct fence first = {.lock_fd = -1}, second = {.lock_fd = -1};
	int ends[2], status;
	char byte;
	pid_t left;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fence_take(dir, &first, NULL), 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	left = fork();
	if (left == 0) {
		(void)setenv(WORKER_SCOPE_ENV, first.scope, 1);
		fake_left_program();
	}
	(void)close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* it has executed the program */
	fence_fini(&first);
	ck_assert_int_eq(fence_take(dir, &second, NULL), 0);
	ck_assert_int_eq(waitpid(left, &status, WNOHANG), left);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(ends[0]);
	fence_fini(&second);
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

START_TEST(who_executes_a_program_is_ended)
{
	char dir[] = "/tmp/test_workers.XXXXXX";
	struct fence fence = {.lock_fd = -1};
	int status;
	pid_t left;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(fence_take(dir, &fence, NULL), 0);
	for (int i = 0; i < RESTLESS_ROUNDS; i++) {
		left = restless_start(dir, WORKER_SCOPE_ENV, fence.scope);
		ck_assert_uint_eq(fence_sweep(fence.scope, HOUR_MS), 1);
		ck_assert_int_eq(waitpid(left, &status, 0), left);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	fence_fini(&fence);
	ck_assert_int_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

/* ---- slots ---------------------------------------------------------------------------------- */

START_TEST(an_old_number_finds_nothing)
{
	struct slots slots = {0};
	struct worker worker;
	struct slot *slot;
	uint32_t first, id = 0;

	first = slots_take(&slots, &slot);
	slot->worker = &worker;
	ck_assert_ptr_eq(slots_find(&slots, first), slot);
	slots_release(&slots, slot);
	ck_assert_ptr_null(slots_find(&slots, first));
	for (int i = 0; i < 5000; i++) {
		id = slots_take(&slots, &slot);
		ck_assert_uint_ne(id, 0);
		slot->worker = &worker;
		if (i < 4000)
			ck_assert_uint_ne(id, first);
		slots_release(&slots, slot);
	}
	ck_assert_ptr_null(slots_find(&slots, 0));
	ck_assert_ptr_null(slots_find(&slots, UINT32_MAX));
	slots_fini(&slots);
}
END_TEST

static Suite *
make_suite(void)
{
	Suite *suite = suite_create("workers");
	TCase *t = tcase_create("runs");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_run_and_its_result);
	tcase_add_test(t, an_edit_sends_the_new_script);
	tcase_add_test(t, scripts_of_a_worker_are_bounded);
	tcase_add_test(t, cut_output_says_so);
	tcase_add_test(t, conditions_go_out_and_the_reason_comes_back);
	tcase_add_test(t, many_large_runs);
	tcase_add_test(t, a_cancelled_run_ends);
	tcase_add_test(t, an_emit_is_answered);
	tcase_add_test(t, a_refusal_is_answered);
	tcase_add_test(t, questions_are_bounded);
	tcase_add_test(t, an_answer_may_come_after_the_end);
	tcase_add_test(t, a_check_gives_metadata);
	tcase_add_test(t, a_check_that_hangs_is_killed);
	tcase_add_test(t, a_stop_says_nothing_about_the_script);
	suite_add_tcase(suite, t);
	t = tcase_create("ends");
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_crash_is_told_to_the_guilty);
	tcase_add_test(t, who_has_done_nothing_or_is_idempotent_runs_again);
	tcase_add_test(t, restarts_are_bounded);
	tcase_add_test(t, a_hook_that_crashed_runs_alone);
	tcase_add_test(t, a_run_that_hangs_is_killed);
	tcase_add_test(t, processes_beyond_the_cores_end_when_they_are_idle);
	tcase_add_test(t, others_pass_by_a_worker_that_hangs);
	tcase_add_test(t, last_words_are_heard);
	tcase_add_test(t, nonsense_costs_the_worker);
	tcase_add_test(t, the_zygote_may_die);
	tcase_add_test(t, stop_interrupts);
	tcase_add_test(t, a_program_that_is_not_there);
	tcase_add_test(t, stop_ends_what_hooks_left);
	tcase_add_test(t, the_next_master_ends_what_is_left);
	tcase_add_test(t, who_holds_the_lock_is_ended);
	tcase_add_test(t, who_carries_the_scope_is_ended);
	tcase_add_test(t, who_executes_a_program_is_ended);
	tcase_add_test(t, an_old_number_finds_nothing);
	suite_add_tcase(suite, t);
	return suite;
}

int
main(int argc, char **argv)
{
	fake_main(argc, argv);
	return suite_run(make_suite());
}
