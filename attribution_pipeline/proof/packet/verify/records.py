"""What a packet's files say of one day, as they were written.

Belongs here: opening a day's files, and looking things up in them. Does not: any check.

Every amount is text with twelve digits, every weight an integer as text. A key that is missing from
a record is null. ``charges`` have ``parts``: lines that one rule takes and that carry the same
tags, which is what is divided; ``part`` numbers them within a day.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

from .archive import Archive
from .failure import RECOMPUTATION, Failed
from .statement import read_file

Record = Mapping[str, Any]

WHO = (
    "tenant_id", "consumer_id", "principal_id", "project", "workflow_id", "task", "feature",
    "agent", "prompt_version", "environment",
)  # fmt: skip
"""Who caused a cost: a row is split by each of these."""

COSTS = ("billed_cost", "effective_cost")

Who = tuple[str | None, ...]
Amounts = tuple[int, int]
"""Billed and effective cost, in quanta."""


def who_of(record: Record) -> Who:
    """The who-columns of a record."""
    return tuple(record.get(column) for column in WHO)


class Packet:
    """The files of a packet whose digests have been checked."""

    def __init__(self, archive: Archive, statement: dict[str, Any]) -> None:
        self.archive = archive
        self.statement = statement
        self.tenant: str = statement["tenant"]

    @property
    def names(self) -> list[str]:
        """Every file of the statement, sorted."""
        return sorted(entry["name"] for entry in self.statement["files"])

    def text(self, name: str) -> bytes:
        """A file's content, unpacked."""
        return read_file(self.archive, self.statement, name)

    def document(self, name: str) -> Any:
        """A JSON file; numbers with a point are decimals."""
        return json.loads(self.text(name), parse_float=Decimal)

    def lines(self, name: str) -> Iterator[Any]:
        """The records of a JSON lines file."""
        for line in self.text(name).splitlines():
            yield json.loads(line)

    @cached_property
    def days(self) -> list[Day]:
        """The days of the packet, oldest first."""
        return [Day(self, day) for day in self.statement["days"]]

    @cached_property
    def about(self) -> Any:
        """``packet.json``: tenant, period, totals."""
        return self.document("packet.json")


class Day:
    """One day of a packet."""

    def __init__(self, packet: Packet, day: str) -> None:
        self.packet = packet
        self.day = day
        self.about: Record = packet.document(f"days/{day}/day.json")

    def _lines(self, table: str) -> list[Any]:
        return list(self.packet.lines(f"days/{self.day}/{table}.jsonl.gz"))

    @cached_property
    def policy(self) -> Any:
        """The policy's document."""
        return self.packet.document(self.about["policy"]["document"])

    @cached_property
    def rows(self) -> list[Any]:
        """The tenant's ledger rows."""
        return self._lines("rows")

    @cached_property
    def revisions(self) -> list[Any]:
        """Every change of those rows, oldest first."""
        return self._lines("revisions")

    @cached_property
    def request_costs(self) -> list[Any]:
        """What each operation has of each row."""
        return self._lines("request_costs")

    @cached_property
    def operations(self) -> dict[str, Any]:
        """The tenant's operations by key."""
        return {record["operation_key"]: record for record in self._lines("operations")}

    @cached_property
    def charges(self) -> dict[str, Any]:
        """Charges that the tenant takes part in, by id."""
        return {record["charge_id"]: record for record in self._lines("charges")}

    @cached_property
    def parts(self) -> dict[int, Any]:
        """Parts of those charges by number, each with its ``charge``."""
        return {
            part["part"]: {**part, "charge": charge}
            for charge in self.charges.values()
            for part in charge["parts"]
        }

    @cached_property
    def lines_of_part(self) -> dict[int, list[Any]]:
        """The bill's lines by part."""
        found = defaultdict(list)
        for line in self._lines("lines"):
            found[line["part"]].append(line)
        return found

    @cached_property
    def divisions(self) -> list[Any]:
        """How those charges were divided."""
        return self._lines("divisions")

    @cached_property
    def usage(self) -> list[Any]:
        """The tenant's rows of usage reports."""
        return self._lines("usage")

    def operation(self, key: str) -> Record:
        """One operation of the tenant."""
        found: Record | None = self.operations.get(key)
        if found is None:
            raise Failed(RECOMPUTATION, f"{self.day}: operation {key} is not in the packet")
        return found

    def pool(self, name: str) -> Record:
        """A pool of the policy."""
        for found in self.policy.get("pools", ()):
            if found["name"] == name:
                return dict(found)
        raise Failed(RECOMPUTATION, f"{self.day}: the policy has no pool {name}")
