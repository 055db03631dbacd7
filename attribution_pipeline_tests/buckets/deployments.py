"""Deployments whose lake, and whose sources where wanted, lie in a bucket.

Belongs here: moving what a folder has into a bucket. Does not: what is done with it.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from attribution_pipeline_tests.buckets.paths import BucketPath, copied


def moved_to(place: BucketPath, folder: Path, *, sources: bool = True) -> Path:
    """The deployment in ``folder`` with its lake in a bucket; with its sources, too. Its file."""
    file = folder / "attribution.yaml"
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    said["storage"] = str(place / "lake")
    said["scratch"] = place.scratch
    said["s3"] = {"endpoint": place.access.endpoint, "region": "us-east-1", "allow_http": True}
    for kind, entries in said["sources"].items():
        for entry in entries if sources else ():
            here = folder / entry["uri"]
            there = place / f"sources/{kind}/{entry['name']}"
            assert isinstance(there, BucketPath)
            if here.is_dir():
                copied(here, there)
            entry["uri"] = str(there)
    file.write_text(yaml.safe_dump(said), encoding="utf-8")
    return file
