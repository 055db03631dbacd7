"""What is fuzzed: every parser of bytes from outside, real objects to begin with, and what may come out.

A target ends in one of two ways: rows and rejected records that keep the promises of every reader, or
one of the words by which readers refuse. Anything else is a finding.
"""

from __future__ import annotations

import gzip
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from attribution_pipeline.envelope import KeyRing
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.evidence import SCHEMAS
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.model.yaml_lines import parse_document
from attribution_pipeline.sources import compression, isolation, parquet_guard, vendor_costs
from attribution_pipeline.sources.batch import Batch
from attribution_pipeline.sources.focus import discover, manifests
from attribution_pipeline.sources.landing import Source, _reader
from attribution_pipeline.sources.landing_run import UNREADABLE_CONTENT, Reader
from attribution_pipeline.sources.landing_worker import batches_in
from attribution_pipeline.sources.objects import SourceObject, list_objects
from attribution_pipeline.sources.rejection import ObjectRefused
from attribution_pipeline_tests.model.policies import DESIGN
from attribution_pipeline_tests.sources import api_servers, opencost_answers, otlp_documents
from attribution_pipeline_tests.sources.focus_bills import (
    csv_bytes,
    parquet_bytes,
    parquet_rows,
    row,
)


class Finding(AssertionError):
    """A promise that did not hold."""


@dataclass(frozen=True)
class Target:
    """One parser."""

    name: str
    seeds: Callable[[], Sequence[bytes]]
    run: Callable[[bytes], object]
    """Raises Finding, or whatever a parser should not."""


OBJECT = SourceObject("s", "/in/object", "object", 1, "1-1", "run", "run")


def _read(kind: str, data: bytes, **options: Any) -> None:
    """A reader's promises: its tables and nothing else, places counted from 1, costs never null."""
    reader = _reader(Source(kind, "s", "/in", **options), frozenset({"app.tenant"}))
    try:
        if isolation.is_read_apart(data):
            batches = _apart(reader, data, kind)
        else:
            batches = list(reader(data, OBJECT, "ab" * 32))
    except UNREADABLE_CONTENT as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise Finding(f"a disk's error of bytes in memory: {error!r}") from error
        return
    said = 0
    for batch in batches:
        if batch.rows.schema != SCHEMAS[batch.table]:
            raise Finding(f"rows of {batch.table} in another schema")
        batch.rows.validate(full=True)
        said += len(batch.rows) + len(batch.rejected)
        if any(one.position < 0 or not one.reason or "\n" in one.detail for one in batch.rejected):
            raise Finding("a rejected record without a place, a word or a line of its own")
        for name in ("object_id", "position", "BilledCost", "EffectiveCost", "ChargePeriodStart"):
            if name in batch.rows.column_names and batch.rows[name].null_count:
                raise Finding(f"a row without {name}")
    if kind == "billing" and not said and data.strip() and options.get("format") == "focus":
        _require_no_rows_were_there(data)


def _apart(reader: Reader, data: bytes, kind: str) -> list[Batch]:
    """As landing does it: what crashes its parser is refused, and this process does not notice."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "object").write_bytes(data)
        (obj,) = list_objects("s", folder).objects
        with isolation.told_of(reader, obj, kind) as told:
            if told.failed or told.left:
                raise Finding(told.failed or str(told.left))
            if told.refused is not None:
                raise ObjectRefused(*told.refused)
            return list(batches_in(told.file))


def _require_no_rows_were_there(data: bytes) -> None:
    """Nothing is accepted in silence: of a bill with lines comes something."""
    if not data.startswith(b"PAR1") and len(data.decode("utf-8-sig").strip().splitlines()) > 1:
        raise Finding("a bill of several lines gave neither a row nor a rejected record")


def _allowing(
    *allowed: type[Exception],
) -> Callable[[Callable[[bytes], object]], Callable[[bytes], object]]:
    def wrap(run: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def guarded(data: bytes) -> object:
            try:
                return run(data)
            except allowed:
                return None

        return guarded

    return wrap


@_allowing(manifests.Unreadable)
def _manifest(data: bytes) -> object:
    path = "e/metadata/BILLING_PERIOD=2026-10/e-Manifest.json"
    return [manifests.parse(path, data, "1-1"), manifests.parse("run/manifest.json", data, "1-1")]


def _deliveries(data: bytes) -> None:
    """A manifest decides which files are read: never one that is not listed, none twice."""
    listing = [
        SourceObject("s", f"/in/{path}", path, 10, "10-1")
        for path in (
            "e/data/BILLING_PERIOD=2026-10/a.parquet", "e/metadata/BILLING_PERIOD=2026-10/e-Manifest.json",
            "20261001-20261031/run/part.csv", "20261001-20261031/run/manifest.json", "other/b.csv",
        )
    ]  # fmt: skip
    for found in (
        discover(listing, lambda _: data, "focus"),
        vendor_costs.discover(
            [*listing, SourceObject("s", "/in/p/pull.json", "p/pull.json", len(data), "1-1")],
            lambda _: data,
        ),
    ):
        paths = [one.path for one in found.objects]
        if len(set(paths)) != len(paths):
            raise Finding("a file is read twice")


def _decompressed(data: bytes) -> None:
    """What comes out is what another decoder makes of it, or it is refused."""
    kind = compression.compression_of(data)
    if kind is None:
        return
    try:
        stream = compression.plain_stream(
            io.BytesIO(data), len(data), kind, compression.LIMITS, "w"
        )
        plain = stream.read()
    except compression.ObjectRefused:
        return
    if kind == "gzip" and plain != gzip.decompress(data):
        raise Finding("gzip was read as something else than it is")
    if kind == "zstd":
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
            data, read_across_frames=True
        )
        if plain != reader.read():
            raise Finding("zstd was read as something else than it is")


@_allowing(ValueError, IndexError, Refusal)
def _page_header(data: bytes) -> object:
    return parquet_guard._Compact(data).sizes()


@_allowing(Refusal, UnicodeDecodeError)
def _yaml(data: bytes) -> object:
    return parse_document(data.decode(), "file")


@_allowing(Refusal, UnicodeDecodeError)
def _policy(data: bytes) -> object:
    return parse_policy(data.decode(), "file")


@cache
def _ring() -> KeyRing:
    from attribution_pipeline.envelope import KeyRing

    return KeyRing()


def _envelope(data: bytes) -> None:
    from attribution_pipeline.envelope import verify

    verdict = verify(data.decode("utf-8", "replace"), _ring())
    if verdict.verdict == "verified":
        raise Finding("an envelope is verified without a key")


# -- real objects --------------------------------------------------------------------------------


def _bills() -> list[bytes]:
    rows = [row(Tags='{"tenant": "a"}'), row(BilledCost="-1e-7", ChargeCategory="Credit")]
    return [csv_bytes(*rows), csv_bytes(*rows, bom=True), gzip.compress(csv_bytes(*rows))]


def _spans() -> list[bytes]:
    values = {
        "gen_ai.usage.input_tokens": 7, "gen_ai.provider.name": "openai", "attribution.tenant_id": "a",
        "gen_ai.response.id": "r", "list": [1, "x"], "gen_ai.response.model": "m",
    }  # fmt: skip
    document = otlp_documents.request(otlp_documents.span(values, links=[{"traceId": "a" * 32}]))
    proto = otlp_documents.protobuf(otlp_documents.request(otlp_documents.span(values)))
    return [
        otlp_documents.lines(document, document), json.dumps(document, indent=1).encode(), proto,
        otlp_documents.frame(proto) * 2, otlp_documents.frame(zstandard.compress(proto)),
    ]  # fmt: skip


def _span_tables() -> list[bytes]:
    columns = {
        "trace_id": ["a" * 32], "span_id": ["b" * 16], "start_time_unix_nano": [1], "end_time_unix_nano": [2],
        "span_attributes": ['{"gen_ai.usage.input_tokens": 7}'], "name": ["chat"],
    }  # fmt: skip
    return [parquet_bytes(pa.table(columns))]


def _answers() -> list[bytes]:
    return [
        opencost_answers.allocation(opencost_answers.container(), opencost_answers.special("__idle__")).encode(),
        opencost_answers.assets(a=opencost_answers.node()).encode(),
        b'{"code":500,"status":"","data":null,"message":"Error: x"}', b'bad window{"code":200,"data":[]}',
    ]  # fmt: skip


def _tables(**record: Any) -> list[bytes]:
    """The same record as CSV, JSON lines and Parquet."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in record.items()
    }
    names = ",".join(texts)
    quoted = ",".join('"' + value.replace('"', '""') + '"' for value in texts.values())
    return [
        f"{names}\n{quoted}\n{quoted}\n".encode(),
        (json.dumps(record) + "\n").encode() * 2,
        parquet_rows(texts),
    ]


def _pages(vendor: str) -> list[bytes]:
    answer = getattr(api_servers, vendor)
    paths = {
        "openai": ("/v1/organization/costs", "/v1/organization/usage/completions"),
        "anthropic": ("/v1/organizations/cost_report", "/v1/organizations/usage_report/messages"),
    }[vendor]
    query = {
        "openai": {"start_time": ["1791158400"], "end_time": ["1791244800"]},
        "anthropic": {
            "starting_at": ["2026-10-05T00:00:00Z"],
            "ending_at": ["2026-10-06T00:00:00Z"],
        },
    }[vendor]
    return [answer(api_servers.Asked(path, query, {})).content for path in paths]


def _manifests() -> list[bytes]:
    aws = {"executionId": "e", "dataFiles": ["s3://b/e/data/BILLING_PERIOD=2026-10/a.parquet"]}
    azure = {
        "runInfo": {"runId": "r", "submittedTime": "2026-10-05"},
        "blobs": [{"blobName": "20261001-20261031/run/part.csv", "byteCount": 10}],
    }
    receipt = {"answers": [{"name": "costs-0001.json", "bytes": 10, "sha256": "x"}]}
    return [json.dumps(one).encode() for one in (aws, azure, receipt)]


def _compressions() -> list[bytes]:
    content = b"some plain content, " * 50
    return [
        gzip.compress(content), gzip.compress(b"a") + gzip.compress(b"b") + b"\0" * 9,
        zstandard.compress(content), zstandard.compress(b"a") + b"\x50\x2a\x4d\x18\x01\0\0\0x",
    ]  # fmt: skip


USAGE = {"date": "2026-10-05", "service": "S", "resource_id": "r", "metric": "m", "quantity": "1.5"}
KUBERNETES = {
    "date": "2026-10-05", "cluster": "c", "namespace": "n", "kind": "Pod", "name": "p",
    "labels": {"tenant": "a"}, "annotations": {},
}  # fmt: skip
CLOSES = {
    "issuer": "AWS", "billing_account_id": "1", "billing_period": "2026-10",
    "closed_at": "2026-11-05T00:00:00Z",
}  # fmt: skip
RESERVATIONS = {
    "scope": "tenant_id = a", "period_start": "2026-10-01", "period_end": "2026-11-01",
    "amount": "100", "currency": "USD",
}  # fmt: skip
OUTCOMES = {
    "time": "2026-10-05T00:00:00Z",
    "operation_id": "o",
    "trace_id": "",
    "kind": "k",
    "value": "1",
}
CONTROLS = {"rule": "r", "operation": "o", "reversible": "false", "mode": "enforce"}

PAGE_HEADER = bytes.fromhex("1500155015502c1514150015061506000000")

TARGETS = {
    target.name: target
    for target in (
        Target("focus-csv", _bills, partial(_read, "billing", format="focus")),
        Target(
            "focus-parquet", lambda: [parquet_rows(row(), row())],
            partial(_read, "billing", format="focus"),
        ),
        Target("openai", lambda: _pages("openai"),
               partial(_read, "billing", format="openai", account="a")),
        Target("anthropic", lambda: _pages("anthropic"),
               partial(_read, "billing", format="anthropic", account="a")),
        Target("manifests", _manifests, _manifest),
        Target("deliveries", _manifests, _deliveries),
        Target("opencost", _answers, partial(_read, "opencost", cluster="prod")),
        Target("otlp", _spans, partial(_read, "spans")),
        Target("otlp-parquet", _span_tables, partial(_read, "spans")),
        Target("usage", lambda: _tables(**USAGE), partial(_read, "usage")),
        Target("kubernetes", lambda: _tables(**KUBERNETES), partial(_read, "kubernetes")),
        Target("closes", lambda: _tables(**CLOSES), partial(_read, "closes")),
        Target("reservations", lambda: _tables(**RESERVATIONS), partial(_read, "reservations")),
        Target("outcomes", lambda: _tables(**OUTCOMES), partial(_read, "outcomes")),
        Target("controls", lambda: _tables(**CONTROLS), partial(_read, "controls")),
        Target("compression", _compressions, _decompressed),
        Target("page-header", lambda: [PAGE_HEADER], _page_header),
        Target("yaml", lambda: [DESIGN.encode()[:3000]], _yaml),
        Target("policy", lambda: [DESIGN.encode()], _policy),
        Target("envelope", lambda: [b"attr1.eyJhIjoxfQ.c2ln"], _envelope),
    )
}  # fmt: skip
