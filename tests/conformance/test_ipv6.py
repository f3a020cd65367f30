# SPDX-License-Identifier: Apache-2.0
"""IPv6: RFC 8200, 4443, 4291 and what they lean on. Sections without a name are RFC 8200's."""
import struct

import pytest
from scapy.all import ICMP, IPv6, UDP, Raw
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6PacketTooBig,
                                ICMPv6ParamProblem, ICMPv6TimeExceeded, ICMPv6Unknown,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                                IPv6ExtHdrRouting, PadN, RouterAlert)

from bed import host_mac
from rows import (HOST6, OURS6, Batch, Case, answered6, echoed6, forwarded, internet_sum, ip_of, only,
                  rest, shown, table)

NO_ROUTE, PROHIBITED, SCOPE, ADDRESS, PORT = 0, 1, 2, 3, 4


def plain(**fields):
    return lambda r: r.v6(**fields)


def patch(at, value, **fields):
    return lambda r: r.patched(r.v6(**fields), at, value)


def behind(*headers, dst="2001:db8:2::2", port="a", vlan=None, hlim=64, src=None, size=16):
    """UDP behind extension headers; where a header is a function, it is given the row."""

    def sends(r):
        packet = r.eth(port, vlan) / r.ip6(dst=dst, src=src or HOST6[port], hlim=hlim)
        for header in headers:
            packet = packet / header
        return port, bytes(packet / r.udp(size))

    return sends


def to_us(*headers, dst=OURS6["a"], hlim=64, src=HOST6["a"], dst_mac=None, size=16, **ping):
    """An echo request to the router itself, behind extension headers."""

    def sends(r):
        packet = r.eth(**({"dst": dst_mac} if dst_mac else {})) / r.ip6(dst=dst, src=src, hlim=hlim)
        for header in headers:
            packet = packet / header
        return "a", bytes(packet / r.ping6(size, **ping))

    return sends


def option_header(kind, options, next_header):
    """An options header as it is: 8 bytes at least, padded by zeros (Pad1)."""
    size = -(-(len(options) + 2) // 8) * 8
    return kind(nh=next_header, len=size // 8 - 1, autopad=0,
                options=[Raw(options + b"\0" * (size - 2 - len(options)))])


def hop(options):
    return option_header(IPv6ExtHdrHopByHop, options, 58)


def dest(options):
    return option_header(IPv6ExtHdrDestOpt, options, 58)


def raw_next(number, layout, **more):
    """A packet whose next header is `number`, and what follows is as it is."""

    def sends(r):
        load = layout(r) if callable(layout) else layout
        return "a", bytes(r.eth() / r.ip6(nh=number, **more) / Raw(load))

    return sends


def raw_to_us(number, layout):
    return raw_next(number, layout, dst=OURS6["a"])


def message6(r, icmp, src, dst):
    """ICMPv6 as bytes, its checksum right for these addresses."""
    return bytes(IPv6(src=src, dst=dst) / icmp)[40:]


def pieces(r, size, cut=(0,), order=None, fid=None, next_header=58, change=None):
    """An echo request to the router in fragments, cut at these offsets."""
    whole = message6(r, r.ping6(size), HOST6["a"], OURS6["a"])
    parts = []
    for n, at in enumerate(cut):
        end = cut[n + 1] if n + 1 < len(cut) else len(whole)
        header = IPv6ExtHdrFragment(nh=next_header, offset=at // 8, m=int(end < len(whole)),
                                    id=fid or 0x60000 + r.number)
        parts.append(("a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) / header / Raw(whole[at:end]))))
    return [parts[i] for i in order] if order else parts


def whole_echo6(size):
    """The reply to it, itself in pieces where it must be (5, 4.5)."""

    def want(row, came):
        data = {}
        for port, frame in came:
            ip = ip_of(frame)
            assert port == "a" and ip[6] in (44, 58), shown([(port, frame)])
            if ip[6] == 58:
                data[0] = ip[40:]
            else:
                assert ip[40] == 58
                data[struct.unpack_from("!H", ip, 42)[0] & 0xfff8] = ip[48:]
        icmp = b"".join(data[k] for k in sorted(data))
        assert icmp, "no answer"
        text = ip_of(came[0][1])
        assert internet_sum(text[8:40] + struct.pack("!II", len(icmp), 58) + icmp) == 0
        assert icmp[0] == 129 and icmp[8:] == row.load(size)
        return []

    return want


def host_says6(kind, code):
    """The kernel of the router's host answers so."""

    def want(row, came):
        for port, frame in came:
            ip = ip_of(frame)
            if port == "a" and ip[6] == 58 and (ip[40], ip[41]) == (kind, code):
                return rest(came, frame)
        raise AssertionError("got " + shown(came))

    return want


def redirected6(row, came):
    """RFC 4861, 4.5 and 8.2: from our link-local address, the better hop's as the target."""
    told = [(p, f) for p, f in came if ip_of(f)[6] == 58]
    frame = only(row, told, "a")
    ip = ip_of(frame)
    icmp = ip[40:]
    assert ip[7] == 255 and icmp[0] == 137 and icmp[1] == 0
    assert internet_sum(ip[8:40] + struct.pack("!II", len(icmp), 58) + icmp) == 0
    text = IPv6(ip[:40])
    assert text.src == row.bed.link_local("a") and text.dst == HOST6["a"]
    sent = ip_of(row.sent[0][1])
    assert IPv6(b"\0" * 8 + icmp[8:40]).src == "fe80::9", icmp[8:24].hex()
    assert icmp[24:40] == sent[24:40] and len(ip) <= 1280
    options = {}
    at = 40
    while at < len(icmp):
        assert icmp[at + 1]
        options[icmp[at]] = icmp[at:at + icmp[at + 1] * 8]
        at += icmp[at + 1] * 8
    assert options[2][2:8] == bytes.fromhex(host_mac("a", 9).replace(":", ""))
    quote = options[4][8:]
    assert quote[:7] == sent[:7] and quote[8:len(sent)] == sent[8:][:len(quote) - 8]
    return forwarded("a", mac=host_mac("a", 9))(row, rest(came, frame))


def on_link(r, port="a"):
    return r.bed.link_local(port)


def about(icmp, dst="2001:db8:99::1", **fields):
    return lambda r: ("a", bytes(r.eth() / r.ip6(dst=dst, **fields) / icmp /
                                 Raw(bytes(IPv6(dst="2001:db8::1") / UDP()) + r.load())))


LONG = [IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]) for _ in range(10)]

CASES = [
    # -- 3: the header ---------------------------------------------------------------------------
    Case("3", "a packet for elsewhere leaves with its hop limit one less and is else untouched",
         plain(), forwarded()),
    *[Case("3", "version %d is discarded" % v, patch(0, bytes([v << 4])), drop="ip-input/ip6-version")
      for v in (0, 4, 5, 7, 15)],
    Case("3", "a payload length beyond what arrived is discarded", patch(4, b"\0\x19"),
         drop="ip-input/ip6-payload-length"),
    Case("3", "a payload length of 65535 in a short frame is discarded", patch(4, b"\xff\xff"),
         drop="ip-input/ip6-payload-length"),
    Case("3", "shorter than a header is discarded",
         lambda r: ("a", r.v6()[1][:14] + b"\x60" + b"\0" * 22 + r.mark), drop="ip-input/ip6-short"),
    Case("3", "padding behind the payload is no reason to discard",
         lambda r: ("a", r.v6()[1] + b"\xee" * 10), forwarded()),
    Case("3", "and is not quoted", lambda r: ("a", r.v6(hlim=1)[1] + b"\xee" * 10), answered6(3)),
    Case("3", "a header alone passes, with no next header",
         lambda r: ("a", bytes(r.eth() / r.ip6(nh=59)) + r.mark), forwarded()),
    Case("3", "hop limit 2 leaves as 1", plain(hlim=2), forwarded()),
    Case("3", "hop limit 255 leaves as 254", plain(hlim=255), forwarded()),
    Case("3, RFC 4443, 3.3", "hop limit 1 ends here, and the sender hears of it", plain(hlim=1), answered6(3)),
    Case("3, RFC 4443, 3.3", "so does 0", plain(hlim=0), answered6(3)),
    Case("3", "to the router itself, hop limit 1 is enough", to_us(hlim=1), echoed6()),
    Case("3", "and 0 too", to_us(hlim=0), echoed6()),
    *[Case("7, RFC 2474", "traffic class %#04x passes untouched" % tc, plain(tc=tc), forwarded())
      for tc in (0x01, 0x03, 0x28, 0xb8, 0xff)],
    *[Case("6, RFC 6437, 3", "flow label %#07x passes untouched" % fl, plain(fl=fl), forwarded())
      for fl in (1, 0x12345, 0xfffff)],
    Case("5", "a packet as large as the MTU passes", plain(size=1452), forwarded()),
    Case("RFC 2464", "a version of 4 behind the type of IPv6 is discarded", patch(0, b"\x45"),
         drop="ip-input/ip6-version"),

    # -- 4: extension headers in transit ----------------------------------------------------------
    *[Case("4, RFC 7045, 2.1", "next header %d passes" % n, raw_next(n, lambda r: r.load(64)), forwarded())
      for n in (6, 17, 47, 50, 51, 58, 59, 89, 132, 135, 139, 140, 253, 255)],
    Case("4.1", "destination options pass", behind(IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])),
         forwarded()),
    Case("4.1", "ten of them pass", behind(*LONG), forwarded()),
    Case("4.2", "destination options that nobody knows are not the router's to judge",
         behind(option_header(IPv6ExtHdrDestOpt, b"\xc5\2ab", 17)), forwarded()),
    Case("4.3", "hop-by-hop options pass", behind(IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])),
         forwarded()),
    Case("4.3, RFC 9673, 5", "those that nobody knows need not be looked at",
         behind(option_header(IPv6ExtHdrHopByHop, b"\xc5\2ab", 17)), forwarded()),
    Case("4.4, RFC 5095", "a routing header is not the router's, whatever its type",
         behind(IPv6ExtHdrRouting(type=0, addresses=["2001:db8:3::2"], segleft=1)), forwarded()),
    Case("4.4", "type 4 neither", behind(IPv6ExtHdrRouting(type=4, addresses=["2001:db8:3::2"], segleft=1)),
         forwarded()),
    Case("4.5", "a first fragment passes as it is", behind(IPv6ExtHdrFragment(offset=0, m=1, id=7)),
         forwarded()),
    Case("4.5", "so does a later one", behind(IPv6ExtHdrFragment(offset=100, m=0, id=7)), forwarded()),
    Case("4.5", "and an atomic one", behind(IPv6ExtHdrFragment(offset=0, m=0, id=7)), forwarded()),
    Case("4.7", "what stands behind the last header passes unchanged",
         raw_next(59, lambda r: r.load(40)), forwarded()),
    Case("4.8", "a chain that ends in the middle of a header passes",
         raw_next(0, lambda r: b"\x3c\x10" + r.load(14)), forwarded()),

    # -- 5, RFC 4443, 3.2: sizes --------------------------------------------------------------------
    Case("5, RFC 4443, 3.2", "1280 bytes pass every link", plain(dst="2001:db8:3::2", size=1232), forwarded("c")),
    Case("4.5, RFC 4443, 3.2", "what is too large is not cut; the sender hears the MTU",
         plain(dst="2001:db8:3::2", size=1400), answered6(2, data=1280)),
    Case("RFC 4443, 3.2", "by one byte", plain(dst="2001:db8:3::2", size=1233), answered6(2, data=1280)),
    Case("RFC 4443, 3.2", "of a VLAN's link", plain(dst="2001:db8:88::2", size=1400), answered6(2, data=1400)),
    Case("RFC 4443, 3.2", "also from where nothing else is told",
         lambda r: r.v6("d", dst="2001:db8:3::2", size=1400), answered6(2, port="d", data=1280)),
    Case("RFC 4443, 3.2", "about a fragment's first, too",
         behind(IPv6ExtHdrFragment(offset=0, m=1, id=9), dst="2001:db8:3::2", size=1392), answered6(2, data=1280)),
    Case("RFC 4443, 3.2", "and about a later one",
         behind(IPv6ExtHdrFragment(offset=170, m=1, id=9), dst="2001:db8:3::2", size=1392), answered6(2, data=1280)),
    Case("RFC 4443, 3.2", "of ICMPv6 as well",
         behind(IPv6ExtHdrFragment(offset=170, m=1, id=9, nh=58), dst="2001:db8:3::2", size=1392),
         answered6(2, data=1280)),
    Case("RFC 4443, 2.4 (e.1)", "but nothing else about a later fragment of ICMPv6",
         behind(IPv6ExtHdrFragment(offset=170, m=1, id=9, nh=58), hlim=1), drop="icmp-error/ttl-expired"),
    Case("RFC 4443, 3.3", "the hop limit is looked at before the size",
         plain(dst="2001:db8:3::2", size=1400, hlim=1), answered6(3)),

    # -- RFC 4443, 2.4: when an error is sent, and what is in it -----------------------------------
    Case("RFC 4443, 2.4 (c)", "as much of the packet as 1280 bytes hold", plain(size=1400, hlim=1),
         answered6(3)),
    Case("RFC 4443, 2.4 (c)", "all of a smaller one", plain(size=700, hlim=1), answered6(3)),
    Case("RFC 4443, 2.4 (c)", "its extension headers with it", behind(*LONG, hlim=1), answered6(3)),
    *[Case("RFC 4443, 2.4 (e.1)", "no error about ICMPv6 error %d" % n, about(icmp),
           drop="icmp-error/no-route")
      for n, icmp in ((1, ICMPv6DestUnreach()), (2, ICMPv6PacketTooBig()), (3, ICMPv6TimeExceeded()),
                      (4, ICMPv6ParamProblem()))],
    *[Case("RFC 4443, 2.4 (e.1)", "nor about type %d, which will be one some day" % n,
           about(ICMPv6Unknown(type=n)), drop="icmp-error/no-route") for n in (0, 5, 100, 127)],
    Case("RFC 4443, 2.4 (e.1)", "nor behind a destination options header",
         lambda r: ("a", bytes(r.eth() / r.ip6(dst="2001:db8:99::1") / dest(b"") / ICMPv6DestUnreach() /
                               Raw(r.load(48)))), drop="icmp-error/no-route"),
    Case("RFC 4443, 2.4 (e.1)", "nor when its hop limit runs out", about(ICMPv6DestUnreach(), dst="2001:db8:2::2",
                                                                   hlim=1), drop="icmp-error/ttl-expired"),
    Case("RFC 4443, 2.4 (e.1)", "nor when it is too large", lambda r: (
        "a", bytes(r.eth() / r.ip6(dst="2001:db8:3::2") / ICMPv6DestUnreach() / Raw(r.load(1400)))),
         drop="icmp-error/too-big"),
    Case("RFC 4443, 2.4 (e.2)", "no error about a redirect", about(ICMPv6Unknown(type=137), hlim=255),
         drop="icmp-error/no-route"),
    Case("RFC 4443, 2.4", "but about an echo request there is one", lambda r: (
        "a", bytes(r.eth() / r.ip6(dst="2001:db8:99::1") / r.ping6())), answered6(1, NO_ROUTE)),
    Case("RFC 4443, 2.4", "and about information of an unknown type", about(ICMPv6Unknown(type=200)),
         answered6(1, NO_ROUTE)),
    Case("RFC 4443, 2.4 (e.3)", "no error about what goes to a group",
         lambda r: r.v6(dst="ff0e::99", hlim=1, eth={"dst": "33:33:00:00:00:99"}), drop="ip-local/not-joined"),
    Case("RFC 4443, 2.4 (e.4)", "nor about what came in a multicast frame",
         lambda r: r.v6(hlim=1, eth={"dst": "33:33:00:00:00:01"}), drop="ip-input/l2-group"),
    Case("RFC 4443, 2.4 (e.5)", "nor in a broadcast frame",
         lambda r: r.v6(hlim=1, eth={"dst": "ff:ff:ff:ff:ff:ff"}), drop="ip-input/l2-group"),
    Case("RFC 4443, 2.4 (e.6)", "nor to nobody", plain(src="::", hlim=1), drop="ip-input/ip6-source"),
    Case("RFC 4443, 2.4 (e.6)", "nor to a group", plain(src="ff02::1", hlim=1), drop="ip-input/ip6-source"),
    Case("RFC 4443, 2.2", "it comes from an address of the interface where the packet came in",
         lambda r: r.v6("a", vlan=44, src="2001:db8:44::2", hlim=1),
         answered6(3, vlan=44, src="2001:db8:44::1")),
    Case("RFC 4443, 2.2", "of the router where it came in", lambda r: r.v6("a", vlan=20, hlim=1),
         answered6(3, vlan=20)),
    Case("RFC 4443, 2.3", "a wrong checksum of an echo request is not answered",
         to_us(cksum=0x1234), drop="icmp-echo/icmp-checksum"),
    Case("8.1", "nor one of zeros", to_us(cksum=0), drop="icmp-echo/icmp-checksum"),
    Case("RFC 4443, 2.4 (b)", "information of an unknown type is silently discarded", lambda r: (
        "a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) / ICMPv6Unknown(type=200, msgbody=r.load())))),
    Case("RFC 4443, 2.1", "an IPv4 ICMP behind IPv6 is not answered", lambda r: (
        "a", bytes(r.eth() / r.ip6(dst=OURS6["a"], nh=1) / ICMP() / Raw(r.load()))),
         host_says6(4, 1)),

    # -- RFC 4443, 3.1 -----------------------------------------------------------------------------
    Case("RFC 4443, 3.1", "without a route: code 0", plain(dst="2001:db8:99::1"), answered6(1, NO_ROUTE)),
    Case("RFC 4443, 3.1", "prohibited: code 1", plain(dst="2001:db8:d3::1"), answered6(1, PROHIBITED)),
    Case("RFC 4443, 3.1", "unreachable: code 3", plain(dst="2001:db8:d2::1"), answered6(1, ADDRESS)),
    Case("RFC 4443, 3.1", "a blackhole is silent", plain(dst="2001:db8:d1::1"), drop="ip-input/blackhole"),
    Case("RFC 4443, 3.1", "an interface that is to say nothing says nothing",
         lambda r: r.v6("d", dst="2001:db8:99::1"), drop="icmp-error/no-route"),
    Case("RFC 4443, 3.1, RFC 4291, 2.5.6", "a link-local source goes nowhere: code 2",
         plain(src="fe80::2"), answered6(1, SCOPE)),
    Case("RFC 4443, 3.1", "to a port where nobody listens: code 4, from the host",
         plain(dst=OURS6["a"]), host_says6(1, PORT)),

    # -- RFC 4291 ------------------------------------------------------------------------------------
    Case("RFC 4291, 2.5.2", "nobody is no source of what is forwarded", plain(src="::"),
         drop="ip-input/ip6-source"),
    Case("RFC 4291, 2.5.2", "nor a destination", plain(dst="::"), drop="ip-input/martian"),
    Case("RFC 4291, 2.5.3", "nothing goes to ::1", plain(dst="::1"), drop="ip-input/martian"),
    Case("RFC 4291, 2.5.3", "nothing comes from ::1", plain(src="::1"), drop="ip-input/ip6-source"),
    Case("RFC 4291, 2.5.3", "nor to the router itself", to_us(src="::1"), drop="ip-input/ip6-source"),
    Case("RFC 4291, 2.5.6", "nothing is forwarded to a link-local address", plain(dst="fe80::77"),
         drop="ip-input/link-local"),
    Case("RFC 4291, 2.5.7, RFC 4193, 3", "unique local addresses need a route like others",
         plain(dst="fd00::1"), answered6(1, NO_ROUTE)),
    Case("RFC 4291, 2.5.7", "but are as good a source as others", plain(src="fd00::1"), forwarded()),
    Case("RFC 4291, 2.7", "a group is no source", plain(src="ff0e::1"), drop="ip-input/ip6-source"),
    *[Case("RFC 4291, 2.7", "what goes to %s stays on its link" % dst,
           plain(dst=dst, eth={"dst": "33:33:00:00:00:77"}), drop="ip-local/not-joined")
      for dst in ("ff01::77", "ff05::77", "ff0e::77", "ff00::77")],
    Case("RFC 4291, 2.7", "and so does what goes to ff02::77",
         plain(dst="ff02::77", eth={"dst": "33:33:00:00:00:77"})),
    Case("RFC 4291, 2.6.1", "the subnet-router anycast address is the router's", to_us(dst="2001:db8:1::"),
         echoed6()),
    Case("RFC 4291, 2.6.1", "that of another link, too", to_us(dst="2001:db8:2::"), echoed6()),
    Case("RFC 6164, 5", "of a /127 both addresses are hosts'", plain(dst="2001:db8:31::1"),
         forwarded("b", vlan=31, mac=host_mac("b", 1))),
    Case("RFC 4291, 2.8", "the router hears ff02::1", to_us(dst="ff02::1", dst_mac="33:33:00:00:00:01"),
         echoed6(src=OURS6["a"])),
    Case("RFC 4291, 2.8", "and ff02::2, all routers of the link",
         to_us(dst="ff02::2", dst_mac="33:33:00:00:00:02"), echoed6(src=OURS6["a"])),
    Case("RFC 4291, 2.8", "its link-local address", lambda r: to_us(dst=on_link(r))(r), echoed6()),
    Case("RFC 4291, 2.5.6", "from a link-local address to its link-local one",
         lambda r: to_us(dst=on_link(r), src="fe80::2")(r), echoed6()),
    Case("RFC 4291, 2.5.6", "but not that of another link", lambda r: to_us(dst=on_link(r, "b"))(r)),
    Case("RFC 4443, 4.2", "to a group from a link-local address: from a link-local one",
         to_us(dst="ff02::1", src="fe80::2", dst_mac="33:33:00:00:00:01"),
         echoed6(src=on_link)),
    Case("RFC 4443, 2.2", "an error to a link-local address of the link arrives there",
         plain(src="fe80::2", dst="2001:db8:2::2", size=20), answered6(1, SCOPE)),

    # -- RFC 4443, 4: echo ------------------------------------------------------------------------------
    Case("RFC 4443, 4.2", "an echo request is answered with its data", to_us(size=57), echoed6()),
    Case("RFC 4443, 4.2", "up to the MTU", to_us(size=1452), echoed6()),
    *[Case("RFC 4443, 4.2", "from the address that was asked, %s" % dst, to_us(dst=dst), echoed6())
      for dst in ("2001:db8:2::1", "2001:db8:3::1", "2001:db8:ff::1")],
    Case("RFC 4443, 4.2", "an echo reply to the router is not answered", lambda r: (
        "a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) / ICMPv6EchoReply(id=9, data=r.load())))),
    Case("RFC 4443, 4.2", "behind options that it may skip", to_us(dest(b"\x1e\2ab")), echoed6()),

    # -- 4.2 to 4.5 at the destination -----------------------------------------------------------------
    Case("4.2", "unknown option 00xxxxxx: skipped", to_us(hop(b"\x1e\2ab")), echoed6()),
    Case("4.2", "unknown option 01xxxxxx: discarded", to_us(dest(b"\x5e\2ab"))),
    Case("4.2", "unknown option 10xxxxxx: discarded, and told", to_us(dest(b"\x9e\2ab")),
         answered6(4, 2, data=42)),
    Case("4.2", "unknown option 11xxxxxx: the same", to_us(dest(b"\1\0\xde\2ab")), answered6(4, 2, data=44)),
    Case("4.2", "unknown option 10xxxxxx to a group: told as well",
         to_us(dest(b"\x9e\2ab"), dst="ff02::1", dst_mac="33:33:00:00:00:01"),
         answered6(4, 2, data=42, src=OURS6["a"])),
    Case("4.2", "unknown option 11xxxxxx to a group: not told",
         to_us(dest(b"\xde\2ab"), dst="ff02::1", dst_mac="33:33:00:00:00:01")),
    Case("4.2", "in hop-by-hop options to the router itself: told", to_us(hop(b"\x9e\2ab")),
         answered6(4, 2, data=42)),
    Case("4.1", "twenty headers to the router itself", to_us(*LONG, *LONG), echoed6()),
    Case("4.2", "without a host, what extension headers ask for has a name",
         lambda r: ("a", bytes(r.eth(vlan=20) / r.ip6(dst=OURS6["a"]) / dest(b"\x9e\2ab") / r.ping6())),
         drop="ip-local/no-twin"),
    Case("4.2", "an option beyond its header is not answered", to_us(dest(b"\x1e\x20ab"))),
    Case("4.1, 4.3", "hop-by-hop options elsewhere than first: next header unrecognized",
         to_us(IPv6ExtHdrDestOpt(nh=0, autopad=0, options=[Raw(b"\0" * 6)]), hop(b"")),
         answered6(4, 1, data=40)),
    Case("4, RFC 4443, 3.4", "an unknown next header: code 1, pointing at it",
         raw_to_us(253, lambda r: r.load(32)), answered6(4, 1, data=6)),
    Case("4, RFC 4443, 3.4", "behind an options header, pointing there", lambda r: (
        "a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) / option_header(IPv6ExtHdrDestOpt, b"", 253) /
                   Raw(r.load(32)))), answered6(4, 1, data=40)),
    Case("4.7", "no next header: nothing is said", raw_to_us(59, lambda r: r.load(32))),
    Case("4.4, RFC 5095, 3", "a routing header of type 0 with segments left: code 0, at its type",
         to_us(IPv6ExtHdrRouting(type=0, addresses=["2001:db8:3::2"], segleft=1)), answered6(4, 0, data=42)),
    Case("4.4", "of an unknown type with segments left: the same",
         to_us(IPv6ExtHdrRouting(type=200, addresses=["2001:db8:3::2"], segleft=1)),
         answered6(4, 0, data=42)),
    Case("4.4", "without segments left it is passed over",
         to_us(IPv6ExtHdrRouting(type=200, addresses=["2001:db8:3::2"], segleft=0)), echoed6()),
    Case("4.5", "fragments to the router are put together", lambda r: pieces(r, 600, (0, 200, 400)),
         whole_echo6(600)),
    Case("4.5", "in any order", lambda r: pieces(r, 600, (0, 200, 400), order=(2, 0, 1)), whole_echo6(600)),
    Case("4.5, 5", "to 1500 bytes and more, the answer cut by its source",
         lambda r: pieces(r, 3000, (0, 1200, 2400)), whole_echo6(3000)),
    Case("4.5", "one that lacks a piece is not answered", lambda r: pieces(r, 600, (0, 200, 400), order=(0, 2))),
    Case("4.5, RFC 5722, 4", "overlapping fragments: the datagram is discarded",
         lambda r: pieces(r, 600, (0, 200, 400), order=(0, 1)) + [overlap(r)] +
         pieces(r, 600, (0, 200, 400), order=(2,))),
    Case("4.5", "the same fragment twice is none the worse",
         lambda r: pieces(r, 600, (0, 200, 400), order=(0, 1, 1, 2)), whole_echo6(600)),
    Case("4.5, RFC 6946, 4", "an atomic fragment stands for itself",
         lambda r: pieces(r, 100, (0,), fid=99), echoed6()),
    Case("4.5", "a middle fragment whose length is no multiple of 8: code 0, at the payload length",
         lambda r: [("a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) /
                                IPv6ExtHdrFragment(nh=58, offset=0, m=1, id=r.number) /
                                Raw(message6(r, r.ping6(37), HOST6["a"], OURS6["a"]))))],
         answered6(4, 0, data=4)),
    Case("4.5", "one that ends beyond 65535: code 0, at its offset",
         lambda r: [("a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) /
                                IPv6ExtHdrFragment(nh=17, offset=8190, m=0, id=r.number) / Raw(r.load(64))))],
         answered6(4, 0, data=42)),
    Case("RFC 7112, 5", "a first fragment without the upper layer's header is not answered",
         lambda r: [("a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) /
                                IPv6ExtHdrFragment(nh=60, offset=0, m=1, id=r.number) /
                                Raw(b"\x3a\x04" + r.load(14))))],
         lambda row, came: first_fragment(row, came)),

    # -- routes -------------------------------------------------------------------------------------------
    Case("RFC 8504, 5", "the route's next hop gets it", plain(dst="2001:db8:b::7"), forwarded()),
    Case("RFC 8504, 5", "from a VLAN to none", lambda r: r.v6("a", vlan=44, src="2001:db8:44::2"), forwarded()),
    Case("RFC 8504, 5", "from none to a VLAN", plain(dst="2001:db8:31::1", src="2001:db8:1::2"),
         forwarded("b", vlan=31, mac=host_mac("b", 1))),
    Case("RFC 8504, 5", "in the other router, to its own neighbour of the same address",
         lambda r: r.v6("a", vlan=20), forwarded("b", vlan=20)),
    Case("RFC 8504, 5", "an interface without IPv6 does not speak it",
         lambda r: r.v6("a", vlan=4), drop="ip6-forward/ip6-disabled"),
    Case("RFC 4861, 8.2", "back to its own link it is forwarded, and the sender told of the better hop",
         plain(dst="2001:db8:a::1"), redirected6),
    Case("RFC 4861, 8.2", "not a sender that is no neighbour",
         plain(src="2001:db8:77::2", dst="2001:db8:a::2"), forwarded("a", mac=host_mac("a", 9))),
    Case("RFC 4861, 8.2", "not where redirects are off", lambda r: r.v6(
        vlan=20, src="2001:db8:1::3", dst="2001:db8:1::2"), forwarded("a", vlan=20)),
    Case("RFC 2711, 2.1", "a router alert in transit is no reason to lose the packet",
         behind(IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)])), forwarded()),
    Case("RFC 3704, 2.2", "strict: a source of the link passes", lambda r: r.v6("d"), forwarded()),
    Case("RFC 3704, 2.2", "strict: a source behind another link does not",
         lambda r: r.v6("d", src="2001:db8:1::2"), drop="ip-input/reverse-path6"),
    Case("RFC 3704, 2.2", "strict: nor one without a route",
         lambda r: r.v6("d", src="2001:db8:99::1"), drop="ip-input/reverse-path6"),
    Case("RFC 3704, 2.4", "loose: a source behind another link passes",
         lambda r: r.v6("a", vlan=44, src="2001:db8:4::2"), forwarded()),
    Case("RFC 3704, 2.4", "loose: one without a route does not",
         lambda r: r.v6("a", vlan=44, src="2001:db8:99::1"), drop="ip6-forward/reverse-path6"),
    Case("RFC 3704, 2.4", "loose: one in a blackhole does not",
         lambda r: r.v6("a", vlan=44, src="2001:db8:d1::1"), drop="ip6-forward/reverse-path6"),
]


def overlap(r):
    """A fragment over the end of the one at 200 bytes."""
    return ("a", bytes(r.eth() / r.ip6(dst=OURS6["a"]) /
                       IPv6ExtHdrFragment(nh=58, offset=48, m=1, id=0x60000 + r.number) / Raw(r.load(24))))


def first_fragment(row, came):
    """RFC 7112: it should be told (code 3), and must not be answered otherwise."""
    return answered6(4, 3)(row, came) if came else came


@pytest.fixture(scope="module")
def batch(bed):
    return Batch(bed, CASES, 2000)


@table(*CASES)
def test_ipv6(batch, case):
    batch.judge(case)


@pytest.mark.parametrize("reason", sorted({c.drop for c in CASES if c.drop}))
def test_drops_of_ipv6_are_named(batch, reason):
    assert batch.drops.get(reason, 0) == batch.expected[reason], batch.drops
