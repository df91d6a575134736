"""Emulators of AWS Batch that others wrote, with jobs as processes instead of containers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swell.sandbox.server_process import ServerProcess, free_ports, takes_connections
from tests.servers.seaweedfs import SeaweedFs

_DOCKER = Path(__file__).parent / "process_docker"
_MOTO = """
import sys
from werkzeug.serving import run_simple
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
app = DomainDispatcherApplication(create_backend_app)
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
"""
_LOCALBATCH = """
import sys
from localbatch.__main__ import main
main(["--host", "127.0.0.1", "--port", sys.argv[1], "--queue", "big", "--log-level", "warning"])
"""


@contextmanager
def running(program: str, folder: Path, s3: SeaweedFs) -> Iterator[str]:
    """The endpoint of a server whose jobs reach ``s3``; it ends with the block."""
    (port,) = free_ports(1)
    root = Path(__file__).resolve().parents[2]
    given = {
        "PYTHONPATH": os.pathsep.join([str(_DOCKER), str(root / "src")]),
        "SWELL_LAYER_CACHE": str(folder / "layers"),
        "PATH": os.environ["PATH"],
        **s3.environ(),
    }
    server = ServerProcess(program, folder / f"{program}.log")
    code = {"moto": _MOTO, "localbatch": _LOCALBATCH}[program]
    # ``env`` drops what this process has: the server's keys are its jobs' role.
    words = [f"{name}={value}" for name, value in given.items()]
    server.launch(["env", "-i", *words, sys.executable, "-c", code, str(port)])
    try:
        server.wait_until(lambda: takes_connections(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
