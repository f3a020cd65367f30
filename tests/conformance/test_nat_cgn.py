# SPDX-License-Identifier: Apache-2.0
"""RFC 6888 (BCP 127): what a NAT of a provider does."""
import json
import os
import socket
import struct
import tempfile
import time

import pytest
from scapy.all import IP, TCP, UDP, Raw, raw

from bed import MILLRACE, run, until
from nat_bed import INSIDE, OUTSIDE, NotMet, Req, complete, judge, table, tree

WANTED = "1 2 3 4 4A 4B 4C 5 5A 5B 6 7 8 8A 8B 8C 9 10 11A 11B 11C 11D 12 13 14 15".split()
POOL = ["203.0.113.8"]
EDM = "address-and-port-dependent"
FOLDER = tempfile.TemporaryDirectory(prefix="millrace-cgn-")
LOG = os.path.join(FOLDER.name, "nat.log")
NAT = {"log": {"file": LOG}}
BLOCKS = {"size": 16, "max": 4}
KINDS = {
    "cgn": {"pool": ["203.0.113.8-203.0.113.15"], "block": {"size": 64}},
    "few": {"pool": ["203.0.113.8-203.0.113.15"], "block": BLOCKS},
    "ranges": {"pool": ["203.0.113.200", "203.0.113.64/30", "203.0.113.9-203.0.113.10"], "paired": False},
    "limits": {"pool": POOL, "limits": {"tcp": 3, "udp": 5, "icmp": 2}},
    "rate": {"pool": POOL, "limits": {"rate": 10}},
    "sessions": {"pool": POOL, "filtering": EDM, "limits": {"sessions": 4}},
    "excluded": {"pool": POOL, "exclude": ["198.18.0.0/15"]},
    "quarantine": {"pool": POOL, "ports": "2000-2003", "quarantine": 3, "quarantine-max": 3, "timeouts": {"udp": 1}},
    "forwards": {"pool": POOL, "quarantine": 120, "forward": {
        "web": {"protocol": "tcp", "outside": POOL[0], "port": "80", "to": "10.0.250.5", "to-port": 8080}}},
    "no-ports": {"pool": POOL, "ports": "2000-2007"},
    "told": {"pool": POOL, "ports": "2000-2003"},
    "no-blocks": {"pool": POOL, "ports": "2000-2031", "block": {"size": 8, "linger": 0}, "timeouts": {"udp": 3}},
    "full-blocks": {"pool": POOL, "ports": "2000-2031", "block": {"size": 8, "linger": 0}, "timeouts": {"udp": 3}},
    "no-subscribers": {"pool": POOL, "limits": {"subscribers": 4}},
    "logged": {"pool": ["203.0.113.8-203.0.113.9"], "block": {"size": 64, "linger": 0}, "timeouts": {"udp": 2}},
    "every-port": {"pool": POOL, "ports": "2000-2063", "block": {"size": 16, "max": 4}},
    "pcp": {"pool": POOL, "filtering": EDM, "pcp": {"enabled": True, "lifetime-min": 1}, "timeouts": {"udp": 1}},
    "guess": {"pool": POOL, "port-preservation": False, "parity": False, "block": {"size": 1024}},
}


def ends(p):
    return p.src, p.sport


def each_protocol(row):
    """Those of UDP, TCP and ICMP have files of their own; with blocks all three pass as well."""
    for packet in (row.udp(port=1), row.tcp(port=2), row.ping(number=3)):
        out = row.out(packet)
        assert row.enters(row.answer(out)).dst == row.host() and out.src in FEW


FEW = ["203.0.113.%d" % n for n in range(8, 16)]


def paired(row):
    for host in range(5, 13):
        assert len({row.out(row.udp(host=host, port=n)).src for n in range(40)}) == 1
    assert len({row.out(row.udp(host=host)).src for host in range(5, 25)}) > 1


def any_addresses(row):
    seen = {row.out(row.udp(port=n)).src for n in range(150)}
    assert seen == {"203.0.113.%d" % n for n in (200, 64, 65, 66, 67, 9, 10)}


def refused(row, packets):
    """How many of them do not come out."""
    row.send(INSIDE, *packets)
    got = 0
    while row.hear(OUTSIDE, seconds=0.1) is not None:
        got += 1
    return len(packets) - got


def port_limit(row):
    assert refused(row, [row.udp(port=n) for n in range(9)]) == 4
    assert refused(row, [row.udp(host=6, port=n) for n in range(5)]) == 0
    # What is there goes on.
    row.out(row.udp(port=0))


def limit_is_set(row):
    """Five are configured, and none elsewhere."""
    assert refused(row, [row.udp(port=n) for n in range(5)]) == 0
    assert refused(row, [row.udp(port=5)]) == 1
    assert row.state()["pool-counters"]["subscriber-limit"] > 0


def limits_by_protocol(row):
    assert refused(row, [row.tcp(port=n) for n in range(5)]) == 2
    assert refused(row, [row.ping(number=n) for n in range(5)]) == 3
    assert refused(row, [row.udp(port=n) for n in range(5)]) == 0


def rate_limit(row):
    """Ten a second; the second may end meanwhile."""
    assert 75 <= refused(row, [row.udp(port=n) for n in range(100)]) <= 90
    assert refused(row, [row.udp(host=6)]) == 0


def session_limit(row):
    assert refused(row, [row.udp(dport=50 + n) for n in range(7)]) == 3
    row.out(row.udp(dport=50))


def session_limit_is_set(row):
    assert refused(row, [row.udp(dport=50 + n) for n in range(5)]) == 1
    assert row.state()["pool-counters"]["session-limit"] >= 1


def not_translated(row):
    assert row.out(row.udp()).src == row.host()


def anybody_answers(row):
    back = row.answer(row.out(row.udp()))
    back.src, back.sport = row.far(9), 999
    assert row.enters(back).dst == row.host()


def quarantine(row):
    """Four ports, three of which may wait: one is free at once, the others after their time."""
    assert refused(row, [row.udp(port=n) for n in range(5)]) == 1
    yield 2.3
    assert until(6, lambda: row.state()["quarantined"] == 3)
    began = time.monotonic()
    assert refused(row, [row.udp(host=6, port=n) for n in range(4)]) == 3
    yield 3.2
    assert until(8, lambda: refused(row, [row.udp(host=7)]) == 0)
    assert time.monotonic() - began > 2


def forwarded(row):
    """A port that was forwarded never waits: it is its inside's in both directions."""
    for sport in (1000, 1001):
        row.send(OUTSIDE, IP(src=row.far(), dst=POOL[0]) / TCP(sport=sport, dport=80, flags="S"))
    assert row.state()["quarantined"] == 0
    assert [s["outside-port"] for s in row.sessions("10.0.250.5") if "left" not in s] == [80]


def no_port(row):
    back = [row.answer(row.out(row.udp(host=5 + n))) for n in range(8)]
    row.silent(INSIDE, row.udp(host=50))
    assert row.counters()["no-port"] == 1
    return back


def nothing_ends(row):
    for n, packet in enumerate(no_block(row)):
        assert row.enters(packet).dst == row.host(5 + n)
    # It goes on by itself once there is something again.
    yield 4
    assert until(10, lambda: refused(row, [row.udp(host=50)]) == 0)


def no_block(row):
    back = [row.answer(row.out(row.udp(host=5 + n))) for n in range(4)]
    row.silent(INSIDE, row.udp(host=50))
    assert row.counters()["no-block"] >= 1
    return back


def no_subscriber(row):
    back = [row.answer(row.out(row.udp(host=5 + n))) for n in range(4)]
    row.silent(INSIDE, row.udp(host=50))
    assert row.counters()["no-subscriber"] == 1
    for n, packet in enumerate(back):
        assert row.enters(packet).dst == row.host(5 + n)


def operator_is_told(row):
    assert refused(row, [row.udp(host=60 + n) for n in range(7)]) == 3
    yield 1.5
    said = [line for line in row.bed.said().splitlines() if "nat told: " in line]
    assert said and "no outside port is free for them" in said[0], row.bed.said()


def entries(event=None):
    with open(LOG, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [line for line in lines if event is None or line["event"] == event]


def no_destinations(row):
    row.out(row.udp(far=123, dport=4567))
    assert until(4, lambda: [e for e in entries("block-given") if e["inside"] == row.host()])
    with open(LOG, encoding="utf-8") as file:
        text = file.read()
    assert "198.18." not in text and "4567" not in text


def all_ports(row):
    """Two protocols' and all of them, before one is refused."""
    for kind in (row.udp, row.tcp):
        seen = {row.out(kind(port=n)).sport for n in range(64)}
        assert seen == set(range(2000, 2064))
        row.silent(INSIDE, kind(port=64))


def few_lines(row):
    """One for a block, however many mappings; "who had" is answered from it."""
    out = [row.out(row.udp(host=5 + n // 40, port=n)) for n in range(160)]
    assert until(4, lambda: len(mine(row, "block-given")) == 4), entries()
    assert len(mine(row)) == 4
    for n in range(0, 160, 20):
        done = run(MILLRACE, "nat", "who", out[n].src, str(out[n].sport), "--socket", row.bed.socket, "--json")
        (found,) = [a for a in json.loads(done.stdout) if a["inside"].startswith("10.0.%d." % row.number)]
        assert found["inside"] == row.host(5 + n // 40)
    yield 3
    assert until(8, lambda: len(mine(row, "block-returned")) == 4), mine(row)


def mine(row, event=None):
    return [e for e in entries(event) if e.get("inside", "").startswith("10.0.%d." % row.number)]


def hard_to_guess(row):
    ports = [row.out(row.udp(port=n)).sport for n in range(150)]
    near = sum(abs(a - b) <= 2 for a, b in zip(ports, ports[1:]))
    assert near < 10, ports


def manageable(row):
    """By the model: state of every instance, over the same socket as REST."""
    row.out(row.udp())
    state = row.state()
    assert {"mappings", "subscribers", "blocks", "blocks-used", "counters", "pool-counters"} <= set(state)


def four(address):
    """An IPv4 address as PCP has it."""
    return socket.inet_pton(socket.AF_INET6, "::ffff:" + address)


def ask(row, message, host=5, to="192.168.0.1"):
    """The answer to a message to the translator; it has to."""
    row.send(INSIDE, IP(src=row.host(host), dst=to) / UDP(sport=row.port(99), dport=5351) / Raw(message))
    got = row.hear(INSIDE, lambda p: p.dst == row.host(host))
    assert got is not None and (got.src, got.sport, got.dport) == (to, 5351, row.port(99))
    return raw(got[UDP].payload)


def ask_map(row, lifetime, nonce=b"n" * 12, host=5, client=None):
    """MAP (RFC 6887, 11) of UDP: result, lifetime, outside port and address."""
    head = struct.pack("!BBHI", 2, 1, 0, lifetime) + four(client or row.host(host))
    ends = nonce + struct.pack("!B3xHH", 17, row.port(), row.port(50)) + four("0.0.0.0")
    got = ask(row, head + ends, host)
    assert got[:2] == b"\x02\x81" and got[24:42] == ends[:18], got.hex()
    (time_left,), (port,) = struct.unpack_from("!I", got, 4), struct.unpack_from("!H", got, 42)
    return got[3], time_left, port, socket.inet_ntop(socket.AF_INET6, got[44:60]).rpartition(":")[2]


def call(row, far=9, port=None):
    """Somebody outside begins."""
    return IP(src=row.far(far), dst=POOL[0]) / UDP(sport=999, dport=port or row.port(50)) / Raw(b"hello")


def controlled(row):
    row.silent(OUTSIDE, call(row))
    assert ask_map(row, 600) == (0, 600, row.port(50), POOL[0])
    got = row.enters(call(row))
    assert (got.dst, got.dport) == (row.host(), row.port())
    assert row.out(row.answer(got)).sport == row.port(50)
    (line,) = row.sessions(row.host())[:1]
    assert 590 <= line["lease"] <= 600 and line["outside-port"] == row.port(50)
    # Without packets it stays for its lease, and not longer.
    yield 3
    assert row.enters(call(row, far=8)).dport == row.port()
    assert ask_map(row, 0)[:2] == (0, 0)
    yield 2.5
    row.silent(OUTSIDE, call(row))
    assert ask_map(row, 1)[:2] == (0, 1)
    yield 2.5
    row.silent(OUTSIDE, call(row))


def controlled_by_nat_pmp(row):
    got = ask(row, b"\0\0")
    assert got[:4] == b"\0\x80\0\0" and socket.inet_ntoa(got[8:]) == POOL[0]
    got = ask(row, struct.pack("!BBHHHI", 0, 1, 0, row.port(), row.port(50), 600), to="192.0.0.9")
    assert struct.unpack_from("!BBH4xHHI", got) == (0, 129, 0, row.port(), row.port(50), 600)
    assert row.enters(call(row)).dport == row.port()
    got = ask(row, struct.pack("!BBHHHI", 0, 1, 0, row.port(), 0, 0))
    assert struct.unpack_from("!BBH4xHHI", got) == (0, 129, 0, row.port(), 0, 0)
    yield 2.5
    row.silent(OUTSIDE, call(row))


def only_ones_own(row):
    """By its address, its nonce, or a word for another host."""
    assert ask_map(row, 600)[0] == 0
    assert ask_map(row, 0, nonce=b"x" * 12)[0] == 2
    assert ask_map(row, 0, host=6, client=row.host())[0] == 12
    third = struct.pack("!BBHI", 2, 1, 0, 0) + four(row.host(6)) + b"n" * 12
    third += struct.pack("!B3xHH", 17, row.port(), 0) + four("0.0.0.0") + struct.pack("!BBH", 1, 0, 16) + four(row.host())
    assert ask(row, third, host=6)[3] == 5
    assert row.enters(call(row)).dport == row.port()


CASES = [
    Req("1", "MUST", "what is asked of UDP, TCP and ICMP holds", "cgn", each_protocol),
    Req("2", "MUST", "a subscriber has one outside address, also over several blocks", "few", paired),
    Req("3", "SHOULD NOT", "the pool's addresses must follow each other", "ranges", any_addresses),
    Req("4", "MUST", "a subscriber's ports are limited", "limits", port_limit),
    Req("4A", "MUST", "the limits are configured", "limits", limit_is_set),
    Req("4B", "MAY", "by protocol", "limits", limits_by_protocol),
    Req("4C", "RECOMMENDED", "how fast mappings are made is limited", "rate", rate_limit),
    Req("5", "SHOULD", "a subscriber's sessions are limited", "sessions", session_limit),
    Req("5A", "SHOULD", "that is configured", "sessions", session_limit_is_set),
    Req("5B", "SHOULD", "the rate at which memory is taken is limited", "rate", rate_limit),
    Req("6", "MUST", "there are destinations without translation", "excluded", not_translated),
    Req("7", "RECOMMENDED", "anybody may answer", "cgn", anybody_answers),
    Req("8", "SHOULD NOT", "a port is another's at once", "quarantine", quarantine),
    Req("8B", "MAY", "a port that is somebody's by configuration does not wait", "forwards", forwarded),
    NotMet("6888", "8A", "MAY", "TCP's ports are used again at once"),
    NotMet("6888", "8C", "MAY", "ports with a strict filter are used again at once"),
    Req("9", "MUST", "subscribers control their mappings by PCP", "pcp", controlled),
    Req("9", "MUST", "by NAT-PMP, too", "pcp", controlled_by_nat_pmp),
    Req("9", "MUST", "nobody controls those of another subscriber", "pcp", only_ones_own),
    Req("10", "SHOULD", "it is manageable", "cgn", manageable),
    Req("11A", "MUST", "without a port a packet is dropped", "no-ports", no_port),
    Req("11A", "MUST", "without a block, too", "no-blocks", no_block),
    Req("11A", "MUST", "without room for a subscriber, too", "no-subscribers", no_subscriber),
    NotMet("6888", "11B", "SHOULD", "its sender is told by ICMP"),
    Req("11C", "SHOULD", "the operator is told", "told", operator_is_told),
    Req("11D", "MUST NOT", "what is there ends for what is new", "full-blocks", nothing_ends),
    Req("12", "SHOULD NOT", "destinations are logged", "logged", no_destinations),
    Req("13", "SHOULD", "all ports are used", "every-port", all_ports),
    Req("14", "SHOULD", "the log is short", "logged", few_lines),
    Req("15", "SHOULD", "ports are hard to guess", "guess", hard_to_guess),
]


@table(CASES)
def test_rfc6888(nat_ends, case):
    judge(nat_ends, case)


def test_every_requirement_has_a_row():
    complete(CASES, WANTED)
    with pytest.raises(AssertionError, match="no row for REQ-15"):
        complete(CASES[:-1], WANTED)


@pytest.mark.parametrize("count", [64, 65])
def test_so_many_on_one_interface(count):
    """What would not be translated is refused."""
    path = os.path.join(FOLDER.name, "many.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(tree({"k%d" % n: {"pool": POOL} for n in range(count)}, {}), file)
    done = run(MILLRACE, "check", path, check=False)
    assert (done.returncode == 0) == (count == 64), done.stderr
    assert count == 64 or "more than 64 instances have k0-out" in done.stderr + done.stdout
