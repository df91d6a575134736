"""Run Metaflow's tutorials on Metaflow and record the artifacts they leave.

`python scripts/record_tutorials.py`, by hand, after tests/tutorials.txt names another
version. The tests compare what swell's runs leave with what is recorded.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.tutorials import RECORDED, TUTORIALS, VARIABLES, comparable  # noqa: E402

READ = """
import pickle, sys
from metaflow import Flow, namespace
namespace(None)
found = {}
for step in Flow(sys.argv[1]).latest_run:
    tasks = sorted(step, key=lambda task: int(task.id))
    found[step.id] = [{a.id: a.data for a in task} for task in tasks]
with open(sys.argv[2], "wb") as file:
    pickle.dump(found, file)
"""


def main() -> None:
    uv = Path(sys.executable).parent / "uv"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = folder / "venv/bin/python"
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder / "venv"], check=True)
        subprocess.run(
            [uv, "pip", "install", "-q", "--python", python, "-r", ROOT / "tests/tutorials.txt"],
            check=True,
        )
        (package,) = (folder / "venv/lib").glob("python*/site-packages/metaflow/tutorials")
        tutorials = shutil.copytree(package, folder / "tutorials")
        environ = {
            **os.environ,
            **VARIABLES,
            "USERNAME": "tester",
            "METAFLOW_HOME": str(folder / "home"),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        }

        def run(*words: object) -> None:
            command = [str(word) for word in (python, *words)]
            subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)

        found = {}
        for script, flow, steps in TUTORIALS:
            run(tutorials / script, "--no-pylint", "run", "--max-workers", 2)
            run("-c", READ, flow, folder / "artifacts")
            artifacts = pickle.loads((folder / "artifacts").read_bytes())
            found[script] = {step: [comparable(task) for task in artifacts[step]] for step in steps}
    RECORDED.parent.mkdir(parents=True, exist_ok=True)
    RECORDED.write_text(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    print(f"written: {RECORDED.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
