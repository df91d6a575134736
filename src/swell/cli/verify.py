"""`swell verify`: hashes stored artifacts again, and says what is damaged and who uses it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click

from swell.cli.exits import EXIT_FAILED, EXIT_OK
from swell.cli.looking import Looking, looking_of
from swell.cli.paths import find_whole_run
from swell.cli.render import count_text, duration_text, size_text
from swell.cli.sites import opened_site
from swell.gc.references import BlobId, blobs_of
from swell.gc.verify import Checked, Fault, check_all, faults_of
from swell.model.ids import RunId
from swell.session.cleaning import Site

_EVERY_S = 0.25


def verify_command(ctx: click.Context) -> click.Command:
    """``swell verify [RUN]``."""
    del ctx
    return click.Command(
        "verify",
        params=[click.Argument(["run"], required=False)],
        callback=_verify,
        help="Hash the stored artifacts of a run (RUN: BigSumFlow/15), or all, and name what is "
        "damaged or missing with the runs that use it. The exit code is 1 if something is.",
    )


@click.pass_context
def _verify(ctx: click.Context, /, run: str | None) -> int:
    looking = looking_of(ctx)
    stores = looking.open()
    ctx.call_on_close(stores.close)
    with opened_site(looking, stores) as site:
        runs = [one.id for one in stores.metastore.runs()]
        if run is not None:
            runs = [find_whole_run(stores, run, None).run.id]
        blobs = blobs_of(stores.metastore, runs)
        unused = set() if run is not None else set(site.listed()) - blobs
        unseen = {blob for blob in blobs if blob.store in site.away}
        began = time.monotonic()
        checked = _checked(looking, site, (blobs | unused) - unseen)
        faults = faults_of([one for one in checked if one.wrong], stores.metastore, runs)
        here, elsewhere = _apart(site, faults)
        size = sum(one.size for one in checked)
        looking.say(
            f"Checked {count_text(len(checked) - len(elsewhere), 'stored artifact')} "
            f"({size_text(size)}) in {duration_text(time.monotonic() - began)}."
        )
        if elsewhere:
            places = sorted({_place_of(site, fault) for fault in elsewhere})
            looking.say(
                f"{count_text(len(elsewhere), 'artifact')} of other machines cannot be checked "
                f"from here: see {', '.join(places)}."
            )
        for fault in here:
            looking.print(_fault_lines(looking, fault, unused))
        if here:
            looking.say(
                f"{count_text(len(here), 'artifact')} damaged or missing. Restore them from a copy "
                "of the store, or run again the steps that made them."
            )
            return EXIT_FAILED
        looking.say("All of it is what was stored.")
        if unseen:
            looking.say(f"{count_text(len(unseen), 'artifact')} could not be checked: see above.")
            return EXIT_FAILED
        return EXIT_OK


def _checked(looking: Looking, site: Site, blobs: set[BlobId]) -> list[Checked]:
    shown_at = time.monotonic()
    is_shown = False
    shows = sys.stderr.isatty() and not looking.is_quiet
    checked: list[Checked] = []
    size = 0
    for one in check_all(blobs, site.open_storage):
        checked.append(one)
        size += one.size
        now = time.monotonic()
        if shows and now - shown_at > _EVERY_S:
            shown_at, is_shown = now, True
            line = f"Checking: {len(checked):,} of {len(blobs):,}, {size_text(size)}"
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
    if is_shown:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
    return checked


def _apart(site: Site, faults: Sequence[Fault]) -> tuple[list[Fault], list[Fault]]:
    """Faults of this machine, and what is missing here since another machine has it."""
    here: list[Fault] = []
    elsewhere: list[Fault] = []
    places: dict[RunId, str | None] = {}
    for fault in faults:
        is_local = fault.checked.blob.store is None
        users = {where.run for where in fault.where}
        for run in users - places.keys():
            places[run] = site.is_elsewhere(run)
        away = is_local and fault.checked.is_missing and users and all(places[r] for r in users)
        (elsewhere if away else here).append(fault)
    return here, elsewhere


def _place_of(site: Site, fault: Fault) -> str:
    return site.is_elsewhere(fault.where[0].run) or ""


def _fault_lines(looking: Looking, fault: Fault, unused: set[BlobId]) -> list[str]:
    paint = looking.paint
    word = "missing" if fault.checked.is_missing else "damaged"
    lines = [f"{paint.red(word)} {fault.checked.wrong}"]
    lines += [f"    used by {where}" for where in fault.where]
    if fault.uses > len(fault.where):
        lines.append(f"    and {fault.uses - len(fault.where):,} more")
    if fault.checked.blob in unused:
        lines.append("    no run uses it: 'swell gc' removes it when it is old enough")
    return lines
