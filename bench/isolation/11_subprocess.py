"""A program called while the script is read."""

import subprocess

SAID = subprocess.run(["echo", "42"], capture_output=True, text=True, check=True).stdout


def use():
    return int(subprocess.run(["echo", "42"], capture_output=True, text=True, check=True).stdout)
