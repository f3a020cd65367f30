# SPDX-License-Identifier: Apache-2.0
"""IPv4: RFC 791, 1122, 1191, 1812, 2113, 2644, 3021, 3704. Sections without a name are RFC 1812's."""
import struct

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Raw, fragment

from bed import host_mac
from rows import (HOST, OURS, Batch, Case, answered, echoed, forwarded, internet_sum, ip_of,
                  layer3, only, rest, shown, table)

NET, HOST_, PROTO, PORT, FRAG, ROUTE = 0, 1, 2, 3, 4, 5


def option(*octets):
    """Options as they are, padded with ends of the list."""
    raw = b"".join(octets)
    return [Raw(raw + b"\0" * (-len(raw) % 4))]


def address(text):
    return bytes(int(x) for x in text.split("."))


def option_of(ip):
    return ip[20:(ip[0] & 15) * 4]


def with_options(*octets, change=None, port="b", vlan=None, out="b", out_vlan=None, **fields):
    """Sends with options; they must come out as `change` says, or untouched."""
    return (lambda r: r.v4("a", vlan, options=option(*octets), **fields),
            forwarded(out, vlan=out_vlan, change=change))


def set_options(octets):
    def change(_row, ip):
        size = (ip[0] & 15) * 4
        wanted = octets + b"\0" * (size - 20 - len(octets))
        return ip[:20] + wanted + ip[size:]
    return change


RR = b"\x07\x0b\x04" + b"\0" * 8
TS0 = b"\x44\x0c\x05\x00" + b"\0" * 8
TS1 = b"\x44\x0c\x05\x01" + b"\0" * 8


def timestamped(kind, size, filled, address_of=OURS["b"]):
    """The first slot of the timestamp option is filled in, plausibly."""

    def want(row, came):
        frame = only(row, came, "b")
        got = option_of(ip_of(frame))
        pointer = 5 + (8 if kind else 4)
        assert got[:4] == bytes([0x44, size, pointer if filled else 5, kind]), got.hex()
        stamp = struct.unpack_from("!I", got, 8 if kind else 4)[0]
        if kind:
            assert got[4:8] == address(address_of), got.hex()
        if filled:
            now = __import__("time").time() % 86400 * 1000
            assert abs((stamp - now + 43200000) % 86400000 - 43200000) < 5000, (stamp, now)
        return rest(came, frame)

    return want


def pieces_of(which=0, port="b", vlan=76, mtu=576):
    """Fragments, none larger than the MTU, that are together the packet (4.2.2.7; RFC 791, 3.2)."""

    def want(row, came):
        whole = ip_of(row.sent[which][1])
        size = (whole[0] & 15) * 4
        data = bytearray(len(whole) - size)
        seen = 0
        base, = struct.unpack_from("!H", whole, 6)
        assert len(came) > 1, shown(came)
        last = False
        for where, frame in came:
            assert where == port and layer3(frame)[2] == vlan, shown([(where, frame)])
            ip = ip_of(frame)
            head = (ip[0] & 15) * 4
            flags, = struct.unpack_from("!H", ip, 6)
            at = ((flags & 0x1fff) - (base & 0x1fff)) * 8
            assert len(ip) <= mtu and internet_sum(ip[:head]) == 0
            assert ip[4:6] == whole[4:6] and ip[9] == whole[9] and ip[12:20] == whole[12:20]
            assert ip[1] == whole[1] and ip[8] == whole[8] - 1
            assert flags & 0xc000 == base & 0xc000, "flags %x" % flags
            options = whole[20:size] if at == 0 else copied(whole[20:size])
            assert ip[20:head].rstrip(b"\0\1") == options.rstrip(b"\0\1"), ip[20:head].hex()
            more = flags & 0x2000
            if at + len(ip) - head == len(data):
                assert bool(more) == bool(base & 0x2000)
                last = True
            else:
                assert more and (len(ip) - head) % 8 == 0
            data[at:at + len(ip) - head] = ip[head:]
            seen += len(ip) - head
        assert last and seen == len(data), "%d of %d bytes" % (seen, len(data))
        assert bytes(data) == whole[size:]
        # As few as there can be, within one of them for options.
        assert len(came) <= -(-len(data) // ((mtu - size) // 8 * 8))
        return []

    return want


def copied(options):
    """Those with the copied flag: what fragments other than the first have (RFC 791, 3.1)."""
    out, at = b"", 0
    while at < len(options) and options[at]:
        size = 1 if options[at] == 1 else options[at + 1]
        if options[at] & 0x80:
            out += options[at:at + size]
        at += size
    return out


def reversed_route(row, came):
    frame = only(row, came, "b")
    ip = ip_of(frame)
    assert ip[16:20] == address("198.51.100.9") and ip[12:16] == address(OURS["a"])
    assert ip[20:27] == b"\x83\x07\x04" + address(HOST["a"]), ip[20:28].hex()
    assert ip[28] == 0 and internet_sum(ip[:28]) == 0 and internet_sum(ip[28:]) == 0
    return rest(came, frame)


def failed_route(row, came):
    frame = only(row, came, "a")
    ip = ip_of(frame)
    assert (ip[20], ip[21]) == (3, ROUTE), ip[20:22].hex()
    assert internet_sum(ip[20:]) == 0
    return rest(came, frame)


def redirected(row, came):
    """RFC 792: type 5, code 1 (1812: for the host only), the gateway's address, a quote."""
    told = [(p, f) for p, f in came if ip_of(f)[9] == 1]
    frame = only(row, told, "a")
    ip = ip_of(frame)
    assert internet_sum(ip[:20]) == 0 and internet_sum(ip[20:]) == 0
    assert ip[20:22] == b"\5\1" and ip[24:28] == address("10.1.0.9"), ip[20:28].hex()
    assert ip[12:16] == address(OURS["a"]) and ip[16:20] == address(HOST["a"])
    sent = ip_of(row.sent[0][1])
    quote = ip[28:]
    assert len(quote) == len(sent)
    # It has been forwarded by then: TTL and checksum may be as it left.
    assert quote[:8] == sent[:8] and quote[12:] == sent[12:]
    return forwarded("a", mac=host_mac("a", 9))(row, rest(came, frame))


def clamped(mss):
    def want(row, came):
        frame = only(row, came, "b")
        ip = ip_of(frame)
        assert dict(IP(ip)[TCP].options)["MSS"] == mss, IP(ip)[TCP].options
        pseudo = ip[12:20] + struct.pack("!HH", 6, len(ip) - 20)
        assert internet_sum(pseudo + ip[20:]) == 0
        return rest(came, frame)

    return want


def to_self(r, *layers, **fields):
    """From host a to the router itself."""
    fields.setdefault("dst", OURS["a"])
    packet = r.eth() / r.ip(**fields)
    for layer in layers:
        packet = packet / layer
    return "a", bytes(packet)


def in_fragments(r, size, order=None, cut=200, **fields):
    """A ping to the router itself, in pieces."""
    fields.setdefault("dst", OURS["a"])
    parts = fragment(r.ip(**fields) / r.ping(size), fragsize=cut)
    frames = [("a", bytes(r.eth() / p)) for p in parts]
    return [frames[i] for i in order] if order else frames


def whole_echo(size, src=OURS["a"], mtu=1500):
    """The echo reply to what in_fragments sent."""

    def want(row, came):
        data = {}
        for port, frame in came:
            ip = ip_of(frame)
            assert port == "a" and internet_sum(ip[:20]) == 0 and len(ip) <= mtu
            text = IP(ip[:20])
            assert text.src == src and text.dst == HOST["a"] and text.proto == 1
            data[text.frag * 8] = ip[20:]
        icmp = b"".join(data[k] for k in sorted(data))
        assert icmp, "no answer"
        assert internet_sum(icmp) == 0 and icmp[:2] == b"\0\0" and icmp[8:] == row.load(size)
        return []

    return want


def host_says(kind, code):
    """The kernel of the router's host answers so."""

    def want(row, came):
        for port, frame in came:
            ip = ip_of(frame)
            if port == "a" and ip[9] == 1 and (ip[20], ip[21]) == (kind, code):
                assert internet_sum(ip[20:]) == 0
                return rest(came, frame)
        raise AssertionError("got " + shown(came))

    return want


def plain(**fields):
    return lambda r: r.v4(**fields)


def echo_to(dst, **fields):
    return lambda r: to_self(r, r.ping(), dst=dst, **fields)


def patch(at, value, checksum=True, **fields):
    return lambda r: r.patched(r.v4(**fields), at, value, checksum)


def about(payload, kind, code=0, **fields):
    """An ICMP message in transit towards a prefix without a route."""
    return lambda r: ("a", bytes(r.eth() / r.ip(dst="192.0.2.99", **fields) /
                                 ICMP(type=kind, code=code) / Raw(payload + r.load())))


EMBEDDED = bytes(IP(src="10.1.0.2", dst="10.2.0.2") / UDP(sport=1, dport=2))


CASES = [
    # -- 5.2.2: what a header must be before anything is done with it --------------------------
    Case("5.2.1", "a packet for elsewhere leaves with TTL one less and is else untouched",
         plain(), forwarded()),
    Case("5.2.2 (1)", "shorter than a header is silently discarded",
         lambda r: ("a", bytes(r.eth(type=0x800)) + b"\x45\0\0\x10" + r.mark),
         drop="ip-input/ip4-short"),
    Case("5.2.2 (2)", "a wrong checksum is silently discarded",
         patch(10, b"\x12\x34", checksum=False), drop="ip-input/ip4-checksum"),
    Case("5.2.2 (2)", "a checksum of zeros is as wrong",
         patch(10, b"\0\0", checksum=False), drop="ip-input/ip4-checksum"),
    Case("5.2.2 (2)", "a wrong checksum over options is seen",
         lambda r: r.patched(r.v4(options=option(b"\x94\x04\0\1")), 23, b"\7", checksum=False),
         drop="ip-input/ip4-checksum"),
    Case("5.2.2 (2)", "no ICMP error about a wrong checksum, TTL 1",
         lambda r: r.patched(r.v4(ttl=1), 10, b"\x12\x34", checksum=False),
         drop="ip-input/ip4-checksum"),
    Case("5.2.2 (2)", "nor is an echo request with one answered",
         lambda r: r.patched(to_self(r, r.ping()), 10, b"\x12\x34", checksum=False),
         drop="ip-input/ip4-checksum"),
    Case("5.2.2 (3)", "version 3 is silently discarded", patch(0, b"\x35"),
         drop="ip-input/ip4-version"),
    Case("5.2.2 (3)", "version 6 behind the type of IPv4 is silently discarded", patch(0, b"\x65"),
         drop="ip-input/ip4-version"),
    Case("5.2.2 (3)", "version 0 is silently discarded", patch(0, b"\x05"),
         drop="ip-input/ip4-version"),
    Case("5.2.2 (3)", "version 15 is silently discarded", patch(0, b"\xf5"),
         drop="ip-input/ip4-version"),
    Case("5.2.2 (4)", "a header length of 4 words is silently discarded", patch(0, b"\x44"),
         drop="ip-input/ip4-header-length"),
    Case("5.2.2 (4)", "a header length of 0 is silently discarded", patch(0, b"\x40", checksum=False),
         drop="ip-input/ip4-header-length"),
    Case("5.2.2 (5)", "a total length below the header's is silently discarded",
         patch(2, b"\0\x13"), drop="ip-input/ip4-total-length"),
    Case("5.2.2 (5)", "a total length of 0 is silently discarded",
         patch(2, b"\0\0"), drop="ip-input/ip4-total-length"),
    Case("5.2.2 (5)", "a header length beyond the total length is silently discarded",
         lambda r: r.patched(r.patched(r.v4(size=40), 0, b"\x4f", checksum=False), 2, b"\0\x38"),
         drop="ip-input/ip4-total-length"),
    Case("5.2.2", "a total length beyond what arrived is silently discarded",
         patch(2, b"\0\x2d"), drop="ip-input/ip4-total-length"),
    Case("5.2.2", "a total length of 65535 in a short frame is silently discarded",
         patch(2, b"\xff\xff"), drop="ip-input/ip4-total-length"),
    Case("5.2.2", "padding behind the total length is no reason to discard, and no part of it",
         lambda r: ("a", r.v4()[1] + b"\xee" * 10), forwarded()),
    Case("5.2.2", "padding is not quoted in an error",
         lambda r: ("a", r.v4(ttl=1)[1] + b"\xee" * 10), answered(11)),
    Case("5.2.2", "a header alone, without payload, is forwarded",
         lambda r: ("a", bytes(r.eth() / r.ip(proto=200)) + r.mark), forwarded()),
    Case("4.2.2.3", "the reserved bit of the flags is no reason to discard",
         plain(flags="evil"), forwarded()),
    Case("4.2.2.3", "nor are the low bits of TOS (now ECN)", plain(tos=3), forwarded()),
    *[Case("4.2.2.4, RFC 2474", "TOS %#04x passes untouched" % tos, plain(tos=tos), forwarded())
      for tos in (0x01, 0x02, 0x10, 0x20, 0x28, 0xb8, 0xc0, 0xfc, 0xff)],
    *[Case("4.2.2.5, RFC 1624", "the checksum is right after TTL changed, with id %#06x" % i,
           plain(id=i), forwarded())
      for i in (0, 1, 0x57ff, 0x5800, 0x67ba, 0x68ba, 0x9a45, 0x9b45, 0xfeff, 0xff00, 0xffff)],
    *[Case("4.2.2.5, RFC 1624", "the checksum is right where its sum is next to an end, %d" % d,
           lambda r, d=d: checksum_of(r, d), forwarded()) for d in (0, 1, 2, 0xff, 0x100, 0x101, 0xfe00,
                                                                    0xfeff, 0xff00, 0xffff)],
    *[Case("5.2.1", "protocol %d passes" % p,
           lambda r, p=p: ("a", bytes(r.eth() / r.ip(proto=p) / Raw(r.load(32)))), forwarded())
      for p in (0, 1, 2, 4, 6, 17, 41, 47, 50, 51, 89, 132, 253, 255)],
    Case("5.2.1", "a packet as large as the MTU passes", plain(size=1472), forwarded()),
    Case("4.3.2.1", "ICMP of types unknown here passes in transit",
         lambda r: ("a", bytes(r.eth() / r.ip() / ICMP(type=200, code=7) / Raw(r.load()))),
         forwarded()),

    # -- addresses ----------------------------------------------------------------------------
    *[Case("5.3.7, 4.2.2.11", "nothing comes from %s" % src, plain(src=src), drop="ip-input/ip4-source")
      for src in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.2.3",
                  "240.0.0.1", "255.255.255.255")],
    *[Case("5.3.7", "an echo request from %s is not answered" % src, echo_to(OURS["a"], src=src),
           drop="ip-input/ip4-source")
      for src in ("127.0.0.1", "224.0.0.1", "255.255.255.255")],
    *[Case("5.3.7, 4.2.2.11", "nothing goes to %s" % dst, plain(dst=dst), drop="ip-input/martian")
      for dst in ("0.0.0.1", "127.0.0.1", "127.1.2.3", "240.0.0.1", "254.1.1.1", "0.0.0.0")],
    Case("4.2.3.1 (c), 5.3.5.1", "to 255.255.255.255 is never forwarded, nor answered",
         plain(dst="255.255.255.255", eth={"dst": "ff:ff:ff:ff:ff:ff"})),
    Case("5.3.5.2, RFC 2644", "to a subnet's broadcast address is not sent on by default",
         plain(dst="10.2.0.255"), drop="ip-input/directed-broadcast"),
    Case("5.3.5.2", "where it is told to, it is, as a broadcast",
         plain(dst="10.9.0.255"), forwarded("b", vlan=9, mac="ff:ff:ff:ff:ff:ff")),
    Case("5.3.5.2", "TTL runs out for a directed broadcast too, without a word",
         plain(dst="10.9.0.255", ttl=1),
         drop="icmp-error/ttl-expired"),
    Case("4.3.2.7", "nor is one told whose source is such an address", plain(src="10.9.0.255", ttl=1),
         drop="icmp-error/ttl-expired"),
    Case("5.3.5.2", "not from a link where it was broadcast already",
         lambda r: r.v4("b", 9, src="10.9.0.2", dst="10.9.0.255", eth={"dst": "ff:ff:ff:ff:ff:ff"})),
    Case("RFC 3021, 2.1", "of a /31 both addresses are hosts'",
         lambda r: r.v4(dst="10.31.0.1"),
         forwarded("b", vlan=31, mac=host_mac("b", 1))),
    Case("RFC 3021, 2.1", "the router is the other one", echo_to("10.31.0.0"), echoed()),
    Case("5.3.3, 4.2.3.2", "to a group is not forwarded, nor answered",
         lambda r: r.v4(dst="239.1.1.1", eth={"dst": "01:00:5e:01:01:01"}),
         drop="ip-local/not-joined"),
    Case("5.3.3", "to a group of the link is not forwarded",
         lambda r: r.v4(dst="224.0.0.9", eth={"dst": "01:00:5e:00:00:09"})),
    Case("5.3.3, 4.3.2.7", "TTL 1 to a group is no error",
         lambda r: r.v4(dst="239.1.1.2", ttl=1, eth={"dst": "01:00:5e:01:01:02"}),
         drop="ip-local/not-joined"),
    Case("5.3.4", "what came as a broadcast frame is not forwarded",
         plain(eth={"dst": "ff:ff:ff:ff:ff:ff"}), drop="ip-input/l2-group"),
    Case("5.3.4", "what came as a multicast frame is not forwarded",
         plain(eth={"dst": "01:00:5e:01:01:03"}), drop="ip-input/l2-group"),
    Case("4.3.2.7", "and if its TTL runs out, nobody is told",
         plain(ttl=1, eth={"dst": "ff:ff:ff:ff:ff:ff"}), drop="ip-input/l2-group"),
    Case("RFC 1122, 3.3.6", "a unicast packet to the router in a broadcast frame is discarded",
         lambda r: ("a", bytes(r.eth(dst="ff:ff:ff:ff:ff:ff") / r.ip(dst=OURS["a"]) / r.ping())),
         drop="ip-input/l2-group"),
    Case("5.2.3", "a frame to another station is nobody's here",
         plain(eth={"dst": "02:99:99:99:99:99"}), drop="ip-input/not-ours"),
    *[Case("5.2.3 (1)", "%s is the router's own, from every side" % dst, echo_to(dst), echoed())
      for dst in ("10.1.0.1", "10.2.0.1", "10.3.0.1", "10.255.0.1", "10.9.0.1")],
    Case("5.2.3 (1)", "the other router's same address is that one's",
         lambda r: ("a", bytes(r.eth(vlan=20) / r.ip(dst="10.1.0.1") / r.ping())), echoed(vlan=20)),
    Case("5.2.3", "an interface without IPv4 addresses does not speak IPv4",
         lambda r: r.v4("a", vlan=6), drop="ip4-forward/ip4-disabled"),

    # -- 5.2.4, 5.3.1: routes and TTL ---------------------------------------------------------
    Case("5.2.4.3", "the route's next hop gets it", plain(dst="198.51.100.7"), forwarded()),
    Case("5.2.4.3", "a next hop across an unnumbered link gets it",
         plain(dst="172.21.1.1"), forwarded("b", vlan=55)),
    Case("5.2.4.3", "across a /31 as well", plain(dst="172.20.3.4"),
         forwarded("b", vlan=31, mac=host_mac("b", 1))),
    Case("5.2.4.3", "from a VLAN to a VLAN",
         lambda r: r.v4("a", vlan=44, src="10.44.0.2", dst="10.31.0.1"),
         forwarded("b", vlan=31, mac=host_mac("b", 1))),
    Case("5.2.4.3", "from a VLAN to none", lambda r: r.v4("a", vlan=44, src="10.44.0.2"), forwarded()),
    Case("5.2.4.3", "in the other router, to its own neighbour of the same address",
         lambda r: r.v4("a", vlan=20), forwarded("b", vlan=20)),
    Case("5.3.1", "TTL 2 leaves as 1", plain(ttl=2), forwarded()),
    Case("5.3.1", "TTL 255 leaves as 254", plain(ttl=255), forwarded()),
    Case("5.3.1, 4.3.3.4", "TTL 1 ends here, and the sender hears of it", plain(ttl=1), answered(11)),
    Case("5.3.1, 4.3.3.4", "so does TTL 0", plain(ttl=0), answered(11)),
    Case("5.3.1", "and when options are there", plain(ttl=1, options=option(b"\x94\x04\0\0")),
         answered(11)),
    Case("4.2.2.9, 5.3.1", "to the router itself, TTL 1 is enough", echo_to(OURS["a"], ttl=1), echoed()),
    Case("4.2.2.9, 5.3.1", "and TTL 0 too", echo_to(OURS["a"], ttl=0), echoed()),
    Case("4.2.2.9", "to its address on another link, as well", echo_to(OURS["b"], ttl=1), echoed()),

    # -- 4.3.2.7: when nothing must be said ------------------------------------------------------
    *[Case("4.3.2.7", "no error about an ICMP error (type %d)" % kind, about(EMBEDDED, kind),
           drop="icmp-error/no-route") for kind in (3, 4, 5, 11, 12)],
    Case("4.3.2.7", "no error about ICMP of an unknown type", about(b"", 99),
         drop="icmp-error/no-route"),
    Case("4.3.2.7", "nor when the TTL of an ICMP error runs out",
         lambda r: ("a", bytes(r.eth() / r.ip(ttl=1) / ICMP(type=3, code=1) / Raw(EMBEDDED + r.load()))),
         drop="icmp-error/ttl-expired"),
    Case("4.3.2.7", "but about an echo request there is one", about(b"", 8), answered(3, NET)),
    Case("4.3.2.7", "and about an echo reply", about(b"", 0), answered(3, NET)),
    Case("4.3.2.7", "no error about a fragment but the first", plain(dst="192.0.2.99", frag=8),
         drop="icmp-error/no-route"),
    Case("4.3.2.7", "nor when its TTL runs out", plain(ttl=1, frag=8, flags="MF"),
         drop="icmp-error/ttl-expired"),
    Case("4.3.2.7", "but about the first there is", plain(dst="192.0.2.99", flags="MF"),
         answered(3, NET)),

    # -- 4.3.3.1: unreachables --------------------------------------------------------------------
    Case("4.3.3.1", "without a route: code 0", plain(dst="192.0.2.99"), answered(3, NET)),
    Case("4.3.3.1", "by an unreachable route: code 1", plain(dst="192.0.2.17"), answered(3, HOST_)),
    Case("4.3.3.1, 5.3.9", "by a prohibiting route: code 13", plain(dst="192.0.2.33"), answered(3, 13)),
    Case("5.3.9", "a blackhole is silent", plain(dst="192.0.2.1"), drop="ip-input/blackhole"),
    Case("4.3.3.1", "an interface that is to say nothing says nothing",
         lambda r: r.v4("d", dst="192.0.2.99"), drop="icmp-error/no-route"),
    Case("4.3.3.1", "nor of TTL", lambda r: r.v4("d", ttl=1), drop="icmp-error/ttl-expired"),
    Case("4.3.3.1", "to a port where nobody listens: code 3, from the host",
         lambda r: to_self(r, UDP(sport=1, dport=9), Raw(r.load())), host_says(3, PORT)),
    Case("4.3.3.1", "to a protocol that nobody speaks: code 2, from the host",
         lambda r: to_self(r, Raw(r.load()), proto=200), host_says(3, PROTO)),
    Case("4.3.2.4", "in the other router the error comes from its own address",
         lambda r: r.v4("a", vlan=20, dst="192.0.2.99"), answered(3, NET, vlan=20)),
    Case("4.3.2.4", "from a VLAN's interface, its address",
         lambda r: r.v4("a", vlan=44, src="10.44.0.2", ttl=1), answered(11, vlan=44, src="10.44.0.1")),
    Case("4.3.2.3", "a large packet is quoted up to 576 bytes", plain(size=1400, ttl=1), answered(11)),
    Case("4.3.2.3", "a middling one whole", plain(size=300, ttl=1), answered(11)),
    Case("4.3.2.3", "with its options", plain(size=300, ttl=1, options=option(b"\x94\x04\0\0")),
         answered(11)),
    Case("4.3.2.5", "whatever its TOS", plain(tos=0xb8, ttl=1), answered(11)),

    # -- fragmentation, path MTU --------------------------------------------------------------
    Case("4.2.2.7", "what is too large for the link is cut", plain(dst="10.76.0.2", size=1400),
         pieces_of()),
    Case("4.2.2.7", "by one byte", plain(dst="10.76.0.2", size=549),
         pieces_of()),
    Case("4.2.2.7", "and what just fits is not", plain(dst="10.76.0.2", size=548),
         forwarded("b", vlan=76)),
    Case("4.2.2.7", "a fragment is cut again: the first", plain(dst="10.76.0.2", size=1400, flags="MF"),
         pieces_of()),
    Case("4.2.2.7", "one in the middle", plain(dst="10.76.0.2", size=1400, flags="MF", frag=100),
         pieces_of()),
    Case("4.2.2.7", "the last", plain(dst="10.76.0.2", size=1399, frag=100), pieces_of()),
    Case("4.2.2.7", "fragments pass as they are, and are not put together",
         plain(size=64, flags="MF", frag=3), forwarded()),
    Case("4.2.2.7, RFC 791, 3.1", "only options with the copied flag are in every fragment",
         plain(dst="10.76.0.2", size=1400, options=option(b"\x88\x04\x12\x34", b"\x1e\x04ab")),
         pieces_of()),
    Case("RFC 791, 3.2", "a link that takes 68 bytes gets 8 bytes of data in each",
         plain(dst="10.68.0.2", size=200, options=option(b"\x88\x04\x12\x34" + b"\1" * 36)),
         pieces_of(vlan=68, mtu=68)),
    Case("RFC 791, 3.2", "68 bytes pass every link uncut", plain(dst="10.68.0.2", size=40, flags="DF"),
         forwarded("b", vlan=68)),
    Case("RFC 1191, 4", "what must not be cut is answered with the next hop's MTU",
         plain(dst="10.76.0.2", size=1400, flags="DF"), answered(3, FRAG, data=576)),
    Case("RFC 1191, 4", "that of another link", plain(dst="10.3.0.2", size=1400, flags="DF"),
         answered(3, FRAG, data=1280)),
    Case("RFC 1191, 4", "behind a route", plain(dst="100.64.0.9", size=700, flags="DF"),
         answered(3, FRAG, data=576)),
    Case("RFC 1191, 4", "also from where nothing else is told",
         lambda r: r.v4("d", dst="10.76.0.2", size=1400, flags="DF"), answered(3, FRAG, port="d", data=576)),
    Case("RFC 1191, 4", "DF that fits passes", plain(dst="10.76.0.2", size=548, flags="DF"),
         forwarded("b", vlan=76)),
    Case("5.2.6, 4.3.3.4", "TTL is looked at before the size", plain(dst="10.76.0.2", size=1400, ttl=1,
                                                                flags="DF"), answered(11)),

    # -- 4.2.2.8: reassembly of what is for the router -------------------------------------------
    Case("4.2.2.8", "pieces of an echo request are put together",
         lambda r: in_fragments(r, 1000), whole_echo(1000)),
    Case("4.2.2.8", "in any order", lambda r: in_fragments(r, 1000, order=(3, 1, 5, 0, 4, 2)),
         whole_echo(1000)),
    Case("4.2.2.8", "with some twice", lambda r: in_fragments(r, 1000, order=(0, 1, 1, 3, 2, 3, 4, 5)),
         whole_echo(1000)),
    Case("4.2.2.8, RFC 1122, 3.3.2", "larger than the MTU of the link",
         lambda r: in_fragments(r, 4000, cut=1400), whole_echo(4000)),
    Case("4.2.2.8", "one that lacks a piece is not answered",
         lambda r: in_fragments(r, 1000, order=(0, 1, 2, 4, 5))),
    Case("RFC 791, 3.2", "datagrams are told apart by protocol, addresses and identification",
         lambda r: in_fragments(r, 600, order=(0, 1), cut=200) +
         in_fragments(r, 600, order=(2, 3), cut=200, id=0x7777)),

    # -- 4.3.3.6: echo -----------------------------------------------------------------------------
    Case("4.3.3.6", "an echo request is answered with its data", lambda r: to_self(r, r.ping(56)), echoed()),
    Case("4.3.3.6", "an odd number of bytes", lambda r: to_self(r, r.ping(57)), echoed()),
    Case("4.3.3.6", "up to the MTU of the link", lambda r: to_self(r, r.ping(1472)), echoed()),
    Case("4.3.3.6", "TOS of the request", lambda r: to_self(r, r.ping(), tos=0x28),
         echoed(check=lambda r, ip: tos_is(ip, 0x28))),
    Case("4.3.3.6, 4.3.2.1", "a wrong ICMP checksum is not answered",
         lambda r: to_self(r, r.ping(16, chksum=0x1234)), drop="icmp-echo/icmp-checksum"),
    Case("4.3.3.6", "to a subnet's broadcast address is not answered by default",
         lambda r: ("a", bytes(r.eth(dst="ff:ff:ff:ff:ff:ff") / r.ip(dst="10.1.0.255") / r.ping())),
         drop="icmp-echo/echo-group"),
    Case("4.3.3.6", "nor to 255.255.255.255",
         lambda r: ("a", bytes(r.eth(dst="ff:ff:ff:ff:ff:ff") / r.ip(dst="255.255.255.255") / r.ping())),
         drop="icmp-echo/echo-group"),
    Case("4.3.3.6", "nor to a group",
         lambda r: ("a", bytes(r.eth(dst="01:00:5e:00:00:01") / r.ip(dst="224.0.0.1") / r.ping())),
         drop="icmp-echo/echo-group"),
    Case("4.3.3.6", "where that is wanted, it is, from the interface's address",
         lambda r: ("a", bytes(r.eth(vlan=20, dst="ff:ff:ff:ff:ff:ff") / r.ip(dst="10.1.0.255") / r.ping())),
         echoed(vlan=20, src="10.1.0.1")),
    Case("4.3.3.6", "a recorded route goes back with the reply",
         lambda r: to_self(r, r.ping(), options=option(b"\x07\x0b\x08" + address("10.9.9.9") + b"\0" * 4)),
         echoed(options=True, check=lambda r, ip: options_are(
             ip, b"\x07\x0b\x0c" + address("10.9.9.9") + address(OURS["a"])))),
    Case("4.3.3.6", "a source route goes back in reverse, its last stop first",
         lambda r: ("a", bytes(r.eth(vlan=20) / r.ip(
             dst=OURS["a"], options=option(b"\x83\x07\x08" + address("198.51.100.9"))) / r.ping())),
         reversed_route),
    Case("4.3.3.7", "no answer to an information request",
         lambda r: to_self(r, ICMP(type=15), Raw(r.load()))),
    Case("4.3.3.3", "a source quench changes nothing, and is not answered",
         lambda r: to_self(r, ICMP(type=4), Raw(EMBEDDED + r.load()))),
    Case("4.3.2.1", "ICMP of an unknown type to the router is silently discarded",
         lambda r: to_self(r, ICMP(type=99), Raw(r.load()))),
    Case("4.3.3.2", "a redirect is not followed", lambda r: [
        to_self(r, ICMP(type=5, code=1, gw="10.1.0.9"),
                Raw(bytes(IP(src=OURS["a"], dst="10.2.0.2") / UDP()) + r.load())), r.v4()],
         forwarded(which=1)),

    # -- 4.2.2.1, 5.3.13: options ---------------------------------------------------------------------
    Case("4.2.2.6, 5.3.13", "unknown options pass untouched", *with_options(b"\x1e\x06abcd")),
    Case("4.2.2.6", "those with the copied flag, too", *with_options(b"\x9e\x06abcd")),
    Case("4.2.2.1 (b)", "stream identifiers", *with_options(b"\x88\x04\x12\x34")),
    Case("4.2.2.1 (a), 5.3.13.1", "security", *with_options(b"\x82\x0b" + b"\0" * 9)),
    Case("4.2.2.1", "forty bytes of nothing", *with_options(b"\1" * 40)),
    Case("4.2.2.1", "what stands behind the end of the list is not looked at",
         *with_options(b"\0\x07\x01\xff")),
    Case("5.3.13.4", "a recorded route gets the address of the way out",
         *with_options(RR, change=set_options(b"\x07\x0b\x08" + address(OURS["b"]) + b"\0" * 4))),
    Case("5.3.13.4", "in its next slot", *with_options(
        b"\x07\x0b\x08" + address("9.9.9.9") + b"\0" * 4,
        change=set_options(b"\x07\x0b\x0c" + address("9.9.9.9") + address(OURS["b"])))),
    Case("5.3.13.4", "a full one stays", *with_options(b"\x07\x0b\x0c" + address("9.9.9.9") * 2)),
    Case("5.3.13.4", "behind others", *with_options(
        b"\1\1\x88\x04\x12\x34\1" + RR,
        change=set_options(b"\1\1\x88\x04\x12\x34\1\x07\x0b\x08" + address(OURS["b"]) + b"\0" * 4))),
    Case("5.3.13.5", "a timestamp is filled in", lambda r: r.v4(options=option(TS0)),
         timestamped(0, 12, True)),
    Case("5.3.13.5", "with the address of the way out", lambda r: r.v4(options=option(TS1)),
         timestamped(1, 12, True)),
    Case("5.3.13.5", "for a named router, only if that is this one",
         lambda r: r.v4(options=option(b"\x44\x0c\x05\x03" + address(OURS["b"]) + b"\0" * 4)),
         timestamped(3, 12, True)),
    Case("5.3.13.5", "and else not",
         *with_options(b"\x44\x0c\x05\x03" + address("9.9.9.9") + b"\0" * 4)),
    Case("5.3.13.5", "without room the overflow is counted",
         *with_options(b"\x44\x08\x09\x20" + b"\0\0\0\1",
                       change=set_options(b"\x44\x08\x09\x30" + b"\0\0\0\1"))),
    Case("5.3.13.5, RFC 791, 3.1", "an overflow of the overflow is a problem",
         lambda r: r.v4(options=option(b"\x44\x08\x09\xf0" + b"\0\0\0\1")), answered(12, pointer=23)),
    Case("5.3.13.3, RFC 7126, 4.3", "source routes are refused where they are not allowed (loose)",
         lambda r: r.v4(dst=OURS["a"], options=option(b"\x83\x07\x04" + address("10.2.0.2"))),
         answered(3, ROUTE)),
    Case("5.3.13.3, RFC 7126, 4.4", "source routes are refused where they are not allowed (strict)",
         lambda r: r.v4(dst=OURS["a"], options=option(b"\x89\x07\x04" + address("10.2.0.2"))),
         answered(3, ROUTE)),
    Case("5.2.4.1, 5.3.13.3", "where they are, the next stop is the new destination (loose)",
         lambda r: r.v4(vlan=20, dst=OURS["a"], options=option(b"\x83\x07\x04" + address("10.2.0.2"))),
         forwarded("b", vlan=20, change=lambda r, ip: next_stop(ip, "10.2.0.2", "10.2.0.1"))),
    Case("5.2.4.1, 5.3.13.3", "and strict",
         lambda r: r.v4(vlan=20, dst=OURS["a"], options=option(b"\x89\x07\x04" + address("10.2.0.2"))),
         forwarded("b", vlan=20, change=lambda r, ip: next_stop(ip, "10.2.0.2", "10.2.0.1"))),
    Case("5.2.4.1", "a loose one may pass others on its way",
         lambda r: r.v4(vlan=20, dst="198.51.100.1", options=option(b"\x83\x07\x04" + address("9.9.9.9"))),
         forwarded("b", vlan=20)),
    Case("5.3.13.3", "a strict one to what is not on a link fails",
         lambda r: r.v4(vlan=20, dst=OURS["a"], options=option(b"\x89\x07\x04" + address("198.51.100.1"))),
         failed_route),
    Case("5.3.13.3", "two source routes are a problem",
         lambda r: r.v4(vlan=20, dst=OURS["a"], options=option(
             b"\x83\x07\x04" + address("10.2.0.2") + b"\x89\x07\x04" + address("10.2.0.2"))),
         answered(12, vlan=20, pointer=27)),
    *[Case("4.3.3.5, 5.3.13", "a problem: " + text, lambda r, o=o: r.v4(options=option(o)),
           answered(12, pointer=pointer)) for text, o, pointer in (
               ("an option of length 0", b"\x1e\0\1\1", 21),
               ("an option of length 1", b"\x1e\1\1\1", 21),
               ("an option beyond the header", b"\x1e\5\1\1", 21),
               ("an option without its length", b"\1\1\1\x1e", 23),
               ("a recorded route whose pointer is 3", b"\7\7\3\0\0\0\0", 22),
               ("a recorded route with half a slot", b"\7\x09\x08" + b"\0" * 6, 22),
               ("two recorded routes", b"\7\7\4\0\0\0\0\7\7\4\0\0\0\0", 27),
               ("a timestamp whose pointer is 4", b"\x44\x08\4\0\0\0\0\0", 22),
               ("a timestamp of unknown kind", b"\x44\x08\5\2\0\0\0\0", 23))],
    Case("4.3.2.7", "no problem is told about a fragment but the first",
         plain(frag=8, options=option(b"\x1e\0\1\1")), drop="icmp-error/parameter-problem"),
    Case("4.3.2.7", "nor about an ICMP error", lambda r: (
        "a", bytes(r.eth() / r.ip(options=option(b"\x1e\0\1\1")) / ICMP(type=3) / Raw(r.load()))),
         drop="icmp-error/parameter-problem"),
    Case("RFC 2113, 2.1", "a router alert for others is the host's to look at",
         plain(options=option(b"\x94\4\0\0"))),
    Case("RFC 2113, 2.1", "where that is off, it passes", lambda r: r.v4(vlan=20, options=option(b"\x94\4\0\0")),
         forwarded("b", vlan=20)),
    Case("RFC 2113, 2.1", "a value that is reserved makes no alert", plain(options=option(b"\x94\4\0\7")),
         forwarded()),

    # -- 5.3.8, RFC 3704: reverse path ----------------------------------------------------------------
    Case("5.3.8, RFC 3704, 2.2", "strict: a source of the link passes", lambda r: r.v4("d"), forwarded()),
    Case("5.3.8, RFC 3704, 2.2", "strict: a source behind another link does not",
         lambda r: r.v4("d", src="10.1.0.2"), drop="ip-input/reverse-path4"),
    Case("5.3.8, RFC 3704, 2.2", "strict: nor one without a route",
         lambda r: r.v4("d", src="192.0.2.99"), drop="ip-input/reverse-path4"),
    Case("5.3.8, RFC 3704, 2.2", "strict: nor with options",
         lambda r: r.v4("d", src="10.1.0.2", options=option(b"\x1e\4ab")), drop="ip-input/reverse-path4"),
    Case("5.3.8", "strict: nor to the router itself",
         lambda r: ("d", bytes(r.eth("d") / r.ip(src="10.1.0.2", dst=OURS["d"]) / r.ping())),
         drop="ip-input/reverse-path4"),
    Case("5.3.8", "strict: nor the router's own address as a source",
         lambda r: r.v4("d", src=OURS["d"]), drop="ip-input/reverse-path4"),
    Case("5.3.8", "strict: nor the link's broadcast address", lambda r: r.v4("d", src="10.4.0.255"),
         drop="ip-input/reverse-path4"),
    Case("RFC 3704, 2.4", "loose: a source behind another link passes",
         lambda r: r.v4("a", vlan=44, src="10.4.0.2"), forwarded()),
    Case("RFC 3704, 2.4", "loose: one without a route does not",
         lambda r: r.v4("a", vlan=44, src="192.0.2.99"), drop="ip4-forward/reverse-path4"),
    Case("RFC 3704, 2.4", "loose: one in a blackhole does not",
         lambda r: r.v4("a", vlan=44, src="192.0.2.1"), drop="ip4-forward/reverse-path4"),

    # -- 4.3.3.2, 5.2.7.2: redirects ---------------------------------------------------------------------
    Case("4.3.3.2, 5.2.7.2", "back to its own link it is forwarded, and the sender told of the better hop",
         plain(dst="203.0.113.7"), redirected),
    Case("4.3.3.2", "not where redirects are off",
         lambda r: r.v4(vlan=20, dst="10.1.0.2", src="10.1.0.3"), forwarded("a", vlan=20)),
    Case("4.3.3.2", "not to the destination itself", plain(dst="10.1.0.2"), forwarded("a")),
    Case("4.3.3.2", "not a sender that is not on the link",
         lambda r: r.v4(src="10.99.0.2", dst="203.0.113.8"),
         forwarded("a", mac=host_mac("a", 9))),
    Case("4.3.2.7", "not about an ICMP error",
         lambda r: ("a", bytes(r.eth() / r.ip(src="10.1.0.2", dst="203.0.113.9") / ICMP(type=3) / Raw(r.load()))),
         forwarded("a", mac=host_mac("a", 9))),

    # -- MSS ---------------------------------------------------------------------------------------------
    Case("RFC 4459, 3.2", "a SYN's MSS is lowered to the MTU, its checksum right",
         lambda r: syn(r, dst="10.88.0.2"), clamped(1360)),
    Case("RFC 4459, 3.2", "one that is low enough stays", lambda r: syn(r, dst="10.88.0.2", mss=536),
         forwarded("b", vlan=88)),
    Case("RFC 4459, 3.2", "on other links it stays", lambda r: syn(r, dst="10.2.0.2"), forwarded()),

    # -- frames ----------------------------------------------------------------------------------------------
    Case("IEEE 802.1Q", "VLAN 0 is only a priority", lambda r: priority(r), forwarded()),
    Case("IEEE 802.1Q", "a VLAN that no router has is dropped", lambda r: r.v4("a", vlan=99),
         drop="ip-input/no-interface"),
    Case("RFC 894", "an Ethernet type that nobody knows is dropped, or the host's",
         lambda r: ("a", bytes(r.eth(type=0x88b5)) + r.load(60))),
    Case("RFC 894", "a frame that ends in its tag is dropped",
         lambda r: ("a", bytes(r.eth(type=0x8100)) + b"\0"), drop="ip-input/l2-short"),
]


def checksum_of(r, wanted):
    """A packet whose checksum is `wanted`, by its identification."""
    port, frame = r.v4()
    ip = frame[14:]
    zero = ip[:4] + b"\0\0" + ip[6:10] + b"\0\0" + ip[12:]
    ident = (internet_sum(zero[:20]) - wanted) % 0xffff
    return r.patched((port, frame), 4, struct.pack("!H", ident))


def tos_is(ip, tos):
    assert ip[1] == tos, ip[1]


def options_are(ip, wanted):
    assert option_of(ip).rstrip(b"\0") == wanted.rstrip(b"\0"), option_of(ip).hex()


def next_stop(ip, stop, ours):
    size = (ip[0] & 15) * 4
    options = bytes([ip[20], ip[21], 8]) + address(ours)
    return ip[:16] + address(stop) + options + b"\0" * (size - 27) + ip[size:]


def syn(r, dst, mss=1460):
    tcp = TCP(sport=1000 + r.number, dport=80, flags="S", options=[("MSS", mss), ("SAckOK", b"")])
    return "a", bytes(r.eth() / r.ip(dst=dst) / tcp / Raw(r.load()))


def priority(r):
    port, frame = r.v4()
    return port, frame[:12] + b"\x81\0\xe0\0" + frame[12:]


@pytest.fixture(scope="module")
def batch(bed):
    return Batch(bed, CASES, 1000)


@table(*CASES)
def test_ipv4(batch, case):
    batch.judge(case)


@pytest.mark.parametrize("reason", sorted({c.drop for c in CASES if c.drop}))
def test_drops_of_ipv4_are_named(batch, reason):
    assert batch.drops.get(reason, 0) == batch.expected[reason], batch.drops
