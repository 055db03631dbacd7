"""Packets of a simulated company's days: every feature at once, at a size that is no toy."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from attribution_pipeline.config import load_deployment
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.packet import write_packet
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.simulator import write_company
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.proof import packets

SPANS_PER_DAY = 2_000
TENANTS = 3


@pytest.mark.heavy
def test_packets_of_two_simulated_days_verify_and_name_nobody_else(tmp_path: Path):
    company = tmp_path / "company"
    report = write_company(company, days=2, spans_per_day=SPANS_PER_DAY, seed=11)
    house = House(load_deployment(company / "attribution.yaml"))
    land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
    first, last = (date.fromisoformat(str(day)) for day in (report.first_day, report.last_day))
    for day in (first, last):
        record_day(house, day)
    private, public = packets.keys(tmp_path)
    rows = house.lake.read("ledger", first, last, ["tenant_id"])
    tenants = sorted({one for one in rows["tenant_id"].to_pylist() if one})
    names = {name for name in tenants if len(name) > TENANTS}
    for tenant in tenants[:TENANTS]:
        out = tmp_path / f"{tenant}.tar"
        write_packet(house, tenant, first, last, out=out, key=private)
        status, said = packets.checked(out, public)
        assert status == 0, said
        everything = b"".join(packets.unpacked(out).values()).lower()
        seen = {
            name
            for name in names - {tenant}
            if re.search(rb"(?<![a-z0-9])%s(?![a-z0-9])" % re.escape(name.encode()), everything)
        }
        assert not seen, f"{tenant}'s packet names {seen}"
