"""Publisher: the order of durable steps, and what a crash after each of them leaves."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, files_in, queue
from tests.parts.durable_steps import DurableSteps
from tests.parts.publish_parts import (
    CONTENT,
    SHA256,
    FileMoves,
    all_files,
    crash_at,
    marked,
    publish,
    resume,
    worked,
)
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.errors import SourceChangedError
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.image_settings import ImageSettings
from zssr_daemon.settings.schema import Output, Settings
from zssr_daemon.zssr.config import ZSSRConfig


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "sub/deep/a.png"])
def test_output_and_archive(
    settings: Settings, ledger: Ledger, publisher: FileMoves, name: str
) -> None:
    """Whatever the source is called: one output, one archived source, no part."""
    job, _ = worked(ledger, settings, publisher, name)
    source = (settings.folders.inbox / name).read_bytes()
    job = publish(publisher, job)
    assert (job.state, job.disposal) == (JobState.DONE, "archive")
    assert job.out_rel is not None
    assert job.disposal_rel is not None
    expected = {"inbox": [], "output": [job.out_rel], "archive": [job.disposal_rel]}
    assert all_files(settings) == expected | {"failed": []}
    assert (settings.folders.output / job.out_rel).read_bytes() == CONTENT
    assert (settings.folders.archive / job.disposal_rel).read_bytes() == source
    assert os.path.dirname(job.out_rel) == os.path.dirname(name)  # noqa: PTH120
    assert ledger.get(job.id) == job


def test_changed_source_publishes_nothing(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """An output of content that is gone gets no name."""
    job, _ = worked(ledger, settings, publisher)
    os.utime(settings.folders.inbox / "a.png", (1, 1))
    with pytest.raises(SourceChangedError):
        publisher.publish(job, out_sha256=SHA256)
    publisher.discard_part(job)
    assert all_files(settings)["output"] == []


def test_no_output_overwrites_another(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """a.jpg after a.png, a file of the user's, even two of them: each keeps its own."""
    first = publish(publisher, worked(ledger, settings, publisher, "a.png")[0])
    job, _ = worked(ledger, settings, publisher, "a.jpg")
    taken = settings.folders.output / f"a_x2-{job.id[:8]}.png"
    taken.write_bytes(b"the user's")
    job = publish(publisher, job)
    assert first.out_rel == "a_x2.png"
    assert job.out_rel == f"a_x2-{job.id}.png"
    assert taken.read_bytes() == b"the user's"
    assert len(all_files(settings)["output"]) == 3


def test_order_of_publishing(
    settings: Settings,
    ledger: Ledger,
    publisher: FileMoves,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Each step is durable before the next begins: the content, the name, the end, the source."""
    job, _ = worked(ledger, settings, publisher)
    steps = DurableSteps(monkeypatch, ledger, tmp_path)
    publish(publisher, job)
    assert steps.calls == [
        "fsync PART",
        "commit publishing",
        "link PART output/a_x2.png",
        "fsync output",
        "unlink PART",
        "fsync output",
        "commit done",
        "commit disposal_rel",
        "replace inbox/a.png archive/a.png",
        "fsync archive",
        "fsync inbox",
        "commit disposal",
    ]


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("is_taken", [False, True])
def test_crash_at_every_step_of_publishing(
    make_settings: SettingsFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_links: bool,
    is_taken: bool,
) -> None:
    """Wherever it ends: one output and one archived source, or the source and no output."""
    if not has_links:
        monkeypatch.setattr("zssr_daemon.system.durable.os.link", _refuse)
    number, crashed, outcomes = 0, True, []
    while crashed:
        settings = make_settings(
            folders={
                name: tmp_path / str(number) / name
                for name in ("inbox", "output", "archive", "failed", "state")
            }
        )
        ledger = Ledger.open(settings.folders.state)
        publisher = FileMoves(settings, ledger, marked(settings, ledger))
        job, _ = worked(ledger, settings, publisher)
        mine = settings.folders.output / "a_x2.png"
        if is_taken:
            mine.write_bytes(b"the user's")
        crashed = crash_at(number, monkeypatch, lambda p=publisher, j=job: publish(p, j))  # type: ignore[misc]
        ledger.close()
        outcomes.append(_check_after_crash(settings, is_taken=is_taken))
        number += 1
    assert outcomes == sorted(outcomes)  # from a certain step on, nothing is made again
    assert set(outcomes) == {False, True}
    assert number > 9


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def _check_after_crash(settings: Settings, *, is_taken: bool) -> bool:
    """Assert the invariants after a restart, and return whether the job is done."""
    job = resume(settings)
    again = resume(settings)
    assert again == job
    users = ["a_x2.png"] if is_taken else []
    files = all_files(settings)
    if is_taken:
        assert (settings.folders.output / "a_x2.png").read_bytes() == b"the user's"
    if job.state is JobState.DONE:
        assert job.disposal == "archive"
        assert job.out_rel is not None
        expected = sorted([*users, job.out_rel])
        assert files == {"inbox": [], "output": expected, "archive": ["a.png"], "failed": []}
        assert (settings.folders.output / job.out_rel).read_bytes() == CONTENT
        return True
    assert job.state in {JobState.RUNNING, JobState.QUEUED}
    assert files == {"inbox": ["a.png"], "output": users, "archive": [], "failed": []}
    return False


def test_parts_of_others_are_left_alone(settings: Settings, publisher: FileMoves) -> None:
    """Only files named as ours are removed at a start, in sub-folders too.

    A part of a job that the ledger does not know can be another daemon's, unless it is a day old.
    """
    output = settings.folders.output
    (output / "sub").mkdir()
    stale, fresh = (f"sub/.{digit * 32}.1.part" for digit in "01")
    for name in (stale, fresh, "a.part", ".a.part", "sub/download.part"):
        (output / name).touch()
    os.utime(output / stale, (1, 1))
    publisher.remove_stale_parts()
    assert files_in(output) == [".a.part", "a.part", fresh, "sub/download.part"]


def test_discarding_never_fails(settings: Settings, ledger: Ledger, publisher: FileMoves) -> None:
    """A part that cannot be removed raises nothing."""
    job = queue(ledger, settings, "sub/a.png")
    publisher.discard_part(job)
    (settings.folders.output / "sub").touch()
    publisher.discard_part(job)
    shutil.rmtree(settings.folders.output)
    publisher.discard_part(job)
    assert not settings.folders.output.exists()


def test_lost_ledger_costs_no_picture(settings: Settings, tmp_path: Path) -> None:
    """Without history the source is made again beside its first output; neither is lost."""
    for _ in range(2):
        ledger = Ledger.open(settings.folders.state)
        publisher = FileMoves(settings, ledger, marked(settings, ledger))
        publish(publisher, worked(ledger, settings, publisher)[0])
        ledger.close()
        (settings.folders.state / LEDGER_NAME).unlink()
        with pytest.raises(sqlite3.OperationalError):
            sqlite3.connect(f"file:{settings.folders.state}/{LEDGER_NAME}?mode=ro", uri=True)
    assert len(all_files(settings)["output"]) == 2
    assert len(all_files(settings)["archive"]) == 2


def test_own_settings_hold_to_the_end(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """Name, scale and disposal are those of the job's settings, whatever the settings are now."""
    own = ImageSettings.of(settings).model_copy(
        update={
            "zssr": ZSSRConfig(scale_factor=(2.0, 3.5)),
            "output": Output(name="own_{stem}_{scale}", on_success="keep"),
        }
    )
    job, _ = worked(ledger, settings, publisher)
    job = JobSettings(ledger, settings).use(job, own)
    assert JobSettings(ledger, settings).of(job) == own
    assert publish(publisher, job).disposal == "keep"
    assert all_files(settings)["inbox"] == ["a.png"]
    assert all_files(settings)["output"] == ["own_a_2x3.5.png"]


@pytest.mark.parametrize("kept", [None, "no JSON", "[1]", '{"zssr": {"a_key_of_later": 1}}'])
def test_settings_that_nobody_understands(
    settings: Settings, ledger: Ledger, publisher: FileMoves, kept: str | None
) -> None:
    """A job whose settings are not understood ends by the settings for all images."""
    job, _ = worked(ledger, settings, publisher)
    if kept is not None:
        ledger.keep_settings("hash", kept)
    job = ledger.use_settings(job.id, "hash")
    assert publish(publisher, job).disposal == "archive"
    assert all_files(settings)["output"] == ["a_x2.png"]
