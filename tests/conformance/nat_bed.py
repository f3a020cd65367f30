# SPDX-License-Identifier: Apache-2.0
"""Translators in one millrace, and raw sockets for everybody inside and outside.

     socket "a"                     millrace                        socket "b"
     10.0.R.N for row R ---- 192.168.0.1  203.0.113.1 ---- 198.18.R.N for row R
              via 192.168.0.2                      via 203.0.113.2

A *kind* is a translator of its own, with a router and a VLAN of its own, all of them with the same
addresses. A row is a generator: it says what holds, and yields the seconds that it has to wait for
something; all rows of a file wait at the same time. What comes is dealt out by the addresses of rows.
"""
import heapq
import inspect
import json
import os
import select
import struct
import time
import traceback

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Dot1Q, Ether, Raw, raw

from bed import MILLRACE, Bed, host_mac, run
from rows import internet_sum, layer3

INSIDE, OUTSIDE = "a", "b"
OWN = "203.0.113.1"
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../nf/nat/nat.md")


def tree(kinds, nat):
    """The configuration: `kinds` says what is in an instance of nat, `nat` what is beside them."""
    routers, instances = {}, {}
    for number, (kind, what) in enumerate(kinds.items()):
        vlan = 100 + number
        what = dict(what)
        router = {
            "interface": {
                kind + "-in": {"parent": INSIDE, "vlan": vlan, "address": ["192.168.0.1/24"]},
                kind + "-out": {"parent": OUTSIDE, "vlan": vlan, "address": ["203.0.113.1/24"],
                                "mtu": what.pop("mtu", 1500)}},
            "neighbor": {"static": {
                "192.168.0.2": {"interface": kind + "-in", "mac": host_mac(INSIDE)},
                "203.0.113.2": {"interface": kind + "-out", "mac": host_mac(OUTSIDE)}}},
            "route": {"10.0.0.0/16": {"via": "192.168.0.2"}, "198.18.0.0/15": {"via": "203.0.113.2"}},
        }
        for interface in router["interface"].values():
            interface["neighbor"] = {"duplicate-detection": False}
        routers["r-" + kind] = router
        instances[kind] = dict({"outside": [kind + "-out"], "inside": [kind + "-in"]}, **what)
    return {"interface": {INSIDE: {}, OUTSIDE: {}}, "router": routers, "nat": dict(nat, instance=instances)}


class NatBed(Bed):
    def __init__(self, kinds, nat):
        super().__init__((INSIDE, OUTSIDE), tree(kinds, nat))
        self.vlans = {kind: 100 + number for number, kind in enumerate(kinds)}
        self.rows = {}

    def pump(self, seconds):
        """Deals out what has come, waiting so long for the first."""
        select.select([w.socket for w in self.wires.values()], [], [], seconds)
        for port, frame in self.take():
            at, kind, vlan = layer3(frame)
            if kind != 0x0800:
                continue
            ip = frame[at:at + struct.unpack_from("!H", frame, at + 2)[0]]
            src, dst = ip[12:16], ip[16:20]
            for address in (dst, src):
                if address[:2] in (b"\x0a\0", b"\xc6\x12"):
                    row = self.rows.get((vlan, address[2]))
                    if row:
                        row.came[port].append(ip)
                    break


class Row:
    """One row at work."""

    def __init__(self, bed, number, case):
        self.bed, self.number, self.case = bed, number, case
        self.kind, self.vlan = case.kind, bed.vlans[case.kind]
        self.came = {INSIDE: [], OUTSIDE: []}
        self.mac = {port: bed.mac[port] for port in (INSIDE, OUTSIDE)}
        self.idents = 0
        bed.rows[self.vlan, number] = self

    # -- who, and what ---------------------------------------------------------------------

    def host(self, number=5):
        return "10.0.%d.%d" % (self.number, number)

    def far(self, number=7):
        return "198.18.%d.%d" % (self.number, number)

    def port(self, number=0):
        """Ports that no other row uses."""
        return 2000 + self.number * 200 + number

    def ident(self):
        self.idents += 1
        return self.number * 256 + self.idents

    def udp(self, host=5, port=0, far=7, dport=53, load=b"payload ", **ip):
        ip.setdefault("ttl", 64)
        return (IP(src=self.host(host), dst=self.far(far), id=self.ident(), **ip) /
                UDP(sport=self.port(port), dport=dport) / Raw(load))

    def tcp(self, flags="S", host=5, port=0, far=7, dport=80, seq=1000, ack=0, load=b""):
        packet = (IP(src=self.host(host), dst=self.far(far), id=self.ident()) /
                  TCP(sport=self.port(port), dport=dport, flags=flags, seq=seq, ack=ack))
        return packet / Raw(load) if load else packet

    def ping(self, host=5, number=0, far=7, kind=8, load=b"query..."):
        return (IP(src=self.host(host), dst=self.far(far), id=self.ident()) /
                ICMP(type=kind, id=self.port(number), seq=1) / Raw(load))

    @staticmethod
    def answer(packet, load=b"answer", **fields):
        """What the one asked would send."""
        ip = IP(src=packet.dst, dst=packet.src)
        if UDP in packet:
            return ip / UDP(sport=packet.dport, dport=packet.sport) / Raw(load)
        if TCP in packet:
            fields.setdefault("flags", "SA")
            return ip / TCP(sport=packet.dport, dport=packet.sport, seq=9000, ack=packet.seq + 1, **fields)
        kind = {8: 0, 13: 14, 15: 16, 17: 18}[packet[ICMP].type]
        return ip / ICMP(type=kind, id=packet[ICMP].id, seq=packet[ICMP].seq) / Raw(load)

    @staticmethod
    def about(packet, by, kind=3, code=1, broken=False, word=0, quote=None):
        """An ICMP error of `by` about a packet to whom sent it."""
        quote = raw(packet) if quote is None else quote
        icmp = struct.pack("!BBHI", kind, code, 0, word) + quote
        icmp = icmp[:2] + struct.pack("!H", internet_sum(icmp) ^ (0x100 if broken else 0)) + icmp[4:]
        return IP(src=by, dst=IP(raw(packet)).src, proto=1) / Raw(icmp)

    # -- there, and back -------------------------------------------------------------------

    def send(self, port, *packets):
        for packet in packets:
            frame = Ether(src=host_mac(port), dst=self.mac[port]) / Dot1Q(vlan=self.vlan) / packet
            self.bed.wires[port].send(raw(frame))

    def hear(self, port, wanted=None, seconds=1.0):
        """The next packet there that `wanted` says yes to; None: there was none in time."""
        end = time.monotonic() + seconds
        while True:
            for data in self.came[port]:
                packet = IP(data)
                if wanted is None or wanted(packet):
                    self.came[port].remove(data)
                    right(data)
                    return packet
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.bed.pump(left)

    def out(self, packet, wanted=None):
        """What comes outside of a packet from inside; it has to."""
        self.send(INSIDE, packet)
        got = self.hear(OUTSIDE, wanted)
        assert got is not None, "nothing came outside of %s" % packet.summary()
        return got

    def enters(self, packet, wanted=None):
        """What comes inside of a packet from outside; it has to."""
        self.send(OUTSIDE, packet)
        got = self.hear(INSIDE, wanted)
        assert got is not None, "nothing came inside of %s" % packet.summary()
        return got

    def hairpin(self, packet):
        self.send(INSIDE, packet)
        got = self.hear(INSIDE)
        assert got is not None, "nothing came back inside of %s" % packet.summary()
        return got

    def silent(self, port, packet, to=None, seconds=0.08):
        """Nothing comes of it, on either side or on the one given."""
        self.send(port, packet)
        for side in (INSIDE, OUTSIDE) if to is None else (to,):
            got = self.hear(side, seconds=seconds)
            assert got is None, "%s came of %s" % (got.summary(), packet.summary())

    # -- what the program says -------------------------------------------------------------

    def state(self):
        shown = self.bed.show("nat")["instance-state"]
        return [one for one in shown if one["name"] == self.kind][0]

    def counters(self):
        return self.state()["counters"]

    def sessions(self, *words):
        done = run(MILLRACE, "show", "nat-sessions", *words, "--instance", self.kind, "--socket", self.bed.socket,
                   "--json")
        return json.loads(done.stdout)


def right(data):
    """Its checksums."""
    assert internet_sum(data[:(data[0] & 15) * 4]) == 0, "IP checksum: " + data.hex()
    packet = IP(data)
    if packet.flags.MF or packet.frag:
        return
    size = (data[0] & 15) * 4
    rest, proto = data[size:], data[9]
    if proto == 1:
        assert internet_sum(rest) == 0, "ICMP checksum: " + data.hex()
    elif proto == 6 or (proto == 17 and rest[6:8] != b"\0\0"):
        pseudo = data[12:20] + struct.pack("!HH", proto, len(rest))
        assert internet_sum(pseudo + rest) == 0, "layer 4 checksum: " + data.hex()


def quoted(packet):
    """The packet that an ICMP error quotes."""
    data = raw(packet)
    inner = data[(data[0] & 15) * 4 + 8:]
    assert internet_sum(inner[:(inner[0] & 15) * 4]) == 0, "quoted header: " + inner.hex()
    return IP(inner)


class Req:
    """One row: a requirement, or one of its sub-requirements; the word of the RFC for how much it is
    wanted; what must hold, in our words; which translator it is tried on, and how."""

    def __init__(self, number, word, says, kind, run):
        self.number, self.word, self.says, self.kind, self.run = number, word, says, kind, run

    def name(self):
        return "REQ-%s %s %s" % (self.number, self.word, self.says)


class NotMet:
    """A requirement that is deliberately not met; nf/nat/nat.md says why."""

    def __init__(self, rfc, number, word, says):
        self.rfc, self.number, self.word, self.says, self.kind = rfc, number, word, says, None

    def name(self):
        return "REQ-%s %s not met: %s" % (self.number, self.word, self.says)


def complete(cases, wanted):
    """Every requirement has a row, and there is no row of what is none."""
    have = {case.number for case in cases}
    missing = [number for number in wanted if number not in have]
    assert not missing, "no row for REQ-%s" % ", REQ-".join(missing)
    strange = have - set(wanted)
    assert not strange, "there is no REQ-%s" % ", REQ-".join(sorted(strange))


def table(cases):
    names = [case.name() for case in cases]
    assert len(set(names)) == len(names)
    return pytest.mark.parametrize("case", cases, ids=names)


def run_all(bed, cases):
    """Every row's end: None, or what went wrong. Who has waited goes before who has not begun."""
    ends, waiting = {}, []
    fresh = [Row(bed, number, case) for number, case in enumerate(c for c in cases if c.kind)]
    fresh.sort(key=lambda row: not inspect.isgeneratorfunction(row.case.run))
    while fresh or waiting:
        if waiting and (not fresh or waiting[0][0] <= time.monotonic()):
            due, _, row, steps = heapq.heappop(waiting)
            while time.monotonic() < due:
                bed.pump(due - time.monotonic())
        else:
            row, steps = fresh.pop(0), None
        ends[row.case] = None
        try:
            steps = row.case.run(row) if steps is None else steps
            if inspect.isgenerator(steps):
                seconds = next(steps)
                heapq.heappush(waiting, (time.monotonic() + seconds, row.number, row, steps))
        except StopIteration:
            pass
        except Exception:
            ends[row.case] = traceback.format_exc()
    return ends


def judge(ends, case):
    if isinstance(case, NotMet):
        with open(PAGE, encoding="utf-8") as file:
            assert "\n| %s, REQ-%s |" % (case.rfc, case.number) in file.read(), "nf/nat/nat.md says nothing of it"
    elif ends[case]:
        pytest.fail(ends[case], pytrace=False)
