"""The most memory that an attempt held on its GPUs, where a library that it used has counted."""

from __future__ import annotations

import sys
from typing import Any


def gpu_memory_mb(torch: Any = None) -> float | None:
    """MB of 2**20 bytes that PyTorch held on all GPUs at its peak; None where it used none.

    PyTorch counts by itself, exactly and per device; no other way sees a peak without asking
    the driver over and over.
    https://docs.pytorch.org/docs/stable/generated/torch.cuda.memory.max_memory_reserved.html
    """
    cuda = getattr(torch or sys.modules.get("torch"), "cuda", None)
    try:
        if cuda is None or not cuda.is_initialized():
            return None
        held: int = sum(cuda.max_memory_reserved(device) for device in range(cuda.device_count()))
    except Exception:  # a device in trouble must not change how the attempt ends
        return None
    return round(held / (1 << 20), 1)
