"""OTLP protobuf with every oddity that decoders disagree on: the twin of ``odd_otlp``.

Belongs here: drawing messages and damage from a seed. Does not: what becomes of them.
"""

from __future__ import annotations

import random
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from attribution_pipeline_tests.sources.odd_otlp import (
    COUNT_KEYS,
    OTHER_KEYS,
    RESOURCE_KEYS,
    SPAN_KEYS,
    TEXTS,
)
from attribution_pipeline_tests.sources.otlp_documents import frame

BASE = 1_795_295_041_635_453_645
COUNTS = [0, 1, 40, 900, 20_000, -5, 10**9, 10**9 + 1, 2**53 + 1, 2**63 - 1, -(2**63)]


class OddProtobuf:
    """Draws messages; ``oddity`` is how often a place is not as it should be."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.oddity = self.dice.choice([0.0, 0.003, 0.02, 0.2])

    def odd(self) -> bool:
        return self.dice.random() < self.oddity

    def few(self, most: int) -> range:
        return range(self.dice.randrange(most))

    def message(self) -> bytes:
        found = TracesData(resource_spans=[self.resource_spans() for _ in self.few(4)])
        return bytes(found.SerializeToString())

    def resource_spans(self) -> ResourceSpans:
        found = ResourceSpans(scope_spans=[self.scope_spans() for _ in self.few(4)])
        if not self.odd():
            found.resource.attributes.extend(self.attribute(RESOURCE_KEYS) for _ in self.few(6))
            found.schema_url = self.dice.choice(["", "é"])
        return found

    def scope_spans(self) -> ScopeSpans:
        found = ScopeSpans(spans=[self.span() for _ in self.few(4)])
        if not self.odd():
            found.scope.name = self.dice.choice(
                ["app", "é", "openinference.instrumentation.anthropic"]
            )
            found.scope.version = self.dice.choice(["1.0", "", "0.1.9"])
        return found

    def identifier(self, size: int) -> bytes:
        if self.odd():
            return self.dice.choice([b"", b"\0" * size, b"\1" * (size - 1), b"\1" * (size + 1)])
        return self.dice.randbytes(size - 1) + b"\1"

    def instant(self, after: int) -> int:
        if self.odd():
            return self.dice.choice([0, 1, 2**63, 2**64 - 1])
        return BASE + after + self.dice.randrange(10**9)

    def span(self) -> Span:
        found = Span(
            trace_id=self.identifier(16),
            span_id=self.identifier(8),
            parent_span_id=self.dice.choice([b"", b"\0" * 8, self.identifier(8)]),
            name=self.dice.choice(["chat gpt", "", "llm_request", "claude_code.llm_request", "é"]),
            kind=self.dice.randrange(6),
            start_time_unix_nano=self.instant(0),
            end_time_unix_nano=self.instant(2 * 10**9),
            attributes=[self.attribute(SPAN_KEYS) for _ in self.few(14)],
            trace_state=self.dice.choice(["", "a=b", "ot=th:8", "x=y,ot=rv:1;th:c0", "ot=th:zz"]),
            flags=256,
        )
        found.links.extend(
            Span.Link(trace_id=self.identifier(16), span_id=self.identifier(8), flags=1)
            for _ in self.few(3)
        )
        found.events.add(name="é", attributes=[self.attribute(SPAN_KEYS)], time_unix_nano=5)
        found.status.code = self.dice.randrange(3)
        found.status.message = "wrong"
        return found

    def attribute(self, keys: list[str]) -> KeyValue:
        key = self.dice.choice(OTHER_KEYS if self.dice.random() < 0.2 else keys)
        found = KeyValue(key=key)
        if not self.odd():
            found.value.CopyFrom(self.value(key in COUNT_KEYS))
        return found

    def value(self, is_count: bool) -> AnyValue:
        found = AnyValue()
        if self.odd():
            kind: Any = self.dice.choice(["double", "bytes", "array", "map", "number", "text"])
            if kind == "double":
                found.double_value = self.dice.choice([5.0, 5.7, float("nan"), 1e300])
            elif kind == "bytes":
                found.bytes_value = b"\xff"
            elif kind == "array":
                found.array_value.values.add(string_value="a")
            elif kind == "map":
                found.kvlist_value.values.add(key="gen_ai.usage.input_tokens").value.int_value = 9
            elif kind == "number":
                found.int_value = self.dice.choice(COUNTS)
            else:
                found.string_value = self.dice.choice(TEXTS)
        elif is_count or self.dice.random() < 0.2:
            found.int_value = self.dice.choice([0, 1, 40, 900, 20_000])
        elif self.dice.random() < 0.1:
            found.bool_value = self.dice.random() < 0.5
        else:
            found.string_value = self.dice.choice(TEXTS)
        return found

    def damaged(self, message: bytes) -> bytes:
        """A byte changed, a piece lost or said twice, a field of a later version put in."""
        at = self.dice.randrange(len(message) + 1)
        to = min(len(message), at + self.dice.randrange(1, 40))
        extra = [
            b"\x0a\x00",
            b"\x12\x01\xff",
            b"\x18\x05",
            b"\xfa\x3f\x00",
            b"\x0b\x0c",
            b"\xff" * 11,
        ]
        return self.dice.choice(
            [
                message[:at],
                message[:at] + message[to:],
                message[:to] + message[at:],
                message[:at] + bytes([self.dice.randrange(256)]) + message[at + 1 :],
                message.replace("é".encode(), b"\xed\xa0", 1),
                message + self.dice.choice(extra),
                message + message,
            ]
        )

    def frames(self) -> bytes:
        """An object of the collector's file exporter."""
        found = [self.message() for _ in range(self.dice.randrange(1, 5))]
        return b"".join(frame(self.damaged(one) if self.odd() else one) for one in found)
