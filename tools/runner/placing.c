/* A script on its way into hooks/: see placing.h.
 *
 * An add either succeeds or changes nothing: when the script does not load, a new file is taken
 * back and a replaced one gets its old content again.  (Who wants to keep a broken script in place
 * copies it into the mount; its status then says what is wrong.)
 */
#include "tools/runner/placing.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tools/runner/event_types.h"
#include "tools/runner/hook.h"
#include "tools/runner/print.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SETTLE_MS     5000 /* the master answers within 2 s, or says why it did not */
#define LOOK_EVERY_MS 10

/* ---- where it goes -------------------------------------------------------------------------- */

/* What the master takes for a hook's name; other files it keeps and never registers. */
static int
check_name(const char *what, const char *name, struct err *err)
{
	size_t len = strlen(name);
	bool is_good = len > 0 && len <= 64 && *name != '.' && *name != '-';

	for (size_t i = 0; i < len; i++)
		is_good &= isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (is_good)
		return 0;
	return err_set(err, EINVAL, "'%s' cannot be the name of %s: 1 to 64 of A-Z a-z 0-9 _ . -",
		name, what);
}

static int
stack_missing(const struct placing *p, struct err *err)
{
	AUTO(free) char *path = mount_path(&p->mount, PLACE_STACK, NULL, p->stack);
	AUTO(sbuf) struct sbuf word = {0};

	print_add_quoted(&word, path);
	return err_set(err, ENOENT, "stack '%s' does not exist; make it: mkdir %s", p->stack,
		sbuf_str(&word));
}

static int
find_place(struct placing *p, bool may_replace, struct err *err)
{
	AUTO(free) char *hooks = mount_path(&p->mount, PLACE_HOOKS, p->stack, NULL);

	if (*p->stack && !mount_exists(&p->mount, hooks))
		return stack_missing(p, err);
	p->path = mount_path(&p->mount, PLACE_HOOK_FILE, p->stack, p->name);
	p->is_new = !mount_exists(&p->mount, p->path);
	if (p->is_new)
		return 0;
	if (!may_replace)
		return err_set(
			err, EEXIST, "hook '%s' exists already; --force replaces it", p->name);
	return mount_read(&p->mount, p->path, &p->before, err);
}

int
placing_find(const struct args *args, const char *name, const char *stack, bool may_replace,
	struct placing *ret_placing, struct err *err)
{
	struct placing p = {.stack = stack ? stack : "", .name = mem_strdup(name)};
	int result = check_name("a hook", name, err);

	if (!result && *p.stack)
		result = check_name("a stack", p.stack, err);
	if (!result)
		result = mount_find(args, &p.mount, err);
	if (!result)
		result = find_place(&p, may_replace, err);
	if (result)
		placing_fini(&p);
	else
		*ret_placing = p;
	return result;
}

void
placing_fini(struct placing *p)
{
	mount_fini(&p->mount);
	free(p->name);
	free(p->path);
	sbuf_fini(&p->before);
}

/* ---- putting it there ----------------------------------------------------------------------- */

int
placing_settle(const struct placing *p, struct sbuf *status, struct err *err)
{
	AUTO(free) char *path = mount_path(&p->mount, PLACE_HOOK_STATUS, p->stack, p->name);
	int64_t end_ns = clock_mono_ns() + SETTLE_MS * NS_PER_MS;
	const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * NS_PER_MS};

	for (;;) {
		int result;

		sbuf_reset(status);
		result = mount_read_value(&p->mount, path, status, err);
		if (result < 0 && result != -ENOENT)
			return result;
		if (!result && strncmp(sbuf_str(status), "loading", 7))
			return 0;
		if (clock_mono_ns() > end_ns)
			return err_set(err, ETIMEDOUT,
				"the master did not load '%s' within %d s: see '%s'", p->path,
				SETTLE_MS / 1000, path);
		(void)nanosleep(&pause, NULL); /* an early end only looks sooner */
	}
}

int
placing_judge(const char *status, const char *what, struct err *err)
{
	if (!strncmp(status, "ok", 2) || !strncmp(status, "disabled", 8))
		return 0;
	if (!strncmp(status, "no event", 8))
		return err_set(err, EPROTO,
			"'%s' does not say which event it is for: give --event TYPE", what);
	return err_set(err, EPROTO, "'%s' was not added: %s", what, status);
}

void
placing_take_back(const struct placing *p)
{
	int result = p->is_new ? mount_unlink(&p->mount, p->path, NULL)
			       : mount_install(&p->mount, p->path, &p->before, NULL);

	if (result < 0)
		(void)fprintf(stderr, "'%s' stays as it is now: %s\n", p->path, strerror(-result));
}

int
placing_install(
	const struct placing *p, const struct sbuf *script, struct sbuf *status, struct err *err)
{
	int result = mount_install(&p->mount, p->path, script, err);

	if (result)
		return result;
	result = placing_settle(p, status, err);
	if (result)
		placing_take_back(p);
	return result;
}

/* ---- telling it ----------------------------------------------------------------------------- */

int
placing_print(const struct args *args, const struct placing *p, struct err *err)
{
	AUTO(free) char *label = mem_printf("%s%s%s", p->name, *p->stack ? "@" : "", p->stack);
	AUTO(json) json_t *hook = NULL;
	int result = hook_read(&p->mount, label, &hook, err);

	if (!result)
		result = event_types_warn(&p->mount, json_object_get(hook, "event_types"), err);
	if (result)
		return result;
	if (print_is_json(args)) {
		print_json(hook);
		return EXIT_OK;
	}
	(void)printf("hook '%s' %s\nEvent type:  %s\nFile:        %s\nStatus:      %s\n", label,
		p->is_new ? "added" : "replaced", json_text(hook, "event_type"),
		json_text(hook, "file_path"), json_text(hook, "status"));
	return EXIT_OK;
}
