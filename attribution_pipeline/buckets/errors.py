"""Errors of object storage as ``OSError``s that name the object and repeat nothing secret.

Belongs here: which error becomes which. Does not: trying again (``client``).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from types import MappingProxyType

from attribution_pipeline.model.errors import Refusal

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,63}", re.ASCII)
"""An error's code as servers write it. Anything else is not repeated."""

_IN_TEXT = re.compile(
    r"<Code>([A-Za-z][A-Za-z0-9.]{0,63})</Code>|status code:?\W+(\d{3}\b[A-Za-z ]*)"
)
"""What is repeated of delta-rs's account of an error."""

_NUMBERS: Mapping[int, int] = MappingProxyType(
    {
        401: errno.EACCES,
        403: errno.EACCES,
        404: errno.ENOENT,
        409: errno.EBUSY,
        412: errno.EEXIST,
        507: errno.ENOSPC,
    }
)

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "ConnectTimeoutError": "the endpoint does not answer",
        "ConnectionClosedError": "the connection was closed before the answer",
        "EndpointConnectionError": "the endpoint cannot be reached",
        "HTTPClientError": "the request could not be sent, or its answer not be read",
        "IncompleteReadError": "the answer ended before the object did",
        "ProtocolError": "the answer ended before the object did",
        "ProxyConnectionError": "the proxy cannot be reached",
        "ReadTimeoutError": "no answer in time",
        "ResponseParserError": "the answer is none of S3's",
        "ResponseStreamingError": "the answer ended before the object did",
        "SSLError": "the endpoint's certificate cannot be trusted",
    }
)

_TIMEOUTS = ("ConnectTimeoutError", "ReadTimeoutError")

_NO_CREDENTIALS = (
    "CredentialRetrievalError", "InvalidConfigError", "NoCredentialsError", "NoAuthTokenError",
    "PartialCredentialsError", "ProfileNotFound", "SSOError", "SSOTokenLoadError",
    "TokenRetrievalError", "UnauthorizedSSOTokenError",
)  # fmt: skip

_REMEDY = (
    "let the environment, a profile or a web identity name them: see docs/how-to/object-storage.md"
)


def in_words(error: Exception) -> tuple[int, str]:
    """HTTP status and the server's code of an answer that is an error; (0, "") for no answer."""
    said = getattr(error, "response", None)
    if not isinstance(said, dict):
        return 0, ""
    status = said.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(said.get("Error", {}).get("Code", ""))
    return int(status), code if _CODE.fullmatch(code) or code.isdigit() else ""


def failed(error: Exception | None, where: str) -> OSError:
    """The ``OSError`` for a request's error. Raises Refusal where there are no credentials, which no
    later try puts right."""
    kind = type(error).__name__
    if error is None or kind in _NO_CREDENTIALS:
        raise Refusal("no credentials were found for object storage", where=where, remedy=_REMEDY)
    status, code = in_words(error)
    if not status:
        words = _WORDS.get(kind, f"the request failed ({kind})")
        return OSError(errno.ETIMEDOUT if kind in _TIMEOUTS else errno.EIO, words, where)
    if code == "NoSuchBucket":
        return OSError(errno.ENXIO, "there is no such bucket", where)
    if status in (301, 307, 308):
        return OSError(errno.EIO, "the bucket is at another endpoint or region", where)
    words = f"storage answered {status}" + (f" {code}" if code and not code.isdigit() else "")
    return OSError(_NUMBERS.get(status, errno.EIO), words, where)


def failed_commit(error: Exception, where: str) -> OSError:
    """The ``OSError`` for an error of delta-rs, which tells it in pages of text."""
    found = _IN_TEXT.search(str(error))
    words = "Delta's log cannot be reached"
    if found:
        words += f": storage answered {(found[1] or found[2]).strip()}"
    return OSError(errno.EIO, words, where)
