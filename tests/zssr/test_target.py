"""Target: an output has exactly the asked size, where its shape allows that."""

import dataclasses
import itertools
import re

import pytest
import torch

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.target import TARGET_FORMS, Target


@pytest.mark.parametrize(
    ("target", "source", "output"),
    [
        ("3840x2160", (1920, 1080), (3840, 2160)),
        ("3840x2160", (1000, 1000), (2160, 2160)),
        ("3840x2160", (1000, 300), (3840, 1152)),
        ("3840x2160", (1000, 563), (3837, 2160)),  # 3836.6, rounded
        ("long:3000", (1266, 800), (3000, 1896)),  # 1895.7, rounded
        ("long:3000", (800, 1266), (1896, 3000)),
        ("short:2000", (1266, 800), (3165, 2000)),
        ("short:2000", (800, 1266), (2000, 3165)),
        ("300dpi@20x30cm", (1000, 1500), (2362, 3543)),
        ("300dpi@20x30cm", (1500, 1000), (3543, 2362)),  # the paper is turned
        ("300dpi@30x20cm", (1000, 1500), (2362, 3543)),
        ("300dpi@20x30cm", (1000, 1000), (2362, 2362)),
        ("300dpi@8x10in", (1000, 1250), (2400, 3000)),
        ("254dpi@100x150mm", (500, 750), (1000, 1500)),
        ("72.5dpi@10.5x20in", (200, 381), (761, 1450)),
    ],
)
def test_sizes(target: str, source: tuple[int, int], output: tuple[int, int]) -> None:
    """The side that binds has exactly the size; the other one keeps the shape, rounded."""
    config = ZSSRConfig(target=target)
    assert config.output_size(*source) == output
    sized = config.for_size(*source)
    assert sized.output_size(*source) == output
    assert sized.for_size(*source) == sized
    assert sized.scale_times == 1


def test_asked_side_is_exact_for_every_source() -> None:
    """No rounding of the factor makes it a pixel more or less; nothing juts out of a box."""
    lengths = (97, 250, 333, 719, 1000, 1279)
    for width, height, wanted in itertools.product(lengths, lengths, (1301, 1999, 2003)):
        for side in ("long", "short"):
            target = Target.parse(f"{side}:{wanted}")
            config = ZSSRConfig(target=f"{side}:{wanted}")
            if 1 < target.factor(width, height) <= 8:
                size = config.output_size(width, height)
                assert (max(size) if side == "long" else min(size)) == wanted
        box = ZSSRConfig(target=f"{wanted}x1500")
        if 1 < Target.parse(box.target).factor(width, height) <= 8:
            out = box.output_size(width, height)
            assert out[0] == wanted or out[1] == 1500
            assert out[0] <= wanted
            assert out[1] <= 1500


@pytest.mark.parametrize(
    ("target", "source", "told"),
    [
        ("3840x2160", (4000, 1000), "a source of 4000 x 1000 pixels needs a factor of 0.96: must"),
        ("long:3000", (3000, 2000), "needs a factor of 1: must be above 1 and at most 8"),
        ("short:2000", (400, 249), "needs a factor of 8.03: must be above 1 and at most 8"),
    ],
)
def test_factor_that_cannot_be(target: str, source: tuple[int, int], told: str) -> None:
    """The message tells key, value, size and factor."""
    config = ZSSRConfig(target=target)
    for asked in (config.for_size, config.output_size):
        with pytest.raises(ValueError, match=re.escape(told)) as caught:
            asked(*source)
        assert str(caught.value).startswith(f"target = '{target}'")


@pytest.mark.parametrize(
    "text",
    [
        *("4k", "3840", "3840x", "0x100", "100x0", "-3x5", "3840X2160", "3840x2160px", " 1x1"),
        *("long", "long:", "long:0", "width:300", "long:12345678"),
        *("300dpi@20x30", "300dpi", "20x30cm", "0dpi@20x30cm", "300dpi@0x30cm", "dpi@1x1in"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    """The message shows every form."""
    assert text not in TARGET_FORMS
    with pytest.raises(ValueError, match=r"target = .*3840x2160.*long:3000.*short:2000.*cm.*in"):
        ZSSRConfig(target=text)


def test_print_has_its_dots_an_inch() -> None:
    """Other sizes have none."""
    assert ZSSRConfig(target="72.5dpi@10x20in").print_dpi == 72.5
    assert ZSSRConfig(target="long:3000").print_dpi is None
    assert ZSSRConfig().print_dpi is None


def test_library_enlarges_to_the_target() -> None:
    """`super_resolve` takes one too, in two passes at this factor; the other side is rounded."""
    config = ZSSRConfig(
        start="none", num_epochs=2, rounds=1, crop_size=8, model_width=4, model_depth=2
    )
    config = dataclasses.replace(config, target="long:47", self_ensemble=False)
    result = super_resolve(torch.rand(3, 13, 20), config, device="cpu")
    assert result.image.shape == (3, 31, 47)
