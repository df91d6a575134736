"""`swell doctor`: what this machine has, what is set, what is missing and what to do."""

from __future__ import annotations

import click

from swell.cli.looking import looking_of
from swell.cli.render import count_text


def doctor_command(ctx: click.Context) -> click.Command:
    """``swell doctor``."""
    del ctx
    return click.Command(
        "doctor",
        callback=_doctor,
        help="Tell what this machine has, what is set, and what is missing.",
    )


@click.pass_context
def _doctor(ctx: click.Context, /) -> None:
    from swell.session.examine import examine

    looking = looking_of(ctx)
    paint = looking.paint
    sections = examine(looking.settings, looking.place)
    width = max(len(finding.label) for section in sections for finding in section.findings)
    advised = 0
    for number, section in enumerate(sections):
        looking.print(["", paint.bold(section.title)] if number else [paint.bold(section.title)])
        for finding in section.findings:
            mark = paint.yellow("!") if finding.advice else " "
            looking.print([f"{mark} {paint.dim(f'{finding.label:<{width}}')}  {finding.text}"])
            if finding.advice:
                advised += 1
                looking.print([f"  {'':<{width}}  {paint.yellow('→')} {finding.advice}"])
    looking.print(["", _verdict(advised)])


def _verdict(advised: int) -> str:
    if not advised:
        return "Everything that swell can use is here."
    return f"Flows can run; {count_text(advised, 'thing')} could be better (marked !)."
