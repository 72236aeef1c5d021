"""UnreadFormat: image formats that are known by their first bytes and refused, camera raw too.

The supervisor imports this module, so it imports neither Pillow nor numpy.
"""

from dataclasses import dataclass
from typing import Final

from zssr_daemon.errors import ImageError, Reason


@dataclass(frozen=True, slots=True)
class UnreadFormat:
    """A format that is not read: its name, and whether its pictures still have to be developed."""

    name: str
    is_raw: bool = False

    def fault(self) -> ImageError:
        """Return why a file of this format is refused, with the cure."""
        if self.is_raw:
            message = f"camera raw ({self.name}): develop it first, and enlarge the result"
            return ImageError(message, reason=Reason.UNSUPPORTED_RAW)
        message = f"the content is {self.name}, which is not read: save it as PNG or TIFF first"
        return ImageError(message, reason=Reason.UNSUPPORTED_FORMAT)


# Canon's CR2 is a TIFF with its own mark behind the header; that of Phase One stands there too.
_RAW_PREFIXES: Final = (
    (b"II*\0\x10\0\0\0CR", "CR2"),
    (b"II*\0\x08\0\0\0IIII", "IIQ"),
    (b"IIIITwaR", "IIQ"),
    (b"MMMMRawT", "IIQ"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"MMOR", "ORF"),
    (b"IIU\0", "RW2"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
    (b"FOVb", "X3F"),
    (b"\0MRM", "MRW"),
)

# Vector pictures, PDF and text are documents, and are no images here.
_PREFIXES: Final = (
    (b"8BPS\0\x01", "a Photoshop document (PSD)"),
    (b"8BPS\0\x02", "a large Photoshop document (PSB)"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"\xff\xd8\xff\xf7", "JPEG-LS"),
    (b"DDS |\0\0\0", "a DirectDraw surface (DDS)"),
    (b"gimp xcf", "a GIMP document (XCF)"),
    (b"SIMPLE  =", "FITS"),
    (b"SDPX", "DPX"),
    (b"XPDS", "DPX"),
    (b"\x80*_\xd7", "Cineon"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"\x8aMNG\r\n\x1a\n", "MNG"),
    (b"\x8bJNG\r\n\x1a\n", "JNG"),
    (b"Y\xa6j\x95", "a Sun raster"),
    (b"qoif", "QOI"),
    (b"FLIF", "FLIF"),
    (b"BPG\xfb", "BPG"),
    (b"icns", "an Apple icon (ICNS)"),
    (b"farbfeld", "farbfeld"),
    (b"PF\n", "PFM"),
    (b"Pf\n", "PFM"),
    (b"\xabKTX ", "a KTX texture"),
    (b"/* XPM */", "XPM"),
)

# Packing (none, runs) and bytes a channel of an SGI picture.
_SGI_KINDS: Final = frozenset({b"\0\x01", b"\0\x02", b"\x01\x01", b"\x01\x02"})

# Versions of PCX, packed in runs.
_PCX_MARKS: Final = frozenset({b"\n\0\x01", b"\n\x02\x01", b"\n\x03\x01", b"\n\x05\x01"})

# Depths of a PCX picture, and of one of the icons in an ICO.
_PCX_BITS: Final = frozenset({1, 2, 4, 8})
_ICON_BITS: Final = frozenset({0, 1, 4, 8, 16, 24, 32})


def unread_format(head: bytes) -> UnreadFormat | None:
    """Name the format of an image that is not read, by its first bytes (1024 are enough).

    A raw that is a TIFF is told by `camera_raw`, from the whole file; one that is an ISO media
    file by its brand, here.
    """
    for prefix, name in _RAW_PREFIXES:
        if head.startswith(prefix):
            return UnreadFormat(name, is_raw=True)
    if head[4:12] == b"ftypcrx ":
        return UnreadFormat("CR3", is_raw=True)
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return UnreadFormat(name)
    found = _name_by_fields(head)
    return UnreadFormat(found) if found else None


def _name_by_fields(head: bytes) -> str | None:
    """Name a format that is told by several fields: its first bytes alone could be anything."""
    name = None
    if head[128:132] == b"DICM":
        name = "DICOM"
    elif head[:4] == b"FORM" and head[8:12] in {b"ILBM", b"PBM "}:
        name = "an IFF picture (ILBM)"
    elif head[:2] == b"\x01\xda" and head[2:4] in _SGI_KINDS:
        name = "an SGI picture"
    elif head[:4] == b"\x01\0\0\0" and head[40:44] == b" EMF":
        name = "a Windows metafile (EMF)"
    elif _is_pcx(head):
        name = "PCX"
    elif _is_icon(head):
        name = "an icon (ICO)"
    return name


def _is_pcx(head: bytes) -> bool:
    if head[:3] not in _PCX_MARKS or len(head) < 128:
        return False
    return head[3] in _PCX_BITS and not any(head[74:128])


def _is_icon(head: bytes) -> bool:
    if head[:4] not in {b"\0\0\x01\0", b"\0\0\x02\0"} or len(head) < 22:
        return False
    is_cursor = head[2] == 2  # there the fields of planes and bits are a place
    has_icons = head[4] > 0 and head[5] == 0 and head[9] == 0
    return has_icons and (is_cursor or (head[10] < 2 and head[12] in _ICON_BITS))
