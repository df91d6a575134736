"""Who this attempt is, from what the engine says, and the keys and words of what it tells."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping

TYPE_CHECKING = False  # as a type checker sees it: importing typing costs 5 ms
if TYPE_CHECKING:
    from resource import struct_rusage

_FACTS = {
    "AWS_BATCH_JOB_ID": "aws-batch-job-id",
    "AWS_BATCH_JOB_ATTEMPT": "aws-batch-job-attempt",
    "AWS_BATCH_CE_NAME": "aws-batch-ce-name",
    "AWS_BATCH_JQ_NAME": "aws-batch-jq-name",
    "AWS_EXECUTION_ENV": "aws-batch-execution-env",
    "AWS_BATCH_JOB_NUM_NODES": "aws-batch-job-num-nodes",
    "AWS_BATCH_JOB_NODE_INDEX": "aws-batch-job-node-index",
    "AWS_BATCH_JOB_MAIN_NODE_INDEX": "aws-batch-job-main-node-index",
    "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": "aws-batch-job-main-node-private-ipv4-address",
}


class Refused(Exception):
    """What was started here cannot run here; the message says why."""


class Place:
    """One attempt among those of a submission: ``job`` is the engine's id without the member.

    ``nodes`` is the size of a gang, 1 for what is none; the engine ends a gang as soon as its
    node ``main`` ends.
    """

    def __init__(self, job: str, index: int, attempt: int, nodes: int = 1, main: int = 0) -> None:
        self.job = job
        self.index = index
        self.attempt = attempt
        self.nodes = nodes
        self.main = main

    @property
    def is_main(self) -> bool:
        """Whether other nodes end with this one."""
        return self.nodes > 1 and self.index == self.main

    @property
    def is_follower(self) -> bool:
        """Whether it ends with another node."""
        return self.nodes > 1 and self.index != self.main


def find_place(environ: Mapping[str, str]) -> Place:
    """Read AWS Batch's own variables. Raises Refused where there are none.

    https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
    """
    job = environ.get("AWS_BATCH_JOB_ID", "").partition(":")[0].partition("#")[0]
    if not job:
        raise Refused("AWS_BATCH_JOB_ID is not set: this program is started by AWS Batch only.")
    index = environ.get("AWS_BATCH_JOB_ARRAY_INDEX") or environ.get("AWS_BATCH_JOB_NODE_INDEX")
    return Place(
        job,
        int(index or 0),
        int(environ.get("AWS_BATCH_JOB_ATTEMPT") or 1),
        int(environ.get("AWS_BATCH_JOB_NUM_NODES") or 1),
        int(environ.get("AWS_BATCH_JOB_MAIN_NODE_INDEX") or 0),
    )


def facts_of(environ: Mapping[str, str]) -> dict[str, str]:
    """What the engine's variables tell of where this attempt runs."""
    return {name: environ[key] for key, name in _FACTS.items() if environ.get(key)}


def host_name() -> str:
    """The name of the machine, or of the container."""
    return os.uname().nodename


class Keys:
    """Keys of one attempt's claim and news; ``root`` is that of its run."""

    def __init__(self, root: str, submission: str, place: Place) -> None:
        self._root = root
        self._name = submission.rpartition("/")[2]
        self._index = place.index
        self._attempt = place.attempt

    @property
    def claim(self) -> str:
        """Where the job that runs this member has put its id."""
        return f"{self._root}/claims/{self._name}/{self._index}"

    @property
    def leases(self) -> str:
        """What the keys of the driver's beats begin with."""
        return f"{self._root}/lease/"

    @property
    def nodes(self) -> str:
        """What the keys of the signs of life of a gang's nodes begin with."""
        return f"{self._root}/nodes/{self._name}/{self._attempt}/"

    @property
    def node_end(self) -> str:
        """Where this node says that it has ended; behind all its beats."""
        return f"{self.nodes}ended/{self._index}"

    def node_beat(self, now: float) -> str:
        """``now`` is the store's time in Unix seconds."""
        return f"{self.nodes_since(now)}/{self._index}"

    def nodes_since(self, at: float) -> str:
        """A key before all signs of life from Unix second ``at`` on."""
        return f"{self.nodes}{_stamp(at)}"

    def news(self, kind: str, number: int, now: float) -> str:
        """``now`` is the store's time in Unix seconds."""
        member = f"{self._name}/{self._index}/{self._attempt}"
        return f"{self._root}/news/{_stamp(now)}/{kind}/{member}/{number}"


def _stamp(at: float) -> str:
    return f"{int(at * 1000):013d}"


class Ending:
    """How an attempt ended, as it is told: one line of JSON, then the result, if any."""

    def __init__(self, place: Place, facts: dict[str, str]) -> None:
        self.place = place
        self.facts = facts
        self.started_at: float | None = None
        self.ended_at = 0.0
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.ended_by: str | None = None
        self.sentence = ""
        self.oom_kills: int | None = None
        self.memory_limit_mb: int | None = None
        self.peak_memory_mb: float | None = None
        self.cpu_s: float | None = None
        self.read_mb: float | None = None
        self.written_mb: float | None = None
        self.how = ""
        self.log_ends = {"stdout": 0, "stderr": 0}
        self.log_segments = 0

    def note_end(self, status: int | None, usage: struct_rusage | None) -> None:
        """Take what wait4(2) says of the flow's process, which has just ended."""
        self.ended_at = time.time()
        if status is not None and os.WIFSIGNALED(status):
            self.signal = os.WTERMSIG(status)
        elif status is not None:
            self.exit_code = os.WEXITSTATUS(status)
        if usage is not None:
            self.peak_memory_mb = round(usage.ru_maxrss / 1024, 1)
            self.how = "largest process"
            self.cpu_s = round(usage.ru_utime + usage.ru_stime, 3)
            # getrusage(2) counts blocks of 512 bytes that went from and to disks.
            self.read_mb = round(usage.ru_inblock / 2048, 3)
            self.written_mb = round(usage.ru_oublock / 2048, 3)

    def encode(self, result: bytes | None) -> bytes:
        """The object that is stored."""
        told = dict(vars(self))
        place = told.pop("place")
        told.update(job=place.job, attempt=place.attempt, host=host_name())
        return json.dumps(told).encode() + b"\n" + (result or b"")


def encode_began(place: Place, pid: int, facts: Mapping[str, str]) -> bytes:
    """The object that says that the flow's process runs."""
    told = {"job": place.job, "attempt": place.attempt, "host": host_name(), "pid": pid}
    return json.dumps(dict(told, facts=dict(facts))).encode()
