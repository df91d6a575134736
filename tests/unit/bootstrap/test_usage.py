"""Memory limits and kills are read from control groups of both versions."""

from __future__ import annotations

from pathlib import Path

from swell.bootstrap.usage import MemoryGroup


def group(tmp_path: Path, listing: str, files: dict[str, str]) -> MemoryGroup:
    (tmp_path / "listing").write_text(listing)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return MemoryGroup(str(tmp_path / "listing"), str(tmp_path / "root"))


def test_version_2_in_a_container_of_its_own(tmp_path: Path) -> None:
    files = {"memory.events": "low 0\noom 3\noom_kill 2\n", "memory.max": "4194304000\n"}
    found = group(tmp_path, "0::/\n", files)
    assert (found.oom_kills(), found.limit_mb()) == (2, 4000)


def test_version_2_without_a_limit(tmp_path: Path) -> None:
    found = group(tmp_path, "0::/\n", {"memory.max": "max\n"})
    assert (found.oom_kills(), found.limit_mb()) == (None, None)


def test_version_1_whose_group_is_mounted_as_the_root(tmp_path: Path) -> None:
    files = {
        "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        "memory/memory.limit_in_bytes": "2097152000\n",
    }
    listing = "9:name=systemd:/x\n4:memory:/docker/abc\n1:cpu,cpuacct:/x\n0::/\n"
    found = group(tmp_path, listing, files)
    assert (found.oom_kills(), found.limit_mb()) == (1, 2000)


def test_version_1_seen_from_the_machine(tmp_path: Path) -> None:
    files = {
        "memory/memory.oom_control": "oom_kill 7\n",
        "memory/ecs/abc/memory.oom_control": "oom_kill 0\n",
        "memory/ecs/abc/memory.limit_in_bytes": "9223372036854771712\n",
    }
    found = group(tmp_path, "4:memory:/ecs/abc\n", files)
    assert (found.oom_kills(), found.limit_mb()) == (0, None)


def test_a_machine_without_control_groups(tmp_path: Path) -> None:
    found = MemoryGroup(str(tmp_path / "none"), str(tmp_path))
    assert (found.oom_kills(), found.limit_mb()) == (None, None)
