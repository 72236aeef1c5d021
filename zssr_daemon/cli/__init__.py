"""What people type: the commands, and what they print."""
