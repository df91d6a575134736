"""``@kubernetes``: refused until there is such a backend."""

from __future__ import annotations

from typing import ClassVar

from swell.authoring.decorator import StepDecorator, StepDecoratorFactory
from swell.decorators.refusal import refused
from swell.model.graph import Graph


class KubernetesDecorator(StepDecorator):
    """Not supported yet: use ``--with batch``, or run the step here."""

    name = "kubernetes"
    defaults: ClassVar = {
        "cpu": 1,
        "memory": 4096,
        "disk": 10240,
        "image": None,
        "image_pull_policy": None,
        "image_pull_secrets": None,
        "service_account": None,
        "secrets": None,
        "node_selector": None,
        "namespace": None,
        "gpu": None,
        "gpu_vendor": None,
        "tolerations": None,
        "labels": None,
        "annotations": None,
        "use_tmpfs": None,
        "tmpfs_tempdir": True,
        "tmpfs_size": None,
        "tmpfs_path": None,
        "persistent_volume_claims": None,
        "shared_memory": None,
        "port": None,
        "compute_pool": None,
        "executable": None,
        "hostname_resolution_timeout": 600,
        "qos": "burstable",
        "extended_resources": {},
        "security_context": None,
    }

    def check(self, graph: Graph, step: str) -> None:
        raise refused(self, f"step '{step}'", "--with batch")


kubernetes = StepDecoratorFactory(KubernetesDecorator)
