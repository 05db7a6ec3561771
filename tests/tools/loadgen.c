/* A load generator: raises events through the mount and tells what was acknowledged and how fast.
 *
 *	loadgen --mount DIR [--mode echo|held|bulk] [--clients N] [--seconds S | --count N]
 *	     [--rate R] [--type T] [--ack FILE] [--prefix P] [--batch N]
 *
 *	echo   open, write one event, close: what a shell's `echo > events/emit` does
 *	held   one descriptor a client, one event a write
 *	bulk   one descriptor a client, --batch JSON lines a write
 *
 * A write that returns is an acknowledgement.  With --ack each event has an id of the sender's, so
 * that it can be looked for, and the ids are written to FILE, a line each, after the write.  When
 *the master is gone the client waits for it to come back and goes on: an event whose write failed
 *may or may not be stored, and is not in the file.
 *
 * --rate is for all clients together, in events a second.  Prints one JSON object.  SIGTERM ends it
 * early, with that.
 */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/sbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum mode { MODE_ECHO, MODE_HELD, MODE_BULK };

struct options {
	char *emit; /* path of events/emit */
	enum mode mode;
	unsigned clients, batch;
	uint64_t count; /* per client; 0: until the time is over */
	double seconds, rate;
	const char *type, *prefix;
	int ack_fd;
	int64_t begin_ns, end_ns;
};

struct client {
	const struct options *opt;
	pthread_t thread;
	unsigned number;
	uint64_t sent, acked, failed;
	int64_t *latency_ns; /* of each acknowledged write, a ring of SAMPLES */
	uint64_t writes;
};

#define SAMPLES 65536

static void
pause_ns(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	if (ns > 0)
		(void)nanosleep(&ts, NULL); /* woken early: the loop looks at the clock again */
}

/* Every thread blocks SIGTERM, so one that came stays to be seen. */
static bool
is_over(const struct options *opt)
{
	sigset_t pending;

	(void)sigpending(&pending);
	return sigismember(&pending, SIGTERM) == 1 ||
	       (!opt->count && clock_mono_ns() >= opt->end_ns);
}

/* Open the intake, waiting for a master that is away.  -1 when the time is over. */
static int
open_emit(const struct options *opt)
{
	for (;;) {
		int fd = open(opt->emit, O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (is_over(opt))
			return -1;
		pause_ns(5000000);
	}
}

static void
add_event(struct client *c, struct sbuf *text)
{
	sbuf_adds(text, "{\"type\":\"");
	sbuf_adds(text, c->opt->type);
	if (c->opt->ack_fd >= 0)
		sbuf_printf(text, "\",\"id\":\"%s%u-%llu", c->opt->prefix, c->number,
			(unsigned long long)c->sent);
	sbuf_adds(text, "\",\"data\":{\"client\":");
	sbuf_addu(text, c->number);
	sbuf_adds(text, ",\"n\":");
	sbuf_addu(text, c->sent++);
	sbuf_adds(text, "}}\n");
}

static void
acknowledge(struct client *c, uint64_t first, uint64_t count)
{
	AUTO(sbuf) struct sbuf lines = {0};

	c->acked += count;
	if (c->opt->ack_fd < 0)
		return;
	for (uint64_t i = 0; i < count; i++)
		sbuf_printf(&lines, "%s%u-%llu\n", c->opt->prefix, c->number,
			(unsigned long long)(first + i));
	if (write(c->opt->ack_fd, lines.data, lines.len) != (ssize_t)lines.len)
		abort(); /* the record of this test is worthless now */
}

/* Write all of text.  Returns 0 or -errno; what a short write left out is written on. */
static int
write_all(int fd, const struct sbuf *text)
{
	size_t at = 0;

	while (at < text->len) {
		ssize_t n = write(fd, text->data + at, text->len - at);

		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return 0;
}

/* One write with its acknowledgement.  Returns the descriptor to go on with, or -1. */
static int
send_batch(struct client *c, int fd, struct sbuf *text)
{
	unsigned events = c->opt->mode == MODE_BULK ? c->opt->batch : 1;
	uint64_t first = c->sent;
	int64_t begin;

	sbuf_reset(text);
	for (unsigned i = 0; i < events; i++)
		add_event(c, text);
	begin = clock_mono_ns();
	if (fd < 0)
		fd = open_emit(c->opt);
	if (fd < 0)
		return -1;
	if (write_all(fd, text) < 0) {
		c->failed += events;
		(void)close(fd);
		return -1;
	}
	if (c->opt->mode == MODE_ECHO) {
		(void)close(fd);
		fd = -1;
	}
	c->latency_ns[c->writes++ % SAMPLES] = clock_mono_ns() - begin;
	acknowledge(c, first, events);
	return fd;
}

static void *
client_main(void *arg)
{
	struct client *c = arg;
	const struct options *opt = c->opt;
	AUTO(sbuf) struct sbuf text = {0};
	double share = opt->rate / opt->clients;
	int fd = -1;

	while (!is_over(opt) && (!opt->count || c->sent < opt->count)) {
		if (share > 0)
			pause_ns(opt->begin_ns + (int64_t)((double)c->sent * 1e9 / share) -
				 clock_mono_ns());
		fd = send_batch(c, fd, &text);
	}
	if (fd >= 0)
		(void)close(fd);
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
report(const struct options *opt, struct client *clients)
{
	uint64_t acked = 0, failed = 0, samples = 0;
	int64_t *all = NEW_N(int64_t, (size_t)opt->clients * SAMPLES);
	double seconds = (double)(clock_mono_ns() - opt->begin_ns) / 1e9;

	for (unsigned i = 0; i < opt->clients; i++) {
		uint64_t n = clients[i].writes < SAMPLES ? clients[i].writes : SAMPLES;

		acked += clients[i].acked;
		failed += clients[i].failed;
		memcpy(all + samples, clients[i].latency_ns, n * sizeof(*all));
		samples += n;
	}
	qsort(all, samples, sizeof(*all), compare);
	printf("{\"acknowledged\":%llu,\"failed\":%llu,\"seconds\":%.3f,\"per_second\":%.0f,"
	       "\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
		(unsigned long long)acked, (unsigned long long)failed, seconds,
		(double)acked / seconds, samples ? (double)all[samples / 2] / 1e3 : 0,
		samples ? (double)all[samples * 99 / 100] / 1e3 : 0);
	free(all);
}

static int
usage(void)
{
	fputs("loadgen: --mount DIR [--mode echo|held|bulk] [--clients N]\n"
	      "      [--seconds S | --count N] [--rate R] [--type T] [--ack FILE]\n"
	      "      [--prefix P] [--batch N]\n",
		stderr);
	return 2;
}

static int
parse(int argc, char **argv, struct options *opt)
{
	static const struct option options[] = {{"mount", 1, NULL, 'm'}, {"mode", 1, NULL, 'o'},
		{"clients", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {"count", 1, NULL, 'n'},
		{"rate", 1, NULL, 'r'}, {"type", 1, NULL, 't'}, {"ack", 1, NULL, 'a'},
		{"prefix", 1, NULL, 'p'}, {"batch", 1, NULL, 'b'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			opt->emit = mem_printf("%s/events/emit", optarg);
			break;
		case 'o':
			opt->mode = strcmp(optarg, "bulk") == 0   ? MODE_BULK
				    : strcmp(optarg, "held") == 0 ? MODE_HELD
								  : MODE_ECHO;
			break;
		case 'c':
			opt->clients = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			opt->seconds = strtod(optarg, NULL);
			break;
		case 'n':
			opt->count = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			opt->rate = strtod(optarg, NULL);
			break;
		case 't':
			opt->type = optarg;
			break;
		case 'a':
			opt->ack_fd = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
			break;
		case 'p':
			opt->prefix = optarg;
			break;
		case 'b':
			opt->batch = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			return -1;
		}
	}
	return opt->emit && opt->clients && opt->batch ? 0 : -1;
}

int
main(int argc, char **argv)
{
	struct options opt = {.clients = 1,
		.batch = 100,
		.seconds = 1,
		.type = "load.test",
		.prefix = "l",
		.ack_fd = -1};
	struct client *clients;
	sigset_t set;

	if (parse(argc, argv, &opt) < 0)
		return usage();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* the threads inherit it */
	clients = NEW_N(struct client, opt.clients);
	opt.begin_ns = clock_mono_ns();
	opt.end_ns = opt.begin_ns + (int64_t)(opt.seconds * 1e9);
	for (unsigned i = 0; i < opt.clients; i++) {
		clients[i] = (struct client){
			.opt = &opt, .number = i, .latency_ns = NEW_N(int64_t, SAMPLES)};
		if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < opt.clients; i++)
		(void)pthread_join(clients[i].thread, NULL); /* ours and joinable */
	report(&opt, clients);
	for (unsigned i = 0; i < opt.clients; i++)
		free(clients[i].latency_ns);
	free(clients);
	free(opt.emit);
	return 0;
}
