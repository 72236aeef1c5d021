"""The executor: from a job to a process; workers are started, watched and replaced here."""
