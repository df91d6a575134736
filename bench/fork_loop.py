"""The limit of the machine: fork and wait, from a process that holds what a task holds.

`python fork_loop.py MODULES FORKS` imports the modules named in the file MODULES, one a
line, then forks FORKS children one after the other, each of which ends at once. Prints the
seconds per fork.
"""

import gc
import importlib
import os
import sys
import time
import warnings
from pathlib import Path


def main() -> None:
    warnings.simplefilter("ignore")
    for name in Path(sys.argv[1]).read_text().split():
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    gc.collect()
    gc.freeze()
    forks = int(sys.argv[2])
    started = time.perf_counter()
    for _ in range(forks):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    print((time.perf_counter() - started) / forks)


if __name__ == "__main__":
    main()
