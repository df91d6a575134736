"""What the kernel says of memory: the control group of this container, version 1 or 2."""

from __future__ import annotations

_ROOT = "/sys/fs/cgroup"
_NO_LIMIT = 1 << 50


class MemoryGroup:
    """The control group that this process is in. What cannot be read is None."""

    def __init__(self, listing: str = "/proc/self/cgroup", root: str = _ROOT) -> None:
        self._folders: list[str] = []
        self._is_v2 = False
        for line in (_text(listing) or "").splitlines():
            number, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                # Inside a container the group is often mounted as the root itself.
                self._folders = [f"{root}/memory{path.rstrip('/')}", f"{root}/memory"]
                self._is_v2 = False
                break
            if number == "0":
                self._folders = [root + path.rstrip("/"), root]
                self._is_v2 = True

    def counters(self) -> list[str]:
        """Paths of the file that counts kills, the group's own first."""
        return [f"{folder}/{self._counter}" for folder in self._folders]

    @property
    def _counter(self) -> str:
        return "memory.events" if self._is_v2 else "memory.oom_control"

    def oom_kills(self) -> int | None:
        """How many processes the kernel has killed in the group for its memory."""
        for line in (self._read(self._counter) or "").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return None

    def limit_mb(self) -> int | None:
        """The limit of the group in MB (2**20 bytes); None where there is none."""
        text = self._read("memory.max" if self._is_v2 else "memory.limit_in_bytes")
        if text is None or not text.strip().isdigit() or int(text) >= _NO_LIMIT:
            return None
        return int(text) >> 20

    def _read(self, name: str) -> str | None:
        for folder in self._folders:
            text = _text(f"{folder}/{name}")
            if text is not None:
                return text
        return None


def _text(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None
