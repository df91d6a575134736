"""Runs on a terminal of their own, as a person sees them, and in a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.terminal import DEADLINE_S, Done, python

FLOW = """
import sys, time
from swell import FlowSpec, Parameter, retry, step

class LookFlow(FlowSpec):
    bad = Parameter("bad", default=-1)
    wait = Parameter("wait", default=0.0)

    @step
    def start(self):
        print("hello from start")
        self.items = ["a", "b", "c"]
        self.next(self.work, foreach="items")

    @step
    def work(self):
        print("working on", self.input)
        time.sleep(self.wait)
        if self.index == self.bad:
            raise ValueError(f"{self.input} is bad")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        print("the end")

if __name__ == "__main__":
    LookFlow()
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    path = tmp_path / "look.py"
    path.write_text(FLOW)
    return path


class Terminal:
    """A program on a terminal of its own; ``sent`` is all that it wrote there."""

    def __init__(self, flow: Path, *arguments: str, columns: int = 80, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        self.resize(columns)
        environ = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        environ |= {"SWELL_ROOT": str(flow.parent / ".swell"), "TERM": "xterm", **variables}
        self.process = subprocess.Popen(
            [sys.executable, str(flow), *arguments],
            cwd=flow.parent,
            env=environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.sent = ""

    def resize(self, columns: int) -> None:
        """Make it ``columns`` wide."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press ``keys``."""
        os.write(self._ours, keys)

    def read_until(self, text: str) -> None:
        """Until ``text`` was sent."""
        deadline = time.monotonic() + DEADLINE_S
        while text not in self.sent:
            assert time.monotonic() < deadline, self.sent
            piece = self._read()
            assert piece, self.sent
            self.sent += piece

    def end(self) -> int:
        """Read to the end; the exit code."""
        while piece := self._read():
            self.sent += piece
        os.close(self._ours)
        return self.process.wait(timeout=DEADLINE_S)

    def _read(self) -> str:
        try:
            return os.read(self._ours, 1 << 16).decode("utf-8", "replace")
        except OSError:
            return ""

    @property
    def text(self) -> str:
        """What was sent, without colours and moves of the cursor."""
        return re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r", "", self.sent)


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that must not outlive the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_on_a_terminal_the_steps_stay_below_what_tasks_print(flow: Path) -> None:
    terminal = Terminal(flow, "run")
    assert terminal.end() == 0
    last = terminal.text[terminal.text.rindex("LookFlow run 1") - 2 :].splitlines()
    assert re.fullmatch(r"✓ LookFlow run 1 · done in .*", last[0])
    assert [line.split()[:2] for line in last[1:5]] == [
        ["✓", "start"],
        ["✓", "work"],
        ["✓", "join"],
        ["✓", "end"],
    ]
    assert "3/3" in last[2]
    assert "start/1 │ hello from start" in terminal.text
    assert re.search(r"end/\d+ +│ the end", terminal.text)


def test_after_a_run_the_cursor_is_shown_and_nothing_is_switched(flow: Path) -> None:
    terminal = Terminal(flow, "run")
    terminal.end()
    assert terminal.sent.rindex("\x1b[?25h") > terminal.sent.rindex("\x1b[?25l")
    assert "\x1b[?1049h" not in terminal.sent


@pytest.mark.parametrize("columns", [10, 40])
def test_a_narrow_terminal_is_enough(flow: Path, columns: int) -> None:
    terminal = Terminal(flow, "run", columns=columns)
    assert terminal.end() == 0
    assert "✓" in terminal.text


def test_no_color_is_respected_on_a_terminal(flow: Path) -> None:
    terminal = Terminal(flow, "run", "--bad", "1", NO_COLOR="1")
    assert terminal.end() == 1
    assert not re.search(r"\x1b\[[0-9;]*m", terminal.sent)


def test_a_dumb_terminal_gets_plain_lines(flow: Path) -> None:
    terminal = Terminal(flow, "run", TERM="dumb")
    assert terminal.end() == 0
    assert "Run 1 of LookFlow begins." in terminal.text
    assert "\x1b[?25l" not in terminal.sent


def test_a_failure_is_told_as_it_comes_and_with_its_traceback_once_at_the_end(flow: Path) -> None:
    terminal = Terminal(flow, "run", "--bad", "1")
    assert terminal.end() == 1
    assert "✗ work/3 failed: ValueError: b is bad." in terminal.text
    assert terminal.text.count("Traceback (most recent call last)") == 1
    assert "work/3 failed (items[1] = b): ValueError: b is bad" in terminal.text


def test_ctrl_c_ends_the_run_and_says_what_is_kept(
    flow: Path, ended: list[subprocess.Popen[bytes]]
) -> None:
    terminal = Terminal(flow, "run", "--wait", "200")
    ended.append(terminal.process)
    terminal.read_until("working on")
    terminal.resize(50)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert "1 finished task is kept." in terminal.text
    assert f"{sys.executable} {flow} resume --origin-run-id 1" in terminal.text.replace("\n", "")
    assert terminal.sent.rindex("\x1b[?25h") > terminal.sent.rindex("\x1b[?25l")


# --- in a pipe ---------------------------------------------------------------------


def piped(flow: Path, *arguments: str, **variables: str) -> Done:
    return python(flow, *arguments, store=flow.parent, **variables)


def test_in_a_pipe_every_line_has_a_time_and_no_colour(flow: Path) -> None:
    # Of tasks at one time, the output of one may be shown before the beginning of another.
    done = piped(flow, "run", "--max-workers", "1")
    lines = done.stdout.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S", line) for line in lines)
    assert "\x1b" not in done.stdout
    assert lines[0][24:] == "Run 1 of LookFlow begins."
    assert re.fullmatch(r"Run 1 is done, in .*\.", lines[-1][24:])
    times = [line[:23] for line in lines]
    assert times == sorted(times)


def test_json_is_the_only_thing_on_stdout_and_ends_with_run_finished(flow: Path) -> None:
    done = piped(flow, "run", "--json", "--bad", "0")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told[0]["event"], told[-1]["event"]) == ("run_began", "run_finished")
    assert done.code == 1
    assert "hello from start" in [one.get("text") for one in told]
    assert [one["task"] for one in told[-1]["failures"] if one["cause"] == "user_error"] == ["2"]


def test_the_report_names_commands_that_work(flow: Path) -> None:
    done = piped(flow, "run", "--bad", "2", "--max-workers", "1")
    commands = dict(re.findall(r"^(Log|Go on): +(.+)$", done.stderr, re.MULTILINE))
    assert commands["Go on"] == (
        f"{sys.executable} {flow} resume --origin-run-id 1 --max-workers 1"
    )
    assert commands["Log"] == f"{sys.executable} {flow} logs 1/work/4"
    assert "working on c" in piped(flow, *commands["Log"].split()[2:]).stdout
    flow.write_text(FLOW.replace("raise ValueError", "print"))
    resumed = piped(flow, *commands["Go on"].split()[2:])
    assert resumed.code == 0
    assert "Taken over from the origin's task 1." in resumed.stdout


def test_the_command_to_go_on_has_the_profile_of_the_run(flow: Path) -> None:
    (flow.parent / "lab.toml").write_text('isolation = "fresh"\n')
    home = str(flow.parent)
    done = piped(flow, "--profile", "lab", "run", "--bad", "2", SWELL_HOME=home)
    commands = dict(re.findall(r"^(Log|Go on): +(.+)$", done.stderr, re.MULTILINE))
    again = f"{sys.executable} {flow} --profile lab resume --origin-run-id 1"
    assert commands["Go on"] == again


def test_a_reader_that_goes_away_does_not_end_the_run(flow: Path) -> None:
    command = f"{sys.executable} {flow} run | head -n 1"
    environ = {**os.environ, "SWELL_ROOT": str(flow.parent / ".swell")}
    subprocess.run(command, shell=True, env=environ, timeout=DEADLINE_S, check=True)
    assert "the end" in piped(flow, "logs", "1/end").stdout
