"""From files to pixels and back, without torch."""
