"""What a job costs: seconds, memory, and steps that are counted."""
