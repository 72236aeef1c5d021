"""Device: too little memory makes tiles and batches smaller, and never a wrong picture."""

import multiprocessing
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.device import (
    OutOfMemoryError,
    is_out_of_memory,
    limit_memory,
    peak_memory_bytes,
)
from zssr_daemon.zssr.pipeline import Step, SuperResolved, super_resolve

MIB = 1 << 20

# A hidden layer of 256 MB for an image of 500 x 500, and of 0.1 MB for the fit's crops.
WIDE = quick(num_epochs=80, model_width=256, model_depth=2, patch_size=1024, batch_size=2)

# As much again, and 350 MB for the fathers of two rounds.
WIDER = replace(WIDE, model_width=512, lr=1e-3, num_epochs=120, rounds=2)

# A hidden layer of 268 MB for a batch, and as much for its gradient.
MANY = quick(num_epochs=20, model_width=256, model_depth=2, crop_size=32, batch_size=1024)


@pytest.fixture(autouse=True)
def freed_memory_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have children map each large block by itself, so that a freed one is free for any use.

    Else the heap keeps it, and a limit on the address space leaves nothing to what must be mapped.
    One heap serves all threads: each further one would reserve up to 128 MiB for good.
    """
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(128 << 10))
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")


@contextmanager
def short_of_memory(spare_bytes: int) -> Iterator[None]:
    """Let this process have `spare_bytes` of address space more than now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + spare_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def in_child(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns in a process of its own, the memory of which is its own."""
    # Not a multiprocessing.Pool: on a busy machine its end waits for a worker it has just renewed.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def super_resolve_short_of_memory(
    side: int, config: ZSSRConfig, spare_bytes: int
) -> tuple[int, int, int, bool, bool]:
    """Return patch_size, batch_size, iterations, and whether fractions rose and pixels are right.

    Right is what a run with those sizes and all the memory gives, of a network that lives.
    """
    image = texture(side, side)
    super_resolve(texture(16, 16), replace(config, batch_size=1), device="cpu")  # loads libraries
    steps: list[Step] = []
    with short_of_memory(spare_bytes):
        result = super_resolve(image, config, device="cpu", on_step=steps.append)
    sizes = {"patch_size": result.patch_size, "batch_size": result.batch_size}
    expected = super_resolve(image, replace(config, **sizes), device="cpu")  # type: ignore[arg-type]
    fractions = [step.fraction for step in steps]
    has_risen = fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    is_right = torch.equal(expected.image, result.image) and not result.is_fallback
    return result.patch_size, result.batch_size, result.iterations, has_risen, is_right


def test_tiles_become_smaller_and_the_fit_stays() -> None:
    """What does not fit is tried by halves; no iteration is run twice, no pixel is stale."""
    patch, batch, iterations, has_risen, is_right = in_child(
        super_resolve_short_of_memory, 500, WIDE, 150 * MIB
    )
    assert 16 <= patch < 512
    assert (batch, iterations) == (2, 80)
    assert has_risen
    assert is_right


def test_tiles_between_the_rounds_become_smaller_too() -> None:
    """The fit looks at its own results; their tiles obey the same rule, and it goes on."""
    patch, batch, iterations, has_risen, is_right = in_child(
        super_resolve_short_of_memory, 500, WIDER, 450 * MIB
    )
    assert 16 <= patch < 512
    assert (batch, iterations) == (2, 120)
    assert has_risen
    assert is_right


def test_batch_becomes_smaller_and_the_fit_begins_again() -> None:
    """The result is that of the smaller batch from the first iteration on."""
    patch, batch, iterations, has_risen, is_right = in_child(
        super_resolve_short_of_memory, 64, MANY, 300 * MIB
    )
    assert patch == MANY.patch_size
    assert 1 <= batch < 1024
    assert iterations >= 20
    assert has_risen
    assert is_right


def fail_then_succeed(config: ZSSRConfig, spare_bytes: int) -> str:
    """Return how it ended without memory; with it, it goes well."""
    super_resolve(texture(16, 16), quick(), device="cpu")
    image = texture(32, 32)
    ended = "well"
    with short_of_memory(spare_bytes):
        try:
            super_resolve(image, config, device="cpu")
        except OutOfMemoryError as error:
            ended = str(error)
    super_resolve(image, config, device="cpu")
    return ended


def test_nothing_smaller_is_left() -> None:
    """A network larger than the memory: the error says what was tried last."""
    huge = quick(num_epochs=1, model_width=256, model_kernel_size=9, batch_size=4)
    ended = in_child(fail_then_succeed, huge, 40 * MIB)
    assert ended.startswith("batch_size = 1 is still too much: ")


def test_sizes_stay_where_memory_suffices() -> None:
    """They are told as the configuration has them."""
    result: SuperResolved = super_resolve(texture(16, 16), quick(batch_size=3), device="cpu")
    assert (result.patch_size, result.batch_size) == (quick().patch_size, 3)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (torch.AcceleratorError("CUDA error: out of memory"), False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("could not be done"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_only_a_clean_error_counts(error: Exception, expected: bool) -> None:
    """After any other error of a device its memory cannot be trusted."""
    assert is_out_of_memory(error) is expected


def test_only_a_card_that_is_shared_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch is told the share and the card; the CPU, and a process alone, are left as they are."""
    told: list[tuple[float, torch.device]] = []
    limit = "set_per_process_memory_fraction"
    monkeypatch.setattr(torch.cuda, limit, lambda share, device: told.append((share, device)))
    card = torch.device("cuda", 1)
    limit_memory(card, 0.45)
    limit_memory(card, 1.0)
    limit_memory(torch.device("cpu"), 0.45)
    assert told == [(0.45, card)]


def test_peak_is_that_of_the_own_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several cards the one that computes counts; a CPU has none."""
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 10 + device.index)
    assert peak_memory_bytes(torch.device("cuda", 1)) == 11
    assert peak_memory_bytes(torch.device("cpu")) == 0
