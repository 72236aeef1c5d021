"""What it costs: seconds and memory."""
