# SPDX-License-Identifier: Apache-2.0
"""NAT64 between real stacks: a host that has only IPv6, and one that has only IPv4.

    host 1  2001:db8:1::2                    host 2  10.9.2.2
    host 3  2001:db8:3::2 (inside, too)
                 pool 10.9.2.1, the router's own address, ports 20000-40000
"""
import os
import subprocess

import pytest

from lab import millrace, until
from router_lab import RouterLab

SERVER = """
import socket, sys
s = socket.create_server(("0.0.0.0", 8080))
while True:
    c, who = s.accept()
    c.sendall(("%s %d\\n" % who).encode() + b"x" * 300000)
    c.close()
"""
CLIENT = """
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
got = b""
while True:
    piece = c.recv(65536)
    if not piece: break
    got += piece
print(got.split(b"\\n")[0].decode(), len(got))
"""
PREFIX = "2001:db8:64::"


def mapped(address):
    a = [int(x) for x in address.split(".")]
    return "%s%02x%02x:%02x%02x" % (PREFIX, *a)


PEER = mapped("10.9.2.2")


def config(made, **more):
    return made.config(more={"nat64": {"instance": {"x": dict({
        "inside": ["h1", "h3"], "outside": ["h2"], "prefix": PREFIX + "/96",
        "pool": ["10.9.2.1"], "ports": "20000-40000"}, **more)}}})


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    for number in (1, 2, 3):
        made.add_host(number)
    for number in (1, 3):
        made.in_host(number, "ip", "-4", "address", "flush", "dev", "eth0")
    made.in_host(2, "ip", "-6", "address", "flush", "dev", "eth0")
    made.start(config(made))
    assert until(10, lambda: made.in_host(1, "ping", "-c", "1", "-W", "1", PEER, check=False).returncode == 0), \
        made.said()
    yield made
    made.close()


def test_kernels_talk(lab):
    # Echoes, small, in fragments of IPv6, and the other way round.
    assert lab.in_host(1, "ping", "-c", "3", "-i", "0.2", "-W", "1", PEER, check=False).returncode == 0
    assert lab.in_host(3, "ping", "-c", "2", "-i", "0.2", "-W", "1", PEER, check=False).returncode == 0
    lab.begin(2, "/usr/bin/python3", "-c", SERVER)
    until(5, lambda: lab.in_host(2, "ss", "-ltn").stdout.count(":8080"))
    address, port, size = lab.in_host(1, "/usr/bin/python3", "-c", CLIENT, PEER, "8080").stdout.split()
    assert address == "10.9.2.1" and 20000 <= int(port) <= 40000 and int(size) > 300000
    # curl, as people do.
    folder = lab.folder.name
    with open(os.path.join(folder, "page"), "w", encoding="utf-8") as file:
        file.write("hello\n" * 10000)
    lab.begin(2, "/usr/bin/python3", "-m", "http.server", "8000", "--directory", folder)
    until(5, lambda: lab.in_host(2, "ss", "-ltn").stdout.count(":8000"))
    got = lab.in_host(1, "curl", "-s", "-m", "5", "http://[%s]:8000/page" % PEER).stdout
    assert got == "hello\n" * 10000
    state = lab.show("nat64")
    assert state["instance-state"][0]["sessions"] >= 3


def test_udp_in_fragments(lab):
    """Datagrams longer than either link takes, there and back: fragments of both families."""
    server = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 5353))
while True:
    data, who = s.recvfrom(65536)
    s.sendto(data[::-1], who)
"""
    client = """
import socket, sys, os
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(3)
for size in (10, 1200, 1300, 1450, 3000, 9000):
    data = os.urandom(size)
    s.sendto(data, (sys.argv[1], 5353))
    assert s.recv(65536)[::-1] == data, size
print("same")
"""
    lab.begin(2, "/usr/bin/python3", "-c", server)
    until(5, lambda: lab.in_host(2, "ss", "-lun").stdout.count(":5353"))
    done = lab.in_host(1, "/usr/bin/python3", "-c", client, PEER, check=False)
    assert done.stdout.strip() == "same", done.stderr + str(lab.show("nat64"))


def test_errors_find_their_sender(lab):
    refused = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect((sys.argv[1], 9))
s.send(b"x")
try:
    s.recv(1)
except ConnectionRefusedError:
    print("refused")
"""
    done = lab.in_host(1, "/usr/bin/python3", "-c", refused, PEER)
    assert done.stdout.strip() == "refused"
    # No hop left at the translator: it says so itself, by an address of the prefix.
    done = lab.in_host(1, "ping", "-c", "1", "-t", "1", "-W", "2", PEER, check=False)
    assert mapped("10.9.2.1") in done.stdout.replace("a09:", "0a09:") or "ime exceeded" in done.stdout \
        or "op limit" in done.stdout, done.stdout
    # One hop more reaches the host behind.
    assert lab.in_host(1, "ping", "-c", "1", "-t", "2", "-W", "2", PEER, check=False).returncode == 0


def test_iperf_both_ways(lab):
    for more in ((), ("-R",), ("-u", "-b", "20M", "-l", "1200")):
        server = lab.begin(2, "iperf3", "-s", "-1")
        until(5, lambda: lab.in_host(2, "ss", "-ltn").stdout.count(":5201"))
        done = lab.in_host(1, "iperf3", "-6", "-c", PEER, "-t", "1", *more, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        server.wait(10)


def test_hairpin(lab):
    """RFC 6146, 3.8: two hosts inside by the outside address of one."""
    serve = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 30001))
s.sendto(b"make a binding", (sys.argv[1], 5353))
print("ready", flush=True)
data, who = s.recvfrom(2000)
s.sendto(who[0].encode(), who)
"""
    ask = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 30002))
s.settimeout(3)
s.sendto(b"hello", (sys.argv[1], 30001))
data, who = s.recvfrom(2000)
print(data.decode(), who[0], who[1])
"""
    server = lab.begin(3, "/usr/bin/python3", "-c", serve, PEER, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline().strip() == "ready"
    until(3, lambda: lab.show("nat64")["instance-state"][0]["bindings"] >= 2)
    done = lab.in_host(1, "/usr/bin/python3", "-c", ask, mapped("10.9.2.1"), check=False)
    assert done.returncode == 0, done.stderr + str(lab.show("nat64"))
    seen, who, port = done.stdout.split()
    own = "2001:db8:64::a09:201"
    assert (seen, who, port) == (own, own, "30001")


def test_not_the_translators(lab):
    """The router's own address is still its own, beside the translator's ports."""
    assert lab.in_host(2, "ping", "-c", "2", "-i", "0.2", "-W", "1", "10.9.2.1", check=False).returncode == 0


SEND = """
import socket, sys
for port in range(int(sys.argv[2]), int(sys.argv[3])):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("::", port))
    s.sendto(b"x", (sys.argv[1], 5353))
"""


def send(lab, first, end, host=1):
    lab.in_host(host, "/usr/bin/python3", "-c", SEND, PEER, str(first), str(end))


def test_sessions_are_listed(lab):
    send(lab, 7000, 7003)
    send(lab, 7000, 7001, host=3)
    shown = lab.show("nat64-sessions", "2001:db8:1::2", "--protocol", "udp")
    assert sorted(s["inside-port"] for s in shown) == [7000, 7001, 7002]
    assert {s["instance"] for s in shown} == {"x"} and {s["outside"] for s in shown} == {"10.9.2.1"}
    assert {(s["remote"], s["remote-port"], s["state"]) for s in shown} == {("10.9.2.2", 5353, "udp")}
    assert all(290 <= s["left"] <= 300 and 20000 <= s["outside-port"] <= 40000 for s in shown)
    (one,) = lab.show("nat64-sessions", "--port", str(shown[0]["outside-port"]), "--instance", "x")
    assert one["inside-port"] == shown[0]["inside-port"]
    said = millrace("show", "--socket", lab.socket, "nat64-sessions", "2001:db8:3::2", "--protocol", "udp").stdout
    assert said.startswith("udp [2001:db8:3::2]:7000 as 10.9.2.1:") and "to 10.9.2.2:5353" in said, said
    count = millrace("show", "--socket", lab.socket, "nat64-sessions", "--count", "--protocol", "udp")
    assert count.stdout == "4\n"
    done = millrace("show", "--socket", lab.socket, "nat64-sessions", "--instance", "y", check=False)
    assert done.returncode != 0 and "no instance 'y'" in done.stderr


def test_ports_run_out(lab):
    """Named, counted, said, and over when there are ports again."""
    lab.reload(config(lab, ports="20000-20003", timeouts={"udp": 2}))
    state = lambda: lab.show("nat64")["instance-state"][0]
    counters = lambda: state()["counters"]
    assert until(5, lambda: state()["ports"]["udp"].endswith("of 4"))
    send(lab, 7000, 7007)
    assert until(3, lambda: counters()["no-port"] == 3), counters()
    assert sum(d["packets"] for d in lab.show("drops", "--all") if d["reason"] == "nat64-no-port") == 3
    assert until(3, lambda: "nat64 x: 3 packets dropped: no outside port is free for them" in lab.said()), lab.said()
    assert until(10, lambda: state()["ports"]["udp"] == "0 of 4")
    made = counters()["bindings-created"]
    send(lab, 7010, 7014)
    assert until(3, lambda: counters()["bindings-created"] == made + 4) and counters()["no-port"] == 3
