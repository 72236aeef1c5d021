"""Free kernel: the blur of a picture that moved along a path of any form during the exposure."""
