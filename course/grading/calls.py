"""Which system calls a submission may make: seccomp programs, compiled where libseccomp is, loaded in the sandbox."""

import errno
import os
import tempfile
from contextlib import suppress
from typing import Any

PR_SET_NAME = 15

# All that Python and torch need, and nothing that reaches beyond the process. What is not listed is answered "not
# implemented", so that a C library tries its older way; REFUSED is answered "not permitted", which reads better.
ALLOWED = """
    read write readv writev pread64 pwrite64 preadv pwritev close close_range lseek
    stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents getdents64
    getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 ftruncate fallocate fsync fdatasync
    fadvise64 flock umask fstatfs statfs dup dup2 dup3 pipe pipe2 poll ppoll select pselect6 copy_file_range sendfile
    epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2
    mprotect munmap mremap madvise brk msync mincore membarrier get_mempolicy
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack restart_syscall pause
    futex futex_waitv set_robust_list get_robust_list rseq set_tid_address arch_prctl getcpu
    sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority
    nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times alarm getitimer setitimer
    getrusage getrlimit sysinfo uname getrandom
    getpid gettid getppid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid getsid
    exit exit_group wait4 waitid
"""
REFUSED = """
    socket socketpair connect bind listen accept accept4 sendto recvfrom sendmsg sendmmsg recvmsg recvmmsg
    ptrace process_vm_readv process_vm_writev kcmp pidfd_open pidfd_getfd pidfd_send_signal
    kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo execve execveat fork vfork
    mount umount2 pivot_root chroot unshare setns keyctl add_key request_key bpf perf_event_open userfaultfd
    io_uring_setup io_uring_enter io_uring_register memfd_create shmget shmat msgget semget mq_open
    chown fchown lchown fchownat setxattr lsetxattr fsetxattr
    truncate link linkat symlink symlinkat mknod mknodat
    setuid setgid setresuid setresgid setreuid setregid setgroups capset setsid setpgid
    open_by_handle_at name_to_handle_at inotify_init1 fanotify_init sched_setaffinity sched_setscheduler
    setpriority ioprio_set personality quotactl swapon
    reboot init_module finit_module delete_module kexec_load acct settimeofday clock_settime
"""
# Copying a file ends with these. They are answered "done" and are not: Landlock does not look after files' rights.
PRETENDED = "chmod fchmod fchmodat utimensat utime utimes"
CLONE_THREAD, CLONE_NAMESPACES = 0x10000, 0x7E020000
MAP_SHARED, MAP_ANONYMOUS = 0x01, 0x20
TERMINAL_QUESTIONS = (0x5401, 0x5413)  # ioctl TCGETS, TIOCGWINSZ: is this a terminal, how large?
# fcntl duplicates, asks, locks. F_SETOWN, F_SETSIG and O_ASYNC would send signals.
FCNTL = (0, 1, 2, 3, 4, 5, 6, 7, 1030)
OF_THE_PARENT = ("fork", "vfork", "kill", "recvmsg")  # what the process that makes the children may do besides
TO_GIVE_UP_MORE = ("prctl", "seccomp", "prlimit64", "setrlimit")


def program(*, may_fork: bool, may_write: bool = True, any_ioctl: bool = False) -> bytes:
    """Compile a filter: for the process that makes the children (may_fork), or for a child. Raises OSError, RuntimeError.

    any_ioctl: a GPU's driver is spoken to by ioctl, in a language of its own.
    """
    import pyseccomp as seccomp

    refuse = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.ENOSYS))
    for name in ALLOWED.split():
        _add(rules, seccomp.ALLOW, name)
    for name in REFUSED.split():
        _add(rules, seccomp.ALLOW if may_fork and name in OF_THE_PARENT else refuse, name)
    for name in PRETENDED.split():
        _add(rules, seccomp.ERRNO(0), name)
    if may_fork:
        for name in TO_GIVE_UP_MORE:
            _add(rules, seccomp.ALLOW, name)
        _add(rules, seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_NAMESPACES, 0))
    else:
        _add(rules, seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
        _add(rules, refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
        _add(rules, seccomp.ALLOW, "prctl", seccomp.Arg(0, seccomp.EQ, PR_SET_NAME))
        _add(rules, seccomp.ALLOW, "prlimit64", seccomp.Arg(0, seccomp.EQ, 0))  # of oneself
    if any_ioctl:
        _add(rules, seccomp.ALLOW, "ioctl")
    for question in () if any_ioctl else TERMINAL_QUESTIONS:
        _add(rules, seccomp.ALLOW, "ioctl", seccomp.Arg(1, seccomp.EQ, question))
    for name, flags in (("open", 1), ("openat", 2)):  # old Landlock lets files be emptied that can only be read
        _add(rules, seccomp.ALLOW, name, *(() if may_write else (seccomp.Arg(flags, seccomp.MASKED_EQ, os.O_TRUNC, 0),)))
    # No limit counts memory that is shared and belongs to no file.
    for flag in (MAP_SHARED, MAP_ANONYMOUS):
        _add(rules, seccomp.ALLOW, "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, flag, 0))
    for command in FCNTL:
        _add(rules, seccomp.ALLOW, "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _add(rules: Any, action: Any, name: str, *arguments: Any) -> None:
    """Add a rule for a call; one that this architecture or this libseccomp does not know is answered "not implemented"."""
    with suppress(OSError):
        rules.add_rule(action, name, *arguments)
