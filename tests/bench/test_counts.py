"""The counters of `bench.speed.counts`: each act counts once, whichever way it is done."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_CODE = """
import json, os
from collections import Counter
from pathlib import Path
from bench.speed.counted_daemon import count_scans, count_validations

counts = Counter()
count_validations(counts)
count_scans(counts)
from zssr_daemon.settings.image_settings import ImageSettings
from zssr_daemon.settings.schema import Folders, Settings

settings = Settings()
Settings.model_validate({})
Folders()
ImageSettings.of(settings)
os.scandir("inbox").close()
list(Path("inbox").resolve().iterdir())
os.scandir(os.open("output", os.O_RDONLY)).close()
os.listdir("inbox/deeper")
print(json.dumps(counts))
"""


def test_each_validation_and_scan_counts_once(tmp_path: Path) -> None:
    """A model's own constructor within a validation does not count again; other folders do not."""
    (tmp_path / "inbox" / "deeper").mkdir(parents=True)
    (tmp_path / "output").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {"Settings": 2, "ImageSettings": 1, "inbox": 2, "output": 1}
    assert expected == json.loads(done.stdout)
