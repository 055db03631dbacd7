"""Keys, and the ring of those that are known.

Belongs here: what a key is good for (algorithm, tenants, dates), signing and fitting bytes, looking
a key up. Does not: files and environment variables (``keyfile``), verdicts (``verification``).

The algorithm belongs to the key. Secrets are held where no ``repr``, log, copy or pickle shows them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from attribution_pipeline.envelope.claims import IDENTIFIER, LAST_SECOND
from attribution_pipeline.envelope.errors import EnvelopeError, MissingLibrary

Algorithm = Literal["hmac-sha256", "ed25519"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

MIN_SECRET_BYTES = 32
"""RFC 2104 section 3: a key shorter than the hash's output weakens it."""
MAX_SECRET_BYTES = 1_024
ED25519_KEY_BYTES = 32
"""RFC 8032 section 5.1.5: private seed and public key alike."""


class Secret:
    """Bytes that no text form shows. ``reveal`` is the only way to them."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        if type(value) is not bytes:
            raise EnvelopeError("a secret must be bytes")
        self._value = value

    def reveal(self) -> bytes:
        """The bytes, for a cryptographic function alone."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise EnvelopeError("a secret is not pickled: load the key file where it is needed")


@dataclass(frozen=True, eq=False, kw_only=True)
class Key:
    """One key. Times are whole seconds since 1970; ``not_before`` is inside, ``not_after`` too.

    ``hmac-sha256`` has a ``secret`` of 32 to 1,024 random bytes, with which everyone who verifies
    can also issue. ``ed25519`` has a ``private`` seed (the issuer) or the ``public`` key (everyone
    else), 32 bytes each; the public one follows from the private one.

    ``tenants``: shell patterns of the tenants that it may sign for. The dates are compared with an
    envelope's ``issued_at``: a key that is over verifies what it signed. ``revoked_from``: nothing
    issued from then on is believed.

    Raises EnvelopeError for a key that cannot be, MissingLibrary for ed25519 without cryptography.
    """

    key_id: str
    algorithm: Algorithm
    secret: Secret | bytes | None = field(default=None, repr=False)
    private: Secret | bytes | None = field(default=None, repr=False)
    public: bytes | None = None
    tenants: tuple[str, ...] = ("*",)
    not_before: int | None = None
    not_after: int | None = None
    revoked_from: int | None = None

    def __post_init__(self) -> None:
        self._require(
            type(self.key_id) is str and IDENTIFIER.fullmatch(self.key_id) is not None,
            f"a key id is no identifier: write {IDENTIFIER.pattern}",
        )
        self._require(
            self.algorithm in ALGORITHMS, f"the algorithm must be one of {', '.join(ALGORITHMS)}"
        )
        for name in ("secret", "private"):
            if isinstance(value := getattr(self, name), bytes):
                object.__setattr__(self, name, Secret(value))
        object.__setattr__(self, "tenants", tuple(self.tenants))
        self._require(
            len(self.tenants) > 0 and all(type(one) is str and one for one in self.tenants),
            "`tenants` must name at least one tenant or pattern",
        )
        for name in ("not_before", "not_after", "revoked_from"):
            value = getattr(self, name)
            good = value is None or (type(value) is int and 0 <= value <= LAST_SECOND)
            self._require(good, f"`{name}` is no time")
        ends, begins = self.not_after, self.not_before
        in_order = ends is None or begins is None or begins <= ends
        self._require(in_order, "`not_after` is before `not_before`")
        self._check_material()

    def _check_material(self) -> None:
        if self.algorithm == "hmac-sha256":
            self._require(
                self.secret is not None and self.private is None and self.public is None,
                "hmac-sha256 has a `secret`, and neither `private` nor `public`",
            )
            self._require(
                MIN_SECRET_BYTES <= len(_revealed(self.secret)) <= MAX_SECRET_BYTES,
                f"the secret must have {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes",
            )
        else:
            self._require(self.secret is None, "ed25519 has no `secret`")
            if self.private is not None:
                self._require(
                    len(_revealed(self.private)) == ED25519_KEY_BYTES,
                    f"`private` must have {ED25519_KEY_BYTES} bytes",
                )
                public = self._signer.public_key().public_bytes_raw()
                self._require(
                    self.public in (None, public), "`public` does not belong to `private`"
                )
                object.__setattr__(self, "public", public)
            self._require(
                type(self.public) is bytes and len(self.public) == ED25519_KEY_BYTES,
                f"ed25519 has a `private` or a `public` part of {ED25519_KEY_BYTES} bytes",
            )
            _ = self._verifier  # a library that is missing is missed here, not at the first token

    def _require(self, good: bool, otherwise: str) -> None:
        if not good:
            raise EnvelopeError(otherwise)

    @property
    def can_sign(self) -> bool:
        """Whether the part that signs is here."""
        return self.secret is not None or self.private is not None

    def valid_at(self, issued_at: int) -> bool:
        """Whether ``issued_at`` is within its dates."""
        return (self.not_before is None or self.not_before <= issued_at) and (
            self.not_after is None or issued_at <= self.not_after
        )

    def revoked_at(self, issued_at: int) -> bool:
        """Whether it was revoked by ``issued_at``."""
        return self.revoked_from is not None and issued_at >= self.revoked_from

    def may_sign_for(self, tenant_id: str) -> bool:
        """Whether one of ``tenants`` matches."""
        return any(fnmatchcase(tenant_id, pattern) for pattern in self.tenants)

    def sign(self, message: bytes) -> bytes:
        """The signature of ``message``. Raises EnvelopeError where the key only verifies."""
        if self.secret is not None:
            return hmac.digest(_revealed(self.secret), message, "sha256")
        if self.private is None:
            raise EnvelopeError(f"key {self.key_id} only verifies")
        return bytes(self._signer.sign(message))

    def fits(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is this key's over ``message``, in time that tells nothing."""
        if self.secret is not None:
            expected = hmac.digest(_revealed(self.secret), message, "sha256")
            return hmac.compare_digest(expected, signature)
        from cryptography.exceptions import InvalidSignature

        try:
            self._verifier.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def public_part(self) -> Key:
        """The same key for those who only verify. Raises EnvelopeError for hmac-sha256."""
        if self.algorithm != "ed25519":
            raise EnvelopeError(f"key {self.key_id} has no public part: its secret signs too")
        return Key(
            key_id=self.key_id, algorithm=self.algorithm, public=self.public, tenants=self.tenants,
            not_before=self.not_before, not_after=self.not_after, revoked_from=self.revoked_from,
        )  # fmt: skip

    def fingerprint(self) -> str:
        """What can change a verdict, as a digest: material, tenants and dates. Hexadecimal."""
        material = self.public or hmac.digest(_revealed(self.secret), b"fingerprint", "sha256")
        said = (
            self.key_id, self.algorithm, material.hex(), self.tenants,
            self.not_before, self.not_after, self.revoked_from,
        )  # fmt: skip
        return hashlib.sha256(repr(said).encode()).hexdigest()

    @cached_property
    def _signer(self) -> Any:
        return _ed25519().Ed25519PrivateKey.from_private_bytes(_revealed(self.private))

    @cached_property
    def _verifier(self) -> Any:
        return _ed25519().Ed25519PublicKey.from_public_bytes(self.public)

    def __copy__(self) -> Key:
        return self

    def __deepcopy__(self, memo: object) -> Key:
        return self

    def __getstate__(self) -> NoReturn:
        raise EnvelopeError("a key is not pickled: load the key file where it is needed")


class KeyRing:
    """The keys that are known, by key id, and the verifier's own ``audience`` (None: any).

    Raises EnvelopeError where two keys share an id, or where the audience is no identifier.
    """

    def __init__(self, keys: Iterable[Key] = (), *, audience: str | None = None) -> None:
        if audience is not None and not IDENTIFIER.fullmatch(audience):
            raise EnvelopeError(f"the audience is no identifier: write {IDENTIFIER.pattern}")
        self.audience = audience
        self._keys: dict[str, Key] = {}
        for key in keys:
            if key.key_id in self._keys:
                raise EnvelopeError(f"two keys are named {key.key_id}")
            self._keys[key.key_id] = key

    @classmethod
    def load(cls, path: str | Path, *, audience: str | None = None) -> KeyRing:
        """The keys of a key file, YAML or (``.json``) JSON. Raises KeyFileError, MissingLibrary."""
        from attribution_pipeline.envelope.keyfile import read_key_file

        return cls(read_key_file(Path(path)), audience=audience)

    @classmethod
    def from_environment(cls, variable: str, *, audience: str | None = None) -> KeyRing:
        """The keys of a variable that holds the text of a key file. Raises as ``load``."""
        from attribution_pipeline.envelope.keyfile import read_key_variable

        return cls(read_key_variable(variable), audience=audience)

    def get(self, key_id: str) -> Key | None:
        """The key of this id, or None: there is no falling back to another."""
        return self._keys.get(key_id)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def fingerprint(self) -> str:
        """What can change a verdict, as a digest that does not depend on the order. Hexadecimal."""
        lines = "\n".join([str(self.audience), *sorted(key.fingerprint() for key in self)])
        return hashlib.sha256(lines.encode()).hexdigest()


def _revealed(value: Secret | bytes | None) -> bytes:
    if isinstance(value, Secret):
        return value.reveal()
    raise EnvelopeError("the key has no such part")


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ModuleNotFoundError:
        raise MissingLibrary("cryptography", "ed25519") from None
    return ed25519
