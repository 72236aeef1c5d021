"""Sidecar moves: files of other programs that belong to an image go where it goes.

These are photo.jpg.xmp and photo.xmp beside photo.jpg, in capitals or not, and .json and .txt
alike. Each step can be repeated after a crash. A sidecar of several images stays until the last of
them leaves. None is ever deleted, copied or replaced.
"""

import os
from pathlib import Path

from zssr_daemon.errors import ImageError
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.imaging.formats import HEAD_BYTES, IMAGE_SUFFIXES, looks_like_image
from zssr_daemon.protocol.endings import ERROR_RECORD
from zssr_daemon.publish.profile_moves import move_to_first_free
from zssr_daemon.system.safe_open import read_small

#: Lower-case endings of metadata and notes that other programs write beside images.
SIDECAR_SUFFIXES = frozenset({".xmp", ".json", ".txt"})


def follow(source: Path, target: Path) -> None:
    """Move the sidecars of an image that was moved from `source` to `target`.

    Where its name is taken there, a sidecar is named after the whole name of its image; where that
    is taken too, it stays.

    Raises:
        OSError: a disk fails.
    """
    with os.scandir(source.parent) as entries:
        names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    images = [name for name in names if _suffix(name) in IMAGE_SUFFIXES]
    if source.name in names:  # another image has taken its place
        return
    for name in sorted(names):
        if _belongs(name, source.name) and not any(_belongs(name, image) for image in images):
            sidecar = source.with_name(name)
            if _is_no_image(sidecar):
                move_to_first_free(sidecar, _targets(sidecar, source, target))
                reach(Failpoint.PROFILE_MOVED)


def _belongs(name: str, image: str) -> bool:
    """Tell whether a file name is that of a sidecar of an image."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (any bytes are legal)
    if suffix.lower() not in SIDECAR_SUFFIXES or name.lower().endswith(ERROR_RECORD):
        return False
    of_image = (image, os.path.splitext(image)[0])  # noqa: PTH122
    return name != image and stem.casefold() in {each.casefold() for each in of_image}


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _is_no_image(path: Path) -> bool:
    """Tell whether a file is plain and holds no image, which would have a job of its own."""
    try:
        head = read_small(path.parent, path.name, HEAD_BYTES)
    except ImageError:  # a link, a fifo
        return False
    return head is not None and not looks_like_image(head)


def _targets(sidecar: Path, source: Path, target: Path) -> list[Path]:
    """Return its names beside the image's new place: as it is called now, then by whole name."""
    stem, suffix = os.path.splitext(sidecar.name)  # noqa: PTH122
    whole = target.name + suffix
    if target.name == source.name:
        names = [sidecar.name, whole]
    elif stem.casefold() == source.name.casefold():
        names = [whole]
    else:
        names = [os.path.splitext(target.name)[0] + suffix, whole]  # noqa: PTH122
    return [target.with_name(name) for name in names]
