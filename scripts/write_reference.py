"""Write the reference pages of the docs from the code: tables, checks, a policy as its runbook, files.

Belongs here: the pages' shape (of files that people write: ``file_pages``). Does not: what they say,
which stands beside the code that it is about (``model.columns``, checks' docstrings, ``checks.runbook``,
``model.policy_text``, the fields of models). A test fails where a committed page is not what this writes.

    python scripts/write_reference.py [FOLDER]     # default: docs/reference
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKED_DAY = ROOT / "attribution_pipeline_tests" / "worked_day"
FIRST_DAY = date(2026, 10, 5)
"""Of the made-up company: any day would do."""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def pages() -> Mapping[str, str]:
    """File name -> Markdown."""
    from file_pages import deployment_file, policy_file

    return {
        "tables.md": tables(),
        "checks.md": checks(),
        "policy.md": policy(),
        "policy-file.md": policy_file(),
        "deployment-file.md": deployment_file(),
    }


def tables() -> str:
    """Every published table and column."""
    from attribution_pipeline.lake.shapes import ROW_ORDER, schema_of
    from attribution_pipeline.model.columns import TABLES
    from attribution_pipeline.model.daily import SCHEMAS
    from attribution_pipeline.model.daily_columns import TABLES as ROLLUPS

    parts = [
        "# Tables and columns",
        "Delta tables under `storage`, partitioned by `charge_date`. Read them with `attribution "
        "ledger`, or with DuckDB, Polars, Spark, Trino or Athena as they stand. Amounts are exact "
        "decimals of 1e-12; times are UTC.",
    ]
    for table, (grain, meanings) in TABLES.items():
        schema = schema_of(table)
        rows = [
            (f"`{field.name}`", f"`{_type(field.type)}`", meanings[field.name]) for field in schema
        ]
        order = ", ".join(f"`{name}`" for name in ROW_ORDER.get(table, ()))
        parts += [
            f"## `{table}`",
            grain + (f" Sorted by {order}." if order else ""),
            _table(("column", "type", "meaning"), rows),
        ]
    parts += [
        "## Daily roll-ups",
        "Small tables of every recorded day, made after it: what `attribution spend` and the dashboard "
        "read. A roll-up is of one state of its day and names it; one that lags behind is computed anew "
        "where it is read. Its grain is `charge_date` and the columns before its first sum.",
    ]
    for table, (grain, meanings) in ROLLUPS.items():
        rows = [
            (f"`{field.name}`", f"`{_type(field.type)}`", meanings[field.name])
            for field in SCHEMAS[table]
        ]
        parts += [f"### `{table}`", grain, _table(("column", "type", "meaning"), rows)]
    return "\n\n".join(parts) + "\n"


def checks() -> str:
    """Every asset check: what it asks, where its threshold stands, what to do."""
    from attribution_pipeline.definitions import build_defs
    from attribution_pipeline.orchestration.checks.runbook import REMEDIES
    from attribution_pipeline.proof.score.thresholds import of_check

    graph = build_defs(WORKED_DAY / "attribution.yaml").get_repository_def().asset_graph
    specs = sorted(
        (graph.get_check_spec(key) for key in graph.asset_check_keys),
        key=lambda spec: (not spec.blocking, spec.key.asset_key.to_user_string(), spec.name),
    )
    parts = [
        "# Checks, and what to do",
        "A **blocking** check that fails says that the day is wrong, and stops what is downstream. An "
        "**alerting** one says that the day is exact and could say more. Each shows its numbers as "
        "metadata; its threshold is a field of the policy.",
    ]
    for spec in specs:
        fields = " and ".join(f"`{found.field}`" for found in of_check(spec.name))
        parts += [
            f"## `{spec.name}`",
            f"{'Blocking' if spec.blocking else 'Alerting'}, on "
            f"`{spec.key.asset_key.to_user_string()}`."
            + (f" Threshold: {fields}." if fields else ""),
            (spec.description or "").replace("``", "`"),
            f"**What to do.** {REMEDIES[spec.name]}",
        ]
    return "\n\n".join(parts) + "\n"


def policy() -> str:
    """The made-up company's policy, as it renders itself."""
    from attribution_pipeline.model.policy import parse_policy
    from attribution_pipeline.model.policy_text import render
    from attribution_pipeline.simulator.deployment import policy_text

    return (
        "# A policy as its runbook\n\n"
        "Every policy renders itself in words, in Dagster's UI (asset `policy_versions`) and here: "
        "the one of `make demo`. How one is written: [The policy file](policy-file.md).\n\n"
        + _one_level_down(render(parse_policy(policy_text(FIRST_DAY))))
    )


def _one_level_down(markdown: str) -> str:
    return "\n".join(
        f"#{line}" if line.startswith("#") else line for line in markdown.splitlines()
    ) + "\n"  # fmt: skip


def _type(arrow: object) -> str:
    return str(arrow).replace("[day]", "").replace("[us, tz=UTC]", "")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
