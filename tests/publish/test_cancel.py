"""A cancel without a daemon: the job has ended as cancelled, and its file is in failed/, whole."""

import time

import pytest

from tests.parts.daemon_parts import files_in, queue
from tests.parts.killed import run_killed
from tests.parts.ledger_parts import add
from tests.parts.publish_parts import resume
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.errors import CancelRefusedError, Reason
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.cancel import cancel_without_daemon, disposer_of
from zssr_daemon.settings.schema import Settings

#: Runs in a process of its own, which ends by SIGKILL at the point it is told.
CANCEL = """
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.cancel import cancel_without_daemon, disposer_of
from zssr_daemon.settings.schema import Settings
settings, job_id = sys.argv[1:3]
settings = Settings.model_validate_json(settings)
ledger = Ledger.open(settings.folders.state)
cancel_without_daemon(ledger, disposer_of(settings, ledger), job_id)
"""

POINTS = (
    Failpoint.FAILED,
    Failpoint.DISPOSAL_PLANNED,
    Failpoint.RESERVED,
    Failpoint.MOVED,
    Failpoint.PROFILE_MOVED,
    Failpoint.RECORD_WRITTEN,
    Failpoint.DISPOSED,
)


@pytest.mark.parametrize("is_running", [False, True])
def test_ends_at_once(ledger: Ledger, settings: Settings, is_running: bool) -> None:
    """Also a job that the ledger calls running: without a daemon nothing runs."""
    job = queue(ledger, settings, "sub/a.png")
    if is_running:
        ledger.claim(now=time.time())
    ended = cancel_without_daemon(ledger, disposer_of(settings, ledger), job.id)
    assert (ended.state, ended.reason, ended.disposal) == ("failed", "cancelled", "failed")
    assert files_in(settings.folders.failed) == ["sub/a.png", "sub/a.png.error.json"]
    assert files_in(settings.folders.inbox) == []


def test_file_stays_in_an_inbox_that_is_only_read(
    make_settings: SettingsFactory, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of any failed job there; the record is in failed/, and the file is not queued again."""
    settings = make_settings(output={"on_success": "keep"})
    job = queue(ledger, settings)
    disposer = disposer_of(settings, ledger)
    monkeypatch.setattr(disposer, "_must_leave", lambda _: True)  # root may write everywhere
    ended = cancel_without_daemon(ledger, disposer, job.id)
    assert ended.disposal == "keep"
    assert files_in(settings.folders.inbox) == ["a.png"]
    assert files_in(settings.folders.failed) == ["a.png.error.json"]
    assert ledger.is_kept(ended.identity)


@pytest.mark.parametrize("state", ["publishing", "done", "failed", "unknown"])
def test_what_cannot_be_cancelled_is_refused(
    ledger: Ledger, settings: Settings, state: str
) -> None:
    """Nothing changes."""
    job = add(ledger)
    if state == "publishing":
        ledger.publishing(job.id, out_rel="a", out_sha256="ab")
    elif state == "done":
        ledger.done(job.id, now=1.0)
    elif state == "failed":
        ledger.fail(job.id, now=1.0, reason=Reason.CORRUPT, message="m")
    before = ledger.get(job.id)
    with pytest.raises(CancelRefusedError):
        cancel_without_daemon(
            ledger, disposer_of(settings, ledger), "0" if state == "unknown" else job.id
        )
    assert ledger.get(job.id) == before


@pytest.mark.parametrize("point", POINTS)
def test_kill_at_each_step(ledger: Ledger, settings: Settings, point: Failpoint) -> None:
    """The next daemon finishes it: the picture is in failed/ once and whole."""
    job = queue(ledger, settings)
    content = (settings.folders.inbox / "a.png").read_bytes()
    (settings.folders.inbox / "a.toml").write_text("[zssr]\nscale_factor = 3.0\n")
    ledger.close()
    run_killed(CANCEL, settings.model_dump_json(), job.id, point=point)
    after = resume(settings)
    assert (after.id, after.state, after.reason) == (job.id, "failed", "cancelled")
    assert files_in(settings.folders.failed) == ["a.png", "a.png.error.json", "a.toml"]
    assert (settings.folders.failed / "a.png").read_bytes() == content
    assert files_in(settings.folders.inbox) == []
