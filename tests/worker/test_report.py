"""The report of a job: one file that needs nothing else, shows both pictures, and comes whole."""

import base64
import io
import math
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.parts.daemon_parts import files_in, queue
from tests.parts.fake_executor import content_of, good
from tests.parts.picture_files import smooth_picture
from tests.parts.publish_parts import FileMoves
from tests.parts.tiny_settings import TINY, SettingsFactory
from tests.parts.tools import tool
from zssr_daemon.daemon.work_order import attempt_of, work_order
from zssr_daemon.executor.interface import ExecutorEvent
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkProgress
from zssr_daemon.settings.image_settings import Resolver
from zssr_daemon.settings.schema import Settings
from zssr_daemon.worker import report as report_module
from zssr_daemon.worker.loss_curve import LossCurve
from zssr_daemon.worker.report import FAULTS, curve, write_report

#: Nothing of a browser's own traffic, and a profile that is thrown away.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

LOSSES = [(step, 0.1 / step) for step in range(1, 200)]


def order_of(folder: Path, name: str = "a.png", mode: str = "RGB") -> WorkOrder:
    """Write a source and its output, twice as large; return the order that asked for a report."""
    source = smooth_picture(40, 30).convert(mode)
    source.save(folder / name)
    source.resize((80, 60)).save(folder / ".part", "PNG")
    return WorkOrder(
        job_id="j",
        inbox=str(folder),
        src_rel=name,
        identity=None,  # type: ignore[arg-type]  # not looked at
        part=str(folder / ".part"),
        config=TINY,
        limits=ImageLimits(max_file_bytes=1, max_input_pixels=1),
        output=OutputRules(setting="png", quality=90, keeps_metadata=True, max_pixels=1_000_000),
        weights_folder=None,
        report_path=str(folder / "report.html"),
    )


def written(order: WorkOrder) -> str:
    """Write a report and return its text."""
    (done,) = (event for event in good_report(order) if isinstance(event, WorkDone))
    write_report(order, done, LOSSES)
    return Path(order.report_path or "").read_text()


def good_report(order: WorkOrder) -> list[ExecutorEvent]:
    """Return what the fake executor says, leaving the part as it is."""
    content = Path(order.part).read_bytes()
    events = list(good(order))
    Path(order.part).write_bytes(content)
    return events


def pictures_in(text: str) -> list[Image.Image]:
    """Decode the pictures of a report."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "I;16"])
def test_both_pictures_are_shown_alike(tmp_path: Path, mode: str) -> None:
    """Source and result have the size of the output, whatever kind the file is."""
    before, after = pictures_in(written(order_of(tmp_path, mode=mode)))
    assert before.size == after.size == (80, 60)
    assert before.mode == after.mode


def test_nothing_comes_from_outside(tmp_path: Path) -> None:
    """No address in it but data; a browser is forbidden to fetch any."""
    text = written(order_of(tmp_path))
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "url(" not in text
    assert "num_epochs" in text
    assert "30.00 dB" in text


def test_large_pictures_show_their_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixel by pixel, the same part of both."""
    monkeypatch.setattr(report_module, "_SHOWN", 20)
    text = written(order_of(tmp_path))
    before, after = pictures_in(text)
    assert before.size == after.size == (20, 20)
    assert "20 × 20 pixels from the middle of 80 × 60" in text
    with Image.open(tmp_path / ".part") as output:
        assert after.tobytes() == output.crop((30, 20, 50, 40)).tobytes()
    ours, theirs = (sum(image.convert("L").tobytes()) / 400 for image in (before, after))
    assert abs(ours - theirs) < 3


def test_huge_pictures_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says so, and memory does not follow the output."""
    monkeypatch.setattr(report_module, "_MAX_PIXELS", 80 * 60 - 1)
    text = written(order_of(tmp_path))
    assert "80 × 60 pixels are too many" in text
    assert pictures_in(text) == []


def test_name_is_text(tmp_path: Path) -> None:
    """A file's name can do nothing to who reads the report."""
    text = written(order_of(tmp_path, name="<script>alert(1)<!-- $title.png"))
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;!-- $title.png" in text


@pytest.mark.parametrize("losses", [[], [(1, 0.1)], [(1, math.inf), (2, math.nan), (3, 0.0)]])
def test_curve_of_too_little(losses: list[tuple[int, float]]) -> None:
    """A fit without two losses has none, and says so."""
    assert "too short" in curve(losses)


def test_curve_goes_down() -> None:
    """The line begins at the top left and ends at the bottom right."""
    (points,) = re.findall(r'polyline points="([^"]+)"', curve(LOSSES))
    (x0, y0), *_, (x1, y1) = ([float(v) for v in point.split(",")] for point in points.split())
    assert x0 < x1
    assert y0 < y1


def progress(loss: float) -> WorkProgress:
    """Return a sign of life from a fit."""
    return WorkProgress(job_id="j", stage="fit", step=0, steps=1, fraction=0, loss=loss, lr=None)


def test_long_fit_is_thinned() -> None:
    """A hundred thousand steps make a curve of at most a thousand points, from first to last."""
    losses = LossCurve()
    for step in range(100_000):
        losses.add(progress(loss=1.0 + step))
    steps = [step for step, _ in losses.points]
    assert 400 < len(steps) <= 1000
    assert steps == sorted(steps)
    assert steps[0] < 300
    assert steps[-1] > 99_700


def test_loss_that_is_told_again_is_no_point() -> None:
    """It is read from the device now and then, and stands until it is read again."""
    losses = LossCurve()
    for step in range(100):
        losses.add(progress(loss=float(step // 25)))
    assert losses.points == [(1, 0.0), (26, 1.0), (51, 2.0), (76, 3.0)]


def test_report_that_cannot_be_made(tmp_path: Path) -> None:
    """It is one of the faults that the worker tells of."""
    order = order_of(tmp_path)
    Path(order.part).write_text("no picture")
    with pytest.raises(FAULTS):
        written(order)


def attempt_order(job: Job, settings: Settings, publisher: FileMoves) -> WorkOrder:
    """Write the order for a job's attempt, as the supervisor does."""
    own = Resolver(settings, settings.folders.inbox).resolve(job.src_rel)
    attempt = attempt_of(job, settings, publisher.part_path(job))
    return work_order(attempt, own, settings.limits)


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_report_is_published_whole(
    make_settings: SettingsFactory, ledger: Ledger, is_interrupted: bool
) -> None:
    """Beside the output, before the job is done; after a crash once, and what is taken is left."""
    settings = make_settings(output={"report": True})
    queue(ledger, settings)
    job = ledger.claim(now=time.time() + 1)
    assert job is not None
    publisher = FileMoves(settings, ledger)
    order = attempt_order(job, settings, publisher)
    (done,) = (event for event in good(order) if isinstance(event, WorkDone))
    Path(order.report_path or "").write_text("the report")
    output = settings.folders.output
    (output / "a_x2.png.report.html").write_text("somebody's")
    if is_interrupted:
        job = ledger.publishing(job.id, out_rel="a_x2.png", out_sha256=done.out_sha256)
        os.link(order.part, output / "a_x2.png")
        os.link(order.report_path or "", output / f"a_x2.png-{job.id[:8]}.report.html")
        job = publisher.finish(job)
    else:
        job = publisher.publish(job, out_sha256=done.out_sha256)
    assert job.state is JobState.DONE
    assert files_in(output) == [
        "a_x2.png",
        f"a_x2.png-{job.id[:8]}.report.html",
        "a_x2.png.report.html",
    ]
    assert (output / "a_x2.png.report.html").read_text() == "somebody's"
    assert (output / f"a_x2.png-{job.id[:8]}.report.html").read_text() == "the report"
    assert (output / "a_x2.png").read_bytes() == content_of(order)


def test_failed_attempt_leaves_no_report(make_settings: SettingsFactory, ledger: Ledger) -> None:
    """What was begun is removed with the part; what a crash left, at the next start."""
    settings = make_settings(output={"report": True})
    queue(ledger, settings)
    job = ledger.claim(now=time.time() + 1)
    assert job is not None
    publisher = FileMoves(settings, ledger)
    path = Path(attempt_order(job, settings, publisher).report_path or "")
    path.write_text("half")
    publisher.discard_part(job)
    assert files_in(settings.folders.output) == []
    path.write_text("half")
    publisher.remove_stale_parts()
    assert files_in(settings.folders.output) == []


def test_report_in_a_browser(tmp_path: Path) -> None:
    """Both pictures are decoded, the script runs, and the result is cut at the slider."""
    order = order_of(tmp_path)
    written(order)
    done = subprocess.run(
        [
            tool("chromium", package="chromium"),
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=5000",
            "--dump-dom",
            f"file://{order.report_path}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "clip-path: inset(0px 0px 0px 50%)" in done.stdout
    assert 'title="80 × 60"' in done.stdout
