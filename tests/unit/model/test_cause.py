"""From evidence to a cause: the rows that remote attempts add."""

import pytest

from swell.model.cause import Cause, Evidence, find_cause, tells_of_killed_child


@pytest.mark.parametrize(
    ("evidence", "cause", "part"),
    [
        (Evidence(ended_by="timeout", signal=9), Cause.TIMEOUT, "time limit"),
        (Evidence(ended_by="cancel"), Cause.CANCELLED, "on request"),
        (Evidence(ended_by="lease", exit_code=1), Cause.DRIVER_LOST, "driver"),
        (Evidence(ended_by="spot", signal=15), Cause.SPOT, "taken back"),
        (Evidence(ended_by="claimed", exit_code=0), Cause.CANCELLED, "Another job"),
        (Evidence(ended_by="stop", reason="It had to stop."), Cause.CANCELLED, "had to stop"),
        (Evidence(ended_by="stop", oom_kills=1), Cause.OUT_OF_MEMORY, "memory"),
        (
            Evidence(ended_by="environment", reason="The image has Python 3.9."),
            Cause.ENVIRONMENT,
            "Python 3.9",
        ),
        (Evidence(engine_cause=Cause.IMAGE, reason="No image."), Cause.IMAGE, "No image."),
        (Evidence(engine_cause=Cause.PLACEMENT), Cause.PLACEMENT, "placement"),
        (
            Evidence(engine_cause=Cause.SPOT, ended_by="stop", exit_code=143, reason="Gone."),
            Cause.SPOT,
            "Gone.",
        ),
        (
            Evidence(
                engine_cause=Cause.OUT_OF_MEMORY, reason="Out of memory", memory_limit_mb=4000
            ),
            Cause.OUT_OF_MEMORY,
            "Out of memory (limit 4,000 MB).",
        ),
    ],
)
def test_what_the_supervisor_or_the_engine_says_names_the_cause(evidence, cause, part):
    finding = find_cause(evidence)
    assert finding.cause is cause
    assert part in finding.sentence


KILL, MEMORY = 9, {"peak_memory_mb": 7112.4}


@pytest.mark.parametrize(
    ("evidence", "cause", "part", "remedy"),
    [
        (
            Evidence(ended_by="timeout", signal=9, time_limit_s=90.0),
            Cause.TIMEOUT,
            "longer than its time limit of 90 s",
            "@timeout",
        ),
        (
            Evidence(signal=KILL, oom_kills=1, memory_limit_mb=300, peak_memory_mb=299.7),
            Cause.OUT_OF_MEMORY,
            "Out of memory: the kernel ended it (peak 300 MB, limit 300 MB).",
            "@resources(memory=600)",
        ),
        (
            Evidence(exit_code=1, oom_kills=2, memory_limit_mb=300),
            Cause.OUT_OF_MEMORY,
            "(limit 300 MB)",
            "@resources(memory=600)",
        ),
        (
            Evidence(signal=KILL, was_oom_victim=True, **MEMORY),
            Cause.OUT_OF_MEMORY,
            "there was none left, and the kernel ended it (peak 7,112 MB)",
            "@resources(memory=8600)",
        ),
        (
            Evidence(signal=KILL, oom_kills_around=1),
            Cause.OUT_OF_MEMORY,
            "while the kernel was ending processes for want of memory",
            "@resources(memory=",
        ),
        # The log knows better than a counter: it was another process.
        (
            Evidence(signal=KILL, oom_kills_around=1, was_oom_victim=False),
            Cause.SIGNAL,
            "outside of swell; the kernel did not end it for its memory",
            "who ends processes",
        ),
        (
            Evidence(signal=KILL, oom_kills_around=0, **MEMORY),
            Cause.SIGNAL,
            "the kernel did not end it for its memory (peak 7,112 MB)",
            "who ends processes",
        ),
        (
            Evidence(signal=KILL, **MEMORY),
            Cause.SIGNAL,
            "often the kernel when memory runs out (peak 7,112 MB)",
            "@resources(memory=",
        ),
        # Only SIGKILL is what the kernel ends with for want of memory.
        (Evidence(signal=11, oom_kills_around=1), Cause.SIGNAL, "SIGSEGV", "PYTHONFAULTHANDLER"),
        (
            Evidence(signal=11, memory_limit_mb=200),
            Cause.SIGNAL,
            "a crash in compiled code, under a memory limit of 200 MB",
            "PYTHONFAULTHANDLER",
        ),
        (Evidence(signal=6), Cause.SIGNAL, "SIGABRT (abort)", "log"),
        (Evidence(signal=7), Cause.SIGNAL, "SIGBUS (bus error)", "/dev/shm"),
        (Evidence(signal=4), Cause.SIGNAL, "SIGILL", "processor"),
        (Evidence(signal=15), Cause.SIGNAL, "SIGTERM (termination), sent by something", "who"),
        (Evidence(signal=24), Cause.SIGNAL, "processor time", "ulimit -t"),
        (Evidence(signal=14), Cause.SIGNAL, "SIGALRM", "signal.alarm"),
        (Evidence(signal=64), Cause.SIGNAL, "Ended by SIGRTMAX.", ""),
        (Evidence(signal=99), Cause.SIGNAL, "Ended by signal 99.", ""),
        (Evidence(exit_code=3), Cause.EXIT, "with exit code 3", "os._exit"),
        (Evidence(host_lost=True, signal=9, oom_kills=1), Cause.HOST_LOST, "watched it", ""),
        (Evidence(), Cause.UNKNOWN, "Nothing is known", ""),
    ],
)
def test_a_death_here_is_told_in_one_sentence_with_values_and_a_remedy(
    evidence, cause, part, remedy
):
    finding = find_cause(evidence)
    assert finding.cause is cause
    assert part in finding.sentence
    assert remedy in finding.remedy
    assert "\n" not in finding.sentence
    assert finding.sentence.endswith(".")


@pytest.mark.parametrize(
    ("error_type", "text", "is_one"),
    [
        ("subprocess.CalledProcessError", "Command 'x' died with <Signals.SIGKILL: 9>.", True),
        ("subprocess.CalledProcessError", "Command 'x' returned non-zero exit status 137.", True),
        ("subprocess.CalledProcessError", "Command 'x' returned non-zero exit status 1.", False),
        ("concurrent.futures.process.BrokenProcessPool", "A process in the pool …", True),
        ("joblib.externals.loky.process_executor.TerminatedWorkerError", "A worker …", True),
        ("RuntimeError", "DataLoader worker (pid 7) is killed by signal: Killed.", True),
        ("RuntimeError", "mat1 and mat2 shapes cannot be multiplied", False),
        ("ValueError", "SIGKILL", False),
    ],
)
def test_errors_that_tell_of_a_child_that_is_gone(error_type, text, is_one):
    assert tells_of_killed_child(error_type, text) is is_one
