"""parallel_map, used while the script is read."""

from swell import parallel_map


def double(item):
    return item * 2


SUM = sum(parallel_map(double, range(8)))


def use():
    return sum(parallel_map(double, range(8)))
