"""Start a sandbox, and talk with the submissions in it. The grader's side: it believes nothing that comes back."""

import ast
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from course.checks.cut import Description, stub_of
from course.checks.diagnose import Cases
from course.checks.exercise import Exercise, Lab, Part
from course.checks.probing import Failure, Outcome, edited_inputs
from course.grading import calls, confine, wire
from course.grading.stripped import write_stripped
from course.labs import lab_source

LEVELS = ("bwrap", "landlock", "none")
START_SECONDS = 60
MIB = 1 << 20
PREFIX = "course-sandbox-"  # of the folders with a sandbox's files; then comes the process that made it
THREADS = 64
MAX_PRINTED = 20_000  # characters of one cell
GPU_FILES = ("/proc/driver/nvidia", "/proc/devices", "/sys/module/nvidia", "/sys/module/nvidia_uvm", "/sys/bus/pci/devices")
FIRST_UID, UIDS = 65_000, 500  # users that own nothing, one for each sandbox of a machine in turn
ADVICE = (
    "Install bubblewrap (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap), or use Linux 5.13 or "
    "newer, whose Landlock works in containers too. On macOS and Windows grade in a Linux container (docs/TEACHING.md). "
    "Only for code that you trust as your own: --sandbox none."
)


class SandboxError(Exception):
    """A sandbox cannot be had here; the message says why and what to do."""


class Died(Exception):
    """A submission's process is gone, or must go: the message says what it did."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use: seconds for one exercise and for the definitions, memory beyond torch's own.

    disk: what it may write; with none, nothing that it sees can be written to. With some, it has a folder of its own.
    gpu: it may use the machine's GPUs, whose memory is not bounded.
    """

    timeout: float = 10.0
    memory: int = 1024  # MiB
    disk: int = 0  # MiB
    threads: int = 1
    gpu: bool = False


DEFAULT = Limits()


@dataclass(frozen=True)
class Loaded:
    """What a submission defines: descriptions of exercises, answers to questions, what failed, what was noticed."""

    described: Mapping[str, Description]
    answers: Mapping[str, tuple[str | None, str]]
    failures: Mapping[str, str]
    fingerprints: Mapping[str, tuple[int, ...]]


def choose_level(wanted: str, lab: Lab) -> str:
    """Return the strongest level that works here, or the wanted one if it does. Raises SandboxError."""
    reasons = []
    for level in LEVELS[:2] if wanted == "auto" else (wanted,):
        try:
            Sandbox(lab, level, trial=True).close()
        except SandboxError as error:
            reasons.append(f"{level}: {error}")
        else:
            return level
    raise SandboxError(f"No sandbox works here ({'; '.join(reasons)}). {ADVICE}")


class Sandbox:
    """A confined process with torch loaded, which forks a child for each submission, one at a time."""

    def __init__(self, lab: Lab, level: str, limits: Limits = DEFAULT, *, slot: int = 0, trial: bool = False) -> None:
        """Start it and wait until it is ready, or, for a trial, until it is confined. Raises SandboxError."""
        self.lab, self.level, self.limits = lab, level, limits
        self.packed: dict[tuple[str, str, bool, tuple[int, ...]], bytes] = {}
        items = {name: entry.item for name, entry in lab.entries.items()}
        self.questions = [name for name, item in items.items() if not isinstance(item, Exercise)]
        self.stubs = {
            name: [stub_of(item.reference, item.methods), list(item.methods)]
            for name, item in items.items()
            if isinstance(item, Exercise)
        }
        sweep()
        self._files = tempfile.mkdtemp(prefix=f"{PREFIX}{_processes()}-{os.getpid()}-")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the sandbox
        self._control, other = socket.socketpair()
        try:
            if limits.disk and level == "landlock" and os.geteuid() != 0 and confine.landlock_version() < 3:
                raise SandboxError("a folder to write to needs Linux 6.2, whose Landlock keeps files from being emptied")
            write_stripped(lab, Path(self._files))
            Path(self._files, "handed_out.json").write_text(json.dumps(_handed_out(lab)), encoding="utf-8")
            _copy_font_list(Path(self._files))
            # Its user may be another one, whatever the umask; there is nothing in it that a submission may not see.
            subprocess.run(["chmod", "-R", "a+rX", self._files], check=True)
            settings = self._settings(other.fileno(), slot)
            if settings["scratch"]:
                os.mkdir(settings["scratch"], 0o700)
                if os.geteuid() == 0 and level != "none":
                    os.chown(settings["scratch"], settings["uid"], settings["uid"])
            command = [_python(), "-s", "-S", "-B", f"{self._files}/course/grading/worker.py", json.dumps(settings)]
            if level == "bwrap":
                shown = [*settings["readable"], *settings["devices"]]
                command = [*_bwrap(shown, settings["scratch"], limits.disk), *command]
            self._process = subprocess.Popen(
                command,
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=_environment(self._files, settings["scratch"], limits),
                start_new_session=True,
            )
        except (OSError, RuntimeError, ImportError) as error:
            self._forget()
            raise SandboxError(f"it does not start: {error}") from None
        finally:
            other.close()
        try:
            if level != "none":
                self._require_proof()
            if not trial and self._hear(1, START_SECONDS) != b"R":
                raise SandboxError(self._complaint())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def open(self, cells: Sequence[str]) -> "Attempt":
        """Start a process for a submission. Raises SandboxError if the sandbox is gone."""
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control, [b"F"], [theirs.fileno()])
        except OSError:
            ours.close()
            raise SandboxError(self._complaint()) from None
        finally:
            theirs.close()
        return Attempt(self, ours, cells)

    def end(self) -> int:
        """Kill the submission's process and return its exit status (negative: the signal). Raises SandboxError."""
        try:
            self._control.sendall(b"E")
        except OSError:
            raise SandboxError(self._complaint()) from None
        status = self._hear(5, 30)
        if len(status) < 5:
            raise SandboxError(self._complaint())
        return int(status)

    def close(self) -> None:
        """End the sandbox and all that is in it."""
        self._control.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # gone already, or of another user: then it hears that we are gone
            self._process.kill()
        self._process.wait()
        self._forget()

    def watch_disk(self) -> None:
        """Raise Died if the submission has written more than it may: nothing else stops it at the landlock level."""
        folders, size = [f"{self._files}/scratch"] if self.level != "bwrap" else [], 0
        while folders:
            with suppress(OSError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    size += max(4096, entry.stat(follow_symlinks=False).st_blocks * 512)  # an empty file is not free
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    if size > self.limits.disk * MIB:
                        raise Died(f"it wrote more than {self.limits.disk} MiB of files")

    def _forget(self) -> None:
        self._control.close()
        self._errors.close()
        _remove(self._files)

    def _settings(self, control: int, slot: int) -> dict[str, Any]:
        exercises = sum(isinstance(entry.item, Exercise) for entry in self.lab.entries.values())
        scratch = f"{self._files}/scratch" if self.limits.disk else ""
        listable: list[str] = []
        readable = readable_paths() + [path for path in GPU_FILES if self.limits.gpu and os.path.exists(path)]
        if self.level == "landlock":
            readable, listable = _around(readable, _installed_courses(readable))
        libraries = [path for path in map(os.path.realpath, sys.path) if os.path.isdir(path) and "-packages" in path]
        return {
            "level": self.level,
            "lab": self.lab.name,
            "control": control,
            "path": [self._files, *_standard_library(), *libraries],
            "readable": [self._files, *readable],
            "listable": listable,
            "writable": [scratch] if scratch else [],
            "devices": gpu_devices() if self.limits.gpu else [],
            "scratch": scratch,
            "threads": self.limits.threads,
            "uid": FIRST_UID + (os.getpid() + slot) % UIDS,
            "memory": self.limits.memory * MIB,
            "cpu": int(self.limits.timeout * (exercises + 1) * self.limits.threads) + 1,
            "file_size": self.limits.disk * MIB,
            "processes": THREADS + self.limits.threads + (0 if os.geteuid() == 0 else _threads_of_user()),
            "imports": _imports(self.lab),
            "handed_out": f"{self._files}/handed_out.json",
            "canary": str(Path(__file__).resolve()),
            "filters": [] if self.level == "none" else _filters(self.limits),
        }

    def _require_proof(self) -> None:
        """Read what a child could do that tried to break out. Raises SandboxError."""
        leaks = b""
        while not leaks.endswith(b"\n"):
            heard = self._hear(1, START_SECONDS)
            if not heard:
                raise SandboxError(self._complaint())
            leaks += heard
        if leaks.strip():
            raise SandboxError(f"it does not hold: it allows {leaks.decode().strip()}")

    def _hear(self, size: int, seconds: float) -> bytes:
        heard = b""
        deadline = time.monotonic() + seconds
        while len(heard) < size and wire.is_waiting(self._control.fileno(), max(0.0, deadline - time.monotonic())):
            try:
                part = self._control.recv(size - len(heard))
            except ConnectionError:  # it died with something unread
                break
            if not part:
                break
            heard += part
        return heard

    def _complaint(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it ended without a word"


class Attempt:
    """One submission's process: it is asked, and what it answers is only an answer."""

    def __init__(self, sandbox: Sandbox, channel: socket.socket, cells: Sequence[str]) -> None:
        self.sandbox, self.cells = sandbox, cells
        self._channel = channel
        channel.setblocking(False)  # a process that does not read must not keep us
        self._deadline = 0.0
        self.noticed: list[str] = []
        self.at = -1  # the statement that was run last
        self.give_time()

    def give_time(self) -> None:
        """Let the clock begin anew."""
        self._deadline = time.monotonic() + self.sandbox.limits.timeout

    def load(self, skip: Mapping[int, str], *, tell: bool) -> Loaded:
        """Run the submission's definitions. skip: statements not to run, with what to say of them; tell: have the process
        tell which one it runs. Raises Died."""
        exercises, questions = self.sandbox.stubs, self.sandbox.questions
        asked = {"exercises": exercises, "questions": questions, "skip": skip, "tell": tell}
        question = {"do": "load", "cells": list(self.cells), **asked}
        header = self.ask(question)[0]
        while set(header) == {"at"} and type(header["at"]) is int:
            self.at = header["at"]
            header = self._receive()[0]
        try:
            return self._loaded(header, set(exercises), set(questions))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise Died("it forged an answer") from None

    def probe(self, name: str, part: Part, cases: Cases, with_fakes: bool) -> list[Outcome]:
        """Run a part's probe on what the submission defined, in one case after the other until one fails. Raises Died."""
        seeds = tuple(seed for seed, _ in cases)
        packed, place = self.sandbox.packed, (name, part.name, with_fakes, seeds)
        if place not in packed:  # a class is asked the same questions
            plain, tensors = wire.pack_cases([case for _, case in cases])
            see = part.probe.see.__name__
            question = {"do": "probe", "name": name, "probe": see, "cases": plain, "seeds": seeds, "fakes": with_fakes}
            packed[place] = wire.pack(question, tensors)
        header, answers = self._ask(packed[place])
        try:
            outcomes, noticed = wire.read_outcomes(header, answers, part.probe.fakes, len(cases))
        except wire.WireError as error:
            raise Died(f"it forged an answer ({error})") from None
        self._note(noticed)
        return [
            replace(outcome, edited=edited_inputs(case, after))
            for (outcome, after), (_, case) in zip(outcomes, cases, strict=False)  # fewer, where one failed
        ]

    def gpu_works(self) -> bool:
        """Say whether a GPU can be used in this sandbox; ask before the submission's code is run. Raises Died."""
        return self.ask({"do": "gpu"})[0] == {"gpu": True}

    def run(self, on_cell: Callable[[int], None] = lambda number: None) -> Iterator[tuple[str, str]]:
        """Run the notebook from top to bottom; yield what each cell printed, and its error ("" if none). Raises Died."""
        header = self.ask({"do": "run", "cells": list(self.cells)})[0]
        for number in range(len(self.cells)):
            if header != {"at": number}:
                raise Died("it forged an answer")
            self.at = number
            on_cell(number)
            header = self._receive()[0]
            printed, error = header.get("printed"), header.get("error")
            if set(header) != {"printed", "error"} or not (wire.is_text(printed, MAX_PRINTED) and wire.is_text(error)):
                raise Died("it forged an answer")
            yield str(printed), str(error)
            if error:
                return
            header = self._receive()[0]
        if header != {"ran": True}:
            raise Died("it forged an answer")

    def ask(self, question: Mapping[str, Any], tensors: wire.Tensors | None = None) -> tuple[dict[str, Any], wire.Tensors]:
        """Send a question and wait for the answer. Raises Died."""
        try:
            return self._ask(wire.pack(question, tensors))
        except wire.WireError:
            raise Died("it is too large to be sent to its process") from None

    def _ask(self, frame: bytes) -> tuple[dict[str, Any], wire.Tensors]:
        if wire.is_waiting(self._channel.fileno()) and self._peek():
            raise Died("it sent an answer that nobody had asked for")
        try:
            wire.send(self._channel.fileno(), frame, self._deadline)
        except wire.Closed:
            raise Died("its process ended") from None
        except wire.Late:
            raise TimeoutError from None
        return self._receive()

    def close(self) -> int:
        """Kill the process; return its exit status."""
        self._channel.close()
        return self.sandbox.end()

    def _receive(self) -> tuple[dict[str, Any], wire.Tensors]:
        try:
            while self.sandbox.limits.disk and not wire.is_waiting(self._channel.fileno(), seconds=1):
                self.sandbox.watch_disk()
                if time.monotonic() > self._deadline:
                    raise TimeoutError
            return wire.receive(self._channel.fileno(), self._deadline)
        except wire.Closed:
            raise Died("its process ended") from None
        except wire.Late:
            raise TimeoutError from None
        except wire.WireError as error:
            raise Died(f"it forged an answer ({error})") from None

    def _peek(self) -> bytes:
        try:
            return self._channel.recv(1, socket.MSG_PEEK)
        except OSError:
            return b""

    def _loaded(self, header: dict[str, Any], exercises: set[str], questions: set[str]) -> Loaded:
        self._note(header["noticed"])
        failures = {name: text for name, text in header["failures"].items() if name in exercises | questions}
        if not wire.is_texts(list(failures.values())):
            raise ValueError
        return Loaded(
            {name: _description(*about) for name, about in header["described"].items() if name in exercises},
            {name: _letter(*answer) for name, answer in header["answers"].items() if name in questions},
            failures,
            {name: _hashes(found) for name, found in header["fingerprints"].items() if name in exercises},
        )

    def _note(self, noticed: Any) -> None:
        if not wire.is_texts(noticed):
            raise Died("it forged an answer")
        self.noticed = list(dict.fromkeys([*self.noticed, *noticed]))[:20]


def failure_of(error: Exception, seconds: float) -> Failure:
    """Say what became of a submission's process, as a probe would."""
    if isinstance(error, TimeoutError):
        return Failure("timeout", "", f"still running after {seconds:.0f} s, then stopped")
    return Failure("error", "Crash", f"{error}")


def _description(kind: Any, type_name: Any, is_stub: Any, holds_todo: Any) -> Description:
    if kind not in ("function", "class", "value") or not wire.is_texts([type_name]):
        raise ValueError
    return Description(kind, type_name, is_stub is True, holds_todo is True)


def _hashes(found: Any) -> tuple[int, ...]:
    if type(found) is not list or len(found) > 1000 or not all(type(each) is int and 0 <= each < 1 << 32 for each in found):
        raise ValueError
    return tuple(found)


def _letter(answer: Any, shown: Any) -> tuple[str | None, str]:
    if not wire.is_texts([shown]) or not (answer is None or wire.is_texts([answer])):
        raise ValueError
    return answer, shown


# ------------------------------------------------------------------------------------------- what a sandbox is made of


def sweep() -> None:
    """Remove what sandboxes left behind whose process was killed."""
    prefix = f"{PREFIX}{_processes()}-"
    for path in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        owner = path.name.removeprefix(prefix).split("-")[0]
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            _remove(str(path))


def _processes() -> int:
    """Return a number for the world of processes that we live in: a container with the same /tmp has another one."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:  # no Linux
        return os.getpid()


def _remove(folder: str) -> None:
    """Remove a folder, however deep a submission has nested it."""
    subprocess.run(["rm", "-rf", "--", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _filters(limits: Limits) -> list[str]:
    child = calls.program(may_fork=False, may_write=limits.disk > 0, any_ioctl=limits.gpu)
    return [calls.program(may_fork=True, any_ioctl=limits.gpu).hex(), child.hex()]


def _threads_of_user() -> int:
    """Count the threads of this user: the limit on them is the user's, not the sandbox's."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            fields = dict(line.split(":", 1) for line in status.read_text(errors="replace").splitlines() if ":" in line)
            count += int(fields["Threads"]) if fields["Uid"].split()[0] == str(os.getuid()) else 0
    return count


def readable_paths() -> list[str]:
    """List what a submission may read: Python, the libraries (not the course), and what these ask of the system."""
    libraries = [path for path in sys.path if os.path.isdir(path) and "-packages" in path]
    prefix = Path(sysconfig.get_config_var("installed_base") or sys.base_prefix)
    system = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache"]
    devices = ["/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"]
    devices.append("/sys/kernel/mm/transparent_hugepage")  # where malloc asks for the size of huge pages
    found = [_python(), *_standard_library(), str(prefix / "lib"), *libraries, *system, *devices]
    found = list(dict.fromkeys(path for path in found if os.path.exists(path)))
    return [path for path in found if not any(path != other and path.startswith(other + "/") for other in found)]


def gpu_devices() -> list[str]:
    """List the files through which an NVIDIA driver is used; none if CUDA_VISIBLE_DEVICES hides the GPUs."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1")
    return [] if hidden else sorted(str(path) for path in Path("/dev").glob("nvidia*") if path.is_char_device())


def _around(paths: Sequence[str], hidden: Sequence[str]) -> tuple[list[str], list[str]]:
    """Replace paths that hold what is hidden by what lies beside it; return what may be read, and the folders of which
    only the names may be. Landlock needs this: it allows, and cannot forbid."""
    readable, listable = [], []
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if any(place.startswith(f"{path}/") for place in hidden):
            listable.append(path)
            waiting += [entry.path for entry in os.scandir(path)]
        elif path not in hidden:
            readable.append(path)
    return readable, listable


def _bwrap(readable: Sequence[str], scratch: str, disk: int) -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError("bubblewrap is not installed")
    command = [program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if os.geteuid() == 0:  # root makes the mounts, and the process inside stops being root before anything else
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_DAC_READ_SEARCH"):
            command += ["--cap-add", capability]
    else:
        command += ["--unshare-user", "--disable-userns"]
    for path in readable:
        if os.path.islink(path) and path.count("/") == 1:  # /lib -> usr/lib
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--dev-bind" if path.startswith("/dev/") else "--ro-bind", path, path]
    for hidden in _installed_courses(readable):
        command += ["--tmpfs", hidden, "--remount-ro", hidden]
    if scratch:
        command += ["--perms", "0777", "--size", str(disk * MIB), "--tmpfs", scratch]
    return [*command, "--remount-ro", "/", "--chdir", "/", "--"]


def _installed_courses(readable: Sequence[str]) -> list[str]:
    """List the folders below these paths where this course is installed, solutions and all."""
    places = {os.path.join(path, "course") for path in sys.path if any(path.startswith(root) for root in readable)}
    return sorted(path for path in places if os.path.isdir(path))


def _python() -> str:
    return os.path.realpath(sys.executable)


def _standard_library() -> list[str]:
    paths = sysconfig.get_paths(vars={"installed_base": sys.base_prefix, "base": sys.base_prefix})
    standard, compiled = paths["stdlib"], sysconfig.get_config_var("DESTSHARED") or f"{paths['platstdlib']}/lib-dynload"
    return list(dict.fromkeys([standard, compiled]))


def _copy_font_list(folder: Path) -> None:
    """Give matplotlib in the sandbox the list of fonts that it would else make anew, for seconds, each time."""
    import matplotlib.font_manager  # makes the list, if it is not there yet

    for path in Path(matplotlib.get_cachedir()).glob("fontlist*.json"):
        shutil.copy(path, folder)


def _environment(folder: str, scratch: str, limits: Limits) -> dict[str, str]:
    handed_on = ("COURSE_REDUCED", "COURSE_SEED", *(["CUDA_VISIBLE_DEVICES"] if limits.gpu else []))
    return {
        **({} if limits.gpu else {"CUDA_VISIBLE_DEVICES": ""}),
        **{name: os.environ[name] for name in handed_on if name in os.environ},
        "MPLCONFIGDIR": folder,
        "TORCHINDUCTOR_CACHE_DIR": folder,
        "USER": "student",
        # Memory in huge pages, in one heap that keeps what is given back: a fork, which has to copy the list of pages,
        # takes a third of the time, and a new tensor need not ask the system.
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        "PYTHONMALLOC": "malloc",
        **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(256 * MIB)),
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait by spinning would take the core from those that work
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": scratch or "/",
        "TMPDIR": scratch or "/",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(limits.threads)),
        "MPLBACKEND": "Agg",
    }


def _handed_out(lab: Lab) -> list[str]:
    """List the cells of a lab's source: the exercises apart, this is what a notebook holds where nobody has edited it."""
    return [cell.strip() for cell in re.split(r"^# %%.*", lab_source(lab.name), flags=re.MULTILINE)]


def _imports(lab: Lab) -> list[str]:
    """List the imports of a lab's source, one by one: what its notebooks will ask for."""
    nodes = ast.parse(lab_source(lab.name)).body
    found = [ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]
    return [source for source in found if f"course.labs.{lab.name}" not in source]
