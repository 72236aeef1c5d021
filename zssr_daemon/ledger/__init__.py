"""The ledger: the durable record of every job, in SQLite."""
