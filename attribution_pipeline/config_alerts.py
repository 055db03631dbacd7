"""The deployment file's ``dagster`` and ``alerts``: where people look, and who is told.

Belongs here: their keys and defaults. Does not: what is told when (``orchestration.alerting``).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from attribution_pipeline.model.strict import Duration, Name, Strict, Text, refuse

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


def variable_name(value: str, holds: str) -> str:
    """The name of an environment variable. What stands there instead may be a secret: not repeated."""
    if not _VARIABLE.fullmatch(value):
        raise refuse(
            "does not name an environment variable",
            f"put the {holds} into an environment variable, and its name here",
        )
    return value


def _url_variable(value: str) -> str:
    return variable_name(value, "URL")


def _web(value: str) -> str:
    if not value.startswith(("http://", "https://")) or any(letter.isspace() for letter in value):
        raise refuse(f"{value!r} is no web address", "write one like https://dagster.example.com")
    return value.rstrip("/")


class DagsterUi(Strict):
    """Where people open Dagster: what links lead to."""

    base_url: Annotated[Text, AfterValidator(_web), Field(examples=["http://127.0.0.1:3000"])]
    """``http://`` or ``https://``."""


class Channel(Strict):
    """One receiver of alerts: an Apprise URL, kept in an environment variable."""

    name: Annotated[Name, Field(examples=["on-call"])]
    """What messages call it."""
    url_env: Annotated[Text, AfterValidator(_url_variable), Field(examples=["ALERTS_SLACK_URL"])]
    """The environment variable that holds the URL."""
    severities: Annotated[list[Literal["error", "warning"]], Field(min_length=1)] = [
        "error", "warning",
    ]  # fmt: skip
    """``error``: blocking checks and failed runs. ``warning``: alerting checks, budgets, stale days."""
    repeat_after: Duration = timedelta(hours=24)
    """How long the same finding is not sent again."""


def named_apart(channels: list[Channel]) -> list[Channel]:
    names = [channel.name for channel in channels]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise refuse(f"the name `{name}` is used twice", "name the channels apart",
                         at=(index, "name"))  # fmt: skip
    return channels
