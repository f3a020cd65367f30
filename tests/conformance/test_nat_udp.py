# SPDX-License-Identifier: Apache-2.0
"""RFC 4787 (BCP 127): what a NAT does with UDP. A row for each requirement and each of its parts."""
import pytest
from scapy.all import ICMP, IP, UDP, Raw, fragment, raw

from bed import MILLRACE, run
from nat_bed import INSIDE, OUTSIDE, Req, complete, judge, quoted, table

WANTED = ("1 2 3 3a 4 5 5a 5b 5c 6 6a 7 8 8a 9 9a 10 10a 11 12 12a 12b 13 13a 14 14a").split()
POOL = ["203.0.113.8-203.0.113.11"]
EDM = "address-and-port-dependent"
KINDS = {
    "plain": {"pool": POOL},
    "scarce": {"pool": POOL, "port-preservation": False},
    "address-map": {"pool": POOL, "mapping": "address-dependent"},
    "end-map": {"pool": POOL, "mapping": EDM},
    "address-filter": {"pool": POOL, "filtering": "address-dependent"},
    "end-filter": {"pool": POOL, "filtering": EDM},
    "short": {"pool": POOL, "timeouts": {"udp": 4}},
    "inbound": {"pool": POOL, "timeouts": {"udp": 4}, "inbound-refresh": True},
    "narrow": {"pool": POOL, "mtu": 600},
    "shared": {"pool": ["203.0.113.8"], "mapping": EDM, "ports": "2000-2003", "port-overloading": True},
    "one": {"pool": ["203.0.113.8"]},
    "low": {"pool": POOL, "ports": "1-65535"},
    "algs": {"pool": POOL, "alg": ["tftp"]},
    "flooded": {"pool": POOL},
}
PORTS = lambda p: (p.src, p[UDP].sport)


def mapping(row):
    """Whoever is asked, it is asked from one outside end."""
    assert len({PORTS(row.out(row.udp(far=far, dport=port)))
                for far, port in ((7, 53), (7, 54), (8, 53), (9, 99))}) == 1


def other_mappings(row):
    ends = [PORTS(row.out(row.udp(far=far, dport=port))) for far, port in ((7, 53), (7, 54), (8, 53))]
    assert (ends[0] == ends[1]) == (row.kind == "address-map") and ends[0] != ends[2]


def paired(row):
    for host in range(5, 15):
        assert len({row.out(row.udp(host=host, port=10 * host + n)).src for n in range(10)}) == 1
    assert len({row.out(row.udp(host=host)).src for host in range(5, 25)}) > 1


def no_overloading(row):
    """Sources that all have the same port, and destinations that are the same or not."""
    seen = {PORTS(row.out(row.udp(host=host, far=7 + host % 2))) for host in range(5, 105)}
    assert len(seen) == 100


def shared_where_asked(row):
    """Four ports for five remote ends of each of four hosts: never two on one, for one remote end."""
    got = {}
    for far in range(7, 12):
        for host in range(5, 9):
            out = row.out(row.udp(host=host, far=far))
            assert (PORTS(out), far) not in got
            got[PORTS(out), far] = host
    for ((address, port), far), host in got.items():
        answer = IP(src=row.far(far), dst=address) / UDP(sport=53, dport=port) / Raw(b"answer")
        assert row.enters(answer).dst == row.host(host)
    assert row.counters()["shared"] == 16


def port_range(row):
    """A well-known port stays one, another stays another."""
    for host in range(5, 25):
        low, high = row.udp(host=host), row.udp(host=host)
        low[UDP].sport, high[UDP].sport = 500 + host % 3, 5000 + host % 3
        assert row.out(low)[UDP].sport < 1024 <= row.out(high)[UDP].sport


def parity(row):
    for n in range(40):
        packet = row.udp(port=n)
        assert (row.out(packet)[UDP].sport ^ packet[UDP].sport) & 1 == 0


def lasts(row):
    """Four seconds are set: it is there before, and not after."""
    back = row.answer(row.out(row.udp()))
    yield 2
    assert row.enters(back).dst == row.host()
    yield 3.5
    row.silent(OUTSIDE, back)


def two_minutes(row):
    """By itself it stays more than that: what is left of its time is shown."""
    row.out(row.udp())
    (one,) = row.sessions(row.host())
    assert one["left"] >= 120 and one["protocol"] == 17


def five_minutes(row):
    row.out(row.udp())
    (one,) = row.sessions(row.host())
    assert 295 <= one["left"] <= 300


def no_shorter_ones(row):
    """May: not made use of, so that no port's time is shorter."""
    for n, port in enumerate((53, 123, 500)):
        row.out(row.udp(port=n, dport=port))
    assert all(one["left"] >= 295 for one in row.sessions(row.host()))


def outbound_refresh(row):
    back = row.answer(row.out(row.udp()))
    for _ in range(3):
        yield 2
        row.out(row.udp())
    assert row.enters(back).dst == row.host()


def inbound_refresh(row):
    back = row.answer(row.out(row.udp()))
    for _ in range(3):
        yield 2
        row.enters(back)


def no_inbound_refresh(row):
    back = row.answer(row.out(row.udp()))
    yield 2
    row.enters(back)
    yield 3.5
    row.silent(OUTSIDE, back)


def overlapping_networks(row):
    """Outside and inside of one router never have the same addresses: it is not accepted."""
    config = """
interface: {in: {}, out: {}}
router: {r: {interface: {in: {address: [192.168.0.1/24]}, out: {address: [192.168.0.2/24]}}}}
nat: {instance: {x: {outside: [out], inside: [in]}}}
"""
    path = row.bed.folder.name + "/overlap.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(config)
    done = run(MILLRACE, "check", path, check=False)
    assert done.returncode != 0 and "192.168.0" in done.stderr + done.stdout, done.stderr


def filtering(row):
    """Who may answer: the one asked always; another port of it, and another address, as is set."""
    back = row.answer(row.out(row.udp()))
    assert (row.enters(back).dst, back.dport) == (row.host(), back.dport)
    port, address = back.copy(), back.copy()
    port[UDP].sport = 54
    address.src = row.far(8)
    for packet, comes in ((port, row.kind != "end-filter"),
                          (address, row.kind not in ("end-filter", "address-filter"))):
        if comes:
            assert row.enters(packet).dst == row.host()
        else:
            row.silent(OUTSIDE, packet)
    # Once it was asked itself it may.
    row.out(row.udp(far=8))
    assert row.enters(address).dst == row.host()


def hairpinning(row):
    one, two = row.out(row.udp(host=5)), row.out(row.udp(host=6, port=1))
    packet = row.udp(host=6, port=1)
    packet.dst, packet[UDP].dport = PORTS(one)
    got = row.hairpin(packet)
    assert (got.dst, got[UDP].dport) == (row.host(5), row.port(0))
    return one, two, got


def hairpin_source(row):
    one, two, got = hairpinning(row)
    assert PORTS(got) == PORTS(two)
    back = row.udp(host=5)
    back.dst, back[UDP].dport = PORTS(two)
    got = row.hairpin(back)
    assert (got.dst, got[UDP].dport) == (row.host(6), row.port(1)) and PORTS(got) == PORTS(one)


def no_algs(row):
    """By itself nobody looks into it: what speaks of an address comes out as it went in."""
    said = b"RRQ /etc/hosts\0octet\0 " + row.host().encode()
    for port in (69, 5060, 53):
        assert raw(row.out(row.udp(dport=port, load=said)))[28:] == said


def an_alg(row):
    """Each is named by itself: of the two here TFTP's is on, and SIP's is not."""
    said = ("REGISTER sip:x SIP/2.0\r\nContact: <sip:a@%s:5060>\r\nContent-Length: 0\r\n\r\n" % row.host()).encode()
    assert raw(row.out(row.udp(dport=5060, load=said)))[28:] == said


def deterministic(row):
    """Whether its port is free or not, an inside end gets the same of it: one outside end for everybody."""
    sport = row.port()
    first = row.out(row.udp(host=5))
    assert first[UDP].sport == sport
    second = row.out(row.udp(host=6))
    assert second[UDP].sport != sport
    assert PORTS(row.out(row.udp(host=6, far=8))) == PORTS(second)
    for far in (7, 8):
        back = row.answer(second)
        back.src = row.far(far)
        assert row.enters(back).dst == row.host(6)


def errors_end_nothing(row):
    out = row.out(row.udp())
    for kind, codes in ((3, range(16)), (4, (0,)), (11, (0, 1)), (12, (0,))):
        for code in codes:
            row.send(OUTSIDE, row.about(out, row.far(1), kind, code))
    assert row.enters(row.answer(out), lambda p: UDP in p).dst == row.host()
    assert PORTS(row.out(row.udp())) == PORTS(out)


def errors_of_anybody(row):
    out = row.out(row.udp())
    for by in (1, 7, 99):
        assert row.enters(row.about(out, row.far(by), 11, 0)).src == row.far(by)


def unreachable(row):
    out = row.out(row.udp())
    got = row.enters(row.about(out, row.far(), 3, 3))
    assert (got.dst, got[ICMP].type, got[ICMP].code) == (row.host(), 3, 3)
    inner = quoted(got)
    assert (inner.src, inner.dst, inner[UDP].sport) == (row.host(), row.far(), row.port())


def too_big(row):
    """The link outside takes 600 bytes."""
    row.send(INSIDE, row.udp(load=b"x" * 1000, flags="DF"))
    got = row.hear(INSIDE)
    assert got is not None and (got[ICMP].type, got[ICMP].code, got[ICMP].nexthopmtu) == (3, 4, 600)
    assert got.dst == row.host() and quoted(got).src == row.host()


def fragmented(row):
    """In order, and each of them from outside's address."""
    row.send(INSIDE, row.udp(load=b"x" * 1400))
    pieces = [row.hear(OUTSIDE) for _ in range(3)]
    assert [p.frag * 8 for p in pieces] == sorted(p.frag * 8 for p in pieces) and pieces[0].frag == 0
    assert len({p.src for p in pieces}) == 1 and pieces[0].src.startswith("203.0.113.")
    assert all(len(raw(p)) <= 600 for p in pieces)
    assert sum(len(raw(p)) - 20 for p in pieces) == 1408


def in_pieces(row, port, packet, order):
    pieces = fragment(packet, fragsize=400)
    assert len(pieces) == 3
    row.send(port, *[pieces[n] for n in order])
    return [row.hear(OUTSIDE if port == INSIDE else INSIDE) for _ in pieces]


def fragments(row):
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        got = in_pieces(row, INSIDE, row.udp(load=b"y" * 1000), order)
        assert None not in got and len({p.src for p in got}) == 1 and got[0].src.startswith("203.0.113.")
        first = [p for p in got if p.frag == 0][0]
        back = row.answer(first, load=b"z" * 1000)
        back.id = row.ident()
        got = in_pieces(row, OUTSIDE, back, order)
        assert None not in got and {p.dst for p in got} == {row.host()}


def fragment_flood(row):
    """Pieces without a first one: so many wait and no more; what is whole comes through meanwhile."""
    out = row.out(row.udp())
    for n in range(600):
        row.send(OUTSIDE, IP(src=row.far(), dst=out.src, id=n + 1, frag=10, flags="MF", proto=17) / Raw(b"f" * 80))
    assert row.enters(row.answer(out)).dst == row.host()
    dropped = {k: v for k, v in row.bed.drops().items() if k.startswith("nat-in")}
    assert sum(v for k, v in dropped.items() if "early" in k or "evicted" in k) >= 600 - 256, dropped


CASES = [
    Req("1", "MUST", "one outside end for an inside one, whoever is asked", "plain", mapping),
    Req("1", "MUST", "the same without ports preserved", "scarce", mapping),
    Req("1", "MUST", "where it is set otherwise: one for each address asked", "address-map", other_mappings),
    Req("1", "MUST", "where it is set otherwise: one for each end asked", "end-map", other_mappings),
    Req("2", "RECOMMENDED", "all of an inside address gets one outside address", "plain", paired),
    Req("3", "MUST NOT", "two inside ends on one outside end", "scarce", no_overloading),
    Req("3", "MUST NOT", "nor where ports are preserved", "one", no_overloading),
    Req("3", "MUST NOT", "unless it is asked for, and remote ends differ", "shared", shared_where_asked),
    Req("3a", "RECOMMENDED", "ports below 1024 become such, others others", "low", port_range),
    Req("4", "RECOMMENDED", "even ports become even ones, odd ones odd", "scarce", parity),
    Req("5", "MUST NOT", "a mapping ends before two minutes", "plain", two_minutes),
    Req("5a", "MAY", "well-known ports have shorter times: none has", "plain", no_shorter_ones),
    Req("5b", "MAY", "its time is configured", "short", lasts),
    Req("5c", "RECOMMENDED", "five minutes, by itself", "plain", five_minutes),
    Req("6", "MUST", "packets from inside keep it alive", "short", outbound_refresh),
    Req("6a", "MAY", "packets from outside do, where that is set", "inbound", inbound_refresh),
    Req("6a", "MAY", "and do not, where it is not", "short", no_inbound_refresh),
    Req("7", "MUST", "inside and outside networks do not conflict", "plain", overlapping_networks),
    Req("8", "RECOMMENDED", "anybody may answer", "plain", filtering),
    Req("8a", "MAY", "it is set: whom the inside has asked, by address", "address-filter", filtering),
    Req("8a", "MAY", "it is set: whom the inside has asked, by address and port", "end-filter", filtering),
    Req("9", "MUST", "inside hosts reach each other by outside ends", "plain", hairpinning),
    Req("9a", "MUST", "with outside ends as the sources", "plain", hairpin_source),
    Req("10", "SHOULD", "no ALG is on by itself", "plain", no_algs),
    Req("10a", "RECOMMENDED", "each ALG is turned on by itself", "algs", an_alg),
    Req("11", "MUST", "what is done does not depend on what others have", "one", deterministic),
    Req("12", "MUST NOT", "an ICMP message ends a mapping", "plain", errors_end_nothing),
    Req("12a", "SHOULD NOT", "ICMP is filtered by who sends it", "end-filter", errors_of_anybody),
    Req("12b", "RECOMMENDED", "destination unreachable comes through", "plain", unreachable),
    Req("13", "MUST", "what is too long and must not be fragmented is answered", "narrow", too_big),
    Req("13a", "MUST", "other packets are fragmented, in order", "narrow", fragmented),
    Req("14", "MUST", "fragments in any order, both ways", "plain", fragments),
    Req("14a", "MUST", "fragments without a first one cost little", "flooded", fragment_flood),
]


@table(CASES)
def test_rfc4787(nat_ends, case):
    judge(nat_ends, case)


def test_every_requirement_has_a_row():
    complete(CASES, WANTED)
    with pytest.raises(AssertionError, match="no row for REQ-14a"):
        complete(CASES[:-1], WANTED)
