# SPDX-License-Identifier: Apache-2.0
"""Neighbours: ARP (RFC 826, 1812 3.3.2, 5227), neighbour discovery (RFC 4861), duplicate addresses
(RFC 4862). First what one frame shows, then what takes several."""
import socket
import struct
import time

import pytest
from scapy.all import ARP, Ether, IPv6, Raw
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6ND_RS,
                                ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr)

from rows import (HOST6, OURS, OURS6, Batch, Case, Row, forwarded, internet_sum, ip_of, layer3,
                  only, rest, table)

ALL = "ff:ff:ff:ff:ff:ff"


def solicited_node(address):
    """Group and Ethernet address of RFC 4291, 2.7.1."""
    last = socket.inet_pton(socket.AF_INET6, address)[-3:]
    group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + last
    return socket.inet_ntop(socket.AF_INET6, group), "33:33:ff:%02x:%02x:%02x" % tuple(last)


def arp(op=1, target=OURS["a"], source="10.1.0.30", port="a", vlan=None, dst=ALL, tail=b"", **fields):
    def sends(r):
        more = dict({"hwsrc": r.mac, "hwdst": "00:00:00:00:00:00"}, **fields)
        message = ARP(op=op, psrc=source, pdst=target, **more)
        return port, bytes(r.eth(port, vlan, src=r.mac, dst=dst) / message) + tail

    return sends


def arp_answer(port="a", vlan=None, source=OURS["a"], target="10.1.0.30"):
    """RFC 826: who asked gets the address, fields swapped."""

    def want(row, came):
        frame = only(row, came, port)
        at, kind, tag = layer3(frame)
        ours = row.bed.mac[port]
        text = Ether(frame)
        assert (kind, tag) == (0x806, vlan)
        assert text.dst == row.mac and text.src == ours
        got = text[ARP]
        assert (got.hwtype, got.ptype, got.hwlen, got.plen, got.op) == (1, 0x800, 6, 4, 2)
        assert (got.hwsrc, got.psrc) == (ours, source)
        assert (got.hwdst, got.pdst) == (row.mac, target)
        return rest(came, frame)

    return want


def nd(message, *options, src=HOST6["a"], dst=None, target=None, port="a", vlan=None, hlim=255, mac=None,
       patch=None):
    """A message of RFC 4861; `patch` changes it before its checksum is made."""

    def sends(r):
        inner = message
        for option in options:
            inner = inner / (option(r) if callable(option) else option)
        to, to_mac = solicited_node(target) if target else (None, None)
        to = dst or to
        body = IPv6(src=src, dst=to, hlim=hlim) / inner
        raw = bytes(body)
        if patch:
            icmp = patch(raw[40:])
            icmp = icmp[:2] + b"\0\0" + icmp[4:]
            head = raw[:4] + struct.pack("!H", len(icmp)) + raw[6:40]
            total = internet_sum(head[8:40] + struct.pack("!II", len(icmp), 58) + icmp)
            raw = head + icmp[:2] + struct.pack("!H", total) + icmp[4:]
        header = r.eth(port, src=r.mac, dst=mac or to_mac or r.bed.mac[port],
                       type=0x8100 if vlan else 0x86dd)
        tag = struct.pack("!HH", vlan, 0x86dd) if vlan else b""
        return port, bytes(header) + tag + raw

    return sends


def ns(target=OURS6["a"], *options, with_mac=True, **fields):
    options = options or ((lambda r: ICMPv6NDOptSrcLLAddr(lladdr=r.mac),) if with_mac else ())
    return nd(ICMPv6ND_NS(tgt=target), *options, target=target, **fields)


def checked(frame):
    """The IPv6 packet and its ICMPv6, hop limit and checksum right."""
    ip = ip_of(frame)
    icmp = ip[40:]
    assert ip[6] == 58 and ip[7] == 255
    assert internet_sum(ip[8:40] + struct.pack("!II", len(icmp), 58) + icmp) == 0
    return IPv6(ip), icmp


def nd_answer(target, to=HOST6["a"], port="a"):
    """RFC 4861, 7.2.4."""

    def want(row, came):
        frame = only(row, came, port)
        text, icmp = checked(frame)
        wanted = target(row) if callable(target) else target
        assert icmp[0] == 136 and icmp[1] == 0
        assert text.dst == to and text.src == wanted
        assert socket.inet_ntop(socket.AF_INET6, icmp[8:24]) == wanted
        assert icmp[4] & 0xe0 == 0xe0, "R, S, O"
        assert icmp[24:26] == b"\2\1" and icmp[26:32].hex(":") == row.bed.mac[port]
        assert frame[:6].hex(":") == row.mac
        return rest(came, frame)

    return want


NS = ICMPv6ND_NS(tgt=OURS6["a"])
US, US_MAC = solicited_node(OURS6["a"])


def set_byte(at, value):
    return lambda icmp: icmp[:at] + bytes([value]) + icmp[at + 1:]


CASES = [
    # -- ARP -------------------------------------------------------------------------------------------
    Case("RFC 826", "who asks for the router's address gets it", arp(), arp_answer()),
    Case("RFC 826", "asked of it alone, too", lambda r: arp(dst=r.bed.mac["a"])(r), arp_answer()),
    Case("RFC 826", "with padding behind", arp(tail=b"\0" * 18), arp_answer()),
    Case("RFC 826", "and with a trailer that is none", arp(tail=b"\xee" * 200), arp_answer()),
    Case("RFC 826", "whatever stands in the target's hardware address", arp(hwdst="12:34:56:78:9a:bc"),
         arp_answer()),
    Case("RFC 826", "on a VLAN, with its tag", arp(vlan=44, target="10.44.0.1", source="10.44.0.30"),
         arp_answer(vlan=44, source="10.44.0.1", target="10.44.0.30")),
    Case("RFC 826", "an address that it lends", arp(port="b", vlan=55, target="10.255.0.1", source="10.200.0.9"),
         arp_answer("b", vlan=55, source="10.255.0.1", target="10.200.0.9")),
    Case("RFC 826", "on a /31", arp(port="b", vlan=31, target="10.31.0.0", source="10.31.0.1"),
         arp_answer("b", vlan=31, source="10.31.0.0", target="10.31.0.1")),
    Case("RFC 826", "of another router, its own", arp(vlan=20), arp_answer(vlan=20)),
    Case("RFC 826", "not somebody else's address", arp(target="10.1.0.77")),
    Case("RFC 1812, 3.3.2", "nor an address of another link, without proxy", arp(target="10.2.0.2")),
    Case("RFC 826", "a reply is not answered", arp(op=2, hwdst="02:00:00:00:00:01")),
    Case("RFC 5227, 2.1.1", "a probe for its address is answered", arp(source="0.0.0.0"),
         arp_answer(target="0.0.0.0")),
    Case("RFC 826", "of another hardware", arp(hwtype=6), drop="arp-input/format"),
    Case("RFC 826", "of another protocol", arp(ptype=0x86dd), drop="arp-input/format"),
    Case("RFC 826", "a hardware address of 8 bytes", arp(hwlen=8, hwdst="00:00:00:00:00:00"),
         drop="arp-input/format"),
    Case("RFC 826", "a protocol address of 16 bytes", lambda r: patched(r, arp()(r), 5, 16), drop="arp-input/format"),
    *[Case("RFC 826", "operation %d" % op, arp(op=op), drop="arp-input/format") for op in (0, 3, 8, 25)],
    Case("RFC 826", "one that ends early", lambda r: ("a", arp()(r)[1][:40]), drop="arp-input/short"),
    *[Case("RFC 1812, 3.3.2", "a sender whose hardware address is %s" % mac, arp(hwsrc=mac),
           drop="arp-input/sender-invalid")
      for mac in (ALL, "01:00:5e:00:00:01", "00:00:00:00:00:00")],
    *[Case("RFC 5227, 1.1", "a sender whose address is %s" % a, arp(source=a), drop="arp-input/sender-invalid")
      for a in ("224.0.0.1", "127.0.0.1", "255.255.255.255", "240.0.0.1")],

    # -- neighbour solicitations -----------------------------------------------------------------------------
    Case("RFC 4861, 7.2.4", "who asks for the router's address gets it", ns(), nd_answer(OURS6["a"])),
    Case("RFC 4861, 7.2.4", "asked of it alone", lambda r: ns(dst=OURS6["a"], mac=r.bed.mac["a"])(r),
         nd_answer(OURS6["a"])),
    Case("RFC 4861, 7.2.4", "its link-local address, too",
         lambda r: ns(r.bed.link_local("a"))(r), nd_answer(lambda r: r.bed.link_local("a"))),
    Case("RFC 4861, 7.2.4", "from a link-local address", ns(src="fe80::33"), nd_answer(OURS6["a"], "fe80::33")),
    Case("RFC 4861, 7.2.4, 4.3", "without an option, asked of it alone",
         lambda r: nd(NS, dst=OURS6["a"])(r), nd_answer(OURS6["a"])),
    Case("RFC 4861, 7.1.1", "with an option that nobody knows",
         ns(OURS6["a"], lambda r: Raw(b"\xc8\1abcdef"), lambda r: ICMPv6NDOptSrcLLAddr(lladdr=r.mac)),
         nd_answer(OURS6["a"])),
    Case("RFC 4861, 7.2.3", "not somebody else's address", ns("2001:db8:1::77")),
    Case("RFC 4861, 7.2.3", "nor one of another link, without proxy", ns("2001:db8:2::2")),
    *[Case("RFC 4861, 7.1.1", "hop limit %d: it came through a router" % h, ns(hlim=h), drop="nd-input/nd-hop-limit")
      for h in (0, 1, 64, 254)],
    Case("RFC 4861, 7.1.1", "a wrong checksum", lambda r: broken_sum(ns()(r)), drop="nd-input/nd-checksum"),
    Case("RFC 4861, 7.1.1", "a code other than 0", ns(patch=set_byte(1, 1)), drop="nd-input/nd-code"),
    Case("RFC 4861, 7.1.1", "shorter than 24 bytes", ns(patch=lambda i: i[:20]), drop="nd-input/nd-length"),
    Case("RFC 4861, 7.1.1", "a target that is a group",
         ns(patch=lambda i: i[:8] + socket.inet_pton(socket.AF_INET6, "ff02::1") + i[24:]), drop="nd-input/nd-target"),
    Case("RFC 4861, 7.1.1", "an option of length 0", ns(patch=set_byte(25, 0)), drop="nd-input/nd-option"),
    Case("RFC 4861, 7.1.1", "an option beyond the end", ns(patch=set_byte(25, 2)), drop="nd-input/nd-option"),
    Case("RFC 4861, 7.1.1", "from nobody, with a hardware address", ns(src="::"), drop="nd-input/nd-unspecified"),
    Case("RFC 4861, 7.1.1", "from nobody, to another than the solicited-node group",
         ns(src="::", with_mac=False, dst="ff02::1", mac="33:33:00:00:00:01"), drop="nd-input/nd-unspecified"),
    # -- advertisements --------------------------------------------------------------------------------------
    *[Case("RFC 4861, 7.1.2", "an advertisement " + text, nd(
        ICMPv6ND_NA(tgt=HOST6["a"], R=0, S=s, O=1), lambda r: ICMPv6NDOptDstLLAddr(lladdr=r.mac), dst=dst,
        mac=mac, hlim=hlim, patch=patch), drop=drop) for text, s, dst, mac, hlim, patch, drop in (
            ("through a router", 1, OURS6["a"], None, 254, None, "nd-input/nd-hop-limit"),
            ("of code 1", 1, OURS6["a"], None, 255, set_byte(1, 1), "nd-input/nd-code"),
            ("of 16 bytes", 1, OURS6["a"], None, 255, lambda i: i[:16], "nd-input/nd-length"),
            ("to all that says that it was asked for", 1, "ff02::1", "33:33:00:00:00:01", 255, None,
             "nd-input/nd-solicited"),
            ("with an option of length 0", 1, OURS6["a"], None, 255, set_byte(25, 0), "nd-input/nd-option"),
            ("of a group", 1, OURS6["a"], None, 255, set_byte(8, 0xff), "nd-input/nd-target"))],
    # -- routers' messages ---------------------------------------------------------------------------------------
    Case("RFC 4861, 6.2.6", "a router solicitation where none are sent is not answered",
         nd(ICMPv6ND_RS(), lambda r: ICMPv6NDOptSrcLLAddr(lladdr=r.mac), dst="ff02::2", mac="33:33:00:00:00:02",
            src="fe80::34")),
    Case("RFC 4861, 6.1.1", "a solicitation through a router",
         nd(ICMPv6ND_RS(), dst="ff02::2", mac="33:33:00:00:00:02", hlim=64), drop="nd-input/nd-hop-limit"),
    Case("RFC 4861, 6.1.1", "a solicitation of code 1",
         nd(ICMPv6ND_RS(), dst="ff02::2", mac="33:33:00:00:00:02", patch=set_byte(1, 1)), drop="nd-input/nd-code"),
    Case("RFC 4861, 6.1.1", "from nobody, with a hardware address",
         nd(ICMPv6ND_RS(), lambda r: ICMPv6NDOptSrcLLAddr(lladdr=r.mac), dst="ff02::2", mac="33:33:00:00:00:02",
            src="::"), drop="nd-input/nd-unspecified"),
    Case("RFC 4861, 6.1.2", "an advertisement from no link-local address",
         nd(ICMPv6ND_RA(), dst="ff02::1", mac="33:33:00:00:00:01"), drop="nd-input/nd-not-link-local"),
    Case("RFC 4861, 8.3", "a redirect is not followed", lambda r: [
        nd(ICMPv6ND_Redirect(tgt="fe80::9", dst=HOST6["b"]), src="fe80::9", dst=OURS6["a"])(r), r.v6()],
         forwarded(which=1)),
]


def patched(r, sent, at, value):
    port, frame = sent
    return port, frame[:14 + at] + bytes([value]) + frame[15 + at:]


def broken_sum(sent):
    port, frame = sent
    return port, frame[:56] + bytes([frame[56] ^ 1]) + frame[57:]


@pytest.fixture(scope="module")
def batch(bed):
    return Batch(bed, CASES, 3000)


@table(*CASES)
def test_arp_nd(batch, case):
    batch.judge(case)


@pytest.mark.parametrize("reason", sorted({c.drop for c in CASES if c.drop}))
def test_drops_of_arp_nd_are_named(batch, reason):
    assert batch.drops.get(reason, 0) == batch.expected[reason], batch.drops


# -- what takes several frames ------------------------------------------------------------------------

def is_arp(frame, op, **fields):
    at, kind, _ = layer3(frame)
    if kind != 0x806:
        return False
    got = Ether(frame)[ARP]
    return got.op == op and all(getattr(got, k) == v for k, v in fields.items())


def is_nd(frame, kind, target=None):
    at, ether, _ = layer3(frame)
    if ether != 0x86dd or frame[at + 6] != 58 or frame[at + 40] != kind:
        return False
    return target is None or frame[at + 48:at + 64] == socket.inet_pton(socket.AF_INET6, target)


def tagged(frame):
    return layer3(frame)[2]


def test_address_is_probed_before_it_is_said(bed):
    """RFC 5227, 2.1.1 and 2.3: probes from 0.0.0.0, then announcements."""
    mine = [f for p, f in bed.first if p == "a" and tagged(f) == 21 and layer3(f)[1] == 0x806]
    probes = [f for f in mine if is_arp(f, 1, psrc="0.0.0.0", pdst="10.1.0.1")]
    told = [f for f in mine if is_arp(f, 1, psrc="10.1.0.1", pdst="10.1.0.1")]
    assert len(probes) == 3 and told, [f.hex() for f in mine]
    for frame in probes:
        got = Ether(frame)
        assert got.dst == ALL and got[ARP].hwsrc == bed.mac["a"]
        assert got[ARP].hwdst == "00:00:00:00:00:00"
    assert mine.index(told[0]) > mine.index(probes[2])


def test_ipv6_address_is_probed(bed):
    """RFC 4862, 5.4.2: from nobody, to the solicited-node group, with no hardware address."""
    for target in ("2001:db8:1::1", bed.link_local("a")):
        asked = [f for p, f in bed.first if p == "a" and tagged(f) == 21 and is_nd(f, 135, target)]
        assert asked, target
        text, icmp = checked(asked[0])
        group, mac = solicited_node(target)
        assert text.src == "::" and text.dst == group
        assert asked[0][:6].hex(":") == mac
        options = [icmp[i] for i in range(24, len(icmp), 8)]
        assert 1 not in options, "the source has no hardware address yet"


def test_probe_for_our_address_is_answered(bed):
    """RFC 4862, 5.4.3; RFC 4861, 7.2.4: to all, not as solicited."""
    bed.take()
    bed.send([ns(src="::", with_mac=False)(Row(3899, bed))])
    told = bed.wait_for(lambda p, f: p == "a" and is_nd(f, 136, OURS6["a"]))
    text, icmp = checked(told)
    assert text.dst == "ff02::1" and told[:6].hex(":") == "33:33:00:00:00:01"
    assert icmp[4] & 0xe0 == 0xa0, "R and O, but not S"
    assert icmp[24:26] == b"\2\1" and icmp[26:32].hex(":") == bed.mac["a"]


def test_router_advertisement(bed):
    """RFC 4861, 4.2 and 6.2.3; RFC 4191; RFC 8106."""
    said = [f for p, f in bed.first if p == "a" and tagged(f) == 21 and is_nd(f, 134)]
    if not said:
        said = [bed.wait_for(lambda p, f: p == "a" and tagged(f) == 21 and is_nd(f, 134), 5)]
    assert said[0]
    text, icmp = checked(said[0])
    assert text.src == bed.link_local("a") and text.dst == "ff02::1"
    assert said[0][:6].hex(":") == "33:33:00:00:00:01"
    hops, flags, lifetime, reachable, again = struct.unpack_from("!BBHII", icmp, 4)
    assert (hops, lifetime, reachable, again) == (64, 1200, 0, 0)
    assert flags == 0x40 | 0x08, "O, and high preference"
    options, at = {}, 16
    while at < len(icmp):
        assert icmp[at + 1]
        options[icmp[at]] = icmp[at:at + 8 * icmp[at + 1]]
        at += 8 * icmp[at + 1]
    assert options[1][2:8].hex(":") == bed.mac["a"]
    assert struct.unpack_from("!I", options[5], 4)[0] == 1500
    assert options[3][2:4] == b"\x40\xc0" and options[3][16:24] == bytes.fromhex("20010db800010000")
    assert options[3][24:] == b"\0" * 8, "bits behind the prefix"
    assert options[25][8:] == socket.inet_pton(socket.AF_INET6, "2001:db8::53")


def test_router_solicitation_is_answered(bed):
    """RFC 4861, 6.2.6: within half a second, but no sooner than three after the last."""
    row = Row(3900, bed)
    bed.take()
    bed.send([nd(ICMPv6ND_RS(), lambda r: ICMPv6NDOptSrcLLAddr(lladdr=r.mac), src="fe80::35", dst="ff02::2",
                 mac="33:33:00:00:00:02", vlan=21)(row)])
    assert bed.wait_for(lambda p, f: p == "a" and tagged(f) == 21 and is_nd(f, 134), 3.6)


def test_packets_wait_for_arp(bed):
    """RFC 1122, 2.3.2.2; RFC 826: asked by a broadcast; the packet leaves when the answer is there."""
    row = Row(3901, bed)
    bed.take()
    bed.send([row.v4(dst="10.2.0.50")])
    asked = bed.wait_for(lambda p, f: p == "b" and is_arp(f, 1, pdst="10.2.0.50"))
    got = Ether(asked)
    assert got.dst == ALL and got[ARP].psrc == "10.2.0.1" and got[ARP].hwsrc == bed.mac["b"]
    assert got[ARP].hwdst == "00:00:00:00:00:00"
    # Not believed: a broadcast address (RFC 1812, 3.3.2).
    lie = ARP(op=2, psrc="10.2.0.50", pdst="10.2.0.1", hwsrc=ALL, hwdst=bed.mac["b"])
    bed.send([("b", bytes(Ether(dst=bed.mac["b"], src=row.mac) / lie))])
    assert not bed.wait_for(lambda p, f: row.mark in f, 0.3)
    told = ARP(op=2, psrc="10.2.0.50", pdst="10.2.0.1", hwsrc=row.mac, hwdst=bed.mac["b"])
    bed.send([("b", bytes(Ether(dst=bed.mac["b"], src=row.mac) / told))])
    sent = bed.wait_for(lambda p, f: p == "b" and row.mark in f)
    assert sent and sent[:6].hex(":") == row.mac
    assert ip_of(sent)[8] == 63
    # A gratuitous one moves it (RFC 826, "merge"; RFC 5227, 3).
    moved = "02:c0:00:00:39:99"
    bed.send([("b", bytes(Ether(dst=ALL, src=moved) / ARP(op=1, psrc="10.2.0.50", pdst="10.2.0.50", hwsrc=moved)))])
    time.sleep(0.2)
    came = bed.exchange([row.v4(dst="10.2.0.50")])
    assert [f[:6].hex(":") for p, f in came if row.mark in f] == [moved]


def test_packets_wait_for_neighbour_discovery(bed):
    """RFC 4861, 7.2.2 and 7.2.5."""
    row = Row(3902, bed)
    there = "2001:db8:2::50"
    group, group_mac = solicited_node(there)
    bed.take()
    bed.send([row.v6(dst=there)])
    asked = bed.wait_for(lambda p, f: p == "b" and is_nd(f, 135, there))
    text, icmp = checked(asked)
    assert text.dst == group and asked[:6].hex(":") == group_mac
    assert text.src in ("2001:db8:2::1", bed.link_local("b"))
    assert icmp[24:26] == b"\1\1" and icmp[26:32].hex(":") == bed.mac["b"]

    def tell(mac, solicited=1, override=1, src=there, dst=text.src, to=None):
        message = ICMPv6ND_NA(tgt=there, R=0, S=solicited, O=override) / ICMPv6NDOptDstLLAddr(lladdr=mac)
        return "b", bytes(Ether(dst=to or bed.mac["b"], src=row.mac) / IPv6(src=src, dst=dst, hlim=255) / message)

    def where():
        came = bed.exchange([row.v6(dst=there)])
        return [f[:6].hex(":") for p, f in came if row.mark in f and p == "b"]

    bed.send([tell("33:33:00:00:00:01")])
    assert not bed.wait_for(lambda p, f: row.mark in f, 0.3)
    bed.send([tell(row.mac)])
    sent = bed.wait_for(lambda p, f: p == "b" and row.mark in f)
    assert sent and sent[:6].hex(":") == row.mac and ip_of(sent)[7] == 63
    # Without override another address is not taken over; with it, it is.
    bed.send([tell("02:c0:00:00:39:98", solicited=0, override=0, dst="ff02::1", to="33:33:00:00:00:01")])
    time.sleep(0.2)
    assert where() == [row.mac]
    bed.send([tell("02:c0:00:00:39:97", solicited=0, override=1, dst="ff02::1", to="33:33:00:00:00:01")])
    time.sleep(0.2)
    assert where() == ["02:c0:00:00:39:97"]


def test_nobody_answers(bed):
    """RFC 1812, 5.2.7.1: host unreachable, code 1. RFC 4861, 7.2.2: address unreachable, code 3."""
    row = Row(3903, bed)
    bed.take()
    bed.send([row.v4(vlan=21, dst="10.2.0.66"), row.v6(vlan=21, dst="2001:db8:2::66")])
    came = []
    end = time.monotonic() + 3
    while time.monotonic() < end and len([1 for p, f in came if row.mark in f]) < 2:
        came += bed.settle(quiet=0.1)
    asked = [f for p, f in came if p == "b" and is_arp(f, 1, pdst="10.2.0.66")]
    assert len(asked) == 3, "asked %d times" % len(asked)
    assert len([f for p, f in came if p == "b" and is_nd(f, 135, "2001:db8:2::66")]) == 3
    said = {f[layer3(f)[0]] >> 4: ip_of(f) for p, f in came if p == "a" and row.mark in f}
    assert said[4][20:22] == b"\3\1" and said[6][40:42] == b"\1\3", said


def test_address_is_defended(bed):
    """RFC 5227, 2.4 (c): once in ten seconds."""
    row = Row(3904, bed)
    thief = ARP(op=1, psrc="10.3.0.1", pdst="10.3.0.77", hwsrc=row.mac)
    frame = "c", bytes(Ether(dst=ALL, src=row.mac) / thief)
    came = bed.exchange([frame], quiet=0.4)
    told = [f for p, f in came if p == "c" and is_arp(f, 1, psrc="10.3.0.1", pdst="10.3.0.1")]
    assert len(told) == 1 and told[0][:6].hex(":") == ALL
    came = bed.exchange([frame, frame, frame], quiet=0.4)
    assert not [f for p, f in came if p == "c" and is_arp(f, 1, psrc="10.3.0.1")]
    assert bed.exchange([row.v4("c")]), "and is still ours"


def test_errors_are_limited(bed):
    """RFC 4443, 2.4 (f); RFC 1812, 4.3.2.8: a burst, then a rate; what is dropped is counted."""
    rows = [Row(3910 + n, bed) for n in range(60)]
    before = bed.drops()
    came = bed.exchange([r.v6(vlan=21, hlim=1) for r in rows] + [r.v4(vlan=21, ttl=1) for r in rows])
    told6 = sum(1 for p, f in came if layer3(f)[1] == 0x86dd and frame_is_error(f, 6))
    told4 = sum(1 for p, f in came if layer3(f)[1] == 0x0800 and frame_is_error(f, 4))
    assert 10 <= told6 <= 14 and 10 <= told4 <= 14, (told4, told6)
    after = bed.drops()
    limited = after["icmp-error/icmp-limited"] - before.get("icmp-error/icmp-limited", 0)
    assert limited == 120 - told4 - told6
    # In a while there are tokens again.
    time.sleep(0.3)
    came = bed.exchange([rows[0].v6(vlan=21, hlim=1)])
    assert sum(1 for p, f in came if frame_is_error(f, 6)) == 1


def frame_is_error(frame, version):
    ip = ip_of(frame) if layer3(frame)[1] in (0x800, 0x86dd) else b""
    if version == 4:
        return len(ip) > 21 and ip[0] >> 4 == 4 and ip[9] == 1 and ip[20] == 11
    return len(ip) > 41 and ip[0] >> 4 == 6 and ip[6] == 58 and ip[40] == 3
