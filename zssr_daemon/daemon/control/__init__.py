"""Control: what administrators ask of the running daemon, and how they are answered."""
