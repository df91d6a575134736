"""A fresh interpreter's side of the backend contract: does what the launch's step says."""

import os

import msgspec

from swell.compute.keeper import Fresh, write_result
from swell.model.wire import decode_launch
from swell.testing.contract_attempt import act

if __name__ == "__main__":
    fresh = Fresh(*map(int, os.environ["SWELL_ATTEMPT"].split(",")))
    with os.fdopen(fresh.launch_fd, "rb") as passed:
        context, encoded = msgspec.msgpack.decode(passed.read())
    write_result(fresh.result_fd, act(decode_launch(encoded).step))
