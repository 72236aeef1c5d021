"""The decoders that a worker must not run: a child process for each picture, and how it answers."""
