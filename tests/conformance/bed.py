# SPDX-License-Identifier: Apache-2.0
"""One millrace that routes, and raw sockets on the other ends of its links.

     sockets     a            b            c            d         in PREFIX-p: no addresses,
                 |            |            |            |         so that no kernel answers
     router      a            b            c            d         in PREFIX-s
                                                                  its own host: PREFIX-h

VLANs of a and b are more interfaces, some of them of other routers. Every neighbour that the
tables speak of is a static one; those who test ARP and ND play hosts of their own.
"""
import ctypes
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

MILLRACE = os.environ.get("MILLRACE", "build/millrace")
PORTS = "abcd"
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING, PACKET_IGNORE_OUTGOING = 263, 8, 4, 23
ETH_P_ALL, SO_RCVBUFFORCE, CLONE_NEWNET = 3, 33, 0x40000000


def host_mac(port, number=2):
    """The Ethernet address of host `number` on a link."""
    return "02:00:00:00:%02x:%02x" % (ord(port), number)


def config(host):
    """What the tables are written for. Host 2 of every subnet is known."""
    plain = {
        "a": {"address": ["10.1.0.1/24", "2001:db8:1::1/64"]},
        "b": {"address": ["10.2.0.1/24", "2001:db8:2::1/64"], "redirects": False},
        "c": {"address": ["10.3.0.1/24", "2001:db8:3::1/64"], "mtu": 1280},
        "d": {"address": ["10.4.0.1/24", "2001:db8:4::1/64"], "reverse-path4": "strict",
              "reverse-path6": "strict", "unreachables": False},
        # VLANs of b, each of them unusual in one way.
        "b68": {"parent": "b", "vlan": 68, "mtu": 68, "address": ["10.68.0.1/24"]},
        "b576": {"parent": "b", "vlan": 76, "mtu": 576, "address": ["10.76.0.1/24"]},
        "bcast": {"parent": "b", "vlan": 9, "address": ["10.9.0.1/24"], "directed-broadcasts": True},
        "p2p": {"parent": "b", "vlan": 31, "address": ["10.31.0.0/31", "2001:db8:31::/127"]},
        "lent": {"parent": "b", "vlan": 55, "unnumbered": "lo"},
        "loose": {"parent": "a", "vlan": 44, "address": ["10.44.0.1/24", "2001:db8:44::1/64"],
                  "reverse-path4": "loose", "reverse-path6": "loose"},
        "only4": {"parent": "a", "vlan": 4, "address": ["10.104.0.1/24"]},
        "only6": {"parent": "a", "vlan": 6, "address": ["2001:db8:106::1/64"]},
        "clamp": {"parent": "b", "vlan": 88, "address": ["10.88.0.1/24", "2001:db8:88::1/64"],
                  "mtu": 1400, "clamp-mss": True},
        "lo": {"loopback": True, "address": ["10.255.0.1/32", "2001:db8:ff::1/128"]},
    }
    for interface in plain.values():
        interface["neighbor"] = {"duplicate-detection": False}
    known = [("a", "10.1.0.%d", 2, "a"), ("a", "10.1.0.%d", 9, "a"), ("b", "10.2.0.%d", 2, "b"),
             ("c", "10.3.0.%d", 2, "c"), ("d", "10.4.0.%d", 2, "d"), ("b68", "10.68.0.%d", 2, "b"),
             ("b576", "10.76.0.%d", 2, "b"), ("bcast", "10.9.0.%d", 2, "b"),
             ("p2p", "10.31.0.%d", 1, "b"), ("loose", "10.44.0.%d", 2, "a"),
             ("only4", "10.104.0.%d", 2, "a"), ("clamp", "10.88.0.%d", 2, "b"),
             ("a", "2001:db8:1::%d", 2, "a"), ("a", "2001:db8:1::%d", 9, "a"),
             ("a", "fe80::%d", 9, "a"), ("a", "fe80::%d", 2, "a"),
             ("b", "2001:db8:2::%d", 2, "b"), ("c", "2001:db8:3::%d", 2, "c"),
             ("d", "2001:db8:4::%d", 2, "d"), ("p2p", "2001:db8:31::%d", 1, "b"),
             ("loose", "2001:db8:44::%d", 2, "a"), ("only6", "2001:db8:106::%d", 2, "a"),
             ("clamp", "2001:db8:88::%d", 2, "b")]
    every = {"rate": 1000000, "burst": 1000000, "destination-rate": 1000000,
             "destination-burst": 1000000}
    default = {
        "interface": plain,
        "host": {"namespace": host, "punt": {c: {"rate": 100000, "burst": 10000} for c in (
            "options", "icmp-other", "icmp-error", "udp", "other", "tcp-new", "traceroute", "igmp")}},
        "icmp": {"errors": every, "echo-rate": 1000000,
                 "redirects": {"rate": 1000000, "interval": 1}},
        "neighbor": {"static": {address % number: {"interface": name, "mac": host_mac(port, number)}
                                for name, address, number, port in known}},
        "route": {
            "198.51.100.0/24": {"via": "10.2.0.2"},
            "2001:db8:b::/48": {"via": "2001:db8:2::2"},
            "203.0.113.0/24": {"via": "10.1.0.9"},
            "2001:db8:a::/48": {"via": "fe80::9", "interface": "a"},
            "192.0.2.0/28": {"action": "blackhole"},
            "192.0.2.16/28": {"action": "unreachable"},
            "192.0.2.32/28": {"action": "prohibit"},
            "2001:db8:d1::/64": {"action": "blackhole"},
            "2001:db8:d2::/64": {"action": "unreachable"},
            "2001:db8:d3::/64": {"action": "prohibit"},
            "100.64.0.0/24": {"via": "10.76.0.2"},
            "172.20.0.0/16": {"via": "10.31.0.1"},
            "172.21.0.0/16": {"next-hop": {
                "far": {"via": "10.200.0.2", "interface": "lent", "onlink": True}}},
        },
    }
    default["neighbor"]["static"]["10.200.0.2"] = {"interface": "lent", "mac": host_mac("b")}
    # Everything that is off above. VLAN 20 of a and b; the same addresses.
    other = {
        "interface": {
            "oa": {"parent": "a", "vlan": 20, "address": ["10.1.0.1/24", "2001:db8:1::1/64"],
                   "redirects": False, "neighbor": {"duplicate-detection": False}},
            "ob": {"parent": "b", "vlan": 20, "address": ["10.2.0.1/24", "2001:db8:2::1/64"],
                   "neighbor": {"duplicate-detection": False}},
        },
        "icmp": {"errors": every, "source-routes": True, "echo-broadcast": True,
                 "router-alert": False},
        "neighbor": {"static": {
            "10.1.0.2": {"interface": "oa", "mac": host_mac("a")},
            "10.2.0.2": {"interface": "ob", "mac": host_mac("b")},
            "2001:db8:1::2": {"interface": "oa", "mac": host_mac("a")},
            "2001:db8:2::2": {"interface": "ob", "mac": host_mac("b")}}},
        "route": {"198.51.100.0/24": {"via": "10.2.0.2"}},
    }
    # Where it is left at what it is by itself: limits, duplicate detection. VLAN 21 of a and b.
    shy = {
        "interface": {
            "sa": {"parent": "a", "vlan": 21, "address": ["10.1.0.1/24", "2001:db8:1::1/64"],
                   "neighbor": {"router-advertisement": {
                       "enabled": True, "max-interval": 4, "min-interval": 3, "lifetime": 1200,
                       "dns": ["2001:db8::53"], "preference": "high", "other": True}}},
            "sb": {"parent": "b", "vlan": 21, "address": ["10.2.0.1/24", "2001:db8:2::1/64"]},
        },
        "neighbor": {"retransmit-time": 300, "static": {
            "10.1.0.2": {"interface": "sa", "mac": host_mac("a")},
            "2001:db8:1::2": {"interface": "sa", "mac": host_mac("a")}}},
        "icmp": {"errors": {"rate": 100, "burst": 30, "destination-rate": 20,
                            "destination-burst": 10}},
    }
    return {"interface": {p: {} for p in PORTS},
            "router": {"default": default, "other": other, "shy": shy}}


def run(*command, **options):
    options.setdefault("check", True)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=30, **options)


def until(seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


class Wire:
    """A raw socket on the far end of one link."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((port, 0))
        self.socket.setblocking(False)

    def send(self, frame):
        self.socket.send(frame)

    def receive(self):
        """The next frame, its tag put back in; None: no more."""
        while True:
            try:
                data, extra, _, where = self.socket.recvmsg(65536, 256)
            except BlockingIOError:
                return None
            if where[2] == PACKET_OUTGOING:
                continue
            for level, kind, aux in extra:
                if level == SOL_PACKET and kind == PACKET_AUXDATA and len(aux) >= 20:
                    status, _, _, _, _, tag, tpid = struct.unpack("=IIIHHHH", aux[:20])
                    if status & 0x10:
                        data = data[:12] + struct.pack("!HH", tpid or 0x8100, tag) + data[12:]
            return data


class Bed:
    made = 0

    def __init__(self, ports=PORTS, tree=None):
        """`tree`: what to run instead of the tables' router; without a host."""
        self.ports, self.tree = ports, tree
        Bed.made += 1 # routers and translators each have one, at the same time
        self.prefix = "mrc%d.%d" % (os.getpid(), Bed.made)
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-")
        self.socket = os.path.join(self.folder.name, "socket")
        self.log = os.path.join(self.folder.name, "log")
        self.process = None
        self.first = []
        self.wires = {}
        self.mac = {}

    def build(self):
        for part in "sph":
            run("ip", "netns", "add", "%s-%s" % (self.prefix, part))
        for part in "sp":
            # Kernels that say nothing of their own accord.
            self.inside(part, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1")
        self.inside("h", "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        for port in self.ports:
            run("ip", "link", "add", "name", port, "netns", self.prefix + "-p", "type", "veth",
                "peer", "name", port, "netns", self.prefix + "-s")
            self.inside("p", "ip", "link", "set", "dev", port, "arp", "off", "up")
            self.inside("s", "ip", "link", "set", "dev", port, "up")
        self.open_wires()
        for link in json.loads(self.inside("s", "ip", "-j", "link").stdout):
            self.mac[link["ifname"]] = link["address"]

    def inside(self, part, *command, **options):
        return run("ip", "netns", "exec", "%s-%s" % (self.prefix, part), *command, **options)

    def open_wires(self):
        """Sockets stay in the namespace where they were made."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net", encoding="utf-8") as here, \
                open("/run/netns/%s-p" % self.prefix, encoding="utf-8") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                self.wires = {port: Wire(port) for port in self.ports}
            finally:
                assert libc.setns(here.fileno(), CLONE_NEWNET) == 0

    def link_local(self, port):
        """The address that the router makes from its Ethernet address (RFC 4862, 5.3)."""
        m = [int(x, 16) for x in self.mac[port].split(":")]
        return "fe80::%x:%x:%x:%x" % ((m[0] ^ 2) << 8 | m[1], m[2] << 8 | 0xff, 0xfe00 | m[3],
                                      m[4] << 8 | m[5])

    def start(self):
        self.build()
        tree = self.tree or config(self.prefix + "-h")
        tree["system"] = {"control-socket": self.socket}
        path = os.path.join(self.folder.name, "config.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join("%s: %s\n" % (k, json.dumps(v)) for k, v in tree.items()))
        with open(self.log, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                ("ip", "netns", "exec", self.prefix + "-s", os.path.abspath(MILLRACE), "run", path),
                stdout=out, stderr=out)
        assert until(10, lambda: self.process.poll() is not None or self.answers()), self.said()
        assert self.process.poll() is None, self.said()
        assert until(3, self.ready), self.said()
        if self.tree:
            return
        # The host's own kernel looks for neighbours by itself, where nobody would answer.
        for port, net in zip(PORTS, (1, 2, 3, 4)):
            for address in ("10.%d.0.2" % net, "2001:db8:%d::2" % net):
                self.inside("h", "ip", "neighbor", "replace", address, "lladdr", host_mac(port), "dev",
                            port)
        # Duplicate detection and the first advertisements take a second and more.
        self.first = self.settle(quiet=1.2, most=4)

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def answers(self):
        return run(os.path.abspath(MILLRACE), "show", "--socket", self.socket, "interfaces",
                   check=False).returncode == 0

    def show(self, *what):
        done = run(os.path.abspath(MILLRACE), "show", "--socket", self.socket, *what, "--json",
                   check=False)
        assert done.returncode == 0, "%s; millrace %s: %s" % (
            done.stderr, "runs" if self.process.poll() is None else "has ended", self.said())
        return json.loads(done.stdout)

    def ready(self):
        return all(i.get("state") == "up" for r in self.show("router") for i in r["interface"])

    def drops(self):
        return {"%s/%s" % (d["node"], d["reason"]): d["packets"]
                for d in self.show("drops", "--all") if d["packets"]}

    def settle(self, quiet=0.15, most=3.0):
        """Everything that comes until nothing has come for a while: (port, frame)s."""
        came, last = [], time.monotonic()
        end = last + most
        while time.monotonic() < min(last + quiet, end):
            select.select([w.socket for w in self.wires.values()], [], [], 0.02)
            more = self.take()
            if more:
                last = time.monotonic()
                came += more
        return came

    def take(self):
        came = []
        for port, wire in self.wires.items():
            while True:
                frame = wire.receive()
                if frame is None:
                    break
                came.append((port, frame))
        return came

    def send(self, frames):
        """(port, frame)s, slowly enough for every ring."""
        for number, (port, frame) in enumerate(frames):
            self.wires[port].send(frame)
            if number % 16 == 15:
                time.sleep(0.002)

    def exchange(self, frames, quiet=0.15):
        self.take()
        self.send(frames)
        return self.settle(quiet)

    def wait_for(self, wanted, seconds=2.0):
        """The first frame for which wanted(port, frame) holds; None: none came."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            select.select([w.socket for w in self.wires.values()], [], [], 0.05)
            for port, frame in self.take():
                if wanted(port, frame):
                    return frame
        return None

    def close(self):
        status = 0
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                status = self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                status = "hangs"
        elif self.process:
            status = self.process.returncode
        for wire in self.wires.values():
            wire.socket.close()
        for part in "sph":
            run("ip", "netns", "delete", "%s-%s" % (self.prefix, part), check=False)
        if status and os.path.exists(self.log):
            sys.stderr.write(self.said())
        self.folder.cleanup()
        return status
