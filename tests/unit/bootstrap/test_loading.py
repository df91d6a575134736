"""The two things that a driver takes from here: a program, and a zip file."""

from __future__ import annotations

import hashlib
import io
import zipfile

from swell.bootstrap.loading import bootstrap_zip, loader_program


def test_the_loader_is_the_same_each_time_and_fits_a_job_definition() -> None:
    program = loader_program()

    assert program == loader_program()
    assert len(program) < 7_000
    # AWS Batch replaces what begins like this by parameters of the job.
    assert "Ref::" not in program


def test_the_zip_file_is_the_same_each_time_and_holds_the_bootstrap_only() -> None:
    data, digest = bootstrap_zip()

    assert bootstrap_zip() == (data, digest)
    assert digest == hashlib.sha256(data).hexdigest()
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert {name.rpartition("/")[0] for name in names} == {"swell", "swell/bootstrap"}
    assert {"swell/bootstrap/supervisor.py", "swell/bootstrap/supervisor.pyc"} <= set(names)
    assert "swell/bootstrap/loading.py" not in names
