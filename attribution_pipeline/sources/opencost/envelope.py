"""The envelope of an OpenCost answer, and what kind of answer it holds.

Belongs here: JSON to steps of rows, HTTP errors inside a 200, the endpoints and exports that are
not evidence, each refused under its own reason. Does not: a single row (``allocation``,
``assets``).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO

from attribution_pipeline.sources.opencost.values import RepeatedKeys
from attribution_pipeline.sources.rejection import ObjectRefused

JSON_BYTES_MAX = 512 << 20
"""One answer is held in memory: 512 MiB of text is some 200,000 containers, beyond what OpenCost
itself can answer in one query (opencost #2637)."""

CSV_HEADER = "Date,Namespace,ControllerKind"
"""How OpenCost's CSV export begins (pkg/costmodel/csv_export.go)."""

REFUSALS = (
    "error_answer", "text_before_json", "not_json", "not_utf8", "empty_object", "not_an_answer",
    "unknown_answer", "object_too_large", "no_rows",
)  # fmt: skip
"""Reasons of answers that are none: what a timeout or a crash of OpenCost leaves. ``no_rows`` is
an answer that ran out of time before its first row, or asked for a day that is not kept any more."""

_REMEDY = (
    "land /allocation and /assets of one whole UTC day each, "
    "with includeIdle=true&idleByNode=true&shareIdle=false and without aggregate"
)


@dataclass(frozen=True)
class Payload:
    """An answer in one of the two shapes that are evidence."""

    kind: str
    """``allocation`` or ``assets``."""
    steps: list[Any]
    """Each a JSON object of rows by key, or null."""

    def rows(self) -> Iterator[tuple[int, str, Any]]:
        """(position from 1, key, row), repeated keys included, in the order of the answer."""
        position = 0
        for step in self.steps:
            if step is None:  # a step without workloads (opencost AggregateBy)
                continue
            members = step.pairs if isinstance(step, RepeatedKeys) else step.items()
            for key, row in members:
                position += 1
                yield position, key, row


def parse(data: bytes | BinaryIO, where: str) -> Payload:
    """The payload of one landed answer. Raises ObjectRefused with the reason why it is none."""
    document = _document(_text(data, where), where)
    if not isinstance(document, dict) or "data" not in document or "code" not in document:
        raise _refused("not_an_answer", "is JSON, but no OpenCost answer with code and data", where)
    code, status, found = document["code"], document.get("status"), document["data"]
    # "status": "" comes with errors; it is absent in answers of some versions
    if code != 200 or isinstance(code, bool) or status not in (None, "success"):
        message = str(document.get("message") or document.get("error") or "no message")
        raise _refused(
            "error_answer",
            f"is an error answer: code {code}, status {status!r}: {message[:200]}",
            where,
        )
    return _payload(found, where)


def _text(data: bytes | BinaryIO, where: str) -> str:
    content = data if isinstance(data, bytes) else data.read(JSON_BYTES_MAX + 1)
    if len(content) > JSON_BYTES_MAX:
        raise ObjectRefused(
            "object_too_large",
            f"has more than {JSON_BYTES_MAX} bytes of JSON",
            where=where,
            remedy="land one answer per cluster and day",
        )
    try:
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").read()
    except UnicodeDecodeError as error:
        raise _refused("not_utf8", f"is not UTF-8 at byte {error.start}", where) from None


def _document(text: str, where: str) -> Any:
    start = text.lstrip()
    if not start:
        raise _refused("empty_object", "is empty", where)
    if start.startswith(CSV_HEADER):
        raise _refused(
            "csv_export", "is OpenCost's CSV export: no node, no provider id, no idle", where
        )
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_constant=lambda _name: None,  # NaN and Infinity: what OpenCost means by null
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise _refused("not_json", "is nested too deeply to be an OpenCost answer", where) from None
    except (ValueError, InvalidOperation) as error:
        brace = text.find("{")
        if start[0] not in "{[" and brace > 0 and '"code"' in text[brace : brace + 200]:
            # an invalid window: the handler writes plain text, and then its JSON all the same
            said = " ".join(text[:brace].split())[:200]
            raise _refused(
                "text_before_json", f"begins with plain text, an error of the API: {said}", where
            ) from None
        raise _refused("not_json", f"is not JSON: {error}", where) from None


def _payload(data: Any, where: str) -> Payload:
    if data is None or data == {} or data == []:
        return Payload("allocation", [])
    if isinstance(data, dict):
        _refuse_other_endpoints(data, where)
        steps, first = [data], next(iter(data.values()))
    elif isinstance(data, list) and all(step is None or isinstance(step, dict) for step in data):
        steps = data
        first = next((row for step in data if step for row in step.values()), None)
        if first is None:
            return Payload("allocation", steps)
    else:
        raise _refused("unknown_answer", "holds neither steps nor assets", where)
    if isinstance(first, dict) and "type" in first and "properties" in first:
        return Payload("assets", steps)
    if isinstance(first, dict) and isinstance(data, list) and "totalCost" in first:
        return Payload("allocation", steps)
    raise _refused("unknown_answer", "holds neither allocations nor assets", where)


def _refuse_other_endpoints(data: Mapping[str, Any], where: str) -> None:
    if "customCosts" in data:
        raise _refused("custom_cost", "is a /customCost answer: float32, not a bill", where)
    sets = data.get("sets")
    if isinstance(sets, list):
        members = [key for entry in sets if isinstance(entry, dict) for key in entry]
        if "cloudCosts" in members:
            raise _refused(
                "cloud_cost", "is a /cloudCost answer: land the FOCUS export under billing", where
            )
        if "customCosts" in members:
            raise _refused("custom_cost", "is a /customCost answer: float32, not a bill", where)
        raise _refused("allocation_summary", "is a summary answer: no containers, no idle", where)


def _refused(reason: str, what: str, where: str) -> ObjectRefused:
    return ObjectRefused(reason, what, where=where, remedy=_REMEDY)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else RepeatedKeys(pairs)
