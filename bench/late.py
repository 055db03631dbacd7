"""Late work costs what is late: a recorded day after 0.1 % more spans, against the day done whole.

Belongs here: the recorded company, what is withheld from it, the two ways. Does not: a day's own cost
(``day``), the company (``generate``), rounds (``rounds``).

Three kinds of lateness, each 0.1 % of the day's spans:

- ``outside``: calls of vendors' models from an application that runs in no cluster. They have tokens
  and no pod: the case in which the policy's rules keep every other row.
- ``exporter``: everything that one pod sent for a while. Its node, and the model servers that it
  called, are divided over one more pod's worth of calls: their rows all move by quanta.
- ``spread``: any span, its twins on time. It touches every pod there is.

Both programs begin at the same storage: the day recorded without the late spans, then these landed.
Each brings the day up to date and commits it (``record_day``), once with the late path and once
without, in a process of its own; they take turns. The ledgers must come out with one digest.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from child import Program
from generate import DAY, company, house_of, land_all

ONE_IN = 1000
"""Late spans: one in so many of all."""

KINDS = ("outside", "exporter", "spread")
SELF_HOSTED = ("vllm", "tei")
EXPORTER_FROM = "T09:00"
"""From when on the pod's spans are withheld: a busy hour."""

Document = dict[str, Any]
Chosen = Callable[[Document, Document], bool]
"""Whether a span of a resource is withheld."""


def prepare(folder: str, kind: str, spans: str) -> dict[str, Any]:
    """The company in ``folder``, its day recorded without the late spans, these landed after."""
    from attribution_pipeline.orchestration.recording import record_day

    place = Path(folder)
    told = company(folder, spans)
    chosen, without_pod = choice(kind, place / "spans", told["spans"] // ONE_IN)
    late = withhold(place / "spans", chosen, without_pod=without_pod)
    house = house_of(place)
    land_all(house)
    record_day(house, DAY)
    objects_of_late = place / "spans" / "late"
    objects_of_late.mkdir()
    for number, document in enumerate(late):
        (objects_of_late / f"late_traces_{number:09d}.json").write_bytes(document)
    return {**told, "late_spans": land_all(house).rows["spans"]}


def choice(kind: str, folder: Path, wanted: int) -> tuple[Chosen, bool]:
    """What is withheld, about ``wanted`` spans; and whether those lose what names their pod."""
    if kind == "exporter":
        pods: dict[str, list[int]] = {}
        for path in objects(folder):
            for resource in read(path)["resourceSpans"]:
                name = attribute(resource["resource"], "k8s.pod.name")
                if attribute(resource["resource"], "service.name") == "assistant-api":
                    pods.setdefault(name, []).extend(map(end_of, spans_of(resource)))
        pod, ends = sorted(pods.items())[0]
        start = _unix_nanos(EXPORTER_FROM)
        last = [end for end in sorted(set(ends)) if end >= start][:wanted][-1]
        return (
            lambda resource, span: (
                attribute(resource["resource"], "k8s.pod.name") == pod
                and start <= end_of(span) <= last
            ),
            False,
        )
    share = ONE_IN if kind == "spread" else 3 * ONE_IN // 10  # three in ten are calls of vendors

    def is_chosen(resource: Document, span: Document) -> bool:
        if int(span["spanId"], 16) % share:
            return False
        provider = attribute(span, "gen_ai.provider.name")
        return kind == "spread" or provider not in ("", *SELF_HOSTED)

    return is_chosen, kind == "outside"


def withhold(folder: Path, chosen: Chosen, *, without_pod: bool) -> list[bytes]:
    """Take the chosen spans out of every object; one document of them for each object that had any."""
    import orjson

    late = []
    for path in objects(folder):
        document, taken = read(path), []
        for resource in document["resourceSpans"]:
            scopes = []
            for scope in resource["scopeSpans"]:
                mine = [span for span in scope["spans"] if chosen(resource, span)]
                if mine:
                    scopes.append({**scope, "spans": mine})
                    scope["spans"] = [span for span in scope["spans"] if span not in mine]
            if scopes:
                taken.append({"resource": _told(resource, without_pod), "scopeSpans": scopes})
        if taken:
            late.append(orjson.dumps({"resourceSpans": taken}))
            write(path, document)
    return late


def _told(resource: Document, without_pod: bool) -> Document:
    said = resource["resource"]["attributes"]
    return {"attributes": [a for a in said if not (without_pod and a["key"].startswith("k8s."))]}


def objects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.json*") if path.is_file())


def read(path: Path) -> Document:
    import gzip

    import orjson

    content = path.read_bytes()
    document: Document = orjson.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return document


def write(path: Path, document: Document) -> None:
    import gzip

    import orjson

    content = orjson.dumps(document)
    path.write_bytes(gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)


def spans_of(resource: Document) -> list[Document]:
    return [span for scope in resource["scopeSpans"] for span in scope["spans"]]


def end_of(span: Document) -> int:
    return int(span["endTimeUnixNano"])


def attribute(holder: Document, key: str) -> str:
    """A string attribute, empty where there is none."""
    for said in holder["attributes"]:
        if said["key"] == key:
            return str(said["value"].get("stringValue", ""))
    return ""


def _unix_nanos(time_of_day: str) -> int:
    from datetime import UTC, datetime

    return (
        int(datetime.fromisoformat(f"{DAY}{time_of_day}").replace(tzinfo=UTC).timestamp()) * 10**9
    )


def late(folder: str) -> Program:
    """The late path."""
    return _record("late", Path(folder))


def whole(folder: str) -> Program:
    """The day computed again as if it were new."""
    return _record("whole", Path(folder))


def _record(program: str, company: Path) -> Program:
    """The day brought up to date in a copy of the storage."""
    import deltalake  # noqa: F401
    import duckdb  # noqa: F401
    import pandas  # noqa: F401 - Arrow imports it at its first array
    import pyarrow.pandas_compat
    import pyarrow.parquet  # noqa: F401

    import attribution_pipeline.envelope
    import attribution_pipeline.lake.landed
    import attribution_pipeline.model.policy  # noqa: F401
    from attribution_pipeline.attribution import late, late_plane
    from attribution_pipeline.orchestration.recording import record_day

    taken: list[bool] = []

    def way(function: Callable[..., Any]) -> Callable[..., Any]:
        def chosen(*given: Any, **named: Any) -> Any:
            found = function(*given, **named) if program == "late" else None
            taken.append(found is not None)
            return found

        return chosen

    late_plane.late_operation_plane = way(late_plane.late_operation_plane)
    late.reconcile_late = way(late.reconcile_late)
    place = company.with_name(f"{company.name}-{program}")
    shutil.rmtree(place, ignore_errors=True)
    # files at rest are never written in place, so names of the same bytes are a copy
    shutil.copytree(company / "lake", place / "lake", copy_function=os.link)
    shutil.copytree(company / "policies", place / "policies")
    for name in ("attribution.yaml", "keys.yaml"):
        shutil.copy(company / name, place)
    house = house_of(place)
    before = house.lake.manifest(DAY)["files"]

    def run() -> dict[str, Any]:
        state = record_day(house, DAY).state
        if state != 2 or taken != [program == "late"] * 2:
            raise SystemExit(f"{program} did not take its way: nothing was measured")
        return {"came_to": lambda: _came_to(place, house.lake.manifest(DAY), before)}

    return run


def _came_to(place: Path, manifest: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """What the new state is, and how much of it is new. Removes the copy."""
    sizes = {True: 0, False: 0}
    for name, files in manifest["files"].items():
        stood = {file["sha256"] for file in before.get(name, [])}
        for file in files:
            sizes[file["sha256"] in stood] += file["bytes"]
    shutil.rmtree(place)
    return {
        "content_digest": manifest["output"]["content_digest"],
        "revised_rows": sum(manifest["output"]["revised"].values()),
        "standing_bytes": sizes[True],
        "new_bytes": sizes[False],
    }
