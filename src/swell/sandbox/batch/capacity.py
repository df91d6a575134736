"""Instances: which are there, what is free on them, which to start, which to let go."""

from __future__ import annotations

import math
from collections.abc import Sequence

from swell.sandbox.batch.entities import Environment, Host, Job
from swell.sandbox.batch.faults import Faults
from swell.sandbox.batch.instances import InstanceType, Need, fits
from swell.sandbox.batch.names import Names
from swell.sandbox.batch.tuning import BatchSettings


class Capacity:
    """The instances of all compute environments."""

    def __init__(self, settings: BatchSettings, names: Names) -> None:
        self._settings = settings
        self._names = names
        self.faults = Faults()

    def is_usable(self, environment: Environment) -> bool:
        """Whether jobs may be placed there at all."""
        return (
            environment.state == "ENABLED"
            and environment.status == "VALID"
            and self.faults.environments.get(environment.name)
            not in ("service-role", "unsupported-instance")
        )

    def place(
        self,
        environment: Environment,
        needs: Sequence[Need],
        everywhere: dict[str, Environment],
        now: float,
    ) -> list[Host]:
        """A host for each of ``needs``, all or none, with the room taken; empty: no room now."""
        total = sum(need.vcpus for need in needs)
        if environment.is_fargate:
            if total > self.room(environment, everywhere):
                return []
            return [self._task_host(environment, need, now) for need in needs]
        if total > environment.free_vcpus:
            return []
        taken: list[Host] = []
        for need in needs:
            host = self._first_with_room(environment, need, now)
            if host is None:
                for mine, theirs in zip(taken, needs, strict=False):
                    _give(mine, theirs, -1)
                return []
            _give(host, need, 1)
            taken.append(host)
        return taken

    def release(self, host: Host, job: Job, need: Need, now: float) -> None:
        """Give back what ``job`` had on ``host``; harmless where it had nothing."""
        if job not in host.jobs:
            return
        host.jobs.discard(job)
        if host.is_gone:
            return
        _give(host, need, -1)
        host.environment.freed = host
        if not host.jobs:
            host.idle_since = now
        if host.kind is None:
            self.remove(host)

    def remove(self, host: Host) -> None:
        """An instance that is gone, with whatever it held."""
        if host.is_gone:
            return
        host.is_gone = True
        environment = host.environment
        del environment.hosts[host.id]
        environment.used_vcpus -= host.vcpus
        environment.free_vcpus -= host.free_vcpus
        if environment.freed is host:
            environment.freed = None

    def room(self, environment: Environment, everywhere: dict[str, Environment]) -> float:
        """vCPUs that may still be started in ``environment``; ``everywhere``: all there are."""
        room = environment.max_vcpus - environment.used_vcpus
        if self.faults.capacity is not None:
            used = sum(other.used_vcpus for other in everywhere.values())
            room = min(room, self.faults.capacity - used)
        return room

    def start_hosts(
        self,
        environment: Environment,
        head: Sequence[Need],
        demand: Need,
        everywhere: dict[str, Environment],
        now: float,
    ) -> list[Host]:
        """Start what the waiting jobs need: ``demand`` in all, at least a place for ``head``."""
        started: list[Host] = []
        largest = Need(
            max(need.vcpus for need in head),
            max(need.memory_mib for need in head),
            max(need.gpus for need in head),
        )
        while self.room(environment, everywhere) > 0:
            coming = [host for host in environment.hosts.values() if host.ready_at > now]
            vcpus = sum(host.free_vcpus for host in coming)
            memory = sum(host.free_mib for host in coming)
            if vcpus >= demand.vcpus and memory >= demand.memory_mib:
                return started
            room = self.room(environment, everywhere)
            kind = self._choice(environment, largest, demand.vcpus - vcpus, room)
            if kind is None:
                return started
            started.append(self.start(environment, kind, now))
        return started

    def start(self, environment: Environment, kind: InstanceType, now: float) -> Host:
        """Ask for one instance."""
        joins = self.faults.environments.get(environment.name) != "never-join"
        host = Host(
            id=self._names.instance_id(),
            environment=environment,
            kind=kind,
            vcpus=kind.vcpus,
            ready_at=now + self._settings.scale_up_s if joins else math.inf,
            free_vcpus=kind.vcpus,
            free_mib=kind.usable_mib(self._settings.agent_memory_mib),
            free_gpus=kind.gpus,
            idle_since=now,
        )
        environment.hosts[host.id] = host
        environment.used_vcpus += host.vcpus
        environment.free_vcpus += host.vcpus
        return host

    def types_for(self, environment: Environment, need: Need) -> list[InstanceType]:
        """Types of ``environment`` that could hold ``need``, smallest first."""
        agent = self._settings.agent_memory_mib
        return [kind for kind in environment.types if fits(kind, need, agent)]

    def idle(self, environment: Environment, now: float) -> list[Host]:
        """Instances that have been idle for long enough and are not held by minvCpus."""
        spare = environment.used_vcpus - environment.min_vcpus
        found = []
        for host in environment.hosts.values():
            if host.kind is None or host.jobs or host.ready_at > now:
                continue
            long_enough = now - max(host.idle_since, host.ready_at) >= self._settings.scale_down_s
            if long_enough and host.kind.vcpus <= spare:
                spare -= host.kind.vcpus
                found.append(host)
        return found

    def _choice(
        self, environment: Environment, need: Need, wanted_vcpus: float, room: float
    ) -> InstanceType | None:
        fitting = self.types_for(environment, need)
        allowed = [kind for kind in fitting if kind.vcpus <= room]
        if not allowed:
            # As AWS does, a single instance may pass maxvCpus where nothing else could run it.
            is_first = not environment.hosts and room >= need.vcpus
            return fitting[0] if fitting and is_first else None
        vcpus = max(
            (kind.vcpus for kind in allowed if kind.vcpus <= wanted_vcpus),
            default=allowed[0].vcpus,
        )
        same = [kind for kind in allowed if kind.vcpus == vcpus]
        balanced = need.memory_mib / need.vcpus * vcpus
        enough = [kind for kind in same if kind.memory_mib >= balanced]
        return enough[0] if enough else same[-1]

    def _first_with_room(self, environment: Environment, need: Need, now: float) -> Host | None:
        freed = [] if environment.freed is None else [environment.freed]
        for host in (*freed, *environment.hosts.values()):
            if (
                host.free_vcpus >= need.vcpus
                and host.free_mib >= need.memory_mib
                and host.free_gpus >= need.gpus
                and host.ready_at <= now
                and not host.is_leaving
            ):
                return host
        return None

    def _task_host(self, environment: Environment, need: Need, now: float) -> Host:
        host = Host(
            id=f"fargate-{self._names.task_id()[:12]}",
            environment=environment,
            kind=None,
            vcpus=need.vcpus,
            ready_at=now,
            free_vcpus=0.0,
            free_mib=0,
            free_gpus=0,
        )
        environment.hosts[host.id] = host
        environment.used_vcpus += host.vcpus
        return host


def _give(host: Host, need: Need, sign: int) -> None:
    if host.kind is None:
        return
    host.free_vcpus -= sign * need.vcpus
    host.environment.free_vcpus -= sign * need.vcpus
    host.free_mib -= sign * need.memory_mib
    host.free_gpus -= sign * need.gpus
