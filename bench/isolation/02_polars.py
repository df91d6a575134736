"""Polars, used while the script is read: its threads are running by then."""

import polars

TABLE = polars.DataFrame({"key": [1, 2, 1], "value": [0.5, 1.5, 2.5]})
SUMS = TABLE.group_by("key").agg(polars.col("value").sum())


def use():
    return float(TABLE.group_by("key").agg(polars.col("value").sum())["value"].sum())
