"""What a container will be: its definition, the overrides of one submission, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from swell.sandbox.batch.entities import Container, Document
from swell.sandbox.batch.instances import Need, fargate_vcpus, is_fargate_size
from swell.sandbox.batch.refusal import Refused, not_in_the_sandbox

LONGEST_OVERRIDES = 8_192
"""Characters, of all overrides of a container together (a limit of ECS)."""
SMALLEST_MEMORY_MIB = 4
_RESERVED = "AWS_BATCH"
_FARGATE_ONLY = (
    "fargatePlatformConfiguration",
    "networkConfiguration",
    "ephemeralStorage",
    "runtimePlatform",
)
_EC2_ONLY = ("linuxParameters", "ulimits", "instanceType")


def check_properties(properties: Document, platform: str) -> None:
    """Refuse ``containerProperties`` that no job could have on ``platform``."""
    if not properties.get("image"):
        raise Refused("Container properties must have an image.")
    _check_environment(properties.get("environment") or ())
    if platform == "FARGATE":
        for name in _EC2_ONLY:
            if properties.get(name):
                raise Refused(f"containerProperties.{name} is not applicable for Fargate.")
        if properties.get("privileged"):
            raise Refused("containerProperties.privileged is not applicable for Fargate.")
        if not properties.get("executionRoleArn"):
            raise Refused("containerProperties.executionRoleArn is required for Fargate jobs.")
        storage = (properties.get("ephemeralStorage") or {}).get("sizeInGiB")
        if storage is not None and not 21 <= storage <= 200:
            raise Refused("ephemeralStorage.sizeInGiB must be between 21 and 200.")
    else:
        for name in _FARGATE_ONLY:
            if properties.get(name):
                raise Refused(f"containerProperties.{name} is applicable for Fargate only.")
        if properties.get("privileged"):
            # Such a container may do to this machine what root may.
            raise not_in_the_sandbox("containerProperties.privileged")
    linux = properties.get("linuxParameters") or {}
    if not 0 <= linux.get("swappiness", 60) <= 100:
        raise Refused("linuxParameters.swappiness must be between 0 and 100.")
    named = {volume.get("name") for volume in properties.get("volumes") or ()}
    for mount in properties.get("mountPoints") or ():
        if mount.get("sourceVolume") not in named:
            raise Refused(
                f"mountPoints name volume {mount.get('sourceVolume')}, which is not there."
            )
    need_of(properties, platform)


def need_of(properties: Document, platform: str) -> Need:
    """vCPUs, MiB and GPUs of ``properties``; refused where they are missing or not to be had."""
    wanted = {
        entry["type"]: entry["value"] for entry in properties.get("resourceRequirements") or ()
    }
    vcpus = _number(wanted.get("VCPU", properties.get("vcpus")), "VCPU", platform == "EC2")
    memory = int(_number(wanted.get("MEMORY", properties.get("memory")), "MEMORY", True))
    gpus = int(_number(wanted.get("GPU", 0), "GPU", True))
    if memory < SMALLEST_MEMORY_MIB:
        raise Refused(f"MEMORY must be at least {SMALLEST_MEMORY_MIB} MiB, got {memory}.")
    if platform == "FARGATE":
        if gpus:
            raise Refused("GPU is not applicable for Fargate.")
        if vcpus not in fargate_vcpus():
            raise Refused(f"Fargate has no {vcpus:g} vCPU; it has {_listed(fargate_vcpus())}.")
        if not is_fargate_size(vcpus, memory):
            raise Refused(
                f"Fargate resource requirements ({vcpus:g} vCPU, {memory} MiB) not valid."
            )
    elif vcpus < 1:
        raise Refused(f"VCPU must be at least 1, got {vcpus:g}.")
    return Need(vcpus, memory, gpus)


def _listed(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def _number(value: object, what: str, is_whole: bool) -> float:
    if value is None:
        raise Refused(f"Container properties must have a resource requirement of type {what}.")
    text = str(value)
    try:
        number = int(text) if is_whole else float(text)
    except ValueError:
        raise Refused(f"Resource requirement {what} has the value {text}: not valid.") from None
    if number < 0:
        raise Refused(f"Resource requirement {what} must not be negative, got {text}.")
    return number


def _check_environment(environment: Sequence[Document]) -> None:
    for entry in environment:
        if entry.get("name", "").startswith(_RESERVED):
            raise Refused(
                f"Environment variable {entry['name']}: names must not start with {_RESERVED}."
            )


def merged(
    properties: Document, overrides: Document, parameters: Mapping[str, str], platform: str
) -> Container:
    """The container of a definition's ``properties`` under one submission's ``overrides``."""
    _check_environment(overrides.get("environment") or ())
    if "vcpus" in overrides or "memory" in overrides:
        raise Refused(
            "vcpus and memory of containerOverrides cannot override: use resourceRequirements."
        )
    shown = dict(properties)
    needs = {entry["type"]: entry for entry in properties.get("resourceRequirements") or ()}
    for name in ("vcpus", "memory"):
        if name in shown:
            kind = "VCPU" if name == "vcpus" else "MEMORY"
            needs.setdefault(kind, {"type": kind, "value": str(shown.pop(name))})
    needs |= {entry["type"]: entry for entry in overrides.get("resourceRequirements") or ()}
    shown["resourceRequirements"] = list(needs.values())
    variables = {entry["name"]: entry for entry in properties.get("environment") or ()}
    variables |= {entry["name"]: entry for entry in overrides.get("environment") or ()}
    shown["environment"] = list(variables.values())
    command = overrides.get("command") or properties.get("command") or []
    shown["command"] = [_filled_in(word, parameters) for word in command]
    for name in ("volumes", "mountPoints", "ulimits", "secrets"):
        shown.setdefault(name, [])
    return Container(shown, need_of(shown, platform))


def _filled_in(word: str, parameters: Mapping[str, str]) -> str:
    return parameters.get(word[5:], word) if word.startswith("Ref::") else word


def overrides_length(overrides: Document, set_by_batch: Mapping[str, str]) -> int:
    """Characters of what ECS is given to override, with the variables that Batch adds."""
    added = [{"name": name, "value": value} for name, value in set_by_batch.items()]
    whole = {**overrides, "environment": [*(overrides.get("environment") or ()), *added]}
    return len(json.dumps(whole, separators=(",", ":")))
