"""Writes the frozen lake of today's versions, once, when one of them goes up:

    python -m attribution_pipeline_tests.upgrade.freeze

Belongs here: what is in it. A file that is there already is never written over: it is what an older
program left, and the only one of its kind.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from attribution_pipeline.config import load_deployment
from attribution_pipeline.lake.formats import READ
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.run import run_days
from attribution_pipeline.sources.landing import land
from attribution_pipeline_tests.cases import WORKED_DAY
from attribution_pipeline_tests.orchestration.deployments import DAY

HERE = Path(__file__).parent

LEFT_OUT = ("completeness", "replays", ".staging", ".locks")
"""What may be lost at any time and is made again; roll-ups (`..._daily`) are left out, too."""


def name_of_today() -> str:
    """The frozen lake's file: the versions of its documents."""
    versions = "-".join(f"{name.replace(' ', '-')}-{max(read)}" for name, read in READ.items())
    return f"{versions}.tar.gz"


def freeze(target: Path) -> None:
    """The worked day, recorded, and recorded again after a restated bill."""
    folder = (
        Path(tempfile.gettempdir()) / "frozen" / "worked_day"
    )  # the index names where files lay
    shutil.copytree(WORKED_DAY, folder)
    try:
        file = folder / "attribution.yaml"
        assert run_days(load_deployment(file), DAY, DAY).failures == []
        bill = folder / "billing" / "focus.csv"
        bill.write_text(bill.read_text().replace(",0.50,", ",0.75,"))
        house = House(load_deployment(file))
        land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
        record_day(House(load_deployment(file)), DAY)
        for path in (folder / "lake").iterdir():
            if path.name in LEFT_OUT or path.name.endswith("_daily"):
                shutil.rmtree(path)
        for path in (folder / "lake" / "seals").glob("*_daily"):
            shutil.rmtree(path)
        with tarfile.open(target, "x:gz") as archive:
            archive.add(folder, "deployment", filter=_of_nobody)
    finally:
        shutil.rmtree(folder.parent)


def _of_nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    freeze(HERE / name_of_today())
