"""Metadata: what comes with the pixels, read from a source and made true for its output."""
