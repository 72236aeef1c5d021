"""The resolution of a print: replaces the source's, and nothing else that the EXIF says."""

from PIL import ExifTags, Image

from zssr_daemon.imaging.metadata.exif import loaded
from zssr_daemon.imaging.metadata.file_text import as_file_text, serialised
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.resolution import at_resolution


def test_texts_keep_their_letters() -> None:
    """Names with accents and signs such as © are written with the bytes they were read with."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = as_file_text("© José")
    exif[ExifTags.Base.XResolution] = 72.0
    before = ImageMetadata(exif=serialised(exif), dpi=(72.0, 72.0))
    after = at_resolution(before, 300.0)
    directory = loaded(after.exif)
    assert directory[ExifTags.Base.Artist] == loaded(before.exif)[ExifTags.Base.Artist]
    assert directory[ExifTags.Base.XResolution] == 300
    assert after.dpi == (300.0, 300.0)
