"""The probe: a real child process answers, survives hostile files, and ends with its pipe."""

import errno
import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.picture_files import LIMITS, grey_tiff, png, smooth_picture
from tests.parts.probe_child import ANSWER_S, Child
from zssr_daemon.imaging.formats import ImageInfo, ImageLimits
from zssr_daemon.inbox.probe import ProbeRequest, examine
from zssr_daemon.system.file_identity import FileIdentity


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """One probe for all tests: it must outlive every file."""
    child = Child()
    yield child
    child.pipe.close()
    child.process.join(ANSWER_S)
    assert child.process.exitcode == 0
    child.process.close()


def test_good_file_is_described(child: Child, tmp_path: Path) -> None:
    """The answer has what the ledger needs: size, identity and hash."""
    smooth_picture(24, 16).save(tmp_path / "a.png")
    result = child.ask(tmp_path, "a.png")
    assert result.info == ImageInfo(
        width=24, height=16, channels=3, has_alpha=False, bit_depth=8, format="PNG"
    )
    assert result.identity == FileIdentity.from_stat((tmp_path / "a.png").stat())
    assert result.sha256 == hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    assert (result.reason, result.message, result.oserror_errno) == (None, None, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unsupported_format"),
        (png((1 << 30, 1 << 30), 8, 0, bytes(10)), "too_many_pixels"),
        (grey_tiff((1, 1), 64, bytes(8), sample_format=6), "unsupported_depth"),
        (bytes(LIMITS.max_file_bytes + 1), "file_too_large"),
    ],
)
def test_bad_file_has_a_reason(child: Child, tmp_path: Path, content: bytes, reason: str) -> None:
    """The answer has a reason and a message and no hash, and the child goes on."""
    (tmp_path / "a.png").write_bytes(content)
    result = child.ask(tmp_path, "a.png")
    assert (result.reason, result.info, result.sha256) == (reason, None, None)
    assert result.message
    assert result.oserror_errno is None


def test_link_is_refused(child: Child, tmp_path: Path) -> None:
    """The child opens no link either."""
    (tmp_path / "a.png").symlink_to("/etc/passwd")
    assert child.ask(tmp_path, "a.png").reason == "unsafe_file"


def test_missing_file_is_not_a_fault(child: Child, tmp_path: Path) -> None:
    """The answer has an errno and no reason; the supervisor decides what that means."""
    result = child.ask(tmp_path, "gone.png")
    assert (result.oserror_errno, result.reason) == (errno.ENOENT, None)


def test_hostile_name(child: Child, tmp_path: Path) -> None:
    """A name that is not UTF-8 comes through the pipe and back unchanged."""
    name = os.fsdecode(b"\xff\n.png")
    smooth_picture(8, 8).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / name)
    assert child.ask(tmp_path, name).info is not None


def test_child_is_confined(child: Child, tmp_path: Path) -> None:
    """Limits are set in the child itself, and are lower than ours."""
    child.ask(tmp_path, "gone.png")  # it is past its start
    pid = child.process.pid
    assert pid is not None
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (64, 64)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    assert soft == hard != resource.RLIM_INFINITY
    assert int(Path(f"/proc/{pid}/oom_score_adj").read_text()) >= 900


def test_interrupt_is_the_supervisors(child: Child, tmp_path: Path) -> None:
    """Ctrl-C at the terminal does not end the child."""
    child.ask(tmp_path, "gone.png")
    assert child.process.pid is not None
    os.kill(child.process.pid, signal.SIGINT)
    assert child.ask(tmp_path, "gone.png").oserror_errno == errno.ENOENT


def test_file_written_meanwhile_has_changed(tmp_path: Path) -> None:
    """A file that changes while it is read is refused as changed."""
    path = tmp_path / "a.png"
    path.write_bytes(b"first")

    def write_and_inspect(_fd: int, _limits: ImageLimits) -> ImageInfo:
        path.write_bytes(b"second time")
        return ImageInfo(width=1, height=1, channels=1, has_alpha=False, bit_depth=8, format="PNG")

    request = ProbeRequest(root=str(tmp_path), rel_path="a.png")
    result = examine(request, LIMITS, write_and_inspect)
    assert (result.reason, result.identity, result.sha256) == ("source_changed", None, None)


def test_supervisor_side_stays_light() -> None:
    """Importing the probe to start it loads neither Pillow nor numpy nor torch."""
    code = (
        "import sys, zssr_daemon.inbox.probe, zssr_daemon.imaging.formats;"
        "sys.exit(any(name in sys.modules for name in ('PIL', 'numpy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_child_has_no_torch() -> None:
    """What the child imports to decode stays small."""
    code = "import sys, zssr_daemon.imaging.decode; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_request_for_nobody_ends_the_child(tmp_path: Path) -> None:
    """When its supervisor dies, the child ends in order, without a traceback."""
    child = Child()
    child.pipe.send(ProbeRequest(root=str(tmp_path), rel_path="gone.png"))
    child.pipe.close()
    child.process.join(ANSWER_S)
    assert child.process.exitcode == 0
    child.process.close()
