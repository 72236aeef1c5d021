"""Dispatcher: an attempt begins with the source and the settings of its image, or not at all."""

import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import drop, identity_of, queue
from tests.parts.opened_files import OpenedFiles
from tests.parts.stepped_daemon import DaemonFactory, SteppedDaemon, lines_of
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.settings.schema import Degradation, Settings


def test_source_taken_away_before_its_turn(make_daemon: DaemonFactory) -> None:
    """The job ends as failed, with a reason of its own."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings)
    (daemon.settings.folders.inbox / "a.png").unlink()
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
    assert daemon.ledger.newest()[0].reason == "source_gone"
    assert daemon.files() == {}


def test_one_job_too_large_for_the_disk(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """It waits and no attempt counts; smaller ones behind it are done, and nothing pauses."""
    daemon = make_daemon(limits={"max_output_pixels": 10**15})
    path = drop(daemon.settings.folders.inbox, "big.png")
    big = daemon.ledger.add(
        "big.png", identity_of(path), now=0.0, width=10_000_000, height=10_000_000
    )
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"queued": 1, "done": 1})
    waiting = daemon.ledger.get(big.id)
    assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 0)
    assert waiting.not_before > time.time()
    (line,) = lines_of(log, "job_retry")
    assert (line["job_id"], line["reason"]) == (big.id, "disk_full")
    assert lines_of(log, "paused") == []


def test_fault_ends_that_job_before_any_work(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """The next image is done; no worker sees the faulty one."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings, "a.png")
    queue(daemon.ledger, daemon.settings, "b.png")
    (daemon.settings.folders.inbox / "a.toml").write_text("[zssr]\nscale_factor = 0.5")
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1, "done": 1})
    assert [order.src_rel for order in daemon.executor.orders] == ["b.png"]
    (line,) = lines_of(log, "job_failed")
    assert (line["image"], line["reason"]) == ("a.png", "bad_settings")
    assert daemon.files()["failed"] == ["a.png", "a.png.error.json", "a.toml"]


def test_fault_of_the_disk_is_no_fault_of_theirs(
    make_daemon: DaemonFactory, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue waits, no attempt counts, and the image is made by its own settings."""
    OpenedFiles(monkeypatch, failing="a.toml", errnos=[errno.EIO])
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings, "a.png")
    (daemon.settings.folders.inbox / "a.toml").write_text("[zssr]\nscale_factor = 3.0")
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert [line["reason"] for line in lines_of(log, "job_retry")] == ["folder_missing"]
    assert daemon.ledger.newest()[0].attempts == 1
    assert daemon.files()["output"] == ["a_x3.png"]


def test_order_is_by_them(make_daemon: DaemonFactory) -> None:
    """An order carries the settings of its image, or those for all images."""
    daemon = make_daemon()
    text = '[zssr]\nscale_factor = 3.0\n[output]\nquality = 7\nframes = "each"\nreport = true'
    inbox = daemon.settings.folders.inbox
    for name in ("a.png", "b.png"):
        queue(daemon.ledger, daemon.settings, name)
    (inbox / "lens.npy").write_bytes(b"weights")
    kernel = '\n[degradation]\nkernel = "lens.npy"\nkernel_phase = "topleft"'
    (inbox / "b.toml").write_text(text + kernel)
    daemon.steps_until(lambda: daemon.counts() == {"done": 2})
    plain, own = daemon.executor.orders
    assert (plain.config.scale_factor, own.config.scale_factor) == (2.0, 3.0)
    assert (plain.output.quality, own.output.quality) == (95, 7)
    assert (plain.limits.each_frame, own.limits.each_frame) == (False, True)
    assert (plain.kernel, plain.kernel_phase, plain.report_path) == ("auto", "centred", None)
    assert own.kernel == KernelFile(name="lens.npy", content=b"weights")
    assert own.kernel_phase == "topleft"
    assert own.report_path is not None
    hashes = {job.src_rel: job.settings_hash for job in daemon.ledger.newest()}
    assert hashes["a.png"] != hashes["b.png"]


def test_size_makes_the_factor_of_each_image(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """Order, log and name have it; settings that became impossible at the queue fail the job."""
    daemon = make_daemon()
    inbox = daemon.settings.folders.inbox
    for name in ("a.png", "b.png"):
        queue(daemon.ledger, daemon.settings, name)  # of 12 x 10 pixels
    (inbox / "a.toml").write_text('[zssr]\ntarget = "long:31"')
    (inbox / "b.toml").write_text('[zssr]\ntarget = "long:12"')
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1, "done": 1})
    (order,) = daemon.executor.orders
    assert order.config.target == "long:31"
    assert order.config.total_scale == 31 / 12
    assert lines_of(log, "job_started")[0]["scale"] == 31 / 12
    assert daemon.files()["output"] == ["a_x2.58.png"]
    (failed,) = lines_of(log, "job_failed")
    assert (failed["image"], failed["reason"]) == ("b.png", "bad_settings")


@pytest.fixture
def by_degradation(settings: Settings, ledger: Ledger) -> Iterator[Callable[..., SteppedDaemon]]:
    """Return a maker of daemons whose settings.toml has a [degradation] table."""
    made: list[SteppedDaemon] = []

    def make(degradation: Degradation, kernel: KernelFile | None = None) -> SteppedDaemon:
        changed = settings.model_copy(update={"degradation": degradation})
        made.append(SteppedDaemon(changed, ledger, kernel=kernel))
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()


def test_kernel_of_settings_toml_reaches_the_order(
    by_degradation: Callable[..., SteppedDaemon],
) -> None:
    """As it was read at the start, for every image whose own settings name no other."""
    kernel = KernelFile(name="lens.npy", content=b"weights of all")
    named = Degradation(kernel=Path("/gone/since/lens.npy"), kernel_phase="topleft", auto=False)
    daemon = by_degradation(named, kernel)
    inbox = daemon.settings.folders.inbox
    (inbox / "b.toml").write_text("[zssr]\nseed = 3")
    (inbox / "c.toml").write_text('[degradation]\nkernel = "bicubic"')
    (inbox / "d.toml").write_text('[degradation]\nkernel = "estimate"')
    for name in ("a.png", "b.png", "c.png", "d.png"):
        queue(daemon.ledger, daemon.settings, name)
    daemon.steps_until(lambda: daemon.counts() == {"done": 4})
    assert [order.kernel for order in daemon.executor.orders] == [kernel, kernel, None, "estimate"]
    assert {order.kernel_phase for order in daemon.executor.orders} == {"topleft"}


def test_auto_of_settings_toml_reaches_the_order(
    by_degradation: Callable[..., SteppedDaemon],
) -> None:
    """Everything that is left at its default is estimated, unless a profile takes `auto` back."""
    daemon = by_degradation(Degradation(auto=True, jpeg_quality=80, grain="keep"))
    (daemon.settings.folders.inbox / "b.toml").write_text("[degradation]\nauto = false")
    for name in ("a.png", "b.png"):
        queue(daemon.ledger, daemon.settings, name)
    daemon.steps_until(lambda: daemon.counts() == {"done": 2})
    found = [(each.kernel, each.noise_std, each.jpeg_quality) for each in daemon.executor.orders]
    assert found == [("estimate", "auto", 80), (None, 0.0, 80)]
    assert all(order.keeps_grain for order in daemon.executor.orders)
