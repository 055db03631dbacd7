"""The peers read the company's evidence as it stands, and their books are held to the same truth."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from attribution_pipeline.commands.truth_play import measured
from attribution_pipeline.simulator import write_company
from attribution_pipeline_tests.simulator import reading

PEERS = Path(__file__).parents[2] / "bench" / "peers"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("peers") / "company"
    write_company(directory, days=1, spans_per_day=2000)
    return directory


def run(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_notebook_ties_out_to_the_cents_it_rounds_and_to_nothing_finer(
    company: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    run(PEERS / "by_hand.py", company, tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet")
    found = measured(rows, company, coarse=True)
    assert 0 < found.tie_out < Decimal("0.005") * rows.num_rows
    assert found.wrong_tenant("allocated") > 0
    assert 0 < found.share_on_cause < 1


SPEND_LOGS = """
import json, sys
from pathlib import Path
import unalloc_run
print(json.dumps(unalloc_run._spend_logs(Path(sys.argv[1])) + unalloc_run._allocations(Path(sys.argv[1]))))
"""


def test_spend_logs_for_unalloc_are_the_vendors_tokens_at_list_price(
    company: Path, tmp_path: Path
) -> None:
    text = f"import sys; sys.path.insert(0, {str(PEERS)!r})\n" + SPEND_LOGS
    (tmp_path / "probe.py").write_text(text)
    groups = json.loads(run(tmp_path / "probe.py", company))
    spent = {
        group["group"][1]: sum(Decimal(record["spend"]) for record in group["payload"]["data"])
        for group in groups
        if group["source"] == "litellm"
    }
    assert set(spent) == {"Amazon Bedrock", "Azure OpenAI", "OpenAI API", "Claude API"}
    billed: Decimal = sum(
        (row["billed_cost"] for row in reading.truth(company) if row["service"] == "Claude API"),
        Decimal(0),
    )
    # Anthropic bills list prices; what is missing is what no span counted
    unseen: Decimal = sum(
        (row["billed_cost"] for row in reading.truth(company)
         if row["service"] == "Claude API" and row["expected_reason"] == "telemetry_gap"),
        Decimal(0),
    )  # fmt: skip
    assert spent["Claude API"] == billed - unseen
    nodes = {group["group"][2] for group in groups if group["source"] == "opencost"}
    assert nodes <= {row["resource_id"] for row in reading.truth(company)}
