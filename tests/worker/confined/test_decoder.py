"""The confined decoder: a worker gets the picture from a child, and never runs its decoder."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.parts.confined_files import WRITERS, deep_heic, heic, pam, saved
from tests.parts.picture_files import LIMITS, samples
from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.decode import decode
from zssr_daemon.worker.confined.decoder import count_frames_confined, decode_confined

NOISE = samples(30, 40, 3)
EXIF = Image.Exif()
EXIF[0x13B] = "An Author"
EXIF[0x112] = 6

DEEP = np.random.default_rng(0).integers(0, 1024, (30, 40), dtype=np.uint16) << 6

FILES = {
    "HEIC, turned, with metadata": heic(
        Image.fromarray(NOISE), exif=EXIF.tobytes(), xmp=b"<x:xmpmeta/>"
    ),
    "HEIC, 10 bits": deep_heic(DEEP, "L;16"),
    "JPEG XL": WRITERS["jxl-lossless"](Image.fromarray(NOISE)),
    "PAM with alpha": pam(samples(30, 40, 4) & 0xFE, "RGB_ALPHA", 255),
}


@pytest.mark.parametrize("name", FILES)
def test_the_result_is_that_of_decoding_here(name: str) -> None:
    """Pixels, alpha, description and metadata are the same, and the arrays are the caller's own."""
    here, there = decode(FILES[name], LIMITS), decode_confined(FILES[name], LIMITS)
    assert (there.info, there.metadata) == (here.info, here.metadata)
    np.testing.assert_array_equal(there.pixels, here.pixels)
    assert (there.alpha is None) == (here.alpha is None)
    if there.alpha is not None and here.alpha is not None:
        np.testing.assert_array_equal(there.alpha, here.alpha)
    assert there.pixels.flags["C_CONTIGUOUS"]
    assert there.pixels.flags["WRITEABLE"]


def test_frames_are_counted_and_decoded_there(tmp_path: Path) -> None:
    """Each frame of an animation comes from a child of its own."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    each = replace(LIMITS, each_frame=True)
    assert count_frames_confined(data, each) == 2
    assert decode_confined(data, each, 1).pixels[0, 0].tolist() == [0, 0, 1]


def test_a_fault_comes_through(tmp_path: Path) -> None:
    """Reason and message are those of the child."""
    data = FILES["JPEG XL"]
    with pytest.raises(ImageError, match="more than the limit of 100") as caught:
        decode_confined(data, replace(LIMITS, max_input_pixels=100))
    assert caught.value.reason == "too_many_pixels"


def test_a_child_that_dies_costs_the_file_alone() -> None:
    """A decoder that kills its process is the file's fault, and the next file is decoded."""
    killer = threading.Thread(target=_kill_next_child, args=(_children(),))
    killer.start()
    with pytest.raises(ImageError, match="SIGKILL") as caught:
        decode_confined(FILES["JPEG XL"], LIMITS)
    killer.join()
    assert caught.value.reason == "corrupt"
    assert decode_confined(FILES["JPEG XL"], LIMITS).info.width == 40


def _children() -> set[int]:
    """Return the children of the main thread; earlier tests may have left some of Python's own."""
    main_thread = Path(f"/proc/self/task/{os.getpid()}/children")
    return set(map(int, main_thread.read_text().split()))


def _kill_next_child(before: set[int]) -> None:
    """Kill the first new child; it takes longer to start than this to see it."""
    while not (new := _children() - before):
        pass
    with contextlib.suppress(ProcessLookupError):
        os.kill(min(new), signal.SIGKILL)


def test_the_worker_loads_no_such_decoder(tmp_path: Path) -> None:
    """Neither library of HEIC or JPEG XL is ever in its memory."""
    (tmp_path / "a.heic").write_bytes(FILES["HEIC, 10 bits"])
    (tmp_path / "a.jxl").write_bytes(FILES["JPEG XL"])
    code = (
        "import sys; from pathlib import Path\n"
        "from zssr_daemon.imaging.formats import ImageLimits\n"
        "from zssr_daemon.worker.confined.decoder import decode_confined\n"
        "limits = ImageLimits(max_file_bytes=10**7, max_input_pixels=10**5)\n"
        "for path in sys.argv[1:]: decode_confined(Path(path).read_bytes(), limits)\n"
        "print(sorted({'pillow_heif', 'pillow_jxl', 'torch'} & set(sys.modules)))"
    )
    paths = (str(tmp_path / "a.heic"), str(tmp_path / "a.jxl"))
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, check=True)
    assert done.stdout.split() == [b"[]"]


def test_no_child_and_no_descriptor_is_left() -> None:
    """After good and bad files this process holds what it held before."""
    children, before = _children(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    decode_confined(FILES["JPEG XL"], LIMITS)
    with pytest.raises(ImageError):
        decode_confined(FILES["JPEG XL"][:200], LIMITS)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert _children() == children
