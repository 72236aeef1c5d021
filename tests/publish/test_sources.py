"""Sources: the content decides whether the file of a job is still the same."""

import os
from pathlib import Path

import pytest

from tests.parts.daemon_parts import identity_of, queue
from tests.parts.publish_parts import marked
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.sources import Sources, has_hash
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.durable import sha256_of


@pytest.fixture
def sources(settings: Settings, ledger: Ledger) -> Sources:
    """Return the sources below a marked inbox."""
    return Sources(settings.folders.inbox, ledger, marked(settings, ledger))


@pytest.fixture
def source(settings: Settings) -> Path:
    """Return where the source of the job lies."""
    return settings.folders.inbox / "a.png"


@pytest.fixture
def job(ledger: Ledger, settings: Settings, source: Path) -> Job:
    """Return a queued job whose content is known, as it is after the gate."""
    queued = queue(ledger, settings)
    ledger.forget(queued.id)
    return ledger.add("a.png", queued.identity, now=0.0, sha256=sha256_of(source))


def test_untouched_source(sources: Sources, job: Job) -> None:
    """It is there, and its job stays as it is."""
    assert sources.exists(job)
    assert sources.recognise(job) == job


def test_source_that_is_gone(sources: Sources, job: Job, source: Path) -> None:
    """It is not there, and so is not the same."""
    source.unlink()
    assert not sources.exists(job)
    assert sources.recognise(job) is None


def test_touched_source(sources: Sources, ledger: Ledger, job: Job, source: Path) -> None:
    """Another time with the same content is the same file, by its new identity from then on."""
    os.utime(source, (1, 1))
    known = sources.recognise(job)
    assert known is not None
    assert known.identity == identity_of(source) != job.identity
    assert ledger.get(job.id) == known


def test_copy_in_place_of_the_source(sources: Sources, job: Job, source: Path) -> None:
    """Another inode with the same content is the same file: so a share looks after a new mount."""
    copy = source.with_name("copy")
    copy.write_bytes(source.read_bytes())
    copy.rename(source)
    known = sources.recognise(job)
    assert known is not None
    assert known.identity == identity_of(source) != job.identity


@pytest.mark.parametrize("content", [b"short", None])
def test_other_content(sources: Sources, job: Job, source: Path, content: bytes | None) -> None:
    """Another size, or the same size and other bytes, is another picture."""
    source.write_bytes(content or bytes(source.stat().st_size))
    assert sources.exists(job)
    assert sources.recognise(job) is None


def test_link_to_the_same_content(sources: Sources, job: Job, source: Path) -> None:
    """A link is not the file, wherever it leads."""
    moved = source.rename(source.parent.parent / "elsewhere.png")
    source.symlink_to(moved)
    assert sources.exists(job)
    assert sources.recognise(job) is None


def test_job_without_a_hash(sources: Sources, ledger: Ledger, settings: Settings) -> None:
    """Without a hash to compare with, a touched file counts as changed."""
    job = queue(ledger, settings)
    os.utime(settings.folders.inbox / "a.png", (1, 1))
    assert sources.recognise(job) is None


def test_inode_of_another_job(
    sources: Sources, ledger: Ledger, settings: Settings, job: Job, source: Path
) -> None:
    """A file that another job has is not this job's too, though its content is the same."""
    queue(ledger, settings, "b.png")
    (settings.folders.inbox / "b.png").rename(source)
    assert sources.recognise(job) is None


def test_inbox_that_is_not_mounted(sources: Sources, job: Job, source: Path) -> None:
    """A file whose folder is away may still be there: that is a fault, and no answer."""
    inbox = source.parent
    inbox.rename(inbox.with_name("away"))
    for look in (sources.exists, sources.recognise):
        with pytest.raises(OSError, match="not mounted"):
            look(job)


def test_hash_of_a_file(source: Path) -> None:
    """A folder, a missing file and other content do not have it."""
    source.write_bytes(b"content")
    sha256 = sha256_of(source)
    assert has_hash(source, sha256)
    source.write_bytes(b"other")
    assert not has_hash(source, sha256)
    assert not has_hash(source.parent, sha256)
    assert not has_hash(source.with_name("gone"), sha256)
