"""Recipes: the starts that are trained, by name; the one of grey images is folded from colour."""

from zssr_daemon.zssr.start.recipe import Recipe

RECIPES = {"rgb-64x8": Recipe(width=64, depth=8, channels=3, iterations=30_000)}
