"""Secrets that a step uses are in no short text that is stored, nor in the facts of its run."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.flow_place import Place

TOKEN = "tok-5f3c9a7be1"
PASSWORD = "pw-81c6d2f0aa"
KEY = "Hk3s/Jq9vB1zX+mP0cR7tY5uW2eL8dG4fN6aQxZo"
FLOW = """
import os
from swell import secrets

class HushFlow(FlowSpec):
    @secrets(sources=["env.TOKEN"])
    @step
    def start(self):
        self.url = f"https://me:{os.environ['TOKEN']}@host"
        self.keys = {"aws": os.environ["AWS_SECRET_ACCESS_KEY"]}
        self.has_password = bool(os.environ["PASSWORD"])
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_previews_and_facts_hold_no_secret_and_what_is_not_kept_must_be_given_again(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)
    place.write(FLOW)
    known = {"TOKEN": TOKEN, "AWS_SECRET_ACCESS_KEY": KEY}
    spec = f"environment:vars={json.dumps({'PASSWORD': PASSWORD})}"
    place.call("run", "--with", spec, **known)

    refused = place.call("debug", "1/start/1", code=2, **known).stderr
    again = place.call("--with", spec, "debug", "1/start/1", **known).stdout

    run = place.run("HushFlow/1")
    tasks = [task for step in (*run, run["_parameters"]) for task in step]
    texts = [str(fact.value) for task in tasks for fact in task.metadata]
    texts += [ref.preview for task in tasks for ref in task._refs().values()]
    assert not [text for text in texts if any(word in text for word in (TOKEN, PASSWORD, KEY))]
    assert "'https://me:***@host'" in texts
    assert "{'aws': '***'}" in texts
    assert '["environment:vars=***"]' in texts
    assert "--with environment:vars=***: such values are not kept" in refused
    assert "Give them again, before the command: --with 'environment:…'" in refused
    assert "has_password" in again
    assert run["start"].task.data.url == f"https://me:{TOKEN}@host"
