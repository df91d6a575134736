"""Where benches measure: runs commands, repeats them in turn, and knows the machine."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / ".peers"


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, against what, and the bar it must reach."""

    work: str
    measured: str
    against: str = ""
    ratio: str = ""
    bar: str = ""
    reached: bool | None = None


@dataclass(frozen=True)
class Findings:
    """What one bench found; ``notes`` are sentences under the table."""

    rows: list[Row]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Ended:
    """A finished command: its wall time, what it printed, and by the kernel's account peak
    memory and processor time, those of what it waited for with it."""

    seconds: float
    output: str
    peak_mb: float
    cpu_s: float


class Lab:
    """Runs work on swell and on its peers, each in a store of its own."""

    def __init__(self, full: bool = False) -> None:
        self.full = full
        self.folder = Path(tempfile.mkdtemp(prefix="swell-bench-"))
        self._made = 0

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def fresh_folder(self) -> Path:
        self._made += 1
        folder = self.folder / str(self._made)
        folder.mkdir()
        return folder

    def warm_memory(self, mb: int) -> None:
        """Touch and free so much memory. A virtual machine gives unused pages back to its host,
        and the first to use them again waits for it: four times as long for a write of 1 GB."""
        self.run([sys.executable, "-c", f"b'1' * {mb * 1_000_000}"])

    # --- commands ------------------------------------------------------------

    def run(
        self, command: Sequence[object], cwd: Path | None = None, fails: bool = False, **env: str
    ) -> Ended:
        """Run to the end and time it; raises what it printed if it ends badly."""
        words = [str(word) for word in command]
        # PYTHON…: as a person has it, with compiled bytecode kept and output buffered.
        own = ("SWELL_", "METAFLOW_", "PYTHON")
        environ = {k: v for k, v in os.environ.items() if not k.startswith(own)}
        with tempfile.TemporaryFile("w+") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                words,
                cwd=cwd or self.folder,
                env={**environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            text = output.read()
        if (process.returncode != 0) != fails:
            raise RuntimeError(
                f"{' '.join(words)}\nended with {process.returncode}:\n{text[-3000:]}"
            )
        return Ended(seconds, text, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)

    def swell(self, script: Path, *arguments: object, store: Path, fails: bool = False) -> Ended:
        """Run a flow script on swell."""
        command = [sys.executable, script, "--no-pylint", *arguments]
        return self.run(command, cwd=store, fails=fails, **self.swell_variables(store))

    def metaflow(self, script: Path, *arguments: object, store: Path, fails: bool = False) -> Ended:
        """Run the same script on Metaflow, its import line changed."""
        other = store / script.name
        if not other.exists():
            other.write_text(
                script.read_text().replace("from swell import", "from metaflow import")
            )
        command = [self.peer("metaflow"), other, "--no-pylint", *arguments]
        return self.run(command, cwd=store, fails=fails, **self.metaflow_variables(store))

    @staticmethod
    def swell_variables(store: Path) -> dict[str, str]:
        # This checkout, whatever the environment has installed.
        return {
            "PYTHONPATH": str(ROOT / "src"),
            "SWELL_ROOT": str(store / ".swell"),
            "SWELL_USER": "bench",
        }

    @staticmethod
    def metaflow_variables(store: Path) -> dict[str, str]:
        return {
            "USERNAME": "bench",
            "METAFLOW_HOME": str(store / "home"),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(store),
        }

    # --- peers ---------------------------------------------------------------

    def peer(self, name: str) -> Path:
        """The Python of a peer's environment, which is made on first use and kept."""
        python = PEERS / name / "bin" / "python"
        # Made anew when what it holds has changed.
        ready = PEERS / name / f".ready-{zlib.crc32(' '.join(PACKAGES[name]).encode()):x}"
        if not ready.exists():
            print(f"      making {python.parent.parent.relative_to(ROOT)}", flush=True)
            uv = [str(Path(sys.executable).parent / "uv")]
            base = getattr(sys, "_base_executable", sys.executable)
            subprocess.run([*uv, "venv", "-q", "--clear", "-p", base, PEERS / name], check=True)
            install = [*uv, "pip", "install", "-q", "--compile-bytecode", "--python", python]
            links = [f"--find-links={p}" for p in os.environ.get("PIP_FIND_LINKS", "").split()]
            subprocess.run([*install, *links, *PACKAGES[name]], check=True, cwd=ROOT)
            ready.touch()
        return python

    # --- numbers -------------------------------------------------------------

    @staticmethod
    def in_turn(
        cases: Mapping[str, Callable[[], float]], times: int, fewer: Mapping[str, int] | None = None
    ) -> dict[str, list[float]]:
        """Run all cases one after the other, ``times`` over, so that all see the same machine.

        ``fewer`` names cases that are slow and run less often.
        """
        found: dict[str, list[float]] = {name: [] for name in cases}
        for turn in range(times):
            for name, case in cases.items():
                if turn < (fewer or {}).get(name, times):
                    found[name].append(case())
        return found


PACKAGES = {
    "metaflow": ["metaflow", "numpy", "pandas", "polars", "pyarrow"],
    "dask": ["dask", "distributed"],
    "ray": ["ray"],
    "parsl": ["parsl"],
    # torch is pinned to a version that is published for the processor alone.
    "isolation": [
        *("-e", "."),
        *("numpy", "pandas", "polars", "pyarrow", "scikit-learn", "matplotlib", "requests"),
        "torch==2.13.*",
    ],
}


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ms(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2f} ms"


def runs(values: Sequence[float]) -> str:
    return f"median of {len(values)}" if len(values) > 1 else "once"


def times(ratio: float) -> str:
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.2f}×"


def machine() -> list[str]:
    """What the numbers were measured on."""
    cpu = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":", 1)[1].strip() if names else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"{os.cpu_count()} × {cpu}, {memory:.0f} GB",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    ]


def versions(lab: Lab) -> dict[str, str]:
    """Versions of swell and of the peers that are installed."""
    from importlib.metadata import version

    found = {"swell": version("swell")}
    for name, package in {
        "metaflow": "metaflow",
        "dask": "distributed",
        "ray": "ray",
        "parsl": "parsl",
    }.items():
        if list((PEERS / name).glob(".ready*")):
            code = f"from importlib.metadata import version; print(version({package!r}))"
            found[package] = lab.run([lab.peer(name), "-c", code]).output.strip()
    return found
