"""Exports for tests: of random worlds, read back.

Belongs here: making one and reading it. Does not: what is right about it (``oracle``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from attribution_pipeline.attribution.day import Compute
from attribution_pipeline.export.focus import Wanted, export
from attribution_pipeline.export.origins import Source
from attribution_pipeline.export.stage import Tally
from attribution_pipeline.lake import Lake, Published
from attribution_pipeline_tests.worlds import World, world

METERED = ("Amazon Bedrock", "OpenAI", "OpenAI API")
"""Services whose quantities meters read: left as they are."""


def compute(_: Path) -> Compute:
    """One thread, little memory."""
    return Compute(threads=1, memory_limit="1GB")


def priced_world(seed: int) -> World:
    """A random world whose bill has prices, quantities and metrics of every kind and shape."""
    found = world(seed)
    dice = random.Random(f"prices of {seed}")
    lines = [_priced(dict(line), dice) for line in found.evidence.billing]
    return replace(found, evidence=replace(found.evidence, billing=lines))


def _priced(line: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    if line["ServiceName"] not in METERED and dice.random() < 0.8:
        quantity = dice.choice(
            ("24", "1", "0.000000001", "-2", "7.123456789012", "1E+3", "0", "744.5")
        )
        line |= {"PricingQuantity": quantity, "PricingUnit": "Hours"}
        if dice.random() < 0.5:
            line |= {"ConsumedQuantity": quantity, "ConsumedUnit": dice.choice(("Hours", None))}
    if line["PricingQuantity"] is not None and dice.random() < 0.7:
        price = dice.choice(("12.31", "0.0000025", "3", "0", "1.000000000000001", "9E-7"))
        for cost, unit in (
            ("ListCost", "ListUnitPrice"),
            ("ContractedCost", "ContractedUnitPrice"),
        ):
            line[unit] = price
            off = dice.choice((0, 0, 0, 1))  # rounded by its vendor, now and then
            line[cost] = f"{_product(price, line['PricingQuantity']) + off}"
    elif dice.random() < 0.5:
        line["ContractedCost"] = dice.choice(("1.5", "-0.1", "0"))
    if dice.random() < 0.2:
        line["CommitmentDiscountQuantity"] = dice.choice(("1", "0.3", "-5"))
    if dice.random() < 0.2:
        line["PricingCurrencyEffectiveCost"] = dice.choice(("10", "0.00000000000001", "-3.3"))
    return line


def _product(price: str, quantity: str) -> Any:
    from decimal import Context, Decimal

    return Context(prec=200).multiply(Decimal(price), Decimal(quantity))


def exported(
    lake: Lake, states: list[Published], folder: Path, wanted: Wanted | None = None
) -> tuple[Path, Tally]:
    """An export of recorded worlds."""
    bills = [str(path) for path in sorted((folder / "landed").glob("billing-*.parquet"))]
    out = folder / "out"
    _, tally = export(
        Source(lake, lambda _: bills), states, wanted or Wanted(), out, compute, asked={}
    )
    return out, tally


def rows_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of one version, as its Parquet files have them."""
    for path in sorted(folder.glob("*.parquet")):
        yield from pq.ParquetFile(path).read().to_pylist()
