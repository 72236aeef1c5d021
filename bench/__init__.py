"""Measurements: quality and speed. Run as modules, such as `python -m bench.quality.run`."""
