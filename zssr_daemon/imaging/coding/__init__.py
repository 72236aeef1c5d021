"""With what steps a lossy file was compressed, read from its headers."""
