# SPDX-License-Identifier: Apache-2.0
"""Rows of the tables: what is sent, and what must come of it.

Every row has a number, and writes it into all that it sends, over and over in the payload: what
comes back is dealt out by it. So all rows of a file are sent together, and waited for once.
What cannot carry it (ARP, neighbour discovery) has an Ethernet address made from it.
"""
import struct

import pytest
from scapy.all import ICMP, IP, UDP, Dot1Q, Ether, IPv6, Raw
from scapy.layers.inet6 import ICMPv6EchoRequest

from bed import host_mac

HOST = {"a": "10.1.0.2", "b": "10.2.0.2", "c": "10.3.0.2", "d": "10.4.0.2"}
HOST6 = {"a": "2001:db8:1::2", "b": "2001:db8:2::2", "c": "2001:db8:3::2", "d": "2001:db8:4::2"}
OURS = {"a": "10.1.0.1", "b": "10.2.0.1", "c": "10.3.0.1", "d": "10.4.0.1"}
OURS6 = {"a": "2001:db8:1::1", "b": "2001:db8:2::1", "c": "2001:db8:3::1", "d": "2001:db8:4::1"}


def internet_sum(data):
    """The Internet checksum over `data`: 0 when a right one is within."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def with_checksum(ip):
    """An IPv4 header (and what follows) with its checksum made right."""
    size = (ip[0] & 15) * 4
    ip = ip[:10] + b"\0\0" + ip[12:]
    return ip[:10] + struct.pack("!H", internet_sum(ip[:size])) + ip[12:]


def layer3(frame):
    """(offset of what the Ethernet frame holds, its type, VLAN)"""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == 0x8100:
        return 18, struct.unpack_from("!H", frame, 16)[0], struct.unpack_from("!H", frame, 14)[0] & 4095
    return 14, kind, None


def ip_of(frame):
    """The IP packet in a frame, without padding."""
    at, kind, _ = layer3(frame)
    packet = frame[at:]
    if kind == 0x0800:
        return packet[:struct.unpack_from("!H", packet, 2)[0]]
    return packet[:40 + struct.unpack_from("!H", packet, 4)[0]]


class Row:
    """One row at work: what its lambda builds packets with."""

    def __init__(self, number, bed):
        self.number = number
        self.bed = bed
        self.mark = b"MR%06d" % number
        self.mac = "02:c0:%02x:%02x:%02x:%02x" % tuple(struct.pack("!I", number))
        self.sent = []
        self.came = []

    def load(self, size=16):
        return (self.mark * (size // 8 + 1))[:size]

    def eth(self, port="a", vlan=None, **fields):
        fields.setdefault("src", host_mac(port))
        fields.setdefault("dst", self.bed.mac[port])
        frame = Ether(**fields)
        return frame / Dot1Q(vlan=vlan) if vlan else frame

    def ip(self, dst="10.2.0.2", src="10.1.0.2", **fields):
        fields.setdefault("id", 0x1000 + self.number)
        fields.setdefault("ttl", 64)
        return IP(src=src, dst=dst, **fields)

    def ip6(self, dst="2001:db8:2::2", src="2001:db8:1::2", **fields):
        fields.setdefault("hlim", 64)
        return IPv6(src=src, dst=dst, **fields)

    def udp(self, size=16):
        return UDP(sport=4000, dport=5000) / Raw(self.load(size))

    def ping(self, size=16, **fields):
        return ICMP(type=8, id=77, seq=self.number & 0xffff, **fields) / Raw(self.load(size))

    def ping6(self, size=16, **fields):
        return ICMPv6EchoRequest(id=77, seq=self.number & 0xffff, data=self.load(size), **fields)

    def v4(self, port="a", vlan=None, size=16, eth=None, **fields):
        """UDP over IPv4 from the host at `port`, to the one behind b unless told otherwise."""
        fields.setdefault("src", HOST[port])
        return port, bytes(self.eth(port, vlan, **(eth or {})) / self.ip(**fields) / self.udp(size))

    def v6(self, port="a", vlan=None, size=16, eth=None, **fields):
        fields.setdefault("src", HOST6[port])
        return port, bytes(self.eth(port, vlan, **(eth or {})) / self.ip6(**fields) / self.udp(size))

    def patched(self, sent, at, value, checksum=True):
        """A frame with bytes at an offset of its IP header overwritten."""
        port, frame = sent
        l3, kind, _ = layer3(frame)
        ip = frame[l3:l3 + at] + value + frame[l3 + at + len(value):]
        if checksum and kind == 0x0800:
            ip = with_checksum(ip)
        return port, frame[:l3] + ip

    def owns(self, frame):
        if self.mark in frame or bytes.fromhex(self.mac.replace(":", "")) in frame[:12]:
            return True
        # A small last fragment has no room for it.
        at, kind, _ = layer3(frame)
        return (kind == 0x0800 and frame[at + 9] == 17 and
                frame[at + 4:at + 6] == struct.pack("!H", 0x1000 + self.number))


class Case:
    def __init__(self, section, says, sends, *wants, drop=None):
        self.section, self.says, self.sends, self.wants, self.drop = section, says, sends, wants, drop

    def name(self):
        return "%s %s" % (self.section, self.says)


def table(*cases):
    """The parametrization of a file's test by its table."""
    names = [c.name() for c in cases]
    twice = {n for n in names if names.count(n) > 1}
    assert not twice, twice
    return pytest.mark.parametrize("case", cases, ids=[n.replace("::", "..") for n in names])


class Batch:
    """All rows of a table, sent together once."""

    def __init__(self, bed, cases, first):
        self.rows = {}
        before = bed.drops()
        frames = []
        for number, case in enumerate(cases, first):
            row = Row(number, bed)
            sent = case.sends(row)
            row.sent = sent if isinstance(sent, list) else [sent]
            frames += row.sent
            self.rows[case] = row
        came = bed.exchange(frames, quiet=0.3)
        self.others = []
        for port, frame in came:
            owners = [r for r in self.rows.values() if r.owns(frame)]
            for row in owners:
                row.came.append((port, frame))
            if not owners:
                self.others.append((port, frame))
        after = bed.drops()
        self.drops = {k: after[k] - before.get(k, 0) for k in after if after[k] != before.get(k, 0)}
        self.expected = {}
        for case in cases:
            if case.drop:
                count = len(self.rows[case].sent)
                self.expected[case.drop] = self.expected.get(case.drop, 0) + count

    def judge(self, case):
        row = self.rows[case]
        left = list(row.came)
        for want in case.wants:
            left = want(row, left)
        assert not left, "nobody asked for this: %s" % shown(left)


def shown(came):
    return "; ".join("%s: %s" % (port, Ether(frame).summary() + " " + frame.hex())
                     for port, frame in came) or "nothing"


# -- what must come -------------------------------------------------------------------------

def only(row, came, port):
    mine = [(p, f) for p, f in came if p == port]
    assert len(mine) == 1, "wanted one frame on %s, got %s" % (port, shown(came))
    return mine[0][1]


def rest(came, frame):
    return [(p, f) for p, f in came if f is not frame]


def forwarded(port="b", vlan=None, to=None, mac=None, which=0, change=None):
    """Frame `which` comes out on `port`: byte for byte, but for Ethernet and TTL."""

    def want(row, came):
        frame = only(row, came, port)
        sent = row.sent[which][1]
        at, kind, tag = layer3(frame)
        assert tag == vlan, "VLAN %s" % tag
        header = Ether(frame)
        assert header.dst == (mac or host_mac(to or port)), header.dst
        assert header.src == row.bed.mac[port], header.src
        ip = ip_of(sent)
        if kind == 0x0800:
            ip = with_checksum(ip[:8] + bytes([ip[8] - 1]) + ip[9:])
        else:
            ip = ip[:7] + bytes([ip[7] - 1]) + ip[8:]
        if change:
            ip = change(row, ip)
            if kind == 0x0800:
                ip = with_checksum(ip)
        got = ip_of(frame)
        assert got == ip, "wanted %s\n   got %s" % (ip.hex(), got.hex())
        return rest(came, frame)

    return want


def answered(kind, code=0, port="a", vlan=None, src=None, dst=None, data=0, pointer=None, which=0,
             check=None):
    """An ICMP error of RFC 1812, 4.3.2 about frame `which`."""

    def want(row, came):
        frame = only(row, came, port)
        sent = ip_of(row.sent[which][1])
        at, ether, tag = layer3(frame)
        assert (ether, tag) == (0x0800, vlan), (hex(ether), tag)
        ip = ip_of(frame)
        assert internet_sum(ip[:20]) == 0 and ip[0] == 0x45, "header " + ip[:20].hex()
        error = ip[20:]
        assert ip[9] == 1 and internet_sum(error) == 0, "ICMP " + ip.hex()
        assert (error[0], error[1]) == (kind, code), "type %d code %d" % (error[0], error[1])
        word = pointer << 24 if pointer is not None else data
        assert struct.unpack_from("!I", error, 4)[0] == word, error[4:8].hex()
        text = IP(ip[:20])
        assert text.dst == (dst or IP(sent[:20]).src), text.dst
        assert text.src == (src or OURS[port]), text.src
        assert ip[8] >= 64, "TTL %d" % ip[8]
        assert ip[1] >> 5 in (6, 7), "precedence %d" % (ip[1] >> 5)  # 4.3.2.5
        assert not struct.unpack_from("!H", ip, 6)[0] & 0x8000, "reserved bit"  # 4.2.2.3
        quote = error[8:]
        assert len(ip) <= 576 and len(quote) == min(len(sent), 576 - 28), len(quote)  # 4.3.2.3
        assert quote == sent[:len(quote)], "quote %s of %s" % (quote.hex(), sent.hex())
        if check:
            check(row, ip)
        return rest(came, frame)

    return want


def answered6(kind, code=0, port="a", vlan=None, src=None, dst=None, data=0, which=0, check=None):
    """An ICMPv6 error of RFC 4443, 2.4 about frame `which`."""

    def want(row, came):
        frame = only(row, came, port)
        sent = ip_of(row.sent[which][1])
        at, ether, tag = layer3(frame)
        assert (ether, tag) == (0x86dd, vlan), (hex(ether), tag)
        ip = ip_of(frame)
        error = ip[40:]
        pseudo = ip[8:40] + struct.pack("!II", len(error), 58)
        assert ip[6] == 58 and internet_sum(pseudo + error) == 0, "ICMPv6 " + ip.hex()
        assert (error[0], error[1]) == (kind, code), "type %d code %d" % (error[0], error[1])
        assert struct.unpack_from("!I", error, 4)[0] == data, error[4:8].hex()
        text = IPv6(ip[:40])
        assert text.dst == (dst or IPv6(sent[:40]).src), text.dst
        wanted = src(row) if callable(src) else src or OURS6[port]
        assert text.src == wanted, text.src
        assert ip[7] >= 64, "hop limit %d" % ip[7]
        quote = error[8:]
        assert len(ip) <= 1280 and len(quote) == min(len(sent), 1280 - 48), len(quote)  # 2.4 (c)
        assert quote == sent[:len(quote)], "quote %s of %s" % (quote.hex(), sent.hex())
        if check:
            check(row, ip)
        return rest(came, frame)

    return want


def echoed(port="a", vlan=None, src=None, which=0, check=None, options=False):
    """An echo reply with the request's identifier, number and data, and good checksums."""

    def want(row, came):
        frame = only(row, came, port)
        at, kind, tag = layer3(frame)
        assert tag == vlan, tag
        sent, got = ip_of(row.sent[which][1]), ip_of(frame)
        size = (got[0] & 15) * 4
        assert kind == 0x0800 and internet_sum(got[:size]) == 0, got.hex()
        if not options:
            assert size == 20
        icmp, asked = got[size:], sent[(sent[0] & 15) * 4:]
        assert icmp[0] == 0 and icmp[1] == 0 and internet_sum(icmp) == 0, icmp.hex()
        assert icmp[4:] == asked[4:], "data"
        text = IP(got[:20])
        assert text.src == (src or IP(sent[:20]).dst), text.src
        assert text.dst == IP(sent[:20]).src, text.dst
        assert text.ttl >= 64, text.ttl
        if check:
            check(row, got)
        return rest(came, frame)

    return want


def echoed6(port="a", vlan=None, src=None, which=0, check=None):
    def want(row, came):
        frame = only(row, came, port)
        at, kind, tag = layer3(frame)
        assert (kind, tag) == (0x86dd, vlan), (hex(kind), tag)
        sent, got = ip_of(row.sent[which][1]), ip_of(frame)
        assert got[6] == 58, "next header %d" % got[6]
        icmp = got[40:]
        pseudo = got[8:40] + struct.pack("!II", len(icmp), 58)
        assert icmp[:2] == b"\x81\0" and internet_sum(pseudo + icmp) == 0, icmp.hex()
        assert icmp[4:] == sent[-len(icmp) + 4:], "data"
        text = IPv6(got[:40])
        wanted = src(row) if callable(src) else src or IPv6(sent[:40]).dst
        assert text.src == wanted, text.src
        assert text.dst == IPv6(sent[:40]).src, text.dst
        assert text.hlim >= 64
        if check:
            check(row, got)
        return rest(came, frame)

    return want
