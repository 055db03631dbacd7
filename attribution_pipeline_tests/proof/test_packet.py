"""A review packet of the worked day: what is in it, and that it verifies where nothing else is."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from attribution_pipeline.lake.landed import LandedView
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.orchestration.packet import write_packet
from attribution_pipeline.proof.packet import verify
from attribution_pipeline_tests.orchestration.deployments import DAY
from attribution_pipeline_tests.proof import packets
from attribution_pipeline_tests.proof.replays import History

TENANTS = ("tenant-a", "tenant-b", "tenant-c")

ALONE = """
import importlib.abc, runpy, socket, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"attribution_pipeline", "duckdb", "pyarrow", "deltalake",
                                  "dagster", "pandas", "pydantic", "typer", "yaml"}:
            raise ImportError(name + " is not on an auditor's machine")
sys.meta_path.insert(0, Refuse())
def no_network(*_, **__):
    raise OSError("there is no network")
socket.socket.connect = no_network
sys.path.insert(0, sys.argv[1])
sys.argv = ["verify", *sys.argv[2:]]
runpy.run_module("verify", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def made(recorded_history: History, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packets of every tenant, of state 4 of the worked day, with the keys."""
    folder = tmp_path_factory.mktemp("packets")
    private, _ = packets.keys(folder)
    for tenant in TENANTS:
        write_packet(
            recorded_history.house(), tenant, DAY, DAY, out=folder / f"{tenant}.tar", key=private
        )
    return folder


@pytest.mark.parametrize("tenant", TENANTS)
def test_the_packet_of_each_tenant_verifies_to_the_last_row(made: Path, tenant: str):
    status, said = packets.checked(made / f"{tenant}.tar", made / "issuer.pub.pem")
    assert status == 0, said
    assert said[-1] == "verified"
    assert not any("NOT recomputed" in line for line in said)


@pytest.mark.parametrize("tenant", TENANTS)
def test_its_rows_and_revisions_are_the_ledgers(made: Path, recorded_history: History, tenant: str):
    lake = recorded_history.house().lake
    files = packets.unpacked(made / f"{tenant}.tar")
    for table, name in (("ledger", "rows"), ("ledger_revisions", "revisions")):
        recorded = [
            row for row in lake.read(table, DAY, DAY).to_pylist() if row["tenant_id"] == tenant
        ]
        shown = [json.loads(line) for line in files[f"days/{DAY}/{name}.jsonl.gz"].splitlines()]
        assert len(shown) == len(recorded) > 0
        key = "effective_cost" if name == "rows" else "delta_effective_cost"
        assert sorted((row["attribution_id"], Decimal(row[key])) for row in shown) == sorted(
            (row["attribution_id"], row[key]) for row in recorded
        )


def test_it_verifies_on_a_machine_that_has_only_the_packet_and_the_public_key(
    made: Path, tmp_path: Path
):
    """The verifier's folder, copied; the rest of the project and its libraries are refused."""
    import shutil

    shutil.copytree(Path(verify.__file__).parent, tmp_path / "verify")
    shutil.copy(made / "tenant-a.tar", tmp_path)
    shutil.copy(made / "issuer.pub.pem", tmp_path)
    asked = [sys.executable, "-I", "-c", ALONE, str(tmp_path), "tenant-a.tar"]
    found = subprocess.run(
        [*asked, "--key", "issuer.pub.pem"], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.endswith("verified\n")
    (tmp_path / "tenant-a.tar").write_bytes((tmp_path / "tenant-a.tar").read_bytes()[:-1])
    found = subprocess.run(
        [*asked, "--key", "issuer.pub.pem"], cwd=tmp_path, capture_output=True, text=True
    )
    assert found.returncode == 4


def test_a_plain_tar_program_reads_it(made: Path):
    import tarfile

    with tarfile.open(made / "tenant-a.tar") as opened:
        names = opened.getnames()
        page = opened.extractfile("summary.html")
        assert page is not None
        assert page.read() == packets.unpacked(made / "tenant-a.tar")["summary.html"]
    assert names == list(packets.members(made / "tenant-a.tar"))


def test_the_summary_page_shows_the_total_and_needs_no_network(made: Path):
    files = packets.unpacked(made / "tenant-a.tar")
    page = files["summary.html"].decode()
    (total,) = json.loads(files["packet.json"])["totals"]
    whole, _, digits = total["effective_cost"].partition(".")
    assert f"{whole}.{digits[:2]}<small>{digits[2:]}</small>" in page
    assert "telemetry_gap" in page  # unallocated in the same slices
    assert "provisional" in page
    assert "even" in page  # the policy's driver, of version 2
    for outside in ("<script", "http:", "https:", "src=", "@import", "url("):
        assert outside not in page


def test_two_packets_of_one_tenant_call_others_by_other_ids(
    made: Path, recorded_history: History, tmp_path: Path
):
    private, _ = packets.keys(tmp_path)
    again = tmp_path / "again.tar"
    write_packet(recorded_history.house(), "tenant-a", DAY, DAY, out=again, key=private)

    def ids(packet: Path) -> set[str]:
        lines = packets.unpacked(packet)[f"days/{DAY}/charges.jsonl.gz"].splitlines()
        return {one["id"] for line in lines for one in json.loads(line)["others"]}

    assert len(ids(again)) == len(ids(made / "tenant-a.tar")) > 0
    assert not ids(again) & ids(made / "tenant-a.tar")


def test_older_states_make_packets_too(recorded_history: History, tmp_path: Path):
    """On time; after late spans; after a restated bill."""
    private, public = packets.keys(tmp_path)
    house = recorded_history.house()
    for state in house.lake.states(DAY)[:3]:
        out = tmp_path / f"{state.state}.tar"
        write_packet(house, "tenant-a", DAY, DAY, out=out, key=private, as_of=state.published_at)
        status, said = packets.checked(out, public)
        assert status == 0, said
        files = packets.unpacked(out)
        assert json.loads(files["packet.json"])["days"][0]["state"] == state.state
        assert bool(files[f"days/{DAY}/revisions.jsonl.gz"]) is (state.state > 1)


def test_rows_of_held_periods_are_told_as_not_recomputed(recorded_hold: History, tmp_path: Path):
    private, public = packets.keys(tmp_path)
    out = tmp_path / "held.tar"
    write_packet(recorded_hold.house(), "tenant-a", DAY, DAY, out=out, key=private)
    status, said = packets.checked(out, public)
    assert status == 0, said
    assert any(line.startswith("NOT recomputed") and "holds" in line for line in said), said
    assert any(line.startswith("recomputed") and "rows" in line for line in said), said


def test_a_tenant_without_a_row_has_no_packet(recorded_history: History, tmp_path: Path):
    private, _ = packets.keys(tmp_path)
    with pytest.raises(Refusal, match="no row of tenant nobody"):
        write_packet(
            recorded_history.house(), "nobody", DAY, DAY, out=tmp_path / "x.tar", key=private
        )
    assert not (tmp_path / "x.tar").exists()


# -- what it is made from --------------------------------------------------------------------------


def _kinds_of_input(history: History) -> dict[str, dict[str, str]]:
    house = history.house()
    manifest = house.lake.manifest(DAY)
    landed: LandedView = house.landed
    return {
        "landed": {"path": landed.files("spans")[0].path},
        "policy": manifest["policy"]["file"],
        "manifest": house.lake.head(DAY).manifest_file.as_dict(),  # type: ignore[union-attr]
        **{f"table {name}": found[0] for name, found in manifest["files"].items() if found},
        **{f"plane {name}": next(iter(plane["files"].values()))[0]
           for name, plane in manifest["inputs"].items()},
    }  # fmt: skip


def test_a_flipped_bit_in_any_input_is_refused_by_the_files_name(history: History, tmp_path: Path):
    private, _ = packets.keys(tmp_path)
    kinds = _kinds_of_input(history)
    assert len(kinds) >= 10
    for kind, entry in kinds.items():
        path = history.house().lake.storage / entry["path"]
        before = path.read_bytes()
        history.damage(entry)
        with pytest.raises(Refusal) as refused:
            write_packet(history.house(), "tenant-a", DAY, DAY, out=tmp_path / "x.tar", key=private)
        assert path.name in refused.value.line(), kind
        assert not list(tmp_path.glob("*.tar")), kind
        path.write_bytes(before)


def test_a_day_that_does_not_come_out_as_recorded_makes_no_packet(history: History, tmp_path: Path):
    """A row that an engine with a defect recorded, every digest right."""
    import pyarrow as pa

    private, _ = packets.keys(tmp_path)

    def one_more(rows: pa.Table) -> pa.Table:
        values = rows["billed_cost"].to_pylist()
        values[0] += Decimal("0.01")
        at = rows.schema.get_field_index("billed_cost")
        return rows.set_column(
            at, rows.schema.field(at), pa.array(values, rows.schema.field(at).type)
        )

    history.record_otherwise({"ledger": one_more})
    with pytest.raises(Refusal, match="does not come out as it was recorded"):
        write_packet(history.house(), "tenant-a", DAY, DAY, out=tmp_path / "x.tar", key=private)
