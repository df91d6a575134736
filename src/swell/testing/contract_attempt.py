"""What attempts do under the backend contract; loads no more than a task does."""

from __future__ import annotations

import faulthandler
import os
import signal
import time

import msgspec

from swell.model.cause import Cause
from swell.model.record import AttemptResult, Outcome, Record
from swell.model.wire import encode


def act(step: str) -> bytes:
    """Do what ``step`` says: ok, fail, die, leave, hang, deaf; the encoded result."""
    if step == "die":
        faulthandler.disable()  # a test runner's own would write a page about it
        os.kill(os.getpid(), signal.SIGSEGV)
    if step == "leave":
        os._exit(3)
    if step == "hang":
        time.sleep(1_000)
    if step == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1_000)
    cause = Cause.OK if step != "fail" else Cause.USER_ERROR
    outcome = Outcome(step != "fail", cause, message=step)
    return encode(AttemptResult(outcome, msgspec.Raw(encode(Record()))))
