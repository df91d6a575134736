"""What an attempt used, from the kernel's counters of a process that ended (decision 0016)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from swell.model.record import Usage

if TYPE_CHECKING:
    from resource import struct_rusage

_BLOCKS_PER_MB = 2048
"""getrusage(2) counts in blocks of 512 bytes what went from and to disks."""


class Inherited(NamedTuple):
    """What a forked attempt has from the process it is forked from, in MB.

    ``shared_mb`` is in its memory from its first moment on: what the script and its packages
    allocated. ``file_mb`` are pages of libraries, which a fresh process would map too and a
    forked one does as it touches them. ``import_peak_mb`` is what importing the script took
    at its peak, which a fresh process would take again.
    """

    shared_mb: float = 0.0
    file_mb: float = 0.0
    import_peak_mb: float = 0.0


def own_memory(status: str = "/proc/self/status") -> Inherited:
    """This process's memory as what its children will inherit; nothing where it is not told."""
    fields = {}
    try:
        with open(status, encoding="ascii", errors="replace") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name in ("RssAnon", "RssFile", "VmHWM"):
                    fields[name] = int(value.split()[0]) / 1024
    except OSError:
        return Inherited()
    return Inherited(
        fields.get("RssAnon", 0.0), fields.get("RssFile", 0.0), fields.get("VmHWM", 0.0)
    )


def usage_of(ended: struct_rusage, inherited: Inherited | None) -> Usage:
    """From wait4(2), which takes the largest of the process and of those it waited for, and
    adds up their processor seconds; ``inherited`` for an attempt that was forked.

    A forked attempt's pages are counted from those it has from the script on; to what a fresh
    process would need belong also the pages of libraries that it has not touched, and it may
    be that importing the script took more than the step.
    """
    return usage_from(
        Counts(
            ended.ru_maxrss / 1024,
            ended.ru_utime + ended.ru_stime,
            ended.ru_inblock / _BLOCKS_PER_MB,
            ended.ru_oublock / _BLOCKS_PER_MB,
        ),
        inherited,
        "largest process",
    )


class Counts(NamedTuple):
    """What the kernel counted: peak memory and disk traffic in MB, processor seconds."""

    largest_mb: float
    cpu_s: float
    read_mb: float
    written_mb: float


def counts_of_self() -> Counts:
    """This process so far, with the processor seconds and the disk traffic of children that it
    waited for."""
    from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

    own, children = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return Counts(
        own.ru_maxrss / 1024,
        own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        (own.ru_inblock + children.ru_inblock) / _BLOCKS_PER_MB,
        (own.ru_oublock + children.ru_oublock) / _BLOCKS_PER_MB,
    )


def usage_from(counts: Counts, inherited: Inherited | None, how: str) -> Usage:
    """The same from bare counts; ``how`` says whose they are."""
    peak_mb, added_mb = counts.largest_mb, counts.largest_mb
    if inherited is not None:
        peak_mb = max(counts.largest_mb + inherited.file_mb, inherited.import_peak_mb)
        added_mb = max(0.0, counts.largest_mb - inherited.shared_mb)
        how += ", forked"
    return Usage(
        peak_memory_mb=round(peak_mb, 1),
        cpu_s=counts.cpu_s,
        how=how,
        read_mb=round(counts.read_mb, 3),
        written_mb=round(counts.written_mb, 3),
        added_mb=round(added_mb, 1),
    )
