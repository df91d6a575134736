"""What `swell doctor` tells: facts on Python, the machine, the store and settings, and advice."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from typing import NamedTuple

from swell.compute.cgroups import Cgroups
from swell.compute.isolation import choose_isolation
from swell.compute.machine import find_machine
from swell.compute.process_facts import inspect_process
from swell.errors import SwellError
from swell.metastore.filesystems import network_file_system
from swell.session.databases import shown_address
from swell.session.place import Place
from swell.session.reading import open_place
from swell.session.user import default_namespace, user_name
from swell.settings import Settings
from swell.settings_table import SETTINGS
from swell.version import VERSION

OPTIONAL_PACKAGES = (
    ("pylint", "finds errors in a script before it runs"),
    ("matplotlib", "charts on cards"),
    ("altair", "charts on cards"),
    ("psycopg", "metadata in PostgreSQL"),
    ("pyyaml", "configs and card data in YAML"),
)
"""Packages that swell uses where they are installed, and what for."""

_LITTLE_DISK_BYTES = 2_000_000_000


class Finding(NamedTuple):
    """One line: a label, what was found, and, if something should be done, what."""

    label: str
    text: str
    advice: str = ""


class Section(NamedTuple):
    """Findings under a title."""

    title: str
    findings: tuple[Finding, ...]


def examine(settings: Settings, place: Place) -> list[Section]:
    """Look at everything; nothing is changed, and nothing that is broken raises."""
    return [
        Section("Python", tuple(_python())),
        Section("Machine", tuple(_machine())),
        Section("Store", tuple(_store(place))),
        Section("Tasks", tuple(_tasks(settings))),
        *_batch(settings),
        Section("Optional packages", tuple(_packages(installed_version))),
        Section("Settings", tuple(_settings(settings))),
    ]


def _python() -> list[Finding]:
    kind = platform.python_implementation()
    where = "in a virtual environment" if sys.prefix != sys.base_prefix else "not in an environment"
    return [
        Finding("swell", VERSION),
        Finding("Python", f"{kind} {platform.python_version()}, {where}"),
        Finding("interpreter", sys.executable),
    ]


def _machine() -> list[Finding]:
    advice = ""
    if sys.platform != "linux":
        advice = "Linux is what swell is tested on; elsewhere tasks start in fresh interpreters."
    return [
        Finding(
            "system", f"{platform.system()} {platform.release()}, {platform.machine()}", advice
        ),
        Finding("cores", _cores()),
        Finding("memory", _memory()),
    ]


def _cores() -> str:
    there = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    text = f"{usable} of {there} usable" if usable != there else str(there)
    quota = Cgroups().cpu_quota()
    return text if quota is None else f"{text}, and the cgroup allows the time of {quota:g}"


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = [
        int(line.split()[1]) * 1024
        for line in _read("/proc/meminfo").splitlines()
        if line.startswith("MemAvailable:")
    ]
    text = gigabytes(total)
    if free:
        text += f", {gigabytes(free[0])} of it free"
    allowed_mb = find_machine().memory_mb
    if allowed_mb is not None and allowed_mb << 20 < total * 0.99:
        text += f"; the cgroup allows {gigabytes(allowed_mb << 20)}"
    return text


def _store(place: Place) -> list[Finding]:
    findings = [_store_state(place)]
    existing = place.root
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    free = shutil.disk_usage(existing).free
    advice = ""
    if free < _LITTLE_DISK_BYTES:
        advice = "Free some space, or set SWELL_ROOT to a folder on a larger disk."
    findings.append(Finding("free space", gigabytes(free), advice))
    if not os.access(existing, os.W_OK):
        findings.append(
            Finding(
                "writable",
                f"no: {existing} may not be written",
                "Get write permission, or set SWELL_ROOT to a folder where you may write.",
            )
        )
    network = network_file_system(existing)
    if network is not None:
        findings.append(
            Finding(
                "disk",
                f"a network file system ({network})",
                "SQLite is slow there, and runs from several machines are not safe: set "
                "SWELL_ROOT to a folder on a local disk.",
            )
        )
    return findings


def _store_state(place: Place) -> Finding:
    if not place.may_have_runs:
        return Finding("folder", f"{place.root} (not there yet; the first run makes it)")
    try:
        stores = open_place(place)
        flows = stores.metastore.flows()
        runs = len(stores.metastore.runs())
        stores.close()
    except SwellError as error:
        return Finding("folder", f"{place.root}: {error.message}", error.remedy)
    where = shown_address(place.metadata) if place.metadata is not None else place.root
    flow_words = f"{len(flows)} flow{'' if len(flows) == 1 else 's'}"
    return Finding(
        "metadata" if place.metadata is not None else "folder",
        f"{where} ({runs:,} run{'' if runs == 1 else 's'} of {flow_words})",
    )


def _tasks(settings: Settings) -> list[Finding]:
    user = Finding("user", user_name(settings))
    namespace = Finding("namespace", default_namespace(settings))
    if settings.isolation not in ("auto", "fork", "fresh"):
        found = Finding(
            "isolation",
            f"SWELL_ISOLATION is '{settings.isolation}', which is no way to start tasks",
            "Set it to auto, fork or fresh.",
        )
        return [user, namespace, found]
    try:
        isolation = choose_isolation(settings.isolation, inspect_process())  # type: ignore[arg-type]  # any text may stand in the environment
    except SwellError as error:
        return [user, namespace, Finding("isolation", error.message, error.remedy)]
    how = {"fork": "forked, which takes milliseconds", "fresh": "fresh interpreters"}
    words = f"{how[isolation.kind]} ({isolation.why})"
    if isolation.kind == "fork" and settings.isolation == "auto":
        words = f"{how['fork']}, unless the script starts threads or opens devices"
    return [user, namespace, Finding("isolation", words)]


def _batch(settings: Settings) -> list[Section]:
    """AWS Batch, only where it is configured: asking it takes time."""
    if settings.batch_queue is None and settings.batch_endpoint_url is None:
        return []
    try:
        from swell.session.aws_setup import AwsSetup

        setup = AwsSetup(settings)
    except SwellError as error:
        return [Section("AWS Batch", (Finding("settings", error.message, error.remedy),))]
    store, queue = settings.datastore, settings.batch_queue
    findings = [_tried("credentials", setup.credentials)]
    if findings[0].advice:
        setup.close()
        return [Section("AWS Batch", tuple(findings))]
    if queue:
        findings.append(_tried("queue", lambda: setup.queue(queue)))
    else:
        advice = "Set SWELL_BATCH_JOB_QUEUE, or name one: @batch(queue=…)."
        findings.append(Finding("queue", "not set", advice))
    if store and store != "local":
        findings.append(_tried("object store", lambda: setup.reads(store)))
    else:
        advice = "Set SWELL_DATASTORE to s3://bucket/prefix: containers need it."
        findings.append(Finding("object store", "not set", advice))
    for label, role in (
        ("role of jobs", settings.batch_iam_role),
        ("execution role", settings.batch_execution_role),
    ):
        if role:
            findings.append(_tried(label, lambda role=role: setup.role(role)))  # type: ignore[misc]  # a bound default
    if setup.is_fargate and not settings.batch_execution_role:
        advice = "Set SWELL_BATCH_EXECUTION_ROLE: Fargate fetches images with it."
        findings.append(Finding("execution role", "not set", advice))
    findings.append(_tried("logs", setup.logs))
    setup.close()
    return [Section("AWS Batch", tuple(findings))]


def _tried(label: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(label, check())
    except SwellError as error:
        return Finding(label, error.message, error.remedy or "See docs/scaling.md.")


def _packages(version_of: Callable[[str], str | None]) -> list[Finding]:
    findings = []
    for name, purpose in OPTIONAL_PACKAGES:
        version = version_of(name)
        text = f"{version or 'not installed'} ({purpose})"
        findings.append(Finding(name, text, "" if version else f"python -m pip install {name}"))
    return findings


def installed_version(package: str) -> str | None:
    """The version of an installed package; None without it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _settings(settings: Settings) -> list[Finding]:
    findings = []
    for setting in SETTINGS:
        value = getattr(settings, setting.name)
        is_default = value == setting.default
        source = "default" if is_default else "environment"
        shown = shown_address(value) if value is not None else None
        text = "not set" if shown is None else f"{shown} ({source})"
        findings.append(Finding(setting.variable, text))
    return findings


def gigabytes(count: int) -> str:
    """'7.9 GB'."""
    return f"{count / 1e9:,.1f} GB"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
