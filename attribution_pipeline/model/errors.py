"""The one way in which this product says no.

Belongs here: ``Refusal``, an error with a place and a remedy. Does not: what is refused and why,
which stands beside the rule that refuses.
"""

from __future__ import annotations


class Refusal(Exception):
    """An input that cannot be used: what is wrong, where, and what to do about it.

    Printed as one line on stderr by the command line, with exit status 2.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(self.line())

    def line(self) -> str:
        """``where: what; remedy`` on one line."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.remedy:
            text = f"{text}; {self.remedy}"
        return " ".join(text.split())


class Overtaken(Refusal):
    """Another run was first with what this one was about to commit: look again, and try again."""


class Broken(AssertionError):
    """An invariant of the ledger that does not hold. Never caught: the day is not written."""
