# SPDX-License-Identifier: Apache-2.0
"""A client of millrace: see docs/python.md."""
from .client import Client
from .errors import Conflict, Invalid, MillraceError, NotFound, Refused, TimedOut, Unreachable
from .model import Data, config

__all__ = ["Client", "Conflict", "Data", "Invalid", "MillraceError", "NotFound", "Refused", "TimedOut",
           "Unreachable", "config"]
