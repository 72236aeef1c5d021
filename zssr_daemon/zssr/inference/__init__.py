"""The fitted network on the whole image: tiles, self-ensemble, back-projection."""
