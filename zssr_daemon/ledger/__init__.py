"""The durable record of every job, in SQLite."""
