"""Colour profiles, assembled byte by byte."""

import struct

from PIL import ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def lut_profile(space: bytes, channels: int) -> bytes:
    """Assemble an output profile whose table maps the first two channels' darkness to Lab.

    Two grid points a channel: L falls with channel 0, and with the last one; a and b are neutral.
    """
    corners = [
        (255 * (1 - max((n >> (channels - 1)) & 1, n & 1)), 128, 128) for n in range(1 << channels)
    ]
    ramp = bytes(range(256))
    matrix = b"".join(struct.pack(">i", v << 16) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = struct.pack(">4sIBBBx", b"mft1", 0, channels, 3, 2) + matrix
    table += ramp * channels + b"".join(map(bytes, corners)) + ramp * 3
    text = b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(78)
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    copyright_ = b"text" + bytes(4) + b"x\0"
    contents = {b"desc": text, b"A2B0": table, b"wtpt": white, b"cprt": copyright_}
    offset = 128 + 4 + 12 * len(contents)
    tags, body = struct.pack(">I", len(contents)), b""
    for name, content in contents.items():
        tags += struct.pack(">4sII", name, offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    struct.pack_into(">I", head, 0, offset + len(body))
    head[8:12] = b"\x02\x40\0\0"
    head[12:24] = b"prtr" + space + b"Lab "
    head[36:40] = b"acsp"
    struct.pack_into(">iii", head, 68, 63190, 65536, 54061)
    return bytes(head) + tags + body


CMYK = lut_profile(b"CMYK", 4)


def adobe_rgb() -> bytes:
    """Make a wide-gamut profile out of sRGB's, by moving its green primary."""
    data = bytearray(SRGB)
    (count,) = struct.unpack_from(">I", data, 128)
    for entry in range(132, 132 + 12 * count, 12):
        name, offset, _ = struct.unpack_from(">4sII", data, entry)
        if name == b"gXYZ":
            struct.pack_into(">iii", data, offset + 8, 13000, 41000, 4500)
    return bytes(data)


def gamma_profile() -> bytes:
    """Assemble a grey profile of gamma 1: the numbers are proportional to light."""
    text = b"desc" + bytes(4) + (2).to_bytes(4, "big") + b"x\0" + bytes(78)
    white = b"XYZ " + bytes(4) + b"".join(v.to_bytes(4, "big") for v in (63190, 65536, 54061))
    contents = {b"desc": text, b"wtpt": white, b"kTRC": b"curv" + bytes(8)}
    offset = 128 + 4 + 12 * len(contents)
    tags, body = len(contents).to_bytes(4, "big"), b""
    for name, content in contents.items():
        place = (offset + len(body)).to_bytes(4, "big")
        tags += name + place + len(content).to_bytes(4, "big")
        body += content + bytes(-len(content) % 4)
    head = bytearray(128)
    head[0:4] = (offset + len(body)).to_bytes(4, "big")
    head[8:12] = b"\x02\x40\0\0"
    head[12:24] = b"mntrGRAYXYZ "
    head[36:40] = b"acsp"
    head[68:80] = b"".join(v.to_bytes(4, "big") for v in (63190, 65536, 54061))
    return bytes(head) + tags + body
