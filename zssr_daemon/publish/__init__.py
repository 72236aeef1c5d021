"""From a part to a durable output, and the way of the source out of the inbox."""
