"""Picture files for the tests, generated; and decoding and encoding of files by their paths."""

import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.decode import decode, inspect
from zssr_daemon.imaging.encode import encode
from zssr_daemon.imaging.formats import ImageInfo, ImageLimits
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.output_format import PNG, OutputFormat
from zssr_daemon.imaging.readers.content import read_file
from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.imaging.verify import verify

LIMITS = ImageLimits(max_file_bytes=10_000_000, max_input_pixels=100_000)


def samples(*shape: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return random levels of the given shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def decode_path(path: Path, limits: ImageLimits = LIMITS, frame: int = 0) -> DecodedImage:
    """Read and decode a file."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return decode(read_file(fd, limits), limits, frame=frame)
    finally:
        os.close(fd)


def inspect_path(path: Path, limits: ImageLimits = LIMITS) -> ImageInfo:
    """Call `inspect` on a path."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return inspect(fd, limits)
    finally:
        os.close(fd)


def encode_path(
    path: Path,
    image: DecodedImage,
    *,
    metadata: ImageMetadata | None = None,
    output: OutputFormat = PNG,
    quality: int = 95,
) -> list[str]:
    """Call `encode` and `verify` on a path; return what could not be kept."""
    metadata = metadata or image.metadata
    whole = decoded_samples(image, min(image.info.bit_depth, output.max_depth))
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        notes = encode(
            whole,
            fd,
            output=output,
            quality=quality,
            metadata=metadata,
            comments={"Software": "test"},
            on_write=lambda: None,
        )
        verify(fd, whole, output=output, icc=metadata.icc if output.has_grey else None)
    finally:
        os.close(fd)
    return notes


def refusal(path: Path, limits: ImageLimits = LIMITS) -> ImageError:
    """Return the error with which the gate refuses a file."""
    with pytest.raises(ImageError) as caught:
        inspect_path(path, limits)
    return caught.value


def decoded_samples(image: DecodedImage, bit_depth: int) -> NDArray[Any]:
    """Return the samples of a source, (H, W, C), as an output of that depth would have them."""
    # Only here: children that find their function in tests.parts need no torch.
    from zssr_daemon.worker.layers import alpha_layer, layers_of  # noqa: PLC0415
    from zssr_daemon.worker.write_output import new_samples  # noqa: PLC0415

    height, width, _ = image.pixels.shape
    kind = image.info.kind
    whole = new_samples(height, width, image.info.bands, bit_depth=bit_depth, kind=kind)
    layers = layers_of(image, whole)
    if image.alpha is not None:
        layers.append(alpha_layer(image, whole))
    for layer in layers:
        layer.put(layer.taken_picture(), 0, 0)
    return whole


def levels(image: DecodedImage) -> NDArray[np.uint8]:
    """Return colour, and alpha behind it, as (H, W, C) levels of 8 bits."""
    levels: NDArray[np.uint8] = decoded_samples(image, 8)
    return levels


def deep_levels(image: DecodedImage) -> NDArray[np.uint16]:
    """Return colour, and alpha behind it, as (H, W, C) levels of 16 bits."""
    levels: NDArray[np.uint16] = decoded_samples(image, 16)
    return levels


def deep_file(
    path: Path,
    pixels: NDArray[np.uint16],
    *,
    icc: bytes | None = None,
    is_tiff: bool = False,
    **options: Any,
) -> Path:
    """Write (H, W, C) levels of 16 bits with libvips alone, as PNG or, by its ending, as TIFF."""
    height, width, bands = pixels.shape
    meaning = "grey16" if bands < 3 else "rgb16"
    image = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, bands, "ushort")
    image = image.copy(interpretation=meaning)
    if icc is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    if "page_height" in options:  # TIFF: several pages, cut from top to bottom
        image.set_type(pyvips.GValue.gint_type, "page-height", options["page_height"])
    is_tiff = is_tiff or path.suffix == ".tif"
    save = image.tiffsave_buffer if is_tiff else image.pngsave_buffer
    path.write_bytes(save(**options))
    return path


def png_chunk(name: bytes, content: bytes) -> bytes:
    """Assemble one chunk of a PNG."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(
    size: tuple[int, int],
    bits: int,
    colour_type: int,
    rows: bytes,
    extra: bytes = b"",
) -> bytes:
    """Assemble a PNG by hand; `rows` holds each row with its filter byte."""
    header = struct.pack(">IIBBBBB", *size, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def tiff(fields: Mapping[int, tuple[int, tuple[int, ...]]], pixels: bytes) -> bytes:
    """Assemble a little-endian TIFF of one strip; an entry is tag → (type, values)."""
    codes = {3: "H", 4: "I"}
    count = len(fields) + 2
    after = 8 + 2 + count * 12 + 4
    tail = b""
    directory = b""
    entries = {**fields, 273: (4, (0,)), 279: (4, (len(pixels),))}
    sizes = sum(
        len(values) * struct.calcsize(codes[kind])
        for kind, values in entries.values()
        if len(values) * struct.calcsize(codes[kind]) > 4
    )
    entries[273] = (4, (after + sizes,))
    for tag, (kind, values) in sorted(entries.items()):
        content = struct.pack(f"<{len(values)}{codes[kind]}", *values)
        if len(content) > 4:
            place, tail = struct.pack("<I", after + len(tail)), tail + content
        else:
            place = content.ljust(4, b"\0")
        directory += struct.pack("<HHI", tag, kind, len(values)) + place
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + directory + bytes(4) + tail + pixels


def page(
    photometric: int,
    bits: tuple[int, ...],
    pixels: bytes,
    extra: tuple[int, ...] = (),
    kind: int | tuple[int, ...] = (),
) -> bytes:
    """Assemble a TIFF of one row of two pixels; kind: its SampleFormat."""
    entries = {256: (3, (2,)), 257: (3, (1,)), 258: (3, bits), 259: (3, (1,)), 278: (3, (1,))}
    entries |= {262: (3, (photometric,)), 277: (3, (len(bits),))}
    entries |= {338: (3, extra)} if extra else {}
    kinds = (kind,) if isinstance(kind, int) else kind
    return tiff(entries | ({339: (3, kinds)} if kinds else {}), pixels)


def grey_tiff(size: tuple[int, int], bits: int, pixels: bytes, sample_format: int = 1) -> bytes:
    """Assemble a TIFF of one channel."""
    entries = {256: (3, (size[0],)), 257: (3, (size[1],)), 258: (3, (bits,)), 259: (3, (1,))}
    entries |= {262: (3, (1,)), 277: (3, (1,)), 278: (3, (size[1],)), 339: (3, (sample_format,))}
    return tiff(entries, pixels)


def save_picture(path: Path, picture: Image.Image, **options: Any) -> Path:
    """Save in the format of the ending, without loss where it has a choice; return the path."""
    if path.suffix == ".webp":
        options |= {"lossless": True, "exact": True}
    picture.save(path, **options)
    return path


def smooth_picture(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Return a picture that lossy formats keep well."""
    ramp = Image.linear_gradient("L").resize((width, height))
    bands = [ramp, ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT), ramp.rotate(180)]
    return Image.merge("RGB", bands).convert(mode)
