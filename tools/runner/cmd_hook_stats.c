/* `hook stats`: how often hooks ran, what was kept from running, and how long they took. */
#include "tools/runner/commands.h"

#include "base/auto.h"
#include "base/clock.h"
#include "tools/runner/hook.h"
#include "tools/runner/print.h"

#include <stdio.h>
#include <string.h>

/* What rules and conditions kept from running, as "throttled 12, filtered 3". */
static void
add_kept(struct sbuf *out, const json_t *counts)
{
	static const char *const names[] = {"held", "throttled", "filtered", "skipped"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_int_t n = json_integer_value(json_object_get(counts, names[i]));

		if (n)
			sbuf_printf(out, "%s%s %lld", out->len ? ", " : "", names[i], (long long)n);
	}
}

static void
add_ms(struct sbuf *out, const json_t *ms)
{
	if (ms)
		print_add_duration(out, (int64_t)(json_number_value(ms) * NS_PER_MS));
}

static void
add_hook(struct table *table, const json_t *hook)
{
	AUTO(sbuf) struct sbuf runs = {0}, failures = {0}, kept = {0}, p50 = {0}, p99 = {0};
	const char *last = json_text(hook, "last_run");

	sbuf_printf(
		&runs, "%lld", (long long)json_integer_value(json_object_get(hook, "run_count")));
	sbuf_printf(&failures, "%lld",
		(long long)json_integer_value(json_object_get(hook, "failure_count")));
	add_kept(&kept, json_object_get(hook, "counts"));
	add_ms(&p50, json_object_get(hook, "p50_ms"));
	add_ms(&p99, json_object_get(hook, "p99_ms"));
	table_add(table,
		(const char *[]){json_text(hook, "label"), sbuf_str(&runs), sbuf_str(&failures),
			sbuf_str(&kept), sbuf_str(&p50), sbuf_str(&p99), *last ? last : "Never"});
}

static void
print_table(const json_t *hooks)
{
	static const char *const heads[] = {
		"Name", "Runs", "Failures", "Kept back", "p50", "p99", "Last Run", NULL};
	struct table *table = table_new(heads, -1);
	json_t *hook;
	size_t i;

	json_array_foreach (hooks, i, hook)
		add_hook(table, hook);
	table_print(table);
}

/* Add a hook unless it is there: who adds up a column counts each once. */
static void
add_once(json_t *hooks, json_t *hook)
{
	json_t *other;
	size_t i;

	json_array_foreach (hooks, i, other)
		if (!strcmp(json_text(other, "label"), json_text(hook, "label")))
			return;
	(void)json_array_append(hooks, hook);
}

static int
stats_run(const struct args *args, struct err *err)
{
	AUTO(mount) struct mount mount = {0};
	AUTO(json) json_t *hooks = NULL;
	int result = mount_find(args, &mount, err);

	if (!result && !args->word_count)
		result = hooks_read(&mount, &hooks, err);
	else
		hooks = json_array();
	for (size_t i = 0; i < args->word_count && !result; i++) {
		AUTO(json) json_t *hook = NULL;

		result = hook_read(&mount, args_word(args, i), &hook, err);
		if (!result)
			add_once(hooks, hook);
	}
	if (result)
		return result;
	if (print_is_json(args))
		print_json(hooks);
	else if (!json_array_size(hooks))
		(void)printf("No hooks.  Add one: sloth-runner hook add FILE.lua\n");
	else
		print_table(hooks);
	return EXIT_OK;
}

static const struct flag stats_flags[] = {FLAG_OUTPUT, {0}};

const struct cmd cmd_hook_stats = {
	.name = "stats",
	.words = "[NAME]...",
	.words_max = WORDS_ANY,
	.flags = stats_flags,
	.summary = "Show how often hooks ran, what was kept back, and how long they took",
	.text = "Runs and failures are counted since the hook was first saved; what was kept back "
		"and\nthe percentiles since the master started.",
	.examples = "sloth-runner hook stats\n"
		    "sloth-runner hook stats alert -o json",
	.run = stats_run,
};
