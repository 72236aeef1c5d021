"""What is told to the outside: log, metrics, status."""
