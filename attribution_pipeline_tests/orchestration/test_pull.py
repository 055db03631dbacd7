"""Live sources in a deployment: the file's grammar, the command, the asset, and no key anywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.definitions import build_defs
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.assets.pull import JOB, PULLED
from attribution_pipeline.orchestration.house import House
from attribution_pipeline_tests.sources import api_servers
from attribution_pipeline_tests.sources.api_servers import Asked, Reply, Server, serving
from attribution_pipeline_tests.test_cli import refusal, run

KEY = "sk-ant-admin-canary-51d7"
DAY = "2026-10-05"

POLICY = """\
policy: live
version: 1
effective_from: 2026-10-05
published_by: finops@example.com
decided_in: https://wiki.example.com/decisions/41
settlement: {metric: effective_cost}
meters:
  - match: {ServiceName: "Anthropic API", SkuMeter: "*, uncached_input_tokens"}
    provider: anthropic
    model: {from: SkuMeter, pattern: "^(?P<model>[^,]+),"}
    token_kind: uncached_input
    tokens_per_unit: {Tokens: 1}
"""

SOURCES = """\
storage: ./lake
first_day: 2026-10-05
policies: ./policies
sources:
  billing:
    - {name: claude, uri: ./claude, format: anthropic, account: org-1}
    - {name: aws, uri: ./aws}
  opencost: [{name: prod, cluster: prod, uri: ./opencost}]
  kubernetes: [{name: objects, uri: ./objects}]
"""

COSTS = '{name: costs, api: anthropic, into: claude, endpoint: "URL", key_env: TEST_KEY'


def deployment(folder: Path, *entries: str, url: str = "http://127.0.0.1:1") -> Path:
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "policy-1.yaml").write_text(POLICY)
    for name in ("claude", "aws", "opencost", "objects"):
        (folder / name).mkdir(exist_ok=True)
    path = folder / "attribution.yaml"
    lines = "".join(f"  - {entry}\n" for entry in entries).replace("URL", url)
    path.write_text(f"{SOURCES}pull:\n{lines}")
    return path


@pytest.fixture
def anthropic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TEST_KEY", KEY)
    with serving(api_servers.anthropic) as server:
        yield server


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: a, api: opencost, into: prod}", "`pull[1]`: an opencost has no usual address"),
        (
            "{name: a, api: opencost, into: main, endpoint: http://h}",
            "no source `main` under `opencost`",
        ),
        ("{name: a, api: openai, into: claude, key_env: K}", "is not of format openai"),
        ("{name: a, api: anthropic, into: aws, key_env: K}", "is not of format anthropic"),
        ("{name: a, api: kubernetes, into: objects}", "a snapshot needs its cluster's name"),
        ("{name: a, api: anthropic, into: claude, key: x}", "unknown key `key`"),
        (
            "{name: a, api: anthropic, into: claude, key_env: K, key_file: f}",
            "both say where the key is",
        ),
        ("{name: a, api: anthropic, into: claude, limits: {pages: 0}}", "`pull[1].limits.pages`"),
    ],
)
def test_entry_that_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, entry: str, said: str
) -> None:
    with pytest.raises(Refusal) as no:
        load_deployment(deployment(tmp_path, entry))
    assert said in no.value.line()
    assert no.value.where.startswith(f"{tmp_path}/attribution.yaml:1")


def test_key_that_stands_in_the_file_itself_is_refused_and_not_repeated(tmp_path: Path) -> None:
    entry = f'{{name: a, api: anthropic, into: claude, key_env: "{KEY}"}}'
    with pytest.raises(Refusal) as no:
        load_deployment(deployment(tmp_path, entry))
    assert "does not name an environment variable" in no.value.line()
    assert KEY not in no.value.line()


def test_source_is_filled_by_one_pull_alone(tmp_path: Path) -> None:
    other = COSTS.replace("name: costs", "name: again")
    with pytest.raises(Refusal, match="`costs` fills the source `claude` already"):
        load_deployment(deployment(tmp_path, COSTS + "}", other + "}"))


def test_page_of_a_vendor_needs_an_account_and_an_export_has_its_own(tmp_path: Path) -> None:
    path = deployment(tmp_path)
    text = path.read_text().replace("pull:\n", "")
    path.write_text(text.replace(", account: org-1", ""))
    with pytest.raises(Refusal, match="do not say whose they are"):
        load_deployment(path)
    path.write_text(text.replace("uri: ./aws}", "uri: ./aws, account: x}"))
    with pytest.raises(Refusal, match="says itself whose it is"):
        load_deployment(path)


def test_in_a_cluster_token_and_authority_are_the_pods_own(tmp_path: Path) -> None:
    own = "{name: a, api: kubernetes, into: objects, cluster: prod}"
    (entry,) = load_deployment(deployment(tmp_path, own)).pull
    mounted = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert (entry.address, entry.key_path, entry.authority) == (
        "https://kubernetes.default.svc", f"{mounted}/token", f"{mounted}/ca.crt",
    )  # fmt: skip
    other = own.replace("cluster:", 'endpoint: "https://api.other:6443", cluster:')
    (entry,) = load_deployment(deployment(tmp_path, other)).pull
    assert (entry.key_path, entry.authority) == (None, None)


def test_limits_of_the_file_reach_the_pull(tmp_path: Path) -> None:
    path = deployment(tmp_path, COSTS + ", every: 2h, limits: {pages: 3, answer_bytes: 1000}}")
    (pull,) = House(load_deployment(path)).pulls
    assert (pull.limits.pages, pull.limits.answer_bytes, pull.limits.attempts) == (3, 1000, 5)
    assert pull.every == timedelta(hours=2)


def test_command_pulls_a_bill_that_a_day_then_ties_out_with_its_billed_tokens(
    tmp_path: Path, anthropic: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    config = deployment(tmp_path, COSTS + "}", url=anthropic.url)
    asked = run("pull", "--config", config, "--from", DAY)
    assert asked.exit_code == 0, asked.output
    assert "anthropic costs: 4 kept" in asked.stdout
    made = run("run", "--config", config, "--from", DAY)
    assert made.exit_code == 0, made.output
    lines = [line.split() for line in made.stdout.splitlines()]
    assert ["before", "first", "day", "4.938271200000", "4.938271200000"] in lines
    assert ["unallocated", "1.234567800000", "1.234567800000"] in lines
    rows = json.loads(
        run("ledger", "--config", config, "--by", "service,token_kind,unallocated_reason",
            "--format", "json").stdout
    )  # fmt: skip
    costs = {row["unallocated_reason"]: row["effective_cost"] for row in rows}
    assert costs == {"no_operation_evidence": "1.234567800000", "outside_range": "4.938271200000"}
    house = House(load_deployment(config))
    (head,) = [house.lake.head(day) for day in house.lake.days()]
    assert head is not None
    (slice_,) = house.lake.document(head)["output"]["coverage"]
    assert slice_["billed_tokens"] == 1500, "quantities of the usage report are what was billed"


def test_command_says_what_failed_with_status_1_and_refusals_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    body = f'{{"error": {{"message": "bad key {KEY}"}}}}'.encode()
    with serving(lambda _: Reply(body, status=401)) as server:
        config = deployment(tmp_path, COSTS + "}", url=server.url)
        failed = run("pull", "--config", config)
    assert failed.exit_code == 1
    assert "1 failed (not_allowed)" in failed.stdout
    assert "failed: " in failed.stderr
    assert "answers 401; check the credential" in failed.stderr
    assert KEY not in failed.output
    assert "there is no pull `x`; use one of: costs" in refusal("pull", "x", "--config", config)
    assert "is after --to" in refusal(
        "pull", "--config", config, "--from", DAY, "--to", "2026-10-01"
    )
    monkeypatch.delenv("TEST_KEY")
    assert "set TEST_KEY" in refusal("pull", "--config", config)
    path = deployment(tmp_path)
    path.write_text(path.read_text().replace("pull:\n", ""))
    assert "there is nothing to pull" in refusal("pull", "--config", path)


def test_deployment_without_live_sources_has_no_asset_of_them(deployment_file: Path) -> None:
    defs = build_defs(deployment_file)
    assert dg.AssetKey(PULLED) not in {key for asset in defs.assets or [] for key in asset.keys}  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [200, 401])
def test_asset_asks_and_neither_its_log_nor_its_events_hold_the_key(
    tmp_path: Path, anthropic: Server, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    def answer(asked: Asked) -> Reply:
        return api_servers.anthropic(asked) if status == 200 else Reply(KEY.encode(), status=status)

    with serving(answer) as server:
        config = deployment(tmp_path, COSTS + "}", url=server.url)
        job = build_defs(config).resolve_job_def(JOB)
        with dg.DagsterInstance.ephemeral() as instance, caplog.at_level(logging.DEBUG):
            result = job.execute_in_process(instance=instance, raise_on_error=False)
            events = [repr(record) for record in instance.all_logs(result.run_id)]
            run_record = repr(instance.get_run_by_id(result.run_id))
    assert result.success is (status == 200)
    assert any("pulled_answers" in event for event in events)
    if status == 401:
        assert any("answers 401" in event for event in events)
    assert KEY not in "\n".join([*events, run_record, caplog.text])
    kept = b"".join(file.read_bytes() for file in (tmp_path / "claude").rglob("*.json"))
    assert KEY.encode() not in kept
    assert bool(kept) is (status == 200)


def test_nightly_day_does_not_wait_for_a_vendor(tmp_path: Path) -> None:
    defs = build_defs(deployment(tmp_path, COSTS + "}"))
    assert (
        dg.AssetKey(PULLED) not in defs.resolve_job_def("daily").asset_layer.executable_asset_keys
    )
