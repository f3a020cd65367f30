# SPDX-License-Identifier: Apache-2.0
"""HTTP over a Unix socket or TCP: one connection that is kept for questions, one for each stream."""
import http.client
import json
import os
import socket
import ssl
import threading
import time
from typing import Any, Iterator, Mapping, Optional, Tuple
from urllib.parse import urlsplit

from . import errors

IDLE_MAX = 5.0  # seconds that a connection is kept without use: servers close theirs, too


def default_socket() -> str:
    """Where `millrace run` listens when nothing else was said."""
    if os.geteuid() == 0:
        return "/run/millrace.sock"
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return "%s/millrace.sock" % folder if folder else "/tmp/millrace-%d.sock" % os.geteuid()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: Optional[float]) -> None:
        super().__init__("millrace", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Transport:
    """Where a millrace is reached. May be shared between threads."""

    def __init__(self, place: Optional[str], token: Optional[str], context: Optional[ssl.SSLContext],
                 timeout: float) -> None:
        self._place = place or default_socket()
        self._headers = {"Authorization": "Bearer " + token} if token else {}
        self._context, self._timeout = context, timeout
        self._lock = threading.Lock()
        self._kept: Optional[http.client.HTTPConnection] = None
        self._used = 0.0

    def _open(self, timeout: Optional[float]) -> http.client.HTTPConnection:
        url = urlsplit(self._place)
        if url.scheme == "https":
            return http.client.HTTPSConnection(url.hostname or "", url.port, timeout=timeout, context=self._context)
        if url.scheme == "http":
            return http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
        return _UnixConnection(self._place, timeout)

    def close(self) -> None:
        with self._lock:
            if self._kept:
                self._kept.close()
            self._kept = None

    def _broken(self, error: Exception) -> errors.MillraceError:
        if isinstance(error, socket.timeout):
            return errors.TimedOut("%s: no answer in time" % self._place)
        return errors.Unreachable("%s: %s" % (self._place, str(error) or type(error).__name__))

    def _once(self, method: str, target: str, body: Optional[bytes],
              headers: Mapping[str, str]) -> Tuple[int, bytes]:
        assert self._kept
        self._kept.request(method, target, body, {**self._headers, **headers})
        answer = self._kept.getresponse()
        return answer.status, answer.read()

    def ask(self, method: str, target: str, body: Optional[bytes] = None, kind: str = "") -> bytes:
        """One question; its answer's body, or an exception from what the server said."""
        headers = {"Content-Type": kind} if kind else {}
        with self._lock:
            fresh = self._kept is None or time.monotonic() - self._used > IDLE_MAX
            if fresh:
                if self._kept:
                    self._kept.close()
                self._kept = self._open(self._timeout)
            try:
                try:
                    status, answer = self._once(method, target, body, headers)
                except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                    # A kept connection may have been closed under way. Only what changes nothing is asked again.
                    if fresh or method != "GET":
                        raise
                    assert self._kept
                    self._kept.close()
                    self._kept = self._open(self._timeout)
                    status, answer = self._once(method, target, body, headers)
            except (OSError, http.client.HTTPException) as error:
                if self._kept:
                    self._kept.close()
                self._kept = None
                raise self._broken(error) from error
            self._used = time.monotonic()
        if status >= 300:
            raise said_no(status, answer)
        return answer

    def stream(self, target: str, timeout: Optional[float], method: str = "GET") -> Iterator[bytes]:
        """The pieces of an answer that goes on; its connection is closed with the iterator."""
        connection = self._open(timeout)
        try:
            connection.request(method, target, headers=self._headers)
            answer = connection.getresponse()
            if answer.status >= 300:
                raise said_no(answer.status, answer.read())
            while True:
                piece = answer.read1(65536)
                if not piece:
                    return
                yield piece
        except (OSError, http.client.HTTPException) as error:
            raise self._broken(error) from error
        finally:
            connection.close()


def lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Whole lines out of pieces."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")


def said_no(status: int, body: bytes) -> errors.MillraceError:
    """The exception for an answer: RFC 8040's errors, or {"error": "..."}."""
    found, tag = [], ""
    message = "the server answered %d" % status
    try:
        answer: Any = json.loads(body)
        for one in answer.get("ietf-restconf:errors", {}).get("error", []):
            found.append((one.get("error-path", ""), one.get("error-message", "")))
            tag = tag or one.get("error-tag", "")
        if found:
            message = "; ".join("%s: %s" % pair if pair[0] else pair[1] for pair in found)
        elif "error" in answer:
            message = str(answer["error"])
    except (ValueError, AttributeError):
        pass
    kinds = {401: errors.Refused, 403: errors.Refused, 404: errors.NotFound, 409: errors.Conflict,
             412: errors.Conflict}
    kind = kinds.get(status, errors.Invalid if 400 <= status < 500 else errors.MillraceError)
    return kind(message, status, tag, found)
