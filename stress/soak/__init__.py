"""Random writers and random kills, for minutes, and the proof that nothing was lost or doubled."""
