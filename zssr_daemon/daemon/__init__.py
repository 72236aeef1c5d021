"""The running service: the loop that moves jobs on, and the reports it gives of itself."""
