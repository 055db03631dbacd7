"""OTLP as nobody should write it: spans, documents and bytes with every oddity that readers disagree on.

Belongs here: drawing them from a seed. Does not: what becomes of them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import orjson

from attribution_pipeline.sources.otlp.aliases import RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES

KEPT = frozenset({"app.tenant", "gen_ai.request.model", "attribution.tenant_id", 'quote"d', "ключ"})

SPAN_KEYS = sorted({key for keys in SPAN_ATTRIBUTES.values() for key in keys} | KEPT)
COUNT_KEYS = [key for key in SPAN_KEYS if "tokens" in key or "token_count" in key]
RESOURCE_KEYS = sorted({key for keys in RESOURCE_ATTRIBUTES.values() for key in keys} | KEPT)
OTHER_KEYS = ["gen_ai.prompt", "http.route", "", "gen_ai.usage.input_token", "x" * 300]

TEXTS = [
    "", " ", "chat", "Chat ", "embeddings", "llm", "chain", "unknown", "openai", "aws.bedrock",
    "AWS", "vertex_ai", "azure", "é", "日本", "\U0001f600", 'a"b', "back\\slash", "tab\tnew\nline",
    "\x7f", "\u2028", "/", "a" * 500, "12", "007", "-5", "1e3", "5.0", "٣", "true", "null",
    "bedrock-runtime.eu-west-1.amazonaws.com", "bedrock-runtime-fips.us-east-1.vpce.amazonaws.com",
    "chatcmpl-" + "0a" * 16, "cmpl-" + "0a" * 16 + "-12", "cmpl-" + "0a" * 16 + "-12-deadbeef",
    "cmpl-" + "0a" * 16 + "-x", "gcp.vertex_ai", '{"input": 5, "output": 3}', "{",
]  # fmt: skip
COUNTS: list[Any] = [
    "0", "5", "17", "900", 5, 900, 0, "", "-5", -5, "007", " 5", "5.0", 5.0, 5.7, 1e3, "1e3", True,
    None, "٣", 10**9, str(10**9 + 1), 2**53 + 1, 2**63, str(2**64), "9" * 30, [], {}, "+5", "-0", -0.0,
]  # fmt: skip
HEX = "0123456789abcdef"


class Odd:
    """Draws documents; ``oddity`` is how often a place is not as it should be."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.oddity = self.dice.choice([0.0, 0.003, 0.02, 0.2])

    def odd(self) -> bool:
        return self.dice.random() < self.oddity

    def document(self) -> Any:
        """A request, mostly of the right shape."""
        if self.odd():
            return self.dice.choice([[], {}, 5, "x", None, {"resourceMetrics": []}, [1, 2]])
        found: dict[str, Any] = {
            "resourceSpans": self.dice.choice([None, {}, 5, ""])
            if self.odd()
            else [self.resource_spans() for _ in range(self.dice.randrange(4))]
        }
        if self.odd():
            found["partialSuccess"] = {"rejectedSpans": "3"}
        return self.shuffled(found)

    def resource_spans(self) -> Any:
        if self.odd():
            return self.dice.choice([None, {}, 5, []])
        resource: Any = {"attributes": self.attributes(RESOURCE_KEYS, self.dice.randrange(6))}
        if self.odd():
            resource = self.dice.choice([None, {}, 5, [], {"attributes": 5}, {"attributes": None}])
        found = {
            "resource": resource,
            "scopeSpans": self.dice.choice([None, {}, 5])
            if self.odd()
            else [self.scope_spans() for _ in range(self.dice.randrange(4))],
            "schemaUrl": "https://opentelemetry.io/schemas/1.41.0",
        }
        if self.odd():
            found["instrumentationLibrarySpans"] = []
        return self.lacking(found)

    def scope_spans(self) -> Any:
        if self.odd():
            return self.dice.choice([None, {}, 5])
        names = ["app", "openinference.instrumentation.anthropic", "é", ""]
        scope: Any = {
            "name": self.dice.choice(names),
            "version": self.dice.choice(["1.0", "", "0.1.9"]),
        }
        if self.odd():
            scope = self.dice.choice([None, {}, 5, {"name": 5}, {"name": "a", "version": {}}])
        spans = [self.span() for _ in range(self.dice.randrange(4))]
        if self.odd():
            spans = self.dice.choice([None, {}, 5, "x"])  # type: ignore[assignment]
        return self.lacking({"scope": scope, "spans": spans})

    def identifier(self, digits: int) -> Any:
        if self.odd():
            return self.dice.choice(
                [None, "", 5, "0" * digits, "0" * (digits - 1), "xyz", "CvdlGRbNQ92ES+shHIAxnA==",
                 "t60ralqzIDM=", " " * digits, "A" * digits, "é" * (digits // 2), {}, True]
            )  # fmt: skip
        text = "".join(self.dice.choice(HEX) for _ in range(digits - 1)) + "1"
        return text.upper() if self.dice.random() < 0.1 else text

    def instant(self, base: int) -> Any:
        if self.odd():
            return self.dice.choice([None, "", 0, "0", 1.5e18, "1.5e18", 2**63, str(2**63), -5, "-5",
                                     "0001795295041635453645", True, {}, "٣", 2**64])  # fmt: skip
        value = base + self.dice.randrange(10**9)
        return value if self.dice.random() < 0.2 else str(value)

    def span(self) -> Any:
        if self.odd():
            return self.dice.choice([None, {}, 5, [], "x"])
        base = 1_795_295_041_635_453_645
        odd_kinds = [None, 7, "SPAN_KIND_CLIENT", "3", 3.0, True, -1, "Client", {}]
        found = {
            "traceId": self.identifier(32),
            "spanId": self.identifier(16),
            "parentSpanId": self.dice.choice(["", "0" * 16, self.identifier(16)]),
            "flags": 256,
            "name": self.dice.choice(
                ["chat gpt", "", "llm_request", "claude_code.llm_request", "é"]
            )
            if not self.odd()
            else self.dice.choice([5, None, {}, 'a"b', "\u2028"]),
            "kind": self.dice.choice(odd_kinds) if self.odd() else self.dice.randrange(6),
            "startTimeUnixNano": self.instant(base),
            "endTimeUnixNano": self.instant(base + 2 * 10**9),
            "attributes": self.attributes(SPAN_KEYS, self.dice.randrange(14)),
            "events": [{"name": "e", "attributes": self.attributes(SPAN_KEYS, 2)}],
            "links": [self.link() for _ in range(self.dice.randrange(3))],
            "traceState": self.dice.choice(["", "a=b", "ot=th:8", "x=y,ot=rv:1;th:c0", "ot=th:zz"]),
            "status": {"code": self.dice.choice([0, 1, 2])},
        }
        if self.odd():
            found["status"] = self.dice.choice(
                [None, {}, 5, {"code": 2.0}, {"code": "STATUS_CODE_ERROR"}, {"code": "error"},
                 {"code": True}, {"code": []}, {"code": -2}, {"code": None}, {"message": "x"}]
            )  # fmt: skip
        if self.odd():
            found[self.dice.choice(["attributes", "links", "traceState"])] = self.dice.choice(
                [None, {}, 5, "x", [5], [None], [{}], 0, False]
            )
        return self.lacking(found)

    def link(self) -> Any:
        if self.odd():
            return self.dice.choice([None, {}, 5])
        return self.lacking({"traceId": self.identifier(32), "spanId": self.identifier(16)})

    def attributes(self, keys: list[str], count: int) -> Any:
        return [self.attribute(keys) for _ in range(count)]

    def attribute(self, keys: list[str]) -> Any:
        if self.odd():
            return self.dice.choice(
                [None, {}, 5, {"key": 5, "value": {}}, {"key": []}, {"value": {}},
                 {"key": self.dice.choice(keys)}, {"key": self.dice.choice(keys), "value": None},
                 {"key": self.dice.choice(keys), "value": ""}]
            )  # fmt: skip
        key = self.dice.choice(OTHER_KEYS if self.dice.random() < 0.2 else keys)
        value = self.value(key in COUNT_KEYS)
        found = {"key": key, "value": value}
        return self.shuffled(found) if self.odd() else found

    def value(self, is_count: bool) -> Any:
        if self.odd():
            texts, counts = self.dice.choice(TEXTS), self.dice.choice(COUNTS)
            nested = {"values": [{"key": "gen_ai.usage.input_tokens", "value": {"intValue": "9"}}]}
            return self.dice.choice(
                [{}, None, {"intValue": counts}, {"stringValue": counts}, {"doubleValue": counts},
                 {"boolValue": counts}, {"stringValue": texts, "intValue": counts},
                 {"arrayValue": {"values": [{"stringValue": "a"}]}}, {"kvlistValue": nested},
                 {"bytesValue": "aGk="}, {"unknownValue": 5}, {"arrayValue": [], "intValue": 5}, 5]
            )  # fmt: skip
        if is_count or self.dice.random() < 0.2:
            number = self.dice.choice([0, 1, 40, 900, 20_000])
            return {"intValue": number if self.dice.random() < 0.2 else str(number)}
        if self.dice.random() < 0.1:
            return {"boolValue": self.dice.random() < 0.5}
        return {"stringValue": self.dice.choice(TEXTS)}

    def lacking(self, found: dict[str, Any]) -> dict[str, Any]:
        """Now and then without a field, or in another order."""
        if self.odd():
            del found[self.dice.choice(sorted(found))]
        return self.shuffled(found) if self.odd() else found

    def shuffled(self, found: dict[str, Any]) -> dict[str, Any]:
        pairs = list(found.items())
        self.dice.shuffle(pairs)
        return dict(pairs)

    def encoded(self, document: Any) -> bytes:
        """One document in one of the ways in which JSON is written."""
        ways: list[Callable[[Any], bytes]] = [
            orjson.dumps,
            orjson.dumps,
            lambda found: json.dumps(found).encode(),
            lambda found: json.dumps(found, ensure_ascii=False).encode(),
            lambda found: json.dumps(found, indent=1).replace("\n", "\r").encode(),
            lambda found: json.dumps(found).replace("gen_ai", "gen\\u005fai", 1).encode(),
        ]
        try:
            text = self.dice.choice(ways)(document)
        except TypeError:  # orjson: an integer beyond 64 bits
            text = json.dumps(document).encode()
        return self.damaged(text) if self.odd() else text

    def damaged(self, text: bytes) -> bytes:
        """A byte changed, a piece lost or said twice, an odd number or escape put in."""
        at = self.dice.randrange(len(text) + 1)
        to = min(len(text), at + self.dice.randrange(1, 40))
        return self.dice.choice(
            [
                text[:at],
                text[:at] + text[to:],
                text[:to] + text[at:],
                text[:at] + bytes([self.dice.randrange(256)]) + text[at + 1 :],
                text.replace(b'"kind":', b'"kind":1,"kind":', 1),
                text.replace(b'"attributes":', b'"attributes":[],"attributes":', 1),
                text.replace(b'"stringValue":', b'"stringValue":"\\ud800","stringValue":', 1),
                text.replace(b'"flags":256', b'"flags":1e400', 1),
                text.replace(b'"flags":256', b'"flags":-0.5e-7', 1),
                text.replace(b'"flags":256', b'"flags":' + b"[" * 80 + b"]" * 80, 1),
                text.replace(b'"flags":256', b'"flags":"\\ud83d\\ude00\\/"', 1),
                text + self.dice.choice([b"{}", b",", b" ", b"\x00", b"]"]),
            ]
        )

    def lines(self) -> bytes:
        """An object: documents one a line, now and then several, or none."""
        found = [self.encoded(self.document()) for _ in range(self.dice.randrange(1, 5))]
        return b"".join(text + (b"" if self.odd() else b"\n") for text in found)
