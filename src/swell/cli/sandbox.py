"""`swell sandbox`: an AWS Batch, S3 and CloudWatch Logs on this machine, to rehearse with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swell.cli.app import LazyCommand, LazyGroup
from swell.cli.looking import looking_of
from swell.cli.render import count_text
from swell.errors import CommandException, UsageError

if TYPE_CHECKING:
    from swell.sandbox.place import Running, SandboxFolder, Wanted

COMMANDS = {
    "up": LazyCommand("swell.cli.sandbox:up_command", "Start it, or say that it is up."),
    "down": LazyCommand("swell.cli.sandbox:down_command", "End it and all that it runs."),
    "status": LazyCommand("swell.cli.sandbox:status_command", "Its servers, queues and jobs."),
    "run": LazyCommand("swell.cli.sandbox:run_command", "A throw-away one around one command."),
    "chaos": LazyCommand("swell.cli.sandbox:chaos_command", "Faults on demand."),
}


def sandbox_command(ctx: click.Context) -> click.Command:
    """``swell sandbox``."""
    del ctx
    return LazyGroup(
        lazy=COMMANDS,
        name="sandbox",
        help="An AWS Batch with S3 and CloudWatch Logs on this machine, without an account. "
        "What passes here is not thereby proven on AWS.",
        no_args_is_help=True,
    )


def start_options() -> list[click.Parameter]:
    """Options of the commands that start a sandbox."""
    return [
        click.Option(
            ["--port"],
            type=click.IntRange(0, 65535),
            default=0,
            help="Port of the Batch API on loopback; 0: a free one.",
        ),
        click.Option(
            ["--vcpus"],
            type=click.IntRange(min=1),
            help="How many vCPUs each compute environment may use. Default: the cores here.",
        ),
        click.Option(
            ["--credentials", "job_credentials"],
            type=click.Choice(["endpoint", "keys"]),
            default="endpoint",
            help="How jobs get theirs: from an endpoint, as on AWS, or as keys in variables.",
        ),
        click.Option(
            ["--runner"],
            metavar="[auto|process|podman|docker]",
            help="What runs jobs: containers of podman or Docker, or processes, which start "
            "quicker. 'auto': containers where one of the two works. Default: "
            "SWELL_SANDBOX_RUNNER, else auto.",
        ),
    ]


def up_command(ctx: click.Context) -> click.Command:
    """``swell sandbox up``."""
    del ctx
    return click.Command(
        "up",
        params=start_options(),
        callback=_up,
        help="Start the sandbox in the background and write the profile 'sandbox'.",
    )


def down_command(ctx: click.Context) -> click.Command:
    """``swell sandbox down``."""
    del ctx
    return click.Command(
        "down",
        callback=_down,
        help="End the sandbox with all its jobs. What is in its S3 and the list of jobs stay for "
        "the next time.",
    )


def status_command(ctx: click.Context) -> click.Command:
    """``swell sandbox status``."""
    del ctx
    return click.Command(
        "status", callback=_status, help="Show servers, queues, jobs by state, and faults."
    )


def run_command(ctx: click.Context) -> click.Command:
    """``swell sandbox run COMMAND``."""
    del ctx
    return click.Command(
        "run",
        params=[
            *start_options(),
            click.Argument(["command"], nargs=-1, required=True, type=click.UNPROCESSED),
        ],
        callback=_run,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        help="Run COMMAND with a sandbox of its own, which is gone afterwards. Its exit code "
        "is that of COMMAND.",
    )


def chaos_command(ctx: click.Context) -> click.Command:
    """``swell sandbox chaos``."""
    del ctx
    return click.Command(
        "chaos",
        params=[click.Argument(["faults"], nargs=-1)],
        callback=_chaos,
        help="Break things: spot=0.1 (share of attempts whose instance is reclaimed), oom=0.05, "
        "within=5s (how soon they meet it), seed=7; throttle or throttle=N (calls a second), "
        "capacity=N (vCPUs; 0: none), environment=NAME:FAULT, host-loss or host-loss=N, "
        "api-down=20s; off. Without FAULTS: what holds now.",
    )


@click.pass_context
def _up(ctx: click.Context, /, **options: Any) -> None:
    from swell.sandbox.launching import start

    looking = looking_of(ctx)
    folder = _folder(ctx)
    running = folder.running()
    wanted = _wanted(ctx, folder.path, options)
    if running is not None:
        _check_runner(running, options["runner"])
        looking.print(["The sandbox is up already.", *_facts(running)])
    else:
        if folder.holder() is not None:
            raise CommandException(
                "The sandbox is being started or ended just now.",
                remedy="Look in a moment: swell sandbox status.",
            )
        looking.say("Starting AWS Batch, S3 and CloudWatch Logs on this machine …")
        running = start(wanted).running
        looking.print(["The sandbox is up.", *_facts(running)])
    looking.say("\nRun a flow in it:   python flow.py --profile sandbox run --with batch")
    looking.say("End it:             swell sandbox down")


@click.pass_context
def _down(ctx: click.Context, /) -> None:
    from swell.sandbox.launching import end

    if not end(_folder(ctx)):
        raise CommandException("No sandbox is up.", remedy="Start one: swell sandbox up.")
    looking_of(ctx).print(["The sandbox is down; nothing of it runs any more."])


@click.pass_context
def _status(ctx: click.Context, /) -> None:
    from swell.sandbox.launching import ask

    looking = looking_of(ctx)
    running = _running(ctx)
    status = ask(running, "status")
    looking.print([looking.paint.bold("Servers"), *_facts(running)])
    looking.print(["", looking.paint.bold("Queues"), *_columns(map(_queue, status["queues"]))])
    environments = _columns(map(_environment, status["environments"]))
    looking.print(["", looking.paint.bold("Compute environments"), *environments])
    faults = _shown_faults(status["faults"])
    if faults:
        looking.print(["", f"{looking.paint.bold('Faults')}  {faults}"])


@click.pass_context
def _run(ctx: click.Context, /, command: Sequence[str], **options: Any) -> int:
    import tempfile

    from swell.sandbox.launching import start, wait_until_down
    from swell.sandbox.place import SandboxFolder, variables_for

    with tempfile.TemporaryDirectory(
        prefix="swell-sandbox-", ignore_cleanup_errors=True
    ) as temporary:
        folder = SandboxFolder(Path(temporary) / "state")
        options = {**options, "home": str(Path(temporary) / "home"), "ends_with_stdin": True}
        started = start(_wanted(ctx, folder.path, options))
        try:
            code = _code_of(command, variables_for(started.running, folder.credentials))
        finally:
            assert started.stdin is not None
            started.stdin.close()
            wait_until_down(folder)
    return code


@click.pass_context
def _chaos(ctx: click.Context, /, faults: Sequence[str]) -> None:
    from swell.cli.sandbox_faults import parse_faults
    from swell.sandbox.launching import ask

    looking = looking_of(ctx)
    request = parse_faults(faults)
    running = _running(ctx)
    answer = ask(running, "chaos", request)
    if answer["lost_hosts"]:
        looking.print([f"Lost: {', '.join(answer['lost_hosts'])}."])
    elif request.get("host_loss"):
        looking.print(["No instance has a job just now, so none was lost."])
    if answer["api_down_s"]:
        looking.print([f"The Batch API does not answer for {answer['api_down_s']:g} s."])
    looking.print([f"Faults now: {_shown_faults(answer['faults']) or 'none'}."])


def _code_of(command: Sequence[str], variables: dict[str, str]) -> int:
    """Run ``command`` with ``variables``; its exit code, 128 + the signal it died of."""
    import signal
    import subprocess

    try:
        child = subprocess.Popen(command, env={**os.environ, **variables})
    except OSError as error:
        raise CommandException(
            f"'{command[0]}' cannot be run: {error.strerror}.",
            remedy="Write the command as in a shell: swell sandbox run python flow.py run.",
        ) from error
    # Ctrl-C goes to the command as well, and it is for the command to decide.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    passed = signal.signal(signal.SIGTERM, lambda number, _: child.send_signal(number))
    try:
        code = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, passed)
    return 128 - code if code < 0 else code


def _folder(ctx: click.Context) -> SandboxFolder:
    from swell.sandbox.place import SandboxFolder

    return SandboxFolder(Path(looking_of(ctx).settings.sandbox).expanduser().absolute())


def _running(ctx: click.Context) -> Running:
    running = _folder(ctx).running()
    if running is None:
        raise CommandException("No sandbox is up.", remedy="Start one: swell sandbox up.")
    return running


def _wanted(ctx: click.Context, folder: Path, options: dict[str, Any]) -> Wanted:
    from swell.sandbox.place import RUNNERS, Wanted

    settings = looking_of(ctx).settings
    home = Path(settings.home).expanduser().absolute()
    runner = options["runner"] or settings.sandbox_runner
    if runner not in RUNNERS:
        raise UsageError(
            f"'{runner}' is nothing that runs the sandbox's jobs.",
            remedy=f"Give --runner or SWELL_SANDBOX_RUNNER one of: {', '.join(RUNNERS)}.",
        )
    return Wanted(**{"folder": str(folder), "home": str(home), **options, "runner": runner})


def _check_runner(running: Running, asked: str | None) -> None:
    if asked not in (None, "auto", running.runner):
        raise CommandException(
            f"The sandbox is up already, and its runner is {running.runner}, not {asked}.",
            remedy=f"Start it anew: swell sandbox down; swell sandbox up --runner {asked}.",
        )


def _facts(running: Running) -> list[str]:
    batch = f"{running.batch_url}  queue '{running.queue}', and spot, fargate, fair"
    return _columns(
        [
            ("Batch", batch),
            ("S3", f"{running.s3_url}  {running.s3_by}, bucket '{running.bucket}'"),
            ("Logs", f"{running.logs_url}  moto"),
            *_jobs(running),
            ("Profile", f"sandbox, in {shlex.quote(running.home)}"),
        ]
    )


def _jobs(running: Running) -> list[tuple[str, str]]:
    if running.runner != "process":
        return [
            ("Jobs", f"containers of {running.runner_why}"),
            ("", "processes start in milliseconds: swell sandbox up --runner process"),
        ]
    memory = {
        "cgroup": "memory limits by control groups",
        "watch": "memory limits by looking at their size, as no control groups can be made",
    }[running.memory_by]
    told = [("", running.runner_why)] if running.runner_why else []
    return [("Jobs", f"processes; {memory}"), *told]


def _queue(queue: dict[str, Any]) -> tuple[str, str]:
    there = [f"{count} {state.lower()}" for state, count in queue["jobs"].items() if count]
    text = ", ".join(there) or "no jobs"
    return queue["name"], text if queue["state"] == "ENABLED" else f"{text}; disabled"


def _environment(one: dict[str, Any]) -> tuple[str, str]:
    used = f"{one['used_vcpus']:g} of {one['max_vcpus']} vCPUs in use"
    text = f"{one['kind']}, {used}, {count_text(one['instances'], 'instance')}"
    is_well = (one["state"], one["status"]) == ("ENABLED", "VALID")
    return one["name"], text if is_well else f"{text}; {one['state']}, {one['status']}"


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    there = list(rows)
    width = max((len(name) for name, _ in there), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in there]


def _shown_faults(faults: dict[str, Any]) -> str:
    off: dict[str, Any] = {"spot": 0, "oom": 0, "throttle": None, "capacity": None, "seed": 0}
    shown = [f"{name}={faults[name]:g}" for name, none in off.items() if faults.get(name) != none]
    broken = faults.get("environments", {})
    return " ".join([*shown, *(f"environment={name}:{what}" for name, what in broken.items())])
