"""A program that answers as podman does and makes processes: for where no engine can be had.

It knows the commands that the sandbox uses, and the view of this machine alone; it limits no
memory. What it knows of containers is in files of its folder. A job is some calls of it: so it
imports little.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

_NEVER = "0001-01-01T00:00:00Z"
_MARK = "container"
"""The variable by which processes are known that left a container's group."""
_SIGNALS = {"TERM": 15, "KILL": 9}


def install(folder: Path) -> Path:
    """Put the program into ``folder``, which keeps its containers too; its path."""
    program = folder / "podman"
    own = os.path.dirname(__file__)
    program.write_text(
        f"#!{sys.executable} -IS\n"
        "import sys\n"
        f"sys.path.insert(0, {own!r})\n"
        "from process_engine import main\n"
        f"sys.exit(main({str(folder)!r}, sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    return program


class Containers:
    """Those of one folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def create(self, words: list[str]) -> None:
        if "--rootfs" not in words:
            sys.exit("Error: image not known")
        place = words.index("--rootfs")
        options = [word[2:].partition("=")[::2] for word in words[:place]]
        command = words[place + 2 :]
        if not command:
            sys.exit("Error: no command or entrypoint provided")
        named = dict(options)
        volumes = [value.split(":") for key, value in options if key == "volume"]
        seen = {target: source for source, target, *_ in volumes}
        given = [value.partition("=")[::2] for key, value in options if key == "env"]
        self._write(
            named["name"],
            command=command,
            variables={_MARK: named["name"], **{key: _outside(text, seen) for key, text in given}},
            home=seen[named["workdir"]],
            label=named["label"],
            state=_state(),
        )

    def start(self, name: str) -> int:
        made = self._read(name)
        command, variables = made["command"], made["variables"]
        if not any(
            os.access(os.path.join(folder, command[0]), os.X_OK)
            for folder in variables["PATH"].split(":")
        ):
            os.write(2, f'Error: exec: "{command[0]}": executable file not found\n'.encode())
            return 127
        os.chdir(made["home"])
        pid = os.posix_spawn(
            "/bin/sh",
            ["/bin/sh", "-c", 'exec "$@" </dev/null', "sh", *command],
            variables,
            setsid=True,
        )
        self._write(name, pid=pid, state=_state(Running=True, StartedAt="2026"))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        _kill_marked(name)
        code = 128 - code if code < 0 else code
        self._write(name, state=_state(ExitCode=code, StartedAt="2026"))
        return code

    def kill(self, sent: str, names: list[str]) -> None:
        for name in names:
            known = self._read(name)
            if not known["state"]["Running"]:
                sys.exit("Error: can only kill running containers")
            try:
                os.kill(known["pid"], _SIGNALS[sent])
            except ProcessLookupError:
                # As an engine finds when it looks: whoever would have noted it is gone.
                self._write(name, state=_state(ExitCode=137, StartedAt="2026"))

    def remove(self, names: list[str]) -> None:
        for name in names:
            _kill_marked(name)
            if os.path.exists(self._path(name)):
                os.remove(self._path(name))

    def labelled(self, label: str) -> list[str]:
        names = [name[:-5] for name in os.listdir(self._folder) if name.endswith(".json")]
        return [name for name in names if self._read(name)["label"] == label]

    def state(self, name: str) -> str:
        return json.dumps(self._read(name)["state"])

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}.json"

    def _read(self, name: str) -> dict[str, Any]:
        """Ends the program where there is none of that name."""
        try:
            with open(self._path(name)) as file:
                return dict(json.load(file))
        except FileNotFoundError:
            sys.exit(f'Error: no container with name or ID "{name}" found: no such container')

    def _write(self, name: str, **facts: Any) -> None:
        before = self._read(name) if os.path.exists(self._path(name)) else {}
        beside = f"{self._path(name)}.{os.getpid()}"
        with open(beside, "w") as file:
            json.dump({**before, **facts}, file)
        os.replace(beside, self._path(name))


def _kill_marked(name: str) -> None:
    """Kill what still has the container's variable."""
    mark = f"{_MARK}={name}".encode()
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    os.kill(int(process), _SIGNALS["KILL"])
        except OSError:
            continue


def _state(**facts: Any) -> dict[str, Any]:
    return {"Running": False, "ExitCode": 0, "StartedAt": _NEVER, "OOMKilled": False, **facts}


def _outside(value: str, seen: dict[str, str]) -> str:
    """What is a path inside, as it is outside."""
    for target, source in seen.items():
        if value == target or value.startswith(f"{target}/"):
            return source + value[len(target) :]
    return value


def main(folder: str, words: list[str]) -> int:
    """Do what podman would with ``words``."""
    containers = Containers(folder)
    what, *rest = words
    if what == "create":
        containers.create(rest)
    elif what == "start":
        return containers.start(rest[-1])
    elif what == "kill":
        containers.kill(rest[1], rest[2:])
    elif what == "rm":
        containers.remove(rest[2:])
    elif what == "ps":
        print("\n".join(containers.labelled(rest[-1].removeprefix("label="))))
    elif what == "container":
        print(containers.state(rest[-1]))
    else:
        sys.exit(f"Error: {what} cannot be done here")
    return 0
