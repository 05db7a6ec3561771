/* Makes each system call that docs/sandbox.md says is denied, with arguments that do nothing where
 *it is not, and prints the names of those that did not fail with EPERM.
 *
 *	denied_calls
 */
#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BAD -1L /* descriptor, flags, command, clock, port */

#define CALL(name, ...)                                                                            \
	{                                                                                          \
#name, SYS_##name,                                                                 \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct {
	const char *name;
	long number, args[5];
} calls[] = {
	CALL(ptrace, PTRACE_PEEKDATA, BAD),
	CALL(process_vm_readv, BAD),
	CALL(process_vm_writev, BAD),
	CALL(pidfd_getfd, BAD),
	CALL(open_by_handle_at, BAD),
	CALL(kexec_load, 0, BAD, 0, BAD),
	CALL(kexec_file_load, BAD, BAD, 0, 0, BAD),
	CALL(init_module, 0),
	CALL(finit_module, BAD),
	CALL(delete_module, 0),
	CALL(bpf, BAD),
	CALL(perf_event_open, 0),
	CALL(userfaultfd, BAD),
	CALL(reboot, 0),
	CALL(swapon, 0),
	CALL(swapoff, 0),
	CALL(acct, 1), /* a path nobody can read; NULL would end accounting */
	CALL(settimeofday, 1),
	CALL(clock_settime, BAD),
	CALL(add_key, 0),
	CALL(request_key, 0),
	CALL(keyctl, BAD),
	CALL(io_uring_setup, 0),
	CALL(io_uring_enter, BAD),
	CALL(io_uring_register, BAD),
#ifdef SYS_iopl
	CALL(iopl, BAD),
	CALL(ioperm, BAD),
#endif
#ifdef SYS_uselib
	CALL(uselib, 0),
#endif
	CALL(ioctl, BAD, TIOCSTI),
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const long *a = calls[i].args;

		errno = 0;
		if (syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4]) != -1 || errno != EPERM)
			(void)puts(calls[i].name);
	}
	return 0;
}
