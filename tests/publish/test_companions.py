"""Companions of an output: each is named after it, and none is left by an attempt that failed."""

import hashlib
import time
from pathlib import Path

import pytest

from tests.parts.daemon_parts import files_in, queue
from tests.parts.publish_parts import FileMoves
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.attempt_files import companion_part, frame_part
from zssr_daemon.protocol.endings import KERNEL_PICTURE, KERNEL_WEIGHTS
from zssr_daemon.settings.schema import Settings

SHA256 = hashlib.sha256(b"enlarged").hexdigest()


def written(settings: Settings, ledger: Ledger, frames: int) -> tuple[FileMoves, Job]:
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


@pytest.mark.parametrize("frames", [1, 3])
def test_each_frame_has_its_kernel(
    make_settings: SettingsFactory, ledger: Ledger, frames: int
) -> None:
    """A frame's kernel is named after the output of that frame."""
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
