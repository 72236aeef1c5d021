"""From the bytes of one format to its samples: what each format needs before it is decoded."""
