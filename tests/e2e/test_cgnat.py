# SPDX-License-Identifier: Apache-2.0
"""Carrier-grade NAT (RFC 6888, RFC 7422), requirement by requirement, by frames at both ends; who had
which port, by the log, the running millrace, and a copy of the log alone.

     host 1: subscribers           millrace              host 2: the rest of the world
     100.64.0.0/10, by frames --- 10.9.1.1  10.9.2.1 --- 198.51.100.0/24, by frames
                                   203.0.113.0/24 outside
"""
import json
import os
import select
import time

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Ether, Raw, raw

from lab import MILLRACE, millrace, run, until
from router_lab import RouterLab
from track_lab import socket_in

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
REMOTE = "198.51.100.7"
ROUTER = {"route": {"100.64.0.0/10": {"via": "10.9.1.2"}, "198.51.100.0/24": {"via": "10.9.2.2"}}}


class Isp(RouterLab):
    def __init__(self):
        super().__init__()
        for number in (1, 2):
            self.add_host(number)
        self.log_file = os.path.join(self.folder.name, "nat.log")
        self.ends = {}

    def tree(self, instance, log=None, **nat):
        """The configuration with one instance."""
        nat = dict({"log": dict({"file": self.log_file}, **(log or {}))}, **nat)
        nat["instance"] = {"isp": dict({"outside": ["h2"], "inside": ["h1"], "source": ["100.64.0.0/10"]},
                                       **instance)}
        return self.config(router=ROUTER, more={"nat": nat})

    def open(self, instance, **more):
        self.start(self.tree(instance, **more))
        for number in (1, 2):
            assert until(5, lambda n=number: self.pings(n, "10.9.%d.1" % n, "-c", "1", "-W", "1"))
            shown = self.in_host(number, "ip", "-j", "neigh", "show", "10.9.%d.1" % number).stdout
            here = self.in_host(number, "cat", "/sys/class/net/eth0/address").stdout.strip()
            self.ends[number] = (socket_in("%s-%d" % (self.prefix, number), "eth0"),
                                 Ether(src=here, dst=json.loads(shown)[0]["lladdr"]))
        return self

    def close(self):
        for end, _ in self.ends.values():
            end.close()
        super().close()

    def send(self, number, packet):
        end, ethernet = self.ends[number]
        end.send(raw(ethernet / packet))

    def hear(self, number, wanted, seconds=1.0):
        """The next packet that `wanted` says yes to; None: there was none."""
        end, ethernet = self.ends[number]
        until_then = time.monotonic() + seconds
        while time.monotonic() < until_then:
            ready, _, _ = select.select([end], [], [], max(0, until_then - time.monotonic()))
            if not ready:
                break
            frame = Ether(end.recv(65536))
            if frame.src != ethernet.src and IP in frame and wanted(frame[IP]):
                return frame[IP]
        return None

    def outward(self, source, sport, dport=4000, kind=UDP, dst=REMOTE, seconds=1.0):
        """What comes out of a subscriber's packet; None: nothing."""
        text = b"<%s:%d:%d>" % (source.encode(), sport, dport)
        layer = kind(sport=sport, dport=dport) if kind is UDP else kind(sport=sport, dport=dport, flags="S")
        self.send(1, IP(src=source, dst=dst) / layer / Raw(text))
        return self.hear(2, lambda p: text in raw(p), seconds)

    def inward(self, packet):
        """What comes in of a packet of the world."""
        self.send(2, packet)
        return self.hear(1, lambda p: p.src == packet.src)

    def ports(self, source, count, first=5000, **more):
        """Outside ends of a subscriber's mappings."""
        out = [self.outward(source, first + i, **more) for i in range(count)]
        return [(p.src, p.sport) for p in out if p is not None]

    def state(self):
        return self.show("nat")["instance-state"][0]

    def drops(self, name):
        shown = self.show("drops", "--all")
        return sum(d["packets"] for d in (shown if isinstance(shown, list) else shown["drop"])
                   if d.get("reason", d.get("name")) == name)

    def lines(self, event=None):
        with open(self.log_file, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        return [line for line in lines if event is None or line["event"] == event]

    def who(self, end, *more, socket=True):
        where = ("--socket", self.socket) if socket else ("--log", self.log_file)
        done = millrace("nat", "who", end[0], str(end[1]), *more, "--json", *where, check=False)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def isp(namespaces):
    made = Isp()
    yield made
    made.close()


def subscriber(n):
    return "100.64.%d.%d" % (n // 250, n % 250 + 1)


def test_req2_paired(isp):
    isp.open({"pool": ["203.0.113.8-203.0.113.15"], "block": {"size": 8, "max": 3}})
    for n in range(5):
        assert len({address for address, _ in isp.ports(subscriber(n), 20)}) == 1


def test_req3_any_ranges(isp):
    pool = ["203.0.113.200", "203.0.113.8/30", "203.0.113.77-203.0.113.78"]
    isp.open({"pool": pool, "paired": False})
    seen = {address for address, _ in isp.ports(subscriber(0), 100)}
    assert seen == {"203.0.113.%d" % n for n in (200, 8, 9, 10, 11, 77, 78)}


def test_req4_limits_of_ports(isp):
    isp.open({"pool": ["203.0.113.8"], "limits": {"udp": 4, "tcp": 2}})
    assert len(isp.ports(subscriber(0), 6, seconds=0.3)) == 4
    assert len(isp.ports(subscriber(0), 4, kind=TCP, seconds=0.3)) == 2
    assert len(isp.ports(subscriber(1), 2)) == 2
    assert isp.state()["pool-counters"]["subscriber-limit"] == 4
    assert isp.drops("nat-subscriber-limit") == 4


def test_req5_limit_of_sessions(isp):
    isp.open({"pool": ["203.0.113.8"], "filtering": "address-and-port-dependent", "limits": {"sessions": 3}})
    out = [isp.outward(subscriber(0), 5000, dport=50 + n, seconds=0.3) for n in range(5)]
    assert [p is not None for p in out] == [True] * 3 + [False] * 2
    assert isp.state()["pool-counters"]["session-limit"] == 2


def test_req6_destinations_without_translation(isp):
    isp.open({"pool": ["203.0.113.8"], "exclude": ["198.51.100.53"]})
    assert isp.outward(subscriber(0), 5000, dst="198.51.100.53").src == subscriber(0)
    assert isp.outward(subscriber(0), 5000).src == "203.0.113.8"


def test_req7_anybody_may_answer(isp):
    isp.open({"pool": ["203.0.113.8"], "block": {"size": 64}})
    out = isp.outward(subscriber(0), 5000)
    got = isp.inward(IP(src="198.51.100.99", dst=out.src) / UDP(sport=7, dport=out.sport) / Raw(b"x"))
    assert (got.dst, got.dport) == (subscriber(0), 5000)


def test_req8_quarantine(isp):
    isp.open({"pool": ["203.0.113.8"], "ports": "2000-2001", "quarantine": "2s", "timeouts": {"udp": "1s"}})
    assert len(isp.ports(subscriber(0), 2)) == 2
    assert isp.outward(subscriber(1), 5000, seconds=0.2) is None
    # The mappings end, then their ports wait.
    assert until(20, lambda: isp.state()["quarantined"] == 2)
    assert isp.outward(subscriber(1), 5001, seconds=0.2) is None
    assert until(6, lambda: isp.outward(subscriber(1), 5002, seconds=0.2) is not None)


def test_req11_nothing_ends_for_others(isp):
    isp.open({"pool": ["203.0.113.8"], "ports": "2000-2031", "block": {"size": 8, "linger": "1s"},
              "timeouts": {"udp": "4s"}})
    out = [isp.outward(subscriber(n), 5000) for n in range(4)]
    assert isp.outward(subscriber(4), 5000, seconds=0.3) is None
    assert isp.drops("nat-no-block") == isp.state()["counters"]["no-block"] == 1
    assert until(3, lambda: "no block of outside ports is free for their subscriber" in isp.said())
    assert isp.state()["blocks"] == isp.state()["blocks-used"] == 4
    for n, p in enumerate(out):
        got = isp.inward(IP(src=REMOTE, dst=p.src) / UDP(sport=4000, dport=p.sport) / Raw(b"x"))
        assert got.dst == subscriber(n)
    # It goes on when there are blocks again.
    assert until(20, lambda: isp.outward(subscriber(4), 5000, seconds=0.2) is not None)


def test_req11_memory(isp):
    isp.open({"pool": ["203.0.113.8"], "timeouts": {"udp": "3s"}}, max=1024)
    end, ethernet = isp.ends[1]
    for n in range(6000):
        end.setblocking(True)
        end.send(raw(ethernet / IP(src=subscriber(n % 200), dst=REMOTE) / UDP(sport=1000 + n, dport=53)))
    assert until(5, lambda: isp.drops("nat-full") > 0)
    assert until(3, lambda: "nat isp: " in isp.said() and "no room for another mapping or session" in isp.said())
    assert isp.state()["counters"]["full"] > 0
    assert until(20, lambda: isp.outward(subscriber(201), 5000, seconds=0.2) is not None)


def test_req12_req14_log(isp):
    isp.open({"pool": ["203.0.113.8-203.0.113.9"], "block": {"size": 64, "linger": 0}, "timeouts": {"udp": "2s"}})
    ends = {n: isp.ports(subscriber(n), 20) for n in range(8)}
    assert until(5, lambda: len(isp.lines("block-given")) == 8)
    with open(isp.log_file, encoding="utf-8") as file:
        assert "198.51.100" not in file.read()
    for n, some in ends.items():
        for socket in (True, False):
            found = isp.who(some[0], socket=socket)
            assert [a["inside"] for a in found] == [subscriber(n)]
            assert found[0]["first"] <= some[0][1] <= found[0]["last"] and found[0]["to"] is None
    assert isp.who(("203.0.113.10", 2000)) == []
    assert isp.who(ends[0][0], "2020-01-01T00:00:00Z") == []
    # Given back: it was theirs, and is nobody's.
    assert until(30, lambda: len(isp.lines("block-returned")) == 8)
    assert isp.who(ends[3][0]) == []
    given = isp.who(ends[3][0], isp.lines("block-returned")[0]["since"], "--within", "5")
    assert [a["inside"] for a in given] == [subscriber(3)] and given[0]["to"] is not None
    # With no millrace at all.
    isp.stop()
    assert isp.who(ends[3][0], given[0]["from"], socket=False) == given


def test_log_begins_anew(isp):
    """After a crash, blocks that were never given back are nobody's; files are turned by size."""
    isp.open({"pool": ["203.0.113.8"], "block": {"size": 64}}, log={"size": 4096, "keep": 1})
    before = isp.ports(subscriber(0), 1)[0]
    assert until(5, lambda: len(isp.lines("block-given")) == 1)
    isp.switch.kill()
    isp.switch.wait()
    for end, _ in isp.ends.values():
        end.close()
    isp.open({"pool": ["203.0.113.8"], "block": {"size": 64}}, log={"size": 4096, "keep": 1})
    assert isp.who(before) == []
    # Enough for more files than are kept.
    held = isp.ports(subscriber(1), 1)[0]
    for files in (1, 2):
        for n in range(40 * files):
            assert isp.outward(subscriber(100 * files + n), 5000, seconds=3)
        assert until(5, lambda n=files: isp.show("nat")["log-state"]["files"] >= n)
    assert len([name for name in os.listdir(isp.folder.name) if name.startswith("nat.log.")]) == 1
    assert [a["inside"] for a in isp.who(held, socket=False)] == [subscriber(1)]


def test_log_that_cannot_be_opened(isp):
    config = isp.tree({"pool": ["203.0.113.8"]}, log={"file": "/nonexistent/nat.log"})
    isp.start(config, wait=False)
    assert isp.switch.wait(10) != 0
    assert "nat/log: /nonexistent/nat.log: No such file" in isp.said()


def test_req13_req15_ports(isp):
    """All of a block's ports are used, in no order."""
    isp.open({"pool": ["203.0.113.8"], "ports": "2000-2063", "block": {"size": 32, "max": 2},
              "port-preservation": False, "parity": False})
    ports = [port for _, port in isp.ports(subscriber(0), 64)]
    assert sorted(ports) == list(range(2000, 2064))
    assert sum(b == a + 1 for a, b in zip(ports, ports[1:])) < 32
    assert isp.outward(subscriber(0), 7000, seconds=0.3) is None
    assert isp.drops("nat-no-port") == 1


def test_rfc7422_deterministic(isp):
    isp.open({"pool": ["203.0.113.8-203.0.113.9"], "deterministic": {"inside": "100.64.0.0/24"}})
    for n, address, first in ((0, "203.0.113.8", 1024), (127, "203.0.113.8", 1024 + 127 * 504),
                              (128, "203.0.113.9", 1024), (200, "203.0.113.9", 1024 + 72 * 504)):
        for end in isp.ports("100.64.0.%d" % n, 5):
            assert end[0] == address and first <= end[1] < first + 504
            found = isp.who(end, "2001-01-01T00:00:00Z")
            assert [(a["inside"], a["first"], a["from"]) for a in found] == [("100.64.0.%d" % n, first, None)]
    assert isp.outward("100.64.1.0", 5000, seconds=0.3) is None
    assert isp.drops("nat-no-subscriber") == 1


def test_kernel_and_identifiers(isp):
    """A real stack's connections come from its blocks, and echo requests' identifiers, too."""
    isp.open({"pool": ["203.0.113.8"], "block": {"size": 16}})
    isp.in_host(1, "ip", "address", "add", "100.64.9.9/32", "dev", "lo")
    isp.in_host(2, "ip", "address", "add", REMOTE + "/32", "dev", "lo")
    isp.in_host(2, "ip", "route", "add", "203.0.113.0/24", "via", "10.9.2.1")
    done = isp.in_host(1, "ping", "-n", "-c", "3", "-i", "0.05", "-W", "2", "-I", "100.64.9.9", REMOTE)
    assert " 3 received" in done.stdout
    server = isp.begin(2, "/usr/bin/python3", "-m", "http.server", "8080", "--bind", REMOTE)
    assert until(10, lambda: ":8080" in isp.in_host(2, "ss", "-Hltn").stdout)
    for _ in range(5):
        isp.in_host(1, "curl", "-sf", "--max-time", "5", "--interface", "100.64.9.9",
                    "http://%s:8080/" % REMOTE, "-o", "/dev/null")
    assert isp.state()["blocks-used"] == 1
    assert server.poll() is None
    assert isp.hear(2, lambda p: ICMP in p and p[ICMP].type == 8) is not None


def test_example(namespaces):
    """examples/cgnat, as one runs it."""
    done = run(os.path.join(ROOT, "examples", "cgnat"), check=False,
               env=dict(os.environ, MILLRACE=os.path.abspath(MILLRACE)))
    assert done.returncode == 0 and done.stdout.endswith("cgnat: ok\n"), done.stdout + done.stderr
