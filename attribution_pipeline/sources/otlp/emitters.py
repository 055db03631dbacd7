"""What an emitter's input count includes: a registry of scopes and versions.

Belongs here: facts about instrumentations, each with where it was learned. Does not: the
arithmetic (``usage``).

Never guessed from one span: cached > input proves that an emitter excludes cached tokens, but an
excluding emitter with a large uncached part passes that test in silence. The default is the rule
of the GenAI conventions: input includes every cached token.

Known and left as they are, because the span does not hold what was lost:
- OpenTelemetry openai-v2 up to 2.1b0 and OpenLLMetry on the responses API report an input that
  includes cached (or cache-written) tokens without saying how many: they land as uncached.
- OpenTelemetry's botocore instrumentation and OpenInference on Bedrock Converse pass AWS'
  inputTokens (which exclude cached) on: not verified here, so the default stands.
- Google reports thoughts beside candidates; an emitter that passes both on unchanged shows more
  reasoning than output, or too little output. Not verified here either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from attribution_pipeline.model.versions import Version, version_of


@dataclass(frozen=True)
class Accounting:
    """How the counts of one emitter are to be read."""

    input_includes_cached: bool = True
    """False: input counts uncached tokens only (the shape of Anthropic's and Bedrock's APIs)."""
    output_includes_reasoning: bool = True
    cache_is_reported: bool = True
    """False: a missing cache count is unknown. True: it is zero."""


INCLUDED = Accounting()
EXCLUDED = Accounting(input_includes_cached=False)
EXCLUDED_AND_SILENT = Accounting(input_includes_cached=False, cache_is_reported=False)
DISJOINT = Accounting(input_includes_cached=False, output_includes_reasoning=False)


@dataclass(frozen=True)
class Emitter:
    """Versions of one instrumentation scope, ``since`` (inclusive) to ``before`` (exclusive)."""

    scope: str
    accounting: Accounting
    learned_from: str
    since: Version = ()
    before: Version | None = None


EMITTERS: tuple[Emitter, ...] = (
    Emitter(
        "openinference.instrumentation.anthropic",
        EXCLUDED_AND_SILENT,
        "run with 0.1.10: 50 of 2098 tokens; openinference#1429, released in 0.1.14",
        before=(0, 1, 14),
    ),
    Emitter(
        "openinference.instrumentation.bedrock",
        EXCLUDED_AND_SILENT,
        "openinference#1429, released in 0.1.18",
        before=(0, 1, 18),
    ),
    Emitter(
        "opentelemetry.instrumentation.bedrock",
        EXCLUDED,
        "openllmetry#4449, open: measured on 0.62.3 (12 + 1000 cached reported as 12). "
        "Raise the bound when a later version was looked at",
        before=(0, 63),
    ),
    Emitter(
        "com.anthropic.claude_code.tracing",
        EXCLUDED,
        "recorded spans of 2.1.x: input_tokens 2, cache_read_tokens 84562; claude-code#50776",
    ),
    Emitter(
        "com.anthropic.claude_code.traces",
        EXCLUDED,
        "the same tracer's scope up to 2.1.170",
    ),
)


@lru_cache(maxsize=1024)
def accounting(scope_name: str | None, scope_version: str | None) -> Accounting:
    """How to read the counts of this scope.

    A version that cannot be read is taken for a current one: bounds are of old faults.
    """
    version = version_of(scope_version)
    for emitter in EMITTERS:
        if emitter.scope == scope_name and _covers(emitter, version):
            return emitter.accounting
    return INCLUDED


def _covers(emitter: Emitter, version: Version | None) -> bool:
    if version is None:
        return not emitter.since and emitter.before is None
    return version >= emitter.since and (emitter.before is None or version < emitter.before)
