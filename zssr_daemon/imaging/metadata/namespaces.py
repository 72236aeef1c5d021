"""Namespaces: the addresses under which properties of XMP are known."""

from typing import Final

X: Final = "adobe:ns:meta/"
XML: Final = "http://www.w3.org/XML/1998/namespace"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC: Final = "http://purl.org/dc/elements/1.1/"
DCTERMS: Final = "http://purl.org/dc/terms/"
TIFF: Final = "http://ns.adobe.com/tiff/1.0/"
EXIF: Final = "http://ns.adobe.com/exif/1.0/"
PHOTOSHOP: Final = "http://ns.adobe.com/photoshop/1.0/"
XMP: Final = "http://ns.adobe.com/xap/1.0/"
XMP_NOTE: Final = "http://ns.adobe.com/xmp/note/"
IPTC_CORE: Final = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"
IPTC_EXT: Final = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
MWG_REGIONS: Final = "http://www.metadataworkinggroup.com/schemas/regions/"
ST_AREA: Final = "http://ns.adobe.com/xmp/sType/Area#"
ST_DIMENSIONS: Final = "http://ns.adobe.com/xap/1.0/sType/Dimensions#"
MICROSOFT_PHOTO: Final = "http://ns.microsoft.com/photo/1.2/"
MICROSOFT_REGION: Final = "http://ns.microsoft.com/photo/1.2/t/Region#"
ACDSEE_REGIONS: Final = "http://ns.acdsee.com/regions/"
GAIN_MAP: Final = "http://ns.adobe.com/hdr-gain-map/1.0/"
APPLE_GAIN_MAP: Final = "http://ns.apple.com/HDRGainMap/1.0/"
PANORAMA: Final = "http://ns.google.com/photos/1.0/panorama/"
CONTAINER: Final = "http://ns.google.com/photos/1.0/container/"
CONTAINER_ITEM: Final = "http://ns.google.com/photos/1.0/container/item/"
CAMERA: Final = "http://ns.google.com/photos/1.0/camera/"
#: Pictures, depth and sound in base64, and where they lie in the file.
PHOTO_PARTS: Final = {
    "http://ns.google.com/photos/1.0/image/": "second picture in the XMP",
    "http://ns.google.com/photos/1.0/audio/": "sound in the XMP",
    "http://ns.google.com/photos/1.0/depthmap/": "depth map",
    "http://ns.google.com/photos/1.0/focus/": "depth map",
}
DYNAMIC_DEPTH: Final = "http://ns.google.com/photos/dd/1.0/"
XIAOMI: Final = "http://ns.xiaomi.com/photos/1.0/camera/"


def as_name(full: str) -> tuple[str, str]:
    """Split the library's `{namespace}name`."""
    namespace, _, name = full.removeprefix("{").rpartition("}")
    return namespace, name
