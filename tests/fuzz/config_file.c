/* Whatever stands in config.yaml: no crash; and a change of one key that is accepted changes that
 * key and no other.
 *
 * The input is the file; its first byte chooses the key. */
#include "base/auto.h"
#include "base/mem.h"
#include "fsd/config.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

/* What a reader heard of a file: the keys but one, and the value of that one. */
struct heard {
	const char *key;
	struct sbuf others;
	char *value;
};

static int
hear(void *arg, const char *key, const char *value, unsigned line, struct err *err)
{
	struct heard *heard = arg;

	(void)line, (void)err;
	if (strcmp(key, heard->key) != 0) {
		sbuf_printf(&heard->others, "%s=%s\n", key, value);
		return 0;
	}
	free(heard->value);
	heard->value = mem_strdup(value);
	return 0;
}

static void
heard_fini(struct heard *heard)
{
	sbuf_fini(&heard->others);
	free(heard->value);
}

static void
write_file(const char *path, const uint8_t *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	(void)close(fd); /* what was written can be read */
}

/* One place for all inputs, removed at the end. */
static char dir[] = "/tmp/sloth-fuzz-XXXXXX", path[64];

static void
leave(void)
{
	(void)unlink(path);
	(void)rmdir(dir);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct heard before = {0}, after = {0};
	struct err err;

	if (len < 1)
		return 0;
	if (!path[0]) {
		assert(mkdtemp(dir));
		(void)snprintf(path, sizeof(path), "%s/config.yaml", dir);
		assert(atexit(leave) == 0);
	}
	before.key = after.key = config_name(input[0] % 8);
	write_file(path, input + 1, len - 1);
	if (config_file_read(path, hear, &before, &err) == 0 &&
		config_file_edit(path, before.key, "12", &err) == 0) {
		int code = config_file_read(path, hear, &after, &err);

		assert(code == 0 && after.value && !strcmp(after.value, "12"));
		assert(!strcmp(sbuf_str(&before.others), sbuf_str(&after.others)));
	}
	heard_fini(&before);
	heard_fini(&after);
	return 0;
}
