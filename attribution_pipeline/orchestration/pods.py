"""What a run's pod gets on Kubernetes, by job: words of ``dagster-k8s``, which nobody else reads.

Belongs here: resources of jobs that differ from a day's. Does not: anything else of a pod (``k8s/``
keeps it from tags on purpose), what a job does (``jobs``).

A day's own are the launcher's default (``k8s/base/instance/dagster.yaml``), because a backfill from
the UI is a run of no job that carries tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TAG = "dagster-k8s/config"
"""A run's tag by which ``K8sRunLauncher`` and nobody else learns of its pod."""

Tags = Mapping[str, Any]


def _resources(cpu: str, cpu_limit: str, memory: str, disk: str) -> Tags:
    """Memory is asked for in full: a pod that is promised less is the first to be killed."""
    return {
        TAG: {
            "container_config": {
                "resources": {
                    "requests": {"cpu": cpu, "memory": memory, "ephemeral-storage": "1Gi"},
                    "limits": {"cpu": cpu_limit, "memory": memory, "ephemeral-storage": disk},
                }
            }
        }
    }


LANDING_POD = _resources("2", "8", "6Gi", "20Gi")
"""As many objects at once as there are cores; no division, no spill. One that needs all that its process
may have (``landing_worker.DATA_BYTES_MAX``) is refused by that limit before the pod is killed for it."""

SCORE_POD = _resources("1", "4", "6Gi", "50Gi")
"""Seven days one after the other, and nobody waits for it."""
