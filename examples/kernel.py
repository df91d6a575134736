"""A kernel in C++, compiled in one step and called from many: the Mandelbrot set in bands.

    python kernel.py run
    python kernel.py run --width 1600 --compiler clang++

Shows that compiled code is an artifact like any other: its bytes are built once and travel
with the flow. Needs a C++ compiler.
"""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy

from swell import FlowSpec, IncludeFile, Parameter, step


class KernelFlow(FlowSpec):
    """The area of the Mandelbrot set, counted by compiled code."""

    source = IncludeFile("source", default=str(Path(__file__).with_suffix(".cpp")))
    compiler = Parameter("compiler", default="g++", help="the C++ compiler to call")
    width = Parameter("width", default=600, help="points from left to right")
    limit = Parameter("limit", default=200, help="rounds after which a point counts as inside")

    @step
    def start(self):
        if shutil.which(self.compiler) is None:
            raise RuntimeError(
                f"There is no compiler '{self.compiler}' here. Install one (Debian, Ubuntu:"
                " apt-get install g++) or name another with --compiler."
            )
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "kernel.cpp"), Path(folder, "kernel.so")
            source.write_text(self.source)
            subprocess.run(
                [self.compiler, "-O2", "-shared", "-fPIC", source, "-o", library], check=True
            )
            self.binary = library.read_bytes()
        self.bands = [1.2 - band * 0.3 for band in range(8)]  # top edges, from +1.2i to -1.2i
        self.next(self.render, foreach="bands")

    @step
    def render(self):
        pixel = 3.0 / self.width
        self.times = numpy.empty((round(0.3 / pixel), self.width), dtype=numpy.int32)
        with tempfile.NamedTemporaryFile(suffix=".so") as file:
            file.write(self.binary)
            file.flush()
            kernel = ctypes.CDLL(file.name)
            kernel.escape_times(
                ctypes.c_double(-2.2),
                ctypes.c_double(self.input),
                ctypes.c_double(pixel),
                self.times.shape[1],
                self.times.shape[0],
                self.limit,
                self.times.ctypes.data_as(ctypes.POINTER(ctypes.c_int)),
            )
        self.next(self.join)

    @step
    def join(self, bands):
        self.image = numpy.vstack([band.times for band in bands])
        inside = (self.image == bands[0].limit).mean()
        self.area = float(inside * 3.0 * 2.4)
        self.next(self.end)

    @step
    def end(self):
        for row in self.image[:: max(1, self.image.shape[0] // 24)]:
            print(
                "".join(
                    " .:-=+*#%@"[min(9, n * 10 // self.limit)]
                    for n in row[:: max(1, self.width // 72)]
                )
            )
        print(f"area of the set: {self.area:.3f} (known: about 1.507)")


if __name__ == "__main__":
    KernelFlow()
