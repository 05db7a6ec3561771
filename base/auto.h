/* Scope-bound release of resources.  AUTO(x) declares a variable that x_auto() releases when it
 * leaves scope; every type declares its own x_auto beside the type.  TAKE(v) hands the value on
 * and leaves the empty value behind. */
#ifndef SLOTH_BASE_AUTO_H
#define SLOTH_BASE_AUTO_H

#include <stdlib.h>
#include <unistd.h>

#define AUTO(type) __attribute__((cleanup(type##_auto)))
#define TAKE(v)                                                                                    \
	({                                                                                         \
		__typeof__(v) taken_ = (v);                                                        \
		(v) = NULL;                                                                        \
		taken_;                                                                            \
	})
#define TAKE_FD(v)                                                                                 \
	({                                                                                         \
		int taken_ = (v);                                                                  \
		(v) = -1;                                                                          \
		taken_;                                                                            \
	})

/* AUTO(free) char *p: freed at the end of the scope. */
static inline void
free_auto(void *p)
{
	free(*(void **)p);
}

/* AUTO(fd) int fd = -1: closed at the end of the scope unless negative. */
static inline void
fd_auto(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing to do about an error on a dropped descriptor */
}

#endif
