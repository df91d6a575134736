"""PostgreSQL that goes away in mid-run, or was never there."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest

from swell.errors import MetadataError, UsageError
from swell.metastore.postgres import open_metastore
from swell.model.facts import RunStatus, TaskCreated
from swell.model.ids import RunId
from swell.session.databases import open_for_reading, open_for_run
from swell.session.place import find_place
from swell.settings import Settings
from swell.testing.stored_facts import ended, new_run
from tests.faults.driving import Place
from tests.servers.postgres import PASSWORD, USER, PostgresServer

LONG_FLOW = """
import os, time

class LongFlow(FlowSpec):
    @step
    def start(self):
        self.xs = list(range(12))
        self.next(self.work, foreach="xs")

    @step
    def work(self):
        print("at work", flush=True)
        while not os.path.exists(f"free{self.input // 4}"):
            time.sleep(0.01)
        self.y = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.y for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total is", self.total)

if __name__ == "__main__":
    LongFlow()
"""


def run_of(place: Place, url: str) -> dict[str, str]:
    return place.environ(SWELL_METADATA=url)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_restarts_in_mid_run_is_waited_for_and_nothing_is_lost_or_doubled(
    place: Place, own_postgres: PostgresServer, how: signal.Signals
) -> None:
    script = place.script(LONG_FLOW)
    url = own_postgres.new_database()
    arguments = ("run", "--max-workers", "4")
    with place.started(script, *arguments, env=run_of(place, url)) as driver:
        driver.wait_for("at work", 4)
        own_postgres.stop(how)
        (place.folder / "free0").touch()
        driver.wait_for("Waiting for it, up to 10 minutes")
        own_postgres.start()
        driver.wait_for("at work", 8)
        (place.folder / "free1").touch()
        (place.folder / "free2").touch()
        assert driver.wait() == 0, driver.text
    assert "total is 66" in driver.text
    assert "answers again" in driver.text
    assert driver.text.count("Waiting for it") == driver.text.count("answers again") == 1

    store = open_metastore(url)
    (run,) = store.runs()
    assert run.status is RunStatus.DONE
    assert sorted(fact.created.step for fact in store.tasks(run.id)) == sorted(
        ["_parameters", "start", *["work"] * 12, "join", "end"]
    )
    assert all(fact.ok for fact in store.tasks(run.id))
    attempts = store.attempts(run.id)
    assert len(attempts) == len(store.records(run.id)) == 16
    assert all(attempt.started_at and attempt.ended_at for attempt in attempts)
    store.close()


def test_a_server_that_stays_away_ends_the_run_after_the_time_that_was_set(
    place: Place, own_postgres: PostgresServer
) -> None:
    script = place.script(LONG_FLOW)
    url = own_postgres.new_database()
    environ = {**run_of(place, url), "SWELL_METADATA_WAIT": "1"}
    with place.started(script, "run", env=environ) as driver:
        driver.wait_for("at work", 4)
        own_postgres.stop()
        for number in range(3):
            (place.folder / f"free{number}").touch()
        assert driver.wait() == 1, driver.text
    assert driver.code != 0, driver.text
    assert_told(driver.text, "does not answer", "Check that the server runs")
    place.wait_until_empty()

    own_postgres.start()
    resumed = place.run(script, "resume", env=environ)
    assert resumed.code == 0, resumed.text
    assert "total is 66" in resumed.text


def test_ctrl_c_during_an_outage_does_not_wait_for_its_end(
    place: Place, own_postgres: PostgresServer
) -> None:
    script = place.script(LONG_FLOW)
    url = own_postgres.new_database()
    with place.started(script, "run", env=run_of(place, url)) as driver:
        driver.wait_for("at work", 4)
        own_postgres.stop()
        (place.folder / "free0").touch()
        driver.wait_for("Waiting for it")
        driver.send(signal.SIGINT)
        # The database is away for good: 10 minutes would be waited for it otherwise.
        assert driver.wait(60) != 0
    place.wait_until_empty()


def test_a_run_is_made_once_though_the_answer_was_lost(postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    store = open_metastore(url)
    database = store._database
    changing = database._connections.changing  # type: ignore[attr-defined]  # PostgreSQL's
    lost = []

    def lose_the_first_answer(change):  # type: ignore[no-untyped-def]
        answer = changing(change)
        if not lost:
            import psycopg

            lost.append(answer)
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return answer

    database._connections.changing = lose_the_first_answer  # type: ignore[attr-defined]
    first = store.create_run(new_run(host="box", pid=7))
    second = store.create_run(new_run(host="box", pid=8))

    assert lost == [RunId("SumFlow", 1)]
    assert [first.id.number, second.id.number] == [1, 2]
    assert len(store.runs()) == 2
    store.close()


def test_connections_ended_by_the_server_are_replaced_without_a_word(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.new_database()
    said: list[str] = []
    store = open_metastore(url, tell=said.append)
    run = store.create_run(new_run()).id
    name = url.rpartition("/")[2]
    postgres_server.ask(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    store.commit([TaskCreated(run, "start", "1", 1.0), ended(run, "1")])
    assert [fact.ok for fact in store.tasks(run)] == [True]
    assert said == []
    store.close()


def assert_told(text: str, *words: str) -> None:
    """A message that a user can act upon, without a password and a stack trace of ours."""
    for word in words:
        assert word in text, text
    for word in ("Traceback", "Internal error", PASSWORD):
        assert word not in text, text


def _wrong(kind: str, server: PostgresServer) -> str:
    url = server.new_database()
    return {
        "password": url.replace(PASSWORD, "wrong"),
        "user": url.replace(f"{USER}:", "nobody:"),
        "host": url.replace("127.0.0.1", "no-such-host.invalid"),
        "port": url.replace(f":{server.port}", ":1"),
        "database": f"{server.url('not_there')}",
        "option": f"{url}?colour=blue",
        "number": url.replace(f":{server.port}", ":seven"),
        "escape": url.replace(PASSWORD, f"{PASSWORD}%zz"),
        "slash": url.replace(PASSWORD, f"x/{PASSWORD}"),
        "bracket": url.replace("127.0.0.1", "[::1]x"),
        "scheme": url.replace("postgresql", "mysql"),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("password", ["refuses the user name or password", "PGPASSWORD"]),
        ("user", ["refuses the user name or password"]),
        ("host", ["host whose name is not known", "no-such-host.invalid"]),
        ("port", ["does not answer", "Connection refused"]),
        ("database", ["does not exist on its server", "createdb", "not_there"]),
        ("option", ["URL that can be read", "postgresql://user@host/database"]),
        ("number", ["URL that can be read", "seven"]),
        ("escape", ["URL that can be read"]),
        ("slash", ["characters with a meaning", "%2F"]),
        ("bracket", ["URL that can be read"]),
        ("scheme", ["mysql", "postgresql://user@host/database"]),
    ],
)
def test_a_wrong_address_is_told_at_once(
    tmp_path: Path, postgres_server: PostgresServer, kind: str, words: list[str]
) -> None:
    settings = Settings(root=str(tmp_path), metadata=_wrong(kind, postgres_server))
    with pytest.raises((MetadataError, UsageError)) as at_run:
        open_for_run(find_place(settings, None, str(tmp_path)), settings, print, lambda: False)
    assert_told(str(at_run.value), *words)
    with pytest.raises((MetadataError, UsageError)) as at_look:
        open_for_reading(find_place(settings, None, str(tmp_path)))
    assert_told(str(at_look.value), *words)


@pytest.mark.parametrize(
    ("kind", "word"),
    [("password", "PGPASSWORD"), ("port", "does not answer"), ("option", "URL that can be read")],
)
def test_a_wrong_address_ends_a_command_without_a_stack(
    place: Place, postgres_server: PostgresServer, kind: str, word: str
) -> None:
    script = place.script(LONG_FLOW)
    environ = run_of(place, _wrong(kind, postgres_server))
    for command in (["run"], ["logs", "1/start"]):
        driver = place.run(script, *command, env=environ)
        assert driver.code != 0, driver.text
        assert_told(driver.text, word)


def test_a_database_of_a_newer_version_is_told_and_left_as_it_is(postgres_url: str) -> None:
    open_metastore(postgres_url).close()
    ask(postgres_url, "UPDATE swell.store SET layout = 99")
    with pytest.raises(MetadataError, match=r"layout 99, made by a newer swell.*Upgrade") as caught:
        open_metastore(postgres_url)
    assert PASSWORD not in str(caught.value)
    assert ask(postgres_url, "SELECT layout FROM swell.store") == [(99,)]


def test_a_schema_of_another_program_is_told_and_left_as_it_is(postgres_url: str) -> None:
    ask(postgres_url, "CREATE SCHEMA swell")
    ask(postgres_url, "CREATE TABLE swell.cars (id INT)")
    with pytest.raises(MetadataError, match="tables of another program"):
        open_metastore(postgres_url)


def test_a_user_without_rights_is_told(postgres_server: PostgresServer, postgres_url: str) -> None:
    postgres_server.ask("DROP ROLE IF EXISTS guest")
    postgres_server.ask("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    guest = postgres_url.replace(f"{USER}:{PASSWORD}", "guest:guest")
    with pytest.raises(MetadataError, match="may not be used so by this user"):
        open_metastore(guest)
    open_metastore(postgres_url).close()
    with pytest.raises(MetadataError, match="may not be used so by this user"):
        open_metastore(guest)


def test_a_reader_needs_no_more_than_the_right_to_read(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    store = open_metastore(postgres_url)
    run = store.create_run(new_run())
    store.close()
    postgres_server.ask("DROP ROLE IF EXISTS reader")
    postgres_server.ask("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    for right in ("USAGE ON SCHEMA swell", "SELECT ON ALL TABLES IN SCHEMA swell"):
        ask(postgres_url, f"GRANT {right} TO reader")
    url = postgres_url.replace(f"{USER}:{PASSWORD}", "reader:reader")
    reader = open_metastore(url, read_only=True)
    assert reader.run(run.id) == run
    with pytest.raises(MetadataError, match="may not be used so by this user"):
        reader.change_tags(run.id, add=["x"])
    reader.close()
    ask(postgres_url, "DROP OWNED BY reader")


def test_a_login_with_the_rights_that_the_docs_list_can_run_flows(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    open_metastore(postgres_url).close()
    page = (Path(__file__).parents[2] / "docs" / "team.md").read_text()
    grants = page.partition("```sql\n")[2].partition("```")[0].split(";")
    postgres_server.ask("DROP ROLE IF EXISTS ann")
    postgres_server.ask("CREATE ROLE ann LOGIN PASSWORD 'ann'")
    name = postgres_url.rpartition("/")[2]
    ask(postgres_url, f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    for grant in grants:
        if grant.strip():
            ask(postgres_url, grant.replace("DATABASE flows", f"DATABASE {name}"))
    store = open_metastore(postgres_url.replace(f"{USER}:{PASSWORD}", "ann:ann"))
    run = store.create_run(new_run()).id
    tasks = [str(number) for number in range(100)]
    store.commit([TaskCreated(run, "work", task, 1.0) for task in tasks])
    store.heartbeat(run, 2000.0)
    assert store.change_tags(run, add=["x"]) == {"x"}
    assert len(store.tasks(run)) == 100
    store.close()
    ask(postgres_url, "DROP OWNED BY ann")


def test_a_database_without_a_run_is_told_to_readers(postgres_url: str) -> None:
    with pytest.raises(MetadataError, match="no run yet"):
        open_metastore(postgres_url, read_only=True)


def test_a_database_that_is_not_of_unicode_is_told(postgres_server: PostgresServer) -> None:
    postgres_server.ask("DROP DATABASE IF EXISTS latin")
    postgres_server.ask("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(MetadataError, match=r"LATIN1.*UTF8"):
        open_metastore(postgres_server.url("latin"))


def test_a_zero_byte_in_a_tag_is_told(postgres_url: str) -> None:
    store = open_metastore(postgres_url)
    run = store.create_run(new_run()).id
    with pytest.raises(MetadataError, match="zero byte"):
        store.change_tags(run, add=["a\0b"])
    store.close()


def test_a_missing_driver_is_told_with_the_command_that_installs_it(
    place: Place, tmp_path: Path
) -> None:
    assert importlib.util.find_spec("psycopg") is not None
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "psycopg.py").write_text("raise ImportError('not here')")
    path = os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")])
    environ = {**run_of(place, "postgresql://u:s3cret-word@127.0.0.1/x"), "PYTHONPATH": path}
    driver = place.run(place.script(LONG_FLOW), "run", env=environ)
    assert driver.code != 0, driver.text
    assert_told(driver.text, "psycopg", "pip install 'swell[postgres]'")


def ask(url: str, sql: str) -> list[tuple[object, ...]]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []
