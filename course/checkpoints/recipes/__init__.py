"""The recipes of all checkpoints: one family a file."""

from course.checkpoints.recipes import autoencoders, translation

RECIPES = {**autoencoders.RECIPES, **translation.RECIPES}
