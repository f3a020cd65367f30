# SPDX-License-Identifier: Apache-2.0
"""Tunnels to the kernel's VXLAN: hosts behind a bridge of millrace's, and others at remote ends.

    host 1 ---- h1, bridge "lan", vni (tunnel) .... router: loopback 192.0.2.1, 2001:db8:ff::1
                                                      |             |
                                                     h2, host 2    h3, host 3: each with a VXLAN device,
                                                                   or a plain UDP socket in its place

    in the tunnel: 10.77.0.N/24, fd77::N/64
"""
import concurrent.futures
import json
import os
import re
import socket
import struct
import time

import pytest

from lab import MILLRACE, millrace, until
from router_lab import RouterLab
from test_router import iperf
from track_lab import drain, inside, receive, socket_in

scapy = pytest.importorskip("scapy.all")

LOCAL = {4: "192.0.2.1", 6: "2001:db8:ff::1"}
VNI = 7777
PORT = 4789
ALL = "ff:ff:ff:ff:ff:ff"
STATION = "02:00:00:00:77:%02x"
TYPE = 0x88b5  # for experiments: nobody else speaks it


NO_WAIT = {"duplicate-detection": False}


def underlay(family, number):
    return "10.9.%d.2" % number if family == 4 else "2001:db8:%d::2" % number


class TunnelLab(RouterLab):
    def __init__(self):
        super().__init__()
        for number in (1, 2, 3):
            self.add_host(number)
        self.in_host(1, "ip", "address", "flush", "dev", "eth0")
        self.in_host(1, "ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
        self.in_host(1, "ip", "address", "add", "fd77::1/64", "dev", "eth0", "nodad")
        self.in_host(1, "ip", "link", "set", "eth0", "mtu", "1430")
        self.sockets = []

    def add_vxlan(self, number, family, *options, vni=VNI, port=PORT, mtu=1430, name="vx", net=77, zero=True):
        """The kernel's end, 10.NET.0.NUMBER/24 and fdNET::NUMBER/64."""
        if family == 6 and zero:
            # Ours are sent without (RFC 6935).
            options = options + ("udp6zerocsumtx", "udp6zerocsumrx")
        # Without a device, which would allow no MTU with which packets have to be cut.
        self.in_host(number, "ip", "link", "add", name, "mtu", str(mtu), "type", "vxlan", "id", str(vni),
                     "local", underlay(family, number), "remote", LOCAL[family], "dstport", str(port), *options)
        self.in_host(number, "ip", "address", "add", "10.%d.0.%d/24" % (net, number), "dev", name)
        self.in_host(number, "ip", "address", "add", "fd%d::%d/64" % (net, number), "dev", name, "nodad")
        self.in_host(number, "ip", "link", "set", name, "up")

    def tree(self, family=4, remotes=(2,), tunnel=None, mtu=1430, more=None):
        tree = {
            "interface": {"h1": {"device": "port1"}, "h2": {"device": "port2"}, "h3": {"device": "port3"},
                          "vni": {"driver": "tunnel", "mtu": mtu}},
            "bridge": {"lan": {"interface": ["h1", "vni"]}},
            "router": {"default": {"interface": {
                "h2": {"address": ["10.9.2.1/24", "2001:db8:2::1/64"], "neighbor": NO_WAIT},
                "h3": {"address": ["10.9.3.1/24", "2001:db8:3::1/64"], "neighbor": NO_WAIT},
                "lo": {"loopback": True, "address": ["192.0.2.1/32", "2001:db8:ff::1/128"]}}}},
            "tunnel": {"vni": dict({
                "local": LOCAL[family], "remote": [underlay(family, n) for n in remotes],
                "vxlan": {"vni": VNI}}, **(tunnel or {}))}}
        tree.update(more or {})
        return tree

    def start_tree(self, tree, system=None):
        """Until its addresses are in use."""
        self.start(text_of(tree), system=system)
        assert until(5, lambda: all(
            a["state"] == "preferred" for r in self.show("router") for i in r["interface"]
            for a in i.get("current-address", [])))

    def now(self, tree):
        """A reload that has come to its end."""
        before = self.said().count(" applied")
        self.reload(text_of(tree))
        assert until(5, lambda: self.said().count(" applied") > before), self.said()

    def tunnel(self, name="vni"):
        return next(t for t in self.show("tunnel") if t["name"] == name)

    def remote(self, address, name="vni"):
        return next(r for r in self.tunnel(name)["remote-state"] if r["address"] == address)

    def counts_agree(self, *addresses):
        """The interface's counters are the sums of its remote ends'."""
        own = next(i["counters"] for i in self.show("interfaces") if i["name"] == "vni")
        ends = [self.remote(a) for a in addresses]
        return all(int(own[name]) == sum(int(end[name]) for end in ends)
                   for name in ("rx-packets", "rx-bytes", "tx-packets", "tx-bytes"))

    def sent(self, *addresses):
        """Frames sent to these remote ends."""
        return [int(self.remote(a)["tx-packets"]) for a in addresses]

    def stations(self):
        """Behind which remote end a station is."""
        return {s["mac"]: s["remote"] for s in self.tunnel().get("fdb", [])}

    def wire(self, number, device="eth0"):
        """All frames of a host's device."""
        made = socket_in("%s-%d" % (self.prefix, number), device)
        self.sockets.append(made)
        return made

    def end(self, number, family, port=PORT):
        """A remote end that is a socket."""
        made = End(self, number, family, port)
        self.sockets.append(made.socket)
        return made

    def close(self):
        for opened in self.sockets:
            opened.close()
        super().close()


class End:
    def __init__(self, lab, number, family, port):
        self.family, self.port = family, port
        with inside("%s-%d" % (lab.prefix, number)):
            self.socket = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        if family == 4:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        else:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            self.socket.setsockopt(socket.IPPROTO_UDP, 102, 1)  # UDP_NO_CHECK6_RX
        self.socket.bind((underlay(family, number), port))

    def send(self, frame, vni=VNI, flags=8, tos=0, to=None):
        if self.family == 4:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        else:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        self.socket.sendto(struct.pack("!B3xI", flags, vni << 8) + bytes(frame),
                           (LOCAL[self.family], to or self.port))

    def receive(self, seconds=2, want=lambda frame: frame.type in (TYPE, 0x8100)):
        """(frame, class) of the next frame that is wanted; (None, None) if there is none in that time."""
        end = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data, more = self.socket.recvmsg(2048, 64)[:2]
            except TimeoutError:
                return None, None
            flags, vni = struct.unpack_from("!B3xI", data)
            assert flags == 8 and vni == VNI << 8
            frame = scapy.Ether(data[8:])
            if want(frame):
                return frame, int.from_bytes(more[0][2][:1], "little")


def frame(source, target=ALL, load=b"frame"):
    """Of a station to a station, by number, or to all."""
    if isinstance(target, int):
        target = STATION % target
    return scapy.Ether(src=STATION % source, dst=target, type=TYPE) / (load + bytes(50))


def heard(wire, seconds=2, want=lambda got: got.type in (TYPE, 0x8100)):
    """The next frame that is wanted."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = receive(wire, max(end - time.monotonic(), 0))
        if data is not None and want(scapy.Ether(data)):
            return scapy.Ether(data)
    return None


def text_of(tree):
    return "".join("%s: %s\n" % (key, json.dumps(value)) for key, value in tree.items())


@pytest.fixture
def lab(namespaces):
    made = TunnelLab()
    yield made
    made.close()


def transfer(lab, source, target, address, size=4 << 20):
    """Bytes by TCP, and whether they are what was sent."""
    data = os.urandom(size)
    with inside("%s-%d" % (lab.prefix, target)):
        server = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    with server:
        with inside("%s-%d" % (lab.prefix, source)):
            client = socket.create_connection(server.getsockname()[:2], timeout=5)
        taken, _ = server.accept()
        with client, taken, concurrent.futures.ThreadPoolExecutor(1) as pool:
            sending = pool.submit(client.sendall, data)
            taken.settimeout(10)
            got = bytearray()
            while len(got) < size:
                more = taken.recv(1 << 20)
                if not more:
                    break
                got += more
            sending.result(5)
    return got == data


def know(lab, family, *numbers):
    """Hosts and router know each other, so that no single frame has to wait."""
    for number in numbers:
        assert until(5, lambda n=number: lab.pings(n, LOCAL[family], "-c", "1", "-W", "1") == 1)


@pytest.mark.parametrize("family", [4, 6])
def test_one_remote_end(lab, family):
    lab.add_vxlan(2, family)
    lab.start_tree(lab.tree(family))
    assert until(10, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert lab.pings(1, "fd77::2") == 3
    assert lab.pings(2, "10.77.0.1") == 3
    assert lab.pings(2, "fd77::1") == 3
    # The largest that fits, and does not have to be cut.
    assert lab.pings(1, "10.77.0.2", "-c", "3", "-i", "0.05", "-W", "1", "-M", "do", "-s", "1402") == 3
    for ends in ((1, 2, "10.77.0.2"), (1, 2, "fd77::2"), (2, 1, "10.77.0.1"), (2, 1, "fd77::1")):
        assert transfer(lab, *ends)
    state = lab.tunnel()
    assert "trouble" not in state
    remote = lab.remote(underlay(family, 2))
    assert remote["reachable"] and int(remote["tx-packets"]) > 100 and int(remote["rx-packets"]) > 100
    assert int(remote["path-mtu"]) == 1500
    assert until(3, lambda: lab.counts_agree(underlay(family, 2)))
    assert state["counters"]["fragmented"] in (0, "0")
    for number in (1, 2):
        assert not lab.checksum_errors(number)


def anew(ip):
    """With its right checksum."""
    made = ip.copy()
    del made.chksum
    return scapy.IP(bytes(made))


@pytest.mark.parametrize("family", [4, 6])
def test_how_it_looks(lab, family):
    """The outer headers: never cut and so without a number, no UDP checksum, flows by source port."""
    lab.start_tree(lab.tree(family, tunnel={"ttl": 9}))
    know(lab, family, 2)
    lab.end(2, family)
    near, far = lab.wire(1), lab.wire(2)

    def sent(inner):
        near.send(bytes(inner))
        got = heard(far, want=lambda f: f.haslayer(scapy.VXLAN) and bytes(f[scapy.VXLAN].payload) == bytes(inner))
        assert got is not None
        return got

    flows = [scapy.Ether(src=STATION % 1, dst=STATION % 2) / scapy.IP(src="10.77.0.1", dst="10.77.0.2") /
             scapy.UDP(sport=2000 + n, dport=7) / bytes(40) for n in range(16)]
    got = [sent(flow) for flow in flows + flows]
    ports = [g[scapy.UDP].sport for g in got]
    assert ports[:16] == ports[16:] and len(set(ports)) > 8 and min(ports) >= 49152
    for g in got:
        outer = g[scapy.IP if family == 4 else scapy.IPv6]
        assert (outer.src, outer.dst) == (LOCAL[family], underlay(family, 2))
        assert g[scapy.UDP].dport == PORT and g[scapy.UDP].chksum == 0 and g[scapy.UDP].len == 82 + 16
        assert g[scapy.VXLAN].vni == VNI and bytes(g[scapy.VXLAN])[:4] == b"\x08\0\0\0"
        # As from a host: its own router is none of those on the way.
        if family == 4:
            assert (outer.flags, outer.id, outer.ttl) == ("DF", 0, 9) and outer.len == 82 + 36
            assert outer.chksum == anew(outer).chksum
        else:
            assert outer.hlim == 9 and outer.plen == 82 + 16
    if family == 6:
        assert len({g[scapy.IPv6].fl for g in got}) > 8


@pytest.mark.parametrize("family", [4, 6])
def test_several_remote_ends(lab, family):
    """What is for all is sent to all, what is for one station to its remote end alone."""
    two, three = underlay(family, 2), underlay(family, 3)
    for number in (2, 3):
        lab.add_vxlan(number, family)
    lab.start_tree(lab.tree(family, remotes=(2, 3)))
    for number in (2, 3):
        assert until(5, lambda n=number: lab.pings(1, "10.77.0.%d" % n) == 3)
        assert lab.pings(number, "fd77::1") == 3
    known = lab.stations()
    for number in (2, 3):
        mac = lab.in_host(number, "cat", "/sys/class/net/vx/address").stdout.strip()
        assert known[mac] == underlay(family, number)
    counters = lab.tunnel()["counters"]
    assert int(counters["flooded"]) > 0 and counters["copies"] == counters["flooded"]
    before = lab.sent(two, three)
    assert lab.pings(1, "10.77.0.2", "-c", "30", "-i", "0.01", "-W", "1") == 30
    after = lab.sent(two, three)
    assert after[0] - before[0] >= 30 and after[1] - before[1] < 10
    # One that nobody heard.
    before = lab.sent(two, three)
    near, ears = lab.wire(1), [lab.wire(n, "vx") for n in (2, 3)]
    near.send(bytes(frame(1, 99)))
    assert all(heard(ear) for ear in ears)
    assert all(b > a for a, b in zip(before, lab.sent(two, three)))
    # From one remote end to another there is no way.
    assert lab.pings(2, "10.77.0.3", "-c", "2", "-i", "0.05", "-W", "0.3") == 0
    assert "tunnel-in/unknown-remote" not in lab.drops()


def test_stations(lab):
    """A station that moves, one that may not, and one that is forgotten."""
    still = {"mac": STATION % 50, "remote": underlay(4, 2)}
    given = {"static": [still], "ageing-time": 3600}
    lab.start_tree(lab.tree(remotes=(2, 3), tunnel=given))
    know(lab, 4, 2, 3)
    near, two, three = lab.wire(1), lab.end(2, 4), lab.end(3, 4)

    def where(station):
        """The ends that get what host 1 sends to it."""
        where.turn += 1
        load = b"turn %d" % where.turn
        near.send(bytes(frame(1, station, load)))
        return [e is two for e in (two, three)
                if e.receive(0.3, lambda f: f.type == TYPE and load in bytes(f))[0] is not None]
    where.turn = 0

    assert where(50) == [True] and lab.stations()[STATION % 50] == underlay(4, 2)
    assert where(7) == [True, False]
    two.send(frame(7))
    assert heard(near).src == STATION % 7
    assert lab.stations()[STATION % 7] == underlay(4, 2) and where(7) == [True]
    three.send(frame(7))
    assert heard(near).src == STATION % 7
    assert lab.stations()[STATION % 7] == underlay(4, 3) and where(7) == [False]
    # A static one stays, and what it sends comes in.
    three.send(frame(50))
    assert heard(near).src == STATION % 50
    assert lab.stations()[STATION % 50] == underlay(4, 2) and where(50) == [True]
    # Its remote end goes, and with it what was learned of it, but nothing else.
    lab.now(lab.tree(remotes=(2,), tunnel=given))
    assert lab.stations() == {STATION % 50: underlay(4, 2)} and where(7) == [True]
    lab.now(lab.tree(remotes=(3, 2), tunnel={"static": [dict(still, remote=underlay(4, 3))], "ageing-time": 1}))
    assert lab.stations() == {STATION % 50: underlay(4, 3)} and where(50) == [False]
    two.send(frame(8))
    assert heard(near) and until(2, lambda: STATION % 8 in lab.stations())
    assert until(8, lambda: STATION % 8 not in lab.stations())
    assert where(8) == [True, False]
    lab.now(lab.tree(remotes=(2, 3), tunnel={"learning": False}))
    two.send(frame(9))
    assert heard(near) and lab.stations() == {} and where(9) == [True, False]


def test_stations_have_room(lab):
    """As many as the configuration says now, whatever it said before."""
    lab.start_tree(lab.tree(remotes=(2, 3), tunnel={"stations-max": 16}))
    know(lab, 4, 2)
    near, two = lab.wire(1), lab.end(2, 4)

    def learned():
        for number in range(200):
            two.send(frame(number))
        assert heard(near, want=lambda f: f.src == STATION % 199)
        return lab.tunnel()["stations"]

    assert learned() == 16
    for remotes in ((2,), (2, 3)):
        lab.now(lab.tree(remotes=remotes, tunnel={"stations-max": 1000}))
    assert learned() == 200


def test_copies(lab):
    """Super-frames without a checksum, to all remote ends: each gets them cut, whole and right."""
    for number in (2, 3):
        lab.add_vxlan(number, 6)
    tree = lab.tree(6, remotes=(2, 3), tunnel={"learning": False, "udp-checksum": True})
    for name in ("h1", "h2", "h3"):
        tree["interface"][name]["driver"] = "packet"
    lab.start_tree(tree)
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert transfer(lab, 1, 2, "10.77.0.2") and transfer(lab, 1, 3, "fd77::3") and transfer(lab, 3, 1, "fd77::1")
    counters = {name: int(count) for name, count in lab.tunnel()["counters"].items()}
    assert counters["cut"] > 10 and counters["flooded"] > 1000 and counters["copies"] == counters["flooded"]
    assert counters["lost-copies"] == 0
    for number in (1, 2, 3):
        assert not lab.checksum_errors(number)
    assert not [name for name in lab.drops() if name.startswith("tunnel")]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_two_workers(lab):
    """Stations are learned, and counted, by both."""
    for number in (2, 3):
        lab.add_vxlan(number, 4)
    lab.start_tree(lab.tree(remotes=(2, 3)), system={
        "workers": "%d,%d" % tuple(sorted(os.sched_getaffinity(0))[:2])})
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    for ends in ((1, 2, "10.77.0.2"), (2, 1, "fd77::1"), (1, 3, "fd77::3"), (3, 1, "10.77.0.1")):
        assert transfer(lab, *ends)
    assert all(w["packets"] > 0 for w in lab.show("workers"))
    assert until(3, lambda: lab.counts_agree(underlay(4, 2), underlay(4, 3)))
    assert lab.stop() == 0


def test_changes(lab):
    """Of the other family, with another VNI, under another name, and back, while it runs."""
    lab.add_vxlan(2, 4)
    lab.add_vxlan(2, 6, name="vx6", vni=99, net=78)
    lab.in_host(1, "ip", "address", "add", "10.78.0.1/24", "dev", "eth0")
    lab.start_tree(lab.tree())
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    lab.now(lab.tree(6, tunnel={"vxlan": {"vni": 99}}))
    assert until(5, lambda: lab.pings(1, "10.78.0.2") == 3)
    assert lab.pings(1, "10.77.0.2", "-c", "1", "-W", "0.2") == 0
    tree = lab.tree()
    for part in ("interface", "tunnel"):
        tree[part]["other"] = tree[part].pop("vni")
    tree["bridge"]["lan"]["interface"] = ["h1", "other"]
    lab.now(tree)
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert [t["name"] for t in lab.show("tunnel")] == ["other"]
    lab.now(lab.tree())
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert lab.stop() == 0


def test_way_through_itself(lab):
    """A remote end that is reached by its own tunnel: what is sent there ends, and is named."""
    tree = lab.tree(more={"bridge": {}})
    tree["router"]["default"]["interface"]["vni"] = {"address": ["10.77.0.100/24"], "neighbor": NO_WAIT}
    tree["router"]["default"]["route"] = {"10.9.2.2/32": {"via": "10.77.0.2"}}
    tree["router"]["default"]["neighbor"] = {"static": {"10.77.0.2": {"interface": "vni", "mac": STATION % 2}}}
    lab.start_tree(tree)
    know(lab, 4, 3)
    assert until(3, lambda: lab.remote(underlay(4, 2))["reachable"])
    before = lab.drops().get("tunnel-out@vni/no-headroom", 0)
    assert lab.pings(3, "10.77.0.2", "-c", "3", "-i", "0.05", "-W", "0.2") == 0
    assert lab.drops()["tunnel-out@vni/no-headroom"] >= before + 3
    assert lab.ping4(3, 3) == 3 and lab.pings(3, LOCAL[4]) == 3


@pytest.mark.parametrize("family", [4, 6])
def test_refused(lab, family):
    """Each has its name, and none comes out of the tunnel."""
    lab.start_tree(lab.tree(family))
    know(lab, family, 2, 3)
    near, two, three = lab.wire(1), lab.end(2, family), lab.end(3, family)
    two.send(frame(2))
    assert heard(near)
    for send, reason in (
            (lambda: three.send(frame(3)), "unknown-remote"),
            (lambda: two.send(frame(3), vni=VNI + 1), "unknown-vni"),
            (lambda: three.send(frame(3), vni=VNI + 1), "unknown-vni"),
            (lambda: two.send(frame(3), vni=0), "unknown-vni"),
            (lambda: two.send(frame(3), flags=0), "no-vni"),
            (lambda: two.send(bytes(frame(3))[:13]), "malformed"),
            (lambda: two.socket.sendto(b"", (LOCAL[family], PORT)), "malformed")):
        name = "tunnel-in/" + reason
        before = lab.drops()
        send()
        assert until(2, lambda: lab.drops().get(name, 0) == before.get(name, 0) + 1), (name, lab.drops())
        # Others may be lost: not with these reasons.
        assert {k: v for k, v in lab.drops().items() if k.startswith("tunnel") and k != name} == \
            {k: v for k, v in before.items() if k.startswith("tunnel") and k != name}
    assert heard(near, 0.1) is None
    # Another port is the host's.
    before = lab.drops()
    two.send(frame(3), to=PORT + 1)
    assert heard(near, 0.2) is None
    assert {k: v for k, v in lab.drops().items() if k.startswith("tunnel")} == \
        {k: v for k, v in before.items() if k.startswith("tunnel")}
    # And a closed interface takes nothing, either way.
    tree = lab.tree(family)
    tree["interface"]["vni"]["enabled"] = False
    lab.now(tree)
    two.send(frame(3))
    assert until(2, lambda: lab.drops().get("tunnel-in/tunnel-closed") == 1), lab.drops()
    lab.now(lab.tree(family))
    two.send(frame(4))
    assert heard(near).src == STATION % 4


def test_several_networks(lab):
    """Two VNIs between the same ends, and one of them by another port, too: in a bridge, in the router
    itself, and in another router, which knows nothing of the way."""
    lab.add_vxlan(2, 4)
    lab.add_vxlan(2, 4, vni=8888, name="vx2", net=78)
    lab.add_vxlan(2, 4, port=8472, name="vx3", net=79)
    lab.in_host(2, "ip", "route", "add", "10.9.3.0/24", "via", "10.78.0.1")
    lab.in_host(2, "ip", "route", "add", "198.51.100.0/24", "via", "10.79.0.1")
    tree = lab.tree()
    for name in ("two", "three"):
        tree["interface"][name] = {"driver": "tunnel", "mtu": 1430}
        tree["tunnel"][name] = dict(tree["tunnel"]["vni"], router="default")
    tree["tunnel"]["vni"]["router"] = "default"
    tree["tunnel"]["two"]["vxlan"] = {"vni": 8888}
    tree["tunnel"]["three"]["vxlan"] = {"vni": VNI, "port": 8472}
    tree["router"]["default"]["interface"]["two"] = {"address": ["10.78.0.1/24", "fd78::1/64"],
                                                         "neighbor": NO_WAIT}
    tree["router"]["default"]["host"] = {"namespace": lab.host_side}
    tree["router"]["red"] = {"interface": {
        "three": {"address": ["10.79.0.1/24", "fd79::1/64"], "neighbor": NO_WAIT},
        "lo-red": {"loopback": True, "address": ["198.51.100.1/32"]}}}
    lab.start_tree(tree)
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    for address in ("10.78.0.1", "fd78::1", "10.79.0.1", "fd79::1", "198.51.100.1"):
        assert until(5, lambda a=address: lab.pings(2, a) == 3), address
    # Through the router, out of the tunnel and back into it.
    assert lab.pings(2, "10.9.3.2", "-I", "10.78.0.2", "-c", "3", "-i", "0.05", "-W", "1") == 3
    assert lab.pings(3, "10.78.0.2") == 3
    # The router's own host has the tunnel as an interface, and gets nothing of what carries it.
    assert until(5, lambda: lab.on_router("ping", "-n", "-q", "-c", "2", "-i", "0.05", "-W", "1", "10.78.0.2",
                                          check=False).returncode == 0)
    udp = "\n".join(lab.on_router("cat", "/proc/net/snmp").stdout.splitlines()[-4:])
    assert re.search(r"^Udp: 0 0 ", udp, re.M), udp
    # Red knows no such way.
    lab.in_host(2, "ip", "route", "replace", "10.9.3.0/24", "via", "10.79.0.1")
    assert lab.pings(2, "10.9.3.2", "-I", "10.79.0.2", "-c", "1", "-W", "0.3") == 0
    counts = {name: int(lab.remote(underlay(4, 2), name)["rx-packets"]) for name in ("vni", "two", "three")}
    assert all(counts.values()), counts
    assert not [name for name in lab.drops() if name.startswith("tunnel")]


def test_routers_of_the_same_addresses(lab):
    """Two routers have the same local and remote addresses and VNI: each tunnel is its own router's."""
    lab.in_host(3, "ip", "address", "flush", "dev", "eth0", "scope", "global")
    lab.in_host(3, "ip", "address", "add", "10.9.2.2/24", "dev", "eth0")
    lab.in_host(3, "ip", "route", "replace", "default", "via", "10.9.2.1")
    tree = lab.tree(tunnel={"router": "default"})
    tree["interface"]["red-vni"] = {"driver": "tunnel", "mtu": 1430}
    tree["tunnel"]["red-vni"] = dict(tree["tunnel"]["vni"], router="red")
    tree["router"]["red"] = {"interface": {
        "h3": {"address": ["10.9.2.1/24"], "neighbor": NO_WAIT},
        "lo-red": {"loopback": True, "address": ["192.0.2.1/32"]},
        "red-vni": {"address": ["10.77.0.1/24"], "neighbor": NO_WAIT}}}
    del tree["router"]["default"]["interface"]["h3"]
    for number in (2, 3):
        with inside("%s-%d" % (lab.prefix, number)):
            lab.in_host(number, "ip", "link", "add", "vx", "type", "vxlan", "id", str(VNI), "local", "10.9.2.2",
                        "remote", LOCAL[4], "dstport", str(PORT), "dev", "eth0")
            lab.in_host(number, "ip", "address", "add", "10.77.0.%d/24" % number, "dev", "vx")
            lab.in_host(number, "ip", "link", "set", "vx", "mtu", "1430", "up")
    lab.start_tree(tree)
    # 10.77.0.1 is host 1 for one of them, and router red for the other.
    assert until(5, lambda: lab.pings(3, "10.77.0.1") == 3)
    assert until(5, lambda: lab.pings(2, "10.77.0.1") == 3)
    own = lab.in_host(1, "cat", "/sys/class/net/eth0/address").stdout.strip()
    near = {n: lab.in_host(n, "ip", "neighbour", "show", "10.77.0.1", "dev", "vx").stdout for n in (2, 3)}
    assert own in near[2] and "lladdr" in near[3] and own not in near[3]
    for name in ("vni", "red-vni"):
        assert int(lab.remote("10.9.2.2", name)["rx-packets"]) >= 3


@pytest.mark.parametrize("family", [4, 6])
def test_udp_checksums(lab, family):
    """An end that wants checksums gets them, and what comes with a wrong one is not taken."""
    lab.add_vxlan(2, family, zero=False, *(["udpcsum"] if family == 4 else []))
    lab.start_tree(lab.tree(family))
    if family == 6:
        know(lab, family, 2)
        assert lab.pings(1, "10.77.0.2", "-c", "2", "-i", "0.05", "-W", "0.3") == 0
    without = lab.checksum_errors(2)
    lab.now(lab.tree(family, tunnel={"udp-checksum": True}))
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    for size in (1, 2, 1401, 1402):
        assert lab.pings(1, "10.77.0.2", "-c", "2", "-i", "0.02", "-W", "1", "-s", str(size)) == 2, size
    assert transfer(lab, 1, 2, "fd77::2")
    assert transfer(lab, 2, 1, "10.77.0.1")
    assert lab.checksum_errors(2) == without
    # It is really one that is looked at: raw, with and without.
    far, near = lab.wire(2), lab.wire(1)
    outer = {4: scapy.IP, 6: scapy.IPv6}[family](src=underlay(family, 2), dst=LOCAL[family])
    link = scapy.Ether(src=lab.in_host(2, "cat", "/sys/class/net/eth0/address").stdout.strip(),
                       dst=scapy.Ether(heard_from_router(lab, far)).src)
    for number, sum_ in ((30, None), (31, 0), (32, 1)):
        far.send(bytes(link / outer / scapy.UDP(sport=50000, dport=PORT, chksum=sum_) /
                       scapy.VXLAN(vni=VNI, flags=8) / frame(number)))
        got = heard(near, 2 if sum_ != 1 else 0.2)
        assert (got.src == STATION % number) if sum_ != 1 else got is None, number
    assert lab.drops()["tunnel-in/udp-checksum"] == 1


def heard_from_router(lab, wire):
    """A frame that the router sent to host 2."""
    own = lab.in_host(2, "cat", "/sys/class/net/eth0/address").stdout.strip()
    drain(wire)
    lab.pings(2, LOCAL[4], "-c", "1", "-W", "1")
    return bytes(heard(wire, want=lambda f: f.dst == own and f.src != own))


def inner_ip(inner, tos, number=0):
    link = scapy.Ether(src=STATION % 1, dst=STATION % 2)
    if inner == 4:
        return link / scapy.IP(src="10.77.0.9", dst="10.77.0.8", tos=tos, id=number) / bytes(30)
    return link / scapy.IPv6(src="fd77::9", dst="fd77::8", tc=tos, fl=number, nh=59) / bytes(30)


def class_of(got):
    return got[scapy.IP].tos if got.haslayer(scapy.IP) else got[scapy.IPv6].tc


def is_inner(got):
    return (got.haslayer(scapy.IP) and got[scapy.IP].src == "10.77.0.9") or \
        (got.haslayer(scapy.IPv6) and got[scapy.IPv6].src == "fd77::9")


@pytest.mark.parametrize("family", [4, 6])
def test_class_and_congestion(lab, family):
    """RFC 2983 and 6040: the class goes out with the frame, marks of the way come in with it."""
    lab.start_tree(lab.tree(family))
    know(lab, family, 2)
    near, far = lab.wire(1), lab.end(2, family)
    for inner in (4, 6):
        for tos in (0, 0xb8, 0xb9, 0x03, 0xff, 0x28, 0x02):
            near.send(bytes(inner_ip(inner, tos)))
            got, seen = far.receive(want=is_inner)
            assert got is not None and class_of(got) == tos and seen == tos, (inner, tos, seen)
    near.send(bytes(frame(1)))
    assert far.receive()[1] == 0
    # RFC 6040, figure 4. None: dropped.
    none, one, zero, ce = range(4)
    becomes = {(none, none): none, (none, zero): none, (none, one): none, (none, ce): None,
               (zero, none): zero, (zero, zero): zero, (zero, one): one, (zero, ce): ce,
               (one, none): one, (one, zero): one, (one, one): one, (one, ce): ce,
               (ce, none): ce, (ce, zero): ce, (ce, one): ce, (ce, ce): ce}
    for inner in (4, 6):
        for number, ((was, outer), now) in enumerate(becomes.items()):
            # The outer class is not the frame's business.
            far.send(inner_ip(inner, 0x48 | was, number), tos=0xb8 | outer)
            if now is None:
                continue
            got = heard(near, want=is_inner)
            assert got is not None and class_of(got) == 0x48 | now, (inner, was, outer)
            if inner == 4:
                assert got[scapy.IP].id == number
                assert got[scapy.IP].chksum == anew(got[scapy.IP]).chksum
            else:
                assert got[scapy.IPv6].fl == number
    assert lab.drops()["tunnel-in/congestion"] == 2
    # What is no IP has nowhere to be marked.
    far.send(frame(2), tos=3)
    assert heard(near).src == STATION % 2
    # A class that is given; ECN stays the frame's.
    lab.now(lab.tree(family, tunnel={"dscp": 10}))
    for tos in (0, 0xb9, 0x03):
        near.send(bytes(inner_ip(4, tos)))
        assert far.receive(want=is_inner)[1] == 10 << 2 | tos & 3
    near.send(bytes(frame(1)))
    assert far.receive()[1] == 10 << 2


def test_too_big(lab):
    """Frames that do not fit with the headers around them: in pieces, which the kernel puts together, and
    its own put together by us; or dropped, and named."""
    lab.in_host(1, "ip", "link", "set", "eth0", "mtu", "1500")
    lab.add_vxlan(2, 4, mtu=1500)
    lab.start_tree(lab.tree(mtu=1500))
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    big = ("-c", "5", "-i", "0.05", "-W", "1", "-s", "1472")
    assert lab.pings(1, "10.77.0.2", *big) == 5
    assert lab.pings(2, "10.77.0.1", *big) == 5
    assert int(lab.tunnel()["counters"]["fragmented"]) >= 10
    assert lab.snmp(2, "Ip", "ReasmOKs") >= 10 and lab.snmp(2, "Ip", "FragCreates") >= 20
    assert re.search(r"the interface's MTU is 1500: .* 50 bytes too big for the way to 10\.9\.2\.2",
                     lab.tunnel()["trouble"])
    # Of a burst of one flow's packets, the pieces can be told apart.
    near, far = lab.wire(1), lab.wire(2)
    mac = lab.in_host(2, "cat", "/sys/class/net/vx/address").stdout.strip()
    burst = bytes(scapy.Ether(src=STATION % 1, dst=mac) / scapy.IP(src="10.77.0.9", dst="10.77.0.8") /
                  scapy.UDP(sport=7, dport=7) / bytes(1460))
    for _ in range(32):
        near.send(burst)
    seen = []
    while len(seen) < 64:
        got = heard(far, want=lambda f: f.haslayer(scapy.IP) and f[scapy.IP].src == LOCAL[4])
        assert got is not None, len(seen)
        seen.append((got[scapy.IP].id, got[scapy.IP].frag))
    assert len(set(seen)) == 64, sorted(seen)
    # TCP goes through as well: it comes with every size.
    assert transfer(lab, 1, 2, "10.77.0.2")
    assert transfer(lab, 2, 1, "fd77::1")
    lab.now(lab.tree(mtu=1500, tunnel={"fragment": False}))
    before = lab.drops().get("tunnel-out/too-big", 0) + lab.drops().get("tunnel-out@vni/too-big", 0)
    assert lab.pings(1, "10.77.0.2", "-c", "3", "-i", "0.05", "-W", "0.3", "-s", "1472") == 0
    drops = {name: count for name, count in lab.drops().items() if name.endswith("/too-big")}
    assert drops == {"tunnel-out@vni/too-big": before + 3}, lab.drops()
    # Up to the last byte: 1450 bytes of IP in the tunnel.
    assert lab.pings(1, "10.77.0.2", "-c", "2", "-i", "0.05", "-W", "1", "-s", str(1450 - 28)) == 2
    assert lab.pings(1, "10.77.0.2", "-c", "2", "-i", "0.05", "-W", "0.3", "-s", str(1451 - 28)) == 0


@pytest.mark.parametrize("family", [4, 6])
def test_pieces_from_outside(lab, family):
    lab.in_host(1, "ip", "link", "set", "eth0", "mtu", "1500")
    lab.start_tree(lab.tree(family, mtu=1500))
    know(lab, family, 2)
    near, far = lab.wire(1), lab.end(2, family)
    load = bytes(range(256)) * 5 + b"the end"
    for number in (1, 2, 3):
        far.send(frame(number, load=load + bytes(1450 - len(load))))
        got = heard(near)
        assert got is not None and got.src == STATION % number and bytes(got.payload).startswith(load)
    if family == 6:
        # Nobody may cut IPv6's packets on their way, and we do not either.
        near.send(bytes(frame(1, load=bytes(1420))))
        assert until(2, lambda: lab.drops().get("tunnel-out@vni/too-big") == 1)


def test_trouble(lab):
    """What is wrong with the way is said, and what is lost is counted; it works once it is mended."""
    def trouble():
        lab.trouble = lab.tunnel().get("trouble")
        return lab.trouble

    lab.add_vxlan(2, 4)
    lab.start_tree(lab.tree(tunnel={"local": "192.0.2.9"}))
    assert until(3, lambda: trouble() == "192.0.2.9 is no address of router default"), lab.trouble
    lab.now(lab.tree(tunnel={"remote": ["203.0.113.1"]}))
    assert until(3, lambda: trouble() == "no route to 203.0.113.1"), lab.trouble
    assert not lab.remote("203.0.113.1")["reachable"]
    near = lab.wire(1)
    near.send(bytes(frame(1)))
    assert until(2, lambda: lab.drops().get("tunnel-out@vni/no-way", 0) >= 1)
    # A route comes by which a remote end is reached.
    tree = lab.tree(tunnel={"remote": ["203.0.113.1"]})
    tree["router"]["default"]["route"] = {"203.0.113.0/24": {"via": "10.9.2.2"}}
    lab.now(tree)
    assert until(3, lambda: trouble() is None and lab.remote("203.0.113.1")["reachable"]), lab.trouble
    tree["router"]["default"]["interface"]["h2"]["mtu"] = 1400
    lab.now(tree)
    assert until(3, lambda: "80 bytes too big for the way to 203.0.113.1" in (trouble() or "")), lab.trouble
    assert int(lab.remote("203.0.113.1")["path-mtu"]) == 1400
    lab.now(lab.tree())
    assert until(3, lambda: trouble() is None), lab.trouble
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    # The device at the end of the way goes.
    lab.in_host(2, "ip", "link", "set", "eth0", "down")
    assert until(5, lambda: trouble() == "no route to 10.9.2.2"), lab.trouble


@pytest.mark.parametrize("change, said", [
    ({"interface": {"vni": {"driver": "null"}}}, "interface vni has the driver null"),
    ({"router": {}}, "there is no router"),
    ({"router": {"a": {}, "b": {}}}, "there are several routers: say which one"),
    ({"tunnel": {"vni": {"remote": ["2001:db8::1"]}}}, "is not of the same family"),
    ({"tunnel": {"vni": {"remote": ["239.1.1.1"]}}}, "is no address of one remote end"),
    ({"tunnel": {"vni": {"remote": ["192.0.2.1"]}}}, "its remote end is its local one"),
    ({"tunnel": {"vni": {"local": "224.0.0.1"}}}, "is no address that packets can be sent from"),
    ({"tunnel": {"vni": {"static": [{"mac": STATION % 1, "remote": "10.9.9.9"}]}}}, "is none of its remote ends"),
    ({"tunnel": {"vni": {"vxlan": None}}}, "say of which kind it is"),
    ({"tunnel": {"vni": {"vxlan": {"vni": 0}}}}, "vni"),
    ({"tunnel": {"vni": {"vxlan": {"vni": 1 << 24}}}}, "vni"),
    ({"tunnel": None}, "there is no tunnel of that name"),
])
def test_what_cannot_be_is_refused(tmp_path, change, said):
    tree = {"interface": {"h2": {"driver": "null"}, "vni": {"driver": "tunnel"}},
            "router": {"default": {"interface": {"h2": {"address": ["10.9.2.1/24"]}}}},
            "tunnel": {"vni": {"local": "192.0.2.1", "remote": ["10.9.2.2"], "vxlan": {"vni": VNI}}}}
    path = tmp_path / "tree.yaml"
    path.write_text(text_of(tree))
    assert millrace("check", str(path), check=False).returncode == 0
    for name, value in change.items():
        if name == "router" or value is None:
            tree[name] = value
        else:
            tree[name]["vni"].update(value["vni"])
    if "vni" in (tree["tunnel"] or {}):
        tree["tunnel"]["vni"] = {k: v for k, v in tree["tunnel"]["vni"].items() if v is not None}
    path.write_text(text_of({k: v for k, v in tree.items() if v is not None}))
    done = millrace("check", str(path), check=False)
    assert done.returncode == 1 and said in done.stderr, done.stderr


def test_same_packets_are_not_two_tunnels(tmp_path):
    one = {"local": "192.0.2.1", "remote": ["10.9.2.2", "10.9.2.3"], "vxlan": {"vni": VNI}}
    tree = {"interface": {"a": {"driver": "tunnel"}, "b": {"driver": "tunnel"}}, "router": {"default": {}},
            "tunnel": {"a": one, "b": dict(one, remote=["10.9.2.3"])}}
    path = tmp_path / "tree.yaml"
    path.write_text(text_of(tree))
    done = millrace("check", str(path), check=False)
    assert done.returncode == 1 and "packets from 10.9.2.3 could be tunnel a's as well" in done.stderr
    for other in ({"vni": VNI + 1}, {"vni": VNI, "port": 8472}):
        tree["tunnel"]["b"]["vxlan"] = other
        path.write_text(text_of(tree))
        assert millrace("check", str(path), check=False).returncode == 0


def test_rules_and_translation(lab):
    """Rules with connections on both: on the tunnel's interface they see the inside, on the way's the
    outer packets, whose local address is the one that NAT translates to."""
    lab.in_host(2, "ip", "link", "add", "vx", "mtu", "1430", "type", "vxlan", "id", str(VNI),
                "local", underlay(4, 2), "remote", "10.9.2.1", "dstport", str(PORT))
    lab.in_host(2, "ip", "address", "add", "10.77.0.2/24", "dev", "vx")
    lab.in_host(2, "ip", "link", "set", "vx", "up")
    wan = {"name": "vxlan", "protocol": "udp", "destination-port": PORT, "source": ["10.9.2.2/32"], "action": "accept"}
    tree = lab.tree(tunnel={"local": "10.9.2.1"}, more={
        "nat": {"instance": {"home": {"outside": ["h2"], "inside": ["h3"], "pool": ["10.9.2.1"]}}},
        "conntrack": {"drop-invalid": True},
        "acl": {"list": {
            "wan": {"default": "drop", "stateful": True, "rule": [wan]},
            "inside": {"default": "drop", "stateful": True,
                       "rule": [{"name": "echo", "protocol": "icmp", "action": "accept"}]}},
                "interface": {"h2": {"in": "wan"}, "vni": {"in": "inside"}}}})
    lab.start_tree(tree)
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert lab.pings(2, "10.77.0.1") == 3 and lab.ping4(3, 2) == 3
    assert transfer(lab, 1, 2, "10.77.0.2")
    with inside(lab.prefix + "-2"), pytest.raises(TimeoutError):
        socket.create_connection(("10.77.0.1", 7), timeout=0.3)
    assert lab.drops()["acl-in@vni/acl-default"] >= 1
    ends = {(c["source"], c["destination"]) for c in lab.show("connections")}
    assert ("10.77.0.1", "10.77.0.2") in ends and not [e for e in ends if "10.9.2.1" in e]
    # Without the rule for it, nothing of the tunnel comes in, asked for or not.
    tree["acl"]["list"]["wan"]["rule"] = [dict(wan, source=["10.9.2.77/32"])]
    lab.now(tree)
    assert lab.pings(1, "10.77.0.2", "-c", "2", "-i", "0.05", "-W", "0.3") == 0


def test_another_mtu(lab):
    """The interface is another one then, as packets are concerned, under the same tunnel."""
    lab.add_vxlan(2, 4)
    lab.start_tree(lab.tree(4))
    assert until(10, lambda: lab.pings(1, "10.77.0.2") == 3)
    for mtu in (1400, 1300, 1430):
        lab.now(lab.tree(4, mtu=mtu))
        assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
        assert lab.pings(2, "10.77.0.1") == 3
        before = lab.remote(underlay(4, 2))
        assert lab.pings(1, "10.77.0.2") == 3
        after = lab.remote(underlay(4, 2))
        assert int(after["rx-packets"]) - int(before["rx-packets"]) >= 3


@pytest.mark.alone
def test_reload_under_traffic(lab):
    """Remote ends and tunnels come and go; the others' packets do not notice."""
    for number in (2, 3):
        lab.add_vxlan(number, 4)
    lab.add_vxlan(3, 4, vni=8888, name="vx2", net=78)
    lab.start_tree(lab.tree(remotes=(2,)))
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    sender = lab.begin(1, "ping", "-n", "-q", "-i", "0.002", "-c", "1200", "-W", "2", "10.77.0.2", stdout=-1, text=True)
    time.sleep(0.2)
    for turn in range(12):
        tree = lab.tree(remotes=((2,), (2, 3), (3, 2))[turn % 3], tunnel={"ttl": 60 + turn})
        if turn % 4 > 1:
            tree["interface"]["two"] = {"driver": "tunnel", "mtu": 1430}
            tree["tunnel"]["two"] = dict(tree["tunnel"]["vni"], remote=["10.9.3.2"], vxlan={"vni": 8888})
            tree["router"]["default"]["interface"]["two"] = {"address": ["10.78.0.1/24"]}
        lab.now(tree)
        time.sleep(0.1)
    assert lab.remote(underlay(4, 3))["reachable"]
    assert until(5, lambda: lab.pings(1, "10.77.0.3") == 3)
    assert until(5, lambda: lab.pings(3, "10.78.0.1") == 3)
    out = sender.communicate(timeout=20)[0]
    assert "1200 received" in out, out
    # And without any tunnel, what was its port is the host's again.
    tree = lab.tree()
    del tree["tunnel"], tree["interface"]["vni"]
    tree["bridge"]["lan"]["interface"] = ["h1"]
    lab.now(tree)
    assert lab.pings(2, LOCAL[4]) == 3 and lab.pings(1, "10.77.0.2", "-c", "1", "-W", "0.2") == 0
    lab.now(lab.tree())
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert lab.stop() == 0


def test_tags_in_the_tunnel(lab):
    """A trunk of the bridge's: tags are part of the frame."""
    lab.start_tree(lab.tree(more={"bridge": {"lan": {"interface": {"h1": {"access": 10}, "vni": {"trunk": "10,20"}}}}}))
    know(lab, 4, 2)
    near, far = lab.wire(1), lab.end(2, 4)
    near.send(bytes(frame(1)))
    got, _ = far.receive()
    assert got[scapy.Dot1Q].vlan == 10 and got[scapy.Dot1Q].type == TYPE
    for vlan in (10, 20):
        far.send(scapy.Ether(src=STATION % 2, dst=ALL) / scapy.Dot1Q(vlan=vlan, prio=5, type=TYPE) /
                 (b"%d" % vlan + bytes(50)))
        got = heard(near, 2 if vlan == 10 else 0.2)
        assert (got.type == TYPE and bytes(got.payload).startswith(b"10")) if vlan == 10 else got is None
    # Marks are found behind tags.
    far.send(scapy.Ether(src=STATION % 2, dst=ALL) / scapy.Dot1Q(vlan=10) /
             scapy.IP(src="10.77.0.9", dst="10.77.0.255", tos=2) / bytes(20), tos=3)
    assert class_of(heard(near, want=is_inner)) == 3


def test_explain(lab):
    lab.start_tree(lab.tree(remotes=(2, 3), tunnel={"static": [{"mac": STATION % 50, "remote": underlay(4, 3)}]}))
    know(lab, 4, 2, 3)

    def said(*words):
        lines = millrace("explain", "--socket", lab.socket, *words).stdout.splitlines()
        # What the lane would do about it comes last.
        return [line.strip() for line in lines if not line.startswith("lane: ")]

    before = lab.sent(underlay(4, 2), underlay(4, 3))
    lines = said("h1", "smac=" + STATION % 1, "dmac=" + STATION % 50, "type=0x88b5", "len=60")
    assert "wrapped for 10.9.3.2, tunnel vni" in lines and lines[-1] == "leaves by h3, 110 bytes", lines
    assert not any("10.9.2.2, tunnel" in line for line in lines)
    lines = said("h1", "smac=" + STATION % 1, "dmac=" + STATION % 51, "type=0x88b5", "len=60")
    assert "sent to all 2 remote ends of tunnel vni" in lines
    assert {"wrapped for 10.9.2.2, tunnel vni", "wrapped for 10.9.3.2, tunnel vni"} <= set(lines), lines
    assert sorted(lines[-2:]) == ["leaves by h2, 110 bytes", "leaves by h3, 110 bytes"], lines
    assert lab.sent(underlay(4, 2), underlay(4, 3)) == before
    mac = next(i["mac"] for i in lab.show("interfaces") if i["name"] == "h2")
    wrapped = scapy.Ether(src=STATION % 3, dst=mac) / scapy.IP(src=underlay(4, 2), dst=LOCAL[4]) / \
        scapy.UDP(sport=50000, dport=PORT) / scapy.VXLAN(vni=VNI, flags=8)
    lines = said("h2", "--hex", bytes(wrapped / frame(7)).hex())
    assert "unwrapped, from 10.9.2.2, tunnel vni" in lines and lines[-1] == "leaves by h1, 69 bytes", lines
    assert STATION % 7 not in lab.stations()
    wrapped[scapy.IP].src = "10.9.2.77"
    lines = said("h2", "--hex", bytes(wrapped / frame(7)).hex())
    assert lines[-1].startswith("dropped by tunnel-in: unknown-remote"), lines


@pytest.mark.parametrize("family, checksum", [(4, False), (6, True)])
def test_super_frames(lab, family, checksum):
    """The kernel hands over what it would have a device cut: cut before it is wrapped; and what comes
    wrapped as a whole stays a super-frame inside."""
    lab.add_vxlan(2, family)
    tree = lab.tree(family, tunnel={"udp-checksum": checksum})
    for name in ("h1", "h2"):
        tree["interface"][name]["driver"] = "packet"
    lab.start_tree(tree)
    assert until(5, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert iperf(lab, 1, 2, "10.77.0.2" if family == 6 else "fd77::2") > 20e6
    assert int(lab.tunnel()["counters"]["cut"]) > 10
    assert iperf(lab, 2, 1, "10.77.0.1") > 20e6
    remote = lab.remote(underlay(family, 2))
    assert int(remote["rx-bytes"]) > 4000 * int(remote["rx-packets"])
    for number in (1, 2):
        assert not lab.checksum_errors(number)
    assert not [name for name in lab.drops() if name.startswith("tunnel")]


@pytest.mark.parametrize("family", [4, 6])
def test_two_of_ours(lab, family):
    """Against another millrace, which has host 3's underlay address, and a TAP in its namespace."""
    lab.in_host(3, "ip", "address", "flush", "dev", "eth0", "scope", "global")
    path = os.path.join(lab.folder.name, "far")
    far = {
        "system": {"control-socket": path + ".socket"},
        "interface": {"eth0": {"device": "eth0"}, "inner": {"driver": "tap"}, "vni": {"driver": "tunnel", "mtu": 1430}},
        "bridge": {"lan": {"interface": ["inner", "vni"]}},
        "router": {"default": {
            "interface": {"eth0": {"address": ["10.9.3.2/24", "2001:db8:3::2/64"], "neighbor": NO_WAIT}},
            "route": {"0.0.0.0/0": {"via": "10.9.3.1"}, "::/0": {"via": "2001:db8:3::1"}}}},
        "tunnel": {"vni": {"local": underlay(family, 3), "remote": [LOCAL[family]], "vxlan": {"vni": VNI},
                           "udp-checksum": True}}}
    with open(path, "w", encoding="utf-8") as file:
        file.write(text_of(far))
    lab.begin(3, os.path.abspath(MILLRACE), "run", path)
    assert until(5, lambda: lab.in_host(3, "ip", "link", "show", "inner", check=False).returncode == 0)
    lab.in_host(3, "ip", "address", "add", "10.77.0.3/24", "dev", "inner")
    lab.in_host(3, "ip", "address", "add", "fd77::3/64", "dev", "inner", "nodad")
    lab.in_host(3, "ip", "link", "set", "inner", "mtu", "1430", "up")
    lab.start_tree(lab.tree(family, remotes=(3,)))
    assert until(10, lambda: lab.pings(1, "10.77.0.3") == 3)
    assert lab.pings(3, "fd77::1") == 3
    # Out of a TAP come super-frames, too.
    assert transfer(lab, 1, 3, "10.77.0.3")
    assert transfer(lab, 3, 1, "fd77::1")
    for number in (1, 3):
        assert not lab.checksum_errors(number)
