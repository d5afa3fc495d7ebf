"""The process in the sandbox: loads torch once, then forks a child a submission, which answers the grader's questions.

It knows no right answer, no seed and no other submission. It is started as a file, its settings in JSON as argument.
"""

import ctypes
import gc
import importlib
import io
import json
import os
import platform
import resource
import signal
import socket
import sys
import types
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from typing import Any
from unittest.mock import patch

FORK, END = b"F", b"E"  # what the grader says: here is a new submission's channel; end its process
ANSWERS = 3  # the descriptor on which a child answers
NOTICED = {
    "socket.__new__": "opened a socket", "socket.connect": "connected to a socket", "socket.bind": "listened on a socket",
    "socket.getaddrinfo": "looked up a host's address", "socket.gethostbyname": "looked up a host's address",
    "os.fork": "started a process", "os.forkpty": "started a process", "os.posix_spawn": "started a process",
    "os.exec": "started a program", "os.system": "started a program", "subprocess.Popen": "started a program",
    "os.kill": "sent a signal to a process", "os.killpg": "sent a signal to a process",
    "ctypes.dlopen": "called C code through ctypes",
    "ctypes.string_at": "read raw memory", "ctypes.cdata/buffer": "read raw memory",
    "gc.get_objects": "searched the process's memory", "gc.get_referrers": "searched the process's memory",
    "sys._current_frames": "looked into other frames", "sys.setprofile": "traced the grader's calls",
    "sys.settrace": "traced the grader's calls", "sys.addaudithook": "hooked into the grader's process",
    "pickle.find_class": "loaded a pickle that names code",
    "os.chmod": "changed a file's rights", "os.remove": "deleted a file", "os.rename": "renamed a file",
    "os.mkdir": "made a folder", "os.symlink": "made a link", "os.link": "made a link", "os.truncate": "changed a file",
}  # fmt: skip
MIB = 1 << 20
MAX_NOTICED = 20
MAX_PRINTED = 20_000  # characters of one cell


def serve(settings: dict[str, Any]) -> None:
    """Confine this process, load what submissions need, and fork a child whenever the grader asks for one."""
    from course.grading import confine

    parent = os.getppid()
    null = os.open("/dev/null", os.O_RDWR)
    if settings["level"] != "none":
        if settings["level"] == "landlock":
            confine.landlock(settings["readable"], settings["listable"], settings["writable"], settings["devices"])
        if os.geteuid() == 0:
            confine.drop_user(settings["uid"])
        if settings["level"] == "landlock":
            confine.die_with_parent(parent)
        confine.load_filter(bytes.fromhex(settings["filters"][0]))
        confine.hide_from_proc()
        _prove(settings)
    _load(settings)
    own_sizes = confine.address_space(), confine.data_size()
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=settings["control"])
    gc.collect()
    gc.freeze()  # what is loaded stays shared with the children
    _fill_gaps()
    _gather_pages()
    os.write(settings["control"], b"R")
    child = 0
    while True:
        command, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if command == FORK:
            child = os.fork()
            if child == 0:
                try:
                    os.dup2(null, 1)
                    os.dup2(null, 2)
                    _be_child(descriptors[0], settings, own_sizes)
                finally:
                    os._exit(1)
            os.close(descriptors[0])
        elif command == END:
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            os.write(settings["control"], f"{code:+05d}".encode())
        else:  # the grader is gone
            return


def _load(settings: dict[str, Any]) -> None:
    """Import what the lab's notebook imports, and call what torch only loads when it is first called."""
    import torch

    from course.grading import define

    torch.set_num_threads(settings["threads"])
    # matplotlib asks whether its folder can be written to, and refuses to be imported if not; it need not be, for its list
    # of fonts lies there already.
    with patch("os.access", return_value=True):
        for source in settings["imports"]:
            exec(source, {})
    for name in ("grading.wire", "grading.similar", "checks.cut", f"labs.{settings['lab']}.probes"):
        importlib.import_module(f"course.{name}")  # else each child would
    with open(settings["handed_out"], encoding="utf-8") as file:
        for cell in json.load(file):
            define.prepare(cell)
    layer = torch.nn.Linear(2, 2)
    for make in (torch.optim.SGD, torch.optim.Adam):
        optimizer = make(layer.parameters(), lr=0.1)
        optimizer.zero_grad()
        layer(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    torch.distributions.Normal(torch.zeros(1), torch.ones(1)).rsample()
    torch.nn.functional.binary_cross_entropy_with_logits(torch.zeros(1), torch.ones(1))


def _fill_gaps() -> None:
    """Fill the gaps between what is in memory. Else what a child makes would lie there, and each page that it touches so
    would have to be copied for it."""
    if platform.libc_ver()[0] != "glibc":
        return
    malloc = ctypes.CDLL(None).malloc
    malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    end = malloc(4 * MIB)  # larger than any gap: it lies behind them all
    left = 64 * MIB  # in an address space laid out in another way this would not end
    for size in (*(1 << power for power in range(20, 10, -1)), *range(1016, 8, -16)):
        while left > 0 and (malloc(size) or end) < end:
            left -= size


class _Library(ctypes.Structure):
    """What dl_iterate_phdr tells of a loaded library; more fields follow."""

    _fields_ = [
        ("address", ctypes.c_size_t),
        ("name", ctypes.c_char_p),
        ("segments", ctypes.POINTER(ctypes.c_uint64)),
        ("count", ctypes.c_uint16),
    ]


def _gather_pages() -> None:
    """Gather the variables of the libraries in huge pages: cuBLAS alone has 84 MB, and each fork copies the list of pages.

    Where the system cannot, nothing is lost but time. Sources: dl_iterate_phdr(3), elf(5), madvise(2).
    """
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return
    libc, load, words, collapse, huge = ctypes.CDLL(None), 1, 7, 25, 2 * MIB
    madvise = libc.madvise

    def gather(library: Any, size: int, data: Any) -> int:
        for i in range(library.contents.count):
            kind, _, start, _, in_file, in_memory, _ = library.contents.segments[words * i : words * (i + 1)]
            first = -(-(library.contents.address + start + in_file) // huge) * huge
            last = (library.contents.address + start + in_memory) // huge * huge
            if kind & 0xFFFFFFFF == load and first < last:
                madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), collapse)
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)(gather)
    libc.dl_iterate_phdr(callback, None)


# ------------------------------------------------------------------------------------------------ one submission's process


def _be_child(channel: int, settings: dict[str, Any], own_sizes: tuple[int, int]) -> None:
    """Answer the grader about one submission until it hangs up. Nothing here is secret; nothing that it says is believed."""
    from course.grading import confine, wire

    confine.die_with_parent(os.getppid())
    if channel != ANSWERS:
        os.dup2(channel, ANSWERS)
    os.closerange(ANSWERS + 1, 1 << 20)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.set_threshold(20_000)  # a short life makes little garbage
    memory, data = (size + settings["memory"] for size in own_sizes)
    # A GPU's driver reserves more address space than there is memory; what is the process's own stays bounded.
    space = None if settings["devices"] else memory
    confine.limit(space, data, settings["cpu"], settings["file_size"], settings["processes"])
    if settings["level"] != "none":
        confine.load_filter(bytes.fromhex(settings["filters"][1]))
    with suppress(wire.Closed):
        _answer(settings)


def _answer(settings: dict[str, Any]) -> None:
    from course.checks import probing
    from course.grading import wire

    probes = importlib.import_module(f"course.labs.{settings['lab']}.probes")
    main = types.ModuleType("__main__")
    noticed: list[str] = []
    while True:
        question, tensors = wire.receive(ANSWERS)
        if question["do"] == "load":
            sys.modules["__main__"] = main  # what a student's code finds there is its own
            reply = wire.pack(_define(question, vars(main), noticed, settings["readable"]))
        elif question["do"] == "run":
            _run_cells(question["cells"], settings)
            reply = wire.pack({"ran": True})
        elif question["do"] == "gpu":
            reply = wire.pack({"gpu": _gpu_works()})
        else:
            candidate, probe = vars(main)[question["name"]], getattr(probes, question["probe"])
            fakes: frozenset[str] | None = None if question["fakes"] else frozenset()
            outcomes = []
            for seed, case in zip(question["seeds"], wire.unpack_cases(question["cases"], tensors), strict=True):
                outcomes.append(probing.observe(candidate, probe, case, seed=seed, fakes=fakes))
                if outcomes[-1][0].failure:
                    break
            reply = wire.pack_outcomes(outcomes, noticed)
        wire.send(ANSWERS, reply)


def _define(
    question: Mapping[str, Any], namespace: dict[str, Any], noticed: list[str], readable: list[str]
) -> dict[str, Any]:
    """Run a submission's definitions, and describe what they define."""
    from course.checks.cut import Description, describe
    from course.grading import wire
    from course.grading.define import define, sources_of
    from course.grading.similar import fingerprint

    exercises, questions = question["exercises"], question["questions"]
    sources = sources_of(question["cells"], exercises)
    written = {name: source for name, source in sources.items() if source.strip() not in exercises[name][0]}
    fingerprints = {name: list(fingerprint(source)) for name, source in written.items()}
    _watch(noticed, readable)
    found = define(
        question["cells"],
        [*exercises, *questions],
        namespace,
        skip={int(number): text for number, text in question["skip"].items()},
        on_statement=(lambda number: wire.send(ANSWERS, wire.pack({"at": number}))) if question["tell"] else None,
    )
    described, answers = {}, {}
    for name, (stub, methods) in exercises.items():
        if name in found.namespace:
            candidate = found.namespace[name]
            if name in sources and name not in written and getattr(candidate, "__qualname__", "") == name:
                kind = "class" if isinstance(candidate, type) else "function"
                about = Description(kind, "", is_stub=True)  # word for word
            else:
                about = describe(candidate, stub, methods)
            described[name] = [about.kind, about.type_name[:100], about.is_stub, about.holds_todo]
    for name in questions:
        if name in found.namespace:
            value = found.namespace[name]
            answers[name] = [value if type(value) is str and len(value) <= 20 else None, repr(value)[:60]]
    return {
        "failures": {name: text[:1000] for name, text in found.failures.items() if name in exercises or name in questions},
        "described": described,
        "answers": answers,
        "fingerprints": fingerprints,
        "noticed": noticed,
    }


def _gpu_works() -> bool:
    """Try the GPU with a small sum."""
    import torch

    try:
        return bool(torch.cuda.is_available()) and int(torch.ones(3, device="cuda").sum()) == 3
    except Exception:  # whatever its driver misses here
        return False


def _run_cells(cells: list[str], settings: dict[str, Any]) -> None:
    """Run a notebook from top to bottom as Jupyter does, and send what each cell printed; stop at the first that fails."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib import pyplot as plt

    from course.checks.probing import text_of
    from course.grading import wire

    os.chdir(settings["scratch"])
    shell: Any = InteractiveShell.instance()
    shell.history_manager.enabled = False
    shell.ast_node_interactivity = "none"
    shell.enable_matplotlib = lambda gui=None: ("agg", "agg")  # whatever %matplotlib asks for
    shell.showtraceback = shell.showsyntaxerror = lambda *args, **kwargs: None  # the error is told, not printed
    for number, source in enumerate(cells):
        wire.send(ANSWERS, wire.pack({"at": number}))
        printed = io.StringIO()
        with redirect_stdout(printed):
            result = shell.run_cell(source, store_history=False)
        plt.close("all")
        error = result.error_before_exec or result.error_in_exec
        words = "" if error is None else f"{type(error).__name__}: {text_of(error, str)}"
        text = printed.getvalue()[:MAX_PRINTED]
        wire.send(ANSWERS, wire.pack({"printed": text, "error": words[:500]}))
        if error is not None:
            break


def _watch(noticed: list[str], readable: list[str]) -> None:
    """Write down what the code does that no exercise needs. It can be got round: it is for the report, not for safety."""
    roots = tuple(os.path.join(path, "") for path in readable)

    def note(what: str) -> None:
        text = f"tried: {what}"  # whether it came to anything is another matter; mostly it was refused
        if text not in noticed and len(noticed) < MAX_NOTICED:
            noticed.append(text)

    def is_outside(path: Any) -> bool:
        name = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        return bool(name) and not name.startswith((*roots, "<"))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in NOTICED:
            note(NOTICED[event])
        elif event in ("os.listdir", "os.scandir") and is_outside(f"{arguments[0]}/"):
            note(f"listed the files in {str(arguments[0])[:100]}")
        elif event == "open":
            path, mode, flags = arguments
            if (isinstance(mode, str) and set(mode) & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                note("wrote a file")
            elif is_outside(path):
                note(f"read the file {os.fsdecode(path)[:100]}")
        elif event == "import" and str(arguments[0]).startswith(("course.labs", "course.grading", "course.authoring")):
            note(f"imported {str(arguments[0])[:100]}")

    sys.addaudithook(hook)


def _prove(settings: dict[str, Any]) -> None:
    """Let a child try to break out, and tell the grader what it could do."""
    from course.grading import confine

    hear, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            confine.load_filter(bytes.fromhex(settings["filters"][1]))
            os.write(tell, ", ".join(_leaks(settings["canary"])).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(child, 0)
    os.write(settings["control"], os.read(hear, 4000))
    os.close(hear)


def _leaks(canary: str) -> list[str]:
    """Try what must be impossible here, and list what was possible."""
    attempts = {
        f"reading {canary}": lambda: open(canary).close(),
        "writing a file": lambda: open("/tmp/written", "w").close(),
        "a socket": lambda: socket.socket().close(),
        "a process": lambda: os.fork() or os._exit(0),
        "a program": lambda: os.execv("/bin/true", ["true"]),
        "a signal": lambda: os.kill(os.getppid(), 0),
        "its parent's limits": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CPU),
    }
    leaks = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        leaks.append(name)
    return leaks


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    sys.path[:] = given["path"]
    serve(given)
