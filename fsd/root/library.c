/* What the build holds to be read: documentation of the Lua modules, annotations for language
 * servers, templates.  Each directory is a shelf: files of one table whose paths begin and end
 * alike. A row's directory finds its shelf by its name, so that another one costs a row and a line
 * here. */
#include "base/embed.h"
#include "fsd/tree/room.h"
#include "handlers.h"

#include <errno.h>
#include <string.h>

#define LUARC "mount-layout/templates/root/luarc.json"

struct shelf {
	const char *dir; /* in the mount: its last component */
	const struct embedded_file *files;
	const char *prefix, *suffix; /* of their paths in the build */
	bool keeps_suffix;           /* of their names in the mount */
};

static const struct shelf shelves[] = {
	{"modules", embedded_modules, "build/gen/modules/", ".txt", false},
	{".luals", embedded_modules, "build/gen/modules/", ".lua", true},
	{"hooks", embedded_templates, "mount-layout/templates/hooks/", ".lua", true},
};

static const struct shelf *
shelf_of(const struct node *dir)
{
	const struct shelf *shelf = shelves;

	while (strcmp(shelf->dir, node_name(dir)) != 0)
		shelf++; /* each row that names library_set has one */
	return shelf;
}

/* Write the name the file has on the shelf.  Returns false when it stands on another. */
static bool
name_on(const struct shelf *shelf, const struct embedded_file *file, char ret_name[256])
{
	size_t prefix = strlen(shelf->prefix), suffix = strlen(shelf->suffix);
	size_t len = strlen(file->path);

	if (len <= prefix + suffix || strncmp(file->path, shelf->prefix, prefix) != 0 ||
		strcmp(file->path + len - suffix, shelf->suffix) != 0)
		return false;
	len -= prefix + (shelf->keeps_suffix ? 0 : suffix);
	if (len > 255)
		return false;
	memcpy(ret_name, file->path + prefix, len);
	ret_name[len] = '\0';
	return true;
}

static int
library_lookup(struct node *parent, const char *name, struct treq *req, void **ret_obj,
	uint64_t *ret_ino, struct err *err)
{
	const struct shelf *shelf = shelf_of(parent);
	const struct embedded_file *file;
	char own[256];

	(void)req;
	for (file = shelf->files; file->path; file++) {
		if (!name_on(shelf, file, own) || strcmp(own, name) != 0)
			continue;
		*ret_obj = (void *)(uintptr_t)file; /* pinned objects are not const in general */
		*ret_ino = 0;
		return 0;
	}
	return err_set(err, ENOENT, "there is no '%s' in this build", name);
}

static int
library_list(struct node *parent, uint64_t cookie, struct treq *req, entry_fn *entry, void *arg,
	struct err *err)
{
	const struct shelf *shelf = shelf_of(parent);
	const struct embedded_file *file;
	char own[256];

	(void)req, (void)err;
	for (file = shelf->files; file->path; file++) {
		uint64_t at = (uint64_t)(file - shelf->files) + 1;

		if (at > cookie && name_on(shelf, file, own) && !entry(arg, own, 0, at))
			break;
	}
	return 0;
}

const struct node_set library_set = {
	.lookup = library_lookup,
	.list = library_list,
	.keeps_perms = true,
};

int
library_read(struct node *node, struct sbuf *out, struct err *err)
{
	const struct embedded_file *file = node_pinned(node, &library_set);

	(void)err;
	sbuf_add(out, file->data, file->len);
	return 0;
}

int
library_luarc(struct node *node, struct sbuf *out, struct err *err)
{
	const struct embedded_file *file = embedded_find(embedded_templates, LUARC);

	(void)node;
	if (!file)
		return err_set(err, ENOENT, "this build has no .luarc.json");
	sbuf_add(out, file->data, file->len);
	return 0;
}
