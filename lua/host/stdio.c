/* io and os as scripts see them.
 *
 * Files are Lua's own; only how they are opened is ours: paths mean the hook's directory, and what
 * is not a regular file (a pipe, a terminal) is refused, because reading it would stop the whole
 * worker.  popen and execute wait through exec; popen's output is a memory file, so that every
 * method of files works on it.  Standard output goes to the recorded output, input is empty.
 */
#include "lua/host/invocation.h"

#include <errno.h>
#include <fcntl.h>
#include <lualib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* ---- files ---------------------------------------------------------------------------------- */

/* s->f is open now, until it is closed or collected. */
static void
open_stream(lua_State *L, luaL_Stream *s, lua_CFunction close)
{
	s->closef = close;
	state_of(L)->open_files++;
}

static int
close_stream(lua_State *L, luaL_Stream *s)
{
	state_of(L)->open_files--;
	return fclose(s->f);
}

static int
close_file(lua_State *L)
{
	luaL_Stream *s = luaL_checkudata(L, 1, LUA_FILEHANDLE);

	return luaL_fileresult(L, close_stream(L, s) == 0, NULL);
}

static luaL_Stream *
push_stream(lua_State *L, lua_CFunction close)
{
	luaL_Stream *s = lua_newuserdatauv(L, sizeof(*s), 1);

	s->f = NULL;
	s->closef = NULL; /* a closed file, until it is open */
	luaL_setmetatable(L, LUA_FILEHANDLE);
	s->closef = close;
	return s;
}

static bool
is_good_mode(const char *mode)
{
	return *mode && strchr("rwa", *mode) && strspn(mode + 1, "+b") == strlen(mode + 1);
}

/* An fd of a regular file, or -1 and errno. */
static int
open_regular(const char *path, const char *mode)
{
	int flags = mode[1] == '+' || (mode[1] && mode[2] == '+') ? O_RDWR
		    : *mode == 'r'                                ? O_RDONLY
								  : O_WRONLY;
	struct stat st;
	int fd;

	if (*mode == 'w')
		flags |= O_CREAT | O_TRUNC;
	else if (*mode == 'a')
		flags |= O_CREAT | O_APPEND;
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 &&
		(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || strcmp(path, "/dev/null") == 0))
		return fd;
	(void)close(fd);
	errno = ESPIPE;
	return -1;
}

static int
io_open(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *mode = luaL_optstring(L, 2, "r");
	const char *path = host_path(L, name);
	luaL_Stream *s;
	int fd;

	luaL_argcheck(L, is_good_mode(mode), 2, "invalid mode");
	s = push_stream(L, NULL);
	if (mode[0] != 'r' || strchr(mode, '+'))
		host_touch(L);
	fd = open_regular(path, mode);
	s->f = fd < 0 ? NULL : fdopen(fd, mode);
	if (!s->f) {
		int code = errno;

		if (fd >= 0)
			(void)close(fd);
		errno = code;
		return luaL_fileresult(L, 0, name);
	}
	open_stream(L, s, close_file);
	return 1;
}

static int
io_tmpfile(lua_State *L)
{
	luaL_Stream *s = push_stream(L, NULL);

	s->f = tmpfile();
	if (!s->f)
		return luaL_fileresult(L, 0, NULL);
	open_stream(L, s, close_file);
	return 1;
}

/* ---- programs ------------------------------------------------------------------------------- */

/* The three values of os.execute and of closing a popen. */
static int
push_status(lua_State *L, int code, int signal)
{
	if (code == 0 && signal == 0)
		lua_pushboolean(L, 1);
	else
		luaL_pushfail(L);
	lua_pushstring(L, signal ? "signal" : "exit");
	lua_pushinteger(L, signal ? signal : code);
	return 3;
}

static int
execute_results(lua_State *L, const struct exec_result *r)
{
	host_output(L, sbuf_str(&r->out), r->out.len);
	host_output(L, sbuf_str(&r->err), r->err.len);
	return push_status(L, r->exit_code, r->signal);
}

static int
os_execute(lua_State *L)
{
	struct exec_options opt = {.command = luaL_optstring(L, 1, NULL)};

	if (opt.command)
		return exec_wait(L, &opt, execute_results);
	lua_pushboolean(L, 1); /* there is a shell */
	return 1;
}

/* A popen to read from: the program has ended; its status is the file's user value. */
static int
close_output(lua_State *L)
{
	luaL_Stream *s = luaL_checkudata(L, 1, LUA_FILEHANDLE);
	lua_Integer status;

	(void)close_stream(L, s);
	lua_getiuservalue(L, 1, 1);
	status = lua_tointeger(L, -1);
	return push_status(L, (int)(status & 0xff), (int)(status >> 8));
}

static int
popen_results(lua_State *L, const struct exec_result *r)
{
	luaL_Stream *s = push_stream(L, NULL);
	int fd;

	host_output(L, sbuf_str(&r->err), r->err.len);
	lua_pushinteger(L, r->signal << 8 | (r->exit_code & 0xff));
	lua_setiuservalue(L, -2, 1);
	fd = memfd_create("popen", MFD_CLOEXEC);
	s->f = fd < 0 ? NULL : fdopen(fd, "w+");
	if (!s->f) {
		if (fd >= 0)
			(void)close(fd);
		return luaL_fileresult(L, 0, "popen");
	}
	open_stream(L, s, close_output);
	if (r->out.len > 0 && fwrite(r->out.data, r->out.len, 1, s->f) != 1)
		return luaL_fileresult(L, 0, "popen");
	rewind(s->f);
	return 1;
}

/* A popen to write to: the program runs when it is closed, with what was written as its input. */
static int
close_input(lua_State *L)
{
	luaL_Stream *s = luaL_checkudata(L, 1, LUA_FILEHANDLE);
	struct exec_options opt = {0};
	luaL_Buffer text;
	size_t n;

	if (!limits_can_yield(L)) { /* collected, not closed: nobody is there to wait */
		(void)close_stream(L, s);
		return 0;
	}
	lua_getiuservalue(L, 1, 1);
	opt.command = lua_tostring(L, -1);
	s->closef = close_file; /* the collector's, when there is no memory for the text */
	luaL_buffinit(L, &text);
	rewind(s->f);
	while ((n = fread(luaL_prepbuffer(&text), 1, LUAL_BUFFERSIZE, s->f)) > 0)
		luaL_addsize(&text, n);
	luaL_pushresult(&text);
	(void)close_stream(L, s);
	s->closef = NULL;
	opt.input = lua_tolstring(L, -1, &opt.input_len);
	return exec_wait(L, &opt, execute_results);
}

static int
io_popen(lua_State *L)
{
	struct exec_options opt = {.command = luaL_checkstring(L, 1)};
	const char *mode = luaL_optstring(L, 2, "r");
	luaL_Stream *s;

	luaL_argcheck(L, (*mode == 'r' || *mode == 'w') && !mode[1], 2, "invalid mode");
	if (*mode == 'r')
		return exec_wait(L, &opt, popen_results);
	s = push_stream(L, NULL);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	s->f = tmpfile();
	if (!s->f)
		return luaL_fileresult(L, 0, NULL);
	open_stream(L, s, close_input);
	return 1;
}

/* ---- standard streams ----------------------------------------------------------------------- */

static void
output_from(lua_State *L, int first)
{
	int last = lua_gettop(L);

	for (int i = first; i <= last; i++) {
		size_t len;
		const char *s = luaL_checklstring(L, i, &len);

		host_output(L, s, len);
	}
}

static int
io_write(lua_State *L)
{
	output_from(L, 1);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &state_key_base);
	lua_getfield(L, -1, "io");
	lua_getfield(L, -1, "stdout");
	return 1;
}

static int
stream_write(lua_State *L)
{
	output_from(L, 2);
	lua_settop(L, 1);
	return 1;
}

static int
stream_nothing(lua_State *L)
{
	lua_pushboolean(L, 1);
	return 1;
}

/* Standard input is empty. */
static int
io_read(lua_State *L)
{
	luaL_pushfail(L);
	return 1;
}

static const luaL_Reg stream_functions[] = {
	{"write", stream_write},
	{"read", io_read},
	{"flush", stream_nothing},
	{"setvbuf", stream_nothing},
	{"close", stream_nothing},
	{NULL, NULL},
};

static void
add_stream(lua_State *L, const char *name)
{
	luaL_newlib(L, stream_functions);
	lua_setfield(L, -2, name);
}

/* A file that nobody closed is closed while someone else's Lua may be running. */
static int
collect_file(lua_State *L)
{
	const struct invocation *inv = invocation_of(L);
	struct worker_page *page = inv ? inv->worker->page : NULL;

	if (page)
		page->is_collecting = 1;
	lua_pushvalue(L, lua_upvalueindex(1)); /* Lua's own, which raises nothing: it is closef */
	lua_pushvalue(L, 1);
	lua_call(L, 1, 0);
	if (page)
		page->is_collecting = 0;
	return 0;
}

/* The metatable of files is on top. */
static void
wrap_collecting(lua_State *L)
{
	lua_getfield(L, -1, "__gc");
	lua_pushcclosure(L, collect_file, 1);
	lua_setfield(L, -2, "__gc");
}

int
sandbox_open_io(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"open", io_open},
		{"tmpfile", io_tmpfile},
		{"popen", io_popen},
		{"write", io_write},
		{"read", io_read},
		{NULL, NULL},
	};

	luaopen_io(L); /* makes the metatable of files */
	luaL_newlib(L, functions);
	lua_getfield(L, -2, "type");
	lua_setfield(L, -2, "type");
	add_stream(L, "stdin");
	add_stream(L, "stdout");
	add_stream(L, "stderr");
	if (!library_push(L, state_of(L)->worker->library, "host", "lines"))
		return luaL_error(L, "lua/host/lines.lua is missing in this build");
	lua_call(L, 0, 1);
	lua_getfield(L, -2, "open");
	lua_call(L, 1, 1);
	lua_setfield(L, -2, "lines");

	luaL_getmetatable(L, LUA_FILEHANDLE);
	wrap_collecting(L);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
	return 1;
}

/* ---- os ------------------------------------------------------------------------------------- */

/* remove and rename with paths as scripts mean them; the original is the upvalue. */
static int
with_paths(lua_State *L)
{
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++) {
		(void)host_path(L, luaL_checkstring(L, i));
		lua_replace(L, i);
	}
	host_touch(L);
	return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

int
sandbox_open_os(lua_State *L)
{
	luaopen_os(L);
	lua_pushcfunction(L, os_execute);
	lua_setfield(L, -2, "execute");
	lua_getfield(L, -1, "remove");
	lua_pushcclosure(L, with_paths, 1);
	lua_setfield(L, -2, "remove");
	lua_getfield(L, -1, "rename");
	lua_pushcclosure(L, with_paths, 1);
	lua_setfield(L, -2, "rename");
	return 1;
}
