"""The fit: pairs of crops, the schedule, the guard, the rounds, later passes."""
