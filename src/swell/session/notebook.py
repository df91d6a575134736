"""The client as notebooks, scripts and tasks import it, joined to the stores."""

from __future__ import annotations

from swell.client.namespaces import (
    default_metadata,
    default_namespace,
    get_metadata,
    get_namespace,
    metadata,
    namespace,
)
from swell.client.objects import DataArtifact, Flow, Metaflow, Run, Step, Swell, Task
from swell.client.pathed import rebuild
from swell.session.looking import look_from_here, open_stores

__all__ = [
    "DataArtifact",
    "Flow",
    "Metaflow",
    "Run",
    "Step",
    "Swell",
    "Task",
    "default_metadata",
    "default_namespace",
    "get_metadata",
    "get_namespace",
    "metadata",
    "namespace",
]


def run_at(address: str, path: str, namespace: str | None = None) -> Run:
    """The run ``Flow/15`` of the store at ``address``; its parts are seen in ``namespace``.

    Raises NotFound.
    """
    found: Run = rebuild(Run, path, None, open_stores, address, namespace)
    return found


def task_at(address: str, path: str, namespace: str | None = None) -> Task:
    """The task ``Flow/15/step/3`` of the store at ``address``. Raises NotFound."""
    found: Task = rebuild(Task, path, None, open_stores, address, namespace)
    return found


look_from_here()
