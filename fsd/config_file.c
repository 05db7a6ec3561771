/* config.yaml: one mapping of names to values, read with libyaml, edited in place.
 *
 * An edit replaces the bytes of the one value (libyaml says where it stands) or appends a line, so
 * comments, order and unknown keys stay as the user wrote them.  The edited text is parsed again
 * before it replaces the file: whatever style the file is in, it then says what was asked, or the
 * change is refused.
 */
#include "base/auto.h"
#include "base/file.h"
#include "base/mem.h"
#include "fsd/config.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define CONFIG_FILE_MAX (1024 * 1024)

/* A parsed text: the document and its top-level pairs. */
struct parsed {
	yaml_document_t doc;
	yaml_node_pair_t *first, *past; /* equal when the text is empty */
};

static int
refuse_syntax(const char *path, const yaml_parser_t *parser, struct err *err)
{
	return err_set(err, EINVAL, "%s:%zu: %s", path, parser->problem_mark.line + 1,
		parser->problem ? parser->problem : "cannot be parsed");
}

/* Parse text; the document must be released unless this fails. */
static int
parse(const char *path, const char *text, size_t len, struct parsed *ret, struct err *err)
{
	yaml_parser_t parser;
	yaml_node_t *root;
	int rc = 0;

	if (!yaml_parser_initialize(&parser))
		return err_set(err, ENOMEM, "%s: no memory to parse it", path);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &ret->doc)) {
		rc = refuse_syntax(path, &parser, err);
		yaml_parser_delete(&parser);
		return rc;
	}
	yaml_parser_delete(&parser);
	ret->first = ret->past = NULL;
	root = yaml_document_get_root_node(&ret->doc);
	if (!root || (root->type == YAML_SCALAR_NODE && !root->data.scalar.length))
		return 0; /* empty, or only comments */
	if (root->type != YAML_MAPPING_NODE) {
		rc = err_set(err, EINVAL, "%s:%zu: expected lines of `name: value`", path,
			root->start_mark.line + 1);
		yaml_document_delete(&ret->doc); /* root is a part of it */
		return rc;
	}
	ret->first = root->data.mapping.pairs.start;
	ret->past = root->data.mapping.pairs.top;
	return 0;
}

static const char *
scalar(struct parsed *p, int id, yaml_node_t **ret_node)
{
	*ret_node = yaml_document_get_node(&p->doc, id);
	return (*ret_node)->type == YAML_SCALAR_NODE ? (const char *)(*ret_node)->data.scalar.value
						     : NULL;
}

/* The whole file in out; a missing one is empty.  ret_mode is its mode, or that of a new one. */
static int
read_whole(const char *path, struct sbuf *out, mode_t *ret_mode, struct err *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int rc;

	*ret_mode = 0644;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, errno, "%s: cannot be read: %s", path, strerror(errno));
	*ret_mode = st.st_mode & 07777;
	rc = file_read_fd(fd, CONFIG_FILE_MAX, out);
	if (rc == -EFBIG)
		return err_set(err, EFBIG, "%s: longer than 1 MiB: not a config file", path);
	if (rc < 0)
		return err_set(err, -rc, "%s: cannot be read: %s", path, strerror(-rc));
	return 0;
}

static int
each_pair(const char *path, struct parsed *p, config_entry_fn *fn, void *arg, struct err *err)
{
	for (yaml_node_pair_t *pair = p->first; pair < p->past; pair++) {
		yaml_node_t *key_node, *value_node;
		const char *key = scalar(p, pair->key, &key_node);
		const char *value = scalar(p, pair->value, &value_node);
		unsigned line = (unsigned)key_node->start_mark.line + 1;
		int rc;

		if (!key || (!value && config_has(key)))
			return err_set(err, EINVAL, "%s:%u: expected `name: value`", path, line);
		rc = fn(arg, key, value ? value : "", line, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
config_file_read(const char *path, config_entry_fn *fn, void *arg, struct err *err)
{
	AUTO(sbuf) struct sbuf text = {0};
	struct parsed p;
	mode_t mode;
	int rc = read_whole(path, &text, &mode, err);

	if (rc < 0)
		return rc;
	rc = parse(path, sbuf_str(&text), text.len, &p, err);
	if (rc < 0)
		return rc;
	rc = each_pair(path, &p, fn, arg, err);
	yaml_document_delete(&p.doc);
	return rc;
}

/* ---- editing -------------------------------------------------------------------------------- */

/* libyaml counts characters; we cut bytes. */
static size_t
byte_offset(const struct sbuf *text, size_t characters)
{
	size_t i = 0;

	if (text->len >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0)
		i = 3; /* the byte order mark is not counted */
	for (; characters && i < text->len; characters--)
		do
			i++;
		while (i < text->len && ((unsigned char)text->data[i] & 0xc0) == 0x80);
	return i;
}

/* Find the value of key; false when the text has none. */
static bool
find_value(struct parsed *p, const struct sbuf *text, const char *key, size_t *ret_from,
	size_t *ret_to)
{
	for (yaml_node_pair_t *pair = p->first; pair < p->past; pair++) {
		yaml_node_t *node;
		const char *name = scalar(p, pair->key, &node);

		if (!name || strcmp(name, key) != 0)
			continue;
		node = yaml_document_get_node(&p->doc, pair->value);
		*ret_from = byte_offset(text, node->start_mark.index);
		*ret_to = byte_offset(text, node->end_mark.index);
		return true;
	}
	return false;
}

static void
edit_text(struct parsed *p, const struct sbuf *text, const char *key, const char *value,
	struct sbuf *out)
{
	const char *old = sbuf_str(text);
	size_t from, to;

	if (find_value(p, text, key, &from, &to)) {
		sbuf_add(out, old, from);
		sbuf_adds(out, value);
		if (to > from && old[to - 1] == '\n')
			sbuf_addc(out, '\n'); /* a block scalar ends behind its newline */
		sbuf_add(out, old + to, text->len - to);
		return;
	}
	sbuf_add(out, old, text->len);
	if (text->len && old[text->len - 1] != '\n')
		sbuf_addc(out, '\n');
	sbuf_printf(out, "%s: %s\n", key, value);
}

/* Whether text, parsed, gives the key this value. */
static bool
says(const char *path, const struct sbuf *text, const char *key, const char *value)
{
	struct parsed p;
	bool is_so = false;

	if (parse(path, sbuf_str(text), text->len, &p, NULL) < 0)
		return false;
	for (yaml_node_pair_t *pair = p.first; pair < p.past; pair++) {
		yaml_node_t *node;
		const char *k = scalar(&p, pair->key, &node);
		const char *v = scalar(&p, pair->value, &node);

		if (k && v && strcmp(k, key) == 0)
			is_so = strcmp(v, value) == 0;
	}
	yaml_document_delete(&p.doc);
	return is_so;
}

static int
replace_file(const char *path, const struct sbuf *text, mode_t mode, struct err *err)
{
	AUTO(free) char *dir = mem_strdup(path);
	int rc;

	if (mkdir(dirname(dir), 0755) < 0 && errno != EEXIST)
		return err_set(
			err, errno, "%s: its directory cannot be made: %s", path, strerror(errno));
	rc = file_replace(path, sbuf_str(text), text->len, mode);
	return rc < 0 ? err_set(err, -rc, "%s: cannot be written: %s", path, strerror(-rc)) : 0;
}

int
config_file_edit(const char *path, const char *key, const char *value, struct err *err)
{
	AUTO(sbuf) struct sbuf text = {0};
	AUTO(sbuf) struct sbuf edited = {0};
	struct parsed p;
	mode_t mode;
	int rc = read_whole(path, &text, &mode, err);

	if (rc < 0)
		return rc;
	rc = parse(path, sbuf_str(&text), text.len, &p, err);
	if (rc < 0)
		return rc;
	edit_text(&p, &text, key, value, &edited);
	yaml_document_delete(&p.doc);
	if (!says(path, &edited, key, value))
		return err_set(err, EINVAL,
			"%s: '%s' cannot be changed in a file of this form; write it as `%s: %s`",
			path, key, key, value);
	return replace_file(path, &edited, mode, err);
}
