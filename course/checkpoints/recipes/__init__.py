"""The recipes of all checkpoints: one family a file."""

from course.checkpoints.recipes import autoencoders, debiasing, gans, translation

RECIPES = {**autoencoders.RECIPES, **debiasing.RECIPES, **gans.RECIPES, **translation.RECIPES}
