"""Daemon and page as different users of one group: from the upload to the archive, and back."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.as_user import as_user
from tests.parts.daemon_process import DATA, wait_until
from tests.parts.raw_page import RawPage, status_of
from tests.parts.two_users import DAEMON, GROUP, daemon_of, shared_folders
from tests.parts.two_users import OTHER as PAGE

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may run as other users"),
]

PNG = (DATA / "butterfly_lr.png").read_bytes()


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder that other users reach, with the folders of a service in it."""
    with shared_folders() as root:
        yield root


def owner(path: Path) -> tuple[int, int, int]:
    """Return user, group and permissions of a file or folder."""
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_from_upload_to_archive_and_back(root: Path) -> None:
    """Each moves what the other has written, and both sides stay readable for the group."""
    toml = (root / "settings.toml").read_text()
    with daemon_of(root) as daemon:
        daemon.wait_for("daemon_started")
        with RawPage(root, toml=toml, inside=as_user(PAGE, GROUP)) as page:
            batch = page.batch()
            folder = page.inbox / "web" / batch
            assert owner(folder) == (PAGE, GROUP, 0o2770)
            assert owner(folder / "zssr.toml") == (PAGE, GROUP, 0o660)
            assert status_of(page.put(batch, "a.png", PNG)) == 201
            daemon.wait_for("job_done", image=f"web/{batch}/a.png")
            archived = root / "archive" / "web" / batch / "a.png"
            wait_until(lambda: archived.exists() and not (folder / "a.png").exists(), "its way")
            assert owner(archived) == (PAGE, GROUP, 0o660)
            result = root / "output" / "web" / batch / "a_x2.png"
            assert owner(result) == (DAEMON, GROUP, 0o640)
            assert status_of(page.put(batch, "bad.png", PNG[:2000])) == 201
            failed = daemon.wait_for("job_failed", image=f"web/{batch}/bad.png")
            wait_until(lambda: not (folder / "bad.png").exists(), "its way to failed/")
            answer = page.write("POST", f"/api/jobs/{failed['job_id']}/retry")
            assert status_of(answer) == 200, answer
            daemon.wait_for("job_retried")
