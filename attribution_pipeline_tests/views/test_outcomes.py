"""Which operations an outcome is of: response, span, logical operation, trace; and never a forgery's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import Session, session
from attribution_pipeline.envelope import Claims, Key, issue
from attribution_pipeline.envelope.token import join_token, read_token
from attribution_pipeline.views.outcomes import joined, per_useful

PUBLISHED = (
    "operation_number",
    "trace_id",
    "span_id",
    "response_id",
    "verdict",
    "charge_date",
    "span_key",
)
SAID = ("trace_id", "span_id", "operation_id", "signed")
KEY = Key(key_id="k", algorithm="hmac-sha256", secret=b"s" * 32)


@pytest.fixture
def db() -> Iterator[Session]:
    with session(Compute(1, "256MB", "")) as found:
        yield found


def load(db: Session, name: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    types = {"operation_number": pa.int64(), "outcome_number": pa.int64(), "signed": pa.bool_()}
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(one, types.get(name, pa.string()))
              for one, name in zip(values, columns, strict=True)]  # fmt: skip
    db.load(name, pa.table(arrays, names=list(columns)))


def linked(
    db: Session,
    outcome: tuple[str | None, str | None],
    said: list[tuple[str, str, str, bool]],
    verdict: str = "unsigned",
) -> list[int]:
    """Numbers of the operations of an outcome (operation id, trace), of three published calls: two in
    trace t1 (spans a, b), one in t2 (span c)."""
    load(db, "outcomes", ("outcome_number", "operation_id", "trace_id"), [(1, *outcome)])
    calls = [(1, "t1", "a", "resp-1"), (2, "t1", "b", None), (3, "t2", "c", None)]
    rows = [(n, t, s, r, verdict, "2026-10-05", f"{t}:{s}") for n, t, s, r in calls]
    load(db, "published", PUBLISHED, rows)
    load(db, "said", SAID, list(said))
    db.execute(joined._sql("links"))
    return [n for (n,) in db.rows("select operation_number from links order by operation_number")]


def test_a_trace_is_all_of_its_calls(db: Session) -> None:
    assert linked(db, (None, "t1"), []) == [1, 2]


@pytest.mark.parametrize("name", ["resp-1", "t1:a"])
def test_a_response_or_a_span_is_one_call_and_goes_before_the_trace(db: Session, name: str) -> None:
    assert linked(db, (name, "t1"), []) == [1]


def test_an_id_that_nothing_answers_to_leaves_the_trace(db: Session) -> None:
    assert linked(db, ("op-9", "t2"), []) == [3]


def test_the_only_logical_operation_of_a_trace_is_all_of_its_calls(db: Session) -> None:
    assert linked(db, ("op-1", None), [("t1", "root", "op-1", False)]) == [1, 2]


def test_of_a_trace_with_two_logical_operations_each_is_its_own_spans(db: Session) -> None:
    said = [("t1", "a", "op-1", False), ("t1", "b", "op-2", False)]
    assert linked(db, ("op-2", None), said) == [2]


@pytest.mark.parametrize(("verdict", "found"), [("verified", [1, 2]), ("bad_signature", [])])
def test_an_envelope_names_an_operation_only_where_it_holds(
    db: Session, verdict: str, found: list[int]
) -> None:
    assert linked(db, ("op-1", None), [("t1", "root", "op-1", True)], verdict) == found


def test_operation_ids_are_read_from_envelopes_and_broken_ones_say_nothing(db: Session) -> None:
    token = issue(
        Claims(
            tenant_id="acme", originator_id="u", workflow_id="w", operation_id="op-7",
            issuance_id="i", issued_at=1, expires_at=2, audience="a",
        ),
        KEY,
    )  # fmt: skip
    load(db, "spans", ("envelope",), [(token,), (token[:-9],), (None,), ("x",)])
    query = "select distinct envelope from spans"
    assert joined._tokens(db, query, {"op-7"}).to_pylist() == [
        {"envelope": token, "operation_id": "op-7"}
    ]
    assert joined._tokens(db, query, {"op-8"}).num_rows == 0


def test_outcomes_are_summed_by_known_columns_alone(db: Session) -> None:
    with pytest.raises(ValueError, match="summed by kind, tenant_id"):
        per_useful(db, "effective_cost", ["reserved"])


@pytest.mark.parametrize(
    "spelled", [(", ", ": "), (",", ":")], ids=["with spaces", "as issuers do"]
)
@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "escaped"])
def test_an_envelope_is_found_however_its_claims_are_spelled(
    db: Session, spelled: tuple[str, str], escaped: bool
) -> None:
    claims = Claims(
        tenant_id="acme", originator_id="u", workflow_id="w", operation_id="op-1",
        issuance_id="i", issued_at=1, expires_at=2, audience="a",
    )  # fmt: skip
    said = {
        "version": 1,
        "algorithm": "hmac-sha256",
        "signing_key_id": "k",
        **claims.signed_fields(),
    }
    text = json.dumps(said, separators=spelled)
    if escaped:
        text = text.replace('"op-1"', '"\\u006fp-1"')
    token = join_token(text.encode(), b"s")
    assert read_token(token).claims.operation_id == "op-1"
    load(db, "landed", ("envelope",), [(token,), (token,), ("attr1.x.y",), ("nothing",), (None,)])
    assert joined._tokens(db, "select * from landed", {"op-1"}).to_pylist() == [
        {"envelope": token, "operation_id": "op-1"}
    ]
    assert joined._tokens(db, "select * from landed", {"op-2"}).num_rows == 0
