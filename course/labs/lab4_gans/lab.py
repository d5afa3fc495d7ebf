# %% [markdown]
r"""
# Lab 4: generative adversarial networks
"""

# %% setup
from course import check, hint, plots, progress, start

start("lab4_gans")

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import optimal_discriminator
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import discriminator_loss
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import discriminator_step
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import generator_loss_minimax
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import generator_loss_nonsaturating
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import generator_step
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import r1_penalty
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import interpolate
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import append_labels
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.gan import append_label_maps
# TODO: x

# %% exercise points=3 minutes=10 difficulty=2
from course.metrics import frechet_distance
# TODO: x
