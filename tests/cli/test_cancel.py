"""`cancel` and what `retry` brings back of it, where no daemon runs."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_commands import call
from tests.parts.daemon_parts import drop, files_in, identity_of
from zssr_daemon.errors import Reason
from zssr_daemon.folders.check import check_folders
from zssr_daemon.ledger.job import Disposal, Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.load import load_settings

NAMES = ("a.png", "holiday/b.png", "holiday/deep/c.png", "holiday-2/d.png")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """Write settings, and queue some images in two folders and beside them."""
    path = tmp_path / "settings.toml"
    path.write_text("[folders]\n[limits]\nmin_free_disk_bytes = 0\n")
    settings = load_settings(path)
    check_folders(settings, path)
    with closing(Ledger.open(settings.folders.state)) as ledger:
        for moment, name in enumerate(NAMES):
            image = drop(settings.folders.inbox, name)
            ledger.add(name, identity_of(image), now=float(moment), width=12, height=10)
    yield path


def jobs(file: Path) -> dict[str, Job]:
    """Return all jobs, by their images."""
    with closing(Ledger.open_to_read(file.parent / "state")) as ledger:
        return {job.src_rel: job for job in ledger.newest()}


def reasons(file: Path) -> list[str | None]:
    """Return the reasons of the jobs, in the order of `NAMES`."""
    found = jobs(file)
    return [found[name].reason for name in NAMES]


def test_named_job_is_cancelled(file: Path) -> None:
    """By the start of its id; the others stay queued."""
    job_id = jobs(file)["a.png"].id
    result = call("cancel", job_id[:8], "--settings", file)
    assert result.exit_code == 0
    assert result.stdout == f"{job_id[:8]} a.png: cancelled, and moved to failed/\n"
    assert reasons(file) == ["cancelled", None, None, None]
    assert files_in(file.parent / "failed") == ["a.png", "a.png.error.json"]


def test_queued_jobs_of_a_folder_are_cancelled(file: Path) -> None:
    """With its sub-folders, but not a folder whose name only begins so."""
    result = call("cancel", "--queued", "--below", "holiday/", "--json", "--settings", file)
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["image"] for each in told] == ["holiday/b.png", "holiday/deep/c.png"]
    assert {each["error"] for each in told} == {None}
    assert reasons(file) == [None, "cancelled", "cancelled", None]


def test_all_queued_jobs_are_cancelled_and_brought_back(file: Path) -> None:
    """`retry --failed` leaves them, because they were stopped on purpose; --cancelled does not."""
    assert call("cancel", "--queued", "--settings", file).exit_code == 0
    assert reasons(file) == ["cancelled"] * 4
    assert call("cancel", "--queued", "--settings", file).stdout == "no job is queued\n"
    assert call("retry", "--failed", "--settings", file).stdout == "no job has failed\n"
    assert call("retry", "--cancelled", "--settings", file).exit_code == 0
    assert {job.disposal for job in jobs(file).values()} == {Disposal.RETRY}
    assert files_in(file.parent / "inbox") == sorted(NAMES)
    assert call("retry", "--cancelled", "--settings", file).stdout == "no job was cancelled\n"


def test_job_that_has_ended_is_refused_in_words(file: Path) -> None:
    """Exit code 1; the others of the command line are cancelled."""
    found = jobs(file)
    with closing(Ledger.open(file.parent / "state")) as ledger:
        ledger.fail(found["a.png"].id, now=1.0, reason=Reason.CORRUPT, message="m")
    ids = [found[name].id for name in ("a.png", "holiday/b.png")]
    result = call("cancel", *ids, "--settings", file)
    assert result.exit_code == 1
    assert f"{ids[0][:8]} a.png: it has failed already" in result.stderr
    assert reasons(file) == ["corrupt", "cancelled", None, None]


@pytest.mark.parametrize(
    "args", [[], ["x", "--queued"], ["x", "--below", "a"], ["--below", "holiday"]]
)
def test_wrong_usage(file: Path, args: list[str]) -> None:
    """Exit code 2, and nothing is cancelled."""
    assert call("cancel", *args, "--settings", file).exit_code == 2
    assert reasons(file) == [None] * 4


def test_unknown_job(file: Path) -> None:
    """Exit code 1, and the message says where ids are found."""
    result = call("cancel", "zz", "--settings", file)
    assert result.exit_code == 1
    assert "no job's id begins with zz; `zssr-daemon jobs` lists them" in result.stderr
