"""Which GPUs of this machine tasks may be given, and how a task is told which are its own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

Listing = Callable[[], "str | None"]
"""What ``nvidia-smi -L`` prints; None where there is no such program or no driver."""

_MASKS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
_UUID = re.compile(r"\(UUID: ([A-Za-z0-9/-]+)\)")
_AMD_NODES = "/sys/class/kfd/kfd/topology/nodes"
_NVIDIA_SMI_S = 30.0


def find_gpus(
    environ: Mapping[str, str] = os.environ,
    list_nvidia: Listing | None = None,
    amd_nodes: str = _AMD_NODES,
) -> tuple[str, ...]:
    """The GPUs that this process may use, each as its variable names it; () where there is none.

    NVIDIA's by their UUID, or those of their MIG slices: CUDA counts devices by speed and
    nvidia-smi by slot, so that a number could mean either. AMD's by number. Where
    CUDA_VISIBLE_DEVICES (HIP_…, ROCR_…) is set it holds: its entries up to the first that is
    not there, as CUDA reads it. Asking an idle driver may take seconds: ask once.
    """
    mask = next((environ[name] for name in _MASKS if name in environ), None)
    if mask is not None and not mask.strip():
        return ()
    text = (list_nvidia or run_nvidia_smi)()
    if text is not None:
        found, known = _nvidia_gpus(text)
    else:
        found = known = _amd_gpus(amd_nodes)
    if mask is None:
        return found
    return _masked(mask, found, known, is_trusted=text is None and not found)


def visible_devices(devices: Sequence[str]) -> dict[str, str]:
    """The variables that let a task see ``devices`` alone; none where it was given none.

    https://docs.nvidia.com/cuda/cuda-programming-guide/05-appendices/environment-variables.html
    https://rocm.docs.amd.com/en/latest/conceptual/gpu-isolation.html (HIP reads both)
    """
    if not devices:
        return {}
    text = ",".join(devices)
    variables = {"CUDA_VISIBLE_DEVICES": text}
    if all(device.isdecimal() for device in devices):
        variables["HIP_VISIBLE_DEVICES"] = text
    return variables


def run_nvidia_smi() -> str | None:
    """What ``nvidia-smi -L`` prints; None where it is not there, fails or hangs."""
    import subprocess

    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_NVIDIA_SMI_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _nvidia_gpus(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(what tasks can be given, all UUIDs): a card that is cut in slices is given by the slice."""
    cards: list[list[str]] = []
    for line in text.splitlines():
        found = _UUID.search(line)
        if found is None:
            continue
        if line.startswith("GPU "):
            cards.append([found.group(1)])
        elif cards and line.lstrip().startswith("MIG "):
            cards[-1].append(found.group(1))
    given = tuple(uuid for card in cards for uuid in (card[1:] or card))
    return given, tuple(uuid for card in cards for uuid in card)


def _amd_gpus(nodes: str) -> tuple[str, ...]:
    """Numbers of the nodes of the kernel's topology that compute; processors have a gpu_id of 0."""
    try:
        names = os.listdir(nodes)
    except OSError:
        return ()
    count = 0
    for name in names:
        try:
            with open(os.path.join(nodes, name, "gpu_id"), encoding="ascii") as file:
                count += file.read().strip() not in ("", "0")
        except OSError:
            continue
    return tuple(map(str, range(count)))


def _masked(
    mask: str, found: tuple[str, ...], known: tuple[str, ...], *, is_trusted: bool
) -> tuple[str, ...]:
    """``is_trusted``: nobody can be asked what there is, so every entry but -1 is believed."""
    allowed: list[str] = []
    for entry in mask.split(","):
        name = entry.strip()
        if name.isdecimal():
            is_there = is_trusted or int(name) < len(found)
        else:
            # A UUID may be cut short, as long as it is clear which is meant.
            is_there = bool(name) and name != "-1"
            is_there = is_there and (is_trusted or any(uuid.startswith(name) for uuid in known))
        if not is_there or name in allowed:
            break
        allowed.append(name)
    return tuple(allowed)
