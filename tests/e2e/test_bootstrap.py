"""An attempt in a container, from the command of its job definition to its end in the store."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.e2e.bootstrap_stage import NAME, PYTHON, ROOT, Stage, ended, until
from tests.servers.seaweedfs import KEY, SECRET, SeaweedFs
from tests.servers.stub_http import Asked, Reply, StubHttp

ECHO = """\
import os, sys
folder = os.environ["SWELL_ATTEMPT"].partition(":")[2]
print("arguments", *sys.argv[1:])
print("user", os.environ["SWELL_USER"], file=sys.stderr)
member = open(f"{folder}/member", "rb").read()
shared = open(f"{folder}/shared", "rb").read()
with open(f"{folder}/result.part", "wb") as file:
    file.write(member[4:] + b" of " + shared + b"\\nall")
os.rename(f"{folder}/result.part", f"{folder}/result")
"""


def test_an_attempt_gets_its_work_runs_the_script_and_leaves_its_result(stage: Stage) -> None:
    stage.members = 3
    stage.prepare(ECHO)

    done = stage.run(AWS_BATCH_JOB_ID="job-1:2", AWS_BATCH_JOB_ARRAY_INDEX="2")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"arguments run\n", b"user ada\n")
    end = stage.end()
    assert end.result == b"launch 2 of inputs\nall"
    assert (end.index, end.attempt) == (2, 1)
    told = end.told
    assert (told["job"], told["attempt"], told["exit_code"]) == ("job-1", 1, 0)
    assert (told["signal"], told["ended_by"], told["sentence"]) == (None, None, "")
    assert told["started_at"] <= told["ended_at"]  # type: ignore[operator]  # both are numbers
    assert told["log_ends"] == {"stdout": 14, "stderr": 9}
    assert told["facts"] == {
        "aws-batch-job-id": "job-1:2",
        "aws-batch-job-attempt": "1",
        "aws-batch-ce-name": "ce",
    }
    assert stage.text("stdout") == "arguments run\n"
    assert stage.text("stderr") == "user ada\n"
    assert stage.store.read(f"{ROOT}/claims/{NAME}/2") == b"job-1"


def test_the_end_comes_behind_all_segments_of_the_log(stage: Stage) -> None:
    stage.prepare("print('x' * 3_000_000)")
    stage.changes["max_log_bytes"] = 5_000_000

    stage.run()

    segments = stage.news("log")
    assert stage.end().told["log_segments"] == len(segments)
    assert max(one.stamp for one in segments) <= stage.end().stamp


def test_nothing_is_left_in_the_temporary_folder_but_the_cache(stage: Stage) -> None:
    stage.prepare("open('written', 'w').close()")

    stage.run()

    (cache,) = (stage.folder / "tmp").iterdir()
    assert cache.name == f"swell-cache-{os.getuid()}"
    assert {path.suffix for path in cache.iterdir()} == {".zip"}


def test_layers_are_importable_and_stay_unpacked_for_the_next_attempt(stage: Stage) -> None:
    stage.members = 2
    stage.add_layer({"given.py": "VALUE = 'from a layer'\n"})
    stage.add_layer({"other/__init__.py": "VALUE = 'from another'\n"})
    stage.prepare("import given, other; print(given.VALUE, other.VALUE)")
    cache = stage.folder / "cache"

    first = stage.run(SWELL_LAYER_CACHE=str(cache))
    layers = {path for path in cache.iterdir() if path.is_dir()}
    for layer in layers:
        (layer / "mark.py").write_text("")
    second = stage.run(SWELL_LAYER_CACHE=str(cache), AWS_BATCH_JOB_ARRAY_INDEX="1")

    assert first.stdout == second.stdout == b"from a layer from another\n"
    assert len(layers) == 2
    assert all((layer / "mark.py").exists() for layer in layers)


def test_attempts_that_share_a_cold_cache_do_not_disturb_each_other(stage: Stage) -> None:
    stage.members = 4
    stage.add_layer({f"given{number}.py": "x = 1\n" * 1000 for number in range(50)})
    stage.prepare("import given49; print(given49.x)")
    cache = str(stage.folder / "cache")

    running = [
        stage.begin(SWELL_LAYER_CACHE=cache, AWS_BATCH_JOB_ARRAY_INDEX=str(index))
        for index in range(4)
    ]

    assert [ended(one).stdout for one in running] == [b"1\n"] * 4
    assert not [path.name for path in Path(cache).iterdir() if "-" in path.name]


def test_an_attempt_that_runs_on_says_that_it_began_and_what_it_prints(stage: Stage) -> None:
    stage.prepare("print('begun', flush=True)\nimport time; time.sleep(600)")

    process = stage.begin()
    until(lambda: stage.news("log"), process)

    (began,) = stage.news("began")
    assert began.told["job"] == "job-1"
    assert isinstance(began.told["pid"], int)
    assert began.told["facts"]["aws-batch-ce-name"] == "ce"  # type: ignore[index]
    assert stage.text("stdout") == "begun\n"
    process.terminate()
    ended(process)


def test_the_exit_code_is_that_of_the_flow(stage: Stage) -> None:
    stage.prepare("import sys; sys.exit(7)")

    assert stage.run().returncode == 7
    assert stage.end().told["exit_code"] == 7


def test_an_exit_code_that_would_mean_the_environment_is_never_the_flows(stage: Stage) -> None:
    stage.prepare("import sys; sys.exit(78)")

    assert stage.run().returncode == 1
    assert stage.end().told["exit_code"] == 78


def test_a_flow_that_is_killed_is_told_with_its_signal(stage: Stage) -> None:
    stage.prepare("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")

    assert stage.run().returncode == 1
    told = stage.end().told
    assert (told["exit_code"], told["signal"], told["ended_by"]) == (None, 9, None)


def test_a_flow_over_its_time_limit_is_ended(stage: Stage) -> None:
    stage.changes["timeout_s"] = 0.3
    stage.prepare("import time; time.sleep(600)")

    assert stage.run().returncode == 1
    told = stage.end().told
    assert (told["ended_by"], told["signal"]) == ("timeout", 15)
    assert told["sentence"] == "It ran longer than its limit of 0.3 s and was ended."


def test_a_sigterm_of_the_engine_reaches_the_flow_and_the_end_is_told(stage: Stage) -> None:
    stage.prepare(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('saved')))\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    process = stage.begin()
    until(lambda: stage.news("log"), process)

    process.terminate()

    assert ended(process).stdout == b"ready\nsaved\n"
    assert stage.end().told["ended_by"] == "stop"
    assert stage.text("stdout") == "ready\nsaved\n"


def test_a_sigterm_before_the_flow_began_is_told_too(stage: Stage) -> None:
    begun = stage.folder / "begun"
    slow = stage.folder / "slow-python"
    slow.write_text(f"#!/bin/sh\ntouch {begun}\nexec sleep 600\n")
    slow.chmod(0o755)
    stage.changes["executable"] = str(slow)
    stage.prepare("print('never')")
    process = stage.begin()
    until(begun.exists, process)

    process.terminate()

    assert ended(process).returncode == 1
    told = stage.end().told
    assert (told["ended_by"], told["started_at"]) == ("stop", None)
    assert told["sentence"] == "The engine ended the attempt before the flow began."


def test_the_images_own_python_for_the_flow_is_used(stage: Stage) -> None:
    named = stage.folder / "flow-python"
    named.write_text(f'#!/bin/sh\nWRAPPED=yes exec {PYTHON} "$@"\n')
    named.chmod(0o755)
    stage.changes["executable"] = str(named)
    stage.prepare("import os; print(os.environ['WRAPPED'])")

    assert stage.run().stdout == b"yes\n"


@pytest.mark.slow
def test_a_flow_that_ignores_its_end_is_killed_within_the_grace(stage: Stage) -> None:
    stage.changes["timeout_s"] = 0.5
    stage.prepare(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)"
    )

    stage.run()

    told = stage.end().told
    assert (told["ended_by"], told["signal"]) == ("timeout", 9)


def test_grandchildren_in_groups_of_their_own_do_not_outlive_the_attempt(stage: Stage) -> None:
    stage.prepare(
        "import subprocess, sys\n"
        "code = 'import time; time.sleep(600)'\n"
        "for new in (False, True):\n"
        "    print(subprocess.Popen([sys.executable, '-c', code], start_new_session=new).pid)\n"
    )

    done = stage.run()

    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []
    assert stage.end().told["exit_code"] == 0


def test_of_a_flood_of_output_head_and_tail_stay_with_a_line_that_tells(stage: Stage) -> None:
    stage.changes["max_log_bytes"] = 10_000
    stage.prepare("for number in range(20_000): print('line', number)")

    done = stage.run()

    assert done.stdout.endswith(b"line 19999\n")
    kept = stage.text("stdout")
    assert kept.startswith("line 0\nline 1\n")
    assert kept.endswith("line 19999\n")
    assert len(kept) < 10_500
    notices = [data.decode() for _, data, is_notice in stage.frames() if is_notice]
    assert len(notices) == 2
    assert "this stdout is longer than 0.01 MB" in notices[0]
    assert "MB left out here" in notices[1]


def test_a_second_job_for_a_member_stands_back(stage: Stage) -> None:
    stage.prepare(ECHO)
    stage.run()

    done = stage.run(AWS_BATCH_JOB_ID="job-2")

    assert (done.returncode, done.stdout) == (0, b"")
    first, second = sorted(stage.news("end"), key=lambda one: str(one.told["job"]))
    assert first.result
    assert not second.result
    assert (second.told["ended_by"], second.told["started_at"]) == ("claimed", None)
    assert second.told["sentence"] == "The job job-1 does this work."


def test_the_engines_own_retry_of_the_same_job_goes_on(stage: Stage) -> None:
    stage.prepare(ECHO)
    stage.run()

    stage.run(AWS_BATCH_JOB_ATTEMPT="2")

    ends = sorted((one.attempt, bool(one.result)) for one in stage.news("end"))
    assert ends == [(1, True), (2, True)]


def test_a_lease_that_has_run_out_ends_the_flow(stage: Stage) -> None:
    stage.changes["lease_s"] = 1.0
    stage.prepare("import time; time.sleep(600)")
    stage.put(f"{ROOT}/lease/0000000001", b"driver")

    assert stage.run().returncode == 1
    told = stage.end().told
    assert (told["ended_by"], told["signal"]) == ("lease", 15)
    assert "no sign of life" in str(told["sentence"])


@pytest.mark.parametrize(
    ("words", "seconds"),
    [(["driver", "detached"], 2.5), ([], 1.5)],
    ids=["detached", "no lease"],
)
def test_without_a_driver_that_is_waited_for_no_lease_runs_out(
    stage: Stage, words: list[str], seconds: float
) -> None:
    stage.changes["lease_s"] = 1.0
    stage.prepare(f"import time; time.sleep({seconds})")
    for number, word in enumerate(words):
        stage.put(f"{ROOT}/lease/{number:010d}", word.encode())

    assert stage.run().returncode == 0
    assert stage.end().told["ended_by"] is None


def metadata(asked: Asked) -> Reply:
    """A spot machine that is taken back, and whose role may use the store."""
    if asked.method == "PUT":
        return Reply(body=b"session")
    if asked.headers.get("x-aws-ec2-metadata-token") != "session":
        return Reply(401)
    answers = {
        "/latest/meta-data/iam/security-credentials/": b"a-role",
        "/latest/meta-data/iam/security-credentials/a-role": json.dumps(
            {"AccessKeyId": KEY, "SecretAccessKey": SECRET, "Expiration": "2099-01-01T00:00:00Z"}
        ).encode(),
        "/latest/meta-data/spot/instance-action": json.dumps(
            {"action": "terminate", "time": "2026-11-22T17:00:00Z"}
        ).encode(),
        "/latest/dynamic/instance-identity/document": json.dumps(
            {"instanceId": "i-1", "instanceType": "m5.large", "region": "eu-west-1",
             "availabilityZone": "eu-west-1a"}
        ).encode(),
    }  # fmt: skip
    body = answers.get(asked.path)
    return Reply(404) if body is None else Reply(body=body)


def test_a_spot_notice_reaches_the_flow_and_is_told_as_why_it_ended(stage: Stage) -> None:
    stage.prepare(
        "import os, time\n"
        "while not os.path.exists(os.environ['SWELL_SPOT_NOTICE']): time.sleep(0.01)\n"
        "print(open(os.environ['SWELL_SPOT_NOTICE']).read(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with StubHttp(metadata) as machine:
        process = stage.begin(
            AWS_EC2_METADATA_DISABLED="", AWS_EC2_METADATA_SERVICE_ENDPOINT=machine.url
        )
        until(lambda: stage.news("log"), process)
        process.terminate()
        done = ended(process)

    assert done.returncode == 75
    assert json.loads(done.stdout)["time"] == "2026-11-22T17:00:00Z"
    told = stage.end().told
    assert told["ended_by"] == "spot"
    facts = told["facts"]
    assert isinstance(facts, dict)
    assert facts["ec2-instance-id"] == "i-1"
    assert facts["ec2-availability-zone"] == "eu-west-1a"
    assert facts["spot-termination-time"] == "2026-11-22T17:00:00Z"


def test_the_role_of_the_machine_opens_the_store(stage: Stage) -> None:
    stage.prepare(ECHO)
    del stage.environ["AWS_ACCESS_KEY_ID"], stage.environ["AWS_SECRET_ACCESS_KEY"]

    with StubHttp(metadata) as machine:
        done = stage.run(
            AWS_EC2_METADATA_DISABLED="", AWS_EC2_METADATA_SERVICE_ENDPOINT=machine.url
        )

    assert done.returncode == 0
    assert stage.end().result


def test_the_nodes_of_a_gang_are_members_by_their_index(stage: Stage) -> None:
    stage.members = 2
    stage.prepare(ECHO)

    stage.run(
        AWS_BATCH_JOB_ID="job-1#1",
        AWS_BATCH_JOB_NODE_INDEX="1",
        AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS="10.0.0.7",
    )

    end = stage.end()
    assert (end.index, end.told["job"]) == (1, "job-1")
    assert end.result.startswith(b"launch 1")
    facts = end.told["facts"]
    assert isinstance(facts, dict)
    assert facts["aws-batch-job-main-node-private-ipv4-address"] == "10.0.0.7"


def test_the_main_node_of_a_gang_ends_last(stage: Stage) -> None:
    stage.members = 2
    gate = stage.folder / "gate"
    stage.prepare(
        "import os, time\n"
        "is_main = os.environ['AWS_BATCH_JOB_NODE_INDEX'] == '0'\n"
        f"while not is_main and not os.path.exists({str(gate)!r}):\n"
        "    time.sleep(0.01)\n"
    )
    gang = {"AWS_BATCH_JOB_NUM_NODES": "2", "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0"}
    main = stage.begin(AWS_BATCH_JOB_ID="job-1#0", AWS_BATCH_JOB_NODE_INDEX="0", **gang)
    other = stage.begin(AWS_BATCH_JOB_ID="job-1#1", AWS_BATCH_JOB_NODE_INDEX="1", **gang)
    until(lambda: [end.index for end in stage.news("end")] == [0], main)

    gate.touch()

    assert ended(main).returncode == 0
    assert {end.index for end in stage.news("end")} == {0, 1}
    assert ended(other).returncode == 0


@pytest.mark.slow
def test_an_end_that_cannot_be_told_is_no_success(s3_server: SeaweedFs, tmp_path: Path) -> None:
    own = SeaweedFs(tmp_path / "store")
    own.folder.mkdir()
    own.start()
    own.make_bucket("data")
    stage = Stage(own, tmp_path)
    stage.prepare("print('ready', flush=True)\nimport time; time.sleep(600)")
    process = stage.begin()
    until(lambda: stage.news("log"), process)

    own.kill()
    process.terminate()

    done = ended(process)
    assert done.returncode == 75
    assert "swell: Writing s3://data/" in done.stderr.decode()
    stage.close()


def test_the_loader_does_not_see_modules_of_the_folder_it_is_started_in(stage: Stage) -> None:
    stage.prepare(ECHO)
    (stage.folder / "json.py").write_text("raise SystemExit('not this one')")

    assert stage.run(PYTHONPATH=str(stage.folder)).returncode != 78


def test_what_the_end_says_is_json_for_other_readers(stage: Stage) -> None:
    stage.prepare("pass")

    stage.run()

    line, _, rest = stage.end().body.partition(b"\n")
    told = json.loads(line)
    assert told["peak_memory_mb"] > 1
    assert told["how"] == "largest process"
    assert min(told["cpu_s"], told["read_mb"], told["written_mb"]) >= 0
    assert rest == b""
