"""The daemon as its users meet it: files dropped, files broken, results in their folders."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.parts.daemon_process import DATA, QUICK_ZSSR, DaemonProcess, files, prepare

pytestmark = pytest.mark.e2e

BUTTERFLY = DATA / "butterfly_lr.png"


def picture(path: Path, size: tuple[int, int] = (20, 15), mode: str = "RGB", seed: int = 0) -> Path:
    """Write a small picture of its own content, and return its path."""
    levels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(levels).convert(mode).save(path)
    return path


def test_dropped_files_come_out_enlarged_however_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy, a slow writer and a rename each give one output and one archived source."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    inbox = prepare(tmp_path, unreadable_after_s=30.0)
    content = BUTTERFLY.read_bytes()
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("worker_ready")
        # The settings grant it one thread: no library of arithmetic has started one for each core.
        (worker,) = daemon.workers()
        assert len(list(Path(f"/proc/{worker}/task").iterdir())) == 1
        shutil.copy(BUTTERFLY, inbox / "copied.png")
        (inbox / "renamed.png.part").write_bytes(content)
        (inbox / "renamed.png.part").rename(inbox / "renamed.png")
        with (inbox / "slow.png").open("wb", buffering=0) as stream:
            for start in range(0, len(content), 4000):
                stream.write(content[start : start + 4000])
                time.sleep(0.05)
        for name in ("copied", "renamed", "slow"):
            daemon.wait_for("job_done", image=f"{name}.png")
        # What the workers send is read here: none of it may bring torch along.
        assert "libtorch" not in Path(f"/proc/{daemon.pid}/maps").read_text()
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
    assert files(tmp_path / "output") == ["copied_x2.png", "renamed_x2.png", "slow_x2.png"]
    assert files(tmp_path / "archive") == ["copied.png", "renamed.png", "slow.png"]
    assert files(inbox) == []
    assert files(tmp_path / "failed") == []
    for name in ("copied", "renamed", "slow"):
        assert (tmp_path / "archive" / f"{name}.png").read_bytes() == content
        with Image.open(tmp_path / "output" / f"{name}_x2.png") as result:
            assert (result.size, result.mode) == ((256, 256), "RGB")


def test_a_writer_that_pauses_for_long_is_waited_for(tmp_path: Path) -> None:
    """A half-written file that does not change is not failed, and is done once it is whole."""
    inbox = prepare(tmp_path, unreadable_after_s=60.0)
    content = BUTTERFLY.read_bytes()
    with DaemonProcess(tmp_path) as daemon, (inbox / "a.png").open("wb", buffering=0) as stream:
        stream.write(content[:9000])
        daemon.wait_for("worker_ready")
        picture(inbox / "b.png")  # settles later, so once it is queued the half was looked at
        daemon.wait_for("job_queued", image="b.png")
        stream.write(content[9000:])
        daemon.wait_for("job_done", image="a.png")
        assert not any(line["event"] == "job_failed" for line in daemon.log())


def test_log_tells_a_jobs_way_under_one_id(tmp_path: Path) -> None:
    """Queued, started, several times progress, done: in this order and with one job_id."""
    inbox = prepare(tmp_path)
    picture(inbox / "photo.png", (40, 30))
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
        log = daemon.log()
    job_id = next(line["job_id"] for line in log if line["event"] == "job_queued")
    events = [line["event"] for line in log if line.get("job_id") == job_id]
    progress = [line for line in log if line["event"] == "job_progress"]
    assert events[:2] == ["job_queued", "job_started"]
    assert events[-1] == "job_done"
    assert set(events[2:-1]) == {"job_progress"}
    assert {"decode", "fit", "infer", "encode"} == {line["stage"] for line in progress}
    fractions = [line["fraction"] for line in progress]
    assert fractions == sorted(fractions)
    done = log[[line["event"] for line in log].index("job_done")]
    assert (done["out_width"], done["out_height"], done["iterations"]) == (80, 60, 20)
    assert (tmp_path / "stdout.jsonl").read_text() == (tmp_path / "state/daemon.jsonl").read_text()


def test_bad_files_fail_with_a_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    """A text and a cut picture end in failed/; an empty file waits; the good one is done."""
    inbox = prepare(tmp_path)
    (inbox / "empty.png").touch()
    (inbox / "text.png").write_text("not a picture\n" * 20)
    (inbox / "torso.png").write_bytes(BUTTERFLY.read_bytes()[:9000])
    (inbox / "notes.txt").write_text("left alone")
    picture(inbox / "zgood.png")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
        reasons = {
            line["image"]: line["reason"] for line in daemon.log() if line["event"] == "job_failed"
        }
    assert reasons == {"text.png": "unsupported_format", "torso.png": "truncated"}
    assert files(inbox) == ["empty.png", "notes.txt"]
    assert files(tmp_path / "output") == ["zgood_x2.png"]
    assert files(tmp_path / "failed") == [
        "text.png",
        "text.png.error.json",
        "torso.png",
        "torso.png.error.json",
    ]


def test_an_empty_file_is_taken_once_it_has_content(tmp_path: Path) -> None:
    """An empty file waits, for however long; it is done once it is written."""
    inbox = prepare(tmp_path)
    (inbox / "late.png").touch()
    picture(inbox / "early.png")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_done", image="early.png")
        shutil.copy(BUTTERFLY, inbox / "late.png")
        daemon.wait_for("job_done", image="late.png")
        assert not any(line["event"] == "job_failed" for line in daemon.log())


def test_kind_and_exact_size_are_kept(tmp_path: Path) -> None:
    """Grey stays grey, transparency stays, and each side is exactly doubled, down to one pixel."""
    inbox = prepare(tmp_path)
    kinds = {"L": (20, 15), "RGB": (1, 1), "RGBA": (9, 31), "LA": (1, 7)}
    for mode, size in kinds.items():
        picture(inbox / f"{mode}.png", size, mode)
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
    for mode, (width, height) in kinds.items():
        with Image.open(tmp_path / "output" / f"{mode}_x2.png") as result:
            assert (result.mode, result.size) == (mode, (2 * width, 2 * height))


def test_same_picture_and_settings_give_the_same_bytes(tmp_path: Path) -> None:
    """Two jobs with equal content have equal outputs, and neither replaces the other."""
    inbox = prepare(tmp_path, is_auto=True)
    (inbox / "sub").mkdir()
    shutil.copy(BUTTERFLY, inbox / "a.png")
    shutil.copy(BUTTERFLY, inbox / "sub" / "a.png")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
    output = tmp_path / "output"
    assert files(output) == ["a_x2.png", "sub/a_x2.png"]
    assert (output / "a_x2.png").read_bytes() == (output / "sub" / "a_x2.png").read_bytes()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A name that is taken, in output/ or archive/, is left alone; the result gets another."""
    inbox = prepare(tmp_path)
    for folder, name in (("output", "a_x2.png"), ("archive", "a.png")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("mine")
    picture(inbox / "a.png")
    picture(inbox / "a.bmp")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
    assert (tmp_path / "output" / "a_x2.png").read_text() == "mine"
    assert (tmp_path / "archive" / "a.png").read_text() == "mine"
    assert len(files(tmp_path / "output")) == 3
    assert len(files(tmp_path / "archive")) == 3


def test_names_of_any_bytes_are_served(tmp_path: Path) -> None:
    """A name that is no UTF-8, with a newline and a leading dash, is only a name."""
    inbox = prepare(tmp_path)
    name = b"-\xff\n.png"
    picture(inbox / "plain.png").rename(Path(os.fsdecode(os.fsencode(inbox) + b"/" + name)))
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
        assert daemon.wait_for("job_done")["image"] == "-\\xff\n.png"
    assert [os.fsencode(found) for found in files(tmp_path / "archive")] == [name]
    assert [os.fsencode(found) for found in files(tmp_path / "output")] == [b"-\xff__x2.png"]


def test_two_steps_of_a_fractional_factor_multiply(tmp_path: Path) -> None:
    """scale_factor 1.5 applied twice gives 2.25, in size and in name."""
    more = "scale_factor = 1.5\nscale_times = 2\n"
    picture(prepare(tmp_path, more=more) / "p.png", (21, 10))
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
    with Image.open(tmp_path / "output" / "p_x2.25.png") as result:
        assert result.size == (47, 23)


def test_settings_of_the_last_version_go_on_working(tmp_path: Path) -> None:
    """The daemon starts with the file as it was shipped, and says once which key is old."""
    shutil.copy(BUTTERFLY.parent / "settings_0_1.toml", tmp_path / "settings.toml")
    environment = {"ZSSR_LOGGING__FILE": "state/daemon.jsonl"}
    with DaemonProcess(tmp_path, "--once", environment=environment) as daemon:
        assert daemon.exit_code() == 0
        lines = [line for line in daemon.log() if line["event"] == "settings_warning"]
    warnings = [line["message"] for line in lines]
    assert len([message for message in warnings if "warm_start" in message]) == 1


def test_warm_start_begins_with_the_weights_of_the_folder(tmp_path: Path) -> None:
    """The second job starts from the first's weights, with fewer iterations, and says which."""
    zssr = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 300\nwarm_num_epochs = 100")
    inbox = prepare(tmp_path, zssr + 'start = "folder"\n')
    shutil.copy(BUTTERFLY, inbox / "first.png")
    with DaemonProcess(tmp_path) as daemon:
        first = daemon.wait_for("job_done", image="first.png")
        kept = [name.rsplit("-", 1)[1] for name in files(tmp_path / "state" / "weights")]
        shutil.copy(BUTTERFLY, inbox / "second.png")
        second = daemon.wait_for("job_done", image="second.png")
        (inbox / "other").mkdir()
        shutil.copy(BUTTERFLY, inbox / "other" / "third.png")
        third = daemon.wait_for("job_done", image="other/third.png")
    assert (first["warm_start_sha256"], first["iterations"], len(kept)) == (None, 300, 1)
    assert (second["warm_start_sha256"], second["iterations"]) == (kept[0], 100)
    assert (third["warm_start_sha256"], third["iterations"]) == (None, 300)
    assert [line["start"] for line in (first, second, third)] == [None, "folder", None]
    assert second["start_sha256"] == kept[0]
    with Image.open(tmp_path / "output" / "second_x2.png") as result:
        assert json.loads(result.info["zssr"])["warm_start_sha256"] == kept[0]
