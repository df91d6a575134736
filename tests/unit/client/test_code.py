"""The code of tasks that ran elsewhere, as the client gives it: from facts, then from the store."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from swell import Run, Task
from swell.errors import DataDamaged
from swell.model.facts import CODE_FACT, AttemptEnded
from swell.model.ids import JobId, RunId
from swell.model.record import Outcome, Record
from swell.model.wire import encode
from tests.unit.client.filled_store import MemoryStores, Writer

FLOW = "from swell import FlowSpec\n"


def package() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("flows/sum.py", FLOW)
        tool = zipfile.ZipInfo("tools/go.sh")
        tool.external_attr = 0o100755 << 16
        archive.writestr(tool, "#!/bin/sh\n")
    return made.getvalue()


def ran_with(writer: Writer, run: RunId, task: str, content: bytes) -> str:
    """The task ran elsewhere, with this package; returns where that is."""
    sha = hashlib.sha256(content).hexdigest()
    location = f"s3://bucket/swell/1234/code/{sha}.zip"
    told = {"ds_type": "s3", "sha": sha, "location": location, "script": "flows/sum.py"}
    metadata = {CODE_FACT: (CODE_FACT, json.dumps(told))}
    ended = AttemptEnded(
        *(run, JobId(task, 1), writer.tick(), Outcome(True), encode(Record({}))),
        metadata=metadata,
    )
    writer.store.commit([ended])
    return location


def test_a_run_gives_the_files_that_its_tasks_elsewhere_ran_with(
    stores: MemoryStores, writer: Writer
) -> None:
    run, content = writer.whole_run(), package()
    stores.packages[ran_with(writer, run, "3", content)] = content

    code = Run(f"{run}").code

    assert code is not None
    assert (code.script_name, code.flowspec) == ("flows/sum.py", FLOW)
    assert code.path == code.info["location"]
    with code.tarball as tar:
        assert tar.getnames() == ["flows/sum.py", "tools/go.sh"]
        assert tar.extractfile("flows/sum.py").read().decode() == FLOW  # type: ignore[union-attr]
    with code.extract() as folder:
        assert (Path(folder) / "flows/sum.py").read_text() == FLOW
        assert os.access(Path(folder) / "tools/go.sh", os.X_OK)
        assert not os.access(Path(folder) / "flows/sum.py", os.X_OK)


def test_of_tasks_those_have_code_that_ran_elsewhere_in_the_attempt_that_is_shown(
    stores: MemoryStores, writer: Writer
) -> None:
    run, content = writer.whole_run(), package()
    stores.packages[ran_with(writer, run, "3", content)] = content

    there = Task(f"{run}/each/3").code
    assert there is not None
    assert there.flowspec == FLOW
    assert Task(f"{run}/each/3", attempt=1).code is not None
    assert Task(f"{run}/each/3", attempt=0).code is None
    assert Task(f"{run}/each/2").code is None


def test_a_run_here_has_no_code_package(stores: MemoryStores, writer: Writer) -> None:
    assert Run(f"{writer.whole_run()}").code is None


def test_a_package_that_was_changed_in_the_store_is_refused(
    stores: MemoryStores, writer: Writer
) -> None:
    run, content = writer.whole_run(), package()
    stores.packages[ran_with(writer, run, "3", content)] = content + b"more"
    code = Run(f"{run}").code
    assert code is not None
    with pytest.raises(DataDamaged, match="is damaged: its SHA-256 is"):
        _ = code.flowspec
