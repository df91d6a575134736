"""Signs of life: a small table in shared memory that attempts write and the driver reads.

It costs no message: one slot a lane, holding the time at which the step's code began, and
in a process that runs many attempts in turn, of which of them.
"""

from __future__ import annotations

import mmap
import os
import struct

_SLOT = struct.Struct("<dq")
LANES = 4096
"""How many lanes the table has room for."""


class LifeTable:
    """A file-backed table, mapped shared; ``fileno`` is passed to fresh interpreters."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._table = mmap.mmap(fd, LANES * _SLOT.size)

    @classmethod
    def create(cls) -> LifeTable:
        """A new table, all lanes without a sign of life."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("swell-life")
        else:
            import tempfile

            fd, path = tempfile.mkstemp(prefix="swell-life-")
            os.unlink(path)
        os.ftruncate(fd, LANES * _SLOT.size)
        return cls(fd)

    def fileno(self) -> int:
        """The descriptor of the table."""
        return self._fd

    def clear(self, lane: int) -> None:
        """A new attempt is about to begin on ``lane``."""
        _SLOT.pack_into(self._table, lane * _SLOT.size, 0.0, 0)

    def mark(self, lane: int, at: float, member: int = 0) -> None:
        """The attempt on ``lane`` reached its step's code ``at`` Unix seconds; in a pack it is
        that of ``member``."""
        _SLOT.pack_into(self._table, lane * _SLOT.size, at, member)

    def began_at(self, lane: int) -> float | None:
        """When the step's code began on ``lane``; None if it has not."""
        at, _member = _SLOT.unpack_from(self._table, lane * _SLOT.size)
        return at or None

    def member(self, lane: int) -> int | None:
        """Which member of the pack on ``lane`` began last; None if none has."""
        at, member = _SLOT.unpack_from(self._table, lane * _SLOT.size)
        return member if at else None

    def close(self) -> None:
        """Unmap and close."""
        self._table.close()
        os.close(self._fd)
