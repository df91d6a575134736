"""Whatever is asked of the sandbox's Batch in whatever order: what must hold all the time."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from swell.sandbox.batch.faults import Faults
from swell.sandbox.batch.life import parts
from tests.unit.sandbox.rehearsal import Rehearsal, needs

MAX_VCPUS = 10
OVER = ("SUCCEEDED", "FAILED")


class AnyOrder(RuleBasedStateMachine):
    """Submits, ends, kills, breaks and mends at random."""

    def __init__(self) -> None:
        super().__init__()
        self.batch = Rehearsal(max_vcpus=MAX_VCPUS, types=("m5", "r5"))
        nodes = {
            "numNodes": 2,
            "mainNode": 1,
            "nodeRangeProperties": [
                {"targetNodes": "0:", "container": {"image": "x", "resourceRequirements": needs()}}
            ],
        }
        self.batch.define("n", type="multinode", nodeProperties=nodes, containerProperties=None)
        self.submitted: list[str] = []
        self.open: list[tuple[str, int]] = []
        self.ends: dict[str, str] = {}
        self.seen = 0

    @rule(
        size=st.sampled_from([0, 0, 2, 5]),
        vcpus=st.integers(1, 5),
        attempts=st.integers(1, 3),
        after=st.booleans(),
        has_limit=st.booleans(),
    )
    def submit(self, size: int, vcpus: int, attempts: int, after: bool, has_limit: bool) -> None:
        more: dict[str, Any] = {"retryStrategy": {"attempts": attempts}}
        if size:
            more["arrayProperties"] = {"size": size}
        if after and self.submitted:
            more["dependsOn"] = [{"jobId": self.submitted[-1]}]
        if has_limit:
            more["timeout"] = {"attemptDurationSeconds": 60}
        overrides = {"resourceRequirements": needs(vcpus, 2000)}
        self.submitted.append(self.batch.submit(containerOverrides=overrides, **more))

    @rule(attempts=st.integers(1, 2))
    def submit_nodes(self, attempts: int) -> None:
        retry = {"attempts": attempts}
        self.submitted.append(self.batch.submit(jobDefinition="n", retryStrategy=retry))

    @rule(seconds=st.sampled_from([0.1, 1.0, 30.0, 90.0]))
    def wait(self, seconds: float) -> None:
        self.batch.advance(seconds)

    @rule(place=st.integers(0, 100), exit_code=st.sampled_from([0, 0, 1, 137]))
    def end(self, place: int, exit_code: int) -> None:
        if self.open:
            job_id, attempt = self.open.pop(place % len(self.open))
            assert [s.attempt for s in self.batch.started if s.job_id == job_id][-1] == attempt
            self.batch.end(job_id, exit_code)

    @rule(place=st.integers(0, 100), is_cancel=st.booleans())
    def end_early(self, place: int, is_cancel: bool) -> None:
        if self.submitted:
            job_id = self.submitted[place % len(self.submitted)]
            self.batch.call("CancelJob" if is_cancel else "TerminateJob", jobId=job_id, reason="x")

    @rule(place=st.integers(0, 100))
    def lose_host(self, place: int) -> None:
        self.batch.batch.lose_host(self.batch.now, place)
        self.batch.advance(0)

    @rule(capacity=st.sampled_from([None, 0, 4]), spot=st.sampled_from([0.0, 0.5]))
    def chaos(self, capacity: int | None, spot: float) -> None:
        self.batch.batch.set_faults(Faults(capacity=capacity, spot=spot), self.batch.now)

    @invariant()
    def every_attempt_is_started_once(self) -> None:
        new = self.batch.started[self.seen :]
        self.seen = len(self.batch.started)
        self.open += [(spec.job_id, spec.attempt) for spec in new]
        started = [(spec.job_id, spec.attempt) for spec in self.batch.started]
        assert len(started) == len(set(started))

    @invariant()
    def no_instance_holds_more_than_it_has(self) -> None:
        world = self.batch.batch.world
        for environment in world.resources.environments.values():
            hosts = list(environment.hosts.values())
            # One instance may pass the limit where it is the only one.
            assert len(hosts) == 1 or sum(host.vcpus for host in hosts) <= MAX_VCPUS
            assert environment.used_vcpus == sum(host.vcpus for host in hosts)
            assert environment.free_vcpus == sum(host.free_vcpus for host in hosts)
            for host in hosts:
                assert host.kind is not None
                used = [job.container.need for job in host.jobs]
                assert host.free_vcpus == host.kind.vcpus - sum(need.vcpus for need in used) >= 0
                usable = host.kind.usable_mib(world.settings.agent_memory_mib)
                assert host.free_mib == usable - sum(need.memory_mib for need in used) >= 0
                assert all(job.status in ("STARTING", "RUNNING") for job in host.jobs)

    @invariant()
    def counts_of_children_are_right_and_ends_are_final(self) -> None:
        for job in self.batch.batch.world.jobs.values():
            if job.kind == "array" and job.children:
                states = [child.status for child in job.children]
                assert {name: states.count(name) for name in job.counts} == job.counts
                assert sum(job.counts.values()) == job.work.size
                assert not job.is_over or all(child.is_over for child in job.children)
            for one in (job, *job.children):
                if one.id in self.ends:
                    assert one.status == self.ends[one.id]
                elif one.is_over and (one.kind != "node" or job.is_over):
                    self.ends[one.id] = one.status

    @invariant()
    def who_runs_has_a_host_and_who_does_not_has_none(self) -> None:
        for job in self.batch.batch.world.jobs.values():
            for one in job.children if job.kind == "array" else [job]:
                for part in parts(one):
                    has = part.host is not None
                    assert has == (part.status in ("STARTING", "RUNNING")), part.id

    def teardown(self) -> None:
        """Everything ends, if every attempt is ended and nothing is broken."""
        self.batch.batch.set_faults(Faults(), self.batch.now)
        for _ in range(300):
            self.batch.advance(5)
            self.every_attempt_is_started_once()
            if not self.open:
                break
            while self.open:
                self.batch.end(self.open.pop()[0])
        jobs = self.batch.batch.world.jobs.values()
        assert [job.status for job in jobs if not job.is_over] == []


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
