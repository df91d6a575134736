"""From what a step asks and what a queue is to a job definition, named by its content."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

from swell.compute.batch.defaults import BatchDefaults, completed
from swell.compute.batch.platforms import Platform, size_on, uses_tmpfs
from swell.compute.batch.sizes import Size, fargate_disk_gib
from swell.errors import ComputeError
from swell.model.batch import BatchOptions
from swell.model.job import StepPlan

SIZE_LIMIT = 24 * 1024
"""Bytes of a RegisterJobDefinition request."""
MOST_ATTEMPTS = 10
LEAST_TIME_LIMIT_S = 60
START_S = 120
"""Batch's limit counts from the container's start, a step's own from its code: so much later,
or Batch would end what should have raised TimeoutException."""
ALL_NODES = "0:"

_INTERPRETER = "python3"
_TEMPORARY = "/swell_temp"
_READ_WRITE = ["READ", "WRITE"]


def definition_body(
    plan: StepPlan,
    platform: Platform,
    defaults: BatchDefaults,
    loader: str,
    *,
    is_gang: bool = False,
) -> dict[str, Any]:
    """A RegisterJobDefinition request; the same for all steps that ask for the same.

    ``loader`` is the Python program that the container starts with. Raises ComputeError
    for a size that the platform does not have, and for what is too large for Batch.
    """
    options = completed(plan, defaults)
    container = _container(plan, options, platform, loader)
    if defaults.host_cache is not None and not platform.is_fargate:
        _share_packages(container, defaults.host_cache)
    body: dict[str, Any] = {
        "platformCapabilities": [platform.family.value],
        "retryStrategy": retry_strategy(plan, platform),
        "timeout": {"attemptDurationSeconds": time_limit_s(plan, defaults)},
        "propagateTags": True,
    }
    if is_gang:
        body["type"] = "multinode"
        # One definition serves every number of nodes: the number is overridden on submission.
        nodes = {"targetNodes": ALL_NODES, "container": container}
        body["nodeProperties"] = {"numNodes": 2, "mainNode": 0, "nodeRangeProperties": [nodes]}
        del body["platformCapabilities"]
    else:
        body["type"] = "container"
        body["containerProperties"] = container
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    if len(text) > SIZE_LIMIT:
        raise ComputeError(
            f"The job definition of step '{plan.step}' has {len(text):,} bytes; "
            f"AWS Batch takes {SIZE_LIMIT:,}.",
            remedy="Give @batch fewer volumes or log options.",
        )
    return {"jobDefinitionName": f"swell-{hashlib.sha256(text).hexdigest()[:40]}", **body}


def time_limit_s(plan: StepPlan, defaults: BatchDefaults) -> int:
    """How long Batch lets an attempt run; the step's own limit is kept inside the container."""
    if plan.timeout_s is None:
        return max(LEAST_TIME_LIMIT_S, defaults.time_limit_s)
    return max(LEAST_TIME_LIMIT_S, math.ceil(plan.timeout_s)) + START_S


def retry_strategy(plan: StepPlan, platform: Platform) -> dict[str, Any]:
    """What Batch tries again by itself: what is nobody's fault, and nothing where forbidden.

    Where no rule matches, Batch tries again: so the last one says not to.
    https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
    """
    attempts = min(MOST_ATTEMPTS, 1 + max(0, plan.uncounted_attempts))
    if attempts == 1:
        return {"attempts": 1}
    lost = "Your Spot Task was interrupted*" if platform.is_fargate else "Host EC2*"
    rules = [
        {"onStatusReason": lost, "action": "RETRY"},
        # The image has no Python, or no such image may be pulled: the same next time.
        {"onReason": "CannotStartContainerError*", "action": "EXIT"},
        {"onReason": f"{_PULL_DENIED}*", "action": "EXIT"},
        {"onStatusReason": "Task failed to start*", "action": "RETRY"},
        {"onReason": "*", "action": "EXIT"},
    ]
    return {"attempts": attempts, "evaluateOnExit": rules}


_PULL_DENIED = "CannotPullContainerError: Error response from daemon: pull access denied"


def _container(
    plan: StepPlan, options: BatchOptions, platform: Platform, loader: str
) -> dict[str, Any]:
    size = size_on(platform, plan)
    container: dict[str, Any] = {
        "image": options.image,
        # With the options of the flow's own process, which is a fork of this one.
        "command": [options.executable or _INTERPRETER, "-u", "-c", loader],
        "resourceRequirements": size.requirements(),
    }
    if options.iam_role:
        container["jobRoleArn"] = options.iam_role
    if options.execution_role:
        container["executionRoleArn"] = options.execution_role
    if options.privileged:
        container["privileged"] = True
    volumes, mounts = _volumes(options)
    if volumes:
        container["volumes"], container["mountPoints"] = volumes, mounts
    log = _log_configuration(options)
    if log:
        container["logConfiguration"] = log
    if uses_tmpfs(options) and options.tmpfs_tempdir:
        path = options.tmpfs_path or _TEMPORARY
        container["environment"] = [{"name": "TMPDIR", "value": path}]
    if platform.is_fargate:
        container.update(_fargate_only(plan, options))
    else:
        container["linuxParameters"] = _linux_parameters(plan, options, size)
    return container


def _share_packages(container: dict[str, Any], folder: str) -> None:
    """Let containers of one machine unpack packages once: what takes longest in a start."""
    name = "swell-layers"
    mount = {"sourceVolume": name, "containerPath": folder, "readOnly": False}
    container.setdefault("volumes", []).append({"name": name, "host": {"sourcePath": folder}})
    container.setdefault("mountPoints", []).append(mount)
    variable = {"name": "SWELL_LAYER_CACHE", "value": folder}
    container.setdefault("environment", []).append(variable)


def _fargate_only(plan: StepPlan, options: BatchOptions) -> dict[str, Any]:
    fields: dict[str, Any] = {
        # Without an address of its own, or a NAT gateway, it could not fetch its image.
        "networkConfiguration": {"assignPublicIp": "ENABLED"},
        "fargatePlatformConfiguration": {"platformVersion": "LATEST"},
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    }
    disk = fargate_disk_gib(plan.resources, options.ephemeral_storage)
    if disk is not None:
        fields["ephemeralStorage"] = {"sizeInGiB": disk}
    return fields


def _linux_parameters(plan: StepPlan, options: BatchOptions, size: Size) -> dict[str, Any]:
    # Process 1 then passes signals on, and buries what the step leaves behind.
    parameters: dict[str, Any] = {"initProcessEnabled": True}
    if plan.resources.shared_memory_mb:
        parameters["sharedMemorySize"] = plan.resources.shared_memory_mb
    if options.max_swap is not None:
        parameters["maxSwap"] = options.max_swap
    if options.swappiness is not None:
        parameters["swappiness"] = options.swappiness
    if uses_tmpfs(options):
        folder = {
            "containerPath": options.tmpfs_path or _TEMPORARY,
            "size": options.tmpfs_size or size.memory_mib // 2,
        }
        parameters["tmpfs"] = [folder]
    neuron = [f"/dev/neuron{number}" for number in range(options.trainium or 0)]
    fabric = [f"/dev/infiniband/uverbs{number}" for number in range(options.efa or 0)]
    devices = [_device(path, _READ_WRITE) for path in neuron]
    devices += [_device(path, [*_READ_WRITE, "MKNOD"]) for path in fabric]
    if devices:
        parameters["devices"] = devices
    return parameters


def _device(path: str, permissions: list[str]) -> dict[str, Any]:
    return {"hostPath": path, "containerPath": path, "permissions": permissions}


def _volumes(options: BatchOptions) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes and where they are mounted: ``path[:path in the container]`` of the host, and
    ``fs-id[:path in the container]`` of EFS, at /mnt/<fs-id> where no path is said."""
    volumes: list[dict[str, Any]] = []
    mounts: list[dict[str, Any]] = []

    def mount(source: dict[str, Any], name: str, path: str) -> None:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name)
        volumes.append({"name": name, **source})
        mounts.append({"sourceVolume": name, "containerPath": path, "readOnly": False})

    for text in options.host_volumes:
        host, _, path = text.partition(":")
        mount({"host": {"sourcePath": host}}, f"host{len(volumes)}{host}", path or host)
    for text in options.efs_volumes:
        file_system, _, path = text.partition(":")
        efs = {"fileSystemId": file_system, "transitEncryption": "ENABLED"}
        where = path or f"/mnt/{file_system}"
        mount({"efsVolumeConfiguration": efs}, f"efs{len(volumes)}-{file_system}", where)
    return volumes, mounts


def _log_configuration(options: BatchOptions) -> dict[str, Any]:
    if options.log_driver is None and not options.log_options:
        return {}
    pairs = [re.split(r"[:=]", option, maxsplit=1) for option in options.log_options]
    if any(len(pair) != 2 for pair in pairs):
        raise ComputeError(
            f"@batch: log_options is {list(options.log_options)}.",
            remedy="Write each like awslogs-group:/my/group.",
        )
    configuration: dict[str, Any] = {"logDriver": options.log_driver or "awslogs"}
    if pairs:
        configuration["options"] = {key.strip(): value.strip() for key, value in pairs}
    return configuration
