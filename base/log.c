/* The log: see log.h.  A line is built whole before the sink sees it, so lines never mix. */
#include "base/log.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_ERROR] = "error",
};

struct log {
	enum log_level level;
	log_sink_fn *sink;
	void *arg;
};

static void
sink_stderr(void *arg, enum log_level level, const char *line, size_t len)
{
	(void)arg, (void)level;
	(void)fprintf(stderr, "%.*s\n", (int)len, line); /* nowhere left to report to */
}

struct log *
log_new(enum log_level level, log_sink_fn *sink, void *arg)
{
	struct log *log = NEW(struct log);

	log->level = level;
	log_set_sink(log, sink, arg);
	return log;
}

void
log_free(struct log *log)
{
	free(log);
}

void
log_set_sink(struct log *log, log_sink_fn *sink, void *arg)
{
	log->sink = sink ? sink : sink_stderr;
	log->arg = arg;
}

void
log_set_level(struct log *log, enum log_level level)
{
	log->level = level;
}

bool
log_is_on(const struct log *log, enum log_level level)
{
	return log && level >= log->level;
}

static void
log_vwrite(struct log *log, enum log_level level, const char *members, const char *fmt, va_list ap)
{
	AUTO(sbuf) struct sbuf line = {0};
	AUTO(sbuf) struct sbuf msg = {0};
	char time[CLOCK_TEXT_MAX];

	if (!log_is_on(log, level))
		return;
	clock_format(clock_real_ns(), time);
	sbuf_vprintf(&msg, fmt, ap);
	sbuf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"msg\":", time, level_names[level]);
	sbuf_json(&line, sbuf_str(&msg), msg.len);
	if (members && *members)
		sbuf_printf(&line, ",%s", members);
	sbuf_addc(&line, '}');
	log->sink(log->arg, level, sbuf_str(&line), line.len);
}

void
log_write(struct log *log, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(log, level, NULL, fmt, ap);
	va_end(ap);
}

void
log_write_with(struct log *log, enum log_level level, const char *members, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(log, level, members, fmt, ap);
	va_end(ap);
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

int
log_level_parse(const char *text, enum log_level *ret_level, struct err *err)
{
	if (strcmp(text, "warning") == 0)
		text = "warn";
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	return err_set(err, EINVAL, "'%.40s' is not a log level: debug, info, warn or error", text);
}
