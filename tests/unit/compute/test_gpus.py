"""GPUs are found as the programs of their makers list them, within what the environment allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from swell.compute.gpus import find_gpus, visible_devices

TWO = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-8932f937-d72c-4106-c12f-20bd9faed9f6)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-11111111-d72c-4106-c12f-20bd9faed9f6)
"""
FIRST = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
SECOND = "GPU-11111111-d72c-4106-c12f-20bd9faed9f6"
SLICED = f"""\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: {FIRST})
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 3g.20gb     Device  1: (UUID: MIG-aaaaaaaa-42e4-5de3-91c7-45d71c87eb3f)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {SECOND})
"""


def found(text: str | None, mask: str | None = None, nodes: str = "/nowhere") -> tuple[str, ...]:
    environ = {} if mask is None else {"CUDA_VISIBLE_DEVICES": mask}
    return find_gpus(environ, lambda: text, nodes)


def fake_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_the_gpus_are_those_that_nvidia_smi_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = TWO.strip().replace("\n", "' '")
    fake_nvidia_smi(tmp_path, monkeypatch, f"test \"$1\" = -L && printf '%s\\n' '{lines}'")
    assert find_gpus() == (FIRST, SECOND)


def test_a_driver_that_does_not_answer_means_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert find_gpus(amd_nodes=str(tmp_path / "none")) == ()


def test_no_program_and_no_device_mean_no_gpu() -> None:
    assert found(None) == ()


def test_a_card_that_is_cut_in_slices_is_given_by_the_slice() -> None:
    assert found(SLICED) == (
        "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f",
        "MIG-aaaaaaaa-42e4-5de3-91c7-45d71c87eb3f",
        SECOND,
    )


@pytest.mark.parametrize(
    ("mask", "left"),
    [
        ("", ()),
        ("-1", ()),
        ("1", ("1",)),
        ("1,0", ("1", "0")),
        ("0,-1,1", ("0",)),
        ("0,7,1", ("0",)),
        ("GPU-1111", ("GPU-1111",)),
        ("GPU-2222,0", ()),
        ("0,0", ("0",)),
        ("NoDevFiles", ()),
    ],
)
def test_a_mask_that_is_set_holds_as_cuda_reads_it(mask: str, left: tuple[str, ...]) -> None:
    assert found(TWO, mask) == left


def test_a_mask_is_believed_where_nobody_can_be_asked() -> None:
    assert found(None, "0,1,-1,2") == ("0", "1")


def test_amds_gpus_are_the_nodes_of_the_topology_that_are_no_processors(tmp_path: Path) -> None:
    for number, gpu_id in enumerate(["0", "51234", "51235"]):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "gpu_id").write_text(f"{gpu_id}\n")
    assert found(None, nodes=str(tmp_path)) == ("0", "1")


def test_a_task_sees_its_own_devices_and_one_without_any_is_left_alone() -> None:
    assert visible_devices((FIRST,)) == {"CUDA_VISIBLE_DEVICES": FIRST}
    assert visible_devices(("0", "1")) == {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "HIP_VISIBLE_DEVICES": "0,1",
    }
    assert visible_devices(()) == {}
