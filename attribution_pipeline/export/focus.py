"""The ledger as a FOCUS CostAndUsage dataset, in one version or several.

Belongs here: the order of work, and that a dataset appears whole or not at all. Does not: what a row
says (``rows``), which deployment (``orchestration.export``).

Everything is read from files whose digests were checked first. Two passes: the first divides and keeps
rows with exact text for numbers; the second writes them in every version, with types that hold every
value. Memory is of the largest charge and one chunk of rows, whatever the days.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution_pipeline.export import statement
from attribution_pipeline.export.columns import VERSIONS
from attribution_pipeline.export.files import FORMATS, Staging, Stats, write_csv, write_parquet
from attribution_pipeline.export.origins import Source, opened
from attribution_pipeline.export.stage import Stager, Tally
from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.proof import replay_frozen

if TYPE_CHECKING:
    from attribution_pipeline.attribution.day import Compute
    from attribution_pipeline.lake.states import Published

_opened = contextlib.contextmanager(opened)


@dataclass(frozen=True)
class Wanted:
    """What of the ledger, and in which shapes."""

    versions: Sequence[str] = VERSIONS
    formats: Sequence[str] = FORMATS
    tenant: str | None = None
    period: date | None = None
    """First day of a billing period; None: of any."""


@dataclass(frozen=True)
class Dataset:
    """One version of an export, as written."""

    version: str
    folder: Path
    files: Sequence[Path]


def export(
    source: Source,
    states: Sequence[Published],
    wanted: Wanted,
    out: Path,
    compute_in: Callable[[Path], Compute],
    *,
    asked: Mapping[str, Any],
) -> tuple[list[Dataset], Tally]:
    """``out/focus-VERSION/cost-and-usage-DAY.{parquet,csv}`` and ``metadata.json``, for each version.

    One file a day and format. An older export of the same version in ``out`` is replaced as a whole;
    anything else there is a Refusal. ``asked``: what was asked for, said in the metadata. Raises
    Refusal naming a recorded file that is missing or was changed; then nothing is written.
    """
    folders = {version: out / f"focus-{version}" for version in wanted.versions}
    for folder in folders.values():
        _refuse_strangers(folder)
    with _place_beside(out) as place:
        stats, tally = Stats(), Tally()
        staged = []
        for state in states:
            staging = Staging(place / f"{state.day}.staged.parquet")
            _stage(source, state, wanted, staging, stats, tally, compute_in(place / "compute"))
            staged.append((state, staging))
        made = []
        for version, folder in folders.items():
            there = place / folder.name
            there.mkdir()
            made.append(_write(version, staged, wanted, stats, tally, there, asked))
        datasets = []
        for dataset in made:
            folder = folders[dataset.version]
            _put(dataset.folder, folder)
            files = [folder / file.name for file in dataset.files]
            datasets.append(Dataset(dataset.version, folder, files))
    return datasets, tally


def _stage(
    source: Source,
    state: Published,
    wanted: Wanted,
    staging: Staging,
    stats: Stats,
    tally: Tally,
    compute: Compute,
) -> None:
    policy = replay_frozen.policy_of(source.lake, source.lake.document(state))
    stager = Stager(state, policy, tally, tenant=wanted.tenant)
    with _opened(source, state, compute, period=wanted.period) as day:
        tally.ledger_rows_at_zero += day.zero_rows
        staging.fill(stager.stage(day.charges()), stats)


def _write(
    version: str,
    staged: Sequence[tuple[Published, Staging]],
    wanted: Wanted,
    stats: Stats,
    tally: Tally,
    folder: Path,
    asked: Mapping[str, Any],
) -> Dataset:
    found = stats.columns_of(version)
    files = []
    for state, staging in staged:
        for format_ in wanted.formats:
            path = folder / f"cost-and-usage-{state.day}.{format_}"
            if format_ == "csv":
                write_csv(staging, found, path)
            else:
                write_parquet(staging, found, stats, path, statement.in_parquet(version))
            files.append((state, path, staging.rows))
    states = [state for state, _ in staged]
    text = statement.statement(version, found, stats, states, tally, asked, files)
    (folder / statement.FILE).write_text(text, encoding="utf-8")
    return Dataset(version, folder, [path for _, path, _ in files])


def _refuse_strangers(folder: Path) -> None:
    if folder.exists() and not (folder / statement.FILE).is_file():
        if folder.is_dir() and not any(folder.iterdir()):
            return
        raise Refusal(
            "there is something that is no export", where=str(folder), remedy="name another --out"
        )


@contextlib.contextmanager
def _place_beside(out: Path) -> Iterator[Path]:
    """A folder on the device of ``out``, removed at the end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix=".focus-", dir=out)
    except OSError as error:
        raise _unwritable(out, error) from None
    try:
        with place as folder:
            yield Path(folder)
    except OSError as error:
        raise _unwritable(out, error) from error


def _put(made: Path, folder: Path) -> None:
    """``made`` in the place of ``folder``; the older one is gone afterwards."""
    if folder.exists():
        older = made.parent / f"{folder.name}.older"
        folder.rename(older)
        made.rename(folder)
        shutil.rmtree(older)
    else:
        made.rename(folder)


def _unwritable(out: Path, error: OSError) -> Refusal:
    return Refusal(
        (error.strerror or str(error)).lower(),
        where=str(error.filename or out),
        remedy="name a folder that this user may write and that has space: --out DIR",
    )
