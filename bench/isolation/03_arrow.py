"""Arrow, computing while the script is read."""

import pyarrow
import pyarrow.compute

COLUMN = pyarrow.array(range(100_000))
SUM = pyarrow.compute.sum(COLUMN).as_py()


def use():
    return pyarrow.compute.sum(COLUMN).as_py()
