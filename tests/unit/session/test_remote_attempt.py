"""What an attempt elsewhere adds: the remedy for a missing module, the main node's address."""

from __future__ import annotations

import socket

import msgspec
import pytest

from swell.model.cause import Cause
from swell.model.ids import JobId
from swell.model.job import Gang, Inputs, Launch
from swell.model.record import AttemptResult, Outcome
from swell.model.remote import Manifest, Package
from swell.session.remote_attempt import at_its_place, with_code, with_remedy
from swell.settings import load_settings


def result(**outcome: object) -> AttemptResult:
    return AttemptResult(Outcome(**outcome), msgspec.Raw(b""))  # type: ignore[arg-type]  # one each


def test_a_missing_module_is_told_with_the_package_that_has_it() -> None:
    message = "ModuleNotFoundError: No module named 'yaml'"
    told = with_remedy(result(ok=False, cause=Cause.USER_ERROR, message=message)).outcome
    assert told.message.startswith(f"{message}. The container has no module 'yaml'")
    assert "@pypi(packages={'pyyaml': ''})" in told.message
    assert told.cause is Cause.USER_ERROR


@pytest.mark.parametrize("outcome", [{"ok": True}, {"ok": False, "message": "ValueError: no"}])
def test_other_ends_stay_as_they_are(outcome: dict[str, object]) -> None:
    before = result(**outcome)
    assert with_remedy(before) is before


def test_what_code_an_attempt_ran_is_a_fact_of_it() -> None:
    manifest = Manifest(
        *("F", "1", "start", "s3://b/p", "runs/F/1", Package("code/ab.zip", "ab", 9), ()),
        *("flow.py", "3.11", "x86_64", ""),
    )
    made = msgspec.structs.replace(result(ok=True), metadata={"a": ("a", "b")})

    facts = with_code(made, manifest).metadata

    assert facts["a"] == ("a", "b")
    kind, text = facts["code-package"]
    assert kind == "code-package"
    assert msgspec.json.decode(text) == {
        "ds_type": "s3",
        "sha": "ab",
        "location": "s3://b/p/code/ab.zip",
        "script": "flow.py",
    }


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({"AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": "10.0.0.7"}, "10.0.0.7"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1"}, "10.0.0.8"),
        ({}, "127.0.0.1"),
    ],
)
def test_the_members_of_a_gang_know_the_address_of_the_main_node(
    environ: dict[str, str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "10.0.0.8")
    launch = Launch(JobId("work/2", 0), "work", 1, Inputs(), gang=Gang(0, 2, "2"))

    placed = at_its_place(launch, load_settings(environ))

    assert placed.gang is not None
    assert placed.gang.main_ip == address
