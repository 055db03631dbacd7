"""Verdicts on a day's identity envelopes: each distinct token is verified once.

Belongs here: tokens to claims and verdicts, what only other spans can tell (``conflict``,
``replayed``), which services must sign, with which keys, for whom. Does not: cryptography
(``envelope``), who caused a call (``identity``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from attribution_pipeline.attribution.day import Finding
from attribution_pipeline.attribution.engine import Session
from attribution_pipeline.model.ledger import WHO

if TYPE_CHECKING:
    import pyarrow as pa

    from attribution_pipeline.envelope import KeyRing, Verification
    from attribution_pipeline.model.policy import Policy

SIGNED = (
    "tenant_id", "originator_id", "consumer_id", "project", "workflow_id", "task", "feature",
    "environment",
)  # fmt: skip
"""What an envelope says of who: for these columns its word alone counts, be it null."""

UNSIGNED_WHO = tuple(column for column in WHO if column not in SIGNED)
"""Who-columns that no envelope holds: principal, agent, prompt version. The span's own."""

TOKENS = ("envelope", "verdict", "key_id", "issuance_id", "expires_unix_nano", "said", *SIGNED)
"""Columns of ``tokens``. ``said``: digest of all claims. Claims are null unless verified."""

TOKENS_AT_A_TIME = 20_000
"""Verdicts that are held as Python objects: about 40 MB."""

NS = 10**9

CALLS_SAID = "calls without a tenant: what was said of them is not believed"


def load_verdicts(db: Session, policy: Policy, keys: KeyRing | None, *, verified: str = "") -> None:
    """``tokens`` (grain: distinct envelope of ``carriers``), ``disbelieved`` (grain: issuance that is
    believed nowhere), ``signers`` (grain: service that must sign), ``allowed`` (grain: such a
    service, key, tenant).

    ``verified``: a view of tokens of an earlier state under the same keys, not verified again.
    """
    _load_tokens(db, keys, verified)
    _load_signers(db, policy)
    _load_disbelieved(db)


def unverified_calls(db: Session, operations: str) -> list[Finding]:
    """Calls that end on the day, of which somebody was named who is not believed, by verdict."""
    return [
        Finding("identity_unverified", "warn", f"{source} {verdict}", f"{calls} {CALLS_SAID}")
        for source, verdict, calls in db.rows(
            f"select identity_source, verdict, count(*) from {operations} "
            "where unverified and ends_today group by all order by all"
        )
    ]


def verify_tokens(
    db: Session, spans: str, keys: KeyRing | None, *, known: str = "", table: str = "tokens"
) -> None:
    """``table`` (columns ``TOKENS``) of the distinct envelopes of ``spans`` that the view ``known``
    does not have yet; those that it has are not read into memory."""
    import pyarrow as pa

    from attribution_pipeline.envelope import KeyRing, verify_issuance

    ring = KeyRing() if keys is None else keys
    carried = f"select distinct envelope from {spans} where envelope is not null"
    known = f"except select envelope from {known} where envelope in ({carried})" if known else ""
    tables = [
        _table([(token, verify_issuance(token, ring)) for token in batch.column(0).to_pylist()])
        for batch in db.batches(f"{carried} {known} order by 1", TOKENS_AT_A_TIME)
    ]
    db.load(table, pa.concat_tables([_table([]), *tables]))


def _load_tokens(db: Session, keys: KeyRing | None, verified: str) -> None:
    if not verified:
        verify_tokens(db, "carriers", keys)
        return
    db.execute(
        f"create table verified_tokens as select {', '.join(TOKENS)} from {verified} "
        "where envelope in (select envelope from carriers)"
    )
    verify_tokens(db, "carriers", keys, known="verified_tokens")
    db.execute("insert into tokens select * from verified_tokens; drop table verified_tokens")


def _table(found: Sequence[tuple[str, Verification]]) -> pa.Table:
    import pyarrow as pa

    rows = [_row(token, verification) for token, verification in found]
    columns = list(zip(*rows, strict=True)) or [()] * len(TOKENS)
    return pa.table(
        {
            name: pa.array(values, pa.int64() if name == "expires_unix_nano" else pa.string())
            for name, values in zip(TOKENS, columns, strict=True)
        }
    )


def _row(token: str, found: Verification) -> tuple[str | int | None, ...]:
    issuance = found.named.issuance_id if found.named else None
    claims = found.claims
    if claims is None:
        return (token, found.verdict, found.key_id, issuance, None, None, *[None] * len(SIGNED))
    said = hashlib.blake2b(repr(claims).encode(), digest_size=16).hexdigest()
    who = (getattr(claims, column) for column in SIGNED)
    return (token, found.verdict, found.key_id, issuance, claims.expires_at * NS, said, *who)


def _load_signers(db: Session, policy: Policy) -> None:
    import pyarrow as pa

    signers: dict[str, list[tuple[list[str], list[str]]]] = {}
    if policy.issuers:
        for (service,) in db.rows(
            "select distinct service_name from delivered where service_name is not null order by 1"
        ):
            rules = [
                (issuer.keys, issuer.tenants)
                for issuer in policy.issuers
                if _fits(service, issuer.services)
            ]
            if rules:
                signers[service] = rules
    pairs = db.rows(
        "select distinct key_id, tenant_id from tokens where verdict = 'verified' order by all"
    )
    allowed = [
        (service, key, tenant)
        for service, rules in signers.items()
        for key, tenant in pairs
        if any(
            _fits(key, keys) and _fits(policy.tenant_alias(tenant), tenants)
            for keys, tenants in rules
        )
    ]
    columns = list(zip(*allowed, strict=True)) or [(), (), ()]
    db.load("signers", pa.table({"service_name": pa.array(list(signers), pa.string())}))
    db.load(
        "allowed",
        pa.table(
            {
                name: pa.array(values, pa.string())
                for name, values in zip(
                    ("service_name", "key_id", "tenant_id"), columns, strict=True
                )
            }
        ),
    )


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _load_disbelieved(db: Session) -> None:
    """One issuance with two claims, or in traces that nothing joins."""
    db.run("planes/identity_issuances")
    while db.one("select count(*) from nearer"):
        db.execute(
            "update parts set part = n.part from nearer n "
            "where n.issuance_id = parts.issuance_id and n.trace_id = parts.trace_id"
        )
    db.execute(
        "create table disbelieved as "
        "select issuance_id, 'conflict' as verdict from conflicts union all "
        "select issuance_id, 'replayed' from parts "
        "where issuance_id not in (select issuance_id from conflicts) "
        "group by issuance_id having count(distinct part) > 1; "
        "drop view nearer; drop table bridges; drop table parts; drop table conflicts"
    )
