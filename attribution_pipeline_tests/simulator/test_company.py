"""What the company writes is complete, the same every time, and its truth sums to its bill."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.policy import load_policy
from attribution_pipeline.simulator import Report, write_company
from attribution_pipeline.simulator.cluster import build
from attribution_pipeline.simulator.faults import TWELVE
from attribution_pipeline.simulator.traffic import DAY_MS, IDENTITY_LOST_SHARE, draw
from attribution_pipeline_tests.simulator import reading
from attribution_pipeline_tests.simulator.conftest import DAYS, SPANS_PER_DAY

Company = tuple[Path, Report]


def test_same_arguments_give_the_same_bytes_and_another_seed_gives_others(
    company: Company, tmp_path: Path
) -> None:
    first = reading.digest(company[0])
    write_company(tmp_path / "again", days=DAYS, spans_per_day=SPANS_PER_DAY)
    assert reading.digest(tmp_path / "again") == first
    write_company(tmp_path / "other", days=DAYS, spans_per_day=SPANS_PER_DAY, seed=8)
    other = reading.digest(tmp_path / "other")
    for path in ("truth/costs/2026-10-05.parquet", "bill-openai/openai-2026-10.csv"):
        assert other[path] != first[path]


@pytest.mark.parametrize("cost", ["BilledCost", "EffectiveCost"])
def test_truth_sums_to_every_charge_of_the_bill_exactly(company: Company, cost: str) -> None:
    billed: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for row in reading.bill(company[0]):
        amount = row[cost]
        if row["ChargeFrequency"] == reading.MONTHLY and row["ServiceName"] == "Langfuse Cloud":
            continue  # one line for a month: held against its day's part below
        day = date.fromisoformat(row["ChargePeriodStart"][:10])
        key = (day, row["ServiceName"], row["SubAccountId"], row["ResourceId"], row["RegionId"],
               row["ChargeCategory"], row["ChargeClass"])  # fmt: skip
        billed[key] += amount
    caused: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for row in reading.truth(company[0]):
        key = (row["charge_date"], row["service"], row["sub_account_id"], row["resource_id"],
               row["region"], row["charge_category"], row["charge_class"])  # fmt: skip
        caused[key] += row["billed_cost" if cost == "BilledCost" else "effective_cost"]
    for day in {key[0] for key in caused}:
        caused[day, "Langfuse Cloud", None, "acme-prod", None, "Usage", None] -= 85
    assert {key: amount for key, amount in caused.items() if amount} == {
        key: amount for key, amount in billed.items() if amount
    }


def test_the_monthly_plan_is_one_line_for_the_rest_of_the_month(company: Company) -> None:
    plans = [
        row
        for row in reading.bill(company[0])
        if row["ServiceName"] == "Langfuse Cloud" and row["ChargeFrequency"] == reading.MONTHLY
    ]
    assert [(row["ChargePeriodStart"], row["ChargePeriodEnd"], row["BilledCost"]) for row in plans] == [
        ("2026-10-05T00:00:00Z", "2026-11-01T00:00:00Z", Decimal(27 * 85))
    ]  # fmt: skip


def test_tokens_on_spans_and_tokens_nobody_saw_are_the_billed_tokens(company: Company) -> None:
    units = {"Tokens": 1, "1K": 1000, "1000 Tokens": 1000, "1M Tokens": 1_000_000}
    billed: Counter[str] = Counter()
    for row in reading.bill(company[0]):
        if row.get("ConsumedUnit") in units:
            billed[row["ProviderName"]] += int(row["ConsumedQuantity"] * units[row["ConsumedUnit"]])
    vendor = {
        "aws.bedrock": "AWS",
        "azure.ai.openai": "Microsoft",
        "openai": "OpenAI",
        "anthropic": "Anthropic",
    }
    seen: Counter[str] = Counter()
    unmetered = 0
    for span in reading.spans(company[0]):
        provider = vendor.get(span.attributes.get("gen_ai.provider.name", ""))
        if provider:
            unmetered += "gen_ai.usage.input_tokens" not in span.attributes
            for side in ("input", "output"):
                seen[provider] += int(span.attributes.get(f"gen_ai.usage.{side}_tokens", 0))
    gaps = [row for row in reading.truth(company[0]) if row["expected_reason"] == "telemetry_gap"]
    assert unmetered > 0
    assert all(seen[name] <= billed[name] for name in billed)
    short = {name for name in billed if seen[name] < billed[name]}
    assert short == {row["provider"] for row in gaps}
    assert sum(billed.values()) - sum(seen.values()) < sum(billed.values()) // 50


def test_every_span_is_there_once_with_ids_of_its_own(company: Company) -> None:
    ids = Counter(span.id for span in reading.spans(company[0]))
    assert len(ids) == DAYS * SPANS_PER_DAY == company[1].spans
    assert set(ids.values()) == {1}


def test_about_two_in_five_spans_are_calls_of_several_emitters(company: Company) -> None:
    calls = [
        span
        for span in reading.spans(company[0])
        if span.span["kind"] == 3 and "gen_ai.request.model" in span.attributes
    ]
    assert len(calls) == company[1].calls
    assert len({span.scope for span in calls}) >= 5
    assert any(
        "anthropic.usage.cache_creation.ephemeral_1h_input_tokens" in s.attributes for s in calls
    )
    assert any("gen_ai.usage.cache_creation.input_tokens" in s.attributes for s in calls)
    nameless = [
        s for s in calls
        if not {"attribution.tenant_id", "attribution.tenant.id", "app.tenant"} & set(s.attributes)
    ]  # fmt: skip
    assert 0 < len(nameless) < 3 * IDENTITY_LOST_SHARE * len(calls)
    assert all(s.span["parentSpanId"] == "" for s in nameless)


def test_client_and_server_spans_of_a_call_sit_in_different_pods(company: Company) -> None:
    clients: dict[tuple[str, str], str] = {}
    servers: dict[tuple[str, str], str] = {}
    for span in reading.spans(company[0]):
        if span.attributes.get("gen_ai.provider.name") == "vllm":
            key = ("vllm", span.attributes["gen_ai.response.id"])
            (servers if span.span["kind"] == 2 else clients)[key] = span.pod
    assert servers
    assert set(servers) == set(clients)
    assert all(servers[key] != clients[key] for key in servers)


def test_at_least_three_in_ten_pods_serve_three_tenants_or_more(company: Company) -> None:
    assert company[1].pods_of_three_tenants >= 0.3 * company[1].pods
    tenants: dict[tuple[str, str], set[str]] = defaultdict(set)
    called_by: dict[str, str] = {}
    for span in reading.spans(company[0]):
        who = span.attributes
        tenant = next(
            (
                who[k]
                for k in ("attribution.tenant_id", "attribution.tenant.id", "app.tenant")
                if k in who
            ),
            None,
        )
        if tenant and "gen_ai.request.model" in who:
            tenants[span.resource["k8s.namespace.name"], span.pod].add(tenant)
            called_by[span.span["spanId"]] = tenant
    for span in reading.spans(company[0]):
        if span.span["kind"] == 2 and span.span["parentSpanId"] in called_by:
            tenants["inference", span.pod].add(called_by[span.span["parentSpanId"]])
    # over both days; job pods have a name a day
    assert sum(len(found) >= 3 for found in tenants.values()) >= 0.3 * company[1].pods


def test_spans_lie_in_the_folder_of_their_upload_not_of_their_end(company: Company) -> None:
    next_day = 0
    for span in reading.spans(company[0]):
        at = dict(part.split("=") for part in span.object.parts if "=" in part)
        folder = datetime(
            *(int(at[part]) for part in ("year", "month", "day", "hour", "minute")), tzinfo=UTC
        )
        ended = datetime.fromtimestamp(span.end_ms / 1000, UTC)
        assert ended < folder + timedelta(minutes=1)
        next_day += folder.date() > ended.date()
    assert next_day, "spans of the last minutes of a day lie in the next day's folder"


def test_some_calls_run_past_midnight_and_none_past_the_last() -> None:
    clusters = build(np.random.Generator(np.random.PCG64(1)), 1)
    for last_day in (False, True):
        chunk = draw(
            np.random.Generator(np.random.PCG64(2)), clusters, day_start_ms=0, spans=200_000,
            part=(0, 1), last_day=last_day,
        )  # fmt: skip
        assert chunk.call_start.min() >= 0
        crossing = (chunk.call_start < DAY_MS) & (chunk.call_end >= DAY_MS)
        assert bool(crossing.any()) is not last_day
        assert chunk.root_end.max() < DAY_MS or not last_day


def test_the_bill_has_every_kind_of_charge(company: Company) -> None:
    rows = list(reading.bill(company[0]))
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Purchase", "Tax", "Credit"}
    corrections = [row for row in rows if row["ChargeClass"] == "Correction"]
    assert [(r["BillingPeriodStart"], r["ChargePeriodStart"]) for r in corrections] == [
        ("2026-11-01T00:00:00Z", "2026-10-05T00:00:00Z")
    ]
    assert corrections[0]["BilledCost"] < 0
    used = [r for r in rows if r.get("CommitmentDiscountStatus") == "Used"]
    unused = [r for r in rows if r.get("CommitmentDiscountStatus") == "Unused"]
    fees = [r for r in rows if r["ChargeCategory"] == "Purchase"]
    assert used
    assert all(r["BilledCost"] == 0 < r["EffectiveCost"] for r in used + unused)
    assert all(r["EffectiveCost"] == 0 < r["BilledCost"] for r in fees)
    # FOCUS: what a commitment costs is what its use and non-use cost
    assert sum(r["EffectiveCost"] for r in used + unused) == sum(r["BilledCost"] for r in fees)
    nodes = [r for r in rows if r["ServiceName"] == "Amazon Elastic Compute Cloud"]
    assert all(dict(r["Tags"]).get("eks-cluster") for r in nodes)


def test_the_policy_and_the_deployment_are_accepted_by_the_product(company: Company) -> None:
    from attribution_pipeline.config import load_deployment

    policy, _ = load_policy(company[0] / "policies" / "policy-1.yaml")
    deployment = load_deployment(company[0] / "attribution.yaml")
    assert str(deployment.first_day) == company[1].first_day
    for row in reading.bill(company[0]):
        if row["ServiceCategory"] == "AI and Machine Learning" and row["ChargeCategory"] == "Usage":
            found = policy.meter_of(row, {})
            assert found is not None, row["SkuMeter"]
            assert found[1].model_of(row, {}) in row["SkuMeter"]


MEMORY_PROBE = """
import resource, sys
from pathlib import Path
from attribution_pipeline.simulator import write_company
write_company(Path(sys.argv[1]), days=1, spans_per_day=int(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_size_of_a_day(tmp_path: Path) -> None:
    peaks = []
    for spans in (50_000, 150_000):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY_PROBE, str(tmp_path / str(spans)), str(spans)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(done.stdout))
    assert peaks[1] < peaks[0] + 50_000, f"peak RSS in kB: {peaks}"


def test_what_cannot_be_asked_for_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for arguments, word in (
        ({"days": 0}, "days"),
        ({"spans_per_day": 0}, "spans-per-day"),
        ({"seed": -1}, "seed"),
        ({"faults": ["lost_span"]}, "lost_spans"),
    ):
        with pytest.raises(Refusal, match=word):
            write_company(tmp_path / "no", **arguments)  # type: ignore[arg-type]
        assert not (tmp_path / "no").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with pytest.raises(Refusal, match="not empty"):
        write_company(tmp_path / "mine")


def test_a_company_of_a_few_spans_and_one_over_a_new_year_are_whole(tmp_path: Path) -> None:
    assert write_company(tmp_path / "tiny", days=1, spans_per_day=3).spans == 3
    write_company(tmp_path / "year", days=3, spans_per_day=300, first_day=date(2026, 12, 30))
    periods = {row["BillingPeriodStart"] for row in reading.bill(tmp_path / "year")}
    assert periods >= {"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"}
    assert len(TWELVE) == 12
