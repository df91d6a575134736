"""An attempt that cannot run in its container says why, before the flow starts."""

from __future__ import annotations

import pytest

from tests.e2e.bootstrap_stage import Stage


def test_a_wrong_python_version_is_told_before_the_flow_starts(stage: Stage) -> None:
    stage.changes["python"] = "3.2"
    stage.prepare("print('never')")

    done = stage.run()

    assert (done.returncode, done.stdout) == (78, b"")
    told = stage.end().told
    assert told["ended_by"] == "environment"
    assert "this flow and its packages were made for Python 3.2" in str(told["sentence"])
    assert str(told["sentence"]) in done.stderr.decode()


def test_a_wrong_machine_is_told_before_the_flow_starts(stage: Stage) -> None:
    stage.changes["machine"] = "pdp11"
    stage.prepare("print('never')")

    assert stage.run().returncode == 78
    assert "were made for pdp11" in str(stage.end().told["sentence"])


def test_an_executable_that_the_image_does_not_have_is_told(stage: Stage) -> None:
    stage.changes["executable"] = "no-such-python"
    stage.prepare("print('never')")

    assert stage.run().returncode == 78
    assert "'no-such-python' (executable=) is no Python" in str(stage.end().told["sentence"])


def test_a_damaged_package_is_told(stage: Stage) -> None:
    stage.changes["layers"] = [{"key": "layers/bad.zip", "sha256": "0" * 64, "size": 5}]
    stage.prepare("print('never')")
    stage.put("layers/bad.zip", b"wrong")

    assert stage.run().returncode == 78
    assert "layers/bad.zip is damaged" in str(stage.end().told["sentence"])


def test_a_package_that_is_not_there_is_told(stage: Stage) -> None:
    stage.changes["layers"] = [{"key": "layers/gone.zip", "sha256": "0" * 64, "size": 5}]
    stage.prepare("print('never')")

    assert stage.run().returncode == 78
    sentence = str(stage.end().told["sentence"])
    assert "layers/gone.zip failed: 404 NoSuchKey" in sentence


def test_an_index_beyond_the_submission_is_told(stage: Stage) -> None:
    stage.prepare("print('never')")

    assert stage.run(AWS_BATCH_JOB_ARRAY_INDEX="1").returncode == 78
    assert stage.end().told["sentence"] == "The submission has 1 members, and none with index 1."


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("SWELL_BOOTSTRAP", f"bootstrap/none.zip#{'0' * 64}", "NoSuchKey"),
        ("SWELL_MANIFEST", f"none.json#{'0' * 64}", "NoSuchKey"),
        ("SWELL_STORE", "gs://bucket/prefix", "it must be s3://bucket/prefix"),
        ("AWS_SECRET_ACCESS_KEY", "wrong", "SignatureDoesNotMatch"),
        ("AWS_BATCH_JOB_ID", "", "AWS_BATCH_JOB_ID is not set"),
    ],
)
def test_what_keeps_an_attempt_from_starting_is_one_sentence_on_stderr(
    stage: Stage, variable: str, value: str, word: str
) -> None:
    stage.prepare("print('never')")

    done = stage.run(**{variable: value})

    assert done.returncode == 78
    assert word in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert stage.news() == []


def test_a_bootstrap_with_another_hash_is_not_run(stage: Stage) -> None:
    stage.prepare("print('never')")
    key = stage.environ["SWELL_BOOTSTRAP"].partition("#")[0]

    done = stage.run(SWELL_BOOTSTRAP=f"{key}#{'0' * 64}")

    assert done.returncode == 78
    assert "is damaged: its SHA-256 is" in done.stderr.decode()


def test_without_credentials_the_attempt_says_which_were_looked_for(stage: Stage) -> None:
    stage.prepare("print('never')")
    del stage.environ["AWS_ACCESS_KEY_ID"], stage.environ["AWS_SECRET_ACCESS_KEY"]

    done = stage.run()

    assert done.returncode == 78
    assert "no credentials: the machine's metadata service gave none" in done.stderr.decode()
