/* Stacks: which there are, mkdir and rmdir, and their description.
 *
 * <state>/stacks/<stack>/ is the stack: there is no other list.  A stack goes only when nothing
 * would be lost with it: no file in hooks/ or lib/, no event under way.  Its past events stay in
 * the store under its name. */
#include "fsd/stacks/stacks.h"

#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "fsd/hooks/hooks.h"
#include "fsd/lane.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTION_MAX 4096 /* bytes */

struct stack {
	unsigned refs; /* the list's and the nodes' */
	char *name;
	char *path; /* real */
	char *description;
	uint64_t serial;
	int64_t mtime_ns;
	TAILQ_ENTRY(stack) link;
};

struct stacks {
	struct stacks_options opt;
	char *dir;
	TAILQ_HEAD(, stack) list; /* in the order of serial */
	uint64_t last_serial;
};

static void
dir_auto(DIR **d)
{
	if (*d)
		(void)closedir(*d); /* read only */
}

/* ---- one stack ------------------------------------------------------------------------------- */

static void
stack_unref(struct stack *stack)
{
	if (--stack->refs > 0)
		return;
	free(stack->name);
	free(stack->path);
	free(stack->description);
	free(stack);
}

static struct stack *
stack_find(const struct stacks *stacks, const char *name)
{
	struct stack *stack;

	TAILQ_FOREACH (stack, &stacks->list, link)
		if (!strcmp(stack->name, name))
			return stack;
	return NULL;
}

/* The first line's worth of the file; none is no description. */
static char *
read_description(const struct stack *stack)
{
	AUTO(free) char *path = mem_printf("%s/description", stack->path);
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[DESCRIPTION_MAX + 1];
	ssize_t len = fd < 0 ? 0 : read(fd, text, DESCRIPTION_MAX);

	if (len > 0 && text[len - 1] == '\n')
		len--;
	return mem_strndup(text, len > 0 ? (size_t)len : 0);
}

static struct stack *
stack_add(struct stacks *stacks, const char *name)
{
	struct stack *stack = NEW(struct stack);
	struct stat st;

	stack->refs = 1;
	stack->name = mem_strdup(name);
	stack->path = mem_printf("%s/%s", stacks->dir, name);
	stack->description = read_description(stack);
	stack->serial = ++stacks->last_serial;
	if (stat(stack->path, &st) == 0)
		stack->mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	TAILQ_INSERT_TAIL(&stacks->list, stack, link);
	return stack;
}

static void
stack_remove(struct stacks *stacks, struct stack *stack)
{
	TAILQ_REMOVE(&stacks->list, stack, link);
	stack_unref(stack);
}

/* ---- mkdir and rmdir ------------------------------------------------------------------------- */

static int
stack_mkdir(struct node *dir, const char *name, struct treq *req, struct err *err)
{
	struct stacks *stacks = node_room(dir);
	AUTO(free) char *path = mem_printf("%s/%s", stacks->dir, name);
	int code;

	(void)req;
	if (!hooks_name_is_valid(name))
		return err_set(err, EINVAL,
			"a stack's name is 1 to 64 of letters, digits, '_', '.' and '-', and "
			"begins with none of the last two");
	if (mkdir(path, 0750) != 0)
		return err_set(err, errno, "stack '%s': %s", name, strerror(errno));
	code = hooks_add_stack(stacks->opt.hooks, name, err);
	if (code < 0) {
		(void)rmdir(path); /* the error that matters is code */
		return code;
	}
	(void)stack_add(stacks, name); /* the list's */
	tree_added(stacks->opt.tree, "/stacks", name);
	return 0;
}

static void
remove_below(const char *path, const char *name, int flags)
{
	AUTO(free) char *below = mem_printf("%s/%s", path, name);

	(void)unlinkat(AT_FDCWD, below, flags); /* what stays makes the rmdir after it fail */
}

static int
stack_rmdir(struct node *dir, const char *name, struct treq *req, struct err *err)
{
	struct stacks *stacks = node_room(dir);
	struct stack *stack = stack_find(stacks, name);
	int code;

	(void)req;
	if (!stack)
		return err_set(err, ENOENT, "there is no stack '%s'", name);
	if (stacks->opt.has_unfinished(stacks->opt.arg, name))
		return err_set(err, ENOTEMPTY,
			"stack '%s' has events that are not finished, or it is not known yet that "
			"it has none",
			name);
	code = hooks_remove_stack(stacks->opt.hooks, name, err);
	if (code < 0)
		return code;
	remove_below(stack->path, "description", 0);
	remove_below(stack->path, "hooks", AT_REMOVEDIR);
	remove_below(stack->path, "lib", AT_REMOVEDIR);
	if (rmdir(stack->path) != 0) {
		code = err_set(err, errno, "%s: %s", stack->path, strerror(errno));
		if (hooks_add_stack(stacks->opt.hooks, name, NULL) == 0)
			return code; /* somebody keeps other things there: it stays a stack */
	}
	stack_remove(stacks, stack);
	tree_removed(stacks->opt.tree, "/stacks", name);
	return code;
}

const struct dir_edit stacks_edit = {.mkdir = stack_mkdir, .rmdir = stack_rmdir};

/* ---- the set --------------------------------------------------------------------------------- */

static int
stack_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	struct stack *stack = stack_find(node_room(parent), name);

	(void)req;
	if (!stack)
		return err_set(err, ENOENT, "there is no stack '%s'", name);
	stack->refs++;
	*ret_obj = stack;
	*ret_ino = 0;
	return 0;
}

static int
stack_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	const struct stacks *stacks = node_room(parent);
	struct stack *stack;

	(void)req;
	(void)err;
	TAILQ_FOREACH (stack, &stacks->list, link)
		if (stack->serial > cookie && !entry(arg, stack->name, 0, stack->serial))
			break;
	return 0;
}

static void
stack_release(void *obj)
{
	stack_unref(obj);
}

static int64_t
stack_mtime(void *obj)
{
	const struct stack *stack = obj;

	return stack->mtime_ns;
}

const struct node_set stacks_set = {
	.lookup = stack_lookup,
	.list = stack_list,
	.release = stack_release,
	.mtime_ns = stack_mtime,
	.keeps_perms = true,
};

/* ---- description ----------------------------------------------------------------------------- */

struct description_job {
	struct lane_job job; /* first */
	struct stack *stack; /* a reference */
	struct treq *req;
	char *path, *text;
	int code;
};

static void
description_run(struct lane_job *lane_job)
{
	struct description_job *job = (struct description_job *)lane_job;

	AUTO(free) char *line = mem_printf("%s\n", job->text);

	job->code = file_replace(job->path, line, strlen(line), 0640);
}

static void
description_done(struct lane_job *lane_job)
{
	struct description_job *job = (struct description_job *)lane_job;
	struct err err = {0};

	if (job->code < 0) {
		(void)err_set(&err, -job->code, "%s cannot be written: %s", job->path,
			strerror(-job->code)); /* told by the reply */
	} else {
		free(job->stack->description);
		job->stack->description = TAKE(job->text);
	}
	treq_reply(job->req, job->code, job->code ? &err : NULL);
	stack_unref(job->stack);
	free(job->path);
	free(job->text);
	free(job);
}

int
stack_description_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct stack *stack = node_pinned(node, &stacks_set);

	(void)err;
	sbuf_printf(out, "%s\n", stack->description);
	return 0;
}

int
stack_description_set(
	struct node *node, const char *text, size_t len, struct treq *req, struct err *err)
{
	struct stacks *stacks = node_room(node);
	struct stack *stack = node_pinned(node, &stacks_set);
	struct description_job *job;

	if (len >= DESCRIPTION_MAX)
		return err_set(err, EFBIG, "a description has less than %d bytes", DESCRIPTION_MAX);
	if (memchr(text, '\0', len))
		return err_set(err, EINVAL, "a description holds no NUL byte");
	job = NEW(struct description_job);
	job->job.run = description_run;
	job->job.done = description_done;
	job->stack = stack;
	stack->refs++;
	job->req = req;
	job->path = mem_printf("%s/description", stack->path);
	job->text = mem_strdup(text);
	lane_submit(stacks->opt.files, &job->job);
	return TREE_PARKED;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int
find_stacks(struct stacks *stacks, struct err *err)
{
	AUTO(dir) DIR *d = NULL;
	struct dirent *entry;
	int code = 0;

	if (mkdir(stacks->dir, 0750) != 0 && errno != EEXIST)
		return err_set(err, errno, "%s: %s", stacks->dir, strerror(errno));
	d = opendir(stacks->dir);
	if (!d)
		return err_set(err, errno, "%s: %s", stacks->dir, strerror(errno));
	while (code == 0 && (entry = readdir(d))) {
		AUTO(free) char *path = mem_printf("%s/%s", stacks->dir, entry->d_name);
		struct stat st;

		if (!hooks_name_is_valid(entry->d_name) || stat(path, &st) != 0 ||
			!S_ISDIR(st.st_mode))
			continue;
		code = hooks_add_stack(stacks->opt.hooks, entry->d_name, err);
		if (code == 0)
			(void)stack_add(stacks, entry->d_name); /* the list's */
	}
	return code;
}

int
stacks_new(const struct stacks_options *opt, struct stacks **ret_stacks, struct err *err)
{
	struct stacks *stacks = NEW(struct stacks);
	int code;

	stacks->opt = *opt;
	stacks->dir = mem_printf("%s/stacks", opt->state_dir);
	stacks->opt.state_dir = NULL; /* the caller's */
	TAILQ_INIT(&stacks->list);
	code = find_stacks(stacks, err);
	if (code < 0) {
		stacks_free(stacks);
		return code;
	}
	hooks_start(opt->hooks);
	*ret_stacks = stacks;
	return 0;
}

void
stacks_free(struct stacks *stacks)
{
	struct stack *stack;

	if (!stacks)
		return;
	while ((stack = TAILQ_FIRST(&stacks->list)))
		stack_remove(stacks, stack);
	free(stacks->dir);
	free(stacks);
}
