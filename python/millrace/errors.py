# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, by who can do something about it."""
from typing import List, Tuple


class MillraceError(Exception):
    """All errors of this package. `errors` has (path, message) of each thing that is wrong."""

    def __init__(self, message: str, status: int = 0, tag: str = "", errors: "List[Tuple[str, str]]" = []) -> None:
        super().__init__(message)
        self.message, self.status, self.tag, self.errors = message, status, tag, list(errors)

    @property
    def path(self) -> str:
        """Where the first thing that is wrong is; empty: nowhere in particular."""
        return self.errors[0][0] if self.errors else ""


class Unreachable(MillraceError):
    """Nobody is behind the socket or address, or the connection broke."""


class TimedOut(Unreachable):
    """No answer came in time."""


class NotFound(MillraceError):
    """There is nothing of that name."""


class Invalid(MillraceError):
    """What was asked for makes no sense; nothing was changed."""


class Refused(MillraceError):
    """Whoever asked may not do that."""


class Conflict(MillraceError):
    """Not now: something is in the way, or the configuration has changed since."""
