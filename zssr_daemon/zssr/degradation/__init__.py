"""How a source was made from what is wanted: blur, noise, JPEG."""
