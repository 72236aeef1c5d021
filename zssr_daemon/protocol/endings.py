"""Endings: what the names of the program's own files end with, each told once.

The gate takes no file with one of these for an image.
"""

#: An image's own settings, behind its whole name or its stem.
PROFILE = ".toml"

#: An image's own blur kernel, behind its whole name or its stem.
KERNEL_SIDECARS = (".kernel.npy", ".kernel.mat")

#: The reason why an image failed, behind its whole name.
ERROR_RECORD = ".error.json"

#: An output that has no final name yet.
PART = ".part"

#: Companions of an output: while it has no final name, this stands in place of `PART` ...
REPORT = ".report"
KERNEL_WEIGHTS = ".kernel_npy"
KERNEL_PICTURE = ".kernel_png"

#: ... and afterwards this follows the whole name of the output.
COMPANIONS = {
    REPORT: ".report.html",
    KERNEL_WEIGHTS: KERNEL_SIDECARS[0],  # so that it can be laid beside an image
    KERNEL_PICTURE: ".kernel.png",
}

#: What lies in the inbox beside images, or comes back to it with them, and is none.
NO_IMAGES = (PROFILE, ERROR_RECORD, *KERNEL_SIDECARS)
