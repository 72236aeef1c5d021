"""Tests that break things on purpose and take minutes: soak, flood, a large ledger."""
