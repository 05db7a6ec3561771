/* events/<id>/why is made for eyes and for awk: a hook, one word, a sentence. */
#include "tools/runner/explanation.h"

#include "base/auto.h"
#include "tools/runner/event.h"

#include <errno.h>
#include <string.h>

/* The next word of the line.  Returns where it begins; *line moves behind it. */
static const char *
next_word(const char **line, size_t *ret_len)
{
	const char *word = *line + strspn(*line, " ");

	*ret_len = strcspn(word, " ");
	*line = word + *ret_len;
	return word;
}

static int
on_line(void *arg, const char *line, struct err *err)
{
	json_t *lines = arg;
	size_t hook_len, decision_len;
	const char *hook = next_word(&line, &hook_len);
	const char *decision = next_word(&line, &decision_len);

	(void)err;
	line += strspn(line, " ");
	(void)json_array_append_new(
		lines, json_pack("{s:s%, s:s%, s:s}", "hook", hook, hook_len, "decision", decision,
			       decision_len, "reason", line));
	return 0;
}

int
explanation_read(const struct mount *mount, const char *id, json_t **ret_lines, struct err *err)
{
	AUTO(free) char *path = mount_path(mount, PLACE_EVENT_WHY, NULL, id);
	AUTO(json) json_t *lines = json_array();
	int result = mount_follow(mount, path, NULL, on_line, lines, err);

	if (!result)
		*ret_lines = TAKE(lines);
	return result;
}

json_t *
explanation_of(const json_t *lines, const char *label)
{
	json_t *line;
	size_t i;

	json_array_foreach (lines, i, line)
		if (i > 0 && !strcmp(json_text(line, "hook"), label))
			return line;
	return NULL;
}
