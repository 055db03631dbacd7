"""Late work costs what is late: a recorded day after 0.1 % more spans, against the day done whole.

Belongs here: the recorded company, what is withheld from it, the rounds, their ratios. Does not: a
day's own cost (``run``), the company (``generate``).

    python bench/late.py --out build/late.json [--spans 1000000] [--rounds 3] [--quick]

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

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

SPANS, ROUNDS = 1_000_000, 3
QUICK_SPANS, QUICK_ROUNDS = 20_000, 1
MEMORY_LIMIT = "4GB"
ONE_IN = 1000
"""Late spans: one in so many of all."""

KINDS = ("outside", "exporter", "spread")
SELF_HOSTED = ("vllm", "tei")
EXPORTER_FROM = "T09:00"
"""From when on the pod's spans are withheld: a busy hour."""

Document = dict[str, Any]
Chosen = Callable[[Document, Document], bool]
"""Whether a span of a resource is withheld."""


def main(options: argparse.Namespace) -> None:
    """Rounds of every kind, the table, the file."""
    kept = nullcontext(options.data) if options.data else tempfile.TemporaryDirectory()
    items = []
    with kept as folder:
        for kind in options.kinds:
            company = Path(folder) / kind
            if not (company / "late.json").exists():
                say(f"{kind}: writing, landing and recording {options.spans:,} spans")
                run("prepare", kind, company, options)
            items.append(measure(kind, company, options))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(items, indent=1) + "\n", encoding="utf-8")
    print(table(items))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--spans", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, help="keep the companies here, or use what is here")
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--company", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.spans = options.spans or (QUICK_SPANS if options.quick else SPANS)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    return options


def measure(kind: str, company: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One kind: late over whole, round by round; the first round is a warm-up but for ``--quick``."""
    rounds = []
    load = [round(os.getloadavg()[0], 1)]
    for number in range(options.rounds + (not options.quick)):
        found = {}
        for program in ("late", "whole") if number % 2 else ("whole", "late"):
            found[program] = run(program, kind, company, options)
            say(f"{kind} round {number}: {program} {found[program]['seconds']:.2f} s")
        if found["late"]["content_digest"] != found["whole"]["content_digest"]:
            raise SystemExit(f"{kind}: the ledgers differ, so their times mean nothing")
        rounds.append(found)
    rounds = rounds if options.quick else rounds[1:]
    load.append(round(os.getloadavg()[0], 1))
    ratios = {
        measure: [found["late"][measure] / found["whole"][measure] for found in rounds]
        for measure in ("seconds", "cpu_seconds")
    }
    late = rounds[0]["late"]
    return {
        "work": f"late, {kind}",
        "spans": options.spans,
        "late_spans": json.loads((company / "late.json").read_text(encoding="utf-8"))["late_spans"],
        "ratio_to_whole": round(median(ratios["seconds"]), 3),
        "range_to_whole": [round(min(ratios["seconds"]), 3), round(max(ratios["seconds"]), 3)],
        "cpu_ratio_to_whole": round(median(ratios["cpu_seconds"]), 3),
        **{
            measure: {
                program: round(median(found[program][measure] for found in rounds), 3)
                for program in ("late", "whole")
            }
            for measure in ("seconds", "cpu_seconds")
        },
        **{name: late[name] for name in ("revised_rows", "standing_bytes", "new_bytes")},
        "peak_rss_bytes": max(found["late"]["peak_rss_bytes"] for found in rounds),
        "rounds": len(rounds),
        "load_average": load,
    }


def run(program: str, kind: str, company: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One program in a process of its own."""
    command = [
        sys.executable, __file__, "--out", str(options.out), "--program", program,
        "--company", str(company), "--spans", str(options.spans), "--kinds", kind,
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} failed; its own words are above")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def prepare(kind: str, company: Path, spans: int) -> dict[str, Any]:
    """The company in ``company``, its day recorded without the late spans, these landed after."""
    from child import DAY
    from generate import FAULTS, SEED

    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.recording import record_day
    from attribution_pipeline.simulator import write_company
    from attribution_pipeline.sources.landing import land

    told = write_company(company, days=1, spans_per_day=spans, seed=SEED, faults=FAULTS)
    limits = f"compute: {{threads: {len(os.sched_getaffinity(0))}, memory_limit: {MEMORY_LIMIT}}}\n"
    with (company / "attribution.yaml").open("a", encoding="utf-8") as config:
        config.write(limits)
    chosen, without_pod = choice(kind, company / "spans", told.spans // ONE_IN)
    late = withhold(company / "spans", chosen, without_pod=without_pod)
    house = House(load_deployment(company / "attribution.yaml"))
    aliases = house.policies.attribute_aliases()
    land(house.sources, house.landed, keep_attributes=aliases)
    record_day(house, DAY)
    folder = company / "spans" / "late"
    folder.mkdir()
    for number, document in enumerate(late):
        (folder / f"late_traces_{number:09d}.json").write_bytes(document)
    report = land(house.sources, house.landed, keep_attributes=aliases)
    counts = {"late_spans": report.rows["spans"]}
    (company / "late.json").write_text(json.dumps(counts), encoding="utf-8")
    return counts


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

    from child import DAY

    return (
        int(datetime.fromisoformat(f"{DAY}{time_of_day}").replace(tzinfo=UTC).timestamp()) * 10**9
    )


def record(program: str, company: Path) -> dict[str, Any]:
    """Bring the day up to date in a copy of the storage; what came of it."""
    import deltalake  # noqa: F401
    import duckdb  # noqa: F401
    import pandas  # noqa: F401 - Arrow imports it at its first array
    import pyarrow.parquet  # noqa: F401
    from child import DAY, timed

    from attribution_pipeline.attribution import late, late_plane
    from attribution_pipeline.config import load_deployment
    from attribution_pipeline.orchestration.house import House
    from attribution_pipeline.orchestration.recording import record_day

    taken = []

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
    house = House(load_deployment(place / "attribution.yaml"))
    before = house.lake.manifest(DAY)["files"]
    answer = timed(lambda: {"state": record_day(house, DAY).state})
    manifest = house.lake.manifest(DAY)
    sizes = {True: 0, False: 0}
    for name, files in manifest["files"].items():
        stood = {file["sha256"] for file in before.get(name, [])}
        for file in files:
            sizes[file["sha256"] in stood] += file["bytes"]
    shutil.rmtree(place)
    if answer["state"] != 2 or taken != [program == "late"] * 2:
        raise SystemExit(f"{program} did not take its way: nothing was measured")
    return {
        **answer,
        "content_digest": manifest["output"]["content_digest"],
        "revised_rows": sum(manifest["output"]["revised"].values()),
        "standing_bytes": sizes[True],
        "new_bytes": sizes[False],
    }


def table(items: list[dict[str, Any]]) -> str:
    """The items for people, as Markdown."""
    lines = [
        "",
        "| work | spans | late / whole | cpu, late / whole | rows revised | peak memory |",
        "|---|---|---|---|---|---|",
    ]
    for found in items:
        low, high = found["range_to_whole"]
        lines.append(
            f"| {found['work']} | {found['late_spans']:,} of {found['spans']:,} "
            f"| {found['ratio_to_whole']:.3f} ({low:.3f} to {high:.3f}) "
            f"| {found['cpu_ratio_to_whole']:.3f} | {found['revised_rows']:,} "
            f"| {found['peak_rss_bytes'] / 1e9:.2f} GB |"
        )
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    asked = parse()
    if asked.program == "prepare":
        print(json.dumps(prepare(asked.kinds[0], asked.company, asked.spans)))
    elif asked.program:
        print(json.dumps(record(asked.program, asked.company)))
    else:
        main(asked)
