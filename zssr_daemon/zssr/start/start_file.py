"""StartFile: the files of the starts that come with the program, found by the network they fit.

Standard library only: the supervisor reads them to say which start a fit would begin with.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, Protocol, Self, TypeVar

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.training.network_key import network_key

#: Names the files of all starts: {name of the file: its sha256, hexadecimal}.
INDEX = "index.json"

#: The one entry of a file's metadata; several would be written in random order.
ENTRY = "zssr_start"

SUFFIX = ".safetensors"

#: Channels of the pictures that all starts are trained on.
COLOURS = 3

#: The sources that a start was trained on.
Family = Literal["clean", "jpeg", "noise"]


class StartError(Exception):
    """A start that should be there is missing or damaged: the installation is at fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFile:
    """One file, whose bytes are those that the index names."""

    name: str  # without its ending
    sha256: str  # of the file, hexadecimal
    key: str  # `network_key` of the fits that it is for
    made: dict[str, Any]  # recipe, seconds, scores
    content: bytes

    @property
    def family(self) -> Family:
        """The sources that it was trained on."""
        return family_of(self.made)

    @classmethod
    def of_bytes(cls, name: str, content: bytes, sha256: str) -> Self:
        """Read the head of a file.

        Raises:
            StartError: the bytes are not those with that hash, or no start.
        """
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StartError(f"start {name} is damaged: its sha256 is not {sha256}")
        try:
            length = int.from_bytes(content[:8], "little")
            told = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][ENTRY])
            key, made = str(told["key"]), dict(told["made"])
        except (ValueError, KeyError, TypeError) as error:
            raise StartError(f"start {name} cannot be read: {error}") from error
        return cls(name=name, sha256=sha256, key=key, made=made, content=content)


def family_of(made: dict[str, Any]) -> Family:
    """Return the sources that a start was trained on; made: what its file tells."""
    recipe = made.get("recipe", {})
    if recipe.get("qualities"):
        return "jpeg"
    return "noise" if recipe.get("noises") else "clean"


def shipped_folder() -> Traversable:
    """Return where the starts that come with the program lie."""
    return resources.files("zssr_daemon.zssr.start") / "weights"


def start_files(folder: Traversable) -> tuple[StartFile, ...]:
    """Return all starts of a folder.

    Raises:
        StartError: the index, or a file that it names, is missing or damaged.
    """
    try:
        index: dict[str, str] = json.loads((folder / INDEX).read_bytes())
        files = {name: (folder / name).read_bytes() for name in index}
    except (OSError, ValueError) as error:
        raise StartError(f"the starts cannot be read: {error}") from error
    return tuple(
        StartFile.of_bytes(name.removesuffix(SUFFIX), files[name], sha256)
        for name, sha256 in index.items()
    )


def fitting_file(config: ZSSRConfig) -> StartFile | None:
    """Return the shipped start of clean sources for a network, None where there is none.

    config: as `fitting` takes it.

    Raises:
        StartError: as of `start_files`.
    """
    return fitting(start_files(shipped_folder()), config)


class Start(Protocol):
    """What a start must tell of itself to be chosen."""

    @property
    def key(self) -> str:
        """`network_key` of the fits that it is for."""

    @property
    def family(self) -> Family:
        """The sources that it was trained on."""


AnyStart = TypeVar("AnyStart", bound=Start)


def fitting(
    starts: Iterable[AnyStart], config: ZSSRConfig, family: Family = "clean"
) -> AnyStart | None:
    """Return the start that fits a network, None where there is none.

    It must have the same architecture and factor of unshuffling. All are starts of colour images;
    those of grey ones are folded from them. A blur does not matter.

    config: as `Degradation.adapted` returns it; family: of the source, which begins with a start of
    such sources, or of clean ones where there is none.
    """
    key = network_key(replace(config, in_channels="auto"), COLOURS)
    alike = {start.family: start for start in starts if start.key == key}
    return alike.get(family) or alike.get("clean")
