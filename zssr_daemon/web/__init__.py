"""The web page: drop pictures, watch the queue, compare and fetch results; a process of its own."""
