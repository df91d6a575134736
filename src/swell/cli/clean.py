"""`swell rm` and `swell gc`: remove runs, and what nothing refers to any more."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Iterable, Sequence

import click

from swell.cli.looking import Looking, ago_text, looking_of, status_word
from swell.cli.paths import find_path, typed_path
from swell.cli.render import count_text, size_text
from swell.cli.sites import opened_site
from swell.cli.tables import Cell, Column, table_lines
from swell.errors import InvalidPathspec, RunInUse, UsageError
from swell.gc.choice import Selection, chosen, ended_at
from swell.gc.references import blobs_of
from swell.gc.sweep import Findings, Freed, freed_by
from swell.model.facts import RunFact, RunStatus
from swell.session.cleaning import DETACHED_S, Site, grace_s
from swell.session.reading import LocalStores
from swell.session.user import user_name

_UNITS_S = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_SHOWN = 20


def rm_command(ctx: click.Context) -> click.Command:
    """``swell rm RUN…``."""
    del ctx
    return click.Command(
        "rm",
        params=[
            click.Argument(["runs"], nargs=-1, required=True, metavar="RUN..."),
            click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."),
            click.Option(
                ["--force"],
                is_flag=True,
                help="Runs too that are detached or lost their driver: their jobs are ended "
                "first. A run whose driver works is never removed.",
            ),
        ],
        callback=_rm,
        help="Remove runs (RUN: BigSumFlow/15): their facts, logs and data, and the artifacts "
        "that they alone use and that are older than a day.",
    )


def gc_command(ctx: click.Context) -> click.Command:
    """``swell gc``."""
    del ctx
    return click.Command(
        "gc",
        params=[
            click.Option(
                ["--keep-runs"],
                type=click.IntRange(min=0),
                metavar="N",
                help="Remove runs, but the newest N of each flow.",
            ),
            click.Option(
                ["--older-than"],
                metavar="AGE",
                callback=_age,
                help="Remove runs that ended longer ago: 30d, 12h, 2w.",
            ),
            click.Option(
                ["--tag", "tags"],
                multiple=True,
                metavar="TAG",
                help="Remove runs with this tag; may be repeated.",
            ),
            click.Option(["--dry-run"], is_flag=True, help="Say what would go, remove nothing."),
            click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."),
        ],
        callback=_gc,
        help="Remove artifacts that no run refers to and that are older than a day, packages for "
        "AWS Batch that no run needs, and what removed runs left. With options, first remove the "
        "runs for which all of them hold. "
        "Runs that go on stay, and so does all that they use.",
    )


def _age(ctx: click.Context, option: click.Parameter, value: str | None) -> float | None:
    del ctx, option
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", value.strip())
    if found is None:
        raise UsageError(
            f"--older-than is '{value}', which is no age.", remedy="Write it like 12h, 30d or 2w."
        )
    return float(found.group(1)) * _UNITS_S[found.group(2)]


# --- rm --------------------------------------------------------------------------------


@click.pass_context
def _rm(ctx: click.Context, /, runs: tuple[str, ...], yes: bool, force: bool) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    ctx.call_on_close(stores.close)
    wanted = list({run.id: run for run in (_one_run(stores, text) for text in runs)}.values())
    with opened_site(looking, stores) as site:
        left = site.cleaner.open_runs(wanted)
        for run in left:
            _refuse_open(looking, site, run, force=force)
        _ask(looking, wanted, yes=yes)
        for run in left:
            _end_jobs(looking, site, run)
        used = blobs_of(stores.metastore, [run.id for run in wanted])
        gone = [run for run in wanted if site.cleaner.remove_run(run, is_dead=run in left)]
        found = site.cleaner.look(among=used) if used else []
        freed = _swept(site, found)
        looking.say(f"Removed {_names(gone)}{_freed_text(freed)}.")
        _say_what_stays(looking, site, found, gone)


def _one_run(stores: LocalStores, text: str) -> RunFact:
    path = typed_path(text, None)
    if path.run is None or path.step is not None:
        raise InvalidPathspec(
            f"'{text}' is not a run.", remedy="Write it like 'BigSumFlow/15'; see 'swell runs'."
        )
    return find_path(stores, text, None).run


def _refuse_open(looking: Looking, site: Site, run: RunFact, *, force: bool) -> None:
    """Raises RunInUse for a run that its driver works on, and for one left alone without
    ``force``."""
    silent = ago_text(time.time() - ended_at(run))
    if site.has_driver(run):
        raise RunInUse(
            f"Run {run.id} goes on, driven by process {run.pid} on {run.host}; its last sign of "
            f"life was {silent}.",
            by=str(run.id),
            remedy="End it first: Ctrl-C where it runs.",
        )
    if not force:
        how = "is detached" if run.status is RunStatus.DETACHED else "lost its driver"
        script = shlex.quote(run.script)
        raise RunInUse(
            f"Run {run.id} {how} ({silent}), and jobs of it may still run on AWS Batch.",
            by=str(run.id),
            remedy=f"Finish it: python {script} attach {run.id.number}. Or end its jobs and remove "
            f"it: swell rm {run.id} --force. Without either it can be removed when it has told "
            f"nothing for {DETACHED_S / 86400:.0f} days.",
        )


def _end_jobs(looking: Looking, site: Site, run: RunFact) -> None:
    from swell.cli.batch_words import sum_text
    from swell.session.batch_jobs import end_jobs_of

    by = user_name(looking.settings)
    ended = end_jobs_of(run, site.metastore, looking.settings, by, looking.say)
    looking.say(
        f"Ended {sum_text(ended)} of run {run.id} on AWS Batch."
        if ended
        else f"No unfinished job of run {run.id} is on AWS Batch."
    )


def _say_what_stays(
    looking: Looking, site: Site, found: Sequence[Findings], gone: Sequence[RunFact]
) -> None:
    young = freed_by([entry for one in found for entry in one.young])
    if young.blobs:
        looking.say(
            f"{count_text(young.blobs, 'artifact')} ({size_text(young.bytes)}) that nothing else "
            f"uses wait for 'swell gc': they are younger than {_grace_text(looking)}, or than a "
            "run that goes on."
        )
    if site.spared:
        looking.say(f"Artifacts in the store folder stay. {site.spared}")
    places = sorted({place for run in gone if (place := site.left_on(run)) is not None})
    for place in places:
        looking.say(f"Its artifacts and log on {place} go when 'swell gc' is run there.")


# --- gc --------------------------------------------------------------------------------


@click.pass_context
def _gc(
    ctx: click.Context,
    /,
    keep_runs: int | None,
    older_than: float | None,
    tags: tuple[str, ...],
    dry_run: bool,
    yes: bool,
) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    ctx.call_on_close(stores.close)
    selection = Selection(keep_runs, older_than, tags)
    with opened_site(looking, stores) as site:
        cleaner = site.cleaner
        runs = stores.metastore.runs()
        open_runs = {run.id for run in cleaner.open_runs(runs)}
        going = chosen(runs, selection, time.time(), open_runs)
        if dry_run:
            _say_what_would_go(looking, site, selection, going)
            return
        if going:
            _ask(looking, going, yes=yes)
        gone = cleaner.remove_runs(going)
        found = cleaner.look()
        freed = _swept(site, found)
        more = cleaner.sweep_leftovers()
        packages = _sum(cleaner.sweep_packages(one) for one in cleaner.look_at_packages())
        if not selection.is_empty:
            looking.say(f"Removed {count_text(len(gone), 'run')}.")
        rest = f", and {size_text(more)} that removed runs had left" if more else ""
        looking.say(
            f"Removed {count_text(freed.blobs, 'artifact')} ({size_text(freed.bytes)}) "
            f"that nothing refers to{rest}."
        )
        if packages.blobs:
            looking.say(f"Removed {_packages_text(packages)} that no run needs.")
        _say_what_waits(looking, site, found)


def _say_what_would_go(
    looking: Looking, site: Site, selection: Selection, going: Sequence[RunFact]
) -> None:
    found = site.cleaner.look(without=[run.id for run in going])
    old = freed_by([entry for one in found for entry in one.old])
    if not selection.is_empty:
        looking.say(f"{count_text(len(going), 'run')} would go.")
        looking.print(_run_rows(looking, going))
    looking.say(
        f"{count_text(old.blobs, 'artifact')} ({size_text(old.bytes)}) would go that nothing "
        f"{'else ' if going else ''}refers to."
    )
    packages = _sum(
        freed_by(one.old)
        for one in site.cleaner.look_at_packages(without=[run.id for run in going])
    )
    if packages.blobs:
        looking.say(f"{_packages_text(packages)} would go that no other run needs.")
    _say_what_waits(looking, site, found)


def _say_what_waits(looking: Looking, site: Site, found: Sequence[Findings]) -> None:
    young = freed_by([entry for one in found for entry in one.young])
    if young.blobs:
        looking.say(
            f"{count_text(young.blobs, 'artifact')} ({size_text(young.bytes)}) that nothing refers "
            f"to yet are younger than {_grace_text(looking)}, or than a run that goes on: kept."
        )
    if site.spared:
        looking.say(f"Artifacts in the store folder stay. {site.spared}")


# --- both ------------------------------------------------------------------------------


def _swept(site: Site, found: Sequence[Findings]) -> Freed:
    return _sum(site.cleaner.sweep(one) for one in found)


def _sum(parts: Iterable[Freed]) -> Freed:
    listed = list(parts)
    return Freed(sum(part.blobs for part in listed), sum(part.bytes for part in listed))


def _packages_text(freed: Freed) -> str:
    return f"{count_text(freed.blobs, 'package')} for AWS Batch ({size_text(freed.bytes)})"


def _ask(looking: Looking, runs: Sequence[RunFact], *, yes: bool) -> None:
    """Raises UsageError where nobody can answer, click.Abort for no."""
    if yes:
        return
    what = _names(runs) if len(runs) == 1 else count_text(len(runs), "run")
    if not sys.stdin.isatty():
        raise UsageError(
            f"Nobody can be asked here whether to remove {what}.", remedy="Add --yes to remove it."
        )
    looking.print(_run_rows(looking, runs))
    click.confirm(f"Remove {what} for good?", abort=True, err=True)


def _run_rows(looking: Looking, runs: Sequence[RunFact]) -> list[str]:
    paint, now = looking.paint, time.time()
    columns = [Column("run"), Column("status"), Column("started"), Column("by"),
               Column("tags", may_be_cut=True)]  # fmt: skip
    rows: list[list[str | Cell]] = [
        [
            Cell(str(run.id), paint.bold),
            status_word(run),
            ago_text(now - run.created_at),
            run.user,
            ", ".join(sorted(run.user_tags)),
        ]
        for run in runs[:_SHOWN]
    ]
    lines = table_lines(columns, rows, looking.width, heading=paint.dim) if rows else []
    more = len(runs) - _SHOWN
    return [*lines, *([paint.dim(f"… and {more:,} more")] if more > 0 else [])]


def _names(runs: Sequence[RunFact]) -> str:
    if len(runs) == 1:
        return f"run {runs[0].id}"
    if len(runs) > 5:
        return count_text(len(runs), "run")
    return f"{count_text(len(runs), 'run')} ({', '.join(str(run.id) for run in runs)})"


def _freed_text(freed: Freed) -> str:
    if not freed.blobs:
        return ""
    return f", and {count_text(freed.blobs, 'artifact')} ({size_text(freed.bytes)})"


def _grace_text(looking: Looking) -> str:
    hours = grace_s(looking.settings) / 3600
    return f"{hours:g} hours" if hours != 1 else "one hour"
