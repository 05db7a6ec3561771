/* How long a process takes to open, read and close a file:  node_read FILE COUNT
 * Prints one JSON object. */
#include "base/clock.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int64_t *took = NEW_N(int64_t, count);
	char text[4096];

	if (!count) {
		fputs("node_read FILE COUNT\n", stderr);
		return 2;
	}
	for (size_t i = 0; i < count; i++) {
		int64_t begin = clock_mono_ns();
		int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, text, sizeof(text)) <= 0 || close(fd) < 0) {
			perror(argv[1]);
			return 1;
		}
		took[i] = clock_mono_ns() - begin;
	}
	qsort(took, count, sizeof(*took), compare);
	printf("{\"p50_us\":%.1f,\"p99_us\":%.1f}\n", (double)took[count / 2] / 1e3,
		(double)took[count * 99 / 100] / 1e3);
	free(took);
	return 0;
}
