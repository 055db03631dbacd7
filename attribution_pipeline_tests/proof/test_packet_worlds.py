"""The verifier against the engine: two implementations of every division, on random worlds.

``PACKET_WORLDS``: how many worlds (default 2).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from attribution_pipeline.proof.packet.sealing import load_signer, seal
from attribution_pipeline_tests.proof import packets
from attribution_pipeline_tests.proof.packet_worlds import contents_of, recorded_world
from attribution_pipeline_tests.worlds import world

WORLDS = int(os.environ.get("PACKET_WORLDS", "2"))


@pytest.mark.parametrize("seed", range(3, 3 + WORLDS))
def test_every_tenant_of_a_random_world_gets_a_packet_that_verifies(seed: int, tmp_path: Path):
    there = world(seed)
    private, public = packets.keys(tmp_path)
    lake, state = recorded_world(there, tmp_path)
    found = lake.read("ledger", there.day, there.day, ["tenant_id"])["tenant_id"].to_pylist()
    tenants = sorted({tenant for tenant in found if tenant})
    assert tenants
    for number, tenant in enumerate(tenants):
        contents = contents_of(lake, state, tenant)
        packet = tmp_path / f"{number}.tar"
        seal(packet, contents.said, contents.files, load_signer(private))
        status, said = packets.checked(packet, public)
        assert status == 0, f"world {seed}, {tenant}: {said}"
