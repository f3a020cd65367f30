# SPDX-License-Identifier: Apache-2.0
"""The rule sets of nf/acl/acl.md: nft in a kernel that routes, and millrace, are sent the same packets.

      peers PREFIX-p        mwan, mlan                kwan, klan
                              |     |                   |     |
                       wan, lan of millrace      wan, lan of PREFIX-k, which forwards
                       in PREFIX-s, a router     through nft

Packets are told by IPv4's identification and IPv6's flow label, which both leave alone.
"""
import ctypes
import os
import random
import re
import select
import socket
import time

import pytest

from lab import Lab, run, until

scapy = pytest.importorskip("scapy.all")

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "nf/acl/acl.md")
SIDES = ("wan", "lan")
MAC = {side: "02:00:00:00:00:%02x" % (n + 1) for n, side in enumerate(SIDES)}  # of the router
PEER = {side: "02:00:00:00:01:%02x" % (n + 1) for n, side in enumerate(SIDES)}
NETWORK = {"wan": ("10.1.0.", "2001:db8:a::"), "lan": ("10.2.0.", "2001:db8:b::")}


def rule_sets():
    with open(PAGE, encoding="utf-8") as file:
        parts = re.split(r"^### (\d+)\. .*$", file.read(), flags=re.M)[1:]
    for number, text in zip(parts[::2], parts[1::2]):
        blocks = dict(re.findall(r"^```(nft|yaml)\n(.*?)^```", text, re.M | re.S))
        # A host's own chain judges here what goes through.
        yield int(number), blocks["nft"].replace("hook input", "hook forward"), \
            re.sub(r"^interface: .*\n", "", blocks["yaml"], flags=re.M)


RULES = {number: (nft, yaml) for number, nft, yaml in rule_sets()}


def socket_in(namespace, interface):
    """A raw socket in another namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    here, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open("/run/netns/" + namespace, os.O_RDONLY)
    try:
        if libc.setns(there, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        made.bind((interface, 0))
        made.setblocking(False)
    finally:
        libc.setns(here, 0x40000000)
        os.close(here)
        os.close(there)
    return made


class Rig(Lab):
    def __init__(self):
        super().__init__()
        self.hosts += ["p", "k"]
        for name in self.hosts:
            run("ip", "netns", "add", "%s-%s" % (self.prefix, name))
        for kind, namespace in (("m", "s"), ("k", "k")):
            for side in SIDES:
                run("ip", "link", "add", kind + side, "netns", self.prefix + "-p", "type", "veth",
                    "peer", "name", side, "netns", "%s-%s" % (self.prefix, namespace))
                self.in_host("p", "sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % (kind + side))
                self.in_host("p", "ip", "link", "set", kind + side, "address", PEER[side], "arp", "off", "up")
                self.in_host(namespace, "sysctl", "-qw", "net.ipv6.conf.%s.accept_dad=0" % side)
                self.in_host(namespace, "ip", "link", "set", side, "address", MAC[side], "up")
        self.start_kernel()
        self.sockets = {}
        for kind in "mk":
            for side in SIDES:
                self.sockets[kind, side] = socket_in(self.prefix + "-p", kind + side)

    def start_kernel(self):
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0",
                        "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0", "net.ipv4.icmp_msgs_per_sec=100000"):
            self.in_host("k", "sysctl", "-qw", setting, check=False)
        for n, side in enumerate(SIDES, 1):
            four, six = NETWORK[side]
            self.in_host("k", "sysctl", "-qw", "net.ipv4.conf.%s.rp_filter=0" % side)
            for address, gateway, route in (("10.9.%d.1/24" % n, "10.9.%d.2" % n, four + "0/24"),
                                            ("2001:db8:%d::1/64" % n, "2001:db8:%d::2" % n, six + "/64")):
                self.in_host("k", "ip", "address", "add", address, "dev", side,
                             *(["nodad"] if ":" in address else []))
                self.in_host("k", "ip", "neighbour", "replace", gateway, "lladdr", PEER[side], "dev", side,
                             "nud", "permanent")
                self.in_host("k", "ip", "route", "add", route, "via", gateway)

    def config(self, rules):
        lines = ["interface: {wan: {device: wan}, lan: {device: lan}}", "router:", "  r:",
                 "    icmp: {errors: {rate: 1000000, burst: 100000, destination-rate: 100000,"
                 " destination-burst: 10000}}", "    neighbor:", "      static:"]
        for n, side in enumerate(SIDES, 1):
            for gateway in ("10.9.%d.2" % n, "2001:db8:%d::2" % n):
                lines.append('        "%s": {interface: %s, mac: "%s"}' % (gateway, side, PEER[side]))
        lines.append("    interface:")
        for n, side in enumerate(SIDES, 1):
            lines.append('      %s: {mac: "%s", address: [10.9.%d.1/24, "2001:db8:%d::1/64"]}'
                         % (side, MAC[side], n, n))
        lines.append("    route:")
        for n, side in enumerate(SIDES, 1):
            lines.append('      %s0/24: {via: 10.9.%d.2}' % (NETWORK[side][0], n))
            lines.append('      "%s/64": {via: "2001:db8:%d::2"}' % (NETWORK[side][1], n))
        return "\n".join(lines) + "\n" + rules

    def load(self, nft, yaml):
        path = os.path.join(self.folder.name, "nft")
        with open(path, "w", encoding="utf-8") as file:
            file.write("flush ruleset\n" + nft)
        self.in_host("k", "nft", "-f", path)
        self.start(self.config(yaml))
        assert until(5, lambda: all(i["state"] == "up" for i in self.show("interfaces")))
        time.sleep(0.2)
        self.drain()

    def drain(self):
        for made in self.sockets.values():
            try:
                while True:
                    made.recv(65536)
            except BlockingIOError:
                pass

    def exchange(self, side, packet, number, wait=0.06):
        """What becomes of one packet: {kind: (what, where)}."""
        frame = bytes(scapy.Ether(src=PEER[side], dst=MAC[side]) / packet)
        outcome = {}
        for kind in "mk":
            self.sockets[kind, side].send(frame)
        end = time.monotonic() + wait
        while len(outcome) < 2 and time.monotonic() < end:
            ready = select.select(list(self.sockets.values()), [], [], max(0, end - time.monotonic()))[0]
            for key, made in self.sockets.items():
                if made in ready:
                    found = judge(made.recv(65536), number)
                    if found:
                        outcome[key[0]] = (found, key[1])
        return outcome.get("m", "dropped"), outcome.get("k", "dropped")

    def close(self):
        for made in self.sockets.values():
            made.close()
        super().close()


def judge(frame, number):
    """What a frame says about packet `number`; None: nothing."""
    if frame[6:12] not in [bytes.fromhex(mac.replace(":", "")) for mac in MAC.values()]:
        return None  # one of our own
    kind = frame[12:14]
    if kind == b"\x08\x00":
        if int.from_bytes(frame[18:20], "big") == number:
            return "forwarded"
        if frame[23] == 1 and frame[34] == 3 and int.from_bytes(frame[46:48], "big") == number:
            return "icmp %d/%d" % (frame[34], frame[35])
        return "reset" if frame[23] == 6 and is_reset(frame, number) else None
    if kind == b"\x86\xdd":
        if int.from_bytes(frame[14:18], "big") & 0xfffff == number:
            return "forwarded"
        if frame[20] == 58 and frame[54] == 1 and int.from_bytes(frame[62:66], "big") & 0xfffff == number:
            return "icmp6 %d/%d" % (frame[54], frame[55])
        return "reset" if frame[20] == 6 and is_reset(frame, number) else None
    return None


def is_reset(frame, number):
    """Told by the number that it takes from what it refuses, or acknowledges."""
    at = 34 if frame[12:14] == b"\x08\x00" else 54
    return bool(frame[at + 13] & 4) and \
        number in (int.from_bytes(frame[at + n:at + n + 4], "big") >> 8 for n in (4, 8))


class Packets:
    """Random packets around what the rules speak of."""

    def __init__(self, seed, stateful):
        self.random = random.Random(seed)
        self.number = 100
        self.stateful = stateful

    def ip(self, side, host, other, six=None, **more):
        self.number += 1
        to = SIDES[1 - SIDES.index(side)]
        six = self.random.random() < 0.4 if six is None else six
        if six:
            return scapy.IPv6(src="%s%x" % (NETWORK[side][1], host), dst="%s%x" % (NETWORK[to][1], other),
                              fl=self.number, tc=more.get("tos", 0))
        return scapy.IP(src="%s%d" % (NETWORK[side][0], host), dst="%s%d" % (NETWORK[to][0], other),
                        id=self.number, **more)

    def draw(self, side):
        r = self.random
        ip = self.ip(side, r.choice((1, 2, 3, 4, 9, 10, 15, 16, 20, 25, 33, 34)), r.choice((1, 2, 80)),
                     tos=r.choice((0, 0, 0xb8)))
        ports = {"sport": r.choice((53, 1024, 5000)),
                 "dport": r.choice((22, 53, 80, 123, 443, 999, 1000, 1010, 1011, 8080))}
        if self.stateful:
            ports["sport"] = 10000 + self.number  # of no connection that was there before
        kind = r.random()
        if kind < 0.4:
            flags = r.choice(("S", "S", "S", "A", "SA", "FA", "R", "SF", "SR", "PA", "", "FPU"))
            return ip / scapy.TCP(flags=flags, seq=self.number << 8, ack=self.number << 8, **ports)
        if kind < 0.75:
            return ip / scapy.UDP(**ports) / (b"x" * r.choice((4, 471, 472, 572, 573)))
        if kind < 0.9:
            if ip.version == 4:
                return ip / scapy.ICMP(type=r.choice((0, 8, 13)), id=r.randrange(100))
            return ip / (scapy.ICMPv6EchoRequest(id=r.randrange(100)) if r.random() < 0.7
                         else scapy.ICMPv6EchoReply(id=r.randrange(100)))
        if kind < 0.95 and ip.version == 4:
            ip.frag = 10
            ip.proto = 17
            return ip / scapy.Raw(b"x" * 64)
        return ip / scapy.GRE() / scapy.Raw(b"x" * 16) if ip.version == 4 else ip / scapy.UDP(**ports)


    def flow(self, opener):
        """A connection's packets from its first to its last, with errors about it and strays."""
        r, answerer = self.random, SIDES[1 - SIDES.index(opener)]
        six, host, other = r.random() < 0.4, r.choice((1, 2, 9)), r.choice((1, 80))
        sport, dport = 10000 + self.number, r.choice((22, 80, 443, 53))
        seq, ack = r.randrange(1 << 32), r.randrange(1 << 32)

        def there(flags, at, seen, payload=b""):
            return opener, self.ip(opener, host, other, six=six) / \
                scapy.TCP(sport=sport, dport=dport, flags=flags, seq=at % (1 << 32), ack=seen % (1 << 32),
                          window=8192) / payload

        def back(flags, at, seen, payload=b""):
            return answerer, self.ip(answerer, other, host, six=six) / \
                scapy.TCP(sport=dport, dport=sport, flags=flags, seq=at % (1 << 32), ack=seen % (1 << 32),
                          window=8192) / payload

        if r.random() < 0.3:
            yield there("S", seq, 0)
            yield back("RA", 0, seq + 1)
            yield back("SA", ack, seq + 1)
            return
        yield there("S", seq, 0)
        yield back("SA", ack, seq + 1)
        yield there("A", seq + 1, ack + 1)
        yield there("PA", seq + 1, ack + 1, b"x" * 100)
        yield back("A", ack + 1, seq + 101)
        yield back("PA", ack + 1, seq + 101, b"y" * 200)
        if r.random() < 0.5:
            yield there("PA", seq + 90000, ack + 201, b"far")  # outside of the window
            yield back("R", ack + 70000, 0)
        yield there("A", seq + 101, ack + 201)
        if r.random() < 0.5:
            # The answerer's network says that it cannot take so much.
            quoted = there("A", seq + 101, ack + 201, b"x" * 20)[1]
            ip = self.ip(answerer, 7, host, six=six)
            yield answerer, ip / (scapy.ICMPv6PacketTooBig(mtu=1300) / quoted if six
                                  else scapy.ICMP(type=3, code=4, nexthopmtu=1300) / quoted)
            stray = scapy.IP(src="10.3.0.1", dst="10.3.0.2") / scapy.TCP(sport=1, dport=2)
            if not six:
                yield answerer, self.ip(answerer, 7, host, six=False) / scapy.ICMP(type=3, code=4) / stray
        yield there("FA", seq + 101, ack + 201)
        yield back("FA", ack + 201, seq + 102)
        yield there("A", seq + 102, ack + 202)
        yield there("S", seq + 200000, 0)  # the same ports once more

    def datagrams(self, opener):
        r, answerer = self.random, SIDES[1 - SIDES.index(opener)]
        six, sport, dport = r.random() < 0.4, 10000 + self.number, r.choice((53, 80))
        for side in r.choices((opener, answerer), k=6):
            ports = (sport, dport) if side == opener else (dport, sport)
            yield side, self.ip(side, 2, 2, six=six) / scapy.UDP(sport=ports[0], dport=ports[1]) / b"data"

    def all(self, count):
        while count > 0:
            side = self.random.choice(("wan", "wan", "lan"))
            if self.stateful and self.random.random() < 0.2:
                part = list(self.random.choice((self.flow, self.datagrams))(side))
            else:
                part = [(side, self.draw(side))]
            count -= len(part)
            yield from part


def number_of(packet):
    return packet.id if packet.version == 4 else packet.fl


@pytest.fixture(scope="module")
def rig(namespaces):
    made = Rig()
    yield made
    made.close()


@pytest.mark.parametrize("number", sorted(RULES))
def test_same_verdicts(rig, number):
    nft, yaml = RULES[number]
    rig.load(nft, yaml)
    packets = Packets(number, "ct state" in nft)
    verdicts = {}
    try:
        for side, packet in packets.all(150):
            ours, nfts = rig.exchange(side, packet, number_of(packet))
            verdicts[str(nfts)] = verdicts.get(str(nfts), 0) + 1
            assert ours == nfts, "%s from %s: millrace %s, nft %s" % (packet.summary(), side, ours, nfts)
        assert len(verdicts) > 1, verdicts
    finally:
        rig.stop()
