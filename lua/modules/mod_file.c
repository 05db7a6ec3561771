/* file: whole files.  Its functions are declared in doc/file.lua.
 *
 * Only regular files are opened, so that a pipe or a device cannot hold a thread.
 */
#include "base/auto.h"
#include "base/mem.h"
#include "lua/modules/file_work.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct file_work {
	struct work work; /* first */
	char *path;
	struct sbuf content;
	int flags; /* O_TRUNC or O_APPEND of a write */
	int code;
};

int
file_open_regular(const char *path, int flags, mode_t mode)
{
	AUTO(fd) int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, mode);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return TAKE_FD(fd);
}

static void
fini(struct work *work)
{
	struct file_work *file = (struct file_work *)work;

	free(file->path);
	sbuf_fini(&file->content);
}

static void
run_read(struct work *work)
{
	struct file_work *file = (struct file_work *)work;
	AUTO(fd) int fd = file_open_regular(file->path, O_RDONLY, 0);

	file->code = fd < 0 ? fd : file_read_fd(fd, FILE_BYTES_MAX, &file->content);
}

static int
read_results(lua_State *L, struct work *work)
{
	struct file_work *file = (struct file_work *)work;

	if (file->code < 0)
		return module_fail(L, "file.read", file->path, file->code);
	lua_pushlstring(L, sbuf_str(&file->content), file->content.len);
	return 1;
}

static int
file_read(lua_State *L)
{
	const char *path = host_path(L, luaL_checkstring(L, 1));
	struct file_work *file = work_begin(L, sizeof(*file));

	file->work.run = run_read;
	file->work.results = read_results;
	file->work.fini = fini;
	file->path = mem_strdup(path);
	return work_wait(L, &file->work);
}

static void
run_write(struct work *work)
{
	struct file_work *file = (struct file_work *)work;
	AUTO(fd) int fd = file_open_regular(file->path, O_WRONLY | O_CREAT | file->flags, 0644);

	file->code = fd < 0 ? fd : file_write_fd(fd, sbuf_str(&file->content), file->content.len);
}

static int
write_results(lua_State *L, struct work *work)
{
	struct file_work *file = (struct file_work *)work;

	if (file->code < 0) {
		(void)module_fail(L, file->flags & O_APPEND ? "file.append" : "file.write",
			file->path, file->code);
		lua_pushboolean(L, false);
		lua_replace(L, -3);
		return 2;
	}
	lua_pushboolean(L, true);
	return 1;
}

static int
write_with(lua_State *L, int flags)
{
	size_t len;
	const char *path = host_path(L, luaL_checkstring(L, 1));
	const char *content = luaL_checklstring(L, 2, &len);
	struct file_work *file;

	if (host_is_check(L))
		return luaL_error(L, "a script must not write files while it is loaded");
	file = work_begin(L, sizeof(*file));
	host_touch(L);
	file->work.run = run_write;
	file->work.results = write_results;
	file->work.fini = fini;
	file->flags = flags;
	file->path = mem_strdup(path);
	sbuf_add(&file->content, content, len);
	return work_wait(L, &file->work);
}

static int
file_write(lua_State *L)
{
	return write_with(L, O_TRUNC);
}

static int
file_append(lua_State *L)
{
	return write_with(L, O_APPEND);
}

static void
run_exists(struct work *work)
{
	struct file_work *file = (struct file_work *)work;

	file->code = access(file->path, F_OK) == 0 ? 0 : -errno;
}

static int
exists_results(lua_State *L, struct work *work)
{
	lua_pushboolean(L, ((struct file_work *)work)->code == 0);
	return 1;
}

static int
file_exists(lua_State *L)
{
	const char *path = host_path(L, luaL_checkstring(L, 1));
	struct file_work *file = work_begin(L, sizeof(*file));

	file->work.run = run_exists;
	file->work.results = exists_results;
	file->work.fini = fini;
	file->path = mem_strdup(path);
	return work_wait(L, &file->work);
}

int
module_file(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"read", file_read},
		{"write", file_write},
		{"append", file_append},
		{"exists", file_exists},
		{NULL, NULL},
	};

	luaL_newlib(L, functions);
	return 1;
}
