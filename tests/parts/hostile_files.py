"""A corpus of hostile files, generated: cut, flipped, lying, disguised, oversized, not files."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from PIL import Image

from tests.parts.confined_files import WRITERS
from tests.parts.picture_files import grey_tiff, png, png_chunk, tiff
from zssr_daemon.errors import Reason

#: The reasons for which a file itself can be refused.
FILE_REASONS = frozenset(
    {
        Reason.CORRUPT,
        Reason.FILE_TOO_LARGE,
        Reason.MULTI_FRAME,
        Reason.OUTPUT_TOO_LARGE,
        Reason.OUTPUT_WITHOUT_ALPHA,
        Reason.TOO_MANY_PIXELS,
        Reason.TRUNCATED,
        Reason.UNREADABLE,
        Reason.UNSAFE_FILE,
        Reason.UNSUPPORTED_DEPTH,
        Reason.UNSUPPORTED_FORMAT,
        Reason.UNSUPPORTED_RAW,
    }
)

REGIONS = [0.001, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 0.995]
FLIPS = 8
CONFINED_FLIPS = 5

#: What an honest file of each kind is made with; all are 50 × 40 pixels.
_OPTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "png": ("PNG", "RGB", {}),
    "png-grey": ("PNG", "L", {}),
    "png-palette": ("PNG", "P", {}),
    "jpg": ("JPEG", "RGB", {}),
    "jpg-progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpg-cmyk": ("JPEG", "CMYK", {}),
    "webp": ("WEBP", "RGB", {}),
    "webp-lossless": ("WEBP", "RGBA", {"lossless": True}),
    "tif": ("TIFF", "RGB", {}),
    "tif-lzw": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tif-deflate": ("TIFF", "RGB", {"compression": "tiff_adobe_deflate"}),
    "tif-jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "bmp": ("BMP", "RGB", {}),
    "avif": ("AVIF", "RGB", {}),
}


def honest_files() -> dict[str, bytes]:
    """Return one honest file of each kind, with noise so that there is something to cut."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    files = {}
    for kind, (format_name, mode, options) in _OPTIONS.items():
        buffer = io.BytesIO()
        Image.fromarray(noise).convert(mode).save(buffer, format_name, **options)
        files[kind] = buffer.getvalue()
    deep = np.random.default_rng(0).integers(0, 1 << 16, (40, 50, 3), dtype=np.uint16)
    image = pyvips.Image.new_from_memory(deep.tobytes(), 50, 40, 3, "ushort")
    image = image.copy(interpretation="rgb16")
    files["png-deep"] = image.pngsave_buffer()
    files["tif-deep"] = image.tiffsave_buffer(compression="lzw")
    files["tif-deep-tiled"] = image.tiffsave_buffer(compression="deflate", tile=True)
    return files


def hostile_contents() -> Iterator[tuple[str, bytes]]:
    """Yield names and contents."""
    honest = honest_files()
    rng = np.random.default_rng(7)
    for kind, data in honest.items():
        suffix = kind.split("-")[0]
        for region in REGIONS:
            yield f"cut-{region}-{kind}.{suffix}", data[: max(1, int(len(data) * region))]
        for number in range(FLIPS):
            yield f"flip-{number}-{kind}.{suffix}", _flipped(data, rng)
        yield f"zeros-{kind}.{suffix}", data[: len(data) // 2].ljust(len(data), b"\0")
        yield f"tail-{kind}.{suffix}", data + b"\0" * 1000
    yield from _confined_contents(rng)
    yield from _bombs()
    yield from _confined_bombs()
    yield from _lies()
    yield from _disguises(honest)


def _confined_contents(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Yield fewer of each kind in the formats for which a worker starts a child every time."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for kind, write in WRITERS.items():
        suffix, data = kind.split("-")[0], write(Image.fromarray(noise))
        for region in REGIONS[::3]:
            yield f"cut-{region}-{kind}.{suffix}", data[: max(1, int(len(data) * region))]
        for number in range(CONFINED_FLIPS):
            yield f"flip-{number}-{kind}.{suffix}", _flipped(data, rng)
        yield f"zeros-{kind}.{suffix}", data[: len(data) // 2].ljust(len(data), b"\0")


def _confined_bombs() -> Iterator[tuple[str, bytes]]:
    """Yield small files in these formats that promise far too many pixels, or lie about them."""
    files = {kind: write(Image.new("RGB", (50, 40))) for kind, write in WRITERS.items()}
    heic = bytearray(files["heic"])
    place = heic.index(b"ispe") + 8
    heic[place : place + 8] = b"\x7f\xff\xff\xff" * 2
    yield "bomb.heic", bytes(heic)
    for kind in ("j2k", "jp2"):
        stream = bytearray(files[kind])
        place = stream.index(b"\xff\x51") + 6
        stream[place : place + 8] = b"\x7f\xff\xff\xff" * 2
        yield f"bomb.{kind}", bytes(stream)
    jp2 = bytearray(files["jp2"])
    place = jp2.index(b"ihdr") + 4
    jp2[place : place + 8] = struct.pack(">II", 4000, 20)  # not what the codestream says
    yield "lying-box.jp2", bytes(jp2)
    yield "bomb.jxl", b"\xff\x0a" + b"\xff" * 40
    yield "lying.jxl", b"\xff\x0a\x41\x00" + files["jxl"][4:]
    gif = bytearray(files["gif"])
    gif[6:10] = b"\xff\xff\xff\xff"
    yield "bomb.gif", bytes(gif)
    blank = b"GIF89a\x02\0\x02\0\0\0\0"
    frame = b",\0\0\0\0\x02\0\x02\0\x80\0\0\0\xff\xff\xff\x02\x02\x84Q\0"
    yield "frames.gif", blank + frame * 20_000 + b";"
    yield "bomb.ppm", b"P6 2147483647 2147483647 255\n" + bytes(100)
    yield "bomb-text.ppm", b"P3 300 300 255\n" + b"7 " * 2_000_000
    yield (
        "bomb-pam.ppm",
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 999999999\nMAXVAL 255\nENDHDR\n" + bytes(99),
    )
    tga = bytearray(files["tga-rle"])
    tga[12:16] = b"\xff\xff\xff\xff"
    yield "bomb.tga", bytes(tga)


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """Turn over a few bits, half of the time in the first tenth, where headers are."""
    flipped = bytearray(data)
    reach = len(data) if rng.random() < 0.5 else max(20, len(data) // 10)
    for place in rng.integers(0, reach, 4):
        flipped[place] ^= 1 << rng.integers(0, 8)
    return bytes(flipped)


def _bombs() -> Iterator[tuple[str, bytes]]:
    """Yield small files that promise, or hold, far too many pixels or bytes."""
    rows = zlib.compress(bytes(20_001) * 4_000, 9)
    for bits, colour_type in ((8, 0), (8, 2), (16, 2), (16, 6), (1, 3)):
        header = struct.pack(">IIBBBBB", 20_000, 20_000, bits, colour_type, 0, 0, 0)
        chunks = png_chunk(b"IHDR", header) + png_chunk(b"PLTE", bytes(6)) * (colour_type == 3)
        chunks += png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")
        yield f"bomb-{bits}-{colour_type}.png", b"\x89PNG\r\n\x1a\n" + chunks
    jpeg = bytearray(honest_files()["jpg"])
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = b"\xff\xff\xff\xff"
    yield "bomb.jpg", bytes(jpeg)
    webp = bytearray(honest_files()["webp-lossless"])
    place = webp.index(b"VP8L") + 9
    webp[place : place + 4] = b"\xff\xff\xff\x1f"
    yield "bomb.webp", bytes(webp)
    bmp = bytearray(honest_files()["bmp"])
    bmp[18:26] = struct.pack("<ii", 1 << 30, 1 << 30)
    yield "bomb.bmp", bytes(bmp)
    for bits in (8, 16):
        sizes = {256: (4, (1 << 30,)), 257: (4, (1 << 30,)), 278: (4, (1 << 30,))}
        entries = {258: (3, (bits,)), 259: (3, (8,)), 262: (3, (1,)), 277: (3, (1,))}
        yield f"bomb-{bits}.tif", tiff(sizes | entries, zlib.compress(bytes(1 << 20)))
    avif = bytearray(honest_files()["avif"])
    place = avif.index(b"ispe") + 8
    avif[place : place + 8] = b"\x7f\xff\xff\xff" * 2
    yield "bomb.avif", bytes(avif)
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(5_000_000)))
    yield "bomb-text.png", png((1, 1), 8, 0, b"\0\x42", text)
    profile = png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(5_000_000)))
    yield "bomb-profile.png", png((1, 1), 8, 0, b"\0\x42", profile)


def _lies() -> Iterator[tuple[str, bytes]]:
    """Yield headers that do not fit what follows."""
    yield "no-pixels.png", png((0, 0), 8, 0, b"")
    yield "more-rows.png", png((4, 100), 8, 0, bytes(10))
    yield "more-rows-deep.png", png((4, 100), 16, 2, bytes(50))
    yield "odd-bits.png", png((1, 1), 7, 0, b"\0\0")
    yield "odd-type.png", png((1, 1), 8, 5, b"\0\0")
    yield "no-palette.png", png((1, 1), 8, 3, b"\0\0")
    yield "float.tif", grey_tiff((1, 1), 32, bytes(4), sample_format=3)
    yield "bits-3.tif", grey_tiff((1, 1), 3, bytes(1))
    yield "bits-65535.tif", grey_tiff((1, 1), 65535, bytes(4))
    loop = bytearray(grey_tiff((2, 1), 8, b"\x07\x09"))
    (count,) = struct.unpack_from("<H", loop, 8)
    struct.pack_into("<I", loop, 10 + count * 12, 8)
    yield "loop.tif", bytes(loop)
    struct.pack_into("<I", loop, 10 + count * 12, 0x7FFFFFFF)
    yield "next-page-nowhere.tif", bytes(loop)
    wide = {256: (3, (2,)), 257: (3, (1,)), 258: (3, (8,)), 259: (3, (1,)), 262: (3, (1,))}
    yield "odd-samples.tif", tiff({**wide, 277: (3, (77,)), 278: (3, (1,))}, bytes(2))
    yield "odd-packing.tif", tiff({**wide, 259: (3, (777,)), 277: (3, (1,))}, bytes(2))
    animation = png_chunk(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))
    yield "frames.png", png((1, 1), 8, 0, b"\0\x42", animation)


def _disguises(honest: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield files that are not what their names say."""
    yield "really-a-jpeg.png", honest["jpg"]
    yield "really-a-tiff.jpg", honest["tif-deep"]
    yield "really-a-webp.bmp", honest["webp"]
    yield "script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n"
    yield "gif.png", b"GIF89a\x01\0\x01\0\0\0\0;"
    yield "photoshop.tif", b"8BPS\0\x01" + bytes(20)
    yield "vector.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    yield "document.jpg", b"%PDF-1.7\n"
    yield "archive.png", b"PK\x03\x04" + bytes(60)
    yield "program.png", b"\x7fELF" + bytes(60)
    yield "text.png", b"BMW is no bitmap and this is no image"
    yield "one-byte.png", b"\x89"
    yield "zeros.png", bytes(4096)


def write_contents(folder: Path) -> list[str]:
    """Write every hostile content, and return the names."""
    names = []
    for name, content in hostile_contents():
        (folder / name).write_bytes(content)
        names.append(name)
    return names


def make_special_files(folder: Path, secret: Path) -> list[str]:
    """Make what has a name but is no regular file; `secret` is what links would lead to."""
    (folder / "link.png").symlink_to(secret)
    (folder / "dangling.png").symlink_to("nowhere")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "fifo.png")
    (folder / "folder.png").mkdir()
    (folder / "linked-folder").symlink_to(secret.parent)
    unix = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(folder)  # the path of a socket is short
    try:
        unix.bind("socket.png")
    finally:
        os.chdir(here)
        unix.close()
    names = ["link.png", "dangling.png", "loop.png", "fifo.png", "folder.png", "socket.png"]
    return [*names, f"linked-folder/{secret.name}"]
