"""What the company's requests carry of who caused them: names, signed envelopes, links; and forgeries.

Belongs here: who signs and with which key, what each root carries, what the faults ``forged`` and
``stripped`` make of it. Does not: span text (``emitters``), retries (``retries``), whether an
envelope is any good: the engine has to find out, the company knows what it did.

One envelope is issued for a request, not for a span: spans carry it unchanged.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256

import numpy as np

from attribution_pipeline.envelope import Claims, Key, issue
from attribution_pipeline.simulator.cluster import Clusters
from attribution_pipeline.simulator.company import (
    SIGNERS,
    TENANTS,
    WORKFLOWS,
    WORKLOAD,
    originator_of,
    who_columns,
)
from attribution_pipeline.simulator.emitters import text, who_texts
from attribution_pipeline.simulator.faults import FORGED_ENVELOPES, STRIPPED_ENVELOPES
from attribution_pipeline.simulator.traffic import Chunk, signs

AUDIENCE = "acme-ai-chargeback"
LIFETIME = 6 * 3600
"""Seconds: a request and every retry of it."""

FORGED_SHARE, STRIPPED_SHARE = 0.25, 0.20
STOLEN_KEY = "assistant-2025"
"""Revoked before the first day; the fault signs with it all the same."""
ROGUE_KEY = "rogue-2026"
"""In no key file."""
VALID_FROM = 1_735_689_600  # 2025-01-01T00:00:00Z
REVOKED_FROM = 1_767_225_600  # 2026-01-01T00:00:00Z
STOLEN_AT = 3 * 86_400
"""How many seconds before the request a stolen envelope was issued: it is long expired."""

CHANGED, OTHER_SECRET, ROGUE, REVOKED, EXPIRED, COPIED = range(6)
"""Ways to forge."""


@dataclass
class Carried:
    """What the spans of each root say of who caused them."""

    said: np.ndarray
    """The who that attributes name."""
    envelopes: list[str]
    """The envelope attribute with a comma in front, empty where there is none."""
    links: list[str]
    """The link member of each span with a comma behind, empty where there is none; a silent root's
    calls go without."""
    unverified: np.ndarray
    """Roots of a service that must sign, without an envelope that holds."""
    silent: np.ndarray
    """Roots whose calls say nothing of their own: only the root's span knows."""
    more: str = ""
    """What every span says besides, with a comma in front."""

    def words(self) -> list[str]:
        """By root: everything its own span says of who, each attribute with a comma in front."""
        names = who_texts()
        return [
            names[who] + envelope + self.more
            for who, envelope in zip(self.said.tolist(), self.envelopes, strict=True)
        ]


def key_file() -> str:
    """The deployment's ``keys.yaml``. Made-up keys of a made-up company: they protect nothing."""
    entries = []
    for key in _keys().values():
        material = (
            f"secret: {base64.b64encode(_seed(key.key_id)).decode()}"
            if key.algorithm == "hmac-sha256"
            else f"public: {base64.b64encode(key.public or b'').decode()}"
        )
        revoked = '\n    revoked_from: "2026-01-01T00:00:00Z"' if key.key_id == STOLEN_KEY else ""
        entries.append(
            f"  - key_id: {key.key_id}\n    algorithm: {key.algorithm}\n    {material}\n"
            f'    tenants: ["*"]\n    not_before: "2025-01-01T00:00:00Z"{revoked}'
        )
    return "\n".join(("# of a made-up company: these keys protect nothing", "keys:", *entries, ""))


@cache
def _keys() -> dict[str, Key]:
    """Every key that the pipeline knows, with the part that signs."""
    keys = [_key(STOLEN_KEY, "hmac-sha256")]
    keys += [_key(signer.key_id, signer.algorithm) for signer in SIGNERS]
    return {key.key_id: key for key in keys}


@cache
def _key(key_id: str, algorithm: str, spoiled: str = "") -> Key:
    seed = _seed(key_id + spoiled)
    part = {"secret": seed} if algorithm == "hmac-sha256" else {"private": seed}
    return Key(key_id=key_id, algorithm=algorithm, not_before=VALID_FROM, **part)  # type: ignore[arg-type]


def _seed(key_id: str) -> bytes:
    return sha256(f"made-up key {key_id}".encode()).digest()


def signer_of_pod(clusters: Clusters) -> np.ndarray:
    """By pod the number of its signer, -1 where nothing is signed."""
    number = {WORKLOAD[signer.workload]: n for n, signer in enumerate(SIGNERS)}
    must = signs(clusters)
    return np.array([
        number[pod.workload] if needed else -1
        for pod, needed in zip(clusters.pods, must.tolist(), strict=True)
    ])  # fmt: skip


def carry(
    chunk: Chunk, clusters: Clusters, faults: frozenset[str], rng: np.random.Generator, *,
    whole: np.ndarray, spared: np.ndarray,
) -> Carried:  # fmt: skip
    """What each root of a chunk carries.

    ``whole``: roots of which every span arrives; envelopes are copied from them and to them alone,
    because nobody could ever tell a copy whose original did not arrive. ``spared``: roots whose
    envelope is neither copied nor stripped; they are tried again by a worker that must not sign, of
    whom nobody could tell that something is missing.
    """
    roots = len(chunk.root_who)
    signer = signer_of_pod(clusters)[chunk.root_pod]
    ids = rng.bytes(8 * roots).hex()
    luck, kinds = rng.random(roots), rng.integers(0, COPIED + 1, roots)
    victims = rng.integers(1, len(TENANTS), roots)
    open_to = (signer >= 0) & ~spared
    forged = (signer >= 0) & (luck < FORGED_SHARE) & (FORGED_ENVELOPES in faults)
    forged &= ~spared | (kinds != COPIED)
    stripped = open_to & (luck >= 1 - STRIPPED_SHARE) & (STRIPPED_ENVELOPES in faults)
    said = chunk.root_who.copy()
    astray = forged | (stripped & (kinds % 2 == 0))
    said[astray] = _another(chunk.root_who, victims)[astray]
    tokens = [""] * roots
    for root in np.flatnonzero((signer >= 0) & ~stripped).tolist():
        issued = int(chunk.root_start[root]) // 1000
        issuance = ids[16 * root : 16 * root + 16]
        if not forged[root]:
            own = _key(SIGNERS[signer[root]].key_id, SIGNERS[signer[root]].algorithm)
            tokens[root] = issue(_claims(int(said[root]), issuance, issued), own)
        elif kinds[root] != COPIED:
            tokens[root] = _forged(
                int(kinds[root]), SIGNERS[signer[root]].algorithm, SIGNERS[signer[root]].key_id,
                int(chunk.root_who[root]), int(said[root]), issuance, issued,
            )  # fmt: skip
    copied = _copy(
        chunk, tokens, said, forged & (kinds == COPIED) & whole,
        open_to & ~forged & ~stripped & whole,
    )  # fmt: skip
    return Carried(
        said, [attribute(token) for token in tokens], [""] * roots, forged | stripped | copied,
        np.zeros(roots, dtype=bool),
    )  # fmt: skip


def attribute(token: str) -> str:
    """A token as a span attribute with a comma in front."""
    return "," + text("attribution.envelope", token) if token else ""


def _another(who: np.ndarray, step: np.ndarray) -> np.ndarray:
    """For each who the same workflow of another tenant."""
    tenant = (who // len(WORKFLOWS) + step) % len(TENANTS)
    other: np.ndarray = tenant * len(WORKFLOWS) + who % len(WORKFLOWS)
    return other


def _claims(who: int, issuance: str, issued_at: int) -> Claims:
    said = _said(who)
    return Claims(
        tenant_id=said["tenant_id"], originator_id=said["originator_id"],
        workflow_id=said["workflow_id"], operation_id=f"op-{issuance}",
        issuance_id=f"is-{issuance}", issued_at=issued_at, expires_at=issued_at + LIFETIME,
        audience=AUDIENCE, consumer_id=said["consumer_id"], feature=said["feature"],
        environment=said["environment"],
    )  # fmt: skip


@cache
def _said(who: int) -> dict[str, str]:
    return who_columns(who) | {"originator_id": originator_of(who) or ""}


def _forged(
    kind: int, algorithm: str, key_id: str, who: int, victim: int, issuance: str, issued: int
) -> str:
    """An envelope that names ``victim`` and does not hold."""
    claims = _claims(victim, issuance, issued)
    if kind == OTHER_SECRET:
        return issue(claims, _key(key_id, algorithm, "spoiled"))
    if kind == ROGUE:
        return issue(claims, _key(ROGUE_KEY, algorithm))
    if kind == REVOKED:
        return issue(claims, _key(STOLEN_KEY, "hmac-sha256"))
    if kind == EXPIRED:
        old = _claims(victim, issuance, issued - STOLEN_AT)
        return issue(old, _key(key_id, algorithm))
    prefix, payload, signature = issue(
        _claims(who, issuance, issued), _key(key_id, algorithm)
    ).split(".")
    bent = _unpadded(payload).replace(
        _said(who)["tenant_id"].encode(), _said(victim)["tenant_id"].encode()
    )
    return ".".join((prefix, base64.urlsafe_b64encode(bent).rstrip(b"=").decode(), signature))


def _unpadded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _copy(
    chunk: Chunk, tokens: list[str], said: np.ndarray, copying: np.ndarray, donors: np.ndarray
) -> np.ndarray:
    """Give each copying root the envelope of another tenant's root that began before it; one that
    finds none goes without. Which roots were copied from: one issuance in two traces that nothing
    joins is believed in neither, because nobody can tell the copy."""
    tenant, copied = chunk.root_who // len(WORKFLOWS), np.zeros(len(tokens), dtype=bool)
    able = np.flatnonzero(donors)
    for root in np.flatnonzero(copying).tolist():
        found = able[
            (tenant[able] != tenant[root]) & (chunk.root_end[able] < chunk.root_start[root])
        ]
        if len(found):
            donor = int(found[root % len(found)])
            tokens[root], said[root] = tokens[donor], chunk.root_who[donor]
            copied[donor] = True
    return copied


def links_of_calls(carried: Carried) -> list[str]:
    """By root the link that its calls' spans have."""
    return [
        "" if mute else link
        for link, mute in zip(carried.links, carried.silent.tolist(), strict=True)
    ]


def words_of_calls(carried: Carried, call_root: np.ndarray, lost: np.ndarray) -> list[str]:
    """By call what its span says of who: its root's words, unless they got lost or it is silent."""
    words = carried.words()
    mute = (lost | carried.silent[call_root]).tolist()
    return [
        "" if nothing else words[root]
        for root, nothing in zip(call_root.tolist(), mute, strict=True)
    ]


def envelopes_of_calls(carried: Carried, call_root: np.ndarray, lost: np.ndarray) -> Sequence[str]:
    """By call the envelope alone: all that a gateway of another house passes on."""
    mute = (lost | carried.silent[call_root]).tolist()
    return [
        "" if nothing else carried.envelopes[root]
        for root, nothing in zip(call_root.tolist(), mute, strict=True)
    ]
