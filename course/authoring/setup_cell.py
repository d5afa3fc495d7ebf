"""The first cell of every notebook: installs the course where it is missing, and does nothing where it is not."""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

INSTALL = """\
# Run this cell first. On Colab it installs the course; on your own machine the course is there and it does nothing.
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("course") is None:
    print("Installing the course: about a minute ...")
    source = {source!r}
    pip = subprocess.run([sys.executable, "-m", "pip", "install", "-q", source], capture_output=True, text=True)
    if pip.returncode:
        lines = pip.stderr.strip().splitlines() or ["pip gave no reason"]
        reasons = [line.strip() for line in lines if "fatal:" in line or "ERROR:" in line] or lines[-1:]
        raise ImportError("Could not install the course from " + source + ": " + reasons[0])
    importlib.invalidate_caches()
"""

UNSET = """\
# Run this cell first. It makes sure that the course is installed.
import importlib.util

if importlib.util.find_spec("course") is None:
    raise ImportError(
        "The package `course` is not installed here, and this notebook does not know where to get it. Its publisher "
        "can mend that: set `repository` under [tool.course] in pyproject.toml, then run `course build`."
    )
"""


def setup_source(repository: str) -> str:
    """The set-up cell's source: plain Python, no magics.

    `repository` is a git address such as "https://github.com/OWNER/REPOSITORY" or "file:///path"; "" if not published.
    """
    return INSTALL.format(source=f"git+{repository}") if repository else UNSET


def read_repository(pyproject: Path | str) -> str:
    """`repository` under `[tool.course]`, the one place where it is written; "" where it is not set."""
    settings = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))
    return str(settings.get("tool", {}).get("course", {}).get("repository", ""))


def colab_badge(repository: str, notebook: str) -> str | None:
    """Markdown of the "Open in Colab" badge for a notebook's path in the repository; None unless it is on GitHub."""
    match = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", repository)
    if match is None:
        return None
    colab = "https://colab.research.google.com"
    return f"[![Open in Colab]({colab}/assets/colab-badge.svg)]({colab}/github/{match[1]}/blob/main/{notebook})"
