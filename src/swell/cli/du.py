"""`swell du`: what takes the space, by flow, run and artifact."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from swell.cli.looking import Looking, ago_text, looking_of
from swell.cli.paths import find_path, typed_path
from swell.cli.render import count_text, size_text
from swell.cli.sites import opened_site
from swell.cli.tables import Cell, Column, table_lines
from swell.client.query import no_flow
from swell.errors import InvalidPathspec
from swell.gc.leftovers import folder_size, objects_of
from swell.gc.packages import packages_of
from swell.gc.sizes import ArtifactSpace, StoreSpace, space_of_artifacts, space_of_store
from swell.model.facts import RunFact
from swell.model.ids import RunId
from swell.session.cleaning import Site
from swell.session.reading import LocalStores


def du_command(ctx: click.Context) -> click.Command:
    """``swell du [FLOW|RUN]``."""
    del ctx
    return click.Command(
        "du",
        params=[
            click.Argument(["path"], required=False, metavar="[FLOW|RUN]"),
            click.Option(["--json", "as_json"], is_flag=True, help="Bytes as JSON."),
        ],
        callback=_du,
        help="Show what takes the space: by flow, with FLOW by its runs, with RUN "
        "(BigSumFlow/15) by its artifacts. What several use counts once in sums; 'frees' is "
        "what would be free without this one alone.",
    )


@click.pass_context
def _du(ctx: click.Context, /, path: str | None, as_json: bool) -> None:
    looking = looking_of(ctx)
    stores = looking.open()
    ctx.call_on_close(stores.close)
    with opened_site(looking, stores) as site:
        runs = stores.metastore.runs()
        sizes = site.listed()
        typed = typed_path(path, None) if path is not None else None
        if typed is not None and typed.run is not None:
            if typed.step is not None:
                raise InvalidPathspec(
                    f"'{path}' is neither a flow nor a run.",
                    remedy="Write it like 'BigSumFlow' or 'BigSumFlow/15'.",
                )
            run = find_path(stores, path, None).run
            others = [one.id for one in runs]
            rows = space_of_artifacts(stores.metastore, run.id, others, sizes)
            _show_run(looking, site, run, rows, as_json=as_json)
            return
        flow = typed.flow if typed is not None else None
        if flow is not None and all(run.id.flow != flow for run in runs):
            raise no_flow(stores, flow)
        space = space_of_store(stores.metastore, [run.id for run in runs], sizes)
        beside = {run.id: _beside(site, run.id) for run in runs}
        if flow is None:
            _show_flows(looking, stores, space, beside, _packages(site), as_json=as_json)
        else:
            of_flow = [run for run in runs if run.id.flow == flow]
            _show_runs(looking, of_flow, space, beside, as_json=as_json)


def _beside(site: Site, run: RunId) -> int:
    """Bytes of a run's log, and of what it has under prefixes of its own."""
    objects = (
        entry.size
        for ground in site.grounds()
        if ground.store is not None
        for entry in objects_of(ground.storage, run)
    )
    return folder_size(site.cleaner.folders.log(run)) + sum(objects)


def _packages(site: Site) -> int:
    """Bytes of what travels to attempts elsewhere, which runs share."""
    return sum(
        entry.size
        for ground in site.grounds()
        if ground.store is not None
        for entry in packages_of(ground.storage)
    )


def _show_flows(
    looking: Looking,
    stores: LocalStores,
    space: StoreSpace,
    beside: Mapping[RunId, int],
    packages: int,
    *,
    as_json: bool,
) -> None:
    logs: dict[str, int] = {}
    counts: dict[str, int] = {}
    for run, size in beside.items():
        logs[run.flow] = logs.get(run.flow, 0) + size
        counts[run.flow] = counts.get(run.flow, 0) + 1
    order = sorted(space.flows, key=lambda flow: (-space.flows[flow].uses - logs[flow], flow))
    database = _database_size(stores)
    if as_json:
        _print_json(
            looking,
            {
                "flows": [
                    {
                        "flow": flow,
                        "runs": counts[flow],
                        "artifacts": space.flows[flow].uses,
                        "logs": logs[flow],
                        "frees": space.flows[flow].frees + logs[flow],
                    }
                    for flow in order
                ],
                "artifacts": space.all.uses,
                "unused": space.unused.uses,
                "elsewhere": space.elsewhere,
                "logs": sum(logs.values()),
                "packages": packages,
                "database": database,
            },
        )
        return
    columns = [
        Column("flow", may_be_cut=True),
        Column("runs", is_number=True),
        Column("artifacts", is_number=True),
        Column("logs", is_number=True),
        Column("frees", is_number=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(flow, looking.paint.bold),
            f"{counts[flow]:,}",
            size_text(space.flows[flow].uses),
            size_text(logs[flow]),
            size_text(space.flows[flow].frees + logs[flow]),
        ]
        for flow in order
    ]
    looking.print(table_lines(columns, rows, looking.width, heading=looking.paint.dim))
    looking.say(
        f"In all {size_text(space.all.uses)} in {count_text(space.all.blobs, 'stored artifact')}, "
        f"{size_text(sum(logs.values()))} of logs"
        + (f", {size_text(database)} of facts." if database else ".")
    )
    if packages:
        looking.say(f"{size_text(packages)} of code and packages for AWS Batch, which runs share.")
    if space.unused.blobs:
        looking.say(
            f"Nothing refers to {size_text(space.unused.uses)} of it: see 'swell gc --dry-run'."
        )
    if space.elsewhere:
        looking.say(
            f"{count_text(space.elsewhere, 'stored artifact')} that runs refer to are not here."
        )


def _show_runs(
    looking: Looking,
    runs: Sequence[RunFact],
    space: StoreSpace,
    beside: Mapping[RunId, int],
    *,
    as_json: bool,
) -> None:
    if as_json:
        _print_json(
            looking,
            {
                "runs": [
                    {
                        "run": str(run.id),
                        "artifacts": space.runs[run.id].uses,
                        "logs": beside[run.id],
                        "frees": space.runs[run.id].frees + beside[run.id],
                    }
                    for run in runs
                ]
            },
        )
        return
    now = time.time()
    columns = [
        Column("run"),
        Column("started"),
        Column("artifacts", is_number=True),
        Column("logs", is_number=True),
        Column("frees", is_number=True),
        Column("tags", may_be_cut=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(str(run.id), looking.paint.bold),
            ago_text(now - run.created_at),
            size_text(space.runs[run.id].uses),
            size_text(beside[run.id]),
            size_text(space.runs[run.id].frees + beside[run.id]),
            Cell(", ".join(sorted(run.user_tags)), looking.paint.dim),
        ]
        for run in runs
    ]
    looking.print(table_lines(columns, rows, looking.width, heading=looking.paint.dim))
    of_flow = space.flows[runs[0].id.flow]
    logs = sum(beside[run.id] for run in runs)
    looking.say(
        f"Together {size_text(of_flow.uses + logs)}; without them "
        f"{size_text(of_flow.frees + logs)} would be free."
    )


def _show_run(
    looking: Looking, site: Site, run: RunFact, rows: Sequence[ArtifactSpace], *, as_json: bool
) -> None:
    beside = _beside(site, run.id)
    if as_json:
        _print_json(
            looking,
            {
                "run": str(run.id),
                "artifacts": [
                    {
                        "step": row.step,
                        "name": row.name,
                        "tasks": row.tasks,
                        "bytes": row.space.uses,
                        "frees": row.space.frees,
                    }
                    for row in rows
                ],
                "logs": beside,
            },
        )
        return
    columns = [
        Column("step"),
        Column("artifact", may_be_cut=True),
        Column("tasks", is_number=True),
        Column("size", is_number=True),
        Column("frees", is_number=True),
    ]
    cells: list[list[str | Cell]] = [
        [
            row.step,
            Cell(row.name, looking.paint.bold),
            f"{row.tasks:,}",
            size_text(row.space.uses),
            size_text(row.space.frees),
        ]
        for row in rows
    ]
    if cells:
        looking.print(table_lines(columns, cells, looking.width, heading=looking.paint.dim))
    else:
        looking.say("All its artifacts are small: they stand among the facts.")
    looking.say(f"Logs and data of its own: {size_text(beside)}.")


def _database_size(stores: LocalStores) -> int:
    """Bytes of the folder's own database; 0 for one on a server."""
    place = stores.place
    if place.metadata is not None:
        return 0
    files = [f"{place.database}{suffix}" for suffix in ("", "-wal")]
    return sum(os.path.getsize(path) for path in files if os.path.exists(path))


def _print_json(looking: Looking, value: Mapping[str, Any]) -> None:
    looking.print(json.dumps(value, indent=2).splitlines())
