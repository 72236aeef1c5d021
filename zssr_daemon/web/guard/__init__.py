"""Who may ask the web page for anything, how much, and how an answer leaves it."""
