/* A disk that takes its time: loaded into the master by a test, every sync lasts 20 ms longer, so
 * that what is committed together can be told from what is not by the clock. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int
sync_slowly(long call, int fd)
{
	static const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};

	(void)nanosleep(&nap, NULL); /* cut short it is a quicker disk */
	return (int)syscall(call, fd);
}

__attribute__((visibility("default"))) int
fsync(int fd)
{
	return sync_slowly(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	return sync_slowly(SYS_fdatasync, fd);
}
