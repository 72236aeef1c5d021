"""Told: what ExifTool finds in a source is in its output, or changed by rule, or named in the note.

Every kind of file goes through gate and worker into every format.
"""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.parts.metadata_files import FILES, HEIGHT, WIDTH, write
from tests.parts.tools import tool
from tests.worker.test_faithful import DOCUMENT, enlarge, rules

FORMATS: Final = ("png", "tiff", "jpeg", "webp")

#: Groups of ExifTool, and tags of the others, that say how a file stores its pixels.
STRUCTURE: Final = re.compile(
    r"(System|File|ExifTool|SourceFile|Composite|JFIF|MPF0|MPImage\d|ICC.*|RIFF)\b"
    r"|PNG:(ImageWidth|ImageHeight|BitDepth|ColorType|Compression|Filter|Interlace)"
    r"|IFD0:(ImageWidth|ImageHeight|BitsPerSample|Compression|PhotometricInterpretation"
    r"|StripOffsets|RowsPerStrip|StripByteCounts|SamplesPerPixel|PlanarConfiguration|Orientation)"
    r"|Photoshop:IPTCDigest"
)

#: Tags that speak of pixels: each is turned and scaled, as tests of `imaging/metadata` show.
CHANGED: Final = re.compile(
    r".*:(ExifImageWidth|ExifImageHeight|ImageWidth|ImageHeight|FocalPlane[XY]Resolution"
    r"|SubjectArea|SubjectLocation|RegionInfo|RegionInfoMP|ImageDescription|[XY]Resolution"
    r"|FullPano\w+|CroppedArea\w+|PixelScale|ModelTiePoint)"
)

#: What is gone, and the words of the note that say so.
NAMED: Final = {
    r"XMP-(hdrgm|Container):": "HDR gain map",
    r"XMP-GCamera:": "video of the motion photo",
    r".*:MakerNote": "maker notes",
    r"IPTC:EditStatus": "IPTC 2:7",
    r"GeoTiff:|IFD0:(PixelScale|ModelTiePoint)": "georeference",
    r"IFD0:OwnerName": "private tags (65000)",
    r"PNG:PNGWarning": "text Warning",
    r"PNG:Subject": "sCAL",
}

#: What moves to a place of another name: source → output.
MOVED: Final = {
    "IPTC:DateCreated": "XMP-photoshop:DateCreated",
    "IPTC:TimeCreated": "XMP-photoshop:DateCreated",
    "IPTC:CodedCharacterSet": "XMP-photoshop:Headline",
    "PNG-cICP:": "ICC_Profile:ProfileDescription",
}


@dataclass(frozen=True)
class Seen:
    """What ExifTool says of a source and of its output, and the note."""

    source: dict[str, Any]
    output: dict[str, Any]
    note: str


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Seen]:
    """Enlarge every kind into every format, and let one run of ExifTool look at all files."""
    exiftool = tool("exiftool", package="libimage-exiftool-perl")
    folder = tmp_path_factory.mktemp("told")
    notes = {}
    for number, kind in enumerate(FILES):
        path = folder / f"{number}-source"
        write(path, kind)
        for setting in FORMATS:
            notes[kind, setting] = enlarge(path, output=rules(setting)).report.note or ""
            (folder / "out").rename(folder / f"{number}-{setting}")
    paths = sorted(map(str, folder.glob("*-*")))
    command = [exiftool, "-json", "-a", "-G1", "-struct", *paths]
    answer = subprocess.run(command, check=True, capture_output=True).stdout
    by_name = {Path(tags["SourceFile"]).name: tags for tags in json.loads(answer)}
    return {
        (kind, setting): Seen(
            by_name[f"{number}-source"], by_name[f"{number}-{setting}"], notes[kind, setting]
        )
        for number, kind in enumerate(FILES)
        for setting in FORMATS
    }


def is_in(value: Any, tags: dict[str, Any]) -> bool:
    """Tell whether any tag of a file says a value, alone or behind another."""
    texts = [json.dumps(each) for each in tags.values()]
    wanted = json.dumps(value)
    return wanted in texts or any(text.startswith(wanted[:-1] + "; ") for text in texts)


def unexplained(each: Seen) -> list[str]:
    """Return what is gone or changed without a word and without a rule."""
    found = []
    for tag, value in each.source.items():
        is_kept = each.output.get(tag) == value or is_in(value, each.output)
        is_moved = any(tag.startswith(old) and new in each.output for old, new in MOVED.items())
        named = [words for pattern, words in NAMED.items() if re.match(pattern, tag)]
        if STRUCTURE.match(tag) or (CHANGED.fullmatch(tag) and tag in each.output):
            continue
        if not (is_kept or is_moved or any(words in each.note for words in named)):
            found.append(f"{tag} = {value!r}, and the note is {each.note!r}")
    return found


@pytest.mark.parametrize("setting", FORMATS)
@pytest.mark.parametrize("kind", FILES)
def test_nothing_is_gone_without_a_word(
    seen: dict[tuple[str, str], Seen], kind: str, setting: str
) -> None:
    """Each tag of the source is there, or has a rule, or stands in the note."""
    assert unexplained(seen[kind, setting]) == []


@pytest.mark.parametrize("setting", FORMATS)
@pytest.mark.parametrize("kind", FILES)
def test_nothing_in_the_output_speaks_of_the_sources_pixels(
    seen: dict[tuple[str, str], Seen], kind: str, setting: str
) -> None:
    """No width or height of the source is left, nothing points at what is not there."""
    output = seen[kind, setting].output
    sizes = {tag: value for tag, value in output.items() if re.search("Width|Height", tag)}
    assert sizes
    assert [tag for tag, value in sizes.items() if value in {WIDTH, HEIGHT}] == []
    gone = (
        "XMP-hdrgm",
        "XMP-Container",
        "XMP-GCamera",
        "MPF",
        "JUMBF",
        "MakerNotes",
        "XMP-xmpNote",
    )
    assert [tag for tag in output if tag.startswith(gone)] == []
    assert [tag for tag in output if tag.endswith(":Warning")] == []


@pytest.mark.parametrize("setting", FORMATS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Ultra HDR", "HDR gain map"),
        ("motion photo", "video of the motion photo"),
        ("press photo", "clipping paths"),
        ("content credentials", "C2PA"),
        ("content credentials", "APP5 RMETA"),
        ("PNG chunks", "C2PA"),
        ("turned face", "maker notes"),
    ],
)
def test_what_no_format_holds_is_named(
    seen: dict[tuple[str, str], Seen], kind: str, words: str, setting: str
) -> None:
    """ExifTool does not list all that lies in a file; the note does."""
    assert words in seen[kind, setting].note


@pytest.mark.parametrize("setting", FORMATS)
@pytest.mark.parametrize("kind", ["panorama", "shaped", "ImageJ", "OME", "press TIFF"])
def test_what_is_kept_whole_needs_no_word(
    seen: dict[tuple[str, str], Seen], kind: str, setting: str
) -> None:
    """A note says what is lost, and nothing else."""
    if (kind, setting) != ("press TIFF", "webp"):  # one record has no place in XMP
        assert "not kept" not in seen[kind, setting].note


def test_document_says_what_is_not_kept(seen: dict[tuple[str, str], Seen]) -> None:
    """The table of docs/images.md is what the notes say."""
    told = [
        f"| {kind} | {' | '.join(_lost(seen[kind, setting].note) for setting in FORMATS)} |"
        for kind in FILES
    ]
    text = DOCUMENT.read_text()
    (found,) = re.findall(r"\| a file of \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", text)
    assert str(found).splitlines() == told


def _lost(note: str) -> str:
    (lost,) = re.findall(r"not kept: (.*)", note) or ["–"]
    return str(lost)


def test_strip_names_only_what_is_no_metadata(tmp_path: Path) -> None:
    """Who strips metadata knows that it is gone; a video is no metadata."""
    path = tmp_path / "source"
    write(path, "face")
    assert enlarge(path, output=rules(keeps_metadata=False)).report.note is None
    write(path, "motion photo")
    note = enlarge(path, output=rules(keeps_metadata=False)).report.note
    assert note == "not kept: video of the motion photo"
