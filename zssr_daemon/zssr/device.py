"""Device: how much of an image its memory holds at once, and the precision it computes in.

Where memory runs out, tiles or batches are halved and the work at hand is begun anew, so that too
little memory costs time and never the result.
"""

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeVar

import torch

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.progress import Progress

Key = Literal["patch_size", "batch_size"]

Result = TypeVar("Result")

# A smaller tile (source pixels) is mostly halo and saves nothing; a batch has at least one crop.
MIN_SIZES: dict[Key, int] = {"patch_size": 16, "batch_size": 1}

# What torch's allocator, oneDNN and C++ say on a CPU, where there is no class for it.
_CPU_MESSAGES = (
    "can't allocate memory",
    "not enough memory",
    "could not create a primitive",
    "std::bad_alloc",
)


def is_bf16_wanted(precision: Literal["auto", "bf16", "fp32"], device: torch.device) -> bool:
    """Resolve `precision`: auto takes bf16 where the hardware multiplies it natively.

    A CPU without AVX512-bf16 emulates it, several times slower than fp32.
    """
    if precision != "auto":
        return precision == "bf16"
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()


def limit_memory(device: torch.device, share: float) -> None:
    """Let this process take at most `share` of a card's memory, above 0 to 1; a CPU has no limit.

    More than that raises torch.OutOfMemoryError, as on a card of that size.
    """
    if device.type == "cuda" and share < 1:
        torch.cuda.set_per_process_memory_fraction(share, device)


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory of a card that tensors of this process held at once; 0 for a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


class OutOfMemoryError(MemoryError):
    """The device's memory is too small for this image, and nothing smaller is left to try."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` says that memory ran out, and harmed nothing else."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return type(error) is RuntimeError and any(text in str(error) for text in _CPU_MESSAGES)


class Memory:
    """How much of one image is in the device's memory at once.

    A size that was too large stays halved: the device has no more memory at the next step.
    """

    def __init__(self, config: ZSSRConfig) -> None:
        self._wanted_patch_size = config.patch_size
        self.patch_size = config.patch_size
        self.batch_size = config.batch_size

    @property
    def is_short(self) -> bool:
        """Whether tiles were halved: then even small images pass the network tile by tile."""
        return self.patch_size < self._wanted_patch_size

    def with_smaller(
        self, key: Key, config: ZSSRConfig, progress: Progress, step: Callable[[ZSSRConfig], Result]
    ) -> Result:
        """Return step(config), `key` of it as large as memory allows.

        `step` is begun anew after each halving, so it must leave nothing half done behind.

        Raises:
            OutOfMemoryError: the smallest size that makes sense is still too much.
        """
        done_before = progress.done
        while True:
            try:
                return step(replace(config, patch_size=self.patch_size, batch_size=self.batch_size))
            except (MemoryError, RuntimeError) as error:
                self._halve(key, error)
            # Only now, with the error gone, nothing holds the tensors of the step that failed.
            gc.collect()
            torch.cuda.empty_cache()  # does nothing where no CUDA is in use
            progress.done = done_before

    def _halve(self, key: Key, error: Exception) -> None:
        """Halve `key`, or raise `error` where smaller sizes do not help."""
        if isinstance(error, OutOfMemoryError) or not is_out_of_memory(error):
            raise error
        size: int = getattr(self, key)
        if size // 2 < MIN_SIZES[key]:
            raise OutOfMemoryError(f"{key} = {size} is still too much: {error}") from error
        setattr(self, key, size // 2)
