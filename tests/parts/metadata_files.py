"""Files whose metadata speaks of their pixels, or that hold more than a picture."""

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, TiffImagePlugin

from tests.parts.picture_files import png_chunk, smooth_picture

WIDTH, HEIGHT = 24, 18

#: What a test finds again, or does not.
HEADLINE, KEYWORDS = "A headline é", ["one", "two"]

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def picture(mode: str = "RGB") -> Image.Image:
    """Return the picture that all these files show."""
    return smooth_picture(WIDTH, HEIGHT, mode)


def packet(names: dict[str, str], attributes: str = "", inner: str = "") -> bytes:
    """Return a packet of XMP of one description; `names` are prefixes and their namespaces."""
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in names.items())
    body = f'<rdf:Description rdf:about="" {spaces} {attributes}>{inner}</rdf:Description>'
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">{body}'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def jpeg(**options: Any) -> bytes:
    """Return the picture as a JPEG."""
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    """Assemble a segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """Put segments behind the start of a JPEG."""
    return data[:2] + b"".join(segments) + data[2:]


def xmp_segment(content: bytes) -> bytes:
    """Assemble the segment of a packet."""
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + content)


def iptc_records() -> bytes:
    """Return records in UTF-8: headline, keywords, city, and one that XMP has no place for."""

    def record(number: int, text: str, of: int = 2) -> bytes:
        content = text.encode()
        return struct.pack(">BBBH", 0x1C, of, number, len(content)) + content

    words = b"".join(record(25, word) for word in KEYWORDS)
    return (
        record(90, "\x1b%G", of=1)
        + record(105, HEADLINE)
        + words
        + record(90, "Berlin")
        + record(55, "20240131")
        + record(60, "120000+0100")
        + record(7, "unedited")
    )


def photoshop(*resources: tuple[int, bytes]) -> bytes:
    """Assemble resources of Photoshop."""
    parts = [
        b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)
        for number, content in resources
    ]
    return b"Photoshop 3.0\0" + b"".join(parts)


MWG = {
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
}
MICROSOFT = {
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
}
SIZES = {"tiff": "http://ns.adobe.com/tiff/1.0/", "exif": "http://ns.adobe.com/exif/1.0/"}


def face_packet(applied: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """Return a packet with one face, drawn by both schemas on the stored picture."""
    faces = (
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions '
        f'stDim:w="{applied[0]}" stDim:h="{applied[1]}" stDim:unit="pixel"/>'
        "<mwg-rs:RegionList><rdf:Bag><rdf:li><rdf:Description "
        'mwg-rs:Name="T" mwg-rs:Type="Face"><mwg-rs:Area stArea:x="0.25" stArea:y="0.5" '
        'stArea:w="0.2" stArea:h="0.3" stArea:unit="normalized"/></rdf:Description></rdf:li>'
        "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
        '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li '
        'MPReg:Rectangle="0.15, 0.35, 0.2, 0.3" MPReg:PersonDisplayName="T"/></rdf:Bag>'
        "</MPRI:Regions></MP:RegionInfo>"
        "<exif:SubjectArea><rdf:Seq><rdf:li>6</rdf:li><rdf:li>9</rdf:li><rdf:li>4</rdf:li>"
        "<rdf:li>2</rdf:li></rdf:Seq></exif:SubjectArea>"
    )
    sizes = (
        f'tiff:ImageWidth="{WIDTH}" tiff:ImageLength="{HEIGHT}" tiff:Orientation="1" '
        f'exif:PixelXDimension="{WIDTH}" exif:PixelYDimension="{HEIGHT}"'
    )
    return packet(MWG | MICROSOFT | SIZES, sizes, faces)


def face_exif(orientation: int) -> Image.Exif:
    """Return EXIF of a subject, sizes, the density on the sensor and maker notes."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "A Maker"
    details = {0x9214: (6, 9, 4, 2), 0xA214: (6, 9), 0xA002: WIDTH, 0xA003: HEIGHT}
    exif[0x8769] = details | {0xA20E: 100.0, 0xA20F: 50.0, 0xA210: 3, 0x927C: b"MAKER" * 8}
    return exif


def face(orientation: int) -> bytes:
    """Return a photograph with a face, turned by its orientation."""
    return jpeg(exif=face_exif(orientation), xmp=face_packet())


def _multi_picture(total: int, size: int, offset: int) -> bytes:
    content = b"MPF\0MM\0*" + struct.pack(">IH", 8, 3)
    content += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    content += struct.pack(">HHII", 0xB001, 4, 1, 2) + struct.pack(">HHII", 0xB002, 7, 32, 50)
    content += bytes(4) + struct.pack(">IIIHH", 0x030000, total, 0, 0, 0)
    content += struct.pack(">IIIHH", 0, size, offset, 0, 0)
    return segment(0xE2, content)


GAIN_MAP = {"hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/"}
CONTAINER = {
    "Container": "http://ns.google.com/photos/1.0/container/",
    "Item": "http://ns.google.com/photos/1.0/container/item/",
}


def ultra_hdr() -> bytes:
    """Return a photograph with a gain map behind it."""
    buffer = io.BytesIO()
    picture("L").resize((12, 9)).save(buffer, "JPEG")
    gain = with_segments(
        buffer.getvalue(), xmp_segment(packet(GAIN_MAP, 'hdrgm:Version="1.0" hdrgm:GainMapMax="2"'))
    )
    items = (
        '<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item '
        'Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>'
        '<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" '
        f'Item:Mime="image/jpeg" Item:Length="{len(gain)}"/></rdf:li></rdf:Seq>'
        "</Container:Directory>"
    )
    head = xmp_segment(packet(GAIN_MAP | CONTAINER, 'hdrgm:Version="1.0"', items))
    main = jpeg()
    total = len(main) + len(head) + len(_multi_picture(0, 0, 0))
    index = _multi_picture(total, len(gain), total - 2 - len(head) - 8)
    return with_segments(main, head, index) + gain


def motion_photo() -> bytes:
    """Return a photograph with a video behind it."""
    names = {"GCamera": "http://ns.google.com/photos/1.0/camera/"}
    told = 'GCamera:MotionPhoto="1" GCamera:MicroVideo="1" GCamera:MicroVideoOffset="124"'
    video = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100)
    return with_segments(jpeg(), xmp_segment(packet(names, told))) + video


def press_photo() -> bytes:
    """Return a photograph with IPTC, a clipping path and a comment."""
    resources = photoshop((0x0404, iptc_records()), (0x07D0, bytes(26)), (0x0425, bytes(16)))
    return with_segments(jpeg(comment=b"A comment"), segment(0xED, resources))


def signed_photo() -> bytes:
    """Return a photograph with content credentials, and a segment of its maker."""
    box = b"JP\0\1\0\0\0\1" + struct.pack(">I4s", 40, b"jumb") + b"c2pa" + bytes(28)
    return with_segments(jpeg(), segment(0xEB, box), segment(0xE5, b"RMETA\0" + bytes(20)))


def panorama() -> bytes:
    """Return a part of a panorama."""
    names = {"GPano": "http://ns.google.com/photos/1.0/panorama/"}
    sizes = {
        "FullPanoWidthPixels": 96,
        "FullPanoHeightPixels": 48,
        "CroppedAreaImageWidthPixels": WIDTH,
        "CroppedAreaImageHeightPixels": HEIGHT,
        "CroppedAreaLeftPixels": 36,
        "CroppedAreaTopPixels": 15,
    }
    told = " ".join(f'GPano:{name}="{size}"' for name, size in sizes.items())
    return jpeg(xmp=packet(names, f'GPano:ProjectionType="equirectangular" {told}'))


def tiff_bytes(tags: dict[int, Any], mode: str = "L", kinds: dict[int, int] | None = None) -> bytes:
    """Return the picture as a TIFF with tags; `kinds` are types that Pillow would not choose."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        directory[tag] = value
        if kinds and tag in kinds:
            directory.tagtype[tag] = kinds[tag]
    buffer = io.BytesIO()
    picture(mode).save(buffer, "TIFF", tiffinfo=directory)
    return buffer.getvalue()


def image_j() -> bytes:
    """Return a TIFF of ImageJ: 10 pixels a micrometre."""
    told = "ImageJ=1.53t\nimages=1\nunit=\\u00B5m\nmin=0.0\nmax=255.0\n"
    return tiff_bytes({270: told, 282: 10.0, 283: 10.0, 296: 1})


def open_microscopy() -> bytes:
    """Return a TIFF with OME-XML: a tenth of a micrometre a pixel."""
    told = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
        f'SizeX="{WIDTH}" SizeY="{HEIGHT}" SizeC="1" SizeZ="1" SizeT="1" PhysicalSizeX="0.1" '
        'PhysicalSizeY="0.2" PhysicalSizeXUnit="um"><TiffData/></Pixels></Image></OME>'
    )
    return tiff_bytes({270: told})


def shaped() -> bytes:
    """Return a TIFF as Python's writers describe it."""
    return tiff_bytes({270: json.dumps({"shape": [HEIGHT, WIDTH], "who": "me"})})


# WGS 84 / UTM zone 33N; 1025 is the raster type.
GEO_KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)


def geo_tags(*, is_point: bool = False, with_matrix: bool = False) -> dict[int, Any]:
    """Return the tags of a GeoTIFF of 10 by 20 m a pixel."""
    keys = (*GEO_KEYS[:11], 2 if is_point else 1, *GEO_KEYS[12:])
    tags: dict[int, Any] = {34735: keys}
    if with_matrix:
        return tags | {
            34264: (10.0, 2.0, 0.0, 5e5, 3.0, -20.0, 0.0, 5e6, *(0.0,) * 4, 0.0, 0.0, 0.0, 1.0)
        }
    return tags | {33550: (10.0, 20.0, 0.0), 33922: (3.0, 2.0, 0.0, 500030.0, 4999960.0, 0.0)}


def geo_tiff(extra: dict[int, Any] | None = None, **options: bool) -> bytes:
    """Return a GeoTIFF."""
    return tiff_bytes(geo_tags(**options) | (extra or {}))


def text_png() -> bytes:
    """Return a PNG with texts of all kinds."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "A title")
    info.add_text("Software", "Painter 1")
    info.add_text("parameters", "a cat, Steps: 20", zip=True)
    info.add_itxt("Description", "Über", lang="de", tkey="Beschreibung")
    info.add_text("Warning", "hot")
    buffer = io.BytesIO()
    picture().save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def chunked_png(*chunks: tuple[bytes, bytes], mode: str = "RGB") -> bytes:
    """Return a PNG with chunks before its pixels."""
    buffer = io.BytesIO()
    picture(mode).save(buffer, "PNG")
    data = buffer.getvalue()
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def avif(primaries: int, transfer: int) -> bytes:
    """Return an AVIF that says by code points what its numbers mean."""
    buffer = io.BytesIO()
    picture().save(buffer, "AVIF", quality=90)
    data = buffer.getvalue()
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


P3 = (b"cICP", bytes([12, 13, 0, 1]))
PQ = (b"cICP", bytes([9, 16, 0, 1]))

#: Kind → what makes a file of it, and the format whose ending it bears.
FILES: dict[str, Callable[[], bytes]] = {
    "face": lambda: face(1),
    "turned face": lambda: face(6),
    "Ultra HDR": ultra_hdr,
    "motion photo": motion_photo,
    "press photo": press_photo,
    "press TIFF": lambda: tiff_bytes({33723: iptc_records()}, "RGB", {33723: 7}),
    "content credentials": signed_photo,
    "panorama": panorama,
    "ImageJ": image_j,
    "OME": open_microscopy,
    "shaped": shaped,
    "GeoTIFF": geo_tiff,
    "private tags": lambda: tiff_bytes({65000: "size 24", 315: "An Author"}),
    "PNG texts": text_png,
    "PNG chunks": lambda: chunked_png((b"caBX", bytes(9)), (b"sCAL", b"\x011\x001"), P3),
}


def write(path: Path, kind: str) -> None:
    """Write a file of a kind."""
    path.write_bytes(FILES[kind]())
