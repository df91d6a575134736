"""`batch`: the unfinished jobs of this flow on AWS Batch: a list, their end, why they wait."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from swell.cli.at_hand import settled
from swell.cli.batch_words import left_text, on_its_way, scope_text, state_text, sum_text
from swell.cli.looking import Looking, ago_text, looking_of
from swell.cli.render import count_text
from swell.cli.tables import Cell, Column, table_lines
from swell.cli.wording import some_of
from swell.errors import CommandException, FlowError, UsageError, UseError
from swell.model.facts import RunFact
from swell.session.reading import LocalStores
from swell.session.user import user_name

if TYPE_CHECKING:
    from swell.compute.batch.listing import ListedJob
    from swell.model.job import StepPlan
    from swell.seams.queue import Waiting
    from swell.session.batch_jobs import BatchJobs


def batch_command(ctx: click.Context) -> click.Command:
    """``batch`` with its three commands."""
    del ctx
    as_json = click.Option(["--json", "as_json"], is_flag=True, help="As a JSON list.")
    commands = {
        "list": click.Command(
            "list",
            params=[*_filters(), as_json],
            callback=_list,
            help="List them: of the latest run, or of the runs that are named.",
        ),
        "kill": click.Command(
            "kill",
            params=[
                *_filters(),
                click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."),
            ],
            callback=_kill,
            help="End them, and wait until AWS Batch says that none is left. Tasks that are ended "
            "so are not tried again.",
        ),
        "why": click.Command(
            "why",
            params=[*_filters(), as_json],
            callback=_why,
            help="Say why those that do not run yet wait, and what to do.",
        ),
    }
    return click.Group(
        "batch", commands=commands, help="Look at and end the jobs of this flow on AWS Batch."
    )


def _filters() -> list[click.Parameter]:
    return [
        click.Option(["--run-id"], metavar="RUN", help="Of this run."),
        click.Option(["--my-runs"], is_flag=True, help="Of all my runs of this flow."),
        click.Option(
            ["--user"], metavar="NAME", help="Of all runs of NAME; with --run-id both must hold."
        ),
    ]


class _Asked(NamedTuple):
    """A command at work: its jobs, whose they are, and the words for that."""

    looking: Looking
    jobs: BatchJobs
    runs: Sequence[RunFact]
    scope: str
    me: str
    steps: Sequence[str]

    def unfinished(self) -> list[ListedJob]:
        from swell.session.batch_jobs import with_real_steps

        return with_real_steps(self.jobs.unfinished(), self.steps)

    def user_of(self, job: ListedJob) -> str:
        return next((run.user for run in self.runs if str(run.id.number) == job.run), "")

    def nothing(self) -> None:
        self.looking.say(f"No unfinished job of {self.scope} is on AWS Batch.")


@contextmanager
def _asked(ctx: click.Context, options: Mapping[str, Any]) -> Iterator[_Asked | None]:
    """None where there are no runs of that kind, which is told."""
    looking = looking_of(ctx)
    if options["my_runs"] and (options["run_id"] or options["user"]):
        raise UsageError(
            "--my-runs cannot be given with --run-id or --user.",
            remedy="Leave it out: --user with your own name can be joined with --run-id.",
        )
    stores = looking.open_or_none()
    if stores is None:
        looking.say("There is no run yet, so no job of one is on AWS Batch.")
        yield None
        return
    me = user_name(looking.settings)
    runs = _runs(looking, stores, options, me)
    scope = scope_text(looking.flow or "", [looking.path(run) for run in runs], options, me)
    if not runs:
        looking.say(f"There is no {scope}, so no job of one is on AWS Batch.")
        yield None
        return
    from swell.session.batch_jobs import BatchJobs, Wanted, queues_of

    plans, steps = _script(ctx, looking)
    queues = queues_of(plans, looking.settings, stores.metastore, runs)
    wanted = Wanted(stores.metastore.store_id, looking.flow or "", runs)
    jobs = BatchJobs(wanted, queues, looking.settings, looking.say)
    try:
        yield _Asked(looking, jobs, runs, scope, me, steps)
    finally:
        jobs.close()
        stores.close()


def _runs(
    looking: Looking, stores: LocalStores, options: Mapping[str, Any], me: str
) -> Sequence[RunFact]:
    from swell.client.query import find_run
    from swell.session.batch_jobs import choose_runs

    run, user = options["run_id"], me if options["my_runs"] else options["user"]
    if run is not None:
        run = str(
            find_run(stores, looking.flow or "", run.removeprefix(f"{looking.flow}/")).id.number
        )
    everything = stores.metastore.runs(looking.flow)
    found = choose_runs(everything, run, user, me)
    if not found and everything and run is None and user is None:
        raise CommandException(
            f"There is no run of yours ('{me}'); the latest is {looking.path(everything[0])}, of "
            f"'{everything[0].user}'.",
            remedy=f"Name whose you mean: --run-id {looking.path(everything[0])}, or --user NAME.",
        )
    return found


def _script(ctx: click.Context, looking: Looking) -> tuple[Sequence[StepPlan], Sequence[str]]:
    """Plans and steps as the script has them now; none where it has an error: jobs of an
    earlier version must be found all the same."""
    try:
        flow = settled(ctx)
    except (FlowError, UseError) as error:
        looking.say(
            looking.heading_paint.yellow(
                f"Queues that only the script names are not looked at, as it cannot be read: "
                f"{error.message}"
            )
        )
        return (), ()
    return list(flow.plans.values()), list(flow.plans)


# --- list --------------------------------------------------------------------------------


@click.pass_context
def _list(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    with _asked(ctx, options) as asked:
        jobs = [] if asked is None else asked.unfinished()
        if as_json:
            _put_json(ctx, [] if asked is None else [_job_fact(asked, job) for job in jobs])
        elif asked is not None and not jobs:
            asked.nothing()
        elif asked is not None:
            asked.looking.heading(f"{sum_text(jobs)} of {asked.scope} on AWS Batch")
            asked.looking.print(_table(asked, jobs))


def _table(asked: _Asked, jobs: Sequence[ListedJob]) -> list[str]:
    looking, now = asked.looking, time.time()
    columns = [
        Column("job"),
        Column("run", is_number=True),
        Column("step", may_be_cut=True),
        Column("state", may_be_cut=True),
        Column("queue", may_be_cut=True),
        Column("user", may_be_cut=True),
        Column("submitted"),
        Column("name", may_be_cut=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(job.engine_id, looking.paint.dim),
            job.run,
            Cell(job.step, looking.paint.bold),
            state_text(job),
            job.queue,
            asked.user_of(job),
            ago_text(now - job.created_at),
            Cell(job.name, looking.paint.dim),
        ]
        for job in jobs
    ]
    return table_lines(columns, rows, looking.width, heading=looking.paint.dim)


def _job_fact(asked: _Asked, job: ListedJob) -> dict[str, object]:
    return {
        "job": job.engine_id,
        "name": job.name,
        "run": job.run,
        "step": job.step,
        "state": job.state,
        "tasks": job.count,
        "states": dict(job.states),
        "queue": job.queue,
        "user": asked.user_of(job),
        "created_at": job.created_at,
    }


def _put_json(ctx: click.Context, facts: Sequence[object]) -> None:
    import json

    looking_of(ctx).print([json.dumps(facts, indent=2, ensure_ascii=False)])


# --- kill --------------------------------------------------------------------------------


@click.pass_context
def _kill(ctx: click.Context, /, yes: bool, **options: Any) -> int:
    with _asked(ctx, options) as asked:
        if asked is None:
            return 0
        jobs = asked.unfinished()
        if not jobs:
            asked.nothing()
            return 0
        what = f"{sum_text(jobs)} of {asked.scope}"
        if not yes and sys.stdin.isatty() and sys.stderr.isatty():
            asked.looking.print(_table(asked, jobs))
            if not click.confirm(f"End {what}?", err=True):
                asked.looking.say("Nothing was ended.")
                return 1
        from swell.compute.batch.killing import KILL_WITHIN_S

        asked.looking.say(
            f"Ending {what}: waiting up to {KILL_WITHIN_S:.0f} s for AWS Batch to say that none is "
            "left …"
        )
        done = asked.jobs.kill(asked.me)
        if done.left:
            raise CommandException(
                left_text(done.left, done.refused),
                remedy=f"Look again: {asked.looking.program} batch list; or end them in the "
                "console of AWS Batch.",
            )
        asked.looking.print([f"Ended {sum_text(done.asked)} of {asked.scope}; none is left."])
        return 0


# --- why ---------------------------------------------------------------------------------


@click.pass_context
def _why(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    with _asked(ctx, options) as asked:
        jobs = [] if asked is None else asked.unfinished()
        told = asked.jobs.waiting(jobs) if asked is not None and jobs else {}
        if as_json:
            _put_json(
                ctx,
                []
                if asked is None
                else [
                    {
                        **_job_fact(asked, job),
                        "why": told[job.engine_id].sentence,
                        "remedy": told[job.engine_id].remedy,
                    }
                    for job in jobs
                    if job.engine_id in told
                ],
            )
        elif asked is not None and not jobs:
            asked.nothing()
        elif asked is not None:
            asked.looking.print(_explained(asked, jobs, told))


def _explained(
    asked: _Asked, jobs: Sequence[ListedJob], told: Mapping[str, Waiting]
) -> Iterator[str]:
    """Jobs that wait for the same reason stand together."""
    paint = asked.looking.paint
    together: dict[tuple[str, str], list[ListedJob]] = {}
    for job in reversed(jobs):
        if job.engine_id in told:
            waiting = told[job.engine_id]
            together.setdefault((waiting.sentence, waiting.remedy), []).append(job)
    for (why, remedy), alike in together.items():
        steps = some_of(dict.fromkeys(f"{job.run}/{job.step}" for job in alike))
        yield f"{paint.bold(steps)}: {_wait_text(alike)}"
        yield f"    {why}"
        if remedy:
            yield f"    {remedy}"
    others = [job for job in jobs if job.engine_id not in told]
    partly = [job for job in others if on_its_way(job)]
    for job in partly:
        yield f"{paint.bold(f'{job.run}/{job.step}')}: {state_text(job)}"
        yield "    Those that wait start when others have ended, or when machines have come."
    if not told and not partly:
        yield f"Nothing waits: {sum_text(others)} of {asked.scope} on AWS Batch, and all run."


def _wait_text(jobs: Sequence[ListedJob]) -> str:
    if len(jobs) == 1:
        return f"job {jobs[0].engine_id}, {state_text(jobs[0])}"
    return f"{sum_text(jobs)} wait, {count_text(sum(job.count for job in jobs), 'task')} in all"
