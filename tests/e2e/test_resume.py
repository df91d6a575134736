"""`resume`: what it takes over, what it runs again, and what the origin gives (whole runs)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.flow_place import NESTED, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def ran(place: Place, run: int) -> list[str]:
    """What the steps of ``run`` noted, without the run's number."""
    lines = (place.folder / "ran").read_text().splitlines()
    return sorted(line.split(" ", 1)[1] for line in lines if line.startswith(f"{run} "))


def test_resume_of_a_nested_foreach_runs_the_failed_task_and_what_follows(place: Place) -> None:
    place.write("import os\n" + NESTED)
    (place.folder / "broken").touch()
    place.call("run", "--max-workers", "1", "--keep-going", code=1)
    (place.folder / "broken").unlink()

    place.call("resume")

    assert ran(place, 2) == ["inner 1 1", "join_inner 1"]
    assert place.run("NestedFlow/2").data.total == sum(2 * x + 1 for x in (10, 20, 30))


def test_resume_of_a_step_runs_it_for_every_item_and_what_follows(place: Place) -> None:
    place.write("import os\n" + NESTED)
    place.call("run")

    place.call("resume", "join_inner")

    assert ran(place, 2) == ["join_inner 0", "join_inner 1", "join_inner 2"]
    cloned = {
        task.parent.id
        for step in place.run("NestedFlow/2")
        for task in step
        if task.origin_pathspec
    }
    assert cloned == {"start", "outer", "inner"}


def test_resume_of_a_finished_run_takes_all_over_and_succeeds(place: Place) -> None:
    place.write("import os\n" + NESTED)
    place.call("run")

    place.call("resume")

    assert ran(place, 2) == []
    assert place.run("NestedFlow/2").successful
    assert place.run("NestedFlow/2").data.total == place.run("NestedFlow/1").data.total


def test_a_step_behind_the_failed_one_goes_on_at_the_failed_one(place: Place) -> None:
    place.write("import os\n" + NESTED)
    (place.folder / "broken").touch()
    place.call("run", "--max-workers", "1", "--keep-going", code=1)
    (place.folder / "broken").unlink()

    place.call("resume", "end")

    assert ran(place, 2) == ["inner 1 1", "join_inner 1"]


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_changed_constant_is_used_stored_and_told(place: Place, size: int) -> None:
    place.write("import os\n" + NESTED)
    place.change("factor = 1", f"factor = 1; table = 'x' * {size}")
    (place.folder / "broken").touch()
    place.call("run", "--max-workers", "1", "--keep-going", code=1)
    (place.folder / "broken").unlink()
    place.change(f"'x' * {size}", f"'y' * {size}")

    done = place.call("resume")

    assert "Constants changed since run 1: 'table'" in done.stdout + done.stderr
    assert place.run("NestedFlow/2").data.table == "y" * size


def test_parameters_come_from_the_origin_even_when_the_default_changed(place: Place) -> None:
    place.write("import os\n" + NESTED)
    place.call("run", "--n", "3")
    place.change("default=2", "default=9")

    place.call("resume", "start")

    assert place.run("NestedFlow/2").data.n == 3
    done = place.call("resume", "--n", "4", code=2)
    assert "--n" in done.stderr


def test_a_parameter_that_is_new_in_the_code_has_its_default(place: Place) -> None:
    place.write("import os\n" + NESTED)
    place.call("run")
    place.change("factor = 1", "factor = 1; m = Parameter('m', default=5)")
    place.change('print("total is", self.total)', 'print("m is", self.m)')

    done = place.call("resume", "end")

    assert "m is 5" in done.stdout


def test_a_renamed_step_runs_and_a_deleted_one_is_gone(place: Place) -> None:
    place.write("""
        class ThreeFlow(FlowSpec):
            @step
            def start(self):
                print("start runs")
                self.next(self.one)

            @step
            def one(self):
                self.by = "one"
                print("one runs")
                self.next(self.two)

            @step
            def two(self):
                print("two runs")
                self.next(self.end)

            @step
            def end(self):
                print("end runs", self.by)
    """)
    place.call("run")
    place.change("def one(self)", "def uno(self)")
    place.change("self.one)", "self.uno)")
    renamed = place.call("resume")
    assert "start runs" not in renamed.stdout
    assert "one runs" in renamed.stdout
    assert "two runs" in renamed.stdout, "what a new step computes must not meet old results"
    place.change("self.next(self.two)", "self.next(self.end)")
    delete_step(place, "two")

    deleted = place.call("resume")

    assert "runs" not in deleted.stdout, "every step that is left was taken over"
    assert "two" not in place.run("ThreeFlow/3")
    assert place.run("ThreeFlow/3").successful


def delete_step(place: Place, name: str) -> None:
    """Take a step out of the script."""
    before, _, rest = place.script.read_text().partition(f"    @step\n    def {name}(self):")
    _, _, after = rest.partition("\n\n")
    place.script.write_text(before + after)


def test_a_loop_goes_on_after_its_last_good_round(place: Place) -> None:
    place.write("""
        import os
        class LoopFlow(FlowSpec):
            @step
            def start(self):
                self.rounds = 0
                self.next(self.loop)

            @step
            def loop(self):
                print("round", self.rounds)
                if self.rounds == 3 and not os.path.exists("mended"):
                    raise ValueError("the fourth round fails")
                self.rounds += 1
                self.state = "again" if self.rounds < 5 else "enough"
                self.next({"again": self.loop, "enough": self.end}, condition="state")

            @step
            def end(self):
                print("rounds:", self.rounds)
    """)
    place.call("run", code=1)
    (place.folder / "mended").touch()

    done = place.call("resume")

    assert "rounds: 5" in done.stdout
    assert [n for n in range(5) if f"round {n}" in done.stdout] == [3, 4]


def test_a_gang_that_did_not_finish_runs_again_whole(place: Place) -> None:
    place.write("""
        import os
        class GangFlow(FlowSpec):
            @step
            def start(self):
                self.next(self.work, num_parallel=2)

            @parallel
            @step
            def work(self):
                print("node", self.index, "runs")
                if self.index == 1 and not os.path.exists("mended"):
                    raise ValueError("node 1")
                self.next(self.join)

            @step
            def join(self, inputs):
                self.next(self.end)

            @step
            def end(self):
                pass
    """)
    place.call("run", code=1)
    (place.folder / "mended").touch()

    done = place.call("resume")

    assert "node 0 runs" in done.stdout
    assert "node 1 runs" in done.stdout


def test_resume_takes_the_latest_run_and_becomes_the_latest_itself(place: Place) -> None:
    place.write("import os\n" + NESTED)
    (place.folder / "broken").touch()
    place.call("run", "--n", "2", code=1)
    place.call("resume", code=1)
    (place.folder / "broken").unlink()

    place.call("resume", "--tag", "third")

    third = place.run("NestedFlow/3")
    assert third.successful
    assert third.user_tags == frozenset({"third"})
    assert third["_parameters"].task.origin_pathspec == "NestedFlow/2/_parameters/0"
    assert {t.metadata_dict["origin-run-id"] for t in third["start"]} == {"2"}


def test_a_caught_task_is_taken_over(place: Place) -> None:
    place.write("""
        import os
        class CaughtFlow(FlowSpec):
            @catch(var="problem")
            @step
            def start(self):
                print("start runs")
                self.kept = 1
                raise ValueError("caught")
                self.next(self.end)

            @step
            def end(self):
                assert os.path.exists("mended")
                print(self.kept, self.problem.type)
    """)
    place.call("run", code=1)
    (place.folder / "mended").touch()

    done = place.call("resume")

    assert "start runs" not in done.stdout
    assert "1 builtins.ValueError" in done.stdout


def test_included_files_and_configs_are_the_origins(place: Place) -> None:
    place.write("""
        import os
        class FileFlow(FlowSpec):
            text = IncludeFile("text")
            config = Config("config", default="config.json")

            @step
            def start(self):
                self.next(self.end)

            @environment(vars={"OF_CONFIG": config.a})
            @step
            def end(self):
                assert os.path.exists("mended")
                print(self.text, self.config.a, os.environ["OF_CONFIG"])
    """)
    (place.folder / "words").write_text("old words")
    (place.folder / "config.json").write_text('{"a": "old config"}')
    place.call("run", "--text", "words", code=1)
    (place.folder / "words").unlink()
    (place.folder / "config.json").unlink()
    (place.folder / "mended").touch()

    done = place.call("resume")

    assert "old words old config old config" in done.stdout
    refused = place.call("--config", "config", "config.json", "resume", code=2)
    assert "resume" in refused.stderr
