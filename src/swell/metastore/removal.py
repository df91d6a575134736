"""Which runs may be removed, asked within the transaction that removes or resumes them."""

from __future__ import annotations

from collections.abc import Mapping

from swell.errors import NotFound, RunInUse
from swell.metastore.database import Transaction
from swell.model.facts import NewRun, RunStatus
from swell.model.ids import RunId


def refuse_without_origin(db: Transaction, new: NewRun) -> None:
    """Raises NotFound when the run that ``new`` resumes was removed."""
    if new.origin_run is None:
        return
    origin = RunId(new.flow, new.origin_run)
    if not db.execute("SELECT 1 FROM runs WHERE flow = ? AND number = ?", origin).fetchall():
        raise NotFound(
            f"Run {origin}, which was to be resumed, is not there any more.",
            remedy="It was removed meanwhile: resume another one, or begin with 'run'.",
        )


def refuse_in_use(db: Transaction, run: RunId, dead: Mapping[RunId, float | None]) -> None:
    """Raises RunInUse when ``run`` or one that resumes it goes on.

    ``dead`` maps runs to the last sign of life that their caller saw.
    """
    sql = (
        "SELECT number, heartbeat_at FROM runs WHERE flow = ? AND status = ? "
        "AND (number = ? OR origin_run = ?)"
    )
    given = (run.flow, RunStatus.RUNNING.value, run.number, run.number)
    for number, beat in db.execute(sql, given).fetchall():
        user = RunId(run.flow, number)
        if user in dead and dead[user] == beat:
            continue
        if user == run:
            raise RunInUse(
                f"Run {run} goes on.", by=str(run), remedy="End it first (Ctrl-C where it runs)."
            )
        raise RunInUse(
            f"Run {run} is being resumed by {user}, which goes on.",
            by=str(user),
            remedy=f"Remove it when {user} has ended: what that took over stays.",
        )
