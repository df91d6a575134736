"""Node ranges of multi-node parallel jobs: which node gets which container. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from swell.sandbox.batch.entities import Document
from swell.sandbox.batch.refusal import Refused

MOST_NODES = 1_000


def range_of(text: str, nodes: int) -> range:
    """The nodes that ``targetNodes`` means: ``n``, ``n:m``, ``n:``, ``:m`` of ``nodes`` in all."""
    first, colon, last = text.partition(":")
    try:
        start = int(first) if first else 0
        end = (int(last) if last else nodes - 1) if colon else start
    except ValueError:
        raise Refused(f"targetNodes {text} is not a range of nodes.") from None
    return range(start, end + 1)


def is_open(text: str) -> bool:
    """Whether a range has no upper end, so that the number of nodes may be overridden."""
    return text.endswith(":")


def check_nodes(properties: Document) -> None:
    """Refuse ``nodeProperties`` in which a node has no container, or none can be main."""
    nodes, main = properties["numNodes"], properties["mainNode"]
    if not 1 <= nodes <= MOST_NODES:
        raise Refused(f"numNodes must be between 1 and {MOST_NODES}, got {nodes}.")
    if not 0 <= main < nodes:
        raise Refused(f"mainNode {main} is not one of the {nodes} nodes.")
    covered: set[int] = set()
    for entry in properties["nodeRangeProperties"]:
        found = range_of(entry["targetNodes"], nodes)
        if not found or found.start < 0 or found[-1] >= nodes:
            raise Refused(f"targetNodes {entry['targetNodes']} is not within 0:{nodes - 1}.")
        covered |= set(found)
    missing = sorted(set(range(nodes)) - covered)
    if missing:
        raise Refused(f"nodeRangeProperties leave out node {missing[0]}.")


def number_of_nodes(properties: Document, overrides: Document) -> int:
    """How many nodes a submission has, after ``nodeOverrides.numNodes``."""
    given: int = properties["numNodes"]
    wanted = overrides.get("numNodes")
    if wanted is None:
        return given
    targets = [entry["targetNodes"] for entry in properties["nodeRangeProperties"]]
    if not any(is_open(text) for text in targets):
        raise Refused("numNodes can be overridden only if a node range has an open upper boundary.")
    if not 1 <= wanted <= MOST_NODES or properties["mainNode"] >= wanted:
        raise Refused(f"nodeOverrides.numNodes {wanted} does not hold the main node.")
    if any(is_open(text) and range_of(text, wanted).start >= wanted for text in targets):
        raise Refused(f"nodeOverrides.numNodes {wanted} leaves a node range empty.")
    return int(wanted)


def entry_for(entries: Sequence[Document], node: int, nodes: int) -> Document | None:
    """The entry that counts for ``node``: the last one whose targetNodes hold it."""
    found = None
    for entry in entries:
        if node in range_of(entry["targetNodes"], nodes):
            found = entry
    return found
