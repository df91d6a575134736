"""A random generator at module level that nobody seeded."""

import numpy

RNG = numpy.random.default_rng()
FIRST = RNG.random()


def use():
    return float(RNG.random())
