"""Span objects as the collector's awss3exporter leaves them: one OTLP/JSON document per upload.

Belongs here: documents, keys by *upload* time, gzip, repeated uploads. Does not: span text
(``emitters``), what is withheld (``faults``).

Two collectors: the one of the application cluster writes plain JSON, the one of the GPU cluster
gzip. Keys are ``year=/month=/day=/hour=/minute=`` of the upload, some seconds after the spans
ended, so that a span of the last seconds of a day lies in the next day's folder.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson

from attribution_pipeline.simulator.clocks import upload_shift_ms
from attribution_pipeline.simulator.cluster import GPU_CLUSTER, Clusters
from attribution_pipeline.simulator.company import WORKLOADS
from attribution_pipeline.simulator.emitters import SCOPES, text
from attribution_pipeline.simulator.faults import (
    DUPLICATES,
    REPEATED_OBJECT_SHARE,
    REPEATED_SPAN_SHARE,
    late_hours,
)

MAX_OBJECT_SPANS = 8192
"""The collector's batch processor's default send size."""

FLUSH_MS: tuple[tuple[int, int], ...] = ((5_000, 1_200_000), (2_000_000, 300_000))
"""Spans a day -> how long a collector gathers up to there: longer where a day is small, so that
objects are not tiny."""
LARGE_FLUSH_MS = 60_000

RESEND_MS = 5_000
"""How much later an object is uploaded again that got no answer."""
RETRY_MS = 900_000
"""How much later a repeated span is uploaded again."""

GZIP_LEVEL = 1
_KEY_STEP = 387_420_489  # prime to 10**9, so that keys never meet
_COLLECTORS = ("apps", "gpu")

GATEWAY = "llm-gateway"
"""A hosted gateway: it sends spans, and has no pod in any cluster of ours."""


@dataclass
class SpanBatch:
    """Spans of one chunk that reached a collector: texts and what orders them."""

    texts: list[str]
    end_ms: np.ndarray
    pod: np.ndarray
    scope: np.ndarray


@dataclass
class SpanWriter:
    """Writes the tree under ``root``. Counts objects, bytes and deliveries of spans."""

    root: Path
    clusters: Clusters
    faults: frozenset[str]
    flush_ms: int
    objects: int = 0
    stored_bytes: int = 0
    deliveries: int = 0
    late: list[tuple[str, int, int, str]] = field(default_factory=list)
    """Objects that came late: path, spans, hours, when they were uploaded."""
    _folders: set[Path] = field(default_factory=set)

    @property
    def gateway(self) -> int:
        """The number that stands for the gateway of another house: it has no pod."""
        return len(self.clusters.pods)

    def write(
        self, batch: SpanBatch, day_number: int, rng: np.random.Generator, luck: np.random.Generator
    ) -> None:
        """``rng`` draws upload delays, ``luck`` what is repeated under the fault ``duplicates``."""
        self._write(batch, np.arange(len(batch.texts)), 0, day_number, rng, luck)
        if DUPLICATES in self.faults:
            again = np.flatnonzero(luck.random(len(batch.texts)) < REPEATED_SPAN_SHARE)
            self._write(batch, again, RETRY_MS, day_number, luck, None)

    def _write(
        self, batch: SpanBatch, rows: np.ndarray, later_ms: int, day_number: int,
        rng: np.random.Generator, luck: np.random.Generator | None,
    ) -> None:  # fmt: skip
        if not len(rows):
            return
        collectors = [*(self._collector(pod.node) for pod in self.clusters.pods), 0]
        gpu = np.array(collectors)[batch.pod[rows]]
        bucket = (batch.end_ms[rows] + later_ms) // self.flush_ms
        order = np.lexsort((batch.scope[rows], batch.pod[rows], bucket, gpu))
        rows, gpu, bucket = rows[order], gpu[order], bucket[order]
        changes = np.flatnonzero((np.diff(bucket) != 0) | (np.diff(gpu) != 0)) + 1
        edges = [0, *changes.tolist(), len(rows)]
        prefixes = _resources(self.clusters, day_number)
        for first, end in pairwise(edges):
            for start in range(first, end, MAX_OBJECT_SPANS):
                part = rows[start : min(end, start + MAX_OBJECT_SPANS)]
                flushed = (int(bucket[first]) + 1) * self.flush_ms
                uploaded = flushed + int(rng.integers(300, 20_000))
                content = document(batch, part, prefixes)
                self._put(content, int(gpu[first]), uploaded, len(part))
                if luck is not None and self._repeated(luck):
                    self._put(content, int(gpu[first]), uploaded + RESEND_MS, len(part))

    def _repeated(self, luck: np.random.Generator) -> bool:
        return DUPLICATES in self.faults and bool(luck.random() < REPEATED_OBJECT_SHARE)

    def _collector(self, node: int) -> int:
        return int(self.clusters.nodes[node].cluster == GPU_CLUSTER)

    def _put(self, content: bytes, collector: int, uploaded_ms: int, spans: int) -> None:
        hours = late_hours(self.faults, content)
        clock_ms = uploaded_ms + upload_shift_ms(self.faults, is_gpu=collector == 1)
        at = datetime.fromtimestamp(clock_ms / 1000, UTC) + timedelta(hours=hours)
        folder = self.root / at.strftime("year=%Y/month=%m/day=%d/hour=%H/minute=%M")
        if folder not in self._folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        self.objects += 1
        unique = self.objects * _KEY_STEP % 10**9
        name = f"{_COLLECTORS[collector]}_traces_{unique:09d}.json"
        if _COLLECTORS[collector] == "gpu":
            content = gzip.compress(content, GZIP_LEVEL, mtime=0)
            name += ".gz"
        (folder / name).write_bytes(content)
        if hours:
            path = (folder / name).relative_to(self.root.parent).as_posix()
            self.late.append((path, spans, hours, f"{at:%Y-%m-%dT%H:%M:%SZ}"))
        self.stored_bytes += len(content)
        self.deliveries += spans


def document(batch: SpanBatch, rows: np.ndarray, resources: Sequence[str]) -> bytes:
    """One ExportTraceServiceRequest. ``rows`` are sorted by pod, then scope."""
    pod, scope = batch.pod[rows], batch.scope[rows]
    new_pod = np.diff(pod, prepend=-1) != 0
    starts = np.flatnonzero(new_pod | (np.diff(scope, prepend=-1) != 0))
    texts = [batch.texts[row] for row in rows.tolist()]
    out: list[str] = []
    edges = [*starts.tolist(), len(rows)]
    opens = new_pod[starts].tolist()
    for first, end, opened in zip(edges, edges[1:], opens, strict=False):
        if opened:
            out.append(("]},{" if out else "{") + resources[pod[first]])
        else:
            out.append(",")
        out.append(_SCOPE_TEXTS[scope[first]])
        out.append(",".join(texts[first:end]))
        out.append("]}")
    return ('{"resourceSpans":[' + "".join(out) + "]}]}").encode()


_SCOPE_TEXTS = tuple(
    f'{{"scope":{orjson.dumps({"name": name, "version": version}).decode()},"spans":['
    for name, version in SCOPES
)


def _resources(clusters: Clusters, day_number: int) -> list[str]:
    """By pod: its resource, up to the first scope; the gateway's last."""
    found = []
    for pod in clusters.pods:
        node = clusters.nodes[pod.node]
        said = [
            text("telemetry.sdk.language", "python"),
            text("telemetry.sdk.version", "1.45.2"),
            text("service.name", pod.controller),
            text("k8s.cluster.name", node.cluster),
            text("k8s.namespace.name", pod.namespace),
            text(f"k8s.{pod.controller_kind}.name", pod.controller),
            text("k8s.pod.name", pod.name_on(day_number)),
            text("k8s.container.name", pod.containers[0].name),
            text("k8s.node.name", node.name),
        ]
        if pod.workload >= 0:
            environment = WORKLOADS[pod.workload].environment
            said.append(text("deployment.environment.name", environment))
        found.append(f'"resource":{{"attributes":[{",".join(said)}]}},"scopeSpans":[')
    found.append(f'"resource":{{"attributes":[{text("service.name", GATEWAY)}]}},"scopeSpans":[')
    return found


def flush_for(spans_per_day: int) -> int:
    """How long a collector of a company of this size gathers, in milliseconds."""
    for most, flush_ms in FLUSH_MS:
        if spans_per_day <= most:
            return flush_ms
    return LARGE_FLUSH_MS
