/* sloth-worker: runs user code for sloth-fsd.
 *
 *	sloth-worker --zygote [--no-new-privs]
 *	                             what the daemon starts; forks the workers (zygote.c)
 *	sloth-worker --check FILE    say what is wrong with a hook, as FILE:LINE: MESSAGE
 */
#include "base/auto.h"
#include "base/mem.h"
#include "lua/host/worker.h"
#include "lua/host/zygote.h"

#include <stdio.h>
#include <string.h>

#define CHECK_TIMEOUT_MS 5000
#define SOURCE_MAX       (4 * 1024 * 1024)

static int
read_source(const char *path, struct script *s)
{
	FILE *f = fopen(path, "re");
	int code;

	if (!f)
		return -1;
	s->source = NEW_N(char, SOURCE_MAX + 2);
	s->source_len = fread(s->source, 1, SOURCE_MAX + 1, f);
	code = ferror(f) ? errno : s->source_len > SOURCE_MAX ? EFBIG : 0;
	(void)fclose(f);
	errno = code;
	return code ? -1 : 0;
}

static bool
has_line(const char *path, const char *message)
{
	size_t len = strlen(path);

	return strncmp(message, path, len) == 0 && message[len] == ':' &&
	       strspn(message + len + 1, "0123456789") > 0;
}

static void
print_check(void *arg, const char *meta, const char *error)
{
	struct script *s = arg;
	size_t len = strlen(s->path);

	if (meta) {
		s->hook_id = 1; /* good */
		return;
	}
	if (has_line(s->path, error))
		(void)printf("%s\n", error);
	else if (strncmp(error, s->path, len) == 0 && error[len] == ':')
		(void)printf("%s:1:%s\n", s->path, error + len + 1);
	else
		(void)printf("%s:1: %s\n", s->path, error);
}

static int
check_file(const char *path, struct library *library)
{
	struct script *s = NEW(struct script);
	struct worker *w;
	struct err err;
	int code;

	*s = (struct script){
		.refs = 1, .path = mem_strdup(path), .lib_dirs = mem_strdup("lib"), .hook_id = 0};
	if (read_source(path, s) < 0) {
		(void)printf("%s:1: cannot be read: %s\n", path, strerror(errno));
		script_unref(s);
		return EXIT_FAILURE;
	}
	if (worker_new(-1, library, &w, &err) < 0) {
		(void)fprintf(stderr, "sloth-worker: %s\n", err.msg);
		script_unref(s);
		return EXIT_FAILURE;
	}
	w->report = print_check;
	w->report_arg = s;
	worker_check(w, s, 1, CHECK_TIMEOUT_MS);
	while (w->runs)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	code = s->hook_id ? EXIT_SUCCESS : EXIT_FAILURE;
	worker_free(w);
	script_unref(s);
	return code;
}

int
main(int argc, char **argv)
{
	struct library *library;
	bool is_zygote, has_option;
	struct err err;
	int code;

	is_zygote = argc > 1 && strcmp(argv[1], "--zygote") == 0;
	has_option = argc == 3 && strcmp(argv[2], "--no-new-privs") == 0;
	if (is_zygote ? argc > 2 && !has_option : argc != 3 || strcmp(argv[1], "--check") != 0) {
		(void)fputs("usage: sloth-worker --check FILE\n"
			    "       sloth-worker --zygote [--no-new-privs]   "
			    "(sloth-fsd starts this)\n",
			stderr);
		return 2;
	}
	if (library_new(&library, &err) < 0) {
		(void)fprintf(stderr, "sloth-worker: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	code = is_zygote ? zygote_main(library, has_option) : check_file(argv[2], library);
	library_free(library);
	return code;
}
