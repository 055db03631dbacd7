"""How the envelope library says no.

Belongs here: its exceptions. Does not: verdicts on a token, which are values (``verification``): a bad
token from outside is an answer, not an exception. No message ever holds a token or a key.
"""

from __future__ import annotations


class EnvelopeError(ValueError):
    """A request that this library refuses: claims, keys, headers or call order that cannot be."""


class KeyFileError(EnvelopeError):
    """A key file that cannot be used: what is wrong, where (``file:line``), and the remedy."""

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text}; {remedy}" if remedy else text)


class MissingLibrary(EnvelopeError):
    """A library that this part needs and that the base installation does not bring."""

    def __init__(self, library: str, what_for: str) -> None:
        super().__init__(
            f"{what_for} needs {library}, which is not installed: "
            "install attribution_pipeline[envelope]"
        )
