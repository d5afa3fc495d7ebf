"""Give up rights for good: what the sandboxed process does to itself before it meets a student's code.

Three means, each of which the kernel enforces on this process and on all that it starts: Landlock (which files), seccomp
(which system calls), resource limits (how much). Linux only. Sources: landlock(7), seccomp(2), capabilities(7).
"""

import ctypes
import mmap
import os
import resource
import signal
import struct
from collections.abc import Iterable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_NAME, PR_SET_NO_NEW_PRIVS = 1, 8, 15, 38
PR_SET_DUMPABLE, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 4, 22, 2
CAP_DAC_READ_SEARCH = 2

# Landlock's numbers are the same on every architecture.
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
READ_FILE, READ_DIR, WRITE_FILE, IOCTL_DEVICE = 1 << 2, 1 << 3, 1 << 1, 1 << 15
RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # file rights that each version added
TCP_FROM_ABI, SCOPES_FROM_ABI = 4, 6


def landlock_version() -> int:
    """Return the version of Landlock that this kernel offers; 0 if none."""
    return max(0, LIBC.syscall(LANDLOCK_CREATE, None, 0, 1))


def landlock(readable: Iterable[str], listable: Iterable[str], writable: Iterable[str], devices: Iterable[str] = ()) -> None:
    """Allow only reading below some paths, reading names below others, writing below others again, and the use of some
    devices. Raises OSError."""
    version = landlock_version()
    rights = sum(bits for since, bits in RIGHTS_BY_ABI.items() if since <= version)
    network = 3 if version >= TCP_FROM_ABI else 0
    scopes = 3 if version >= SCOPES_FROM_ABI else 0  # abstract sockets, signals
    fields = 1 + (version >= TCP_FROM_ABI) + (version >= SCOPES_FROM_ABI)
    attributes = struct.pack("<QQQ", rights, network, scopes)[: 8 * fields]
    ruleset = _syscall(LANDLOCK_CREATE, attributes, len(attributes), 0)
    use = READ_FILE | WRITE_FILE | IOCTL_DEVICE
    for paths, allowed in ((readable, READ_FILE | READ_DIR), (listable, READ_DIR), (writable, rights), (devices, use)):
        for path in paths:
            _allow(ruleset, path, allowed & rights)
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _syscall(LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def drop_user(uid: int) -> None:
    """Stop being root, but go on reading what the sandbox shows even if only root may, where that can be kept.

    Python may live in root's home; what is not to be read is not there, or Landlock keeps it. In a container root often
    lacks that capability, and Python is where all can read it.
    """
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    header = struct.pack("<Ii", 0x20080522, 0)
    for kept in (1 << CAP_DAC_READ_SEARCH, 0):
        if LIBC.capset(header, struct.pack("<IIIIII", kept, kept, 0, 0, 0, 0)) == 0:
            return
    raise OSError(ctypes.get_errno(), "capset failed")


def die_with_parent(parent: int) -> None:
    """Be killed when the parent is gone."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hide_from_proc() -> None:
    """Let no process of the same user look into this one's memory."""
    _prctl(PR_SET_DUMPABLE, 0)


def address_space() -> int:
    """Return how much address space this process has, in bytes, to 1 MB."""
    return _bound(resource.RLIMIT_AS)


def data_size() -> int:
    """Return how much of it can be written to and is its own."""
    return _bound(resource.RLIMIT_DATA)


def _bound(kind: int) -> int:
    """Find the limit below which this process could get no more memory; asks no file, for there may be none to ask."""
    before = resource.getrlimit(kind)
    low, high = 0, 1 << 47
    while high - low > 1 << 20:
        middle = (low + high) // 2
        resource.setrlimit(kind, (middle, before[1]))
        try:
            mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
            high = middle
        except OSError:
            low = middle
    resource.setrlimit(kind, before)
    return high


def limit(memory: int | None, data: int, cpu_seconds: int, file_size: int, processes: int) -> None:
    """Bound address space, memory of its own, processor time, files and threads, in bytes, seconds and pieces."""
    for what, most in (
        (resource.RLIMIT_AS, resource.RLIM_INFINITY if memory is None else memory),
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_NOFILE, 128),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else hard if most == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def load_filter(program: bytes) -> None:
    """Allow only the system calls that a program of calls.py lets through; a second one can only take more away."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    code = ctypes.create_string_buffer(program, len(program))
    instructions = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(instructions), 0, 0):
        raise OSError(ctypes.get_errno(), "the seccomp filter cannot be loaded")


def _allow(ruleset: int, path: str, rights: int) -> None:
    if not Path(path).exists():
        return
    if not Path(path).is_dir():
        rights &= ~READ_DIR & (READ_FILE | WRITE_FILE | 1 | 1 << 14 | IOCTL_DEVICE)
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _syscall(LANDLOCK_ADD, ruleset, 1, struct.pack("<Qi", rights, parent), 0)
    finally:
        os.close(parent)


def _prctl(option: int, value: int) -> None:
    if LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


def _syscall(*arguments: object) -> int:
    result = int(LIBC.syscall(*arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"system call {arguments[0]}: {os.strerror(code)}")
    return result
