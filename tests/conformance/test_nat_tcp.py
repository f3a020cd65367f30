# SPDX-License-Identifier: Apache-2.0
"""RFC 5382 (BCP 142), as RFC 7857 changed it: what a NAT does with TCP."""
import pytest
from scapy.all import ICMP, IP, TCP, raw

from nat_bed import INSIDE, OUTSIDE, Req, complete, judge, quoted, table

WANTED = "1 2 2a 3 3a 3b 4 4a 5 5a 6 7 8 8a 9 10".split()
POOL = ["203.0.113.8"]
EDM = "address-and-port-dependent"
KINDS = {
    "plain": {"pool": POOL},
    "end-map": {"pool": POOL, "mapping": EDM},
    "address-filter": {"pool": POOL, "filtering": "address-dependent", "hold-syn": 0},
    "end-filter": {"pool": POOL, "filtering": EDM},
    "mute": {"pool": POOL, "filtering": EDM, "hold-syn": 0},
    "short": {"pool": POOL, "timeouts": {"tcp-established": 6, "tcp-transitory": 1}},
    "scarce": {"pool": POOL, "port-preservation": False},
}


def ends(p):
    return p.src, p[TCP].sport


def mapping(row):
    assert len({ends(row.out(row.tcp(far=far, dport=port))) for far, port in ((7, 80), (7, 81), (8, 80))}) == 1


def other_mappings(row):
    assert len({ends(row.out(row.tcp(far=far, dport=port))) for far, port in ((7, 80), (7, 81), (8, 80))}) == 3


# '>' from inside, '<' from outside, and TCP's flags.
ORDERS = (">S <SA >A >PA <A <PA >A >FA <FA >A", ">S <SA >A <FA >A >FA <A", ">S <SA >A >FA <FA >A <A", ">S >S <SA >A",
          ">S <SA >A >R", ">S <RA", ">S <SA >A <R >A <A", ">S <SA >A >FA <A <FA >A >S <SA >A")
AT_ONCE = (">S <S >SA <SA >A <A", ">S <S <SA >SA >A")


def play(row, order, port):
    out = row.out(row.tcp(port=port))
    for step in order.split()[1:]:
        if step[0] == ">":
            got = row.out(row.tcp(step[1:], port=port, ack=1), lambda p: p[TCP].sport == out[TCP].sport)
            assert ends(got) == ends(out)
        else:
            got = row.enters(row.answer(out, flags=step[1:]))
            assert (got.dst, got[TCP].dport) == (row.host(), row.port(port))
        assert got[TCP].flags == step[1:], step


def all_orders(row):
    for number, order in enumerate(ORDERS):
        play(row, order, number)


def at_once(row):
    """Both open: each gets the other's SYN."""
    for number, order in enumerate(AT_ONCE):
        play(row, order, number)


def at_once_crossed(row):
    """The one outside was first: its SYN is kept; that of the inside goes out, and what comes again comes in."""
    row.out(row.tcp(far=8))  # so that the outside end is known
    outside = row.answer(row.out(row.tcp(far=9)))
    syn = IP(src=row.far(7), dst=outside.dst) / TCP(sport=80, dport=outside.dport, flags="S", seq=7)
    row.silent(OUTSIDE, syn)
    row.out(row.tcp(far=7))
    assert row.enters(syn)[TCP].flags == "S"
    row.out(row.tcp("SA", far=7, ack=8))


def filtering(row):
    out = row.out(row.tcp())
    asked, port, address = (row.answer(out, flags="S") for _ in range(3))
    port[TCP].sport = 81
    address.src = row.far(8)
    assert row.enters(asked).dst == row.host()
    for packet, comes in ((port, row.kind in ("plain", "address-filter")), (address, row.kind == "plain")):
        if comes:
            assert row.enters(packet).dst == row.host()
        else:
            row.silent(OUTSIDE, packet)


def of_udp_too(row):
    """It may differ from UDP's: here it is the same."""
    filtering(row)
    back = row.answer(row.out(row.udp()))
    back.src = row.far(8)
    row.silent(OUTSIDE, back)


def unsolicited(row):
    """Nothing for six seconds, then "port unreachable"; nothing at all of what the inside opened too."""
    out = row.out(row.tcp(far=9))
    stranger, friend = (IP(src=row.far(n), dst=out.src) / TCP(sport=80 + n, dport=out[TCP].sport, flags="S", seq=5)
                        for n in (1, 2))
    row.silent(OUTSIDE, stranger)
    row.silent(OUTSIDE, friend)
    row.out(row.tcp(far=2, dport=82))
    yield 5.5
    assert row.hear(OUTSIDE, seconds=0.01) is None
    got = row.hear(OUTSIDE, seconds=3)
    assert got is not None and (got[ICMP].type, got[ICMP].code, got.dst) == (3, 3, row.far(1))
    assert raw(quoted(got))[20:24] == raw(stranger)[20:24]
    assert row.hear(OUTSIDE, seconds=0.6) is None and row.hear(INSIDE, seconds=0) is None


def unsolicited_and_mute(row):
    out = row.out(row.tcp(far=9))
    row.silent(OUTSIDE, IP(src=row.far(1), dst=out.src) / TCP(sport=81, dport=out[TCP].sport, flags="S"))
    yield 7
    assert row.hear(OUTSIDE, seconds=0) is None


def opened(row, port=0):
    out = row.out(row.tcp(port=port))
    back = row.answer(out)
    row.enters(back)
    row.out(row.tcp("A", port=port, ack=9001))
    return row.answer(out, flags="A")


def idle_times(row):
    """By themselves: 2 h 4 min when it is open, 4 min else. What is left of them is shown."""
    row.out(row.tcp(port=1))
    opened(row)
    left = {one["inside-port"]: one["left"] for one in row.sessions(row.host())}
    assert left[row.port(0)] >= 7440 - 5 and 240 - 5 <= left[row.port(1)] <= 240


def times_are_set(row):
    back, half = opened(row), row.answer(row.out(row.tcp(port=1)))
    yield 2.2
    row.silent(OUTSIDE, half)
    assert row.enters(back).dst == row.host()
    yield 7.5
    row.silent(OUTSIDE, back)


def no_algs(row):
    """FTP's, too, is off by itself."""
    said = b"PORT 10,0,%d,5,19,136\r\n" % row.number
    assert bytes(row.out(row.tcp("PA", dport=21, load=said))[TCP].payload) == said


def no_overloading(row):
    """Also where destinations differ."""
    assert len({ends(row.out(row.tcp(host=host, far=7 + host % 3))) for host in range(5, 105)}) == 100


def hairpinning(row):
    one = row.out(row.tcp(host=5))
    two = row.out(row.tcp(host=6, port=1))
    syn = row.tcp(host=6, port=1)
    syn.dst, syn[TCP].dport = ends(one)
    got = row.hairpin(syn)
    assert (got.dst, got[TCP].dport) == (row.host(5), row.port(0))
    return one, two, got


def hairpin_source(row):
    one, two, got = hairpinning(row)
    assert ends(got) == ends(two)
    back = row.tcp("SA", host=5, ack=1001)
    back.dst, back[TCP].dport = ends(got)
    got = row.hairpin(back)
    assert (got.dst, got[TCP].dport, ends(got)) == (row.host(6), row.port(1), ends(one))


def unreachables(row):
    out = row.out(row.tcp())
    for code in range(16):
        got = row.enters(row.about(out, row.far(1), 3, code))
        inner = quoted(got)
        assert (got[ICMP].type, got[ICMP].code, got.dst) == (3, code, row.host())
        assert (inner.src, inner[TCP].sport, inner.dst) == (row.host(), row.port(), row.far())


def errors_end_nothing(row):
    back = opened(row)
    out = row.out(row.tcp("A", ack=9001))
    for kind in (3, 4, 5, 11, 12):
        for code in range(16):
            row.send(OUTSIDE, row.about(out, row.far(1), kind, code))
    assert row.enters(back, lambda p: TCP in p and ICMP not in p).dst == row.host()
    (one,) = row.sessions(row.host())
    assert one["left"] > 7000, one


CASES = [
    Req("1", "MUST", "one outside end for an inside one, whoever is asked", "plain", mapping),
    Req("1", "MUST", "where it is set otherwise: one for each end asked", "end-map", other_mappings),
    Req("2", "MUST", "every order of packets in which connections begin and end", "plain", all_orders),
    Req("2", "MUST", "with the strictest filter", "end-filter", all_orders),
    Req("2a", "MUST", "both ends open at once", "plain", at_once),
    Req("2a", "MUST", "at once, through the strictest filter", "end-filter", at_once),
    Req("2a", "MUST", "at once, the outside first", "end-filter", at_once_crossed),
    Req("3", "RECOMMENDED", "anybody may connect", "plain", filtering),
    Req("3a", "MAY", "it is set: whom the inside has asked, by address", "address-filter", filtering),
    Req("3a", "MAY", "it is set: whom the inside has asked, by address and port", "mute", filtering),
    Req("3b", "MAY", "one setting for UDP and TCP", "mute", of_udp_too),
    Req("4", "MUST NOT", "an unsolicited SYN is answered within six seconds", "end-filter", unsolicited),
    Req("4a", "MUST", "it is dropped without a word where that is set", "mute", unsolicited_and_mute),
    Req("5", "MUST NOT", "a connection ends before 2 h 4 min, or 4 min unless it is open", "plain", idle_times),
    Req("5a", "MAY", "these times are configured", "short", times_are_set),
    Req("6", "RECOMMENDED", "no ALG is on by itself", "plain", no_algs),
    Req("7", "MUST NOT", "two inside ends on one outside end", "scarce", no_overloading),
    Req("8", "MUST", "inside hosts reach each other by outside ends", "plain", hairpinning),
    Req("8a", "MUST", "with outside ends as the sources", "plain", hairpin_source),
    Req("9", "SHOULD", "destination unreachable is translated", "plain", unreachables),
    Req("10", "MUST NOT", "an ICMP message ends a mapping or a connection", "plain", errors_end_nothing),
]


@table(CASES)
def test_rfc5382(nat_ends, case):
    judge(nat_ends, case)


def test_every_requirement_has_a_row():
    complete(CASES, WANTED)
    with pytest.raises(AssertionError, match="no row for REQ-10"):
        complete(CASES[:-1], WANTED)
