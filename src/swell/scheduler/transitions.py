"""Whether a transition fits the graph it is followed in; pure."""

from __future__ import annotations

from swell.model.graph import Node, NodeType
from swell.model.record import Transition


def refusal(node: Node, transition: Transition | None, max_num_splits: int) -> str:
    """Why ``node``'s ``transition`` cannot be followed, in words; '' when it can."""
    if transition is None or not transition.targets:
        return f"Step '{node.name}' ended without saying which step follows."
    if not _fits(node, transition):
        return (
            f"Step '{node.name}' went to {_names(transition.targets)}, "
            f"but the flow says {_names(node.targets)}."
        )
    split = transition.split
    if split is not None and not split.is_gang and split.num > max_num_splits:
        return (
            f"Step '{node.name}' splits into {split.num:,} tasks, "
            f"but at most {max_num_splits:,} are allowed. "
            f"Allow more with --max-num-splits {split.num}."
        )
    return ""


def as_followed_now(node: Node, stored: Transition | None) -> Transition | None:
    """A transition of an earlier run, for the code as it is now; None if it fits no more.

    Where a step always goes to the same steps, the code's targets win: they may have been
    renamed. A foreach keeps its items, a switch its choice.
    """
    if node.type is NodeType.SWITCH:
        return stored if stored is not None and _fits(node, stored) else None
    if node.type is not NodeType.FOREACH:
        return None if stored is not None and stored.split else Transition(node.targets)
    if stored is None or stored.split is None or stored.split.is_gang != node.num_parallel:
        return None
    return Transition(node.targets, stored.split)


def _fits(node: Node, transition: Transition) -> bool:
    if (node.type is NodeType.FOREACH) != (transition.split is not None):
        return False
    if node.type is NodeType.SWITCH:
        return len(transition.targets) == 1 and transition.targets[0] in node.targets
    return transition.targets == node.targets


def _names(steps: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in steps) or "no step"
