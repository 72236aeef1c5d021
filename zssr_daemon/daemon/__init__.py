"""The running service: the loop that moves jobs on, and what it tells of itself."""
