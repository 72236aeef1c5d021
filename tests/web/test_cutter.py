"""The cutter: any part of a source and of its result, as the browser shows them."""

import asyncio
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.parts.picture_files import samples
from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.web.cut_order import CutOrder, PictureFile
from zssr_daemon.web.cutter import Cutter

LIMITS = ImageLimits(max_file_bytes=10_000_000, max_input_pixels=1_000_000)

Box = tuple[int, int, int, int]
Cut = Callable[[CutOrder], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def cut() -> Iterator[Cut]:
    """Return a function that has an order done by a real child."""
    loop = asyncio.new_event_loop()
    cutter = Cutter(LIMITS)

    def run(order: CutOrder) -> NDArray[np.uint8]:
        return np.asarray(Image.open(io.BytesIO(loop.run_until_complete(cutter.cut(order)))))

    yield run
    cutter.close()
    loop.close()


def file(path: Path, frame: int = 0) -> PictureFile:
    """Return how an order names a file."""
    return PictureFile(root=str(path.parent), rel=path.name, frame=frame)


def saved(path: Path, picture: NDArray[np.generic]) -> PictureFile:
    """Write a picture."""
    Image.fromarray(picture).save(path)
    return file(path)


def test_part_of_a_result_is_its_pixels(tmp_path: Path, cut: Cut) -> None:
    """Bit by bit, from the place that was asked for."""
    picture = samples(60, 80, 3)
    result = saved(tmp_path / "r.png", picture)
    shown = cut(CutOrder(result=result, box=(10, 20, 50, 60)))
    np.testing.assert_array_equal(shown, picture[20:60, 10:50])


def test_part_of_a_source_is_bicubic(tmp_path: Path, cut: Cut) -> None:
    """It is what enlarging the whole source and cutting it then would give."""
    small = samples(30, 40, 3) // 2 + 64
    source, result = saved(tmp_path / "s.png", small), saved(tmp_path / "r.png", samples(60, 80, 3))
    shown = cut(CutOrder(source=source, result=result, box=(10, 20, 50, 60)))
    whole = np.asarray(Image.fromarray(small).resize((80, 60), Image.Resampling.BICUBIC))
    assert np.abs(shown.astype(int) - whole[20:60, 10:50]).max() <= 1


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_are_shown_in_8(tmp_path: Path, cut: Cut, ending: str) -> None:
    """A browser shows no TIFF and rounds 16 bits as it likes; here they come as 8."""
    deep = (np.arange(4096, dtype=np.uint16) * 16).reshape(64, 64)
    shown = cut(CutOrder(result=saved(tmp_path / f"r.{ending}", deep), box=(0, 0, 64, 64)))
    np.testing.assert_array_equal(shown, np.rint(deep / 257))


def test_numbers_are_shown_between_their_ends(tmp_path: Path, cut: Cut) -> None:
    """A float TIFF has no black and white of its own: its least and greatest number are taken."""
    heights = np.linspace(100, 300, 64, dtype=np.float32).reshape(8, 8)
    shown = cut(CutOrder(result=saved(tmp_path / "r.tif", heights), box=(0, 0, 8, 8)))
    assert (shown.min(), shown.max()) == (0, 255)


def test_upright_as_the_result_is(tmp_path: Path, cut: Cut) -> None:
    """A source that its EXIF turns lies under its result, which is upright."""
    small = samples(20, 30, 3)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(small).save(tmp_path / "s.png", exif=exif)
    turned = np.rot90(small, -1)
    result = saved(tmp_path / "r.png", np.ascontiguousarray(turned))
    shown = cut(CutOrder(source=file(tmp_path / "s.png"), result=result, box=(0, 0, 20, 30)))
    np.testing.assert_array_equal(shown, turned)


def test_replaced_file_is_decoded_again(tmp_path: Path, cut: Cut) -> None:
    """What was decoded is kept for as long as its file is the same."""
    for level in (10, 200):
        saved(tmp_path / "new.png", np.full((8, 8), level, np.uint8))
        (tmp_path / "new.png").replace(tmp_path / "r.png")
        assert cut(CutOrder(result=file(tmp_path / "r.png"), box=(0, 0, 8, 8))).max() == level


def no_picture(folder: Path) -> PictureFile:
    """Write a file that only claims to be one."""
    (folder / "r.png").write_bytes(b"no picture")
    return file(folder / "r.png")


def bomb(folder: Path) -> PictureFile:
    """Write a picture of more pixels than the limit."""
    Image.new("L", (2000, 2000)).save(folder / "r.png")
    return file(folder / "r.png")


def link(folder: Path) -> PictureFile:
    """Put a link in the place of a picture."""
    saved(folder / "secret.png", np.zeros((8, 8), np.uint8))
    (folder / "r.png").symlink_to(folder / "secret.png")
    return file(folder / "r.png")


def outside(folder: Path) -> PictureFile:
    """Name a file that is not below its folder."""
    saved(folder / "r.png", np.zeros((8, 8), np.uint8))
    return PictureFile(root=str(folder / "state"), rel="../r.png")


@pytest.mark.parametrize("make", [no_picture, bomb, link, outside])
def test_what_cannot_be_shown_is_told(
    tmp_path: Path, cut: Cut, make: Callable[..., PictureFile]
) -> None:
    """A sentence comes back, the child lives on, and shows the next picture."""
    (tmp_path / "state").mkdir()
    with pytest.raises(ImageError, match=r"[a-z]"):
        cut(CutOrder(result=make(tmp_path), box=(0, 0, 8, 8)))
    good = saved(tmp_path / "good.png", np.full((8, 8), 7, np.uint8))
    assert cut(CutOrder(result=good, box=(0, 0, 8, 8))).max() == 7


def test_part_beyond_the_picture_is_told(tmp_path: Path, cut: Cut) -> None:
    """It is cut at the border, and refused where nothing is left."""
    result = saved(tmp_path / "r.png", samples(10, 10, 3))
    assert cut(CutOrder(result=result, box=(5, 5, 500, 500))).shape == (5, 5, 3)
    with pytest.raises(ImageError, match="10 × 10"):
        cut(CutOrder(result=result, box=(10, 0, 20, 10)))


def test_child_that_dies_costs_one_part(tmp_path: Path) -> None:
    """The next one is cut by another child; and one that takes too long is killed."""

    async def scenario() -> None:
        cutter = Cutter(LIMITS)
        order = CutOrder(result=saved(tmp_path / "r.png", samples(10, 10, 3)), box=(0, 0, 9, 9))
        await cutter.cut(order)
        first = cutter.child_pid
        assert first is not None
        os.kill(first, 9)
        assert await cutter.cut(order)
        assert cutter.child_pid != first
        cutter.close()
        slow = Cutter(LIMITS, timeout_s=0)
        with pytest.raises(ImageError, match="not decoded within"):
            await slow.cut(order)
        assert slow.child_pid is None
        slow.close()

    asyncio.run(scenario())
