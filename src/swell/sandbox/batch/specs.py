"""What a runner is told of an attempt: variables, mounts, sizes, where its output goes."""

from __future__ import annotations

from swell.sandbox.batch.entities import CHILD, NODE, Attempt, Document, Job
from swell.sandbox.batch.tuning import BatchSettings
from swell.sandbox.jobs import JobSpec, Mount, Tmpfs

_LOOPBACK = "127.0.0.1"


def spec_of(job: Job, attempt: Attempt, settings: BatchSettings) -> JobSpec:
    """The spec of ``attempt``; ``job`` has a host."""
    shown, need = job.container.properties, job.container.need
    log = (shown.get("logConfiguration") or {}).get("options") or {}
    linux = shown.get("linuxParameters") or {}
    return JobSpec(
        job_id=job.id,
        attempt=attempt.number,
        image=shown["image"],
        command=tuple(shown["command"]),
        environment=_variables(job, attempt, shown),
        vcpus=need.vcpus,
        memory_mib=need.memory_mib,
        gpus=need.gpus,
        cpu_limit=need.vcpus if job.environment and job.environment.is_fargate else None,
        host_name=job.host.id if job.host else "",
        log_group=log.get("awslogs-group", settings.log_group),
        log_stream=attempt.log_stream,
        mounts=_mounts(shown),
        shared_memory_mib=linux.get("sharedMemorySize"),
        tmpfs=tuple(
            Tmpfs(folder["containerPath"], folder["size"]) for folder in linux.get("tmpfs") or ()
        ),
        has_init=bool(linux.get("initProcessEnabled")),
        user=shown.get("user") or "",
    )


def log_stream(job: Job, task_id: str) -> str:
    """``prefix/container/task``, as the awslogs driver names streams."""
    log = (job.container.properties.get("logConfiguration") or {}).get("options") or {}
    prefix = log.get("awslogs-stream-prefix", job.work.definition_name)
    return f"{prefix}/default/{task_id}"


def _variables(job: Job, attempt: Attempt, shown: Document) -> dict[str, str]:
    found = {entry["name"]: entry.get("value", "") for entry in shown["environment"]}
    found["AWS_BATCH_JOB_ID"] = job.id
    found["AWS_BATCH_JOB_ATTEMPT"] = str(attempt.number)
    found["AWS_BATCH_JQ_NAME"] = job.queue.name
    found["AWS_BATCH_CE_NAME"] = job.environment.name if job.environment else ""
    if job.kind == CHILD:
        found["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.index)
        found["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.work.size)
    if job.kind == NODE:
        main = job.work.main_node
        found["AWS_BATCH_JOB_NODE_INDEX"] = str(job.index)
        found["AWS_BATCH_JOB_NUM_NODES"] = str(len(job.work.containers))
        found["AWS_BATCH_JOB_MAIN_NODE_INDEX"] = str(main)
        if job.index != main:
            # Every node is a process of this machine.
            found["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = _LOOPBACK
    return found


def _mounts(shown: Document) -> tuple[Mount, ...]:
    sources = {
        volume["name"]: volume["host"]["sourcePath"]
        for volume in shown.get("volumes") or ()
        if (volume.get("host") or {}).get("sourcePath")
    }
    return tuple(
        Mount(sources[mount["sourceVolume"]], mount["containerPath"], mount.get("readOnly", False))
        for mount in shown.get("mountPoints") or ()
        if mount.get("sourceVolume") in sources
    )
