"""Companions: what tells of an output is named after it, whole, and leaves nothing behind."""

import hashlib
import time
from pathlib import Path

import pytest

from tests.parts.daemon_parts import files_in, queue
from tests.parts.publish_parts import FileMoves
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.attempt_files import (
    KERNEL_PICTURE,
    KERNEL_WEIGHTS,
    REPORT,
    companion_part,
    companion_rel,
    companions_of,
    frame_part,
    is_part,
    part_rel,
)
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.settings.schema import Settings

KINDS = (REPORT, KERNEL_WEIGHTS, KERNEL_PICTURE)
SHA256 = hashlib.sha256(b"enlarged").hexdigest()


def written(settings: Settings, ledger: Ledger, frames: int) -> tuple[Publisher, Job]:
    """Write the parts of a job's frames, each with a kernel beside it."""
    publisher = FileMoves(settings, ledger)
    queue(ledger, settings, "a.png")
    job = ledger.claim(now=time.time())
    assert job is not None
    last = publisher.part_path(job)
    parts = [Path(frame_part(str(last), frame)) for frame in range(frames - 1)]
    for number, part in enumerate([*parts, last], 1):
        part.write_bytes(b"enlarged")
        companion_part(part, KERNEL_WEIGHTS).write_text(f"kernel {number}")
        companion_part(part, KERNEL_PICTURE).write_text(f"picture {number}")
    return publisher, job


def test_companions_are_parts_until_they_are_named(tmp_path: Path) -> None:
    """So that the next start removes what a crash left; others' files are never taken for them."""
    part = tmp_path / part_rel("", "0" * 32, 2)
    assert companions_of(part) == []
    for kind in KINDS:
        companion_part(part, kind).write_text("told")
        assert is_part(companion_part(part, kind).name)
    assert [path.suffix for path in companions_of(part)] == list(KINDS)
    assert not is_part("photo.kernel.npy")


def test_long_names_leave_room_for_the_ending(tmp_path: Path) -> None:
    """The output's name is cut, never the ending that tells what a file is."""
    companion = companion_part(tmp_path / "x.part", KERNEL_WEIGHTS)
    rel = companion_rel("folder/" + "ä" * 120 + ".png", companion, "-1a2b3c4d")
    assert rel.endswith("-1a2b3c4d.kernel.npy")
    assert len(Path(rel).name.encode()) <= 255


@pytest.mark.parametrize("frames", [1, 3])
def test_each_frame_has_its_kernel(
    make_settings: SettingsFactory, ledger: Ledger, frames: int
) -> None:
    """Named after the output of that frame."""
    settings = make_settings()
    publisher, job = written(settings, ledger, frames)
    publisher.publish(job, out_sha256=SHA256, frames=frames)
    output = settings.folders.output
    pages = ["a_x2.png"] if frames == 1 else [f"a_p00{page}_x2.png" for page in range(1, 4)]
    expected = [page + end for page in pages for end in ("", ".kernel.npy", ".kernel.png")]
    assert files_in(output) == sorted(expected)
    for number, page in enumerate(pages, 1):
        assert (output / f"{page}.kernel.npy").read_text() == f"kernel {number}"
        assert (output / f"{page}.kernel.png").read_text() == f"picture {number}"


def test_nothing_is_left_of_an_attempt_that_failed(
    make_settings: SettingsFactory, ledger: Ledger
) -> None:
    """The companions of every frame go with its part."""
    settings = make_settings()
    publisher, job = written(settings, ledger, frames=3)
    publisher.discard_part(job)
    assert files_in(settings.folders.output) == []
