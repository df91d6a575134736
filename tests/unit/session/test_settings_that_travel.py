"""Which settings of a driver hold for attempts on other machines."""

from __future__ import annotations

from swell.model.job import RunContext
from swell.session.remote import settings_that_travel
from swell.settings import load_settings

CONTEXT = RunContext("F", "7", "ann", None, (), None, "s3://b/p", "sqlite", b"", "f.py")


def test_what_values_may_load_holds_on_other_machines_too():
    given = {"SWELL_UNPICKLE": "allow-list", "SWELL_UNPICKLE_ALLOW": "sklearn."}
    settings = load_settings({"SWELL_HOME": "/nowhere", "SWELL_DATASTORE": "s3://b/p", **given})
    travels = settings_that_travel(settings, CONTEXT)
    assert travels == {"SWELL_USER": "ann", "SWELL_DATASTORE": "s3://b/p", **given}


def test_settings_that_nobody_gave_do_not_travel():
    assert settings_that_travel(load_settings({"SWELL_HOME": "/nowhere"}), CONTEXT) == {
        "SWELL_USER": "ann"
    }
