/* Every flag of FLAGS_QUESTION has the name of its word. */
#include "tools/runner/question.h"

void
question_add_word(struct sbuf *line, const char *name, const char *value)
{
	sbuf_printf(line, "%s%s=\"", line->len ? " " : "", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			sbuf_addc(line, '\\');
		sbuf_addc(line, *value == '\n' ? ' ' : *value);
	}
	sbuf_addc(line, '"');
}

bool
question_add(const struct args *args, struct sbuf *line)
{
	static const char *const words[] = {
		"type", "status", "stack", "severity", "text", "since", "until"};
	bool is_any = false;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!args_has(args, words[i]))
			continue;
		question_add_word(line, words[i], args_str(args, words[i]));
		is_any = true;
	}
	return is_any;
}
