"""Measurements of quality and speed; each is run as a module: `python -m bench.quality.run`."""
