"""InboxWatch: whether the inbox is watched or only scanned, and why."""

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers import inotify_c

from tests.parts.tools import tool
from zssr_daemon.inbox.watch import InboxWatch, why_scan
from zssr_daemon.settings.schema import Watch


@pytest.mark.parametrize(
    ("polling", "way"), [(True, "scan"), (False, "events"), ("auto", "events")]
)
def test_setting_decides_whether_to_watch(tmp_path: Path, polling: Any, way: str) -> None:
    """True scans only, false watches, auto looks at the file system, here a local one."""
    watch = InboxWatch(tmp_path, Watch(polling=polling), on_hint=lambda: None)
    assert watch.ensure_alive() is (way == "events")
    assert watch.way == way
    assert watch.is_well
    assert watch.fault is None
    watch.stop()
    why = why_scan(tmp_path, Watch(polling=polling))
    assert why == (None if way == "events" else "[watch] polling = true")


#: Tries to watch the folder named by its argument, and prints why it cannot.
_TRY = """
import sys
from pathlib import Path
from zssr_daemon.inbox.watch import why_scan
from zssr_daemon.settings.schema import Watch
print(why_scan(Path(sys.argv[1]), Watch()))
"""


@pytest.mark.parametrize("limit", ["max_user_watches", "max_user_instances"])
def test_limit_of_the_kernel_is_named(tmp_path: Path, limit: str) -> None:
    """The real limit, of a user of its own: cause, present value and sysctl are told."""
    unshare = tool("unshare", package="util-linux")
    for number in range(3):
        (tmp_path / str(number)).mkdir()
    least = 2 if limit == "max_user_watches" else 0
    low = f"echo {least} > /proc/sys/user/{limit.replace('max_user', 'max_inotify')}"
    script = f"{low} && exec {sys.executable} -c '{_TRY}' {tmp_path}"
    command = [unshare, "--user", "--map-root-user", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no user of its own here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert f"fs.inotify.{limit} = " in done.stdout
    assert f"sysctl fs.inotify.{limit}=" in done.stdout


def test_other_errors_are_told_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that fails for another reason is given up after some tries; scans go on."""

    def failing(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(inotify_c.Inotify, "__init__", failing)
    watch = InboxWatch(tmp_path, Watch(), on_hint=lambda: None)
    for _ in range(5):
        assert not watch.ensure_alive()
    assert (watch.way, watch.is_well) == ("scan", True)
    assert watch.why_scan == watch.fault == "the inbox cannot be watched: [Errno 1] not here"
