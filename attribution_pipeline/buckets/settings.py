"""How a bucket is reached, as people write it in the deployment file.

Belongs here: the keys under ``s3``, which places and endpoints are refused. Does not: the rest of the
deployment file (``config``), requests (``client``).
"""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, model_validator

from attribution_pipeline.buckets.addresses import forbidden
from attribution_pipeline.buckets.place import (
    Access,
    is_bucket_url,
    parse,
    require_plain_prefix,
)
from attribution_pipeline.model.strict import Strict, Text, refuse


def located(value: str) -> str:
    """``s3://bucket/prefix`` without a slash at its end; refuses any other scheme."""
    if not is_bucket_url(value):
        scheme = value.partition("://")[0]
        raise refuse(f"{scheme}:// cannot be used", "give a folder, or s3://bucket/prefix")
    if "@" in value.split("/")[2]:
        # a secret may stand in it: not repeated
        raise refuse("a place in a bucket may not hold a user",
                     "credentials come from the environment")  # fmt: skip
    try:
        return str(parse(value))
    except ValueError as error:
        raise refuse(f"{value!r} {error}", "write s3://bucket/prefix") from None


def plain(value: str) -> str:
    """A location under which a lake can stand; refuses a prefix that its tables cannot have."""
    if is_bucket_url(value):
        try:
            require_plain_prefix(parse(value))
        except ValueError as error:
            raise refuse(f"{value!r} {error}", "put the lake under another prefix") from None
    return value


def _endpoint(value: str) -> str:
    """``http(s)://host[:port]``: no path, no user, no address that only this machine's cloud answers."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = f"{parts.scheme}://{parts.hostname or ''}" + (f":{port}" if port else "")
    if parts.scheme not in ("http", "https") or plain not in (
        value.lower().rstrip("/"), value.lower().rstrip("/").replace("[", "").replace("]", ""),
    ):  # fmt: skip
        # a password may stand in it: not repeated
        raise refuse("is no endpoint", "write https://host or https://host:port, nothing else")
    reason = forbidden(parts.hostname or "", loopback=True)
    if reason:
        raise refuse(f"{value!r} is {reason}", "name the server's")
    return value.rstrip("/")


class S3(Strict):
    """How ``s3://`` is reached. Credentials never stand here: the environment, a profile of the AWS
    configuration files, a web identity or the machine's role gives them."""

    endpoint: Annotated[Text, AfterValidator(_endpoint)] | None = None
    """Of a server that is not AWS: ``https://s3.example.com``. No other endpoint is ever used."""
    region: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")] | None = None
    """Where the buckets are; not given, as AWS_REGION or the profile says."""
    addressing: Literal["path", "virtual"] | None = None
    """``path``: endpoint/bucket; ``virtual``: bucket.endpoint. Not given, ``path`` for an own endpoint."""
    allow_http: bool = False
    """Whether the endpoint may be ``http://``: evidence and signatures then travel in the open."""
    profile: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@/+-]{1,128}$")] | None = None
    """A profile of the AWS configuration files."""

    @model_validator(mode="after")
    def _encrypted(self) -> S3:
        if self.endpoint and self.endpoint.startswith("http://") and not self.allow_http:
            raise refuse("the endpoint is not encrypted", "use https://, or add `allow_http: true`",
                         at=("endpoint",))  # fmt: skip
        return self

    def access(self) -> Access:
        """For whoever asks storage."""
        return Access(self.endpoint or "", self.region or "", self.addressing, self.profile or "")
