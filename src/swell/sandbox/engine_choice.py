"""Which container engine really works here: found by running a container, not by looking."""

from __future__ import annotations

import secrets
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from swell.errors import ComputeError
from swell.sandbox.container_files import ContainerFiles
from swell.sandbox.container_options import common_options, cpu_options, memory_options
from swell.sandbox.engine import (
    DOCKER,
    PODMAN,
    Engine,
    EngineCommands,
    EngineRefused,
    RunCommand,
    plain,
    run_command,
)
from swell.sandbox.images import ImageMissing

AUTO, PROCESS = "auto", "process"
_PROBE_S = 20.0
_MIB = 64
_LOOK = """
import json, pathlib, socket, sys
port, secret = sys.argv[1:]
group = pathlib.Path("/sys/fs/cgroup")
limits = [group / "memory.max", group / "memory" / "memory.limit_in_bytes"]
socket.create_connection(("127.0.0.1", int(port)), 5).close()
json.dump({"limit": [path.read_text().strip() for path in limits if path.exists()],
           "secret": pathlib.Path(secret).read_text()}, sys.stdout)
"""
"""What the first container tells: its memory limit, and a file it can only see where the engine
runs on this machine."""


class Choice(NamedTuple):
    """``engine``: None for processes. ``why``: what a user is told of it."""

    engine: Engine | None
    why: str


class _Seen(msgspec.Struct):
    limit: list[str]
    secret: str


class Useless(Exception):
    """The engine cannot be used; says why, in a clause."""


def choose(
    wanted: str,
    folder: Path,
    *,
    run: RunCommand = run_command,
    find: Callable[[str], str | None] = shutil.which,
) -> Choice:
    """What runs jobs where ``wanted`` is one of RUNNERS of ``place``; ``folder`` is left as it is.

    Raises ComputeError where the engine that was asked for does not work.
    """
    if wanted == PROCESS:
        return Choice(None, "")
    reasons = []
    for name in (PODMAN, DOCKER) if wanted == AUTO else (wanted,):
        began = time.monotonic()
        try:
            engine = working(name, folder, run, find)
        except Useless as why:
            reasons.append(f"{name}: {why}")
            continue
        took = time.monotonic() - began
        return Choice(engine, f"{engine.name} {engine.version}; the first took {took:.1f} s here")
    if wanted == AUTO:
        return Choice(None, f"no containers: {'; '.join(reasons)}")
    end = "" if reasons[0].endswith((".", "?", "!")) else "."
    raise ComputeError(
        f"Jobs cannot run in containers of {reasons[0]}{end}",
        remedy="Mend that, or let jobs be processes: swell sandbox up --runner process.",
    )


def working(name: str, folder: Path, run: RunCommand, find: Callable[[str], str | None]) -> Engine:
    """The engine ``name``, tried with one container or more. Raises Useless."""
    program = find(name)
    if program is None:
        raise Useless("it is not installed")
    version = run([program, "--version"], timeout_s=_PROBE_S)
    if version.code:
        raise Useless(plain(version.err) or "its program does not run")
    # 'docker' may be podman by another name.
    kind = PODMAN if PODMAN in version.out.lower() else name
    runtimes: list[tuple[str, ...]] = [()]
    if kind == PODMAN and find("runc") is not None:
        # Where podman's usual one, crun, cannot cope with the control groups.
        runtimes.append(("--runtime", "runc"))
    words = plain(version.out).replace(",", "").split()
    number = next((word for word in words if word[:1].isdigit()), "")
    why = Useless("it does not answer")
    for runtime in runtimes:
        quiet = ("--log-level=error",) if kind == PODMAN else ()
        engine = Engine(kind, (program, *quiet, *runtime), number)
        for limits_cpu, has_init in ((True, True), (True, False), (False, True), (False, False)):
            if not limits_cpu and "cpu" not in str(why):
                break  # that is not what it lacks
            engine = msgspec.structs.replace(engine, has_init=has_init, limits_cpu=limits_cpu)
            try:
                _try(engine, folder, run)
            except Useless as found:
                why = found
            else:
                return engine
    raise why


def _try(engine: Engine, folder: Path, run: RunCommand) -> None:
    """Run a container that looks about itself. Raises Useless."""
    name = f"swell-trial-{uuid.uuid4().hex[:12]}"
    label = f"swell.trial={name}"
    place = folder / name
    place.mkdir(parents=True)
    (place / "home").mkdir()
    (place / "secret").write_text(secrets.token_hex(8))
    commands = EngineCommands(engine, lambda *a, **k: run(*a, **{**k, "timeout_s": _PROBE_S}))
    files = ContainerFiles(place, commands)
    image = f"python:{sys.version_info.major}.{sys.version_info.minor}"
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            there = [str(server.getsockname()[1]), str(place / "secret")]
            options = [
                *common_options(engine, name, label),
                *memory_options(_MIB),
                *cpu_options(engine, 1, 0.5),
                *(["--init"] if engine.has_init else []),
                f"--volume={place / 'secret'}:{place / 'secret'}:ro",
            ]
            view = files.view(image, place / "home")
            variables = [f"--env={key}={value}" for key, value in view.variables.items()]
            python = ["python", "-c", _LOOK, *there]
            commands.create([*options, *variables, *view.arguments, *python], place)
            said = run(commands.attached(name), cwd=place, timeout_s=_PROBE_S)
        if said.code:
            raise Useless(plain(said.err) or f"its first container ended with {said.code}")
        _judge(said.out, (place / "secret").read_text())
    except (EngineRefused, ImageMissing) as why:
        raise Useless(str(why)) from why
    finally:
        commands.clear(label)
        files.close()
        shutil.rmtree(place, ignore_errors=True)


def _judge(told: str, secret: str) -> None:
    try:
        seen = msgspec.json.decode(told, type=_Seen)
    except msgspec.MsgspecError as error:
        raise Useless(f"its first container printed '{told[:80]}'") from error
    if seen.secret != secret:
        raise Useless("it does not see this machine's files")
    if str(_MIB << 20) not in seen.limit:
        raise Useless("it does not limit the memory of a container here")
