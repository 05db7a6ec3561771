/* A list of system calls that fail with EPERM, and no_new_privs.
 *
 * Both are inherited by whatever hooks execute, and hooks of an operations tool run systemctl,
 * mount, docker and the like.  So this denies only what no automation needs and what reaches into
 * other processes (the master, workers of other hooks), into the kernel, or past such a filter
 * (io_uring).  A list of what is allowed would break a program with every new libc.
 *
 * The kernel accepts a filter from a process with CAP_SYS_ADMIN or under no_new_privs.  Workers of
 * a root master are filtered while they are still root, so they have it whatever the setting says.
 * No_new_privs itself is for workers of ordinary users only: a root hook has nothing to gain, and
 * some security modules refuse a change of domain under it.
 *
 * Programs of the other word sizes that a kernel runs are filtered too, by their own numbers.
 */
#include "lua/host/confine.h"

#include "base/auto.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

/* LeakSanitizer looks at its own process through ptrace. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

static const int denied[] = {
	/* other processes: their memory, their registers, their files */
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(open_by_handle_at),
	/* the kernel and the machine */
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(uselib),
	SCMP_SYS(settimeofday),
	SCMP_SYS(stime),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_settime64),
	/* keys that all processes of a user share */
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	/* other calls by another way, which no filter sees */
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
};

static void
filter_auto(scmp_filter_ctx *filter)
{
	seccomp_release(*filter);
}

/* Judge programs of the machine's other word sizes as well. */
static int
add_other_sizes(scmp_filter_ctx filter)
{
	static const struct {
		uint32_t native, other;
	} pairs[] = {
		{SCMP_ARCH_X86_64, SCMP_ARCH_X86},
		{SCMP_ARCH_X86_64, SCMP_ARCH_X32},
		{SCMP_ARCH_AARCH64, SCMP_ARCH_ARM},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && rc == 0; i++) {
		if (seccomp_arch_native() == pairs[i].native)
			rc = seccomp_arch_add(filter, pairs[i].other);
	}
	return rc;
}

static int
add_rules(scmp_filter_ctx filter)
{
	const uint32_t eperm = SCMP_ACT_ERRNO(EPERM);
	/* Typing into a terminal that somebody else reads; the kernel looks at 32 bits. */
	int rc = seccomp_rule_add(filter, eperm, SCMP_SYS(ioctl), 1,
		SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCSTI));

	if (rc == 0 && !IS_SANITIZED)
		rc = seccomp_rule_add(filter, eperm, SCMP_SYS(ptrace), 0);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]) && rc == 0; i++)
		rc = seccomp_rule_add(filter, eperm, denied[i], 0);
	return rc;
}

/* Returns 0 or -errno; -EACCES: this process may not have a filter. */
static int
load_filter(void)
{
	AUTO(filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	if (!filter)
		return -ENOMEM;
	/* By itself the library would set no_new_privs, kill programs of an unknown machine, and
	 * hide which error the kernel gave. */
	rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (rc == 0)
		rc = add_other_sizes(filter);
	if (rc == 0)
		rc = add_rules(filter);
	return rc < 0 ? rc : seccomp_load(filter);
}

int
confine(uid_t uid, bool no_new_privs, struct err *err)
{
	int rc;

	if (no_new_privs && uid != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, errno, "no_new_privs: %s", strerror(errno));
	rc = load_filter();
	if (rc == -EACCES)
		return 0; /* the contract names who that is */
	return rc < 0 ? err_set(err, -rc, "system call filter: %s", strerror(-rc)) : 0;
}
