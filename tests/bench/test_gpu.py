"""`python -m bench.gpu`: every line of it runs here, on the CPU, before a card is ever there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def run(*options: str) -> list[str]:
    """Run the bench; return the lines that it prints."""
    command = [sys.executable, "-m", "bench.gpu", "--no-write", *options]
    one = os.environ | {"OMP_NUM_THREADS": "1"}  # on a busy machine several spin for each other
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=one)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a card, so it would be measured")
def test_without_a_card_it_says_so() -> None:
    """It is no failure that there is none."""
    assert run() == ["no CUDA card is here, so nothing was measured"]


def test_every_part_is_measured() -> None:
    """On the CPU, with few pictures and iterations; there the results are equal."""
    printed = run("--device", "cpu")
    lines = {line.partition(":")[0]: line for line in printed}
    assert "exit_code 0" in lines["tests"]
    assert "worst_difference_db 0," in lines["beside the CPU"]
    assert "is_equal True" in lines["beside the CPU"]
    assert "step_ms" in lines["instant"]
    assert "images_per_minute" in lines["2 processes"]
    assert any(line.startswith("aten::") and "own_ms" in line for line in printed)
