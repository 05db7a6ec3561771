/* What shells cannot say about files, a verb each, for end-to-end tests:
 *
 *	fileops nonblock FILE           read with O_NONBLOCK: prints the bytes, or the error's name
 *	fileops wake poll|select|epoll FILE
 *	                                prints "waiting", then "readable" when the file is, and what
 *it gave fileops readers COUNT FILE      blocks that many threads in read; prints "waiting", and
 *when all have ended how many there were fileops interrupt FILE          blocks in read, is sent
 *SIGINT: prints the error's name and, when that took over 50 ms, how long fileops rename FLAGS FROM
 *TO    renameat2; FLAGS noreplace, exchange or whiteout fileops mmap FILE               prints the
 *file through a shared mapping fileops fd-verbs FILE           fchmod, futimens, ftruncate, fsync
 *on a descriptor, and fsync on that of its directory fileops unlinked FILE           writes,
 *unlinks, writes, reads and stats through one descriptor
 *
 * Exits 1 with a sentence when something is not as it should be. */
#include "base/auto.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS     100000
#define PROMPT_MS   50
#define STACK_BYTES (256 * 1024)

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(errno));
	exit(1);
}

/* Fail unless what holds, which set errno. */
static void
must(int is_true, const char *what)
{
	if (!is_true)
		fail(what);
}

static int
open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	must(fd >= 0, path);
	return fd;
}

static void
say(const char *text)
{
	puts(text);
	(void)fflush(stdout); /* a test that does not see it fails by its bound */
}

/* Print what one read gives. */
static int
show_read(int fd)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text));

	if (n < 0)
		say(strerrorname_np(errno));
	else
		must(fwrite(text, 1, (size_t)n, stdout) == (size_t)n, "stdout");
	return 0;
}

static int
nonblock(char **args)
{
	return show_read(open_file(args[0], O_RDONLY | O_NONBLOCK));
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int
wait_poll(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms);
}

static int
wait_select(int fd, int timeout_ms)
{
	struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	return select(fd + 1, &set, NULL, NULL, &tv);
}

static int
wait_epoll(int fd, int timeout_ms)
{
	struct epoll_event event = {.events = EPOLLIN};
	int set = epoll_create1(EPOLL_CLOEXEC), n;

	must(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
	n = epoll_wait(set, &event, 1, timeout_ms);
	(void)close(set);
	return n;
}

static int
wake(char **args)
{
	static const struct {
		const char *name;
		int (*wait)(int fd, int timeout_ms);
	} ways[] = {{"poll", wait_poll}, {"select", wait_select}, {"epoll", wait_epoll}};
	int fd = open_file(args[1], O_RDONLY);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(args[0], ways[i].name) != 0)
			continue;
		must(ways[i].wait(fd, 0) == 0, "readable from the start");
		say("waiting");
		errno = ETIMEDOUT;
		must(ways[i].wait(fd, WAIT_MS) == 1, args[0]);
		say("readable");
		return show_read(fd);
	}
	errno = EINVAL;
	fail(args[0]);
}

/* ---- held reads ----------------------------------------------------------------------------- */

static void *
read_once(void *arg)
{
	char text[256];

	return read(*(int *)arg, text, sizeof(text)) < 0 ? arg : NULL;
}

static int
readers(char **args)
{
	size_t count = strtoul(args[0], NULL, 10);
	pthread_t *threads = NEW_N(pthread_t, count);
	int *fds = NEW_N(int, count);
	size_t failed = 0;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (size_t i = 0; i < count; i++) {
		fds[i] = open_file(args[1], O_RDONLY);
		errno = pthread_create(&threads[i], &attr, read_once, &fds[i]);
		must(errno == 0, "a thread");
	}
	say("waiting");
	for (size_t i = 0; i < count; i++) {
		void *result;

		errno = pthread_join(threads[i], &result);
		must(errno == 0, "a thread");
		failed += result != NULL;
	}
	printf("%zu ended, %zu with an error\n", count, failed);
	free(threads);
	free(fds);
	return 0;
}

static void
on_signal(int number)
{
	(void)number;
}

static void *
interrupt_soon(void *arg)
{
	char stat[256], state = 'R';

	while (state != 'S') { /* until the reader sleeps in its read */
		FILE *f = fopen("/proc/self/stat", "re");

		must(f && fgets(stat, sizeof(stat), f) != NULL, "/proc/self/stat");
		(void)fclose(f);
		state = strrchr(stat, ')')[2];
	}
	*(int64_t *)arg = clock_mono_ns();
	(void)kill(getpid(), SIGINT); /* this thread blocks it: the reader gets it */
	return NULL;
}

static int
interrupted(char **args)
{
	struct sigaction action = {.sa_handler = on_signal};
	int fd = open_file(args[0], O_RDONLY);
	sigset_t set;
	int64_t begin_ns = 0, took_ns;
	pthread_t thread;

	(void)sigaction(SIGINT, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	errno = pthread_create(&thread, NULL, interrupt_soon, &begin_ns);
	must(errno == 0, "a thread");
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	show_read(fd);
	took_ns = clock_mono_ns() - begin_ns;
	if (took_ns > PROMPT_MS * NS_PER_MS)
		printf("after %lld ms\n", (long long)(took_ns / NS_PER_MS));
	(void)pthread_join(thread, NULL);
	return 0;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int
rename_flags(char **args)
{
	unsigned flags = strcmp(args[0], "noreplace") == 0  ? RENAME_NOREPLACE
			 : strcmp(args[0], "exchange") == 0 ? RENAME_EXCHANGE
							    : RENAME_WHITEOUT;

	if (renameat2(AT_FDCWD, args[1], AT_FDCWD, args[2], flags) < 0)
		say(strerrorname_np(errno));
	return 0;
}

static int
map_file(char **args)
{
	int fd = open_file(args[0], O_RDONLY);
	struct stat st;
	char *text;

	must(fstat(fd, &st) == 0, "fstat");
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	must(text != MAP_FAILED, "mmap");
	must(fwrite(text, 1, (size_t)st.st_size, stdout) == (size_t)st.st_size, "stdout");
	return 0;
}

static int
fd_verbs(char **args)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 5}};
	int fd = open_file(args[0], O_RDWR | O_CREAT), dir;
	struct stat st;

	must(write(fd, "0123456789", 10) == 10, "write");
	must(fchmod(fd, 0640) == 0, "fchmod");
	must(ftruncate(fd, 4) == 0, "ftruncate");
	must(futimens(fd, times) == 0, "futimens");
	must(fsync(fd) == 0 && fdatasync(fd) == 0, "fsync");
	must(fstat(fd, &st) == 0, "fstat");
	printf("%o %lld %lld.%ld\n", st.st_mode & 0777, (long long)st.st_size,
		(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	must(close(fd) == 0, "close");
	dir = open_file(dirname(args[0]), O_RDONLY | O_DIRECTORY);
	must(fsync(dir) == 0, "fsync of the directory");
	return 0;
}

static int
unlinked(char **args)
{
	int fd = open_file(args[0], O_RDWR | O_CREAT);
	struct stat st;

	must(write(fd, "before", 6) == 6, "write");
	must(unlink(args[0]) == 0, "unlink");
	must(write(fd, " after\n", 7) == 7, "write of an unlinked file");
	must(fstat(fd, &st) == 0 && st.st_size == 13, "fstat of an unlinked file");
	must(fchmod(fd, 0600) == 0, "fchmod of an unlinked file");
	must(lseek(fd, 0, SEEK_SET) == 0, "lseek");
	return show_read(fd);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*run)(char **args);
	} verbs[] = {
		{"nonblock", 1, nonblock},
		{"wake", 2, wake},
		{"readers", 2, readers},
		{"interrupt", 1, interrupted},
		{"rename", 3, rename_flags},
		{"mmap", 1, map_file},
		{"fd-verbs", 1, fd_verbs},
		{"unlinked", 1, unlinked},
	};

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 == verbs[i].args)
			return verbs[i].run(argv + 2);
	fputs("fileops VERB ARGUMENT...: see tests/tools/fileops.c\n", stderr);
	return 2;
}
