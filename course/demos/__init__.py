"""Lecture demos: trained models that answer a slider at once.

`show("density")` in a notebook, `course demo` as an app. A demo (demo.py) is controls and a plain function from their values to
a picture; canvas.py draws fast; widgets.py alone knows Jupyter. One family of demos a file.
"""

from course.demos.demo import Demo

FAMILIES: tuple[tuple[Demo, ...], ...] = ()
DEMOS: dict[str, Demo] = {demo.name: demo for family in FAMILIES for demo in family}  # in the order of the lecture
