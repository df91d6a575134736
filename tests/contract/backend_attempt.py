"""A fresh interpreter's side of the backend contract: does what the launch's step says."""

import os

import msgspec

from swell.compute.keeper import Fresh, FreshLaunch
from swell.compute.packed import write_framed
from swell.model.wire import decode_launch
from swell.testing.contract_attempt import act

if __name__ == "__main__":
    fresh = Fresh(*map(int, os.environ["SWELL_ATTEMPT"].split(",")))
    with os.fdopen(fresh.launch_fd, "rb") as passed:
        order = msgspec.msgpack.decode(passed.read(), type=FreshLaunch)
    write_framed(fresh.result_fd, act(decode_launch(order.launch).step))
