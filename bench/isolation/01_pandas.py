"""pandas, used while the script is read."""

import pandas

TABLE = pandas.DataFrame({"key": [1, 2, 1], "value": [0.5, 1.5, 2.5]}).groupby("key").sum()


def use():
    return float(TABLE["value"].sum())
