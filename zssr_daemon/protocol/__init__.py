"""The protocol: what the supervisor and its workers send each other, and how files are named."""
