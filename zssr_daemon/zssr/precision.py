"""Precision: whether the convolutions run in bf16."""

from typing import Literal

import torch


def is_bf16_wanted(precision: Literal["auto", "bf16", "fp32"], device: torch.device) -> bool:
    """Resolve `precision`: auto takes bf16 where the hardware multiplies it natively.

    A CPU without AVX512-bf16 emulates it, several times slower than fp32.
    """
    if precision != "auto":
        return precision == "bf16"
    return device.type != "cpu" or torch.cpu._is_avx512_bf16_supported()
