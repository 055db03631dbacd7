"""A packet of one tenant says nothing of another: the canary test, and what replaces names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from attribution_pipeline.orchestration.packet import write_packet
from attribution_pipeline.proof.packet.hiding import Hider, Number
from attribution_pipeline_tests.attribution.at_rest import key_of
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY, rewrite
from attribution_pipeline_tests.proof import packets
from attribution_pipeline_tests.proof.replays import History

CANARY, FLOW = "tenant-zzcanary", "zzcanaryflow"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> History:
    """The worked day, one tenant under a name that stands nowhere else: in spans, labels, reports,
    tags, resource names and all over the policy."""
    folder = shutil.copytree(WORKED_DAY, tmp_path_factory.mktemp("canary") / "day")
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "expected_ledger.csv":
            text = path.read_text(encoding="utf-8").replace("tenant-b", CANARY)
            path.write_text(text.replace('"agent"', f'"{FLOW}"').replace(",agent,", f",{FLOW},"))
    policy = folder / "policies" / "policy-1.yaml"
    rewrite(
        policy,
        "pools:\n",
        f"owners: [{{tenant: {CANARY}, workflow: {FLOW}, team: zzcanaryteam}},\n"
        "         {tenant: tenant-a, team: growth}]\n"
        "pools:\n"
        "  - name: zones\n"
        '    match: {ServiceName: "Amazon Route 53"}\n'
        "    driver: fixed\n"
        f"    fixed: {{tenant-a: 62.5, {CANARY}: 37.5}}\n",
    )
    rewrite(policy, "  tenant_tag: tenant\n",
            f"  tenant_tag: tenant\n  tenant_aliases: {{ZZCanary-Inc: {CANARY}}}\n")  # fmt: skip
    history = History(folder)
    history.billed(0, Tags=json.dumps({"paid-for": f"ZZCanary-Inc and {CANARY.upper()}"}))
    history.record()
    return history


@pytest.fixture(scope="module")
def made(company: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packets of both."""
    folder = tmp_path_factory.mktemp("packets")
    private, public = packets.keys(folder)
    for tenant in ("tenant-a", CANARY):
        out = folder / f"{tenant}.tar"
        write_packet(company.house(), tenant, DAY, DAY, out=out, key=private)
        status, said = packets.checked(out, public)
        assert status == 0, said
    return folder


def _ids(company: History, *, of: str, not_of: str) -> set[str]:
    """Ids of spans, traces, responses and rows that one tenant has and the other has not."""
    lake = company.house().lake
    named: dict[str, set[str]] = {of: set(), not_of: set()}
    for row in lake.read("operations", DAY, DAY).to_pylist():
        if row["tenant_id"] in named:
            ids = (row["trace_id"], row["span_id"], row["response_id"], key_of(row))
            named[row["tenant_id"]] |= {*filter(None, ids), *(row["merged"] or "").split()}
    for row in lake.read("ledger", DAY, DAY).to_pylist():
        if row["tenant_id"] in named:
            named[row["tenant_id"]].add(row["attribution_id"])
    return named[of] - named[not_of]


def test_no_name_and_no_id_of_another_tenant_is_in_the_packets_bytes(company: History, made: Path):
    files = packets.unpacked(made / "tenant-a.tar")
    ids = _ids(company, of=CANARY, not_of="tenant-a")
    assert len(ids) > 10
    whole = (made / "tenant-a.tar").read_bytes().lower()
    for canary in ("zzcanary", *ids):
        assert canary.encode().lower() not in whole
        for name, content in files.items():
            assert canary.encode().lower() not in content.lower(), f"{canary} in {name}"


def test_the_canary_is_seen_where_it_belongs(company: History, made: Path):
    """The instrument: in its own packet the same search finds everything."""
    everything = b"".join(packets.unpacked(made / f"{CANARY}.tar").values()).decode()
    for canary in (CANARY, FLOW, *_ids(company, of=CANARY, not_of="tenant-a")):
        # operation keys hold a control character, which JSON escapes
        assert json.dumps(canary)[1:-1] in everything, canary
    for other in ("tenant-a", *_ids(company, of="tenant-a", not_of=CANARY)):
        assert json.dumps(other)[1:-1] not in everything, other


def test_the_policy_that_names_others_is_shown_without_their_names_and_says_so(made: Path):
    files = packets.unpacked(made / "tenant-a.tar")
    day = json.loads(files[f"days/{DAY}/day.json"])
    assert day["policy"]["hidden"]
    policy = json.loads(files[day["policy"]["document"]])
    assert policy["owners"] == [{"tenant": "tenant-a", "team": "growth"}]
    (zones,) = (pool for pool in policy["pools"] if pool["name"] == "zones")
    assert sorted(zones["fixed"].values()) == [37.5, 62.5]
    _, said = packets.checked(made / "tenant-a.tar", made / "issuer.pub.pem")
    (line,) = (line for line in said if line.startswith("documents"))
    assert "1 hide names" in line


def test_a_name_is_replaced_as_a_word_in_any_case_and_nowhere_else():
    hider = Hider("acme", salt=b"s" * 32)
    hider.learn({"bolt", "cost"}, {"nightly-run"}, {"acme"})
    assert "bolt" not in hider.text("ns-Bolt-1/BOLT").lower()
    assert hider.text("thunderbolts of acme") == "thunderbolts of acme"
    assert hider.text("nightly-run") == "nightly-run"
    assert "nightly" not in hider.free_text("the nightly-run of bolt")
    assert hider.text("cost") == "cost", "a word of the ledger means itself"
    assert hider.clean({"fixed": {"bolt": Number("1.50")}, "driver": "cost"}) == {
        "fixed": {hider.text("bolt"): "1.50"}, "driver": "cost",
    }  # fmt: skip


def test_what_both_use_is_shown():
    hider = Hider("acme", salt=b"s" * 32)
    hider.learn({"bolt"}, {"search"}, {"acme", "search"})
    assert hider.free_text("search of bolt").startswith("search of other-")


@pytest.mark.parametrize("name", ["600", "cost", "USD"])
def test_a_tenant_may_be_called_like_a_figure_or_a_word_of_the_ledger(tmp_path: Path, name: str):
    """What is replaced is never a figure or a word that a recomputation reads."""
    folder = shutil.copytree(WORKED_DAY, tmp_path / "day")
    for path in (folder / "spans" / "traces.jsonl", folder / "usage" / "usage.csv"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"tenant-b"', f'"{name}"').replace(",tenant-b,", f",{name},"))
    history = History(folder)
    history.record()
    private, public = packets.keys(tmp_path)
    out = tmp_path / "a.tar"
    write_packet(history.house(), "tenant-a", DAY, DAY, out=out, key=private)
    status, said = packets.checked(out, public)
    assert status == 0, said
