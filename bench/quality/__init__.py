"""What comes out, compared with the truth."""
