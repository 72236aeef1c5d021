"""ImageInput: an image named on the command line, by itself or by a folder that holds it."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon.inbox.scan import InboxScan
from zssr_daemon.settings.schema import Watch

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """One image, or what is wrong with what was named in its place."""

    told: str  # as the user knows it
    root: Path  # the folder that `rel` starts at: the named one, or that of the image
    rel: str = ""  # in `os.fsdecode` form
    name: str = ""  # that outputs are named after: a link's own
    beside: Path  # where outputs go unless told otherwise; those of sub-folders below it
    is_of_folder: bool = False
    fault: str | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / self.rel


def image_inputs(named: Sequence[str], watch: Watch) -> list[ImageInput]:
    """Return the images that are named, each once; folders are walked as the inbox is."""
    found: dict[str, ImageInput] = {}
    for text in named:
        for each in _found(text, watch):
            found.setdefault(each.told if each.fault else os.path.realpath(each.path), each)
    return list(found.values())


def _found(text: str, watch: Watch) -> Iterator[ImageInput]:
    path = Path(text)
    fault = _fault(text, path)
    if fault is not None:
        yield ImageInput(told=text, root=path, beside=path, fault=fault)
    elif path.is_dir():
        yield from _in_folder(text, path, watch)
    else:
        source = path.resolve()
        yield ImageInput(
            told=text, root=source.parent, rel=source.name, name=path.name, beside=path.parent
        )


def _fault(text: str, path: Path) -> str | None:
    if text == "-":
        return "standard input is not read: save the image to a file, and name that"
    if _ADDRESS.match(text):
        return "addresses are not fetched: download the image, and name the file"
    try:
        path.stat()
    except FileNotFoundError:
        return f"No such file or folder: {path}"
    except OSError as error:
        return f"{error.strerror}: {path}"
    return None


def _in_folder(text: str, folder: Path, watch: Watch) -> Iterator[ImageInput]:
    scan = InboxScan(folder, is_recursive=watch.recursive, ignore=watch.ignore)
    try:
        rels = sorted(candidate.rel for candidate in scan)
    except OSError as error:
        fault = f"{error.strerror}: {folder}"
        yield ImageInput(told=text, root=folder, beside=folder, fault=fault)
        return
    if not rels:
        fault = "there is no image in this folder"
        yield ImageInput(told=text, root=folder, beside=folder, fault=fault)
    for rel in rels:
        yield ImageInput(
            told=str(folder / rel),
            root=folder,
            rel=rel,
            name=os.path.basename(rel),  # noqa: PTH119 (any bytes are legal)
            beside=folder,
            is_of_folder=True,
        )
