/* Whatever stands in hooks.d/<hook>.conf or is written to a file of ctl/hooks/<hook>/: no crash,
 * and what is accepted is shown in a form that is accepted again and shown the same.
 *
 * The input is a file of overrides; its first byte also chooses a setting whose text the whole is.
 */
#include "fsd/hooks/settings.h"
#include "base/auto.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len);

static void
read_file(const char *text)
{
	AUTO(sbuf) struct sbuf once = {0}, again = {0};
	AUTO(hook_settings) struct hook_settings settings = {.is_enabled = true};
	struct hook_overrides o = {0}, same = {0};
	struct err err;

	if (hook_overrides_parse(&o, text, &err) == 0) {
		hook_overrides_format(&o, &once);
		assert(hook_overrides_parse(&same, sbuf_str(&once), &err) == 0);
		hook_overrides_format(&same, &again);
		assert(!strcmp(sbuf_str(&once), sbuf_str(&again)));
		hook_overrides_apply(&o, &settings);
		(void)hook_settings_check(
			&settings, &err); /* no crash is all that is asked of it */
	}
	hook_overrides_fini(&o);
	hook_overrides_fini(&same);
}

static void
read_value(enum hook_setting setting, const char *text)
{
	AUTO(hook_settings) struct hook_settings s = {.is_enabled = true},
						 same = {.is_enabled = true};
	AUTO(sbuf) struct sbuf once = {0}, again = {0};
	struct err err;

	if (hook_setting_parse(&s, setting, text, &err) < 0)
		return;
	hook_setting_show(&s, setting, &once);
	assert(hook_setting_parse(&same, setting, sbuf_str(&once), &err) == 0);
	hook_setting_show(&same, setting, &again);
	assert(!strcmp(sbuf_str(&once), sbuf_str(&again)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	AUTO(free) char *text = NULL;

	if (len < 1)
		return 0;
	text = mem_strndup((const char *)input + 1, len - 1);
	read_value(input[0] % SETTING_COUNT, text);
	read_file(text);
	return 0;
}
