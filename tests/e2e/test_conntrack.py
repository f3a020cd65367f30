# SPDX-License-Identifier: Apache-2.0
"""Connection tracking beside the kernel's: the same packets, state by state; and real stacks."""
import json
import random
import select
import signal
import socket

import pytest
from scapy.all import (Ether, GRE, ICMP, IP, TCP, UDP, ICMPv6DestUnreach, ICMPv6EchoReply,
                       ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6, Raw, fragment, raw)

from lab import MILLRACE, millrace, pause, run, until
from track_lab import TrackLab, UnixConnection, socket_in, tcp_in

A4, B4, A6, B6 = "10.1.0.2", "10.2.0.2", "fd00:1::2", "fd00:2::2"


@pytest.fixture
def tracks(namespaces):
    made = TrackLab()
    made.start()
    yield made
    made.close()


def ip(end, six=False, host=2):
    source, target = (("10.1.0.%d", "10.2.0.2") if not six else ("fd00:1::%d", "fd00:2::2"))
    source = source % host
    if end == "b":
        source, target = target, source
    return IPv6(src=source, dst=target, hlim=64) if six else IP(src=source, dst=target, ttl=64)


def tcp(end, flags, seq=0, ack=0, length=0, port=1000, window=10000, options=(), six=False, **more):
    ports = {"sport": port, "dport": 80} if end == "a" else {"sport": 80, "dport": port}
    return raw(ip(end, six) / TCP(flags=flags, seq=seq & 0xffffffff, ack=ack & 0xffffffff,
                                  window=window, options=list(options), **ports, **more) /
               Raw(b"x" * length))


def udp(end, port=1000, length=20, six=False, host=2, **more):
    ports = {"sport": port, "dport": 53} if end == "a" else {"sport": 53, "dport": port}
    return raw(ip(end, six, host) / UDP(**ports, **more) / Raw(b"y" * length))


def same(lab, steps):
    """Each step, (end, packet) or (end, [packets]), through both; the states that both found."""
    found = []
    for n, (end, packets) in enumerate(steps):
        packets = packets if isinstance(packets, list) else [packets]
        theirs = lab.kernel_states(end, packets)
        ours = lab.our_states(end, packets)
        assert sorted(ours) == sorted(theirs), \
            "step %d from %s: the kernel says %s, millrace %s" % (n, end, theirs, ours)
        found.append(ours[0] if len(ours) == 1 else ours)
    return found


def opened(port=1000, six=False, options=(), window=10000):
    return [("a", tcp("a", "S", 1000, port=port, six=six, options=options, window=window)),
            ("b", tcp("b", "SA", 5000, 1001, port=port, six=six, options=options, window=window)),
            ("a", tcp("a", "A", 1001, 5001, port=port, six=six, window=window))]


NEW, EST, REL, INV = "new", "established", "related", "invalid"


def test_tcp_as_the_kernel_sees_it(tracks):
    for six, port in ((False, 1000), (True, 1001)):
        kind = {"port": port, "six": six}
        assert same(tracks, opened(**kind) + [
            ("a", tcp("a", "PA", 1001, 5001, 500, **kind)),
            ("b", tcp("b", "A", 5001, 1501, **kind)),
            ("a", tcp("a", "A", 900000, 5001, 10, **kind)),
            ("b", tcp("b", "A", 5001, 999999, **kind)),
            ("b", tcp("b", "R", 4000, **kind)),
            ("b", tcp("b", "FA", 5001, 1501, **kind)),
            ("a", tcp("a", "A", 1501, 5002, **kind)),
            ("a", tcp("a", "FA", 1501, 5002, **kind)),
            ("b", tcp("b", "A", 5002, 1502, **kind)),
            ("a", tcp("a", "S", 70000, **kind)),
            ("b", tcp("b", "SA", 80000, 70001, **kind)),
        ]) == [NEW, EST, EST, EST, EST, INV, INV, INV, EST, EST, EST, EST, NEW, EST]


def test_beginnings_that_are_none(tracks):
    steps = [(end, tcp(end, flags, 1000, 0, port=2000 + n))
             for n, (end, flags) in enumerate(
                 (end, flags) for end in "ab"
                 for flags in ("", "F", "FA", "R", "RA", "SA", "SF", "SR", "FPU", "FSRPAU", "P", "U",
                               "A", "PA", "S", "SU", "SEC", "AU"))]
    found = same(tracks, steps)
    assert found.count(NEW) == 2 * 6


def test_simultaneous_open_and_close(tracks):
    assert same(tracks, [
        ("a", tcp("a", "S", 1000)), ("b", tcp("b", "S", 5000)),
        ("a", tcp("a", "SA", 1000, 5001)), ("b", tcp("b", "SA", 5000, 1001)),
        ("a", tcp("a", "A", 1001, 5001)), ("b", tcp("b", "A", 5001, 1001)),
        ("a", tcp("a", "FA", 1001, 5001)), ("b", tcp("b", "FA", 5001, 1001)),
        ("a", tcp("a", "A", 1002, 5002)), ("b", tcp("b", "A", 5002, 1002)),
    ])[0] == NEW


def test_resets(tracks):
    scaled = [("MSS", 1460), ("WScale", 7)]
    for n, (seq, end) in enumerate(((5001, "b"), (5100, "b"), (4000, "b"), (900000, "b"),
                                    (1001, "a"), (1100, "a"), (0, "b"))):
        port = 3000 + n
        same(tracks, opened(port, options=scaled) + [
            ("b", tcp("b", "A", 5001, 1001, 10, port=port)),
            ("a", tcp("a", "A", 1001, 5011, port=port)),
            (end, tcp(end, "R", seq, port=port)),
            ("a", tcp("a", "A", 1001, 5011, 10, port=port)),
            ("b", tcp("b", "A", 5011, 1011, 10, port=port)),
        ])
    same(tracks, [("a", tcp("a", "S", 1000, port=3100)),
                  ("b", tcp("b", "RA", 0, 1001, port=3100)),
                  ("a", tcp("a", "S", 1000, port=3100))])


def test_out_of_step(tracks):
    """The client begins anew while the middle thinks that the old connection is open."""
    same(tracks, opened(4000) + [
        ("a", tcp("a", "S", 700000, port=4000)),
        ("b", tcp("b", "A", 5001, 1001, port=4000)),
        ("a", tcp("a", "R", 1001, port=4000)),
        ("a", tcp("a", "S", 700000, port=4000)),
        ("b", tcp("b", "SA", 90000, 700001, port=4000)),
        ("a", tcp("a", "A", 700001, 90001, port=4000)),
    ])
    same(tracks, opened(4001) + [
        ("a", tcp("a", "S", 700000, port=4001)),
        ("b", tcp("b", "SA", 90000, 700001, port=4001)),
        ("a", tcp("a", "A", 700001, 90001, port=4001)),
        ("a", tcp("a", "A", 1001, 5001, 10, port=4001)),
    ])


def test_udp_and_queries(tracks):
    steps = []
    for six in (False, True):
        ask, answer = (ICMPv6EchoRequest, ICMPv6EchoReply) if six else (ICMP, ICMP)
        one, other = ({}, {}) if six else ({"type": 8}, {"type": 0})
        steps += [("a", udp("a", six=six)), ("a", udp("a", six=six)), ("b", udp("b", six=six)),
                  ("a", udp("a", six=six)),
                  ("b", raw(ip("b", six) / answer(id=9, **other))),
                  ("a", raw(ip("a", six) / ask(id=9, **one))),
                  ("b", raw(ip("b", six) / ask(id=9, **one))),
                  ("b", raw(ip("b", six) / answer(id=8, **other))),
                  ("b", raw(ip("b", six) / answer(id=9, **other))),
                  ("a", raw(ip("a", six) / ask(id=9, **one))),
                  ("a", udp("a", 1001, six=six, chksum=0x1234)),
                  ("a", raw(ip("a", six) / GRE() / Raw(b"z" * 40))),
                  ("b", raw(ip("b", six) / GRE() / Raw(b"z" * 40)))]
    steps += [("a", raw(ip("a") / ICMP(type=kind, id=3)))
              for kind in (13, 15, 17, 14, 16, 18, 9, 10, 19, 40)]
    same(tracks, steps)


def test_errors_about_connections(tracks):
    quoted = udp("a", 1500)
    by = IP(src="10.2.0.9", dst=A4, ttl=64)
    stranger = udp("a", 1501)
    assert same(tracks, [
        ("b", raw(by / ICMP(type=3, code=3) / quoted[:28])),
        ("a", quoted),
        ("b", raw(by / ICMP(type=3, code=3) / quoted[:28])),
        ("b", raw(by / ICMP(type=11) / quoted)),
        ("b", raw(by / ICMP(type=12) / quoted[:28])),
        ("b", raw(by / ICMP(type=5) / quoted[:28])),
        ("b", raw(by / ICMP(type=3, code=3) / stranger[:28])),
        ("b", raw(by / ICMP(type=3, code=3) / quoted[:27])),
        ("b", raw(by / ICMP(type=3, code=3) / quoted[:20])),
        ("b", raw(IP(src="10.2.0.9", dst="10.1.0.3") / ICMP(type=3, code=3) / quoted[:28])),
        ("b", raw(by / ICMP(type=3, code=3, chksum=7) / quoted[:28])),
        ("a", quoted),
        ("b", udp("b", 1500)),
        ("a", raw(IP(src=A4, dst=B4, ttl=64) / ICMP(type=3, code=3) / udp("b", 1500)[:28])),
    ])[:6] == [INV, NEW, REL, REL, REL, REL]
    six = udp("a", 1500, six=True)
    by6 = IPv6(src="fd00:2::9", dst=A6)
    same(tracks, [
        ("b", raw(by6 / ICMPv6DestUnreach(code=4) / Raw(six))),
        ("a", six),
        ("b", raw(by6 / ICMPv6DestUnreach(code=4) / Raw(six))),
        ("b", raw(by6 / ICMPv6PacketTooBig(mtu=1280) / Raw(six))),
        ("b", raw(by6 / ICMPv6DestUnreach(code=4) / Raw(udp("a", 1501, six=True)))),
    ])


def test_fragments(tracks):
    """In and out of order: the kernel puts them together, here each has its packet's state."""
    whole = IP(udp("a", 1600, 2000))
    whole.id = 77
    pieces = [raw(piece) for piece in fragment(whole, 600)]
    assert len(pieces) == 4
    again = IP(udp("a", 1600, 2000))
    again.id = 78
    turned = [raw(piece) for piece in fragment(again, 600)][::-1]
    theirs = tracks.kernel_states("a", pieces) + tracks.kernel_states("b", [udp("b", 1600)])
    ours = tracks.our_states("a", pieces) + tracks.our_states("b", [udp("b", 1600)])
    # The kernel cuts again as its link is, so that it may be fewer.
    assert set(theirs[:-1]) == {NEW} and ours == [NEW] * 4 + [EST] and theirs[-1] == EST
    assert set(tracks.kernel_states("a", turned)) == {EST}
    assert tracks.our_states("a", turned) == [EST] * 4


def conversation(seed, count, port):
    """TCP with mistakes, the same for the same seed."""
    dice = random.Random(seed)
    scale = dice.choice([None, 0, 3, 7])
    options = [] if scale is None else [("WScale", scale)]
    seqs = {"a": dice.getrandbits(32), "b": dice.getrandbits(32)}
    steps = [("a", tcp("a", "S", seqs["a"] - 1, port=port, options=options)),
             ("b", tcp("b", "SA", seqs["b"] - 1, seqs["a"], port=port, options=options)),
             ("a", tcp("a", "A", seqs["a"], seqs["b"], port=port))]
    for _ in range(count):
        end = dice.choice("ab")
        other = "b" if end == "a" else "a"
        seq, ack, length = seqs[end], seqs[other], dice.choice([0, 0, 1, 100, 1000])
        flags, window, what = "A", dice.choice([0, 100, 10000, 65535]), dice.randrange(24)
        if what == 0:
            flags, length = "S", 0
        elif what == 1:
            flags = "FA"
        elif what == 2:
            flags = dice.choice(["R", "RA"])
        elif what == 3:
            seq += dice.randrange(-200000, 200000)
        elif what == 4:
            ack += dice.randrange(-200000, 200000)
        elif what == 5:
            flags, length = "SA", 0
        elif what == 6:
            seq -= 1
            length = 0
        elif what == 7:
            seq += dice.choice([1, 100, 5000])
        elif what == 8:
            flags = dice.choice(["", "F", "FPU", "PA", "AU", "SR"])
        if what > 8:
            seqs[end] = (seq + length) & 0xffffffff
        steps.append((end, tcp(end, flags, seq, ack if "A" in flags else 0, length, port=port,
                               window=window,
                               options=options if "S" in flags else ())))
    return steps


@pytest.mark.slow
def test_random_conversations(tracks):
    for seed in range(20):
        try:
            same(tracks, conversation(seed, 30, 10000 + seed))
        except AssertionError as error:
            raise AssertionError("seed %d: %s" % (seed, error)) from None


def test_show_connections(tracks):
    def shown(*more):
        done = millrace("show", "connections", "--socket", tracks.socket, *more, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert shown() == "no connections\n"
    assert shown("--json").strip() == "[]"
    tracks.our_states("a", [udp("a", 1700)])
    for end, packet in opened(1701):
        tracks.our_states(end, [packet])
    tracks.our_states("a", [raw(ip("a", True) / ICMPv6EchoRequest(id=5))])
    every = json.loads(shown("--json"))
    assert sorted(entry["protocol"] for entry in every) == ["icmpv6", "tcp", "udp"]
    (one,) = json.loads(shown("--json", "--protocol", "tcp"))
    assert (one["source"], one["source-port"], one["destination"], one["destination-port"]) == \
        (A4, 1701, B4, 80)
    assert one["state"] == "established" and one["replied"] and one["assured"]
    assert (one["packets"], one["reply-packets"]) == (2, 1)
    assert "tcp 10.1.0.2:1701 > 10.2.0.2:80" in shown("10.1.0.0/24", "--state", "established")
    assert shown("--source", "10.2.0.0/16") == "no connections\n"
    assert shown("--port", "53", "--count") == "1\n"
    assert shown("--zone", "default", "--count") == "3\n"
    assert millrace("show", "connections", "--socket", tracks.socket, "--state", "great",
                    check=False).returncode == 1
    state = json.loads(millrace("show", "conntrack", "--socket", tracks.socket, "--json").stdout)
    assert state["connections"] == 3 and state["tcp-states"]["established"] == 1
    assert state["zone-state"][0]["counters"]["created"] == 3
    told = millrace("explain", "--socket", tracks.socket, "a", "src=" + A4, "dst=" + B4, "proto=tcp",
                    "sport=1701", "dport=80", check=False)
    assert "connection tcp 10.1.0.2:1701 > 10.2.0.2:80" in told.stdout + told.stderr, told


def test_flush_connections(tracks):
    def flushed(*words, status=0):
        done = millrace("flush", *words, "--socket", tracks.socket, check=False)
        assert done.returncode == status, done
        return done.stdout if status == 0 else done.stderr

    def count(*words):
        return int(millrace("show", "connections", "--socket", tracks.socket, "--count",
                            *words).stdout)

    flushed("connections")
    for port in range(1710, 1720):
        tracks.our_states("a", [udp("a", port)])
        for end, packet in opened(port):
            tracks.our_states(end, [packet])
    assert count() == 20
    assert flushed("connections", "10.9.9.9") == "0 connections flushed\n"
    assert flushed("connections", "--source", "10.2.0.0/16") == "0 connections flushed\n"
    assert flushed("connections", "10.1.0.0/24", "--protocol", "udp", "--port", "1712") == \
        "1 connections flushed\n"
    assert json.loads(flushed("connections", "--state", "established", "--json")) == \
        {"flushed": 10}
    assert count() == count("--protocol", "udp") == 9
    # It is forgotten: what was established is new, and invalid where it cannot begin.
    assert tracks.our_states("a", [tcp("a", "SA", 1713)]) == ["invalid"]
    assert tracks.our_states("b", [udp("b", 1713)]) == ["established"]
    assert flushed("connections") == "9 connections flushed\n"
    assert count() == 0
    state = json.loads(millrace("show", "conntrack", "--socket", tracks.socket, "--json").stdout)
    assert state["zone-state"][0]["counters"]["flushed"] >= 20

    # A filter that is misspelt, or makes no sense, must not end everything.
    tracks.our_states("a", [udp("a", 1713)])
    assert "nothing called" in flushed("everything", status=2)
    assert "no address" in flushed("connections", "192.0.2", status=1)
    assert "no filter" in flushed("connections", "--instance", "x", status=1)
    web = UnixConnection(tracks.socket)
    for method, target, status in (("GET", "/act/flush/connections", 405),
                                   ("POST", "/act/flush/connections?adress=10.0.0.1", 400),
                                   ("POST", "/act/flush/nothing", 404)):
        web.request(method, target)
        answer = web.getresponse()
        assert (answer.status, "error" in json.loads(answer.read())) == (status, True), target
    web.close()
    assert count() == 1
    offered = run(MILLRACE, "__complete", "flush", "conn").stdout
    assert offered == "connections\n"


def test_real_stacks_through_a_bridge(lab):
    """iperf3 and pings of every size with invalid packets dropped: there must be none."""
    for number in (1, 2):
        lab.add_host(number)
    lab.start("""
interface: {h1: {device: port1}, h2: {device: port2}}
bridge: {br0: {interface: [h1, h2]}}
conntrack: {drop-invalid: true, interface: [h1, h2]}
""")
    lab.ping(1, 2, "-c", "1")
    for size in (0, 1472, 1473, 8000, 60000):
        lab.ping(1, 2, "-c", "3", "-i", "0.01", "-s", str(size))
    server = lab.begin(2, "iperf3", "-s", "-1")
    assert until(3, lambda: ":5201" in lab.in_host(2, "ss", "-ltn").stdout)
    done = lab.in_host(1, "iperf3", "-c", "10.8.0.2", "--json", "-t", "2", "-P", "4")
    server.wait(5)
    assert json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] > 50e6
    drops = [entry for entry in lab.show("drops") if "invalid" in entry["reason"] and
             entry["packets"]]
    assert drops == []
    counters = lab.show("conntrack")["zone-state"][0]["counters"]
    assert counters["created"] >= 5 and counters["invalid"] == 0


STRICT = """
interface: {h1: {device: port1}, h2: {device: port2}}
bridge: {br0: {interface: [h1, h2]}}
conntrack: {loose: false, drop-invalid: true, interface: [h1, h2]}
"""
TCP_REPAIR = 19


@pytest.fixture
def strict(lab):
    """Two hosts that know each other, through a tracker that takes up nothing midway."""
    for number in (1, 2):
        lab.add_host(number)
    lab.start(STRICT)
    lab.ping(1, 2, "-c", "1")
    return lab


def host(lab, number):
    return "%s-%d" % (lab.prefix, number)


def talk(one, two):
    """Something each way."""
    for source, target in ((one, two), (two, one)):
        source.sendall(b"x" * 3000)
        got = 0
        while got < 3000:
            more = target.recv(3000 - got)
            assert more
            got += len(more)


def connect(lab, port):
    """A connection between the kernels of hosts 1 and 2; both sockets."""
    listener = tcp_in(host(lab, 2), 7000)
    listener.listen()
    client = tcp_in(host(lab, 1), port)
    client.connect(("10.8.0.2", 7000))
    server = listener.accept()[0]
    server.settimeout(8)
    talk(client, server)
    return client, server, listener


def tracked(lab):
    """TCP's connections, and how many packets were invalid."""
    shown = lab.show("connections", "--protocol", "tcp")
    return shown, lab.show("conntrack")["zone-state"][0]["counters"]["invalid"]


def test_half_open(strict):
    """A host forgets a connection (it crashed), and begins anew from the same port: RFC 9293, 3.5.1.
    The other one challenges the SYN, is told by a reset, and the next SYN gets through."""
    client, server, listener = connect(strict, 6000)
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    client.close()  # without a word
    client = tcp_in(host(strict, 1), 6000)
    client.connect(("10.8.0.2", 7000))
    fresh = listener.accept()[0]
    fresh.settimeout(8)
    talk(client, fresh)
    with pytest.raises(ConnectionResetError):
        server.recv(1)
    (one,), invalid = tracked(strict)
    assert one["state"] == "established" and one["assured"] and invalid == 0
    for used in (client, server, fresh, listener):
        used.close()


def test_reset_attack(strict):
    """Somebody beside the server resets the connection with guessed numbers: it lives."""
    client, server, listener = connect(strict, 6000)
    mac = [strict.in_host(number, "cat", "/sys/class/net/eth0/address").stdout.strip()
           for number in (1, 2)]
    attacker = socket_in(host(strict, 2), "eth0")
    numbers = random.Random(7)
    kind = Ether(dst=mac[0], src=mac[1])
    for n in range(400):
        attacker.send(raw(kind / IP(src="10.8.0.2", dst="10.8.0.1") /
                          TCP(sport=7000, dport=6000, flags="RA" if n % 2 else "R", window=0,
                              seq=numbers.getrandbits(32), ack=numbers.getrandbits(32))))
    assert until(3, lambda: tracked(strict)[1] > 380)
    talk(client, server)
    (one,), _ = tracked(strict)
    assert one["state"] == "established"
    for used in (client, server, listener, attacker):
        used.close()


def test_simultaneous_open_of_real_stacks(strict):
    """Both SYNs are on their way at once: they wait in front of millrace, which is stopped."""
    ends = [tcp_in(host(strict, 1), 6001), tcp_in(host(strict, 2), 6002)]
    pause(strict.switch.pid)
    for end, target in zip(ends, (("10.8.0.2", 6002), ("10.8.0.1", 6001))):
        end.setblocking(False)
        with pytest.raises(BlockingIOError):
            end.connect(target)
    strict.switch.send_signal(signal.SIGCONT)
    for end in ends:
        assert select.select([], [end], [], 5)[1]
        assert end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        end.settimeout(8)
    talk(*ends)
    (one,), invalid = tracked(strict)
    assert one["state"] == "established" and one["assured"] and invalid == 0
    for end in ends:
        end.close()


PROXIED = """
interface: {h1: {device: port1}, h2: {device: port2}}
bridge: {br0: {interface: [h1, h2]}}
conntrack: {drop-invalid: true, interface: {h1: {syn-proxy: "%s", syn-proxy-rate: 1}, h2: {}}}
"""


def counter(lab, node, name):
    (found,) = [entry for entry in lab.show("nodes") if entry["name"] == node]
    (value,) = [entry["value"] for entry in found["counter"] if entry["name"] == name]
    return value


@pytest.mark.parametrize("mode", ["on", "auto"])
def test_syn_proxy(lab, mode):
    """Transfers of real stacks in both directions, whose beginning the proxy answered."""
    for number in (1, 2):
        lab.add_host(number)
    lab.start(PROXIED % mode)
    lab.ping(1, 2, "-c", "1")
    for six in (False, True):
        for more in ([], ["-R"]):
            server = lab.begin(2, "iperf3", "-s", "-1")
            assert until(3, lambda: ":5201" in lab.in_host(2, "ss", "-ltn").stdout)
            done = lab.in_host(1, "iperf3", "-c", "2001:db8::2" if six else "10.8.0.2", "--json",
                               "-t", "1", "-P", "3", *more, check=False)
            server.wait(5)
            assert done.returncode == 0, done.stdout
            end = json.loads(done.stdout)["end"]
            assert end["sum_received"]["bits_per_second"] > 20e6
    answered = counter(lab, "confirm-in@h1", "syn-proxy-answered")
    assert answered >= (16 if mode == "on" else 4)
    assert counter(lab, "track-in@h2", "proxied") == \
        counter(lab, "confirm-in@h1", "syn-proxy-returned") >= (16 if mode == "on" else 4)
    assert lab.checksum_errors(1) == {} and lab.checksum_errors(2) == {}
    # Refused: the client hears of it at once.
    done = lab.in_host(1, "bash", "-c", "timeout 3 bash -c 'echo > /dev/tcp/10.8.0.2/9; read -t 2 "
                       "< /dev/tcp/10.8.0.2/9'", check=False)
    assert done.returncode != 124
