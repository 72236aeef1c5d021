"""The daemon works on files of another user of its group: archive, failed, retry and cancel.

So the web page, which runs as that user, can drop files. They are 0660 in folders of mode 2770
without a sticky bit, and the kernel forbids hard links to files that one may not write.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.daemon_process import (
    DATA,
    ENDLESS_ZSSR,
    command,
    files,
    wait_until,
)
from tests.parts.two_users import DAEMON, GROUP, OTHER, daemon_of, give, shared_folders
from zssr_daemon.protocol.control import ask
from zssr_daemon.protocol.web_token import TOKEN_NAME

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may run as other users"),
]

BATCH = "web/batch"
PICTURE = (DATA / "butterfly_lr.png").read_bytes()


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder that other users reach, with the daemon's folders and a batch in it."""
    with shared_folders() as root:
        give(root / "inbox/web", OTHER, is_folder=True)
        give(root / "inbox" / BATCH, OTHER, is_folder=True)
        yield root


def drop(root: Path, name: str, content: bytes = PICTURE, profile: str = "") -> Path:
    """Drop a file of the other user, with its own settings beside it."""
    path = root / "inbox" / BATCH / name
    if profile:
        path.with_suffix(".toml").write_text(f"[zssr]\n{profile}")
        give(path.with_suffix(".toml"), OTHER)
    part = path.with_name(f".{name}.part")
    part.write_bytes(content)
    give(part, OTHER)
    return part.rename(path)


def assert_moved(path: Path, content: bytes = PICTURE) -> None:
    """Assert that a file of the other user is there, whole, and still his."""
    wait_until(path.exists, str(path))
    status = path.stat()
    assert path.read_bytes() == content
    assert (status.st_uid, status.st_gid) == (OTHER, GROUP)
    assert stat.S_IMODE(status.st_mode) == 0o660


def is_gone(path: Path) -> None:
    """Wait until a source has left the inbox."""
    wait_until(lambda: not path.exists(), f"{path} to be gone")


def test_files_of_another_user_go_every_way(root: Path) -> None:
    """Gate, archive, failed, retry and cancel: whose file it is makes no difference."""
    with daemon_of(root) as daemon:
        daemon.wait_for("worker_ready")
        token = (root / "state" / TOKEN_NAME).stat()
        assert (token.st_uid, token.st_gid) == (DAEMON, GROUP)
        assert stat.S_IMODE(token.st_mode) == 0o640
        image = drop(root, "good.png")
        ask(root / "state", command="admit", image=f"{BATCH}/good.png", lane=1)
        daemon.wait_for("job_done", image=f"{BATCH}/good.png")
        assert_moved(root / "archive" / BATCH / "good.png")
        is_gone(image)
        bad = PICTURE[:2000]
        image = drop(root, "bad.png", bad)
        failed = daemon.wait_for("job_failed", image=f"{BATCH}/bad.png")
        assert_moved(root / "failed" / BATCH / "bad.png", bad)
        shutil.copyfile(DATA / "butterfly_lr.png", root / "failed" / BATCH / "bad.png")  # mended
        is_gone(image)
        assert command(root, "retry", failed["job_id"]).returncode == 0
        daemon.wait_for("job_done", image=f"{BATCH}/bad.png")
        assert_moved(root / "archive" / BATCH / "bad.png")
        for name in ("running.png", "queued.png"):
            drop(root, name, profile=ENDLESS_ZSSR)
            daemon.wait_for("job_queued", image=f"{BATCH}/{name}")
        running = daemon.wait_for("job_started", image=f"{BATCH}/running.png")
        done = command(root, "cancel", "--queued", "--below", BATCH)
        assert done.stdout.endswith(f"{BATCH}/queued.png: cancelled, and moved to failed/\n")
        done = command(root, "cancel", running["job_id"])
        assert done.stdout.endswith(f"{BATCH}/running.png: it stops\n")
        for name in ("queued.png", "running.png"):
            line = daemon.wait_for("job_failed", image=f"{BATCH}/{name}")
            assert (line["reason"], line["level"]) == ("cancelled", "info")
            assert_moved(root / "failed" / BATCH / name)
        wait_until(lambda: not files(root / "inbox"), "the inbox to be empty")
