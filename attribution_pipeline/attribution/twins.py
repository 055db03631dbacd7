"""Which spans tell of one call: the ranking of instrumentations, and how tellings find each other.

Belongs here: facts about instrumentations that decide between two tellings, each with its reason;
the order of the passes. Does not: what a count includes (``sources/otlp/emitters``), who caused a
call (``identity``), the SQL itself (``sql/planes``). The rules in words: docs/decisions/0011.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attribution_pipeline.model.versions import version_of

if TYPE_CHECKING:
    from attribution_pipeline.attribution.engine import Session

UNIQUE_ID_LENGTH = 16
"""Response ids from this length on name a call whatever the provider is called: vendors' ids hold
24 random characters or more (``msg_01...``, ``chatcmpl-...``, UUIDs)."""

OLLAMA_ID_LENGTH = len("chatcmpl-999")
"""Ollama's OpenAI endpoint draws ids from ``chatcmpl-0`` to ``chatcmpl-998``: they name no call."""

DEEPEST = 128
"""Spans between a call and the call around it. Beyond, and in a ring of parents, they stay two."""

OVERLAP_TENTHS = 9
"""Two instrumentations side by side time the same call: the shorter interval lies in the other but
for a tenth at most. Measured on six emitters: it lies in it whole."""

ROLL_UPS = ("invoke_agent", "invoke_workflow", "create_agent", "plan", "execute_tool")
"""Operations whose usage is that of the calls inside them (semantic conventions v1.41)."""

NOT_BILLED = ("fetch_response", "count_tokens")
"""Operations that a vendor does not bill: a stored answer read again, a free count."""

REASONS = (
    "duplicate_delivery",  # the same span once more
    "same_response",  # another span with the provider's id of the answer
    "same_usage_ancestor",  # around or inside a call with the same usage and model
    "same_usage_sibling",  # beside one of another instrumentation, at the same time
    "unmetered_twin",  # around, inside or beside a call of another instrumentation; one has no usage
    "roll_up",
    "not_billed",
    "not_a_call",  # usage on a span that names no model operation
)
"""Why a span that carries usage, or tells of a call, is not counted."""

UNLISTED = 40
"""Rank of a caller's span from a scope that is not listed: it reads the response itself."""

UNLISTED_SERVER = 90
"""Rank of a SERVER span from a scope that is not listed: it knows nothing of the vendor's prices."""


OPENLLMETRY = "openllmetry"


@dataclass(frozen=True)
class Scope:
    """Instrumentation scopes whose name begins alike. The smaller ``rank`` gives a call's tokens."""

    prefix: str
    rank: int
    why: str
    family: str = ""
    """Scopes of one family never watch the same call from two sides; else the scope's name."""
    before: tuple[int, ...] | None = None
    """Only versions before this one."""
    exact_output: bool = True
    """False: its output count is known to be off on streams."""
    is_gateway: bool = False
    """True: its SERVER span passes calls on; a model server's says better where they were served."""


SCOPES: tuple[Scope, ...] = (
    Scope("com.anthropic.sdk", 10, "the vendor's own: cache writes by time to live, final usage"),
    Scope("com.anthropic.claude_code", 10, "the vendor's own client"),
    Scope(
        "opentelemetry.instrumentation.genai.", 20, "cache writes and reasoning, streams included"
    ),
    Scope(
        "opentelemetry.instrumentation.openai_v2", 70, "up to 2.1b0 neither cache nor reasoning",
        before=(2, 2),
    ),
    Scope("opentelemetry.instrumentation.openai_v2", 25, "the genai names since 2.2"),
    Scope("pydantic-ai", 30, "usage details of the response"),
    Scope(
        "openinference.instrumentation.anthropic", 80,
        "cached input neither counted nor reported (openinference#1429)", before=(0, 1, 14),
    ),
    Scope(
        "openinference.instrumentation.bedrock", 80,
        "cached input neither counted nor reported (openinference#1429)", before=(0, 1, 18),
    ),
    Scope(
        "openinference.instrumentation.", 50,
        "cache reads, writes and reasoning right on streams too (run: 0.1.66, 3.1.0)",
    ),
    # OpenLLMetry's scopes are called like OpenTelemetry's own: these are its packages by name
    Scope(
        "opentelemetry.instrumentation.anthropic", 72,
        "no usage on streams, no cache: prompt_tokens alone (run: 0.33.12)",
        family=OPENLLMETRY, before=(0, 40),
    ),
    Scope(
        "opentelemetry.instrumentation.anthropic", 62,
        "adds the first event's output tokens on streams: 504 for 503 (run: 0.62.4)",
        family=OPENLLMETRY, exact_output=False,
    ),
    Scope(
        "opentelemetry.instrumentation.openai", 72,
        "no usage on streams, no cache: prompt_tokens alone (run: 0.33.12)",
        family=OPENLLMETRY, before=(0, 40),
    ),
    Scope(
        "opentelemetry.instrumentation.openai", 60,
        "no cache writes on responses, no reasoning on streams (run: 0.62.4)",
        family=OPENLLMETRY,
    ),
    Scope("opentelemetry.instrumentation.", 64, "OpenLLMetry, or written like it"),
    Scope("langfuse", 65, "written by hand or by a framework's callback"),
    Scope(
        "litellm", 75, "its counts come from the response, its model may be an alias",
        is_gateway=True,
    ),
    Scope("vllm", 95, "a server: its tokens, not the vendor's"),
)  # fmt: skip
"""The first that fits decides; its ``why`` is the reason for its rank. Rank goes before span kind
and end: a caller's poorer count never beats a better one because it ended later."""


def scope_of(name: str | None, version: str | None) -> Scope | None:
    """The entry for an instrumentation scope. A version that cannot be read is a current one."""
    numbers = version_of(version)
    for scope in SCOPES:
        if (name or "").startswith(scope.prefix) and (
            scope.before is None or (numbers is not None and numbers < scope.before)
        ):
            return scope
    return None


def join_twins(db: Session) -> None:
    """``calls.operation_key`` names the call that a span tells of; ``told`` (n, reason) says why
    where it is not the span's own response id; ``ranked``: who speaks first for calls of several spans,
    ``picks``: which of them gives what.

    Reads ``calls`` and ``once``. Only traces in which a call without a response id could be a
    second telling are looked at closer.
    """
    _load_scopes(db)
    db.run("planes/responses", unique_length=str(UNIQUE_ID_LENGTH))
    db.run("planes/suspects")
    if db.one("select count(*) from suspects"):
        _climb(db)
        db.run("planes/pairs", tenths=str(OVERLAP_TENTHS))
        _adopt(db)
        _name_the_rest(db)
        db.run("planes/told")
    db.run("planes/twins", unlisted=str(UNLISTED), unlisted_server=str(UNLISTED_SERVER))


def _load_scopes(db: Session) -> None:
    """``scopes``: every scope that calls have, with what is known of it."""
    import pyarrow as pa

    seen = db.rows("select distinct scope_name, scope_version from calls order by all")
    known = [scope_of(name, version) for name, version in seen]
    db.load(
        "scopes",
        pa.table(
            {
                "scope_name": pa.array([name for name, _ in seen], pa.string()),
                "scope_version": pa.array([version for _, version in seen], pa.string()),
                "family": pa.array(
                    [
                        (scope.family if scope else "") or name or ""
                        for (name, _), scope in zip(seen, known, strict=True)
                    ],
                    pa.string(),
                ),
                "scope_rank": pa.array([scope.rank if scope else None for scope in known], pa.int32()),
                "exact_output": pa.array(
                    [scope is None or scope.exact_output for scope in known], pa.bool_()
                ),
                "is_gateway": pa.array(
                    [scope is not None and scope.is_gateway for scope in known], pa.bool_()
                ),
            }
        ),
    )  # fmt: skip


def _climb(db: Session) -> None:
    """``nested``: every suspect and the nearest call around it, other spans between them or not."""
    for _ in range(DEEPEST):
        db.run("planes/climb")
        if not db.one("select count(*) from climbing"):
            return


def _adopt(db: Session) -> None:
    """Suspects without a response id take the key of a call that they are tied to, step by step."""
    while True:
        before = db.one("select count(*) from found_keys")
        db.run("planes/adopt")
        if db.one("select count(*) from found_keys") == before:
            return


def _name_the_rest(db: Session) -> None:
    """Calls of which no span has a response id: the smallest (trace, span) among those tied."""
    db.run("planes/rest")
    while True:
        db.run("planes/rest_round")
        if not db.one("select count(*) from smaller"):
            break
    db.execute(
        "insert into found_keys select r.n, r.operation_key, t.reason from rest r "
        "join (select n, min(reason) as reason from ties group by n) t on t.n = r.n"
    )
