"""Frames: each page of a file is an output, all of them or none, wherever a crash falls."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.parts.daemon_parts import files_in
from tests.parts.picture_files import (
    LIMITS,
    decode_path,
    deep_file,
    deep_levels,
    inspect_path,
    levels,
    samples,
)
from tests.parts.publish_parts import (
    CONTENT,
    SHA256,
    FileMoves,
    all_files,
    crash_at,
    marked,
    resume,
    worked,
)
from tests.parts.tiny_settings import SettingsFactory
from tests.parts.work_reports import report_of
from zssr_daemon.errors import ImageError, JobError
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.attempt_files import frame_part, is_part, part_rel
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkProgress
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.safe_open import open_known_source
from zssr_daemon.worker import source_file
from zssr_daemon.worker.enlarger import Enlarger, OnProgress
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.worker.report_draft import ReportDraft
from zssr_daemon.worker.source_file import SourceFile
from zssr_daemon.zssr.config import ZSSRConfig

EACH = ImageLimits(
    max_file_bytes=LIMITS.max_file_bytes,
    max_input_pixels=LIMITS.max_input_pixels,
    each_frame=True,
)

#: What the parts of the frames before the last hold.
OTHERS = [b"first", b"second"]

MULTI = ["tif", "png", "webp", "avif"]


def pages(path: Path, sizes: list[tuple[int, int]], **options: Any) -> Path:
    """Write a picture of noise for each (width, height) as a frame, and return the path."""
    pictures = [
        Image.fromarray(samples(height, width, 3, seed=number))
        for number, (width, height) in enumerate(sizes)
    ]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)
    return path


@pytest.mark.parametrize("suffix", MULTI)
def test_several_frames_are_refused_with_the_cure(tmp_path: Path, suffix: str) -> None:
    """Nothing of an animation or of several pages is dropped unsaid."""
    path = pages(tmp_path / f"a.{suffix}", [(8, 6)] * 3)
    with pytest.raises(ImageError, match=r'3 frames.*frames = "each"') as caught:
        inspect_path(path)
    assert caught.value.reason == "multi_frame"


@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_each_frame_can_be_read(tmp_path: Path, suffix: str) -> None:
    """Frame by frame, each is the picture that was saved."""
    path = pages(tmp_path / f"a.{suffix}", [(8, 6)] * 3)
    assert inspect_path(path, EACH).frames == 3
    for number in range(3):
        image = decode_path(path, EACH, frame=number)
        np.testing.assert_array_equal(levels(image)[..., :3], samples(6, 8, 3, seed=number))


@pytest.mark.parametrize("suffix", ["webp", "avif"])
def test_each_frame_of_an_animation_can_be_read(tmp_path: Path, suffix: str) -> None:
    """Animations are read frame by frame too."""
    greys = [Image.new("RGB", (32, 32), (100 * number,) * 3) for number in range(3)]
    path = tmp_path / f"a.{suffix}"
    greys[0].save(path, save_all=True, append_images=greys[1:])
    assert inspect_path(path, EACH).frames == 3
    for number in range(3):
        image = decode_path(path, EACH, frame=number)
        assert image.pixels.mean() == pytest.approx(100 * number / 255, abs=0.02)


def test_the_largest_page_is_what_counts(tmp_path: Path) -> None:
    """Limits and predictions go by the largest page."""
    path = pages(tmp_path / "a.tif", [(8, 6), (40, 30), (5, 5)])
    info = inspect_path(path, EACH)
    assert (info.width, info.height, info.frames) == (40, 30, 3)


def test_a_page_cut_off_is_noticed(tmp_path: Path) -> None:
    """The gate decodes every page: the first one being whole is not enough."""
    path = pages(tmp_path / "a.tif", [(80, 60)] * 3)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ImageError) as caught:
        inspect_path(path, EACH)
    assert caught.value.reason == "truncated"


def test_pages_of_16_bits(tmp_path: Path) -> None:
    """Each page is read at its own depth."""
    pixels = np.random.default_rng(0).integers(0, 1 << 16, (12, 7, 3), dtype=np.uint16)
    path = deep_file(tmp_path / "a.tif", pixels, page_height=6)
    assert inspect_path(path, EACH).frames == 2
    back = [deep_levels(decode_path(path, EACH, frame=number)) for number in range(2)]
    np.testing.assert_array_equal(np.vstack(back), pixels)


class Recorder(Enlarger):
    """Writes the frame's number and width into its part instead of enlarging it."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at

    def enlarge_frame(
        self, order: WorkOrder, file: SourceFile, on_progress: OnProgress, _: ReportDraft
    ) -> WorkDone:
        width = file.decode(order.frame).info.width
        if order.frame == self.fails_at:
            raise JobError("no")
        on_progress(progress(order.job_id, 0.5))
        Path(order.part).write_text(f"{order.frame} of width {width}")
        return WorkDone(
            job_id=order.job_id,
            out_sha256=str(order.frame),
            report=report_of(iterations=order.frame + 1, seconds={"fit": 1.0}),
        )


def progress(job_id: str, fraction: float) -> WorkProgress:
    """Return a sign of life."""
    return WorkProgress(
        job_id=job_id, stage="fit", step=1, steps=2, fraction=fraction, loss=None, lr=None
    )


def order(path: Path, part: Path) -> WorkOrder:
    """Order a file."""
    return WorkOrder(
        job_id="job",
        inbox=str(path.parent),
        src_rel=path.name,
        identity=FileIdentity.from_stat(path.stat()),
        part=str(part),
        config=ZSSRConfig(),
        limits=EACH,
        output=OutputRules(setting="png", quality=95, keeps_metadata=True, max_pixels=10**6),
        weights_folder=None,
    )


def test_every_frame_has_its_part(tmp_path: Path) -> None:
    """The last is in the job's own part, whose hash is reported; progress runs over all."""
    path = pages(tmp_path / "a.tif", [(8, 6), (9, 6), (10, 6)])
    part = tmp_path / part_rel("", "0" * 32, 1)
    told: list[WorkProgress] = []
    done = enlarge_file(Recorder(), order(path, part), told.append)
    others = [Path(frame_part(str(part), number)) for number in range(2)]
    assert [file.read_text() for file in [*others, part]] == [
        "0 of width 8",
        "1 of width 9",
        "2 of width 10",
    ]
    assert all(is_part(file.name) for file in [*others, part])
    assert done.out_sha256 == "2"
    assert (done.frames, done.report.iterations, done.report.seconds) == (3, 6, {"fit": 3.0})
    assert [step.fraction for step in told] == pytest.approx([0.5 / 3, 1.5 / 3, 2.5 / 3])


@pytest.mark.parametrize("each", [True, False])
def test_source_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: bool) -> None:
    """However many frames it has; and it is not kept while the last one is enlarged."""
    path = pages(tmp_path / "a.tif", [(8, 6)] * (3 if each else 1))
    opened: list[str] = []

    def counted(root: str, rel: str, identity: FileIdentity) -> int:
        opened.append(rel)
        return open_known_source(root, rel, identity)

    monkeypatch.setattr(source_file, "open_known_source", counted)
    ordered = replace(
        order(path, tmp_path / part_rel("", "0" * 32, 1)), limits=EACH if each else LIMITS
    )
    done = enlarge_file(Recorder(), ordered, lambda _: None)
    assert done.frames == (3 if each else 1)
    assert opened == ["a.tif"]


def test_source_is_not_held_with_the_last_frame(tmp_path: Path) -> None:
    """The fit of the only frame, or of the last one, has the memory of the file."""
    path = pages(tmp_path / "a.tif", [(8, 6)] * 2)
    file = SourceFile(order(path, tmp_path / "part"))
    assert file.count_frames() == 2
    file.decode(0)
    assert file._data == path.read_bytes()
    file.decode(1)
    assert file._data is None


def test_one_bad_frame_is_the_files(tmp_path: Path) -> None:
    """No file is half done."""
    path = pages(tmp_path / "a.tif", [(8, 6)] * 3)
    with pytest.raises(JobError, match="no"):
        enlarge_file(Recorder(fails_at=1), order(path, tmp_path / "part"), lambda _: None)


def frame_parts(part: Path) -> list[Path]:
    """Write the parts of the frames before the last."""
    paths = [Path(frame_part(str(part), number)) for number in range(len(OTHERS))]
    for path, content in zip(paths, OTHERS, strict=True):
        path.write_bytes(content)
    return paths


def publish(publisher: FileMoves, job: Job) -> Job:
    """Publish three frames and dispose of their source."""
    published = publisher.publish(job, out_sha256=SHA256, suffix=".tif", frames=3)
    return publisher.end(published)


def test_frames_are_published_under_their_numbers(settings: Settings, ledger: Ledger) -> None:
    """Pages count from 1, with leading zeros; the endings are the format's."""
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    job, part = worked(ledger, settings, publisher)
    frame_parts(part)
    job = publish(publisher, job)
    output = settings.folders.output
    assert all_files(settings)["output"] == ["a_p001_x2.tif", "a_p002_x2.tif", "a_p003_x2.tif"]
    assert [(output / name).read_bytes() for name in files_in(output)] == [*OTHERS, CONTENT]
    assert (job.state, job.out_rel) == (JobState.DONE, "a_p003_x2.tif")


def test_frames_of_a_given_up_attempt_are_removed(settings: Settings, ledger: Ledger) -> None:
    """Its parts go, all of them, and those of a daemon that died too."""
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    job, part = worked(ledger, settings, publisher)
    frame_parts(part)
    publisher.discard_part(job)
    assert all_files(settings)["output"] == []
    frame_parts(part)
    publisher.remove_stale_parts()
    assert all_files(settings)["output"] == []


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize("is_taken", [False, True])
def test_crash_at_every_step_of_publishing_frames(
    make_settings: SettingsFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_links: bool,
    is_taken: bool,
) -> None:
    """Wherever it ends: every frame once and the source archived, or the source and no frame."""
    if not has_links:
        monkeypatch.setattr("zssr_daemon.system.durable.os.link", _refuse)
    number, crashed, outcomes = 0, True, []
    while crashed:
        folders = ("inbox", "output", "archive", "failed", "state")
        settings = make_settings(folders={n: tmp_path / str(number) / n for n in folders})
        ledger = Ledger.open(settings.folders.state)
        publisher = FileMoves(settings, ledger, marked(settings, ledger))
        job, part = worked(ledger, settings, publisher)
        frame_parts(part)
        if is_taken:
            (settings.folders.output / "a_p002_x2.tif").write_bytes(b"the user's")
        crashed = crash_at(number, monkeypatch, lambda p=publisher, j=job: publish(p, j))  # type: ignore[misc]
        ledger.close()
        outcomes.append(_check(settings, is_taken=is_taken))
        number += 1
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}
    assert number > 15


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def _check(settings: Settings, *, is_taken: bool) -> bool:
    """Assert the invariants after a restart; tell whether the job is done."""
    job = resume(settings)
    assert resume(settings) == job
    output = settings.folders.output
    contents = sorted((output / name).read_bytes() for name in files_in(output))
    users = [b"the user's"] if is_taken else []
    if is_taken:
        assert (output / "a_p002_x2.tif").read_bytes() == b"the user's"
    if job.state is JobState.DONE:
        assert contents == sorted([*OTHERS, CONTENT, *users])
        assert files_in(settings.folders.archive) == ["a.png"]
        return True
    assert contents == users
    assert files_in(settings.folders.inbox) == ["a.png"]
    return False
