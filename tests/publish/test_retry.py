"""A retry: the file is back in the inbox once and whole, and its job keeps its id."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.daemon_parts import context_of, drop, files_in, queue, wait_until
from tests.parts.fake_executor import FakeExecutor
from tests.parts.killed import run_killed
from tests.parts.publish_parts import FileMoves
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.daemon.supervisor import Supervisor
from zssr_daemon.errors import Reason, RetryRefusedError
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.settings.schema import Settings

#: Runs in a process of its own, which ends by SIGKILL at the point it is told.
RETRY = """
from pathlib import Path
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.folders.markers import Markers
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.settings.schema import Folders
root, job_id = sys.argv[1:3]
folders = Folders(**{name: Path(root) / name for name in Folders.model_fields})
ledger = Ledger.open(folders.state)
Retrier(folders, ledger, Markers(ledger)).retry(job_id)
"""

POINTS = (
    Failpoint.RETRY_PLANNED,
    Failpoint.RESERVED,
    Failpoint.RETRY_MOVED,
    Failpoint.PROFILE_MOVED,
    Failpoint.RECORD_REMOVED,
    Failpoint.RETRIED,
)


@pytest.fixture
def retrier(settings: Settings, ledger: Ledger) -> Retrier:
    """Return a retrier on the test's ledger."""
    return Retrier(settings.folders, ledger, Markers(ledger))


@pytest.fixture
def finish(settings: Settings) -> Iterator[Callable[[Ledger], None]]:
    """Return a function that runs a daemon on a ledger until the inbox is drained."""
    signals, control = Signals(), ControlSocket(settings.folders.state)

    def run(ledger: Ledger) -> None:
        context = context_of(settings, signals, control)
        Supervisor(settings, ledger, FakeExecutor(), context).run(is_once=True)

    yield run
    control.close()
    signals.close()


def failed(ledger: Ledger, settings: Settings, name: str = "a.png") -> Job:
    """Let a job fail, with its file and record in failed/."""
    job = queue(ledger, settings, name)
    ledger.claim(now=time.time() + 1)
    job = ledger.fail(job.id, now=1.0, reason=Reason.CORRUPT, message="broken")
    publisher = FileMoves(settings, ledger)
    publisher.end(job)
    return ledger.get(job.id)


def test_comes_back_under_its_id(
    retrier: Retrier, ledger: Ledger, settings: Settings, finish: Callable[[Ledger], None]
) -> None:
    """The file is in the inbox, its record gone, no attempt counted; then it is done."""
    job = failed(ledger, settings, "sub/a.png")
    assert files_in(settings.folders.failed) == ["sub/a.png", "sub/a.png.error.json"]
    assert retrier.retry(job.id) == "sub/a.png"
    assert files_in(settings.folders.failed) == []
    assert files_in(settings.folders.inbox) == ["sub/a.png"]
    assert ledger.get(job.id).attempts == 0
    finish(ledger)
    (after,) = ledger.newest()
    assert (after.id, after.state, after.attempts, after.reason) == (job.id, "done", 1, None)
    assert files_in(settings.folders.output) == ["sub/a_x2.png"]


def test_mended_file(
    retrier: Retrier, ledger: Ledger, settings: Settings, finish: Callable[[Ledger], None]
) -> None:
    """A file that was replaced in failed/ passes the gate as the file it is now."""
    job = failed(ledger, settings)
    drop(settings.folders.failed, "a.png", size=(30, 20))
    retrier.retry(job.id)
    finish(ledger)
    after = ledger.get(job.id)
    assert (after.state, after.width, after.height) == ("done", 30, 20)
    assert after.sha256 != job.sha256


def test_name_in_the_inbox_is_taken(retrier: Retrier, ledger: Ledger, settings: Settings) -> None:
    """Nothing is overwritten: the file comes back beside the other."""
    job = failed(ledger, settings)
    other = settings.folders.inbox / "a.png"
    other.write_text("another")
    assert retrier.retry(job.id) == f"a-{job.id[:8]}.png"
    assert other.read_text() == "another"
    assert ledger.get(job.id).src_rel == f"a-{job.id[:8]}.png"


def test_kept_source_is_run_again(
    make_settings: SettingsFactory, ledger: Ledger, finish: Callable[[Ledger], None]
) -> None:
    """With on_success = "keep", a retry of a done job makes a new job."""
    settings = make_settings(output={"on_success": "keep"})
    first = queue(ledger, settings)
    ledger.done(first.id, now=1.0)
    ledger.disposed(first.id, Disposal.KEEP)
    finish(ledger)
    assert len(ledger.newest()) == 1
    Retrier(settings.folders, ledger, Markers(ledger)).retry(first.id)
    finish(ledger)
    assert [job.state for job in ledger.newest()] == ["done", "done"]


def test_what_cannot_be_tried_again(retrier: Retrier, ledger: Ledger, settings: Settings) -> None:
    """The refusal says why, and nothing is changed."""
    gone = failed(ledger, settings, "gone.png")
    (settings.folders.failed / "gone.png").unlink()
    twice = failed(ledger, settings, "twice.png")
    retrier.retry(twice.id)
    queued = queue(ledger, settings, "b.png")
    for job_id, why in [
        ("0" * 32, "no job has the id"),
        (queued.id, "it is queued; only failed"),
        (gone.id, "no longer there"),
        (twice.id, "back in the inbox already"),
    ]:
        with pytest.raises(RetryRefusedError, match=why):
            retrier.retry(job_id)
    assert ledger.get(queued.id).state is JobState.QUEUED
    assert ledger.get(gone.id).disposal == "failed"


def test_inbox_that_is_not_mounted(retrier: Retrier, ledger: Ledger, settings: Settings) -> None:
    """Without its inbox a retry is refused, and the file stays in failed/."""
    job = failed(ledger, settings)
    settings.folders.inbox.rename(settings.folders.inbox.with_name("away"))
    with pytest.raises(OSError, match="not mounted"):
        retrier.retry(job.id)
    assert "a.png" in files_in(settings.folders.failed)


@pytest.mark.parametrize("is_mended", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step(
    *,
    tmp_path: Path,
    ledger: Ledger,
    settings: Settings,
    finish: Callable[[Ledger], None],
    point: Failpoint,
    is_mended: bool,
) -> None:
    """The next daemon finds the file once, and every file ends once: done, or failed as before.

    Its own settings lie beside it in the end. An empty file that held the name in the inbox may
    stay: it might be somebody's by then.
    """
    job = failed(ledger, settings)
    (settings.folders.failed / "a.toml").write_text("[zssr]\nseed = 3")
    if is_mended:
        drop(settings.folders.failed, "a.png", size=(30, 20))
    content = (settings.folders.failed / "a.png").read_bytes()
    ledger.close()
    run_killed(RETRY, str(tmp_path), job.id, point=point)
    kept = [settings.folders.inbox, settings.folders.failed]
    assert [path.read_bytes() for folder in kept for path in folder.glob("a.png")].count(
        content
    ) == 1
    again = Ledger.open(settings.folders.state)
    finish(again)
    wait_until(lambda: not again.blocking())
    state = again.get(job.id).state
    again.close()
    is_done = point is Failpoint.RETRIED
    assert state == ("done" if is_done else "failed")
    where = settings.folders.archive if is_done else settings.folders.failed
    assert (where / "a.png").read_bytes() == content
    assert (where / "a.toml").read_text() == "[zssr]\nseed = 3"
    left = files_in(settings.folders.inbox)
    assert left == (["a.png"] if point is Failpoint.RESERVED else [])
    assert all((settings.folders.inbox / path).stat().st_size == 0 for path in left)
    assert (settings.folders.failed / "a.png.error.json").exists() != is_done
