"""The recipes of all checkpoints: one family a file."""

from course.checkpoints.recipes import autoencoders, gans

RECIPES = {**autoencoders.RECIPES, **gans.RECIPES}
