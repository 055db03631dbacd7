"""Six recorded emitters, alone and two of them on the same calls: one row a billed call, true totals."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import combinations
from pathlib import Path

import pytest

from attribution_pipeline_tests.attribution.spans import Row, Told, told
from attribution_pipeline_tests.sources.otlp_documents import CASES, land

NATIVE_SDK = "com.anthropic.sdk.python"

# cases/otel/SOURCES.txt, "Usage constants the fake server returns"
OPENAI_CHAT = (86, 1920, 0, 0, 0, 172, 128)
OPENAI_RESPONSES = (200, 2000, 0, 0, 400, 172, 128)
EMBEDDING = (9, 0, 0, 0, 0, 0, 0)
ANTHROPIC = (50, 1800, 148, 100, 0, 503, 0)
ANTHROPIC_WITHOUT_TTL = (50, 1800, 0, 0, 248, 503, 0)

OPENAI_CALLS = [OPENAI_CHAT, OPENAI_CHAT, OPENAI_CHAT, EMBEDDING, OPENAI_RESPONSES]
OPENAI_TOTALS = (3 * 2006 + 9 + 2600, 4 * 300)
OPENAI_UNMETERED = 2  # a stream without usage, a request that was refused
ANTHROPIC_TOTALS = (3 * 2098, 3 * 503)
ANTHROPIC_UNMETERED = 1

OPENAI = ("genai_openai", "traceloop_openai", "openinference_openai")
ANTHROPIC_EMITTERS = ("genai_anthropic", "traceloop_anthropic", "openinference_anthropic")
NATIVE = "native"
TOPOLOGIES = ("first around second", "second around first", "side by side")
INSET_NS = 500_000
"""How much later the second telling begins, and earlier it ends."""


def recorded(emitter: str) -> list[Row]:
    rows, rejected = land((CASES / f"{emitter}.jsonl").read_bytes())
    assert rejected == []
    return rows


def day_of(rows: list[Row]) -> date:
    return datetime.fromtimestamp(rows[0]["end_unix_nano"] // 10**9, UTC).date()


def instrumented(emitter: str) -> list[Row]:
    """An emitter's own spans of calls, in their order; ``native``: the Anthropic SDK's."""
    native = emitter == NATIVE
    rows = recorded("genai_anthropic" if native else emitter)
    calls = [row for row in rows if row["is_call"] and (row["scope_name"] == NATIVE_SDK) == native]
    return sorted(calls, key=lambda row: row["start_unix_nano"])


def mixed(first: str, second: str, topology: str) -> list[Row]:
    """One program's calls, each told by both: ids and times are the first's, and a little inside."""
    root = next(row for row in recorded(first if first != NATIVE else second) if not row["is_call"])
    found = [root]
    for number, (a, b) in enumerate(
        zip(instrumented(first), instrumented(second), strict=True), start=1
    ):
        outer, inner = dict(a), dict(b)
        if topology == "second around first":
            outer, inner = inner, outer
        outer |= {
            "span_id": f"a{number:015x}", "parent_span_id": root["span_id"],
            "trace_id": root["trace_id"], "start_unix_nano": a["start_unix_nano"],
            "end_unix_nano": a["end_unix_nano"],
        }  # fmt: skip
        beside = topology == "side by side"
        inner |= {
            "span_id": f"b{number:015x}", "trace_id": root["trace_id"],
            "parent_span_id": root["span_id"] if beside else outer["span_id"],
            "start_unix_nano": a["start_unix_nano"] + INSET_NS,
            "end_unix_nano": a["end_unix_nano"] - INSET_NS,
        }  # fmt: skip
        found += [outer, inner]
    return found


def check(found: Told, totals: tuple[int, int], metered: int, unmetered: int) -> None:
    assert found.tokens() == totals
    with_usage = [row["metered"] for row in found.operations]
    assert (with_usage.count(True), with_usage.count(False)) == (metered, unmetered)


@pytest.mark.parametrize("emitter", OPENAI)
def test_an_openai_emitter_alone_gives_the_true_totals(emitter: str, tmp_path: Path) -> None:
    rows = recorded(emitter)
    found = told(tmp_path, rows, day_of(rows))
    check(found, OPENAI_TOTALS, 5, OPENAI_UNMETERED)
    assert found.merged == []


@pytest.mark.parametrize("emitter", ANTHROPIC_EMITTERS)
def test_an_emitter_beside_the_anthropic_sdk_gives_the_true_totals(
    emitter: str, tmp_path: Path
) -> None:
    """As recorded: two spans a call, wrapped by some, side by side in OpenLLMetry."""
    rows = recorded(emitter)
    found = told(tmp_path, rows, day_of(rows))
    check(found, ANTHROPIC_TOTALS, 3, ANTHROPIC_UNMETERED)
    assert found.buckets() == [ANTHROPIC] * 3
    assert {row["emitter"] for row in found.operations} >= {f"{NATIVE_SDK} 2.12.0"}
    by_id = "same_usage_ancestor" if emitter == "openinference_anthropic" else "same_response"
    assert found.reasons() == [by_id] * 3 + ["unmetered_twin"]
    assert sum(row["input_tokens"] for row in found.merged) == ANTHROPIC_TOTALS[0]


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize(("first", "second"), list(combinations(OPENAI, 2)))
def test_any_two_openai_emitters_on_the_same_calls_give_the_true_totals(
    first: str, second: str, topology: str, tmp_path: Path
) -> None:
    rows = mixed(first, second, topology)
    found = told(tmp_path, rows, day_of(rows))
    check(found, OPENAI_TOTALS, 5, OPENAI_UNMETERED)
    assert found.buckets() == OPENAI_CALLS
    assert len(found.merged) == 7


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize(("first", "second"), list(combinations((NATIVE, *ANTHROPIC_EMITTERS), 2)))
def test_any_two_anthropic_emitters_on_the_same_calls_give_the_true_totals(
    first: str, second: str, topology: str, tmp_path: Path
) -> None:
    rows = mixed(first, second, topology)
    found = told(tmp_path, rows, day_of(rows))
    check(found, ANTHROPIC_TOTALS, 3, ANTHROPIC_UNMETERED)
    best = ANTHROPIC if NATIVE in (first, second) else ANTHROPIC_WITHOUT_TTL
    assert found.buckets() == [best] * 3
    assert len(found.merged) == 4
