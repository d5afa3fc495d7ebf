"""Lecture demos: trained models that answer a slider at once.

`show("density")` of widgets.py shows one in a notebook, `course demo` all of them as an app. A demo (demo.py) is controls,
and a plain function from their values to a picture; canvas.py draws fast; widgets.py alone knows Jupyter. The other files hold
the demos.
"""

from course.demos.clouds import KL
from course.demos.demo import Demo
from course.demos.density import DENSITY

IN_ORDER: tuple[Demo, ...] = (DENSITY, KL)  # the order of the lecture
DEMOS: dict[str, Demo] = {demo.name: demo for demo in IN_ORDER}
