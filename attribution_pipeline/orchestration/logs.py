"""How runs write their logs: for people, or one JSON object a line.

Belongs here: the choice, by ``$ATTRIBUTION_LOG_FORMAT``. Does not: Dagster's own programs, which take
``--log-format json``; what the command line says (``commands.log_lines``).

What is logged is Dagster's events and the product's own sentences: counts, days, names of sources and
files. Values of secrets are not among them, which a test proves with canaries
(``attribution_pipeline_tests/postgres/test_pod_a_day.py``).

Dagster has a JSON logger, and uses it only for runs whose own configuration asks for it: a run that is
launched in the UI asks for none, and gets the console's. Which one it gets is one function of Dagster's,
its own, which may go in a later minor: then runs log as they did before, and the test above says so.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

VARIABLE = "ATTRIBUTION_LOG_FORMAT"
JSON = "json"
LEVEL = "DEBUG"
"""Dagster's own default: its events. `python_logs: {python_log_level: INFO}` in dagster.yaml has less."""

_CHOOSES = "default_system_loggers"


def use_chosen_format() -> None:
    """Let runs of this process log as the environment says."""
    from dagster._core.execution import context_creation_job

    if os.environ.get(VARIABLE) == JSON and hasattr(context_creation_job, _CHOOSES):
        setattr(context_creation_job, _CHOOSES, _json_loggers)


def _json_loggers(
    instance: dg.DagsterInstance | None,
) -> Sequence[tuple[dg.LoggerDefinition, Mapping[str, Any]]]:
    """Instead of the coloured console."""
    level = instance.python_log_level if instance and instance.python_log_level else LEVEL
    return [(dg.json_console_logger, {"name": "dagster", "log_level": level})]
