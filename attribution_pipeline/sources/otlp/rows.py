"""The row of a span: what it inherits, what its attributes say, and what follows from both.

Belongs here: templates of a resource and scope, what is derived once all attributes are seen, the
columns of a batch. Does not: walking a document (``documents``, ``protobuf``, ``parquet``).
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from attribution_pipeline.model.evidence import SPANS
from attribution_pipeline.sources.batch import Batch, Rejected
from attribution_pipeline.sources.otlp import aliases
from attribution_pipeline.sources.otlp.aliases import COLUMNS, INDEX, LANDED_WIDTH, Slot
from attribution_pipeline.sources.otlp.emitters import Accounting, accounting
from attribution_pipeline.sources.otlp.fields import OTHER_ERROR, label
from attribution_pipeline.sources.otlp.usage import (
    UNKNOWN,
    Anomaly,
    Buckets,
    buckets,
    langfuse_counts,
)

BATCH_SPANS = 50_000
"""Rows that are held as Python objects at a time: about 60 MB."""

BATCH_REJECTED = 10_000
"""Rejects that are held at a time: a file of nothing else must not fill memory either."""

Row = list[Any]

PROVIDER, OPERATION, MODEL = INDEX["provider"], INDEX["operation_name"], INDEX["model"]
RESPONSE_ID, REQUEST_ID = INDEX["response_id"], INDEX["request_id"]
ADDRESS, ACCOUNT, REGION = INDEX["server_address"], INDEX["account"], INDEX["region"]
CLOUD, CLOUD_ACCOUNT = INDEX["cloud_provider"], INDEX["cloud_account"]
CLOUD_REGION = INDEX["cloud_region"]
IS_CALL, METERED, ANOMALY = INDEX["is_call"], INDEX["metered"], INDEX["usage_anomaly"]
ATTEMPT, ERROR, KEPT = INDEX["attempt"], INDEX["error_type"], INDEX["attributes"]
SPAN_NAME, POSITION = INDEX["span_name"], INDEX["position"]
SCOPE_NAME, SCOPE_VERSION = INDEX["scope_name"], INDEX["scope_version"]
COUNTS = slice(INDEX[aliases.COUNTS[0]], INDEX[aliases.COUNTS[-1]] + 1)
BUCKETS = slice(INDEX["uncached_input"], INDEX["reasoning"] + 1)
_NO_COUNTS = [None] * len(aliases.COUNTS)
USAGE_DETAILS = INDEX["usage_details"]

INT32_MAX = 2**31 - 1

_BEDROCK_HOST = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com")

_CLOUD_OF_PROVIDER = {"aws": "aws", "azure": "azure", "gcp": "gcp"}
"""First word of gen_ai.provider.name to cloud.provider, for the vendors that are clouds."""


@dataclass
class Template:
    """What every span of one resource and scope starts from."""

    row: Row
    kept: dict[str, Any]
    accounting: Accounting

    def scope(self, name: Any, version: Any) -> Template:
        """The same resource under another instrumentation scope. Raises TypeError, see ``label``."""
        row = self.row[:]
        row[SCOPE_NAME], row[SCOPE_VERSION] = label(name), label(version)
        return Template(row, self.kept, accounting(row[SCOPE_NAME], row[SCOPE_VERSION]))


class Columns(Protocol):
    """Rows of the same object that are columns already (``scanning``)."""

    @property
    def waiting(self) -> int: ...

    def take(self, object_id: str) -> pa.Table: ...


class SpanRows:
    """Rows and rejects of one object, on their way into batches."""

    def __init__(
        self, object_id: str, keep: frozenset[str], columns: Columns | None = None
    ) -> None:
        self.span_slots = aliases.span_slots(keep)
        self._resource_slots = aliases.resource_slots(keep)
        self._object_id = object_id
        self._columns = columns
        self._ahead: pa.Table | None = None
        self.rows: list[Row] = []
        self.rejected: list[Rejected] = []
        self.position = 0
        """Of the last span that was met, rejected ones included, from 1."""

    def reject(self, position: int, reason: str, detail: str) -> None:
        self.rejected.append(Rejected(position, reason, detail))

    def template(self, attributes: Iterable[tuple[str, Any]]) -> Template:
        """Of a resource, whose attributes are read once for all its spans."""
        row: Row = [None] * len(COLUMNS)
        row[IS_CALL] = row[METERED] = False
        ranks = aliases.unset_ranks()
        kept: dict[str, Any] = {}
        for key, value in attributes:
            slot = self._resource_slots.get(key)
            if slot is not None:
                take(row, ranks, kept, key, value, slot)
        if kept:
            row[KEPT] = kept_json(kept)
        return Template(row, kept, accounting(None, None))

    @property
    def waiting(self) -> int:
        """Rows that are in no batch yet."""
        scanned = self._columns.waiting if self._columns else 0
        ahead = self._ahead.num_rows if self._ahead is not None else 0
        return int(ahead) + len(self.rows) + scanned

    @property
    def is_full(self) -> bool:
        return self.waiting >= BATCH_SPANS or len(self.rejected) >= BATCH_REJECTED

    def batches(self, *, last: bool) -> Iterator[Batch]:
        """What is ready, at most ``BATCH_SPANS`` rows each; all that is left when ``last``."""
        while self.is_full or (last and (self.waiting or self.rejected)):
            found = self._drained()
            rejected, self.rejected = self.rejected, []
            # an empty table of sixty columns costs a small object more than reading it
            self._ahead = found.slice(BATCH_SPANS) if found.num_rows > BATCH_SPANS else None
            yield Batch("spans", found.slice(0, BATCH_SPANS), rejected)

    def _drained(self) -> pa.Table:
        """All rows by position: those of the loop between those that came as columns."""
        parts = [] if self._ahead is None else [self._ahead]
        if self._columns and self._columns.waiting:
            scanned = self._columns.take(self._object_id)
            if self.rows:
                scanned = pa.concat_tables([scanned, _table(self.rows, self._object_id)])
                scanned = scanned.take(pc.sort_indices(scanned, [("position", "ascending")]))
            parts.append(scanned)
        elif self.rows or not parts:
            parts.append(_table(self.rows, self._object_id))
        self.rows = []
        return parts[0] if len(parts) == 1 else pa.concat_tables(parts)


def take(
    row: Row, ranks: list[int], kept: dict[str, Any], key: str, value: Any, slot: Slot
) -> None:
    """Put one scalar into the column that its name stands for, if no better name was there."""
    if value is None or value == "":
        return
    if slot.kept:
        kept.setdefault(key, value)
    if slot.rank < ranks[slot.column]:
        ranks[slot.column] = slot.rank
        row[slot.column] = text(value) if slot.is_text else value


def text(value: Any) -> str:
    """A scalar attribute as the text that identifies it: 42 is "42", true is "true"."""
    if value is True or value is False:
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def kept_json(kept: dict[str, Any]) -> str:
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


def settle(row: Row, ranks: list[int], template: Template, failed: bool) -> None:
    """Everything that follows from a row's attributes, once all are seen. In place."""
    if failed and row[ERROR] is None:
        row[ERROR] = OTHER_ERROR
    if row[PROVIDER] is not None:
        row[PROVIDER] = aliases.provider_name(row[PROVIDER])
    _settle_place(row, ranks)
    if row[ATTEMPT] is not None:
        row[ATTEMPT] = _attempt(row[ATTEMPT], said_by_us=not ranks[ATTEMPT])

    counts = row[COUNTS]
    reported = counts != _NO_COUNTS
    operation = row[OPERATION]
    if operation is not None:
        operation = row[OPERATION] = aliases.operation_name(operation)
    elif row[SPAN_NAME] == aliases.CLAUDE_CODE_CALL:
        operation = row[OPERATION] = "chat"
    elif row[SPAN_NAME] == aliases.VLLM_CALL and (reported or row[REQUEST_ID] is not None):
        operation = row[OPERATION] = "chat"
        if row[RESPONSE_ID] is None and row[REQUEST_ID] is not None:
            row[RESPONSE_ID] = aliases.vllm_response_id(row[REQUEST_ID])
    row[IS_CALL] = operation in aliases.CALLS

    if reported:
        found = buckets(counts, template.accounting, no_output=operation == "embeddings")
    elif row[USAGE_DETAILS] is not None:
        found = _langfuse(row[USAGE_DETAILS], operation)
    else:
        return
    row[BUCKETS], row[METERED], row[ANOMALY] = found


def _langfuse(details: str, operation: str | None) -> tuple[Buckets, bool, str | None]:
    try:
        counts, rule = langfuse_counts(details)
    except Anomaly as anomaly:
        return UNKNOWN, False, str(anomaly)
    return buckets(counts, rule, no_output=operation == "embeddings")


def _settle_place(row: Row, ranks: list[int]) -> None:
    """Account and region of the vendor's side of a call.

    The span's own attributes first, then the host that it called, then what the resource says by
    name (``attribution.*``). A resource's cloud.account.id and cloud.region say where the *caller*
    runs: they name the vendor's side only where the vendor is that same cloud (Bedrock called from
    AWS). An OpenAI call from a pod on AWS says nothing of OpenAI's account.
    """
    address = row[ADDRESS]
    if address is not None and ranks[REGION] == aliases.UNSET_RANK and "bedrock" in address:
        found = _BEDROCK_HOST.search(address.lower())
        if found:
            row[REGION] = found.group(1)
    provider = row[PROVIDER]
    if provider is None or (row[CLOUD_ACCOUNT] is None and row[CLOUD_REGION] is None):
        return
    cloud = _CLOUD_OF_PROVIDER.get(provider.partition(".")[0])
    if cloud is None or (row[CLOUD] or cloud).lower() != cloud:
        return
    if row[ACCOUNT] is None:
        row[ACCOUNT] = row[CLOUD_ACCOUNT]
    if row[REGION] is None:
        row[REGION] = row[CLOUD_REGION]


def _attempt(value: Any, *, said_by_us: bool) -> int | None:
    """1 for the first: ``attribution.attempt`` as it is, a resend count and one."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if type(value) is not int or value < said_by_us:
        return None
    attempt = value if said_by_us else value + 1
    return attempt if attempt <= INT32_MAX else None


def _table(rows: list[Row], object_id: str) -> pa.Table:
    columns = list(zip(*rows, strict=True))[:LANDED_WIDTH] if rows else [()] * LANDED_WIDTH
    arrays = [pa.array([object_id] * len(rows), pa.string())]
    for name, values in zip(COLUMNS[:LANDED_WIDTH], columns, strict=True):
        arrays.append(pa.array(values, SPANS.field(name).type))
    return pa.Table.from_arrays(arrays, schema=SPANS)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Parsed documents and rows have no cycles: looking for some costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
