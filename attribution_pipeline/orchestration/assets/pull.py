"""``pulled_answers``: what live sources answer, kept as objects that landing then reads.

Belongs here: the asset, its job and schedule. Does not: asking (``sources.pull``), landing.

Landing does not wait for it: a vendor that is down stops no bill that is there. What it writes is
new in a source's folder, which the ``new_objects`` sensor sees.
"""

# no `from __future__ import annotations`: Dagster reads these annotations at run time

from typing import TYPE_CHECKING, Any

import dagster as dg

from attribution_pipeline.orchestration.metadata import table
from attribution_pipeline.orchestration.refusals import shown_as_failures
from attribution_pipeline.orchestration.resources import DeploymentFile

if TYPE_CHECKING:
    from attribution_pipeline.sources.pull.run import PullReport

PULLED = "pulled_answers"
JOB = "pull"
CRON = "20 * * * *"
"""Every hour: nothing that is there already is asked for again, so most runs ask little."""

COLUMNS = ("pull", "api", "kept", "bytes", "nothing new", "failed", "why")


def pull_assets() -> list[Any]:
    """The asset alone, in a list: a deployment without live sources has none."""

    @dg.asset(
        name=PULLED,
        group_name="evidence",
        kinds={"json"},
        description=(
            "Answers of the deployment's live sources, as they came, in the folders of the sources "
            "that they fill. Days and periods that are kept already are not asked for again."
        ),
    )
    def pulled_answers(context: dg.AssetExecutionContext, deployment: DeploymentFile) -> Any:
        """Ask what is due."""
        from attribution_pipeline.orchestration.pulling import pull

        with shown_as_failures():
            reports = pull(deployment.house(), tell=context.log.info)
        for report in reports:
            for line in report.lines():
                context.log.info(line)
        failures = [line for report in reports for line in report.failures]
        if failures:
            raise dg.Failure(
                description="; ".join(failures[:3]),
                metadata={"pulls": _figures(reports), "failures": len(failures)},
            )
        return dg.MaterializeResult(metadata={"pulls": _figures(reports)})

    return [pulled_answers]


def _figures(reports: "list[PullReport]") -> Any:
    rows = [
        {
            "pull": report.pull.name,
            "api": report.pull.api,
            "kept": len(report.kept),
            "bytes": sum(one.size for one in report.kept),
            "nothing new": report.nothing,
            "failed": len(report.failures),
            "why": ", ".join(sorted(set(report.reasons))),
        }
        for report in reports
    ]
    return table(rows, COLUMNS)


def pull_schedule() -> dg.ScheduleDefinition:
    """Hourly, as one job of one asset. Off until someone turns it on in the UI."""
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.assets(PULLED),
        description="Asks the live sources for what is due and keeps their answers.",
    )
    return dg.ScheduleDefinition(name=JOB, job=job, cron_schedule=CRON, execution_timezone="UTC")
