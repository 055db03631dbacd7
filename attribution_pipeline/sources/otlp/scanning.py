"""Spans straight from bytes into columns, by the scanner in ``native``.

Belongs here: what the scanner is told (names, columns), what it asks (resources, providers, places),
its columns as a table, and when there is none. Does not: a rule of its own. Every answer is given by
the functions of the loop (``documents``, ``protobuf``, ``rows``), which also reads whatever the
scanner leaves: a span with anything unusual in it, a document that is not plainly one.

Measured (docs/decisions/0015): the loop costs some thirty times a bare JSON validation, because it
touches every attribute in Python; a typed parse into Arrow costs three times one before a column is
made.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import orjson
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from attribution_pipeline.model.evidence import SPANS
from attribution_pipeline.sources.otlp import aliases, documents, protobuf
from attribution_pipeline.sources.otlp import rows as columns
from attribution_pipeline.sources.otlp.aliases import COLUMNS, INDEX, LANDED_WIDTH, unset_ranks
from attribution_pipeline.sources.otlp.fields import sampling_threshold
from attribution_pipeline.sources.otlp.rows import SpanRows, Template, settle


def _compiled() -> ModuleType | None:
    """The scanner; None where it was installed without a C compiler: the loop reads everything."""
    try:
        return import_module("attribution_pipeline.sources.otlp._native")
    except ImportError:
        return None


native = _compiled()

ANSWERS_MAX = 20_000
"""Resources and profiles that are remembered: some 2 kB each. Beyond, all are asked again."""

IDLE_BYTES_MAX = 64 << 20
"""Column buffers that are kept for the next object; one huge document is not held for ever."""

ROLES = (
    "position", "trace_id", "span_id", "parent_span_id", "links", "span_name", "kind",
    "start_unix_nano", "end_unix_nano", "sampling_threshold", "provider", "operation_name",
    "response_id", "request_id", "server_address", "account", "region", "error_type", "is_call",
    "metered", "uncached_input", "attempt", "attributes", "input_tokens", "usage_details",
)  # fmt: skip
"""Columns that the scanner knows by name, in the order of ``scan.h``."""

_LETTERS = {pa.string(): "t", pa.bool_(): "b", pa.int8(): "1", pa.int32(): "4", pa.int64(): "8"}
_TYPES = [SPANS.field(name).type for name in COLUMNS[:LANDED_WIDTH]]

REPORTED, HAS_REQUEST_ID = 1, 2
IS_CALL, NO_OUTPUT, RESPONSE_IS_REQUEST = 1, 2, 4

_idle: dict[frozenset[str], list[Scanning]] = {}


def borrow(keep: frozenset[str]) -> Scanning | None:
    """A scanner for one object, to be given back; None where it was not built."""
    if native is None:
        return None
    idle = _idle.get(keep)
    return idle.pop() if idle else Scanning(keep)


class Scanning:
    """One object at a time. What it learned of resources and providers, it knows for the next."""

    def __init__(self, keep: frozenset[str]) -> None:
        assert native is not None
        self._keep = keep
        self._kept = sorted(keep, key=str.encode)  # as orjson sorts
        self._rows = SpanRows("", keep)  # for its rules on resources
        place = {key: number for number, key in enumerate(self._kept)}
        slots = tuple(
            (key.encode(), slot.column, slot.rank, slot.is_text, place[key] if slot.kept else -1)
            for key, slot in aliases.span_slots(keep).items()
        )
        self._scanner: Any = native.Scanner(
            "".join(_LETTERS[kind] for kind in _TYPES),
            len(COLUMNS),
            tuple(INDEX[name] for name in ROLES),
            slots,
            tuple(orjson.dumps(key) + b":" for key in self._kept),
        )
        self.scanned = 0
        """Spans that the scanner has read by itself, in all."""
        self.left = 0
        """Spans that it left to the loop, one by one."""

    def give_back(self) -> None:
        """Rows that were not taken are dropped."""
        waiting, _, held = self._scanner.held()
        if waiting:
            self._scanner.take()
        if held <= IDLE_BYTES_MAX:
            _idle.setdefault(self._keep, []).append(self)

    @property
    def waiting(self) -> int:
        """Rows that nobody has taken yet."""
        return int(self._scanner.held()[0])

    def land(self, payload: bytes, is_json: bool, rows: SpanRows) -> bool:
        """Read one document or message; False where the loop is to read all of it."""
        if self._scanner.held()[1] > ANSWERS_MAX:
            self._scanner.forget()
        before = rows.position
        found = self._scanner.scan(payload, is_json, before, self)
        if found is None:
            return False
        last, left = found
        for start, end, position, (*_, template) in left:
            rows.position = position - 1
            if is_json:
                documents.land_spans([orjson.loads(payload[start:end])], template, rows)
            else:
                protobuf.land_spans([Span.FromString(payload[start:end])], template, rows)
        rows.position = last
        self.left += len(left)
        self.scanned += last - before - len(left)
        return True

    def take(self, object_id: str) -> pa.Table:
        """The rows that wait, as ``SPANS``."""
        count, made = self._scanner.take()
        arrays = [pa.repeat(pa.scalar(object_id, pa.string()), count)]
        for kind, (valid, offsets, data) in zip(_TYPES, made, strict=True):
            parts = (valid, data) if offsets is None else (valid, offsets, data)
            buffers = [part if part is None else pa.py_buffer(part) for part in parts]
            arrays.append(pa.Array.from_buffers(kind, count, buffers))
        return pa.Table.from_arrays(arrays, schema=SPANS)

    # -- what the scanner asks ---------------------------------------------------------------------

    def template(self, layout: str, resource: bytes, scope: bytes) -> tuple[Any, ...] | None:
        """What a resource and scope give: texts by column, kept members, kept JSON, accounting, and
        the template itself. None for the document that the loop is to reject.
        """
        try:
            made = self._json(resource, scope) if layout == "j" else self._message(resource, scope)
        except (*documents.SHAPE_ERRORS, DecodeError):
            return None
        rule = made.accounting
        return (
            tuple(value.encode() if isinstance(value, str) else None for value in made.row),
            tuple(orjson.dumps(made.kept[key]) if key in made.kept else None for key in self._kept),
            made.row[columns.KEPT].encode() if made.kept else None,
            rule.input_includes_cached
            | rule.output_includes_reasoning << 1
            | rule.cache_is_reported << 2,
            made,
        )

    def _json(self, resource: bytes, scope: bytes) -> Template:
        said = orjson.loads(resource or b"{}") or {}
        named = orjson.loads(scope or b"{}") or {}
        template = self._rows.template(documents.pairs(said.get("attributes") or ()))
        return template.scope(named.get("name"), named.get("version"))

    def _message(self, resource: bytes, scope: bytes) -> Template:
        said = Resource.FromString(resource)
        named = InstrumentationScope.FromString(scope)
        return self._rows.template(protobuf.pairs(said.attributes)).scope(named.name, named.version)

    def profile(
        self,
        owner: tuple[Any, ...],
        flags: int,
        provider: str | None,
        operation: str | None,
        address: str | None,
        account: str | None,
        region: str | None,
        name: str | None,
    ) -> tuple[Any, ...]:
        """What ``settle`` makes of these: provider, operation, account, region, and three answers."""
        template: Template = owner[-1]
        row, ranks = template.row[:], unset_ranks()
        own = {
            columns.PROVIDER: provider,
            columns.OPERATION: operation,
            columns.ADDRESS: address,
            columns.ACCOUNT: account,
            columns.REGION: region,
        }
        for column, value in own.items():
            if value is not None:
                row[column], ranks[column] = value, 0
        row[columns.SPAN_NAME] = name
        if flags & REPORTED:
            row[columns.COUNTS.start] = 0
        if flags & HAS_REQUEST_ID:
            row[columns.REQUEST_ID] = "an id"
        settle(row, ranks, template, False)
        texts = (
            row[column].encode() if row[column] is not None else None
            for column in (columns.PROVIDER, columns.OPERATION, columns.ACCOUNT, columns.REGION)
        )
        answers = (
            IS_CALL * row[columns.IS_CALL]
            | NO_OUTPUT * (row[columns.OPERATION] == "embeddings")
            | RESPONSE_IS_REQUEST * (row[columns.RESPONSE_ID] is not None)
        )
        return (*texts, answers)

    @staticmethod
    def threshold(trace_state: str) -> bytes | None:
        """``fields.sampling_threshold``."""
        found = sampling_threshold(trace_state)
        return found.encode() if found is not None else None
