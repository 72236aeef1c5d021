"""Recipes: the starts that come with the program, by name."""

from zssr_daemon.zssr.start.recipe import Recipe

RECIPES = {
    "rgb-48x6": Recipe(width=48, depth=6, channels=3, iterations=30_000),
    "rgb-64x8": Recipe(width=64, depth=8, channels=3, iterations=32_000),
    "grey-48x6": Recipe(width=48, depth=6, channels=1, iterations=20_000),
    "grey-64x8": Recipe(width=64, depth=8, channels=1, iterations=30_000),
}
