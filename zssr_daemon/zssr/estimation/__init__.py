"""What an image tells of its own blur, noise and JPEG compression."""
