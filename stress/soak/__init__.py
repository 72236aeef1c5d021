"""Random writers and random kills, and checks that nothing was lost or doubled."""
