"""Hostile files: each ends with a reason or a valid output, and a good one after it is done."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.parts.hostile_files import (
    FILE_REASONS,
    hostile_contents,
    make_special_files,
    write_contents,
)
from tests.parts.picture_files import LIMITS, samples
from tests.parts.probe_child import Child
from tests.parts.tiny_settings import TINY
from zssr_daemon.errors import JobError
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.inbox.probe import ProbeResult
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file

RULES = OutputRules(setting="same", quality=95, keeps_metadata=True, max_pixels=10**6)

# More than an honest picture of 100 000 pixels and its libraries take; a bomb would take more.
MAX_PROBE_BYTES = 400 << 20


@pytest.fixture
def child() -> "Child":
    """Return a probe of its own, whose peak memory is that of this corpus."""
    return Child()


def peak_bytes(pid: int) -> int:
    """Return the most memory a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


def check(result: ProbeResult) -> None:
    """Assert that an answer is a description or a stable reason, never both and never none."""
    if result.reason is None:
        assert result.info is not None, result
        assert result.sha256 is not None
    else:
        assert result.reason in FILE_REASONS, result
        assert result.message
        assert result.info is None


def test_corpus_through_the_gate_and_the_worker(child: Child, tmp_path: Path) -> None:
    """One probe outlives all of them, in bounded memory; what passes is enlarged or refused."""
    names = write_contents(tmp_path)
    Image.fromarray(samples(15, 20, 3)).save(tmp_path / "good.png")
    assert len(names) >= 300
    enlarger = Enlarger("cpu", 1)
    child.ask(tmp_path, "good.png")
    before = peak_bytes(child.process.pid or 0)
    passed = 0
    for name in names:
        result = child.ask(tmp_path, name)
        check(result)
        if result.reason is None:
            passed += _enlarge(enlarger, tmp_path, result)
        assert child.ask(tmp_path, "good.png").info is not None, f"after {name}"
    assert peak_bytes(child.process.pid or 0) - before < MAX_PROBE_BYTES
    assert passed > 20
    child.pipe.close()
    child.process.join(60)
    assert child.process.exitcode == 0


def _enlarge(enlarger: Enlarger, folder: Path, result: ProbeResult) -> bool:
    """Put what passed the gate through the worker; it verifies its own output."""
    assert result.identity is not None
    part = folder / "part"
    order = WorkOrder(
        job_id="job",
        inbox=str(folder),
        src_rel=result.request.rel_path,
        identity=result.identity,
        part=str(part),
        config=TINY,
        limits=LIMITS,
        output=RULES,
        weights_folder=None,
    )
    try:
        enlarge_file(enlarger, order, lambda _: None)
    except JobError as error:
        assert error.reason in FILE_REASONS
        return False
    with Image.open(part) as picture:
        picture.load()
        assert result.info is not None
        assert picture.size == (2 * result.info.width, 2 * result.info.height)
    return True


def test_what_is_no_file_is_refused_unopened(child: Child, tmp_path: Path) -> None:
    """Links, pipes, sockets and folders: `unsafe_file`, and no link is followed."""
    secret = tmp_path / "outside" / "secret.png"
    secret.parent.mkdir()
    Image.fromarray(samples(4, 4, 3)).save(secret)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    Image.fromarray(samples(4, 4, 3)).save(inbox / "good.png")
    for name in make_special_files(inbox, secret):
        assert child.ask(inbox, name).reason == "unsafe_file", name
        assert child.ask(inbox, "good.png").info is not None
    child.pipe.close()
    child.process.join(60)


def test_a_hard_link_is_read_as_the_file_it_is(child: Child, tmp_path: Path) -> None:
    """Another name of a file is no danger: its bytes are read once, into memory of our own."""
    Image.fromarray(samples(4, 4, 3)).save(tmp_path / "a.png")
    os.link(tmp_path / "a.png", tmp_path / "b.png")
    first, second = child.ask(tmp_path, "a.png"), child.ask(tmp_path, "b.png")
    assert first.info is not None
    assert (first.identity, first.sha256) == (second.identity, second.sha256)
    child.pipe.close()
    child.process.join(60)


def test_corpus_is_varied() -> None:
    """No two files are the same: each tries something of its own."""
    contents = [content for _, content in hostile_contents()]
    assert len({*contents}) > 0.97 * len(contents)
    assert np.median([len(content) for content in contents]) > 1000
