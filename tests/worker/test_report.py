"""The report of a job: one file that needs nothing else, shows both pictures, and comes whole."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.parts.daemon_parts import files_in, identity_of, queue
from tests.parts.fake_executor import content_of, good
from tests.parts.picture_files import decode_path, levels, samples, smooth_picture
from tests.parts.publish_parts import FileMoves
from tests.parts.tiny_settings import SettingsFactory
from tests.parts.tools import tool
from tests.parts.worker_parts import answer_of, ready_worker, worker_that_cannot_report
from tests.parts.worker_parts import order_of as file_order
from zssr_daemon.daemon.work_order import attempt_of, work_order
from zssr_daemon.imaging import comparison
from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.attempt_files import companion_part
from zssr_daemon.protocol.endings import KERNEL_PICTURE
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkProgress
from zssr_daemon.settings.image_settings import Resolver
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry.logs import LogSettings
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.worker.kernel_files import write_kernel
from zssr_daemon.worker.report_draft import ReportDraft
from zssr_daemon.zssr.degradation.blur import Kernel

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

ENLARGER = Enlarger("cpu", 1)


def order_of(folder: Path, name: str = "a.png", mode: str = "RGB") -> WorkOrder:
    """Write a source; return an order that asks for a report."""
    smooth_picture(40, 30).convert(mode).save(folder / name)
    return replace(
        file_order(folder / name),
        part=str(folder / ".part"),
        report_path=str(folder / "report.html"),
    )


def doubled(source: DecodedImage) -> NDArray[np.uint8]:
    """Return samples twice as large as a source."""
    return levels(source).repeat(2, axis=0).repeat(2, axis=1)


def drafted(order: WorkOrder, kernel: Kernel | None = None) -> ReportDraft:
    """Return a draft that has seen the source of an order, an output twice as large, and losses."""
    source = decode_path(Path(order.inbox) / order.src_rel)
    samples = doubled(source)
    draft = ReportDraft(order)
    draft.add_source(source, *samples.shape[1::-1])
    draft.add_output(samples, source.metadata.icc, kernel)
    for _, loss in LOSSES:
        draft.add_progress(progress(loss))
    return draft


def written(order: WorkOrder, kernel: Kernel | None = None) -> str:
    """Write a report and return its text."""
    (done,) = (event for event in good(order) if isinstance(event, WorkDone))
    drafted(order, kernel).write(done)
    return Path(order.report_path or "").read_text()


def progress(loss: float) -> WorkProgress:
    """Return a sign of life from a fit."""
    return WorkProgress(job_id="j", stage="fit", step=0, steps=1, fraction=0, loss=loss, lr=None)


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


def test_report_opens_no_file(tmp_path: Path) -> None:
    """It is handed what it shows: source and output may be gone when it is written."""
    order = order_of(tmp_path)
    draft = drafted(order)
    (done,) = (event for event in good(order) if isinstance(event, WorkDone))
    Path(order.part).unlink()
    (tmp_path / "a.png").unlink()
    draft.write(done)
    before, after = pictures_in(Path(order.report_path or "").read_text())
    assert before.size == after.size == (80, 60)


def test_large_pictures_show_their_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pixel by pixel, the same part of both."""
    monkeypatch.setattr(comparison, "MAX_SIDE", 20)
    order = order_of(tmp_path)
    text = written(order)
    before, after = pictures_in(text)
    assert before.size == after.size == (20, 20)
    assert "20 × 20 pixels from the middle of 80 × 60" in text
    output = Image.fromarray(doubled(decode_path(tmp_path / "a.png")))
    assert after.tobytes() == output.crop((30, 20, 50, 40)).tobytes()
    ours, theirs = (sum(image.convert("L").tobytes()) / 400 for image in (before, after))
    assert abs(ours - theirs) < 3


@pytest.mark.parametrize("size", [(80, 60), (60, 45), (120, 90), (80, 90), (41, 31), (40, 30)])
def test_part_of_the_source_is_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """At any scale: cut out and enlarged is enlarged and cut out."""
    monkeypatch.setattr(comparison, "MAX_SIDE", 24)
    tame = samples(30, 40, 3) // 2 + 64  # Pillow would clip overshoot between its two passes
    Image.fromarray(tame).save(tmp_path / "a.png")
    source = decode_path(tmp_path / "a.png")
    shown = comparison.before(source, *size)
    whole = Image.fromarray(levels(source)).resize(size, Image.Resampling.BICUBIC)
    expected = np.asarray(whole.crop(comparison.middle(*size))).astype(int)
    assert np.abs(np.asarray(shown) - expected).max() <= 1


def test_deep_output_is_rounded_to_8_bits() -> None:
    """To the nearest level, of all 65536."""
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    shown = np.asarray(comparison.after(deep, None))
    np.testing.assert_array_equal(shown, np.rint(deep[..., 0] / 257))


def test_draft_holds_neither_source_nor_output(tmp_path: Path) -> None:
    """Memory does not follow the pictures: what is shown of them is a copy."""
    order = order_of(tmp_path)
    source = decode_path(tmp_path / "a.png")
    output = doubled(source)
    held: list[weakref.ref[Any]] = [weakref.ref(output), weakref.ref(source.pixels)]
    draft = ReportDraft(order)
    draft.add_source(source, 80, 60)
    draft.add_output(output, None, None)
    del source, output
    assert [each() for each in held] == [None, None]


def test_estimated_kernel_is_shown(tmp_path: Path) -> None:
    """As it is written beside the output."""
    kernel = Kernel.of(np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]), "centred")
    text = written(order_of(tmp_path), kernel)
    write_kernel(tmp_path / ".part", kernel)
    with Image.open(companion_part(tmp_path / ".part", KERNEL_PICTURE)) as beside:
        assert pictures_in(text)[2].tobytes() == beside.tobytes()
    assert "Estimated kernel" in text


def test_name_is_text(tmp_path: Path) -> None:
    """A file's name can do nothing to who reads the report."""
    text = written(order_of(tmp_path, name="<script>alert(1)<!-- $title.png"))
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;!-- $title.png" in text


def test_report_shows_the_last_frame(tmp_path: Path) -> None:
    """There is one for the whole file, with the work of all frames."""
    order = order_of(tmp_path, name="a.tif")
    frames = [smooth_picture(20 + 4 * number, 16) for number in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    each = replace(order.limits, each_frame=True)
    identity = identity_of(tmp_path / "a.tif")
    done = enlarge_file(ENLARGER, replace(order, limits=each, identity=identity), lambda _: None)
    text = Path(order.report_path or "").read_text()
    assert [picture.size for picture in pictures_in(text)] == [(56, 32), (56, 32)]
    assert f"<td>{done.report.iterations}</td>" in text
    assert done.frames == 3
    assert files_in(tmp_path) == [".0.part", ".1.part", ".part", "a.tif", "report.html"]


PLACES = [
    "imaging.comparison.before",
    "imaging.comparison.after",
    "worker.report_draft.report_html",
]


@pytest.mark.parametrize("place", PLACES)
def test_fault_of_a_report_costs_no_output(tmp_path: Path, place: str) -> None:
    """Whatever a report raises, and wherever: the job is done, and the log tells."""
    log = LogSettings(level="warning", file=tmp_path / "log")
    worker = ready_worker(worker_that_cannot_report, place, log=log)
    order = order_of(tmp_path)
    for attempt in (1, 2):
        done = answer_of(worker, replace(order, attempt=attempt))
        assert isinstance(done, WorkDone), done
        assert done.out_sha256 == hashlib.sha256(Path(order.part).read_bytes()).hexdigest()
    worker.kill()
    assert not Path(order.report_path or "").exists()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["report_unavailable"] * 2
    assert [line["attempt"] for line in lines] == [1, 2]
    assert "does not like this" in lines[0]["message"]


def test_report_of_the_real_worker(tmp_path: Path) -> None:
    """It shows what was decoded and what was written."""
    worker = ready_worker()
    order = order_of(tmp_path)
    done = answer_of(worker, order)
    worker.kill()
    assert isinstance(done, WorkDone), done
    before, after = pictures_in(Path(order.report_path or "").read_text())
    with Image.open(order.part) as output, Image.open(tmp_path / "a.png") as source:
        assert after.tobytes() == output.tobytes()
        whole = np.asarray(source.resize((80, 60), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(np.asarray(before) - whole).max() <= 1


def test_report_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a report is none."""
    order = order_of(tmp_path)
    draft = drafted(order)
    (done,) = (event for event in good(order) if isinstance(event, WorkDone))

    def half(path: Path, *_: Any, **__: Any) -> int:
        path.write_bytes(b"<html>")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", half)
    draft.write(done)
    assert not Path(order.report_path or "").exists()


def test_no_report_is_made_unasked(tmp_path: Path) -> None:
    """Nor anything of it."""
    order = replace(order_of(tmp_path), report_path=None)
    (done,) = (event for event in good(order) if isinstance(event, WorkDone))
    drafted(order).write(done)
    assert files_in(tmp_path) == [".part", "a.png"]


def attempt_order(job: Job, settings: Settings, publisher: FileMoves) -> WorkOrder:
    """Write the order for a job's attempt, as the supervisor does."""
    own = Resolver(settings, settings.folders.inbox).resolve(job.src_rel)
    attempt = attempt_of(job, own.settings, settings.folders, publisher.part_path(job))
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
    """Both pictures are decoded, the script runs, and the result is cut at the slider's line."""
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
    assert '<div class="divider" style="left: 50%;"></div>' in done.stdout
    assert 'title="80 × 60"' in done.stdout
