"""The child process that computes: from a source file to an enlarged file."""
