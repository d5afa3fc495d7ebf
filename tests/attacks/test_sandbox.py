"""Every promise of the sandbox, tried from inside: a probe notebook reports how the kernel answered each attempt."""

import ast
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from course.grading import calls
from course.grading.grade import Grader
from course.grading.sandbox import FIRST_UID, UIDS, Limits

from .conftest import BASE, LAB, SEED, words_of

pytestmark = pytest.mark.slow

Probe = Callable[[str], str]
REFUSALS = {"EPERM", "EACCES", "ENOENT", "ENOSYS", "EROFS"}

# A notebook that tries things and raises an error that says what came of them: {answer of the kernel: names}.
REPORT = """
import ctypes, errno, fcntl, mmap, os, resource, signal, socket, struct, subprocess, sys

LIBC = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    ctypes.set_errno(0)
    if LIBC.syscall(ctypes.c_long(number), *[ctypes.c_long(each) for each in arguments]) == -1:
        raise OSError(ctypes.get_errno(), "refused")

def report(attempts):
    found = {{}}
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError as error:
            answer = errno.errorcode.get(error.errno, str(error.errno) + str(error))
        except BaseException as error:
            answer = type(error).__name__
        else:
            answer = "POSSIBLE"
        found.setdefault(answer, []).append(name)
    raise RuntimeError(repr(found).replace("'", ""))

def gaussian_kl(mu, logvar):
    report({{
{attempts}
    }})
"""


def answers_of(grade_probe: Probe, attempts: dict[str, str]) -> dict[str, str]:
    """Try each attempt, an expression, in the sandbox; returns name -> the kernel's answer, such as "EPERM"."""
    found: dict[str, str] = {}
    names = list(attempts)
    for start in range(0, len(names), 20):  # a report holds 500 characters
        some = names[start : start + 20]
        lines = "\n".join(f"        {name!r}: lambda: {attempts[name]}," for name in some)
        words = grade_probe(REPORT.format(attempts=lines))
        said = re.search(r"RuntimeError: \{(.*)\}", words)
        assert said, words
        for answer, list_of_names in re.findall(r"(\w+): \[(.*?)\]", said[1]):
            found |= dict.fromkeys(list_of_names.split(", "), answer)
    assert set(found) == set(attempts)
    return found


ROOT, HOME = Path(__file__).parents[2], str(Path.home())
READING = {
    "solution": f"open({str(ROOT / 'course/vae.py')!r})",
    "checks": f"open({str(ROOT / 'course/labs/lab2_vae/checks.py')!r})",
    "notebook": f"open({str(ROOT / 'solutions/lab2_vae.ipynb')!r})",
    "git": f"os.listdir({str(ROOT / '.git')!r})",
    "passwd": "open('/etc/passwd')",
    "shadow": "open('/etc/shadow')",
    # A folder may be there as the way to something that can be read; then there is nothing else in it.
    "home": f"[n for n in os.listdir({HOME!r}) if not any({HOME!r} + '/' + n in path for path in sys.path)] or call(-1)",
    "tmp": "[n for n in os.listdir('/tmp') if not any(f'/tmp/{n}' in path for path in sys.path)] or call(-1)",
    "processes": "[n for n in os.listdir('/proc') if n.isdecimal()] or call(-1)",
    "own_memory": "open('/proc/self/mem', 'rb')",
    "own_maps": "open('/proc/self/maps')",
    "parents_memory": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "arguments": "open(f'/proc/{os.getppid()}/cmdline')",
    "environment": "open('/proc/1/environ')",
    "exe": "os.readlink('/proc/1/exe')",
    "descriptors": "os.listdir('/proc/self/fd')",
    "disk": "open('/dev/sda', 'rb')",
    "kernel_memory": "open('/dev/mem', 'rb')",
    "terminal": "open('/dev/tty')",
    "kernel_log": "open('/dev/kmsg')",
}
WRITING = {
    "tmp": "open('/tmp/written', 'w')",
    "shm": "open('/dev/shm/written', 'w')",
    "here": "open('written', 'w')",
    "root": "open('/written', 'w')",
    "library": "open(os.path.dirname(os.__file__) + '/written.py', 'w')",
    "existing": "open(os.__file__, 'r+')",
    "emptying": "os.open(os.__file__, os.O_RDONLY | os.O_TRUNC)",
    "truncating": "os.truncate(os.__file__, 0)",
    "deleting": "os.unlink(os.__file__)",
    "renaming": "os.rename(os.__file__, os.__file__ + 'x')",
    "folder": "os.mkdir('/tmp/written')",
    "removing": "os.rmdir('/tmp')",
    "pipe": "os.mkfifo('/tmp/written')",
    "device": "os.mknod('/tmp/written', 0o60666, 0)",
    "link": "os.link(os.__file__, '/tmp/written')",
    "symlink": "os.symlink('/etc/passwd', '/tmp/written')",
    "owner": "os.chown(os.__file__, os.getuid(), -1)",
    "attribute": "os.setxattr(os.__file__, 'user.x', b'1')",
    "anonymous": "os.memfd_create('x')",
    "nameless": "os.open('/tmp', os.O_TMPFILE | os.O_RDWR)",
    "own_course": "open(sys.path[0] + '/course/vae.py', 'a')",
    "font_list": "open(os.environ['MPLCONFIGDIR'] + '/written', 'w')",
}
PROCESSES = {
    "fork": "os.fork() or os._exit(0)",
    "vfork": "LIBC.vfork() == -1 and call(-1)",
    "program": "os.execv('/bin/true', ['true'])",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "popen": "subprocess.Popen(['/bin/true'])",
    "terminal": "os.forkpty()",
    "signal_parent": "os.kill(os.getppid(), 0)",
    "kill_all": "os.kill(-1, 9)",
    "kill_group": "os.killpg(0, 9)",
    "parents_limits": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
    "parents_priority": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "parents_processors": "os.sched_setaffinity(os.getppid(), {0})",
    "own_processors": "os.sched_setaffinity(0, {0})",
    "handle": "os.pidfd_open(os.getppid())",
    "session": "os.setsid()",
    "group": "os.setpgid(0, 0)",
    "user": "os.setuid(0)",
    "users": "os.setresuid(0, 0, 0)",
    "groups": "os.setgroups([0])",
    "owner": "fcntl.fcntl(os.pipe()[0], 8, os.getppid())",
    "signal_number": "fcntl.fcntl(os.pipe()[0], 10, 9)",
    "lease": "fcntl.fcntl(os.open(os.__file__, 0), 1024, 0)",
    "watch": "fcntl.fcntl(os.open(os.path.dirname(os.__file__), 0), 1026, 1)",
}
NETWORK = {
    "internet": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "datagram": "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
    "local": "socket.socket(socket.AF_UNIX)",
    "pair": "socket.socketpair()",
    "netlink": "socket.socket(16, socket.SOCK_RAW)",
    "packet": "socket.socket(17, socket.SOCK_RAW)",
    "vsock": "socket.socket(40, socket.SOCK_STREAM)",
    "connect": "socket.create_connection(('127.0.0.1', 1))",
    "on_the_channel": "LIBC.send(3, b'x', 1, 0) == -1 and call(-1)",
    "unshare_descriptors": "LIBC.sendmsg(3, None, 0) == -1 and call(-1)",
}


@pytest.mark.parametrize(
    "attempts",
    [pytest.param(each, id=name) for name, each in {
        "reading": READING, "writing": WRITING, "processes": PROCESSES, "network": NETWORK,
    }.items()],
)  # fmt: skip
def test_the_kernel_refuses(attempts: dict[str, str], grade_probe: Probe) -> None:
    answers = answers_of(grade_probe, attempts)
    assert {name: answer for name, answer in answers.items() if answer not in REFUSALS | {"gaierror"}} == {}


PARTLY = {"fcntl", "ioctl", "prctl", "clone", "open", "openat", "prlimit64", "mmap"}  # allowed with some arguments


def numbers() -> dict[str, int]:
    """Return the numbers of this machine's system calls by name."""
    seccomp = pytest.importorskip("pyseccomp")
    arch, names = seccomp.system_arch(), {*calls.ALLOWED.split(), *calls.REFUSED.split(), *calls.PRETENDED.split()}
    found = {name: seccomp.resolve_syscall(arch, name) for name in names | PARTLY | {"clone3", "openat2", "seccomp"}}
    return {name: number for name, number in found.items() if number >= 0}


def test_every_other_system_call_is_refused(grade_probe: Probe) -> None:
    by_name = numbers()
    spared = {by_name[name] for name in (*calls.ALLOWED.split(), *calls.PRETENDED.split(), *PARTLY) if name in by_name}
    if platform.machine() == "x86_64":
        spared |= {335, 336}  # uretprobe, uprobe: kernels ask no filter, and kill whoever is no probe
    source = REPORT.format(attempts="").split("def gaussian_kl")[0]
    words = grade_probe(
        source
        + textwrap.dedent(f"""
        def gaussian_kl(mu, logvar):
            odd, tried = [], 0
            for number in [n for n in range(500) if n not in {sorted(spared)}]:
                tried += 1
                try:
                    call(number, -1, -1, -1, -1, -1, -1)
                    odd.append(number)
                except OSError as error:
                    if error.errno not in (errno.EPERM, errno.ENOSYS):
                        odd.append(number)
            raise RuntimeError(f"tried {{tried}}: {{odd}}")
        """)
    )
    said = re.search(r"tried (\d+): (\[.*?\])", words)
    assert said, words
    assert int(said[1]) > 300
    assert ast.literal_eval(said[2]) == []


def test_what_is_refused_is_refused_by_name(grade_probe: Probe) -> None:
    by_name = numbers()
    attempts = {name: f"call({by_name[name]}, -1, -1, -1, -1, -1)" for name in calls.REFUSED.split() if name in by_name}
    assert set(answers_of(grade_probe, attempts).values()) == {"EPERM"}


def test_arguments_are_looked_at_whole(grade_probe: Probe) -> None:
    by_name = numbers()
    high = 1 << 32  # seccomp sees 64 bits of what the kernel cuts to 32
    some = {
        "fcntl_owner": ("fcntl", 0, 8, 1), "fcntl_owner_high": ("fcntl", 0, high | 8, 1),
        "fcntl_signal": ("fcntl", 0, 10, 9), "fcntl_owner_ex": ("fcntl", 0, 15, 0),
        "ioctl_push": ("ioctl", 0, 0x5412, 0), "ioctl_push_high": ("ioctl", 0, high | 0x5412, 0),
        "ioctl_owner": ("ioctl", 3, 0x8901, 0), "ioctl_async": ("ioctl", 3, 0x5452, 0),
        "prctl_death": ("prctl", 1, 0), "prctl_dump": ("prctl", 4, 1), "prctl_filter": ("prctl", 22, 2, 0),
        "prctl_ambient": ("prctl", 47, 2, 2), "prctl_map": ("prctl", 35, 1), "prctl_subreaper": ("prctl", 36, 1),
        "limit_of_another": ("prlimit64", 1, 0, 0, 0), "limit_high": ("prlimit64", high, 0, 0, 0),
        "clone_child": ("clone", 17, 0, 0, 0), "clone_user": ("clone", 0x10000000 | 17, 0, 0, 0),
        "clone_vfork": ("clone", 0x4111, 0, 0, 0), "clone_high": ("clone", high | 17, 0, 0, 0),
        "clone3": ("clone3", 0, 88), "seccomp": ("seccomp", 1, 0, 0), "openat2": ("openat2", -100, 0, 0, 24),
        "mmap_shared": ("mmap", 0, 4096, 3, 0x21, -1, 0), "mmap_high": ("mmap", 0, 4096, 3, high | 0x21, -1, 0),
        "empty_file": ("open", 0, 0o1000), "empty_file_at": ("openat", -100, 0, high | 0o1000),
    }  # fmt: skip
    attempts = {
        name: f"call({by_name[call]}, {', '.join(map(str, arguments))})"
        for name, (call, *arguments) in some.items()
        if call in by_name
    }
    assert set(answers_of(grade_probe, attempts).values()) <= {"EPERM", "ENOSYS"}


# mov eax, 2 (fork, as 32-bit programs number it); int 0x80; ret
AS_32_BIT = """
code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
code.write(bytes.fromhex("b802000000cd80c3"))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""
AS_X32 = "ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 57))  # fork"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code for x86-64")
@pytest.mark.parametrize("code", [AS_32_BIT, AS_X32], ids=["32-bit", "x32"])
def test_system_calls_of_another_architecture_kill(code: str, grader: Grader) -> None:
    body = textwrap.indent(f"import ctypes, mmap\n{code}\nraise RuntimeError('BROKEN')", "    ")
    grading = grader.grade([*BASE, f"def gaussian_kl(mu, logvar):\n{body}"])
    assert "killed by SIGSYS" in words_of(grading)


def test_rights_of_files_are_not_changed(grade_probe: Probe) -> None:
    words = grade_probe(textwrap.dedent("""
        import os

        def gaussian_kl(mu, logvar):
            before = os.stat(os.__file__)
            os.chmod(os.__file__, 0o777)
            os.utime(os.__file__, (0, 0))
            after = os.stat(os.__file__)
            raise RuntimeError(f"same: {(before.st_mode, before.st_mtime) == (after.st_mode, after.st_mtime)}")
    """))  # fmt: skip
    assert "same: True" in words


def test_who_it_is(grade_probe: Probe, level: str) -> None:
    words = grade_probe(textwrap.dedent("""
        import os

        def gaussian_kl(mu, logvar):
            raise RuntimeError(repr([os.getuid(), os.geteuid(), os.getgid(), os.getgroups(), os.getppid()]))
    """))  # fmt: skip
    user, effective, group, groups, parent = ast.literal_eval(re.search(r"RuntimeError: (\[.*\]) ", words)[1])
    assert user == effective
    if os.geteuid() == 0:
        assert FIRST_UID <= user < FIRST_UID + UIDS
        assert (group, groups) == (user, [])
    if level == "bwrap":
        assert parent < 10  # among the first of a namespace of its own: it cannot even name other processes
        assert user != 0


def test_limits_hold_and_cannot_be_raised(grade_probe: Probe) -> None:
    words = grade_probe(textwrap.dedent("""
        import resource

        def gaussian_kl(mu, logvar):
            found = {}
            for name in ("AS", "DATA", "CPU", "FSIZE", "NPROC", "NOFILE", "CORE"):
                kind = getattr(resource, "RLIMIT_" + name)
                soft, hard = resource.getrlimit(kind)
                try:
                    resource.setrlimit(kind, (hard + 1, hard + 1))
                    found[name] = "raised"
                except (OSError, ValueError):
                    found[name] = hard
            raise RuntimeError(repr(found))
    """))  # fmt: skip
    limits = ast.literal_eval(re.search(r"(\{.*\})", words)[1])
    assert "raised" not in limits.values()
    assert limits["FSIZE"] == limits["CORE"] == 0
    assert 0 < limits["NPROC"] <= 100 or os.geteuid() != 0
    assert 0 < limits["NOFILE"] <= 128
    assert 0 < limits["CPU"] <= 60
    assert limits["DATA"] < 2 << 30


def test_nothing_of_the_grader_comes_along(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(min(1200, hard - 200))]  # some above 1023
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    try:
        with Grader(LAB, SEED, level, Limits(timeout=5), only=["gaussian_kl"]) as grader:
            grading = grader.grade([*BASE, textwrap.dedent("""
                import os

                def gaussian_kl(mu, logvar):
                    there = []
                    for descriptor in range(5000):
                        try:
                            os.fstat(descriptor)
                            there.append(descriptor)
                        except OSError:
                            pass
                    raise RuntimeError(f"{there} {'SECRET_TOKEN' in os.environ}")
            """)])  # fmt: skip
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "[0, 1, 2, 3] False" in words_of(grading)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the memory of a process that hides it")
@pytest.mark.parametrize("kind", ["PRIVATE", "SHARED"])
def test_memory_is_bounded_whatever_is_freed_first(kind: str, grader: Grader) -> None:
    """A submission that unmaps libraries has address space again, but no more memory for that."""
    user = FIRST_UID + os.getpid() % UIDS
    warm = max(_resident(process) for process in _running(user))
    watch = subprocess.Popen([sys.executable, "-c", _WATCH, str(user)], stdout=subprocess.PIPE, text=True)
    try:
        grader.grade([*BASE, textwrap.dedent(f"""
            import ctypes, mmap, time

            class Info(ctypes.Structure):
                _fields_ = [("address", ctypes.c_uint64), ("name", ctypes.c_char_p), ("headers", ctypes.c_uint64),
                            ("number", ctypes.c_uint16)]

            class Header(ctypes.Structure):
                _fields_ = [("type", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                            *((name, ctypes.c_uint64) for name in ("offset", "address", "other", "file", "memory", "align"))]

            def gaussian_kl(mu, logvar):
                found = []

                def visit(info, size, data):
                    headers = (Header * info.contents.number).from_address(info.contents.headers)
                    end = max((header.address + header.memory for header in headers if header.type == 1), default=0)
                    found.append((info.contents.address, end, info.contents.name))
                    return 0

                kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)
                libc = ctypes.CDLL(None, use_errno=True)
                libc.munmap.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
                libc.dl_iterate_phdr(kind(visit), None)
                for address, end, name in found:
                    if any(word in name for word in (b"cublas", b"cudnn", b"cusparse", b"nccl", b"cufft", b"cusolver")):
                        libc.munmap(address, end & ~4095)
                pieces = []
                try:
                    while True:
                        pieces.append(mmap.mmap(-1, 1 << 25, flags=mmap.MAP_{kind} | mmap.MAP_ANONYMOUS))
                        pieces[-1].write(b"x" * (1 << 25))
                except BaseException:
                    time.sleep(0.3)
                return torch.zeros(len(mu))
        """)])  # fmt: skip
    finally:
        watch.send_signal(signal.SIGINT)
        most = int(watch.communicate(timeout=30)[0])
    assert 0 < warm <= most < warm + 512 + 500  # MiB: what torch takes, what is allowed, what the libraries gave up


# Watches a user's processes until it is interrupted; prints how large one was at most, in MiB.
_WATCH = """
import glob, re, sys, time

most = 0
try:
    while True:
        for path in glob.glob("/proc/[0-9]*/status"):
            try:
                text = open(path).read()
            except OSError:
                continue
            if f"\\nUid:\\t{sys.argv[1]}\\t" in text and (peak := re.search(r"VmRSS:\\s+(\\d+)", text)):
                most = max(most, int(peak[1]) // 1024)
        time.sleep(0.02)
except KeyboardInterrupt:
    print(most)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the processes are found by their user")
def test_nothing_outlives_the_grader(level: str) -> None:
    code = textwrap.dedent(f"""
        import os
        from course.grading.grade import Grader
        from course.grading.sandbox import Limits
        from course.labs import load

        grader = Grader(load("lab2_vae"), 1, {level!r}, Limits(timeout=60))
        print(os.getpid(), flush=True)
        grader.grade(["class Endless:\\n    while True: pass"])
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        user = FIRST_UID + pid % UIDS
        deadline = time.monotonic() + 20
        while len(_running(user)) < 2 and time.monotonic() < deadline:  # the warm process and its child
            time.sleep(0.05)
        assert len(_running(user)) == 2
        process.kill()
    while _running(user) and time.monotonic() < deadline + 10:
        time.sleep(0.05)
    assert _running(user) == []


def _resident(process: str) -> int:
    with suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+)", Path("/proc", process, "status").read_text())
        return int(found[1]) // 1024 if found else 0  # a process that is ending has none
    return 0


def _running(user: int) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if f"\nUid:\t{user}\t" in text and "\nState:\tZ" not in text:
            found.append(path.parent.name)
    return found
