# SPDX-License-Identifier: Apache-2.0
"""The client: one millrace, asked and changed.

    from millrace import Client, config

    with Client() as router:
        print(router.get(config.interface["lan1"].mtu))
        router.set(config.interface["lan1"].mtu, 9000, comment="jumbo frames")
"""
import json
import ssl
from types import TracebackType
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Type, TypeVar, Union, cast
from urllib.parse import quote, urlencode

from .errors import NotFound
from .model import Data, config
from .paths import Path, resource
from .transport import Transport, lines

T = TypeVar("T")
Json = Dict[str, Any]
DATA = "application/yang-data+json"


def _target(path: str, **query: Union[str, int, float, None]) -> str:
    given = {name.replace("_", "-"): value for name, value in query.items() if value is not None}
    return path + ("?" + urlencode(given, quote_via=quote) if given else "")


class Client:
    """`place` is the path of a control socket (default: where millrace listens), or http://host:port or
    https://host:port, with a token or, in `context`, a certificate. `timeout` is in seconds, for
    each answer."""

    def __init__(self, place: Optional[str] = None, token: Optional[str] = None,
                 context: Optional[ssl.SSLContext] = None, timeout: float = 10.0) -> None:
        self._transport = Transport(place, token, context, timeout)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; the next question opens another."""
        self._transport.close()

    # -- data by path --------------------------------------------------------------------------

    def get(self, path: Path[T], content: str = "all", defaults: bool = True, depth: Optional[int] = None) -> T:
        """What is there: configuration and state, or "config" or "nonconfig" alone. NotFound: nothing."""
        answer = json.loads(self._transport.ask("GET", _target(
            "/restconf/data/" + resource(path), content=content, depth=depth,
            with_defaults="report-all" if defaults else "explicit")))
        if not str(path):
            return cast(T, path._decode(answer.get("ietf-restconf:data", answer)))
        value = next(iter(answer.values()))
        return cast(T, path._decode(value[0] if path._is_entry() and isinstance(value, list) else value))

    def exists(self, path: Path[Any]) -> bool:
        """Whether anything is there."""
        try:
            self.get(path, depth=1)
        except NotFound:
            return False
        return True

    def set(self, path: Path[T], value: T, comment: Optional[str] = None, confirm: Optional[int] = None) -> None:
        """Exactly this is there afterwards: a commit, in force when the call returns."""
        self._write("PUT", path, value, comment, confirm)

    def patch(self, path: Path[T], value: T, comment: Optional[str] = None, confirm: Optional[int] = None) -> None:
        """Adds this to what is there."""
        self._write("PATCH", path, value, comment, confirm)

    def delete(self, path: Path[Any], comment: Optional[str] = None, confirm: Optional[int] = None) -> None:
        """Nothing is there afterwards. NotFound: nothing was."""
        self._transport.ask("DELETE", _target("/restconf/data/" + resource(path), comment=comment, confirm=confirm))

    def _write(self, method: str, path: Path[T], value: T, comment: Optional[str], confirm: Optional[int]) -> None:
        encoded = path._encode(value)
        if str(path):
            body = {path._name(): [encoded] if path._is_entry() else encoded}
        else:
            body = encoded
        self._transport.ask(method, _target("/restconf/data/" + resource(path), comment=comment, confirm=confirm),
                            json.dumps(body).encode(), DATA)

    def state(self, name: Optional[str] = None) -> Data:
        """What one function reports ("bridge"), "system", or all."""
        return cast(Data, json.loads(self._transport.ask("GET", "/state" + ("/" + quote(name) if name else ""))))

    # -- commits -------------------------------------------------------------------------------

    def rpc(self, name: str, **arguments: Any) -> Json:
        """An operation, "millrace-commit:plan"; arguments that are None are not sent."""
        module = name.split(":")[0]
        given = {key.replace("_", "-"): value for key, value in arguments.items() if value is not None}
        answer = self._transport.ask("POST", "/restconf/operations/" + name,
                                     json.dumps({module + ":input": given}).encode(), DATA)
        return cast(Json, json.loads(answer)[module + ":output"]) if answer else {}

    def plan(self, text: str) -> Json:
        """What the configuration in this text would change ("changes") and what that touches ("touches")."""
        return self.rpc("millrace-commit:plan", config=text)

    def apply(self, text: str, comment: Optional[str] = None, confirm: Optional[int] = None) -> Json:
        """The configuration in this text, all or nothing. With `confirm` it is taken back unless confirm()
        comes in so many seconds. Returns "id", "changed", "changes"."""
        return self.rpc("millrace-commit:apply", config=text, comment=comment, confirm=confirm)

    def confirm(self, commit: Optional[int] = None) -> int:
        """The commit that waits stays."""
        return int(self.rpc("millrace-commit:confirm", id=commit)["id"])

    def cancel(self, commit: Optional[int] = None) -> int:
        """The commit that waits is taken back now."""
        return int(self.rpc("millrace-commit:cancel", id=commit)["id"])

    def rollback(self, to: Optional[int] = None, comment: Optional[str] = None, confirm: Optional[int] = None) -> Json:
        """An earlier commit's configuration again; without `to`, the one before."""
        return self.rpc("millrace-commit:rollback", to=to, comment=comment, confirm=confirm)

    def dump(self, commit: Optional[int] = None) -> str:
        """The configuration in force, or of a commit, as a file has it."""
        return str(self.rpc("millrace-commit:get", commit=commit)["text"])

    def history(self) -> List[Json]:
        """The commits that are remembered."""
        return cast(List[Json], self.get(config.commits, content="nonconfig"))

    # -- streams -------------------------------------------------------------------------------

    def _events(self, target: str, timeout: Optional[float]) -> Iterator[Json]:
        data: List[str] = []
        for line in lines(self._transport.stream(target, timeout)):
            line = line.rstrip("\r")
            if line.startswith("data:"):
                data.append(line[5:].lstrip(" "))
            elif not line and data:
                yield json.loads("\n".join(data))
                data = []

    def changes(self, since: Optional[int] = None, timeout: Optional[float] = None) -> Iterator[Json]:
        """Commits as they are made: "id", "who", "when", "comment", "changes". With `since` those after
        that commit first. TimedOut: none for `timeout` seconds."""
        return self._events(_target("/restconf/streams/changes", since=since), timeout)

    def watch(self, *names: str, period: float = 1.0, timeout: Optional[float] = None) -> Iterator[Data]:
        """State of these functions, again and again, every `period` seconds."""
        target = _target("/restconf/streams/state", names=",".join(names), period=round(period * 1000))
        return cast(Iterator[Data], self._events(target, timeout))

    # -- inside --------------------------------------------------------------------------------

    def _objects(self, target: str, timeout: Optional[float]) -> Iterator[Json]:
        for line in lines(self._transport.stream(target, timeout)):
            if line:
                yield json.loads(line)

    def drops(self, count: int = 100, node: Optional[str] = None, reason: Optional[str] = None,
              interface: Optional[str] = None, filter: Optional[str] = None) -> List[Json]:
        """The last packets dropped, with their bytes, the newest last."""
        target = _target("/drops", count=count, node=node, reason=reason, interface=interface, filter=filter)
        return [json.loads(line) for line in self._transport.ask("GET", target).splitlines() if line]

    def explain(self, interface: str, frame: bytes, own: bool = False) -> Json:
        """What would become of this frame; `own`: it goes to the data plane's own Ethernet address."""
        target = _target("/explain", interface=interface, to="own" if own else None)
        return cast(Json, json.loads(self._transport.ask("POST", target, frame.hex().encode())))

    def trace(self, count: int = 1, interface: Optional[str] = None, filter: Optional[str] = None,
              timeout: Optional[float] = None) -> Iterator[Json]:
        """What happens to the next packets that match a pcap filter, one recording each."""
        return self._objects(_target("/trace", count=count, interface=interface, filter=filter), timeout)

    def capture(self, out: BinaryIO, count: int, interface: Optional[str] = None, filter: Optional[str] = None,
                points: Optional[str] = None, timeout: Optional[float] = None) -> int:
        """Writes the next `count` packets to a file as pcapng; returns its bytes. `points`: "rx,tx,drop"."""
        target = _target("/capture", count=count, interface=interface, filter=filter, points=points)
        size = 0
        for piece in self._transport.stream(target, timeout):
            size += out.write(piece)
        return size

    def listing(self, function: str, stream: str, **filters: Union[str, int]) -> Iterator[Json]:
        """A long list, entry by entry: listing("conntrack", "connections", protocol="tcp")."""
        return self._objects(_target("/state/%s/%s" % (quote(function), quote(stream)), **filters), None)

    def metrics(self) -> str:
        """Every number by its name, as Prometheus reads it."""
        return self._transport.ask("GET", "/metrics").decode()
