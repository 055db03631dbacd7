"""Models that charges and calls name apart are told with both their names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.attribution.engine import session
from attribution_pipeline.attribution.matching import columns_read
from attribution_pipeline.attribution.unmet_models import Unmet, unmet_models
from attribution_pipeline.model.policy import parse_policy
from attribution_pipeline.views.unmet_models import MOST_NAMED, line

POLICY = parse_policy("""policy: apart
version: 1
effective_from: 2026-01-01
meters:
  - {match: {SkuMeter: "Nova*"}, provider: aws.bedrock, token_kind: input, model: {from: SkuMeter, pattern: "^(?P<model>.+)-in$"}}
  - {match: {SkuMeter: "gpt*"}, provider: openai, token_kind: input, model: {from: SkuMeter, pattern: "^(?P<model>.+)-in$"}}
  - {match: {SkuMeter: "claude*"}, provider: anthropic, token_kind: input, model: {from: SkuMeter, pattern: "^(?P<model>.+)-in$"}}
""")
CALL = {"ends_today": True, "metered": True}


def found(
    folder: Path,
    charges: list[dict[str, Any]],
    calls: list[dict[str, Any]],
    seen: Collection[tuple[str, str]] = (),
) -> list[Unmet]:
    """Of planes with these rows."""
    types = {
        "charges": {
            **dict.fromkeys(columns_read(POLICY), pa.string()), "outside_range": pa.bool_(),
        },
        "operations": {
            "provider": pa.string(), "model": pa.string(), "ends_today": pa.bool_(),
            "metered": pa.bool_(),
        },
    }  # fmt: skip
    files = {}
    for table, rows in (
        ("charges", [{"outside_range": False, **row} for row in charges]),
        ("operations", [{**CALL, **row} for row in calls]),
    ):
        files[table] = [str(folder / f"{table}.parquet")]
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(types[table])), files[table][0])
    with session(Compute(threads=1)) as db:
        return unmet_models(
            db, POLICY, charges=files["charges"], operations=lambda: files["operations"], seen=seen
        )


def test_both_names_are_told_where_bill_and_calls_of_a_provider_differ(tmp_path: Path) -> None:
    charges = [
        {"SkuMeter": "NovaPro-in"},
        {"SkuMeter": "NovaLite-in"},
        {"SkuMeter": "gpt-4o-in"},
        # calls without a charge are another matter where no charge is without calls, and the other way
        {"SkuMeter": "claude-a-in"},
        {"SkuMeter": "NovaOld-in", "outside_range": True},
    ]
    calls = [
        {"provider": "aws.bedrock", "model": "amazon.nova-pro-v1:0"},
        {"provider": "aws.bedrock", "model": "NovaLite"},
        {"provider": "aws.bedrock", "model": "refused", "metered": False},
        {"provider": "aws.bedrock", "model": "yesterday", "ends_today": False},
        {"provider": "openai", "model": "gpt-4o"},
        {"provider": "openai", "model": "gpt-5"},
        {"provider": "vllm", "model": "llama"},
    ]
    unmet = found(tmp_path, charges, calls)
    assert unmet == [Unmet("aws.bedrock", ("NovaPro",), ("amazon.nova-pro-v1:0",))]
    assert line(unmet[0]) == (
        "aws.bedrock: charges of NovaPro meet no call, and calls of amazon.nova-pro-v1:0 meet no charge. "
        "Where the bill only spells a model otherwise, give it a meter of its own with `model: NAME` as "
        "calls name it"
    )


def test_calls_are_asked_only_where_a_model_is_billed_that_none_is_known_of(tmp_path: Path) -> None:
    charges = [{"SkuMeter": "NovaPro-in"}, {"SkuMeter": "gpt-4o-in"}]
    calls = [{"provider": "openai", "model": "gpt-5"}]
    seen = [("aws.bedrock", "NovaPro"), ("openai", "gpt-4o")]
    assert found(tmp_path, charges, calls, seen) == []
    assert found(tmp_path, charges, calls, seen[:1]) == [Unmet("openai", ("gpt-4o",), ("gpt-5",))]


def test_of_many_models_a_few_are_named() -> None:
    said = line(Unmet("p", tuple(f"b{n}" for n in range(MOST_NAMED + 2)), ("\x1b[31mred",)))
    assert "b4 and 2 more meet no call" in said
    assert "\x1b" not in said
