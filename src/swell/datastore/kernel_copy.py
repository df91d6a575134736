"""Bytes from file to file by the kernel: shared where the file system can, else copied."""

from __future__ import annotations

import errno
import os

# From linux/fs.h: _IOW(0x94, 13, struct file_clone_range).
_FICLONERANGE = 0x4020940D
_CANNOT = {
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EBADF,
    errno.EPERM,
    errno.ETXTBSY,
}
_STRIDE = 1 << 30


def share(source: int, start: int, target: int, offset: int) -> bool:
    """Let ``target`` share the bytes of ``source`` from ``start`` to its end; both places begin
    at a block. False where the file system cannot do that."""
    import fcntl
    import struct

    # A length of 0 means up to the end.
    wanted = struct.pack("qQQQ", source, start, 0, offset)
    try:
        fcntl.ioctl(target, _FICLONERANGE, wanted)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def copy_within(source: int, start: int, length: int, target: int) -> bool:
    """Copy into the empty file ``target``; False, with nothing written, where the kernel has
    no way to do it between these two. File systems that share bytes do so."""
    copy = getattr(os, "copy_file_range", None)
    done = 0
    while copy is not None and done < length:
        try:
            count = copy(source, target, min(_STRIDE, length - done), start + done)
        except OSError as error:
            if error.errno in _CANNOT and done == 0:
                return False
            raise
        if count == 0:
            break
        done += count
    if 0 < done < length:
        raise OSError(errno.EIO, "the store's file ended early")
    return done == length
