"""What of a flow travels to other machines: its code package and its layers."""

from __future__ import annotations

import sys
from collections.abc import Callable

from swell.errors import UsageError
from swell.metastore.postgres_address import is_postgres
from swell.model.job import StepPlan
from swell.package.code import CodePackage, PackageRules, make_code_package
from swell.package.layers import Layer, make_layers
from swell.package.requirements import Wanted, wanted_by, with_packages
from swell.package.uv import target_of
from swell.session.flow import FlowAtHand
from swell.settings import Settings


def package_rules(settings: Settings, suffixes: str) -> PackageRules:
    """The rules in force; ``suffixes`` as given to ``--package-suffixes``.

    Raises UsageError for what is no list of endings, or no number.
    """
    endings = tuple(f".{ending.removeprefix('.')}" for ending in _parts(suffixes))
    for ending in endings:
        if "*" in ending or "/" in ending:
            raise UsageError(
                f"--package-suffixes names '{ending[1:]}', which is no ending of file names.",
                remedy="Write endings separated by commas: .csv,.toml. For single files and "
                "folders set SWELL_PACKAGE_INCLUDE.",
            )
    try:
        most = float(settings.package_max_mb)
    except ValueError:
        most = -1.0
    if not 0 < most < float("inf"):
        raise UsageError(
            f"SWELL_PACKAGE_MAX_MB is '{settings.package_max_mb}'.",
            remedy="Give a number of MB, such as 200.",
        )
    include = _parts(settings.package_include or "")
    return PackageRules(endings, include, int(most * 1e6))


def code_package(at_hand: FlowAtHand, suffixes: str) -> CodePackage:
    """The package of the script that runs, which has imported all it imports.

    Raises UsageError in a notebook, and as ``make_code_package`` does.
    """
    script = script_of(at_hand)
    settings = at_hand.settings
    rules = package_rules(settings, suffixes)
    return make_code_package(script, rules, modules=sys.modules, cache_folder=settings.cache)


def script_of(at_hand: FlowAtHand) -> str:
    """The script that runs. Raises UsageError where there is none."""
    script = at_hand.script
    if script is None:
        raise UsageError(
            f"{at_hand.name} is in no file that could travel to other machines.",
            remedy="Write the flow to a script, and run that.",
        )
    return script


def wanted_packages(at_hand: FlowAtHand, environment: str, plan: StepPlan) -> Wanted:
    """What the script and its step ask for; ``environment`` as given to ``--environment``."""
    return with_packages(wanted_by(script_of(at_hand), environment), plan.packages)


def layers_for(
    at_hand: FlowAtHand,
    environment: str,
    plan: StepPlan,
    *,
    machine: str = "x86_64",
    say: Callable[[str], None] = lambda _: None,
) -> list[Layer]:
    """The layers for one step, on ``machine`` processors; see ``make_layers``."""
    settings = at_hand.settings
    return make_layers(
        wanted_packages(at_hand, environment, plan),
        target_of(plan.python, machine),
        settings.cache,
        with_postgres=is_postgres(settings.metadata or ""),
        say=say,
    )


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
