# SPDX-License-Identifier: Apache-2.0
"""Every change and every refused attempt is told of: to syslog, to collectors, to the journal's form."""
import os
import re
import socket
import tempfile

import pytest

from rest_lab import Rest, free_port

DATA = "/restconf/data"
# RFC 5424: PRI VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID [SD] MSG
RFC5424 = re.compile(
    r"^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]+) millrace (\d+) (request|commit) "
    r"\[millrace@32473((?: [a-z]+=\"(?:[^\"\\\]]|\\[\"\\\]])*\")+)\] (.*)$", re.S)


def fields(message):
    match = RFC5424.match(message)
    assert match, message
    return match.group(5), int(match.group(1)), dict(re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"', match.group(6)))


class Sink:
    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(5)

    def take(self, wanted):
        """The first message with these fields."""
        while True:
            kind, priority, got = fields(self.sock.recv(65536).decode())
            if all(got.get(name) == value for name, value in wanted.items()):
                return kind, priority, got


@pytest.fixture
def told():
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        local = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        local.bind(os.path.join(folder, "log"))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        rest = Rest(rest={"audit": {"syslog": os.path.join(folder, "log"), "collector": [
            {"address": "127.0.0.1", "port": udp.getsockname()[1]}]}})
        yield rest, Sink(local), Sink(udp)
        rest.close()
        local.close()
        udp.close()


def test_changes_are_told(told):
    rest, local, udp = told
    path = DATA + "/millrace-interface:interface=a/mtu"
    assert rest.ask("PUT", path + '?comment=a%20%22quoted%22%20]', {"millrace-interface:mtu": 1400}).status == 201
    for sink in (local, udp):
        kind, priority, got = sink.take({"what": "commit", "who": "alice"})
        assert (kind, priority) == ("commit", 13 * 8 + 5)
        assert got["changes"] == "create interface/a/mtu" and got["origin"] == "apply"
        assert got["comment"] == 'a \\"quoted\\" \\]'
        kind, priority, got = sink.take({"method": "PUT"})
        assert kind == "request" and got["who"] == "alice" and got["status"] == "201"
        assert got["path"].startswith(path) and got["from"].startswith("127.0.0.1 port ")
    assert rest.ask("DELETE", DATA + "/millrace-interface:interface=nobody").status == 404
    assert local.take({"method": "DELETE"})[2]["status"] == "404"
    assert rest.counters()["audit-lost"] == 0


def test_refused_attempts_are_told(told):
    rest, local, _ = told
    assert rest.ask("DELETE", DATA + "/millrace-interface:interface=a", token="bob").status == 403
    kind, priority, got = local.take({"status": "403"})
    assert (kind, priority, got["who"]) == ("request", 13 * 8 + 4, "bob")
    assert rest.ask("DELETE", DATA + "/millrace-interface:interface=a", token="wrong").status == 401
    got = local.take({"status": "401"})[2]
    assert got["who"] == "unknown" and got["why"]
    assert "wrong" not in str(got), "a token is in no log"
    assert rest.alice not in rest.said()


def test_a_client_that_does_not_wait(told):
    """The change is told of, though nobody took the answer."""
    rest, local, _ = told
    with socket.create_connection(("127.0.0.1", rest.port)) as conn:
        conn.sendall(b"DELETE %s/millrace-interface:interface=b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
                     % (DATA.encode(), rest.alice.encode()))
    assert local.take({"what": "commit"})[2]["changes"] == "delete interface/b"
    assert local.take({"method": "DELETE"})[2]["who"] == "alice"


def test_text_from_outside_makes_no_lines(told):
    rest, local, _ = told
    rest.raw(b"DELETE /restconf/data/x%0aroot%20did HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
             + rest.bob.encode() + b"\r\nConnection: close\r\n\r\n")
    assert "\n" not in local.take({"status": "403"})[2]["path"]


def test_tcp_collector():
    """Octet counting (RFC 6587); one that is away loses messages, and gets the next when it is back."""
    port = free_port()
    rest = Rest(rest={"audit": {"syslog": "/nowhere", "collector": [
        {"address": "127.0.0.1", "port": port, "transport": "tcp"}]}}, start=False)
    server = socket.create_server(("127.0.0.1", port))
    server.settimeout(10)
    try:
        rest.start()
        assert rest.ask("DELETE", DATA + "/millrace-interface:interface=b").status == 204
        conn, _ = server.accept()
        conn.settimeout(10)
        got = b""
        while got.count(b"<109>1") < 2:
            got += conn.recv(65536)
        while got:
            length, _, got = got.partition(b" ")
            message, got = got[:int(length)], got[int(length):]
            if len(message) == int(length):
                fields(message.decode())
        conn.close()
    finally:
        server.close()
        rest.close()


def test_journal():
    """A datagram of fields for the journal's socket, which stands in a folder of the test's own."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a mount namespace")
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        journal.bind(os.path.join(folder, "socket"))
        journal.settimeout(5)
        rest = Rest(wrap=["unshare", "-m", "sh", "-c",
                          "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && "
                          "mount --bind %s /run/systemd/journal && exec \"$@\"" % folder, "sh"])
        try:
            assert rest.ask("DELETE", DATA + "/millrace-interface:interface=b").status == 204
            told = {}
            while told.get("MILLRACE_AUDIT") != "commit" or told.get("MILLRACE_WHO") != "alice":
                told = dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines())
            assert told["MILLRACE_CHANGES"] == "delete interface/b"
            assert told["SYSLOG_IDENTIFIER"] == "millrace" and told["PRIORITY"] == "5"
            assert told["MESSAGE"].startswith("commit 2 (apply) by alice")
        finally:
            rest.close()
            journal.close()
