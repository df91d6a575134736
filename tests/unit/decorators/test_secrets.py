"""Secrets: where they come from, and that they are never shown."""

import os

import pytest

from swell.decorators.secrets import secrets
from swell.errors import FlowError, TaskError


def inline(**variables):
    return {"type": "inline", "options": {"env_vars": variables}}


def test_inline_and_environment_secrets_are_set_for_the_step_alone(make_task, monkeypatch):
    monkeypatch.setenv("FROM_OUTSIDE", "outer")
    monkeypatch.setenv("ALSO_FROM_OUTSIDE", "other")
    monkeypatch.delenv("GIVEN", raising=False)
    seen = {}

    def look(flow):
        names = ("GIVEN", "FROM_OUTSIDE", "ALSO_FROM_OUTSIDE")
        seen.update({name: os.environ[name] for name in names})

    sources = [
        inline(GIVEN="inner"),
        "env.FROM_OUTSIDE",
        {"type": "env", "options": {"names": ["ALSO_FROM_OUTSIDE"]}},
    ]
    make_task().run([secrets(sources=sources)], look)
    assert seen == {"GIVEN": "inner", "FROM_OUTSIDE": "outer", "ALSO_FROM_OUTSIDE": "other"}
    assert "GIVEN" not in os.environ


def test_a_missing_environment_secret_fails_before_the_step_and_is_named(make_task, monkeypatch):
    monkeypatch.delenv("NOT_THERE", raising=False)
    ran = []
    with pytest.raises(TaskError, match="NOT_THERE"):
        make_task().run([secrets(sources=["env.NOT_THERE"])], ran.append)
    assert ran == []


def test_a_variable_that_is_set_already_needs_allow_override(make_task, monkeypatch):
    monkeypatch.setenv("TAKEN", "old")
    with pytest.raises(TaskError, match="'TAKEN' is set already"):
        make_task().run([secrets(sources=[inline(TAKEN="hidden")])], lambda flow: None)
    seen = []
    use = secrets(sources=[inline(TAKEN="new")], allow_override=True)
    make_task().run([use], lambda flow: seen.append(os.environ["TAKEN"]))
    assert seen == ["new"]
    assert os.environ["TAKEN"] == "old"


def test_values_are_never_shown():
    use = secrets(sources=[inline(A="hidden value")])
    assert "hidden value" not in repr(use)
    assert "hidden value" not in str(use.shown_attributes)


BAD_SOURCES = [
    ("not a list", "env.A"),
    ("says no type", ["A"]),
    ("says no type", ["env."]),
    ("unknown type", ["vault.A"]),
    ("not available yet", ["aws-secrets-manager.A"]),
    ("neither text nor a dict", [3]),
    ("neither text nor a dict", [{"id": "A"}]),
    ("unknown keys colour", [{"type": "env", "id": "A", "colour": "red"}]),
    ("odd options", [{"type": "env", "id": "A", "options": "x"}]),
    ("names no variables", [{"type": "env", "options": {"names": "A"}}]),
    ("names no variables", [{"type": "env", "options": {"names": []}}]),
    ("gives no variables", ["inline.x"]),
    ("gives no variables", [{"type": "inline", "options": {}}]),
    ("cannot name a variable", [inline(**{"two words": "hidden"})]),
    ("cannot name a variable", ["env.1A"]),
    ("begins with SWELL_", [inline(SWELL_HOME="hidden")]),
    ("is a int, not text", [inline(A=12345)]),
    ("comes from two sources", [inline(A="hidden"), "env.A"]),
]


@pytest.mark.parametrize(("told", "sources"), BAD_SOURCES)
def test_a_bad_source_is_refused_before_the_run_without_telling_values(told, sources):
    with pytest.raises(FlowError) as refused:
        secrets(sources=sources).resolve({})
    assert told in refused.value.message
    assert refused.value.remedy
    assert "hidden" not in str(refused.value)
    assert "12345" not in str(refused.value)


def test_an_unknown_type_is_answered_with_the_known_ones():
    with pytest.raises(FlowError) as refused:
        secrets(sources=["vault.A"]).resolve({})
    assert "inline, env" in refused.value.remedy


def test_the_task_is_told_what_to_hide(make_task, monkeypatch):
    monkeypatch.setenv("FROM_OUTSIDE", "outer")
    task = make_task()
    task.run([secrets(sources=[inline(GIVEN="inner"), "env.FROM_OUTSIDE"])], lambda flow: None)
    assert task.hidden == {"inner", "outer"}
