"""A daemon that enlarges every image dropped into a folder with a network trained on it."""

__version__ = "0.1.0"
