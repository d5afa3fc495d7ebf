"""The recipes of all checkpoints: one family a file."""

from course.checkpoints.recipes import autoencoders, debiasing

RECIPES = {**autoencoders.RECIPES, **debiasing.RECIPES}
