/* file_ops: changes to files that leave them alone when nothing is to change.  Its functions are
 * declared in doc/file_ops.lua.
 *
 * Lines that are several are looked for one below the other.  The file is replaced in one step,
 * under a lock, so that many hooks may add lines to one file at once.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "lua/modules/file_work.h"

#include <fcntl.h>
#include <regex.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct line_work {
	struct work work; /* first */
	char *path, *line;
	char *expression; /* NULL: lines are compared whole */
	regex_t regexp;   /* of the expression, once compiled */
	bool is_compiled, is_absent, may_create, is_changed;
	int code;
	struct err err; /* set when the expression is the failure */
};

/* ---- the regular expression ----------------------------------------------------------------- */

/* Translate the few Perl forms that people write into POSIX classes. */
static void
translate_regexp(struct sbuf *out, const char *re)
{
	static const struct {
		char letter;
		const char *class;
	} classes[] = {{'d', "[0-9]"}, {'D', "[^0-9]"}, {'s', "[[:space:]]"}, {'S', "[^[:space:]]"},
		{'w', "[[:alnum:]_]"}, {'W', "[^[:alnum:]_]"}};

	for (; *re; re++) {
		size_t i;

		if (re[0] != '\\' || !re[1]) {
			sbuf_addc(out, *re);
			continue;
		}
		re++;
		for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
			if (classes[i].letter == *re)
				break;
		if (i < sizeof(classes) / sizeof(classes[0])) {
			sbuf_adds(out, classes[i].class);
		} else {
			sbuf_addc(out, '\\');
			sbuf_addc(out, *re);
		}
	}
}

static int
compile_regexp(struct line_work *w)
{
	const char *re = w->expression;
	AUTO(sbuf) struct sbuf posix = {0};
	int flags = REG_EXTENDED | REG_NOSUB;
	char reason[128];
	int rc;

	if (strncmp(re, "(?i)", 4) == 0) {
		flags |= REG_ICASE;
		re += 4;
	}
	translate_regexp(&posix, re);
	rc = regcomp(&w->regexp, sbuf_str(&posix), flags);
	w->is_compiled = rc == 0;
	if (rc == 0)
		return 0;
	(void)regerror(rc, &w->regexp, reason, sizeof(reason));
	return err_set(&w->err, EINVAL, "regexp '%s': %s", w->expression, reason);
}

/* ---- the edit, on the pool ------------------------------------------------------------------- */

/* Whether the line, or the lines, stand at the text. */
static bool
stands_at(const struct line_work *w, const char *text)
{
	size_t len = strlen(w->line);

	if (w->is_compiled && w->is_absent)
		return false; /* the expression alone says what goes */
	return strncmp(text, w->line, len) == 0 && (text[len] == '\n' || !text[len]);
}

static bool
matches(const struct line_work *w, const char *line)
{
	return w->is_compiled && regexec(&w->regexp, line, 0, NULL, 0) == 0;
}

/* Write the edited text to out. */
static void
edit(struct line_work *w, char *text, struct sbuf *out)
{
	bool is_there = false;
	char *next;

	for (char *line = text; *line; line = next) {
		bool is_equal = stands_at(w, line);
		char *end = is_equal ? line + strlen(w->line) : strchrnul(line, '\n');

		next = *end ? end + 1 : end;
		*end = '\0';
		if (is_equal || matches(w, line)) {
			if (w->is_absent)
				continue;
			is_there = true;
			line = w->line;
		}
		sbuf_adds(out, line);
		sbuf_addc(out, '\n');
	}
	if (!is_there && !w->is_absent) {
		sbuf_adds(out, w->line);
		sbuf_addc(out, '\n');
	}
}

static int
make_parents(const char *path)
{
	AUTO(free) char *dir = mem_strdup(path);

	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* The file, locked.  A file replaced while we waited for its lock is opened again.  Truncating in
 * place would lose it in a crash, but the lock must be on the inode that others open, so the new
 * text replaces the old through a rename and the loop here notices. */
static int
open_locked(const struct line_work *w)
{
	int flags = O_RDWR | (w->may_create && !w->is_absent ? O_CREAT : 0);

	for (;;) {
		AUTO(fd) int fd = file_open_regular(w->path, flags, 0644);
		struct stat ours, now;

		if (fd < 0)
			return fd;
		if (flock(fd, LOCK_EX) < 0 || fstat(fd, &ours) < 0)
			return -errno;
		if (stat(w->path, &now) == 0 && now.st_ino == ours.st_ino &&
			now.st_dev == ours.st_dev)
			return TAKE_FD(fd);
	}
}

static int
replace(const struct line_work *w, int old_fd, const struct sbuf *text)
{
	AUTO(free) char *temp = mem_printf("%s.XXXXXX", w->path);
	AUTO(fd) int fd = -1;
	struct stat st;
	int code;

	if (fstat(old_fd, &st) < 0)
		return -errno;
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	code = file_write_fd(fd, sbuf_str(text), text->len);
	if (code == 0 && fchmod(fd, st.st_mode & 07777) < 0)
		code = -errno;
	if (code == 0 && fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		code = -errno;
	if (code == 0 && rename(temp, w->path) < 0)
		code = -errno;
	if (code < 0)
		(void)unlink(temp); /* the failure that counts is already known */
	return code;
}

static int
change(struct line_work *w)
{
	AUTO(sbuf) struct sbuf before = {0};
	AUTO(sbuf) struct sbuf text = {0};
	AUTO(sbuf) struct sbuf after = {0};
	AUTO(fd) int fd = -1;
	int code = w->expression ? compile_regexp(w) : 0;

	if (code == 0 && w->may_create && !w->is_absent)
		code = make_parents(w->path);
	if (code < 0)
		return code;
	fd = open_locked(w);
	if (fd == -ENOENT && w->is_absent)
		return 0;
	if (fd < 0)
		return fd;
	code = file_read_fd(fd, FILE_BYTES_MAX, &before);
	if (code < 0)
		return code;
	if (memchr(sbuf_str(&before), '\0', before.len))
		return -EINVAL; /* not a text file */
	sbuf_add(&text, sbuf_str(&before), before.len);
	edit(w, text.data, &after);
	w->is_changed = after.len != before.len ||
			memcmp(sbuf_str(&after), sbuf_str(&before), after.len) != 0;
	return w->is_changed ? replace(w, fd, &after) : 0;
}

static void
run_change(struct work *work)
{
	struct line_work *w = (struct line_work *)work;

	w->code = change(w);
}

static int
result_tostring(lua_State *L)
{
	lua_getfield(L, 1, "message");
	return 1;
}

static int
result_concat(lua_State *L)
{
	(void)luaL_tolstring(L, 1, NULL);
	(void)luaL_tolstring(L, 2, NULL);
	lua_concat(L, 2);
	return 1;
}

/* Scripts that expect a text as second result get one. */
static void
set_result_metatable(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{"__tostring", result_tostring}, {"__concat", result_concat}, {NULL, NULL}};

	if (host_new_metatable(L, "sloth.file_ops.result"))
		luaL_setfuncs(L, methods, 0);
	lua_setmetatable(L, -2);
}

static int
line_results(lua_State *L, struct work *work)
{
	struct line_work *w = (struct line_work *)work;

	if (w->err.code) {
		lua_pushnil(L);
		lua_pushfstring(L, "file_ops.lineinfile: %s", w->err.msg);
		return 2;
	}
	if (w->code < 0)
		return module_fail(L, "file_ops.lineinfile", w->path, w->code);
	lua_createtable(L, 0, 4);
	lua_pushboolean(L, w->is_changed);
	lua_setfield(L, -2, "changed");
	lua_pushboolean(L, true);
	lua_setfield(L, -2, "success");
	lua_pushstring(L, w->path);
	lua_setfield(L, -2, "path");
	lua_pushstring(L, w->is_changed ? "changed" : "unchanged");
	lua_setfield(L, -2, "message");
	set_result_metatable(L);
	lua_pushvalue(L, -1);
	return 2;
}

static void
line_fini(struct work *work)
{
	struct line_work *w = (struct line_work *)work;

	free(w->path);
	free(w->line);
	free(w->expression);
	if (w->is_compiled)
		regfree(&w->regexp);
}

/* ---- the call ------------------------------------------------------------------------------- */

static int
missing(lua_State *L, const char *key)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s parameter is required", key);
	return 2;
}

/* Bring the positional form into the table form: one table at index 1. */
static void
normalise(lua_State *L)
{
	if (lua_istable(L, 1))
		return;
	lua_settop(L, 3);
	if (lua_isnil(L, 3))
		lua_newtable(L);
	else
		luaL_checktype(L, 3, LUA_TTABLE);
	lua_insert(L, 1);
	if (lua_isnil(L, -1))
		lua_pop(L, 1);
	lua_pushvalue(L, 2);
	lua_setfield(L, 1, "path");
	lua_pushvalue(L, 3);
	lua_setfield(L, 1, "line");
}

static int
lineinfile(lua_State *L)
{
	const char *path, *line, *regexp, *state;
	struct line_work *w;
	bool may_create;
	size_t len;

	normalise(L);
	path = module_opt_str(L, 1, "path");
	line = module_opt_str(L, 1, "line");
	regexp = module_opt_str(L, 1, "regexp");
	state = module_opt_str(L, 1, "state");
	may_create = lua_getfield(L, 1, "create") != LUA_TBOOLEAN || lua_toboolean(L, -1);
	if (!path)
		return missing(L, "path");
	if (!line && !(regexp && state && strcmp(state, "absent") == 0))
		return missing(L, "line");
	if (state && strcmp(state, "present") != 0 && strcmp(state, "absent") != 0)
		return luaL_error(
			L, "file_ops.lineinfile: state is 'present' or 'absent', not '%s'", state);
	len = line ? strlen(line) : 0;
	path = host_path(L, path);
	if (host_is_check(L))
		return luaL_error(L, "a script must not change files while it is loaded");
	w = work_begin(L, sizeof(*w));
	host_touch(L);
	w->work.run = run_change;
	w->work.results = line_results;
	w->work.fini = line_fini;
	w->path = mem_strdup(path);
	w->line = mem_strndup(line ? line : "", len - (len > 0 && line[len - 1] == '\n'));
	w->is_absent = state && strcmp(state, "absent") == 0;
	w->may_create = may_create;
	w->expression = mem_strdup(regexp);
	return work_wait(L, &w->work);
}

int
module_file_ops(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"lineinfile", lineinfile},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
