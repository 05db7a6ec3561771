/* A process that executes itself again and again: most of the time its environment is not there to
 * be read. */
#ifndef SLOTH_TESTS_RESTLESS_H
#define SLOTH_TESTS_RESTLESS_H

#include "base/auto.h"
#include "base/mem.h"

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether the process has executed the script: its name is that of the file. */
static inline bool
is_restless(pid_t pid)
{
	AUTO(free) char *path = mem_printf("/proc/%d/comm", (int)pid);
	char name[16] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);

	(void)close(fd);
	return n > 0 && strcmp(name, "restless\n") == 0;
}

/* With the variable in its environment, from a script it makes in dir; returns when it does. */
static inline pid_t
restless_start(const char *dir, const char *name, const char *value)
{
	AUTO(free) char *path = mem_printf("%s/restless", dir);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

		if (fd < 0 || dprintf(fd, "#!/bin/sh\nexec \"$0\"\n") < 0 || close(fd) < 0)
			_exit(126);
		(void)setenv(name, value, 1);
		(void)execl(path, path, (char *)NULL);
		_exit(127);
	}
	do {
		ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	} while (!is_restless(pid));
	return pid;
}

#endif
