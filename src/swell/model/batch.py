"""What ``@batch`` asks of AWS Batch besides the resources that every backend knows."""

from __future__ import annotations

import msgspec


class BatchOptions(msgspec.Struct, frozen=True):
    """The arguments of ``@batch`` as given; None means not said.

    ``max_swap``, ``tmpfs_size`` in MiB, ``ephemeral_storage`` in GiB; ``swappiness`` 0 to
    100. ``share`` and ``priority`` (0 to 9999) place the job in a fair-share queue.
    ``executable`` is the interpreter inside the container.
    """

    queue: str | None = None
    image: str | None = None
    iam_role: str | None = None
    execution_role: str | None = None
    max_swap: int | None = None
    swappiness: int | None = None
    use_tmpfs: bool = False
    tmpfs_tempdir: bool = True
    tmpfs_size: int | None = None
    tmpfs_path: str | None = None
    ephemeral_storage: int | None = None
    host_volumes: tuple[str, ...] = ()
    efs_volumes: tuple[str, ...] = ()
    privileged: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    share: str | None = None
    priority: int | None = None
    trainium: int | None = None
    efa: int | None = None
    log_driver: str | None = None
    log_options: tuple[str, ...] = ()
    executable: str | None = None
