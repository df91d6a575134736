"""What the kernel is asked for."""

from __future__ import annotations

import os
import subprocess
import sys

from swell.compute.kernel import children_of


def test_children_are_listed_while_they_live() -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        while_alive = children_of(os.getpid())
        child.communicate(b"\n")

    assert child.pid in while_alive
    assert child.pid not in children_of(os.getpid())


def test_what_is_no_process_has_no_children() -> None:
    assert children_of(2**30) == set()
