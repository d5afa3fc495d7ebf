"""`course grade --dask`: real processes on this machine give the same marks, and survive what is handed in to them."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from course.grading.sandbox import SandboxError, choose_level
from course.labs import load

pytest.importorskip("distributed")

ROOT = Path(__file__).parent.parent.parent
LAB = "lab2_vae"
COMMAND = [sys.executable, "-c", "from course.cli import main; main()", "grade"]
ONLY = ("reparameterize", "gaussian_kl")  # two exercises, to be quick
WORKERS = 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's"),
    pytest.mark.xdist_group("grading"),
    pytest.mark.timeout(150),
]

RIGHT = {
    "reparameterize": "def reparameterize(mu, logvar):\n    return mu + (logvar / 2).exp() * torch.randn_like(mu)",
    "gaussian_kl": "def gaussian_kl(mu, logvar):\n    return 0.5 * (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1)",
}
WRONG = {
    "reparameterize": "def reparameterize(mu, logvar):\n    return mu",
    "gaussian_kl": "def gaussian_kl(mu, logvar):\n    return (logvar.exp() + mu**2 - 1 - logvar).sum(dim=1)",
}
ABORTS = "import os\n\nLIMIT = os.abort()\n\n\ndef gaussian_kl(mu, logvar):\n    return mu.sum(dim=1) + LIMIT"
HOARDS = (
    "STORE = [bytearray(1 << 26) for _ in range(10**6)]\n\n\ndef gaussian_kl(mu, logvar):\n    return mu[:, 0] * len(STORE)"
)


class Cluster:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []  # all that were started
        self.workers: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def start(self) -> None:
        about = self.folder / "scheduler.json"
        self._start("dask_scheduler", "--port=0", f"--scheduler-file={about}")
        wait_until(lambda: about.exists() and about.read_text().rstrip().endswith("}"), 30, "the scheduler has started")
        self.address = json.loads(about.read_text())["address"]
        self.fill()

    def fill(self) -> None:
        """Start workers until there are as many as there should be."""
        from distributed import Client

        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < WORKERS:
            options = ("--no-nanny", "--nthreads=1", f"--local-directory={self.folder}")
            self.workers.append(self._start("dask_worker", self.address, *options))
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(WORKERS, timeout=60)

    def close(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{what}", *options, "--host=127.0.0.1", "--no-dashboard"]
        with (self.folder / "log").open("ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        return self.processes[-1]


def wait_until(holds: Callable[[], Any], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"After {seconds:g} s it is not so that {what}."
        time.sleep(0.02)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        choose_level("auto", load(LAB))
    except SandboxError as error:
        pytest.skip(str(error).splitlines()[0])
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    """A cluster with all its workers."""
    running.fill()
    return running


@pytest.fixture(scope="module")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with notebooks: right, wrong and untouched answers in turn."""
    folder = tmp_path_factory.mktemp("class")
    for number in range(24):
        answers = {}
        for place, name in enumerate(ONLY):
            kind = (number + place) % 3
            answers[name] = RIGHT[name] if kind == 0 else WRONG[name] if kind == 1 else None
        write(folder / f"s{number:02d}.ipynb", answers, f"# {number}")
    return folder


def write(path: Path, answers: dict[str, str | None], last: str = "") -> None:
    """Write a student's notebook with these sources in the exercises' cells; None: untouched."""
    notebook = json.loads((ROOT / "notebooks" / f"{LAB}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if answers.get(name):
            cell["source"] = answers[name]
    cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    notebook["cells"].append({**cell, "id": "last", "source": last})
    path.write_text(json.dumps(notebook), encoding="utf-8")


def words(folder: Path, out: Path, *options: str) -> list[str]:
    only = [word for name in ONLY for word in ("--only", name)]
    return [*COMMAND, str(folder), "--lab", LAB, "--out", str(out), "--seed", "1", *only, *options]


def grade(folder: Path, out: Path, *options: str) -> str:
    environment = {**os.environ, "COLUMNS": "300"}
    done = subprocess.run(words(folder, out, *options), capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def graded(out: Path) -> int:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{out / 'grades.sqlite'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM gradings").fetchone()[0])
    return 0


@pytest.fixture(scope="module")
def local(classroom: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """grades.csv as processes of this machine make it."""
    out = tmp_path_factory.mktemp("local") / "out"
    grade(classroom, out, "--jobs", "2")
    return (out / "grades.csv").read_bytes()


def test_a_cluster_gives_the_same_marks(cluster: Cluster, classroom: Path, local: bytes, tmp_path: Path) -> None:
    grade(classroom, tmp_path / "out", "--dask", cluster.address)
    assert (tmp_path / "out" / "grades.csv").read_bytes() == local


def test_what_kills_its_process_gets_its_verdict_and_the_cluster_lives(
    cluster: Cluster, classroom: Path, local: bytes, tmp_path: Path
) -> None:
    poisoned, out = tmp_path / "poisoned", tmp_path / "out"
    shutil.copytree(classroom, poisoned)
    write(poisoned / "t1.ipynb", {**RIGHT, "gaussian_kl": ABORTS})
    write(poisoned / "t2.ipynb", {**RIGHT, "gaussian_kl": HOARDS})
    grade(poisoned, out, "--dask", cluster.address)
    assert all(worker.poll() is None for worker in cluster.workers)
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["graded"] * 26
    for row in rows[-2:]:
        assert (float(row["reparameterize"]), float(row["gaussian_kl"])) == (3, 0), row
    text = (out / "grades.csv").read_text(encoding="utf-8").splitlines()
    assert text[:-2] == local.decode().splitlines()
    reports = json.loads((out / "results" / "t1.json").read_text(encoding="utf-8"))
    assert "its process ended" in json.dumps(reports)
    grade(classroom, tmp_path / "after", "--dask", cluster.address)
    assert (tmp_path / "after" / "grades.csv").read_bytes() == local


def test_a_worker_that_is_killed_costs_nothing_but_time(
    cluster: Cluster, classroom: Path, local: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen(
        words(classroom, out, "--dask", cluster.address), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        wait_until(lambda: graded(out) >= 3 or process.poll() is not None, 60, "some are graded")
        at = graded(out)
        cluster.workers[0].kill()
        said = process.communicate(timeout=60)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    assert at < 24
    assert (out / "grades.csv").read_bytes() == local
