"""What a launcher asks of Kubernetes' API, on loopback: it takes Jobs and keeps what it was given.

Belongs here: the answers to ``create``, and running such a Job's container as a process here. Does
not: anything that a cluster decides (admission, scheduling, images, networks). That is the part that
no test of this repository has seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@dataclass
class ApiServer:
    """Jobs by namespace, in the order in which they came, as JSON."""

    url: str = ""
    jobs: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@contextlib.contextmanager
def api_server(patch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """A server that launchers of this process speak to instead of a cluster's."""
    kept = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            *_, namespace, kind = self.path.split("?")[0].split("/")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert kind == "jobs", self.path
            kept.jobs.append((namespace, body))
            answer = json.dumps(body).encode()
            self.send_response(201)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        patch.setattr("dagster_k8s.launcher.load_kubernetes_config", lambda **_: _use(kept.url))
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


def _use(url: str) -> None:
    """The client's default, as ``load_incluster_config`` would set it from the pod's token."""
    import kubernetes

    kubernetes.client.Configuration.set_default(kubernetes.client.Configuration(host=url))


def run_here(
    job: Mapping[str, Any], *, secrets: Mapping[str, str], mounted: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A Job's one container as a process of this machine, with nothing of this process's
    environment that the Job does not name.

    ``secrets``: values of the secrets that it refers to, by variable. ``mounted``: what stands for
    variables whose paths a volume would hold.
    """
    (container,) = job["spec"]["template"]["spec"]["containers"]
    programs = Path(sys.executable).parent
    environment = {"PATH": f"{programs}:{os.defpath}", "HOME": "/tmp"}
    for variable in container["env"]:
        name = variable["name"]
        environment[name] = secrets[name] if "valueFrom" in variable else variable.get("value", "")
    return subprocess.run(
        container["args"],
        env={**environment, **mounted},
        capture_output=True, text=True, cwd="/tmp",
    )  # fmt: skip
