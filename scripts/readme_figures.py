"""The figures on README's first screen, taken from `make demo` itself: `make readme` writes them again.

Belongs here: running the demo in a place of its own, and laying out its two tables. Does not: what else
the README says.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import tempfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
FIRST, LAST = "2026-10-05", "2026-10-07"
"""The demo's days."""
COMPONENTS = ("direct", "workload", "shared", "idle", "overhead")
SHOWN = 3
"""Tenants of the second table, dearest first."""


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "demo"
        _run("./scripts/demo.sh", str(folder), "3", "50000")
        os.environ["ATTRIBUTION_CONFIG"] = str(folder / "attribution.yaml")
        days = ("--from", FIRST, "--to", LAST)
        tie_out = _run("attribution", "run", *days).split("\n\n")[-1]
        rows = _run(
            "attribution", "ledger", *days, "--by", "tenant_id,component", "--format", "csv"
        )
    text = README.read_text(encoding="utf-8")
    for name, table in (("tie-out", tie_out), ("tenants", _tenants(rows))):
        text = _with(text, name, table.rstrip("\n"))
    README.write_text(text, encoding="utf-8")


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=README.parent, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _with(text: str, name: str, table: str) -> str:
    """The block between two comments replaced. Raises SystemExit where they are not there."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise SystemExit(f"README.md has no block {name}")
    return f"{before}{begin}```\n{table}\n```{end}{after}"


def _tenants(rows: str) -> str:
    """Effective cost of the dearest tenants by component; how many others, and what is nobody's."""
    costs: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in csv.DictReader(io.StringIO(rows)):
        costs[row["tenant_id"]][row["component"]] += Decimal(row["effective_cost"])
    nobodys = sum(costs.pop("").values())
    dearest = sorted(costs, key=lambda tenant: -sum(costs[tenant].values()))
    lines = [
        f"{'effective_cost USD':18}" + "".join(f"{name:>12}" for name in (*COMPONENTS, "total"))
    ]
    for tenant in dearest[:SHOWN]:
        amounts = [costs[tenant][name] for name in COMPONENTS]
        lines.append(f"{tenant:18}" + "".join(f"{one:12.2f}" for one in (*amounts, sum(amounts))))
    lines.append(
        f"... {len(dearest) - SHOWN} more tenants, and {nobodys:.2f} that nobody can be charged for, by reason"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
