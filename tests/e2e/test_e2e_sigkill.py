"""SIGKILL at every failpoint of the protocol, to supervisor, worker and both: nothing is lost.

In each lane one victim is killed at one point after the other, each time with a new image on its
way; what is alive goes on, or is started again, with the next order.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.parts.daemon_process import (
    ENDLESS_ZSSR,
    DaemonProcess,
    files,
    lines,
    prepare,
    wait_until,
)
from zssr_daemon.errors import DaemonSilentError, NoDaemonError, SettingsError
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.control import ask

pytestmark = [pytest.mark.e2e, pytest.mark.minutes, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).parents[1] / "parts" / "failpoint_daemon.py"

VICTIMS = ("supervisor", "worker", "both")

#: What a picture passes on its way to archive/, in order.
GOOD = (
    Failpoint.PROBED,
    Failpoint.QUEUED,
    Failpoint.CLAIMED,
    Failpoint.PART_BEGUN,
    Failpoint.PART_WRITTEN,
    Failpoint.PART_SYNCED,
    Failpoint.PUBLISHING,
    Failpoint.LINKED,
    Failpoint.NAMED,
    Failpoint.DONE,
    Failpoint.DISPOSAL_PLANNED,
    Failpoint.RESERVED,
    Failpoint.MOVED,
    Failpoint.PROFILE_MOVED,
    Failpoint.DISPOSED,
)

#: What text that calls itself a picture passes on its way to failed/.
BAD = (
    Failpoint.PROBED,
    Failpoint.FAILED,
    Failpoint.DISPOSAL_PLANNED,
    Failpoint.RESERVED,
    Failpoint.MOVED,
    Failpoint.PROFILE_MOVED,
    Failpoint.RECORD_WRITTEN,
    Failpoint.DISPOSED,
)

#: What differs with the archive on another file system, and with sources that are deleted.
FAR = (Failpoint.RESERVED, Failpoint.COPIED, Failpoint.MOVED, Failpoint.PROFILE_MOVED)
DELETING = (Failpoint.MOVED, Failpoint.PROFILE_MOVED, Failpoint.DISPOSED)

#: Of a picture whose job is cancelled while it is in work; the rest of its way is that of BAD.
CANCELLED = (
    Failpoint.CANCEL_ASKED,
    Failpoint.FAILED,
    Failpoint.MOVED,
    Failpoint.RECORD_WRITTEN,
)

#: A failed job's way back is tried in test_e2e_retry.
RETRY_POINTS = (
    Failpoint.RETRY_PLANNED,
    Failpoint.RETRY_MOVED,
    Failpoint.RECORD_REMOVED,
    Failpoint.RETRIED,
)

#: An upload's are tried in tests/web/test_kill.py.
UPLOAD_POINTS = (Failpoint.UPLOAD_BEGUN, Failpoint.UPLOAD_SYNCED, Failpoint.UPLOADED)

#: A line may come twice after a crash, and is never missing.
ENDS = frozenset({"job_done", "job_failed"})

#: Beside each picture, and to be found where that is in the end.
OWN = "[zssr]\nscale_factor = 3.0\n"

QUICK = """
num_epochs = 4
rounds = 1
crop_size = 8
model_width = 4
model_depth = 2
self_ensemble = false
back_projections = 0
"""


@dataclass(frozen=True)
class Way:
    """How a daemon's files go, and at which points it is killed."""

    name: str
    points: tuple[Failpoint, ...]
    is_good: bool = True
    on_success: str = "archive"
    has_far_archive: bool = False
    is_cancelled: bool = False  # each job, as soon as it is in work


WAYS = (
    Way("good", GOOD),
    Way("bad", BAD, is_good=False),
    Way("far", FAR, has_far_archive=True),
    Way("deleting", DELETING, on_success="delete"),
    Way("cancelled", CANCELLED, is_good=False, is_cancelled=True),
)

COUNT = sum(len(way.points) for way in WAYS) * len(VICTIMS)


class Lane:
    """One daemon's life, with the same victim killed at one point after the other."""

    def __init__(self, root: Path, way: Way, victim: str, archive: Path) -> None:
        self._root, self._way, self._victim, self._archive = root, way, victim, archive
        self._order = root / "order"
        self._dropped: dict[str, bytes] = {}
        root.mkdir()
        more = f'[output]\non_success = "{way.on_success}"\n[folders]\narchive = "{archive}"\n'
        prepare(root, ENDLESS_ZSSR if way.is_cancelled else QUICK, more)
        settings = root / "settings.toml"
        text = settings.read_text().replace("[limits]", "[limits]\nmax_attempts = 1000")
        settings.write_text(text.replace("[watch]", '[watch]\nsidecars = "follow"'))

    def run(self) -> None:
        """Kill at every point, let the rest end in order, and assert what must hold."""
        with ExitStack() as stack:
            stack.enter_context(self._start())
            for point in self._way.points:
                self._give_order(point)
                self._drop(str(point))
                wait_until(self._is_carried_out, f"{self._victim} killed at {point}")
                if self._victim != "worker":
                    stack.close()  # its end, and that of its children, is waited for
                    self._assert_nothing_is_lost()
                    stack.enter_context(self._start())
                self._assert_nothing_is_lost()
            wait_until(self._are_all_ended, f"every job to end in {self._root}")
        self._assert_each_ended_once()

    def _start(self) -> DaemonProcess:
        return DaemonProcess(
            self._root, command=[str(SCRIPT)], environment={"CRASH_ORDER": str(self._order)}
        )

    def _give_order(self, point: Failpoint) -> None:
        """Write the order under another name: the daemon may read it at any moment."""
        draft = self._root / "order.draft"
        draft.write_text(f"{point} {self._victim}")
        draft.rename(self._order)

    def _drop(self, name: str) -> None:
        """Drop a picture like no other, or a text."""
        file = self._root / f"{name}.png"
        if self._way.is_good or self._way.is_cancelled:
            levels = np.random.default_rng(len(self._dropped)).integers(0, 256, (6, 8, 3))
            Image.fromarray(levels.astype(np.uint8)).save(file)
        else:
            file.write_text(f"{name} is no picture")
        self._dropped[file.name] = file.read_bytes()
        (self._root / "inbox" / f"{name}.toml").write_text(OWN)
        (self._root / "inbox" / f"{name}.xmp").write_text(name)
        file.rename(self._root / "inbox" / file.name)

    def _is_carried_out(self) -> bool:
        self._cancel()
        return not self._order.exists()

    def _cancel(self) -> None:
        """Cancel whatever job is in work, where that is the way of this lane."""
        if not self._way.is_cancelled:
            return
        try:
            ledger = Ledger.open_to_read(self._root / "state")
        except SettingsError:
            return  # the daemon has not made it yet
        running = ledger.in_state(JobState.RUNNING)
        ledger.close()
        for job in running:
            with suppress(NoDaemonError, DaemonSilentError):  # it is killed before it answers
                ask(self._root / "state", command="cancel", job_id=job.id)

    def _assert_nothing_is_lost(self) -> None:
        """Each original exists somewhere, or its output does, whole and under its name."""
        for name, content in self._dropped.items():
            # In the order in which a file goes, so that none passes unseen.
            kept = [self._root / "inbox", self._archive, self._root / "failed"]
            is_kept = any(_content(folder / name) == content for folder in kept)
            assert is_kept or self._has_output(name), f"{name} is lost"

    def _has_output(self, name: str) -> bool:
        output = self._root / "output" / f"{Path(name).stem}_x3.png"
        if not output.exists():
            return False
        with Image.open(output) as picture:
            picture.load()
            return picture.size == (24, 18)

    def _are_all_ended(self) -> bool:
        self._cancel()
        ledger = Ledger.open_to_read(self._root / "state")
        ended = ledger.count(JobState.DONE, JobState.FAILED)
        is_over = ended >= len(self._dropped) and not ledger.blocking()
        ledger.close()
        return is_over

    def _assert_each_ended_once(self) -> None:
        """One output or one record each, sources byte for byte, and nothing besides."""
        names = sorted(self._dropped)
        outputs = sorted(f"{Path(name).stem}_x3.png" for name in names)
        own = [f"{Path(name).stem}.toml" for name in names]
        sidecars = sorted(f"{Path(name).stem}.xmp" for name in names)
        sources = sorted([*names, *own, *sidecars])
        records = sorted([*sources, *(f"{name}.error.json" for name in names)])
        is_good, is_kept = self._way.is_good, self._way.on_success == "archive"
        assert files(self._root / "output") == (outputs if is_good else [])
        assert files(self._archive) == (sources if is_good and is_kept else [])
        assert files(self._root / "failed") == ([] if is_good else records)
        assert files(self._root / "inbox") == ([] if is_kept else sidecars)
        kept = self._archive if is_good else self._root / "failed"
        assert all((kept / name).read_text() == OWN for name in own if is_kept)
        lie_in = kept if is_kept else self._root / "inbox"
        assert all((lie_in / name).read_text() == Path(name).stem for name in sidecars)
        for name, content in self._dropped.items():
            assert not is_good or self._has_output(name)
            assert not is_kept or (kept / name).read_bytes() == content
        ledger = Ledger.open_to_read(self._root / "state")
        jobs = ledger.newest(limit=1000)
        ledger.close()
        states = Counter(job.state for job in jobs)
        assert states == {JobState.DONE if is_good else JobState.FAILED: len(names)}
        if self._way.is_cancelled:
            assert {job.reason for job in jobs} == {"cancelled"}
        told = [line["job_id"] for line in lines(self._root) if line["event"] in ENDS]
        assert set(told) == {job.id for job in jobs}, "an end that the log does not tell of"
        for job in jobs:
            assert job.sha256 in {None, hashlib.sha256(self._dropped[job.src_rel]).hexdigest()}


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def test_sigkill_at_every_failpoint(
    tmp_path: Path, elsewhere: Path, record_property: Callable[[str, object], None]
) -> None:
    """Whoever is killed wherever: every file ends once, and at no instant it is nowhere."""

    def lane(way: Way, victim: str) -> Callable[[], None]:
        root = tmp_path / f"{way.name}-{victim}"
        far = elsewhere / root.name
        archive = far if way.has_far_archive else root / "archive"
        return Lane(root, way, victim, archive).run

    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=6))
        runs = [pool.submit(lane(way, victim)) for way in WAYS for victim in VICTIMS]
        for run in runs:
            run.result()
    reached = {point for way in WAYS for point in way.points}
    assert reached == set(Failpoint) - set(RETRY_POINTS) - set(UPLOAD_POINTS)
    record_property("cases", COUNT)
