"""Dihedral: the 8 rotations and flips of an image, numbered 0 to 7; 0 leaves it as it is."""

import torch
from torch import Tensor

from zssr_daemon.zssr.scale import Scale, is_isotropic

# An image of four different numbers shows which of the 8 was applied.
_LABELS = torch.arange(4).view(2, 2)


#: The rotations and flips after which a row is still a row.
KEEPING_AXES = (0, 2, 4, 6)


def dihedral(image: Tensor, index: int) -> Tensor:
    """Apply one of the 8 rotations and flips to (..., H, W): index 0..7, 0 leaves it as it is."""
    turned = torch.rot90(image, index % 4, (-2, -1))
    return turned.flip(-1) if index >= 4 else turned


def dihedral_inverse(image: Tensor, index: int) -> Tensor:
    """Undo `dihedral(image, index)`."""
    return torch.rot90(image.flip(-1) if index >= 4 else image, -(index % 4), (-2, -1))


def dihedrals(scale: Scale) -> tuple[int, ...]:
    """Return the rotations and flips that commute with shrinking by `scale`."""
    return tuple(range(8)) if is_isotropic(scale) else KEEPING_AXES


def keeps_corner(index: int) -> bool:
    """Tell whether the upper left corner of an image stays where it is."""
    return int(dihedral(_LABELS, index)[0, 0]) == 0


def representatives(of: tuple[int, ...], group: tuple[int, ...]) -> tuple[int, ...]:
    """Return the fewest indices that give all of `of` when each of `group` is applied after them.

    group: a part of `of` that is closed under composition.
    """
    found: list[int] = []
    reached: set[int] = set()
    for index in of:
        if index not in reached:
            found.append(index)
            reached |= {_composed(index, then) for then in group}
    return tuple(found)


def _composed(first: int, then: int) -> int:
    """Return the index of `first` followed by `then`."""
    wanted = dihedral(dihedral(_LABELS, first), then)
    return next(index for index in range(8) if torch.equal(dihedral(_LABELS, index), wanted))
