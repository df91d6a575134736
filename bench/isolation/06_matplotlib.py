"""Matplotlib, a figure drawn while the script is read."""

import io

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def draw():
    figure, axes = pyplot.subplots()
    axes.plot([1, 3, 2])
    image = io.BytesIO()
    figure.savefig(image)
    pyplot.close(figure)
    return len(image.getvalue())


SIZE = draw()


def use():
    return draw() > 0
