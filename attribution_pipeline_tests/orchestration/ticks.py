"""A deployment that is driven as Dagster's daemon drives it: sensor ticks, and runs on request."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from attribution_pipeline.config import load_deployment
from attribution_pipeline.definitions import build_defs
from attribution_pipeline.orchestration.assets.ledger import LEDGER
from attribution_pipeline.orchestration.digests import bring_up_to_date
from attribution_pipeline.orchestration.house import House
from attribution_pipeline.orchestration.jobs import LATE_DAYS
from attribution_pipeline.orchestration.recording import record_day
from attribution_pipeline.orchestration.resources import DeploymentFile
from attribution_pipeline.sources.landing import land

RUN_KEY = "dagster/run_key"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Clock:
    """The machine's clock, some time later."""

    ahead = timedelta(0)

    @classmethod
    def now(cls) -> datetime:
        return datetime.now(UTC) + cls.ahead


class ClockedFile(DeploymentFile):
    """The deployment file, opened under ``Clock``."""

    def house(self) -> House:
        return House(load_deployment(Path(self.path)), clock=Clock.now)


@dataclass
class Tick:
    """What a sensor answered."""

    requests: Sequence[dg.RunRequest]
    skipped: str

    @property
    def only(self) -> dg.RunRequest:
        assert len(self.requests) == 1, (self.requests, self.skipped)
        return self.requests[0]

    @property
    def days(self) -> list[str]:
        return [str(request.partition_key) for request in self.requests]


@dataclass
class Driven:
    """One deployment and one Dagster instance."""

    file: Path
    instance: dg.DagsterInstance
    launched: list[str] = field(default_factory=list)
    cursors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        resource = ClockedFile(path=str(self.file))
        self.definitions = build_defs(self.file, resource_overrides={"deployment": resource})
        self.repository = self.definitions.get_repository_def()

    @property
    def folder(self) -> Path:
        return self.file.parent

    @property
    def house(self) -> House:
        """Opened anew: as the next process would see it."""
        return House(load_deployment(self.file), clock=Clock.now)

    def later(self, **time: float) -> None:
        Clock.ahead += timedelta(**time)

    def tick(self, sensor: str) -> Tick:
        context = dg.build_sensor_context(
            instance=self.instance,
            repository_def=self.repository,
            resources=self.repository.get_top_level_resources(),
            sensor_name=sensor,
            cursor=self.cursors.get(sensor),
        )
        found = self.repository.get_sensor_def(sensor).evaluate_tick(context)
        assert bool(found.run_requests) != bool(found.skip_message)
        if found.cursor:  # an empty one is not kept: so the daemon does
            self.cursors[sensor] = found.cursor
        return Tick(found.run_requests or [], found.skip_message or "")

    def launch(self, sensor: str, request: dg.RunRequest) -> bool:
        """Run a request in process, unless a run had its key: so the daemon does. True: success."""
        assert request.run_key not in self.launched, f"{request.run_key} is spent"
        self.launched.append(str(request.run_key))
        job = self.repository.get_job(self.repository.get_sensor_def(sensor).job_name)
        result = job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags={**request.tags, RUN_KEY: str(request.run_key)},
            run_config=QUIET,
            raise_on_error=False,
        )
        return result.success

    def settle(self, sensor: str) -> int:
        """Tick and run what is requested until the sensor has nothing; how many runs it took."""
        for runs in range(10):
            found = self.tick(sensor)
            if not found.requests:
                return runs
            for request in found.requests:
                assert self.launch(sensor, request), request
        raise AssertionError(f"{sensor} fires for ever")

    def answer(self, check: str) -> tuple[bool, str | None]:
        """What a check of the ledger last said: passed, and of which day."""
        key = dg.AssetCheckKey(dg.AssetKey(LEDGER), check)
        store = self.instance.event_log_storage
        (record,) = store.get_latest_asset_check_execution_by_key([key]).values()
        evaluation = record.event.asset_check_evaluation if record.event else None
        assert evaluation is not None
        return evaluation.passed, evaluation.partition

    def run_of(
        self,
        job: str,
        status: dg.DagsterRunStatus,
        request: dg.RunRequest | None = None,
        **tags: str,
    ) -> None:
        """A run of a job as the instance would remember it, without its work."""
        said = {**(request.tags if request else {}), **tags}
        if request is not None and request.partition_key is not None:
            said["dagster/partition"] = request.partition_key
        target = LoadableTargetOrigin(python_file=str(self.file))
        origin = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "attribution_pipeline")
        create_run_for_test(
            self.instance,
            job,
            tags=said,
            status=status,
            remote_job_origin=RemoteJobOrigin(origin, job),
        )

    def take_in(self, request: dg.RunRequest) -> None:
        """What a requested run does to the lake, and the memory of it, at a fraction of its time."""
        record_day(self.house, date.fromisoformat(str(request.partition_key)))
        self.run_of(LATE_DAYS, dg.DagsterRunStatus.SUCCESS, request)

    def look(self) -> None:
        """What a landing run does, without a run."""
        house = self.house
        land(house.sources, house.landed, keep_attributes=house.policies.attribute_aliases())
        bring_up_to_date(self.house)

    # -- what arrives ------------------------------------------------------------------------------

    def deliver(self, path: str, text: str) -> Path:
        """A finished file: written a while ago."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return self.aged(place)

    def aged(self, place: Path) -> Path:
        written = Clock.now().timestamp() - 3600
        os.utime(place, (written, written))
        return place

    def again(self, path: str, name: str) -> Path:
        """The same content under another name, beside it."""
        place = self.folder / path
        return self.aged(Path(shutil.copyfile(place, place.with_name(name))))

    def late_span(self, name: str = "late") -> Path:
        """A call that no earlier file held, on the worked day."""
        text = (self.folder / "spans" / "traces.jsonl").read_text(encoding="utf-8").splitlines()[0]
        trace = hashlib.sha256(name.encode()).hexdigest()[:32]
        text = re.sub(r'"traceId": "[0-9a-f]+"', f'"traceId": "{trace}"', text)
        text = text.replace('"msg-1"', f'"msg-{name}"').replace('"300000"', '"3000"')
        return self.deliver(f"spans/{name}.jsonl", text + "\n")

    def bill_line(self, service: str, old: str, new: str) -> None:
        """The bill again, with other text in the lines of one service."""
        place = self.folder / "billing" / "focus.csv"
        lines = place.read_text(encoding="utf-8").splitlines()
        chosen = [number for number, line in enumerate(lines) if service in line and old in line]
        assert chosen, (service, old)
        for number in chosen:
            lines[number] = lines[number].replace(old, new)
        place.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.aged(place)

    def publish(self, number: int, **changes: str) -> Path:
        """The first version again under another number, with changed lines."""
        first = self.folder / "policies" / "policy-1.yaml"
        text = first.read_text(encoding="utf-8").replace("version: 1", f"version: {number}")
        for old, new in changes.items():
            text, count = re.subn(rf"(?m)^{old}: .*$", f"{old}: {new}", text)
            assert count == 1, old
        place = first.with_name(f"policy-{number}.yaml")
        place.write_text(text, encoding="utf-8")
        return place
