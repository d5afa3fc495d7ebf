"""A course on deep generative models: labs that run, checks that teach, demos that move."""

from typing import Any

_NOTEBOOK = {
    "check": "course.checks.session",
    "hint": "course.checks.session",
    "progress": "course.checks.session",
    "start": "course.labs",
}


def __getattr__(name: str) -> Any:
    """Import what a notebook calls only when it is asked for (PEP 562): `import course.vae` loads no machinery."""
    if name not in _NOTEBOOK:
        raise AttributeError(f"course has no {name}; a notebook uses {', '.join(_NOTEBOOK)}")
    from importlib import import_module

    return getattr(import_module(_NOTEBOOK[name]), name)
