"""What the samples of a picture mean: which range they fill, which of them are void."""
