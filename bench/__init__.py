"""Benches: how good and how fast, with the numbers of record in results/."""
