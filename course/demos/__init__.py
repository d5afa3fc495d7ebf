"""Lecture demos: trained models that answer a slider at once.

`show("density")` of widgets.py shows one in a notebook, `course demo` shows all of them as an app. A demo (demo.py) is
controls, and a plain function from their values to a picture; canvas.py (matplotlib) and board.py (PIL) draw fast, and
widgets.py alone knows Jupyter. The other files hold the demos.
"""

from course.demos.clouds import KL
from course.demos.debiasing import DEBIASING, OUTLIERS
from course.demos.demo import Demo
from course.demos.density import DENSITY
from course.demos.faces import ORDERS, RIDDLE, WALK
from course.demos.games import LINE_GAN, RING_GAN
from course.demos.latents import BETA, BOTTLENECK, PLANE, TRAVERSAL
from course.demos.translation import CYCLE, PAINTING

IN_ORDER: tuple[Demo, ...] = (  # the order of the lecture
    RIDDLE, DENSITY, BOTTLENECK, KL, PLANE, TRAVERSAL, BETA, DEBIASING, OUTLIERS, LINE_GAN, RING_GAN, WALK, ORDERS,
    PAINTING, CYCLE,
)  # fmt: skip
DEMOS: dict[str, Demo] = {demo.name: demo for demo in IN_ORDER}
