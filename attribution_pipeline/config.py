"""The deployment file, ``attribution.yaml``: where evidence, policies and tables are.

Belongs here: its keys, defaults and paths. Does not: reading what it points to (``sources``,
``model.policy``), or any rule about money. Imports nothing heavy: every command reads it first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from attribution_pipeline.model.errors import Refusal
from attribution_pipeline.model.strict import Day, Duration, Name, Strict, Text, refuse, validated
from attribution_pipeline.model.yaml_lines import Document, read_document

if TYPE_CHECKING:
    from attribution_pipeline.envelope import KeyRing

VARIABLE = "ATTRIBUTION_CONFIG"
"""Names the deployment file where a command has no ``--config``."""
FILE_NAME = "attribution.yaml"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


def _absolute(value: Any, info: ValidationInfo) -> Any:
    """A path of the file, made absolute from the file's own folder."""
    if not isinstance(value, str):
        return value
    scheme, separator, _ = value.partition("://")
    if separator:
        raise refuse(
            f"{scheme}:// cannot be used: this version reads and writes folders",
            "give a folder, for example a copy kept in step with the bucket",
        )
    if not value.strip():
        return value
    folder = (info.context or {}).get("folder", Path.cwd())
    return os.path.normpath(folder / value)


Folder = Annotated[
    str, StringConstraints(min_length=1, max_length=4096), BeforeValidator(_absolute)
]
"""A folder as absolute text."""


class Source(Strict):
    """Where evidence of one kind lands: a folder, read recursively, or one file."""

    name: Annotated[Name, Field(examples=["main"])]
    uri: Annotated[Folder, Field(examples=["./billing"])]


class BillingSource(Source):
    """FOCUS exports. ``replace``: the newest complete delivery of a period stands alone.

    ``format``: the layout; ``focus`` recognises AWS's and Azure's by their manifests.
    """

    format: Literal["focus", "aws", "azure", "gcp", "oci"] = "focus"
    delivery: Literal["replace", "append"] = "replace"


class OpenCostSource(Source):
    """OpenCost ``/allocation`` and ``/assets`` JSON of one cluster."""

    format: Literal["opencost"] = "opencost"
    cluster: Text | None = None


class SpanSource(Source):
    """OTLP traces; the layout is recognised by content."""

    format: Literal["otlp"] = "otlp"


class TableSource(Source):
    """CSV, JSON lines or Parquet with the columns of the kind, recognised by name and content."""

    format: Literal["table"] = "table"


def _apart(sources: list[Source]) -> list[Source]:
    """Names and folders of one kind may not repeat: an object must not come in by two doors."""
    for index, source in enumerate(sources):
        for earlier in sources[:index]:
            if source.name == earlier.name:
                raise refuse(
                    f"the name `{source.name}` is used twice", "name the sources of a kind apart",
                    at=(index, "name"),
                )  # fmt: skip
            if _within(source.uri, earlier.uri) or _within(earlier.uri, source.uri):
                raise refuse(
                    f"`{source.name}` and `{earlier.name}` read the same files",
                    "give each source a folder of its own", at=(index, "uri"),
                )  # fmt: skip
    return sources


def _within(inner: str, outer: str) -> bool:
    return Path(inner).is_relative_to(outer)


class Sources(Strict):
    """Named lists of sources, by kind."""

    billing: Annotated[list[BillingSource], AfterValidator(_apart)] = []
    opencost: Annotated[list[OpenCostSource], AfterValidator(_apart)] = []
    spans: Annotated[list[SpanSource], AfterValidator(_apart)] = []
    kubernetes: Annotated[list[TableSource], AfterValidator(_apart)] = []
    usage: Annotated[list[TableSource], AfterValidator(_apart)] = []
    reservations: Annotated[list[TableSource], AfterValidator(_apart)] = []
    outcomes: Annotated[list[TableSource], AfterValidator(_apart)] = []
    controls: Annotated[list[TableSource], AfterValidator(_apart)] = []
    closes: Annotated[list[TableSource], AfterValidator(_apart)] = []

    def each(self) -> Iterator[tuple[str, int, Source]]:
        """Kind, place in its list (from 0) and source, in the order of the kinds."""
        for kind in Sources.model_fields:
            for index, source in enumerate(getattr(self, kind)):
                yield kind, index, source


class ComputeLimits(Strict):
    """What one day may use of the machine. Results never depend on it."""

    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024)
    memory_limit: Annotated[
        str, StringConstraints(pattern=r"^[1-9][0-9]*(\.[0-9]+)? ?([KMGT]i?B)$")
    ] = "4GB"
    """As DuckDB spells it: ``4GB``, ``512MiB``."""


class SparkEngine(Strict):
    """Where days are computed under ``engine: spark``: a master, or a Spark Connect server."""

    master: Annotated[
        str,
        StringConstraints(pattern=r"^(local(\[[0-9*, ]+\])?|spark://\S+|k8s://\S+|yarn)$"),
        Field(examples=["spark://master:7077"]),
    ] | None = None  # fmt: skip
    remote: Annotated[str, StringConstraints(pattern=r"^sc://\S+$")] | None = None
    conf: dict[str, str] = {}
    """Spark's own settings for an application that starts under ``master``."""

    @model_validator(mode="after")
    def _one_address(self) -> SparkEngine:
        if (self.master is None) == (self.remote is None):
            raise refuse(
                "`spark` needs one address",
                "give `master` (spark://host:7077, local[*]) or `remote` (sc://host), not both",
            )
        if self.remote is not None and self.conf:
            raise refuse("a Spark Connect server has its settings already", "set them there",
                         at=("conf",))  # fmt: skip
        return self


def _variable(value: str) -> str:
    """The name of an environment variable. What stands there instead may be a secret: not repeated."""
    if not _VARIABLE.fullmatch(value):
        raise refuse(
            "does not name an environment variable",
            "put the URL into an environment variable, and its name here",
        )
    return value


def _web(value: str) -> str:
    if not value.startswith(("http://", "https://")) or any(letter.isspace() for letter in value):
        raise refuse(f"{value!r} is no web address", "write one like https://dagster.example.com")
    return value.rstrip("/")


class DagsterUi(Strict):
    """Where people open Dagster: what links lead to."""

    base_url: Annotated[Text, AfterValidator(_web), Field(examples=["http://127.0.0.1:3000"])]


class Channel(Strict):
    """One receiver of alerts: an Apprise URL, kept in an environment variable."""

    name: Annotated[Name, Field(examples=["on-call"])]
    url_env: Annotated[Text, AfterValidator(_variable), Field(examples=["ALERTS_SLACK_URL"])]
    severities: Annotated[list[Literal["error", "warning"]], Field(min_length=1)] = [
        "error", "warning",
    ]  # fmt: skip
    """``error``: blocking checks and failed runs. ``warning``: alerting checks, budgets, stale days."""
    repeat_after: Duration = timedelta(hours=24)
    """How long the same finding is not sent again."""


def _named_apart(channels: list[Channel]) -> list[Channel]:
    names = [channel.name for channel in channels]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise refuse(f"the name `{name}` is used twice", "name the channels apart",
                         at=(index, "name"))  # fmt: skip
    return channels


class Deployment(Strict):
    """One deployment: its file, validated, all paths absolute."""

    storage: Annotated[Folder, Field(examples=["./lake"])]
    first_day: Annotated[Day, Field(examples=["2026-10-01"])]
    policies: Annotated[Folder, Field(examples=["./policies"])]
    keys: Folder | None = None
    """A key file: the keys that identity envelopes are verified with."""
    keys_env: Text | None = None
    """Instead of `keys`: the environment variable that holds the text of a key file."""
    audience: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")] | None = None
    """What an envelope must be meant for to be verified; any, where this is not given."""
    sources: Annotated[Sources, Field(examples=["{billing: [{name: main, uri: ./billing}]}"])]
    compute: ComputeLimits = Field(default_factory=ComputeLimits)
    engine: Literal["duckdb", "spark"] = "duckdb"
    """Where planes and whole days are computed; their results are the same, digit by digit."""
    spark: SparkEngine | None = None
    dagster: DagsterUi | None = None
    alerts: Annotated[list[Channel], AfterValidator(_named_apart)] = []
    """Who is told of failed and warning checks, budgets and stale days; see ``docs/alerts.md``."""

    _document: Document = PrivateAttr(default_factory=lambda: Document("", {}, {}))

    @model_validator(mode="after")
    def _engine_has_an_address(self) -> Deployment:
        if self.engine == "spark" and self.spark is None:
            raise refuse("the engine is spark, and nothing says where it is",
                         "add `spark: {master: spark://host:7077}`, or `remote`", at=("engine",))  # fmt: skip
        return self

    @model_validator(mode="after")
    def _apart_from_storage(self) -> Deployment:
        if self.keys is not None and self.keys_env is not None:
            raise refuse(
                "`keys` and `keys_env` both say where the keys are", "keep one", at=("keys_env",)
            )
        for kind, index, source in self.sources.each():
            if _within(self.storage, source.uri):
                raise refuse(
                    f"source `{source.name}` holds `storage`, so it would read its own tables",
                    "put storage beside the sources, not inside one",
                    at=("sources", kind, index, "uri"),
                )
        return self

    @property
    def path(self) -> Path:
        """The deployment file."""
        return Path(self._document.path)

    @property
    def storage_folder(self) -> Path:
        """``storage`` as a path."""
        return Path(self.storage)

    @property
    def policies_folder(self) -> Path:
        """``policies`` as a path."""
        return Path(self.policies)

    @property
    def delivery(self) -> Mapping[str, str]:
        """``replace`` or ``append`` by billing source."""
        return {source.name: source.delivery for source in self.sources.billing}

    def key_ring(self) -> KeyRing:
        """The keys of `keys` or `keys_env`, read now, with `audience`; none where neither is given.

        Raises Refusal with the line of the key file; no message holds anything of a key.
        """
        from attribution_pipeline.envelope import EnvelopeError, KeyFileError, KeyRing

        try:
            if self.keys_env is not None:
                return KeyRing.from_environment(self.keys_env, audience=self.audience)
            if self.keys is not None:
                return KeyRing.load(self.keys, audience=self.audience)
            return KeyRing(audience=self.audience)
        except KeyFileError as error:
            what, where, remedy = error.what, error.where, error.remedy
        except EnvelopeError as error:
            at = "keys" if self.keys_env is None else "keys_env"
            what, where, remedy = str(error), self.where(at), ""
        raise Refusal(what, where=where, remedy=remedy)

    def where(self, *location: str | int) -> str:
        """``file:line`` of a key of the deployment file, for messages."""
        return self._document.where(location)

    def require_inputs(self) -> None:
        """That policies and every source are there. Raises Refusal with file and line.

        A folder of close records may be missing: `attribution close` makes it with the first one,
        and a checkout holds no empty folders.
        """
        if not self.policies_folder.is_dir():
            raise Refusal(
                f"there is no folder {self.policies}",
                where=self.where("policies"),
                remedy="create it with a policy, or correct `policies`",
            )
        if self.keys is not None and not Path(self.keys).is_file():
            raise Refusal(
                f"there is no key file {self.keys}",
                where=self.where("keys"),
                remedy="write one with `attribution envelope keygen`, or correct `keys`",
            )
        for kind, index, source in self.sources.each():
            if kind != "closes" and not Path(source.uri).exists():
                raise Refusal(
                    f"source `{source.name}`: there is no {source.uri}",
                    where=self.where("sources", kind, index, "uri"),
                    remedy="create the folder, or correct `uri`",
                )


def deployment_path(path: Path | None = None) -> Path:
    """The file to read: ``path``, else ``$ATTRIBUTION_CONFIG``, else ``./attribution.yaml``."""
    if path is not None:
        return Path(path)
    return Path(os.environ.get(VARIABLE) or FILE_NAME)


def load_deployment(path: Path | None = None) -> Deployment:
    """The deployment in ``path`` or its default. Raises Refusal with file, line and remedy."""
    chosen = deployment_path(path)
    if not chosen.is_file():
        raise Refusal(
            "there is no deployment file",
            where=str(chosen),
            remedy=f"give --config FILE, set ${VARIABLE}, or write one with `attribution init DIR`",
        )
    document = read_document(chosen)
    folder = chosen.absolute().parent
    deployment = validated(document, Deployment, context={"folder": folder})
    deployment._document = document  # the model is frozen, its memory of its file is not
    return deployment
