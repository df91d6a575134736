"""The log of a run: one packed, indexed stream of all its tasks' lines."""

from __future__ import annotations

import os

from swell.datastore.log_format import STDERR, STDOUT, SYSTEM, Frame
from swell.datastore.log_reader import LogLine, LogReader, LogTail
from swell.datastore.log_writer import LogWriter

__all__ = [
    "STDERR",
    "STDOUT",
    "SYSTEM",
    "Frame",
    "LogLine",
    "LogReader",
    "LogTail",
    "LogWriter",
    "log_folder",
]


def log_folder(root: str, flow: str, run: str) -> str:
    """Where the log of a run is under the store's ``root``."""
    return os.path.join(root, "logs", flow, run)
