# SPDX-License-Identifier: Apache-2.0
"""RFC 5508 (BCP 148): what a NAT does with ICMP."""
import struct

import pytest
from scapy.all import ICMP, IP, UDP, IPOption, Raw, raw

from rows import internet_sum
from nat_bed import INSIDE, OUTSIDE, OWN, NotMet, Req, complete, judge, quoted, table

WANTED = "1 1a 2 2a 3 3a 3b 3c 4 4a 4b 4c 5 5a 5b 5c 6 7 7a 8 9 10a 10b 10c 11".split()
POOL = ["203.0.113.8"]
KINDS = {
    "plain": {"pool": POOL, "port-preservation": False},
    "short": {"pool": POOL, "timeouts": {"icmp": 6}}, # rows take turns: some seconds more than they wait
    "end-filter": {"pool": POOL, "filtering": "address-and-port-dependent"},
}


def queries(row):
    """Echo, time stamp, information and address mask."""
    for kind in (8, 13, 15, 17):
        out = row.out(row.ping(kind=kind))
        assert (out.src, out[ICMP].type) == (POOL[0], kind)
        got = row.enters(row.answer(out))
        assert (got.dst, got[ICMP].id, got[ICMP].type) == (row.host(), row.port(), 0 if kind == 8 else kind + 1)


def independent(row):
    """One identifier outside, whoever is asked; another host's is another."""
    assert len({row.out(row.ping(far=far))[ICMP].id for far in (7, 8, 9)}) == 1
    assert len({row.out(row.ping(host=host))[ICMP].id for host in range(5, 25)}) == 20


def a_minute(row):
    row.out(row.ping())
    (one,) = row.sessions(row.host())
    assert 55 <= one["left"] <= 60 and one["protocol"] == 1


def its_time_is_set(row):
    back = row.answer(row.out(row.ping()))
    yield 2
    assert row.enters(back).dst == row.host()
    yield 5.5
    row.silent(OUTSIDE, back)


def bad_checksum(row):
    out = row.out(row.udp())
    row.silent(OUTSIDE, row.about(out, row.far(1), broken=True))
    assert row.enters(row.about(out, row.far(1))).dst == row.host()


def bad_quoted_checksum(row):
    data = bytearray(raw(row.out(row.udp())))
    data[10] ^= 1
    row.silent(OUTSIDE, row.about(bytes(data), row.far(1)))


def quoted_options(row):
    out = row.out(row.udp())
    ip = IP(src=out.src, dst=out.dst, options=[IPOption(b"\x07\x07\x04\0\0\0\0")], ttl=60)
    got = row.enters(row.about(ip / UDP(sport=out[UDP].sport, dport=53) / Raw(b"payload "), row.far(1), 11, 0))
    inner = quoted(got)
    assert inner.ihl == 7 and (inner.src, inner[UDP].sport) == (row.host(), row.port())


def bad_quoted_transport(row):
    """What the quoted UDP's checksum says is nobody's business; also where all of it is there."""
    data = bytearray(raw(row.out(row.udp())))
    data[26] ^= 0x55
    assert row.enters(row.about(bytes(data), row.far(1))).dst == row.host()


def each(row):
    """A packet of UDP, TCP and ICMP that went out; how it was inside."""
    for n, packet in enumerate((row.udp(port=1), row.tcp(port=2, load=b"payload"), row.ping(number=3))):
        yield n, packet, row.out(packet)


def nobodys(row):
    out = row.out(row.udp())
    out[UDP].sport ^= 8
    row.silent(OUTSIDE, row.about(out, row.far(1)))
    out = row.out(row.ping())
    out[ICMP].id ^= 8
    row.silent(OUTSIDE, row.about(out, row.far(1)))


def as_it_was(row):
    """Byte for byte, but for what routers change; the quoted checksum, too."""
    for _, sent, out in each(row):
        inner = raw(quoted(row.enters(row.about(out, row.far(1)))))
        wanted = raw(sent)
        assert inner[12:] == wanted[12:], "%s is not %s" % (inner.hex(), wanted.hex())
    # A router may quote eight bytes of it only.
    out = row.out(row.udp(port=9))
    inner = raw(quoted(row.enters(row.about(out, row.far(1), quote=raw(out)[:28]))))
    assert inner[12:22] == raw(row.udp(port=9))[12:22]


def same_type_and_code(row):
    for _, _, out in each(row):
        for kind, code in ((3, 0), (3, 1), (3, 3), (3, 4), (3, 13), (11, 0), (11, 1), (12, 0)):
            got = row.enters(row.about(out, row.far(1), kind, code, word=0x000005dc if (kind, code) == (3, 4) else 0))
            assert (got[ICMP].type, got[ICMP].code) == (kind, code)
            assert kind != 3 or code != 4 or got[ICMP].nexthopmtu == 1500


def to_its_source(row):
    for _, _, out in each(row):
        got = row.enters(row.about(out, row.far(1)))
        assert got.dst == quoted(got).src == row.host() and got.src == row.far(1)


def answered(row):
    """Packets that came in from outside; what an error of the inside about them becomes."""
    for _, _, out in each(row):
        reply = row.answer(out)
        got = row.enters(reply)
        for by in (row.host(), row.host(99)):
            for code in (1, 3):
                yield reply, got, row.out(row.about(got, by, 3, code))


def nobodys_inside(row):
    got = row.enters(row.answer(row.out(row.udp())))
    got.dst = row.host(77)
    row.silent(INSIDE, row.about(got, row.host(77), 3, 3))


def inside_as_it_was(row):
    for reply, _, error in answered(row):
        assert raw(quoted(error))[12:] == raw(reply)[12:]


def inside_type_and_code(row):
    codes = [(error[ICMP].type, error[ICMP].code) for _, _, error in answered(row)]
    assert codes == [(3, 1), (3, 3)] * 6


def from_outside_address(row):
    """Of the host itself, and of a router before it; this router's own errors are its own."""
    for reply, _, error in answered(row):
        assert error.src == POOL[0] and error.dst == reply.src
    reply = row.answer(row.out(row.udp(port=7)))
    reply.ttl = 1
    row.send(OUTSIDE, reply)
    error = row.hear(OUTSIDE)
    assert error is not None and (error.src, error[ICMP].type) == (OWN, 11) and quoted(error).dst == POOL[0]


def no_effect(row):
    """Errors all the time: the query's session ends when it would have ended."""
    out = row.out(row.ping())
    back = row.answer(out)
    for _ in range(2):
        yield 1.5
        assert row.enters(row.about(out, row.far(1)), lambda p: p[ICMP].type == 3).dst == row.host()
    yield 4.5
    row.silent(OUTSIDE, back)


def hairpinned(row):
    """From host 6 to host 5 by its outside end, and an error of 5 about it."""
    one, two = row.out(row.udp(host=5)), row.out(row.udp(host=6, port=1))
    packet = row.udp(host=6, port=1)
    packet.dst, packet[UDP].dport = one.src, one[UDP].sport
    got = row.hairpin(packet)
    error = row.hairpin(row.about(got, row.host(5), 3, 3))
    assert two[UDP].sport == got[UDP].sport and error.src == POOL[0]
    return packet, error


def hairpinned_error(row):
    packet, error = hairpinned(row)
    assert raw(quoted(error))[12:] == raw(packet)[12:]


def hairpinned_to(row):
    _, error = hairpinned(row)
    assert error.dst == quoted(error).src == row.host(6)


def policy(row):
    """This router sends errors where it is asked to; what is the translator's is dropped and counted."""
    before = row.bed.drops()
    row.silent(OUTSIDE, IP(src=row.far(), dst=POOL[0]) / UDP(sport=1, dport=60000) / Raw(b"x"))
    after = row.bed.drops()
    name = [k for k in after if k.startswith("nat-in") and k.endswith("nat-no-mapping")]
    assert name and after[name[0]] > before.get(name[0], 0)


def must_pass(row):
    """Destination unreachable, time exceeded, echo: both ways."""
    out = row.out(row.udp())
    got = row.enters(row.answer(out))
    for kind, code in ((3, 1), (11, 0)):
        assert row.enters(row.about(out, row.far(1), kind, code))[ICMP].type == kind
        assert row.out(row.about(got, row.host(), kind, code))[ICMP].type == kind
    reply = row.enters(row.answer(row.out(row.ping())))
    assert reply[ICMP].type == 0


def may_pass(row):
    """Time stamps, masks, parameter problems and redirects pass; router discovery is of one link."""
    for kind in (13, 17):
        assert row.enters(row.answer(row.out(row.ping(kind=kind))))[ICMP].type == kind + 1
    out = row.out(row.udp())
    for kind in (5, 12):
        assert row.enters(row.about(out, row.far(1), kind, 0))[ICMP].type == kind
    for kind in (9, 10):
        row.silent(OUTSIDE, IP(src=row.far(), dst=POOL[0]) / ICMP(type=kind), to=INSIDE)


def should_not_pass(row):
    """Source quench (RFC 6633 says to ignore it) changes nothing; this router sends none."""
    out = row.out(row.udp())
    row.send(OUTSIDE, row.about(out, row.far(1), 4, 0))
    row.hear(INSIDE, seconds=0.05)
    assert row.enters(row.answer(out), lambda p: UDP in p and ICMP not in p).dst == row.host()
    for _ in range(20):
        row.send(INSIDE, row.udp(port=3, load=b"z" * 1000))
    while True:
        got = row.hear(INSIDE, seconds=0.05)
        if got is None:
            break
        assert ICMP not in got or got[ICMP].type != 4


def neither(row):
    """Neither query nor error: dropped."""
    for kind in (1, 2, 9, 10, 37, 40, 253):
        row.silent(INSIDE, IP(src=row.host(), dst=row.far(), proto=1) / Raw(icmp(kind)), to=OUTSIDE)
        row.silent(OUTSIDE, IP(src=row.far(), dst=POOL[0], proto=1) / Raw(icmp(kind)), to=INSIDE)


def icmp(kind):
    data = struct.pack("!BBHI", kind, 0, 0, 1)
    return data[:2] + struct.pack("!H", internet_sum(data)) + data[4:]


CASES = [
    Req("1", "MUST", "queries of the inside and their answers pass", "plain", queries),
    Req("1", "MUST", "with the strictest filter", "end-filter", queries),
    Req("1a", "SHOULD", "identifiers do not depend on who is asked", "plain", independent),
    Req("2", "MUST NOT", "a query's session ends before 60 seconds", "plain", a_minute),
    Req("2a", "RECOMMENDED", "its time is configured", "short", its_time_is_set),
    Req("3", "SHOULD", "an error with a wrong checksum is dropped", "plain", bad_checksum),
    Req("3a", "SHOULD", "so is one that quotes a header with a wrong checksum", "plain", bad_quoted_checksum),
    Req("3b", "MUST", "options in the quoted header are stepped over", "plain", quoted_options),
    Req("3c", "SHOULD NOT", "the quoted transport's checksum is looked at", "plain", bad_quoted_transport),
    Req("4", "SHOULD", "an error from outside about no mapping is dropped", "plain", nobodys),
    Req("4a", "MUST", "what an error from outside quotes is as it was inside", "plain", as_it_was),
    Req("4b", "MUST", "its type and code stay", "plain", same_type_and_code),
    Req("4c", "MUST", "it is sent to whom it quotes as the source", "plain", to_its_source),
    Req("5", "SHOULD", "an error from inside about no mapping is dropped", "plain", nobodys_inside),
    Req("5a", "MUST", "what an error from inside quotes is as it was outside", "plain", inside_as_it_was),
    Req("5b", "MUST", "its type and code stay, too", "plain", inside_type_and_code),
    Req("5c", "MUST", "its source is an outside address", "plain", from_outside_address),
    Req("6", "MUST NOT", "an error refreshes or ends a query's session", "short", no_effect),
    Req("7", "MUST", "errors about packets from inside to inside pass", "plain", hairpinned_error),
    Req("7a", "MUST", "to whom they quote as the source", "plain", hairpinned_to),
    NotMet("5508", "8", "SHOULD", "who gets no session is told that it is prohibited"),
    Req("9", "MAY", "what is nobody's gets no answer", "plain", policy),
    Req("10a", "MUST", "destination unreachable, time exceeded and echo pass", "plain", must_pass),
    Req("10b", "MAY", "others pass, as far as they are of more than one link", "plain", may_pass),
    Req("10c", "SHOULD NOT", "source quench is made, or changes anything", "plain", should_not_pass),
    Req("11", "MAY", "what is neither query nor error is dropped", "plain", neither),
]


@table(CASES)
def test_rfc5508(nat_ends, case):
    judge(nat_ends, case)


def test_every_requirement_has_a_row():
    complete(CASES, WANTED)
    with pytest.raises(AssertionError, match="no row for REQ-11"):
        complete(CASES[:-1], WANTED)
