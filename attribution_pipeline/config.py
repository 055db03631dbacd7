"""The deployment file, ``attribution.yaml``: where evidence, policies and tables are.

Belongs here: its keys, defaults and paths. Does not: reading what it points to (``sources``,
``model.policy``), or any rule about money. Imports nothing heavy: every command reads it first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
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

from attribution_pipeline.buckets.place import Bucket, is_bucket_url, parse
from attribution_pipeline.buckets.settings import S3, located, plain
from attribution_pipeline.config_alerts import Channel, DagsterUi
from attribution_pipeline.config_alerts import named_apart as channels_apart
from attribution_pipeline.config_pull import PullEntry, named_apart, require_account, require_filled
from attribution_pipeline.model.errors import Broken, Refusal
from attribution_pipeline.model.strict import Day, Name, Strict, Text, refuse, validated
from attribution_pipeline.model.yaml_lines import Document, read_document

if TYPE_CHECKING:
    from attribution_pipeline.envelope import KeyRing

VARIABLE = "ATTRIBUTION_CONFIG"
"""Names the deployment file where a command has no ``--config``."""
FILE_NAME = "attribution.yaml"


def _absolute(value: Any, info: ValidationInfo) -> Any:
    """A path of the file, made absolute from the file's own folder."""
    if not isinstance(value, str):
        return value
    scheme, separator, _ = value.partition("://")
    if separator:
        raise refuse(f"{scheme}:// cannot be used here", "give a folder")
    if not value.strip():
        return value
    folder = (info.context or {}).get("folder", Path.cwd())
    return os.path.normpath(folder / value)


Folder = Annotated[
    str, StringConstraints(min_length=1, max_length=4096), BeforeValidator(_absolute)
]
"""A folder as absolute text."""


def _located(value: Any, info: ValidationInfo) -> Any:
    """A place in a bucket as it is, or a path of the file, made absolute."""
    if isinstance(value, str) and "://" in value:
        return located(value)
    return _absolute(value, info)


Location = Annotated[
    str, StringConstraints(min_length=1, max_length=4096), BeforeValidator(_located)
]
"""A folder as absolute text, or ``s3://bucket/prefix``."""


class Source(Strict):
    """Where evidence of one kind lands: a folder, read recursively, or one file; or the same in a
    bucket, ``s3://bucket/prefix``."""

    name: Annotated[Name, Field(examples=["main"])]
    """Rows and messages name it. Names of one kind do not repeat, and are not changed once it landed."""
    uri: Annotated[Location, Field(examples=["./billing"])]
    """Where it lies. No two sources of a kind read the same files, and none holds `storage`."""
    s3: S3 | None = None
    """How this source's bucket is reached, where that is not as the deployment's ``s3`` says."""

    @model_validator(mode="after")
    def _is_in_a_bucket(self) -> Source:
        if self.s3 is not None and not is_bucket_url(self.uri):
            raise refuse("`s3` says how a bucket is reached, and `uri` is a folder",
                         "leave it out, or name s3://bucket/prefix", at=("s3",))  # fmt: skip
        return self


class BillingSource(Source):
    """FOCUS 1.0 to 1.4 exports: CSV, gzip CSV or Parquet."""

    format: Literal["focus", "aws", "azure", "gcp", "oci", "openai", "anthropic"] = "focus"
    """The layout; ``focus`` recognises AWS's and Azure's by their manifests. ``openai`` and ``anthropic``:
    pages of these vendors' cost and usage APIs, which do not say whose they are."""
    delivery: Literal["replace", "append"] = "replace"
    """The newest complete delivery of an account and billing period stands alone; or every file adds lines
    that no other has."""
    account: Text | None = None
    """The organization's id, as BillingAccountId: for ``openai`` and ``anthropic``, and only for them."""

    @model_validator(mode="after")
    def _account_where_no_page_has_it(self) -> BillingSource:
        require_account(self.format, self.account)
        return self


class OpenCostSource(Source):
    """OpenCost ``/allocation`` and ``/assets`` JSON of one cluster."""

    format: Literal["opencost"] = "opencost"
    """The only one there is."""
    cluster: Text | None = None
    """The cluster's name, where the answers do not say it."""


class SpanSource(Source):
    """OTLP traces; the layout is recognised by content."""

    format: Literal["otlp"] = "otlp"
    """The only one there is."""


class TableSource(Source):
    """CSV, JSON lines or Parquet with the columns of the kind, recognised by name and content."""

    format: Literal["table"] = "table"
    """The only one there is."""


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
    if is_bucket_url(inner) != is_bucket_url(outer):
        return False
    return Path(inner).is_relative_to(outer)


class Sources(Strict):
    """Named lists of sources, by kind."""

    billing: Annotated[list[BillingSource], AfterValidator(_apart)] = []
    """Bills."""
    opencost: Annotated[list[OpenCostSource], AfterValidator(_apart)] = []
    """What clusters used, by pod and node; one source for each cluster."""
    spans: Annotated[list[SpanSource], AfterValidator(_apart)] = []
    """Traces with GenAI spans."""
    kubernetes: Annotated[list[TableSource], AfterValidator(_apart)] = []
    """Daily snapshots of objects: date, cluster, namespace, kind, name, labels, annotations."""
    usage: Annotated[list[TableSource], AfterValidator(_apart)] = []
    """Reports of what many share: date, service, resource_id, metric, quantity and who."""
    reservations: Annotated[list[TableSource], AfterValidator(_apart)] = []
    """Budgets: scope, period_start, period_end (the day after the last), amount, currency, and where a
    gateway counts: counted, counted_at, gateway. They guard spend and attribute nothing."""
    outcomes: Annotated[list[TableSource], AfterValidator(_apart)] = []
    """What came of operations: time, operation_id or trace_id, kind, value."""
    controls: Annotated[list[TableSource], AfterValidator(_apart)] = []
    """What stops mutations: hard_block, shadow_hit and override records, for `attribution triage`."""
    closes: Annotated[list[TableSource], AfterValidator(_apart)] = []
    """Closed billing periods: issuer, account, period, closed_at, status. `attribution close` writes here."""

    def each(self) -> Iterator[tuple[str, int, Source]]:
        """Kind, place in its list (from 0) and source, in the order of the kinds."""
        for kind in Sources.model_fields:
            for index, source in enumerate(getattr(self, kind)):
                yield kind, index, source


class ComputeLimits(Strict):
    """What one day may use of the machine. Results never depend on it."""

    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024)
    """How many at once. Left out: as many as the machine has cores."""
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
    """An application of its own: ``local[*]``, ``spark://host:7077``, ``k8s://...`` or ``yarn``."""
    remote: Annotated[str, StringConstraints(pattern=r"^sc://\S+$")] | None = None
    """Instead of `master`: a Spark Connect server, ``sc://host``."""
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


class Deployment(Strict):
    """One deployment: its file, validated, all paths absolute."""

    storage: Annotated[Location, AfterValidator(plain), Field(examples=["./lake"])]
    """Where landed evidence and the ledger's tables are kept: a folder, or ``s3://bucket/prefix``."""
    first_day: Annotated[Day, Field(examples=["2026-10-01"])]
    """The first charge day of the ledger. Charges before it stand on it, as ``outside_range``."""
    policies: Annotated[Folder, Field(examples=["./policies"])]
    """A folder with one file per policy version."""
    keys: Folder | None = None
    """A key file: the keys that identity envelopes are verified with."""
    keys_env: Text | None = None
    """Instead of `keys`: the environment variable that holds the text of a key file."""
    audience: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")] | None = None
    """What an envelope must be meant for to be verified; any, where this is not given."""
    sources: Annotated[Sources, Field(examples=["{billing: [{name: main, uri: ./billing}]}"])]
    """Where evidence of each kind lands."""
    s3: S3 = Field(default_factory=S3)
    """How ``s3://`` is reached: one address for storage and sources."""
    scratch: Folder | None = None
    """Where work and copies lie while storage is a bucket; not given, a folder of this user's under
    the system's temporary one. A fast disk of this machine."""
    compute: ComputeLimits = Field(default_factory=ComputeLimits)
    """What one day may use of the machine."""
    engine: Literal["duckdb", "spark"] = "duckdb"
    """Where planes and whole days are computed; their results are the same, digit by digit."""
    spark: SparkEngine | None = None
    """Where Spark is, under ``engine: spark``."""
    dagster: DagsterUi | None = None
    """Where Dagster's pages are, for links in alerts and in the dashboard."""
    alerts: Annotated[list[Channel], AfterValidator(channels_apart)] = []
    """Who is told of failed and warning checks, budgets and stale days; see ``docs/alerts.md``."""
    pull: Annotated[list[PullEntry], AfterValidator(named_apart)] = []
    """Which APIs fill folders of sources; see ``docs/how-to/live-sources.md``."""

    scheduled_workflows: list[Text] = []
    """Workflows that run by clock and not because somebody asked, as names or patterns (`nightly-*`):
    where no outcome says that their output was used, the highlights say so. Moves no money."""

    _document: Document = PrivateAttr(default_factory=lambda: Document("", {}, {}))

    @model_validator(mode="after")
    def _engine_has_an_address(self) -> Deployment:
        if self.engine == "spark" and self.spark is None:
            raise refuse("the engine is spark, and nothing says where it is",
                         "add `spark: {master: spark://host:7077}`, or `remote`", at=("engine",))  # fmt: skip
        return self

    @model_validator(mode="after")
    def _pulls_fill_sources(self) -> Deployment:
        require_filled(self.pull, self.sources)
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
        """``storage`` as a path, where it is a folder; ``place`` is for both."""
        if is_bucket_url(self.storage):
            raise Broken(f"{self.storage} is no folder")
        return Path(self.storage)

    @property
    def place(self) -> Path | Bucket:
        """``storage`` as the lake takes it."""
        return self._place_of(self.storage, self.s3)

    def source_place(self, source: Source) -> Path | Bucket:
        """A source's ``uri`` as landing takes it."""
        return self._place_of(source.uri, source.s3 or self.s3)

    def _place_of(self, uri: str, s3: S3) -> Path | Bucket:
        return parse(uri, s3.access(), self.scratch or "") if is_bucket_url(uri) else Path(uri)

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
            if is_bucket_url(source.uri):
                continue  # asked when it is listed
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
