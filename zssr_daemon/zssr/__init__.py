"""Zero-shot super-resolution of one image (arXiv 1712.06087): tensors in, tensors out."""
