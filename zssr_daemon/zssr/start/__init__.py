"""Start: pictures drawn by rules, networks trained on them, and the weights that are shipped."""
