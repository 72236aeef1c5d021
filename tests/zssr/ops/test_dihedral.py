"""Dihedral: the 8 rotations and flips, and the groups of them."""

import pytest
import torch

from tests.parts.zssr_pictures import texture
from zssr_daemon.zssr.ops.dihedral import (
    dihedral,
    dihedral_inverse,
    dihedrals,
    representatives,
)


@pytest.mark.parametrize("index", range(8))
def test_dihedral_inverse_undoes_dihedral(index: int) -> None:
    """The eight are invertible on images that are not square."""
    image = texture(6, 10)
    assert torch.equal(image, dihedral_inverse(dihedral(image, index), index))


def test_the_eight_dihedral_images_differ() -> None:
    """Eight, not four twice."""
    image = texture(8, 8)
    assert len({dihedral(image, index).numpy().tobytes() for index in range(8)}) == 8


def test_representatives_and_group_give_all_of_the_eight_once() -> None:
    """For every group that a kernel can have."""
    labels = torch.arange(4).view(2, 2)
    for group in [(0,), (0, 2), (0, 7), (0, 2, 4, 6), (0, 1, 2, 3), tuple(range(8))]:
        needed = representatives(dihedrals(2.0), group)
        made = {
            tuple(dihedral(dihedral(labels, first), then).flatten().tolist())
            for first in needed
            for then in group
        }
        assert len(made) == 8 == len(needed) * len(group)
