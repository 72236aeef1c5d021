"""From a part to a durable output; after that, the source leaves the inbox."""
