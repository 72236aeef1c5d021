"""The command line: what people type, and what is printed."""
