"""Runs attempts in a task's own process: forked from the keeper, or a fresh interpreter."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from swell.authoring.decorator import StepDecorator
from swell.authoring.flow import Flow
from swell.compute.keeper import Fresh, FreshLaunch
from swell.compute.kernel import limit_own_data
from swell.compute.life import LifeTable
from swell.compute.packed import Origin, RunLaunch, Streams, run_pack, write_framed
from swell.compute.random_state import look_at_seeds
from swell.decorators.environment import EnvironmentDecorator
from swell.errors import InternalError
from swell.model.job import Launch, RunContext
from swell.model.wire import decode_context, decode_launch, decode_pack, encode
from swell.session.datastores import Datastores, preload
from swell.session.flow import FlowAtHand
from swell.session.looking import look_from_task
from swell.session.task_store import TaskStore
from swell.session.warm_up import warm_up
from swell.settings import ATTEMPT_VARIABLE, Settings, mark_task
from swell.task.runner import AttemptRunner, FlowInForce


def prepare_attempts(force: FlowInForce, settings: Settings) -> Callable[[bytes], RunLaunch]:
    """What the keeper is forked with: given the RunContext, it runs attempts of ``force``."""

    def prepare(encoded: bytes) -> RunLaunch:
        context = decode_context(encoded)
        mark_task(context.run, _url(context))
        stores = _datastores(context, settings)
        if stores.url is not None:
            preload()
        runner = attempt_runner(force, context, TaskStore(stores, context.script), settings)
        warm_up(TaskStore(Datastores(context.home, None, settings, None), context.script), context)
        return lambda launch, alive: encode(runner.run(launch, alive))

    return prepare


def run_fresh_attempt(flow_class: type[Flow], settings: Settings) -> None:
    """Run the attempt or the pack this interpreter was started for, and leave its results.

    Only for a process that the keeper started; see ``compute.keeper.Fresh``.
    """
    fresh = _fresh(settings)
    with os.fdopen(fresh.launch_fd, "rb", closefd=bool(fresh.is_again)) as passed:
        order = msgspec.msgpack.decode(passed.read(), type=FreshLaunch)
    context = decode_context(order.context)
    mark_task(context.run, _url(context))
    for fd in fresh[1:3]:
        os.set_inheritable(fd, False)
    force = flow_in_force(flow_class, settings, context)
    if not fresh.is_again:
        data = order.launch
        launch = decode_pack(data).common if order.mark else decode_launch(data)
        _begin_again_where_needed(fresh, force.decorators.get(launch.step, ()))
        os.close(fresh.launch_fd)
    store = TaskStore(_datastores(context, settings), context.script)
    runner = attempt_runner(force, context, store, settings)
    life = LifeTable(fresh.life_fd)
    if fresh.own_limit_mb:
        limit_own_data(fresh.own_limit_mb)
    number = fresh.lane
    if not order.mark:
        launch = decode_launch(order.launch)
        result = runner.run(launch, lambda: life.mark(number, time.time()))
        write_framed(fresh.result_fd, encode(result))
        return
    origin = Origin(look_at_seeds(), oom_events=order.oom_events)
    run_pack(
        decode_pack(order.launch),
        lambda launch, alive: encode(runner.run(launch, alive)),
        Streams(fresh.result_fd, os.dup(1), os.dup(2), order.mark),
        lambda at, member: life.mark(number, at, member),
        origin,
    )


def _begin_again_where_needed(fresh: Fresh, decorators: Sequence[StepDecorator]) -> None:
    """Where ``@environment`` sets what libraries read as they load: the script has loaded them
    by now, so this process becomes a new interpreter in which the variables are set."""
    wanted: dict[str, str] = {}
    for decorator in decorators:
        if isinstance(decorator, EnvironmentDecorator):
            wanted.update(decorator.read_at_load())
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    os.environ.update(wanted)
    os.environ[ATTEMPT_VARIABLE] = ",".join(map(str, fresh._replace(is_again=1)))
    os.lseek(fresh.launch_fd, 0, os.SEEK_SET)
    for fd in fresh[:3]:
        os.set_inheritable(fd, True)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def flow_in_force(flow_class: type[Flow], settings: Settings, context: RunContext) -> FlowInForce:
    """The flow as the driver of its run sees it, in a process that imported the script anew."""
    at_hand = FlowAtHand(flow_class, settings)
    at_hand.take_configs(_configs(context))
    return at_hand.settle(context.withs).in_force()


def _configs(context: RunContext) -> dict[str, object]:
    from swell.authoring.config import ConfigValue

    plain = msgspec.json.decode(context.configs)
    return {
        name: ConfigValue(value) if isinstance(value, dict) else value
        for name, value in plain.items()
    }


def _fresh(settings: Settings) -> Fresh:
    try:
        return Fresh(*map(int, (settings.attempt or "").split(",")))
    except (TypeError, ValueError):
        raise InternalError(
            f"A task was started with {settings.attempt!r} instead of its numbers."
        ) from None


def _url(context: RunContext) -> str | None:
    return None if context.datastore == context.home else context.datastore


def _datastores(context: RunContext, settings: Settings) -> Datastores:
    return Datastores(context.home, _url(context), settings, None)


def attempt_runner(
    force: FlowInForce, context: RunContext, store: TaskStore, settings: Settings
) -> AttemptRunner:
    """What runs attempts of ``context``'s run in this process."""
    look_from_task(context)
    return AttemptRunner(
        force,
        context,
        store,
        lambda launch: _late_facts(force, context, launch, settings.spot_notice),
        show_own_frames=settings.is_debug,
    )


def _late_facts(
    force: FlowInForce, context: RunContext, launch: Launch, spot_notice: str | None
) -> Mapping[str, Callable[[], object]]:
    """Fields of ``current`` that cost something: made when a step asks for them."""

    def graph() -> object:
        from swell.authoring.describe import graph_info

        return graph_info(force.graph, force.flow_class)

    def run() -> object:
        from swell.session.notebook import run_at

        return run_at(context.metadata, f"{context.flow}/{context.run}", context.namespace)

    def task() -> object:
        from swell.session.notebook import task_at

        path = f"{context.flow}/{context.run}/{launch.step}/{launch.job.task}"
        return task_at(context.metadata, path, context.namespace)

    facts: dict[str, Callable[[], object]] = {"graph": graph, "run": run, "task": task}
    if spot_notice is not None:
        facts["spot_termination_notice"] = lambda: spot_notice
    return facts
