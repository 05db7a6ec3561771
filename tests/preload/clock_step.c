/* A machine whose clock is set: loaded into the master by a test, what it takes for the time of day
 * is off by the seconds that stand, as an int64_t, in the file $SLOTH_CLOCK_STEP.  What only counts
 * on does so. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step;

__attribute__((constructor)) static void
find_step(void)
{
	const char *path = getenv("SLOTH_CLOCK_STEP");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*step), PROT_READ, MAP_SHARED, fd, 0);

	step = map == MAP_FAILED ? NULL : map;
	if (fd >= 0)
		(void)close(fd); /* the mapping stays */
}

__attribute__((visibility("default"))) int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int code = (int)syscall(SYS_clock_gettime, id, ts);

	if (code == 0 && id == CLOCK_REALTIME && step)
		ts->tv_sec += *step;
	return code;
}
