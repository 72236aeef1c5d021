"""What breaks things on purpose, for minutes: soak, flood, a large ledger."""
