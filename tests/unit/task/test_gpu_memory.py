"""What PyTorch has counted of its GPUs is part of what an attempt used."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from swell.task.gpu_memory import gpu_memory_mb


def fake_torch(*peaks: int, initialized: bool = True) -> Any:
    cuda = SimpleNamespace(
        is_initialized=lambda: initialized,
        device_count=lambda: len(peaks),
        max_memory_reserved=lambda device: peaks[device],
    )
    return SimpleNamespace(cuda=cuda)


@pytest.mark.parametrize(
    ("torch", "peak_mb"),
    [
        (fake_torch(512 << 20, 256 << 20), 768.0),
        (fake_torch(1 << 20, initialized=False), None),
        (SimpleNamespace(), None),
    ],
)
def test_the_peaks_of_all_devices_are_added_up(torch: Any, peak_mb: float | None) -> None:
    assert gpu_memory_mb(torch) == peak_mb


def test_a_device_that_fails_when_asked_says_nothing() -> None:
    def fail(device: int) -> int:
        raise RuntimeError("CUDA error: unspecified launch failure")

    torch = fake_torch(1 << 20)
    torch.cuda.max_memory_reserved = fail
    assert gpu_memory_mb(torch) is None
