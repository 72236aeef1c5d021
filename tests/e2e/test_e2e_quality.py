"""The default settings, untouched: what a new user gets."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.quality.metrics import psnr_y_db
from tests.parts.daemon_process import DATA, DaemonProcess, files

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_defaults_beat_the_official_implementation_on_butterfly(tmp_path: Path) -> None:
    """PSNR-Y is at least 33.9 dB, where bicubic has 27.4 and the authors' own code 33.4."""
    (tmp_path / "settings.toml").write_text("[logging]\nfile = 'state/daemon.jsonl'\n")
    (tmp_path / "inbox").mkdir()
    shutil.copy(DATA / "butterfly_lr.png", tmp_path / "inbox" / "butterfly.png")
    with DaemonProcess(tmp_path, "--once") as daemon:
        done = daemon.wait_for("job_done")
        assert daemon.exit_code() == 0
    assert not done["fallback"]
    assert files(tmp_path / "output") == ["butterfly_x2.png"]
    with (
        Image.open(DATA / "butterfly_hr.png") as truth,
        Image.open(tmp_path / "output" / "butterfly_x2.png") as result,
    ):
        assert psnr_y_db(np.asarray(result), np.asarray(truth), crop_border=2) >= 33.9
