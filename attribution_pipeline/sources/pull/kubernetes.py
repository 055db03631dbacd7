"""Labels and annotations of a cluster's objects, as they are now: a snapshot that landing reads.

Belongs here: which kinds are listed, which part of an object is kept, its row. Does not: which label
names a tenant (the policy), what a label decides (``attribution``).

The API server is asked for metadata alone (``PartialObjectMetadataList``), so no spec, and no
variable in one, ever reaches this process. A day has as many snapshots as it was looked at: a pod
that lived an hour stays known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from urllib3 import BaseHTTPResponse, PoolManager

from attribution_pipeline.sources.jsontext import sorted_json
from attribution_pipeline.sources.pull.address import CHECKED_POOLS
from attribution_pipeline.sources.pull.opencost import Kept
from attribution_pipeline.sources.pull.paging import pages
from attribution_pipeline.sources.pull.place import Place
from attribution_pipeline.sources.pull.transport import NO_RETRIES, PullFailed, Transport

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

KINDS = {
    "Namespace": "/api/v1/namespaces",
    "Pod": "/api/v1/pods",
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "Job": "/apis/batch/v1/jobs",
    "CronJob": "/apis/batch/v1/cronjobs",
}
"""What OpenCost calls a controller, the pods of it and where they live."""

PAGE_OBJECTS = 500
"""``limit`` of a list: what kubectl asks for."""

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

DROPPED_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Holds a whole manifest, and with it whatever its variables say."""

ANNOTATION_CHARACTERS_MAX = 1_024
"""No name of a tenant is longer; what is, is configuration of something."""


@dataclass
class Left:
    """What a snapshot leaves out, counted."""

    annotations: int = 0


def pull_snapshot(
    transport: Transport, place: Place, cluster: str, token: str, now: datetime
) -> Iterator[Kept]:
    """One snapshot of now; none where the day's newest one says the same. Raises PullFailed."""
    left = Left()
    client = _client(transport, token)
    file = transport.scratch / "snapshot.jsonl"
    count = 0
    try:
        with file.open("w", encoding="utf-8") as lines:
            for kind, path in KINDS.items():
                for item in _listed(transport, client, path):
                    lines.write(sorted_json(row(item, kind, cluster, now, left)) + "\n")
                    count += 1
    finally:
        client.close()
    folder = f"{now:%Y-%m-%d}"
    content = file.read_bytes()
    if not count:
        raise PullFailed(
            "no_rows", "lists no object at all", where=transport.endpoint,
            remedy="may its service account list?",
        )  # fmt: skip
    newest = place.names(folder)
    if newest and _digest(place.read(f"{folder}/{newest[-1]}")) == _digest(content):
        return
    name = f"{folder}/{now:%H%M%SZ}.jsonl"
    place.keep(file, name)
    dropped = f", {left.annotations:,} annotations left out" if left.annotations else ""
    yield Kept(name, len(content), f"{count:,} objects{dropped}")


def row(item: dict[str, Any], kind: str, cluster: str, now: datetime, left: Left) -> dict[str, Any]:
    """A row of the snapshot, in the columns that ``sources.tables.read_kubernetes`` reads."""
    metadata = item.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise PullFailed("not_an_object", f"lists a {kind} without a name", where=cluster)
    return {
        "date": f"{now:%Y-%m-%d}",
        "cluster": cluster,
        "namespace": metadata.get("namespace") or "",
        "kind": kind,
        "name": metadata["name"],
        "labels": metadata.get("labels") or {},
        "annotations": _annotations(metadata.get("annotations") or {}, left),
    }


def _annotations(found: dict[str, Any], left: Left) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in found.items()
        if key not in DROPPED_ANNOTATIONS and len(str(value)) <= ANNOTATION_CHARACTERS_MAX
    }
    left.annotations += len(found) - len(kept)
    return kept


def _client(transport: Transport, token: str) -> ApiClient:
    """The official client, over connections that are checked like all of ours."""
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host=transport.endpoint)
    configuration.ssl_ca_cert = transport.ca_file
    configuration.verify_ssl = True
    # the environment's proxy: where a request goes is said by the deployment file alone
    configuration.proxy = None
    configuration.retries = NO_RETRIES
    client = ApiClient(configuration)
    if token:  # not as api_key: its name in the configuration changed with client 36
        client.set_default_header("Authorization", f"Bearer {token}")
    client.rest_client.pool_manager = _Pools(client.rest_client.pool_manager)
    return client


class _Status(Exception):
    """An answer that is no 200, before the client reads all of its body into a message."""

    def __init__(self, response: BaseHTTPResponse) -> None:
        super().__init__()
        self.response = response


class _Pools:
    """The client's connections, checked; it asks nothing of them but this."""

    def __init__(self, pools: PoolManager) -> None:
        self._pools = pools
        self._pools.pool_classes_by_scheme = CHECKED_POOLS

    def request(self, method: str, url: str, **given: Any) -> BaseHTTPResponse:
        response = self._pools.request(
            method, url, **given, redirect=False, decode_content=False
        )  # fmt: skip
        if response.status != 200:
            raise _Status(response)
        return response

    def clear(self) -> None:
        self._pools.clear()


def _listed(transport: Transport, client: ApiClient, path: str) -> Iterator[dict[str, Any]]:
    where = transport.endpoint + path
    asked = pages(
        lambda cursor: transport.attempts(path, _sending(transport, client, path, cursor)),
        _continue, transport.limits.pages, where,
    )  # fmt: skip
    for answer in asked:
        for item in json.loads(answer.read())["items"]:
            if not isinstance(item, dict):
                raise PullFailed("not_an_object", "lists something that is no object", where=where)
            yield item
        answer.file.unlink()


def _sending(
    transport: Transport, client: ApiClient, path: str, cursor: str | None
) -> Callable[[], Any]:
    def send() -> Any:
        from kubernetes.client import ApiException

        query = [("limit", PAGE_OBJECTS), *([("continue", cursor)] if cursor else [])]
        limits = transport.limits
        try:
            return client.call_api(
                path, "GET",
                query_params=query,
                header_params={"Accept": METADATA_ONLY, "Accept-Encoding": "identity"},
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(limits.connect_seconds, limits.silence_seconds),
            )  # fmt: skip
        except _Status as status:
            return status.response
        except ApiException:  # what the client makes of a failure of TLS
            raise PullFailed(
                "certificate", "has a certificate that does not verify", where=transport.endpoint,
                remedy="name its authority under ca_file",
            ) from None  # fmt: skip

    return send


def _continue(document: dict[str, Any]) -> str | None:
    if not isinstance(document.get("items"), list):
        raise ValueError("answers with something that is no list of objects")
    metadata = document.get("metadata")
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    return token if isinstance(token, str) and token else None


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
