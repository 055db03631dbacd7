"""What ``s3://bucket/prefix`` means, and how it is reached. Light: every command reads it.

Belongs here: the two records, what a bucket and a prefix may be called. Does not: requests
(``client``), the keys of the deployment file (``config``).

No secret stands in these records: they are printed, compared and handed to other processes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

SCHEME = "s3://"

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", re.ASCII)
"""General purpose buckets, the older names with capitals too."""

_SAFE_PREFIX = re.compile(r"[A-Za-z0-9._=/-]*", re.ASCII)
"""What a lake's prefix is made of: delta-rs escapes anything else twice when it looks for a checkpoint
(measured, 1.6.6)."""

MOST_KEY_BYTES = 1024
"""S3's limit of a key."""


@dataclass(frozen=True)
class Access:
    """How a bucket is reached. Credentials are looked up by the usual chain when it is."""

    endpoint: str = ""
    """``https://host[:port]``; empty is AWS in ``region``."""
    region: str = ""
    """Empty: as the environment or the profile says, else ``us-east-1`` for an own endpoint."""
    addressing: Literal["path", "virtual"] | None = None
    """Bucket in the path or in the host's name; None: in the path of an own endpoint, else AWS's way."""
    profile: str = ""
    """A profile of the AWS configuration files; empty: as the chain finds one."""
    attempts: int = 6
    """Times that a request is sent, with growing pauses, before its failure is one."""
    timeout_s: float = 60.0
    """How long an answer may keep silent."""


@dataclass(frozen=True)
class Bucket:
    """A place in a bucket. ``prefix`` has no slash at its ends; empty is the whole bucket."""

    bucket: str
    prefix: str = ""
    access: Access = field(default_factory=Access)
    scratch: str = ""
    """A local folder for work and copies; empty: one under the system's temporary folder."""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    def __truediv__(self, name: str) -> Bucket:
        return replace(self, prefix=self.key(str(name)))

    def key(self, name: str) -> str:
        """The key of an object with this name under the place."""
        return "/".join(part for part in (self.prefix, name.strip("/")) if part)

    @property
    def url(self) -> str:
        """``s3://bucket/prefix``."""
        return str(self)


def is_bucket_url(text: str) -> bool:
    """Whether this names a place in a bucket, well formed or not."""
    return text.lower().startswith(SCHEME)


def parse(text: str, access: Access | None = None, scratch: str = "") -> Bucket:
    """The place that ``s3://bucket/prefix`` names. Raises ValueError saying what is wrong with it."""
    bucket, _, prefix = text[len(SCHEME) :].partition("/")
    if not is_bucket_url(text) or not _BUCKET.fullmatch(bucket):
        raise ValueError("does not name a bucket: write s3://bucket or s3://bucket/prefix")
    prefix = prefix.rstrip("/")
    if len(prefix.encode()) > MOST_KEY_BYTES:
        raise ValueError(f"has a prefix of more than {MOST_KEY_BYTES} bytes")
    parts = prefix.split("/") if prefix else []
    if any(part in ("", ".", "..") for part in parts) or not prefix.isprintable():
        raise ValueError("has a prefix with an empty or relative part, or an unprintable letter")
    return Bucket(bucket, prefix, access or Access(), scratch)


def require_plain_prefix(place: Bucket) -> None:
    """Raise ValueError where a lake cannot stand under the prefix."""
    if not _SAFE_PREFIX.fullmatch(place.prefix):
        raise ValueError("has a prefix of other letters than A-Z a-z 0-9 . _ = - and /")
