"""Two people in two folders with one PostgreSQL database: one history."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from swell.metastore.postgres import open_metastore
from swell.metastore.postgres_address import public_address
from tests.faults.driving import Place
from tests.servers.postgres import PASSWORD, PostgresServer

FLOW = """
import os

class TeamFlow(FlowSpec):
    size = Parameter("size", default=10)

    @step
    def start(self):
        self.xs = [1, 2, 3]
        self.big = os.urandom(self.size)
        print("hello from", os.environ["SWELL_USER"])
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        self.y = self.input * 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.y for i in inputs)
        self.big = inputs[0].big
        self.next(self.end)

    @step
    def end(self):
        if os.environ.get("FAIL"):
            raise ValueError("as asked")
        print("total is", self.total, len(self.big))

if __name__ == "__main__":
    TeamFlow()
"""


class Person(Place):
    """Somebody with a folder of their own, and the team's database."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        folder.mkdir()
        super().__init__(folder)
        self.name = name
        self.url = url
        self.flow = self.script(FLOW)

    def environ(self, **variables: str) -> dict[str, str]:
        own = {"SWELL_USER": self.name, "SWELL_METADATA": self.url, **variables}
        return super().environ(**own)

    def look(self, code: str, **variables: str) -> str:
        """What a notebook of theirs prints."""
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=self.folder,
            env=self.environ(**variables),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.stdout + done.stderr


@pytest.fixture
def ann(tmp_path: Path, postgres_url: str) -> Person:
    return Person(tmp_path / "ann", "ann", postgres_url)


@pytest.fixture
def bob(tmp_path: Path, postgres_url: str) -> Person:
    return Person(tmp_path / "bob", "bob", postgres_url)


def test_two_people_share_one_history_and_never_a_number(ann: Person, bob: Person) -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda person: person.run(person.flow, "run"), (ann, bob)))
    assert [run.code for run in runs] == [0, 0], runs[0].text + runs[1].text
    assert not (ann.root / "metadata.db").exists()

    seen = "from swell import Flow, namespace\n"
    seen += "print([run.id for run in Flow('TeamFlow')])\nnamespace(None)\n"
    seen += "print(sorted((run.id, run.data.total, run.successful) for run in Flow('TeamFlow')))"
    own, everyone = bob.look(seen).splitlines()
    assert own in ("['1']", "['2']")
    assert everyone == "[('1', 12, True), ('2', 12, True)]"
    assert ann.look(seen).splitlines()[0] != own


def test_namespaces_and_tags_hold_between_two_people(ann: Person, bob: Person) -> None:
    assert ann.run(ann.flow, "run", "--tag", "exp").code == 0

    mismatch = bob.look("from swell import Run; Run('TeamFlow/1')")
    assert "NamespaceMismatch" in mismatch
    assert "namespace(None)" in mismatch

    change = "from swell import Run, namespace; namespace('exp'); run = Run('TeamFlow/1')\n"
    change += "run.replace_tag('exp', 'seen by bob'); print(run.user_tags)"
    assert bob.look(change) == "frozenset({'seen by bob'})\n"
    assert ann.look("from swell import Run; print(*Run('TeamFlow/1').user_tags)") == "seen by bob\n"
    refused = bob.look(change.replace("'exp'", "'user:ann'"))
    assert "TaggingError" in refused, refused


def test_what_lies_on_another_machine_is_told_by_name(ann: Person, bob: Person) -> None:
    assert ann.run(ann.flow, "run", "--size", "100000").code == 0
    small = "from swell import Run, namespace; namespace(None); run = Run('TeamFlow/1')\n"
    host = os.uname().nodename

    assert bob.look(small + "print(run.data.total)") == "12\n"
    assert ann.look(small + "print(len(run.data.big))") == "100000\n"
    for what in ("run.data.big", "run['start'].task.stdout"):
        told = bob.look(small + what).splitlines()[-1]
        assert "DataMissing" in told, told
        assert f"{host}:{ann.root / 'blobs'}" in told
        assert "ann ran it" in told
    logs = bob.run(bob.flow, "logs", "1/start")
    assert logs.code == 1
    assert str(ann.root) in logs.text, logs.text
    stored = bob.look(small + "print(run['start'].task.metadata_dict['ds-root'])")
    assert stored == f"{ann.root / 'blobs'}\n"


def test_a_run_of_a_colleague_is_resumed_unless_its_artifacts_are_out_of_reach(
    ann: Person, bob: Person
) -> None:
    failing = ann.environ(FAIL="yes")
    assert ann.run(ann.flow, "run", env=failing).code == 1
    assert ann.run(ann.flow, "run", "--size", "100000", env=failing).code == 1

    resumed = bob.run(bob.flow, "resume", "--origin-run-id", "1")
    assert resumed.code == 0, resumed.text
    assert "total is 12 10" in resumed.text
    refused = bob.run(bob.flow, "resume", "--origin-run-id", "2")
    assert refused.code == 1
    assert "What run TeamFlow/2 left cannot be reached from here" in refused.text
    at_home = ann.run(ann.flow, "resume", "--origin-run-id", "2")
    assert at_home.code == 0, at_home.text
    assert "total is 12 100000" in at_home.text


def test_a_resumed_run_has_the_configs_of_its_origin(ann: Person, bob: Person) -> None:
    text = """
        import os
        from swell import Config

        class ConfigFlow(FlowSpec):
            conf = Config("conf", default_value={"size": 1})

            @step
            def start(self):
                self.next(self.end)

            @step
            def end(self):
                if os.environ.get("FAIL"):
                    raise ValueError("as asked")
                print("size is", self.conf.size, len(self.conf.get("more", "")))

        if __name__ == "__main__":
            ConfigFlow()
        """
    ann_script, bob_script = ann.script(text, "config.py"), bob.script(text, "config.py")
    for value in ('{"size": 7}', '{"size": 8, "more": "%s"}' % ("x" * 50_000)):
        arguments = ("--config-value", "conf", value, "run")
        assert ann.run(ann_script, *arguments, env=ann.environ(FAIL="yes")).code == 1

    resumed = bob.run(bob_script, "resume", "--origin-run-id", "1")
    assert "size is 7 0" in resumed.text, resumed.text
    refused = bob.run(bob_script, "resume", "--origin-run-id", "2")
    assert refused.code == 1
    assert "What run ConfigFlow/2 left cannot be reached from here" in refused.text


def test_the_database_on_the_command_line_holds_for_tasks_too(
    ann: Person, postgres_server: PostgresServer
) -> None:
    url = postgres_server.new_database()
    script = ann.script(
        """
        from swell import Flow, current

        class LookFlow(FlowSpec):
            @step
            def start(self):
                run = Flow("LookFlow")[current.run_id]
                print("sees", run.pathspec, sorted(run.user_tags))
                self.next(self.end)

            @step
            def end(self):
                pass

        if __name__ == "__main__":
            LookFlow()
        """,
        "look.py",
    )
    for isolation in ("fork", "fresh"):
        arguments = ("--metadata", url, "run", "--isolation", isolation, "--tag", "t")
        driver = ann.run(script, *arguments, env=ann.environ(SWELL_METADATA="local"))
        assert driver.code == 0, driver.text
        assert "sees LookFlow/" in driver.text
        assert PASSWORD not in driver.text
    with_both = open_metastore(url)
    assert len(with_both.runs("LookFlow")) == 2
    with_both.close()
    assert not (ann.root / "metadata.db").exists()
    local = ann.run(ann.flow, "--metadata", "local", "run")
    assert local.code == 0, local.text
    assert (ann.root / "metadata.db").exists()


def test_logs_of_the_folders_own_runs_and_of_the_teams_are_kept_apart(ann: Person) -> None:
    alone = ann.environ(SWELL_METADATA="local", SWELL_USER="lone")
    assert ann.run(ann.flow, "run", env=alone).code == 0
    assert ann.run(ann.flow, "run").code == 0

    assert "hello from lone" in ann.run(ann.flow, "logs", "1/start", env=alone).text
    shared = ann.run(ann.flow, "logs", "1/start").text
    assert "hello from ann" in shared
    assert "lone" not in shared


def test_a_notebook_names_the_database(ann: Person, bob: Person) -> None:
    assert ann.run(ann.flow, "run").code == 0
    address = public_address(ann.url)
    for given in (ann.url, f"postgresql@{ann.url}"):
        code = "from swell import metadata, get_metadata, Run, namespace; namespace(None)\n"
        code += f"print(metadata({given!r}), get_metadata(), Run('TeamFlow/1').successful)"
        assert bob.look(code, SWELL_METADATA="local") == f"{address} {address} True\n"


def test_no_password_is_shown_or_stored_anywhere(ann: Person) -> None:
    attributes = ann.folder / "attributes.json"
    failed = ann.run(
        ann.flow,
        *("--metadata", ann.url, "run", "--runner-attribute-file", str(attributes)),
        env=ann.environ(FAIL="yes"),
    )
    assert failed.code == 1
    assert "resume" in failed.text
    assert PASSWORD not in failed.text
    assert PASSWORD not in attributes.read_text()
    for file in ann.root.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes()
    doctor = ann.look(
        "import sys; sys.argv = ['swell', 'doctor']; import swell.cli.main as m; m.swell_command()"
    )
    assert public_address(ann.url) in doctor, doctor
    assert PASSWORD not in doctor
