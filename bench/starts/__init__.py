"""Tools that make the drawn starts which come with the program."""
