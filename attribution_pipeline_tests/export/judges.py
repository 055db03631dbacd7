"""The two outside judges, asked as their own users would: what they find, as short names.

Belongs here: running them and reading what they say. Does not: what is accepted (``accepted.yaml``).
Each stands in an environment of its own: ``make build/validators/installed``.
"""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

import pytest

from attribution_pipeline_tests.cases import REPOSITORY

PLACE = REPOSITORY / "build" / "validators"

SUPPORTED = (
    "ACCOUNT_NAMING_SUPPORTED", "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "COMMITMENT_DISCOUNT_SUPPORTED", "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED", "PUBLIC_PRICE_LIST_SUPPORTED", "REGION_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED", "SUB_ACCOUNT_SUPPORTED", "TAGGING_SUPPORTED",
    "UNIT_PRICING_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED",
)  # fmt: skip
"""Applicability criteria of the fuller bill: without them focus-validator skips 441 of 578 rules."""


def installed(name: str) -> Path:
    """Where a judge's programs are; skips visibly where nobody installed it."""
    found = PLACE / name / "bin"
    if not (found / "python").exists():
        pytest.skip(f"{name} is not installed: make build/validators/installed")
    return found


def official(parquet: Path, criteria: Iterable[str], scratch: Path) -> set[str]:
    """Rules of focus-validator's FOCUS 1.2 that fail. It exits 0 either way, so its report is read."""
    programs = installed("focus-validator")
    (packages,) = (programs.parent / "lib").glob("python3*/site-packages")
    report = scratch / "report.xml"
    asked = ["--applicability-criteria", ",".join(criteria)] if criteria else []
    done = subprocess.run(
        [programs / "focus-validator", "--data-file", parquet, "--validate-version", "1.2",
         "--block-download", "--output-type", "unittest", "--output-destination", report, *asked],
        # it looks for currency_codes.csv in the folder that it is started in
        cwd=packages, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert report.is_file(), done.stderr[-2000:]
    root = ElementTree.parse(report).getroot()
    cases = list(root.iter("testcase"))
    assert len(cases) > 500, "it asked next to nothing"
    return {
        case.attrib["name"].split(" ")[0]
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }


def toolkit(csv: Path) -> set[str]:
    """Codes of focus-data-toolkit's FOCUS 1.4 lint and bundle checks that fail."""
    program = installed("focus-data-toolkit") / "focus-toolkit"
    found: set[str] = set()
    for asked in (["validate", "--dataset", "cost-and-usage", csv],
                  ["validate-bundle", "--cost-and-usage", csv]):  # fmt: skip
        done = subprocess.run([program, *asked], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        codes = {
            word
            for line in said.splitlines()
            for word in line.replace("[", " ").replace("]", " ").split()
            if word.startswith(("FDT-", "STRUCTURAL_VALID:", "SEMANTIC_VALID:"))
        }
        assert (done.returncode == 0) == (not codes), said[-2000:]
        found |= codes
    return found
