"""The deployment file's ``pull``: which APIs are asked for what lies in a source's folder.

Belongs here: its keys and defaults. Does not: asking (``sources.pull``), which sources there are
(``config``). An endpoint stands here alone: neither run config, an answer nor a redirect names one.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from attribution_pipeline.config_alerts import variable_name
from attribution_pipeline.model.strict import Duration, Name, Strict, Text, refuse

Api = Literal["opencost", "openai", "anthropic", "kubernetes"]

KIND_OF_API = {
    "opencost": "opencost",
    "openai": "billing",
    "anthropic": "billing",
    "kubernetes": "kubernetes",
}
"""Under which list of ``sources`` the source stands that an API fills."""

ENDPOINTS = {
    "openai": "https://api.openai.com",
    "anthropic": "https://api.anthropic.com",
    "kubernetes": "https://kubernetes.default.svc",
}
"""Where an entry names none. OpenCost has no usual place."""

MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds the token and the authority of its own API server."""


def key_variable(value: str) -> str:
    """The name of the environment variable that holds a key."""
    return variable_name(value, "key")


def _file(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str) or not value.strip():
        return value
    return os.path.normpath((info.context or {}).get("folder", Path.cwd()) / value)


File = Annotated[Text, BeforeValidator(_file)]
"""A file as absolute text, from the deployment file's own folder."""


class PullLimitsGiven(Strict):
    """Limits of one pull, where they are not the defaults (``sources.pull.limits``)."""

    connect_seconds: Annotated[int, Field(ge=1, le=600)] | None = None
    """Until a connection stands, TLS included."""
    silence_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """Between two reads of an answer."""
    answer_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """One answer, from request to its last byte."""
    pull_seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None
    """All requests of one pull, waiting included."""
    answer_bytes: Annotated[int, Field(ge=1, le=512 << 20)] | None = None
    """Size of one answer."""
    pages: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Answers that one question may be split into."""
    attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    """Requests for one answer, the first included."""
    retry_after_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None
    """The longest wait that a server may ask for."""


class PullEntry(Strict):
    """One API that is asked, and the source that its answers are kept in."""

    name: Annotated[Name, Field(examples=["opencost-prod"])]
    """What `attribution pull NAME` and messages call it."""
    api: Annotated[Api, Field(examples=["opencost"])]
    """Which API is asked."""
    into: Annotated[Name, Field(examples=["prod"])]
    """Name of a source: under `opencost`, `billing` or `kubernetes`, as the API has it."""
    endpoint: Text | None = None
    """``scheme://host[:port][/path]``. Kubernetes, OpenAI, Anthropic: their usual one by default."""
    key_env: Annotated[Text, AfterValidator(key_variable)] | None = None
    """The environment variable that holds the key or token."""
    key_file: File | None = None
    """Instead of `key_env`: a file that holds it, as secrets are mounted."""
    ca_file: File | None = None
    """The authority of the endpoint's certificate, where no public one is."""
    cluster: Text | None = None
    """Kubernetes: the cluster's name, as OpenCost has it."""
    every: Duration = timedelta(hours=6)
    """OpenAI, Anthropic: how old a period's newest delivery is before it is asked for again."""
    limits: PullLimitsGiven = Field(default_factory=PullLimitsGiven)
    """What asking may cost, where it is not the default."""

    @model_validator(mode="after")
    def _complete(self) -> PullEntry:
        if self.endpoint is None and self.api not in ENDPOINTS:
            raise refuse(f"an {self.api} has no usual address",
                         "add `endpoint: http://opencost.opencost.svc:9003`")  # fmt: skip
        if self.key_env is not None and self.key_file is not None:
            raise refuse("`key_env` and `key_file` both say where the key is", "keep one",
                         at=("key_file",))  # fmt: skip
        if self.api == "kubernetes" and self.cluster is None:
            raise refuse(
                "a snapshot needs its cluster's name", "add `cluster`, as OpenCost spells it"
            )
        return self

    @property
    def address(self) -> str:
        """The endpoint, or the API's usual one."""
        return self.endpoint or ENDPOINTS[self.api]

    @property
    def key_path(self) -> str | None:
        """The file of the key: in a pod the mounted token, where the endpoint is the pod's own."""
        return self.key_file or self._mounted("token")

    @property
    def authority(self) -> str | None:
        """The file of the certificate's authority."""
        return self.ca_file or self._mounted("ca.crt")

    def _mounted(self, name: str) -> str | None:
        own = self.api == "kubernetes" and self.endpoint is None and self.key_env is None
        return str(MOUNTED / name) if own else None


def named_apart(entries: list[PullEntry]) -> list[PullEntry]:
    """Names may not repeat, and no two pulls fill one source."""
    for index, entry in enumerate(entries):
        for earlier in entries[:index]:
            if entry.name == earlier.name:
                raise refuse(f"the name `{entry.name}` is used twice", "name the pulls apart",
                             at=(index, "name"))  # fmt: skip
            if (KIND_OF_API[entry.api], entry.into) == (KIND_OF_API[earlier.api], earlier.into):
                raise refuse(f"`{earlier.name}` fills the source `{entry.into}` already",
                             "give each pull a source of its own", at=(index, "into"))  # fmt: skip
    return entries


def pulled_into(entry: PullEntry, sources: Any) -> Any:
    """The source (of ``config.Sources``) that a pull fills; None where there is none of its name."""
    listed = getattr(sources, KIND_OF_API[entry.api])
    return next((source for source in listed if source.name == entry.into), None)


def require_filled(entries: list[PullEntry], sources: Any) -> None:
    """Raises for an entry whose source is not there, or is of another format."""
    for index, entry in enumerate(entries):
        kind = KIND_OF_API[entry.api]
        source = pulled_into(entry, sources)
        if source is None:
            raise refuse(f"there is no source `{entry.into}` under `{kind}`",
                         "name the source that it fills", at=("pull", index, "into"))  # fmt: skip
        if kind == "billing" and source.format != entry.api:
            raise refuse(f"the source `{entry.into}` is not of format {entry.api}",
                         f"give it `format: {entry.api}`", at=("pull", index, "into"))  # fmt: skip


def require_account(format: str, account: str | None) -> None:
    """Raises where a billing source of a vendor's API does not say whose it is, or another one does."""
    of_a_vendor = KIND_OF_API.get(format) == "billing"
    if of_a_vendor and account is None:
        raise refuse(f"pages of {format} do not say whose they are",
                     "add `account`, the id of the organization")  # fmt: skip
    if not of_a_vendor and account is not None:
        raise refuse("a FOCUS export says itself whose it is", "remove `account`", at=("account",))
