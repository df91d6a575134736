"""What keys are relative to: a URL, a run, or nothing."""

from __future__ import annotations

from typing import Any

from swell.datastore.object_address import ObjectAddress, is_object_url, parse_address
from swell.errors import UsageError
from swell.settings import Settings


def root_of(
    settings: Settings,
    *,
    s3root: str | None,
    bucket: str | None,
    prefix: str | None,
    run: Any,
) -> ObjectAddress | None:
    """Raises UsageError for what cannot be meant together, or be found."""
    if s3root is not None:
        if run is not None or bucket is not None:
            raise UsageError(
                "S3 was given 's3root' together with 'run' or 'bucket'.",
                remedy="Give one of them.",
            )
        return parse_address(s3root, allow_dots=True)
    if run is not None:
        return _in_bucket(run_root(settings, run), bucket, prefix)
    if bucket is not None:
        return parse_address(f"s3://{bucket.removeprefix('s3://')}").under(prefix or "")
    return None


def run_root(settings: Settings, run: Any) -> ObjectAddress:
    """Where data of ``run`` lie: a flow inside its task, or a Run of the client."""
    path = getattr(run, "pathspec", None)
    if not isinstance(path, str):
        if settings.run_id is None:
            raise UsageError(
                f"S3(run=…) was given a {type(run).__name__} outside of a task.",
                remedy="Give it a Run of the client, or an s3root.",
            )
        path = f"{type(run).__name__}/{settings.run_id}"
    parts = path.split("/")[:2]
    if settings.s3_root is not None:
        return parse_address(settings.s3_root).under(*parts)
    store_id = getattr(run, "store_id", None)
    if isinstance(store_id, str) and is_object_url(settings.datastore or ""):
        return parse_address(settings.datastore or "").under(store_id, "data", *parts)
    if settings.run_datastore is None:
        raise UsageError(
            "S3(run=…) needs a place for data of runs, and none is set.",
            remedy="Set SWELL_S3_ROOT to a URL like s3://my-bucket/data, or SWELL_DATASTORE to "
            "the object store that the run was given.",
        )
    return parse_address(settings.run_datastore).under("data", *parts)


def _in_bucket(root: ObjectAddress, bucket: str | None, prefix: str | None) -> ObjectAddress:
    if bucket is None:
        return root
    return ObjectAddress("s3", bucket, "/".join(filter(None, (prefix or "", root.prefix))))


def located(root: ObjectAddress | None, key: str) -> ObjectAddress:
    """The bucket and the key in it (as ``prefix``). Raises UsageError."""
    if is_object_url(key):
        if root is not None:
            raise UsageError(
                f"'{key}' is a whole URL, and this S3 has a root, {root.url}.",
                remedy="Give keys relative to the root, or make an S3() without one.",
            )
        _check_key(key, key.partition("://")[2].partition("/")[2].split("/"))
        return parse_address(key)
    if root is None:
        raise UsageError(
            f"'{key}' is no whole URL, and this S3 has no root.",
            remedy="Write s3://bucket/key, or give S3 an s3root or a run.",
        )
    parts = key.split("/")
    _check_key(key, parts)
    return root.under(*parts)


def _check_key(key: str, parts: list[str]) -> None:
    # The engine would leave empty parts out, and one object would take another's place.
    if any(part in (".", "..") for part in parts) or "" in parts[:-1]:
        raise UsageError(
            f"'{key}' cannot be a key here.",
            remedy="A key does not begin with '/' and has no empty, '.' or '..' parts.",
        )
