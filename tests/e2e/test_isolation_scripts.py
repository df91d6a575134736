"""Scripts that used a library before their flow starts: the path each takes, and that it works."""

from __future__ import annotations

import ast
import http.server
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from terminal import run

SCRIPTS = Path(__file__).parent / "isolation_scripts"
TOLD = "Tasks start in fresh interpreters: "


class Case(NamedTuple):
    """A script; why its tasks start fresh ("" = they are forked); what its tasks find."""

    script: str
    fresh_because: str
    found: list[Any] | None
    package: str = ""


CASES = [
    Case("uses_pandas", "", [0.0] * 2, "pandas"),
    Case("uses_polars", "Polars has started its thread pool", [3] * 2, "polars"),
    Case("uses_arrow", "", [50_000] * 2, "pyarrow"),
    Case("uses_scikit_learn", "", [0.0] * 2, "sklearn"),
    Case("uses_torch", "", [[True, True]] * 2, "torch"),
    Case("uses_matplotlib", "", [True] * 2, "matplotlib"),
    Case("uses_requests", "a network connection", [[f"/{n}"] * 20 for n in (1, 2)], "requests"),
    Case("starts_a_logging_thread", "the script started threads", [0] * 2),
    Case("has_an_unseeded_generator", "generator was made at module level", None, "numpy"),
    Case("has_a_temporary_folder", "", ["from the script"] * 2),
    Case("runs_a_subprocess", "", [True] * 2),
    Case("uses_parallel_map", "", [[0, n, 4 * n, 9 * n, 16 * n] for n in (1, 2)]),
]


class _Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the connection

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as echo:
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{echo.server_port}"
        echo.shutdown()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.script)
def test_a_script_takes_the_path_that_suits_what_it_did_before_its_flow(case, tmp_path, server):
    if case.package and importlib.util.find_spec(case.package) is None:
        pytest.skip(f"{case.package} is not installed")
    script = SCRIPTS / f"{case.script}.py"

    done = run(script, "run", store=tmp_path, ISOLATION_TEST_SERVER=server)

    told = [line for line in (done.stdout + done.stderr).splitlines() if TOLD in line]
    if case.fresh_because:
        assert len(told) == 1
        assert case.fresh_because in told[0]
    else:
        assert told == []
    (printed,) = [line for line in done.stdout.splitlines() if "] found " in line]
    found = ast.literal_eval(printed.partition("] found ")[2])
    if case.found is None:
        assert len(set(found)) == 2
    else:
        assert found == case.found
