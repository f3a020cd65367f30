# SPDX-License-Identifier: Apache-2.0
"""Two ways for the same packets: a kernel that routes with nft, and millrace with a cross-connect.

        k-a --- [ kernel: forward, ct state -> DSCP ] --- k-b        namespaces PREFIX-k, -ka, -kb
        m-a --- [ millrace: track, cross-connect    ] --- m-b        namespaces PREFIX-m, -ma, -mb

The test sends raw frames at one end. Of the kernel the state comes back as the DSCP that its rules
write; of millrace as the counter that went up.
"""
import contextlib
import ctypes
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import tempfile

from lab import MILLRACE, run, until

STATES = ["new", "established", "related", "invalid", "untracked"]
ETH_ALL = 3
_libc = ctypes.CDLL(None, use_errno=True)
_labs = 0


@contextlib.contextmanager
def inside(namespace):
    """This thread in a network namespace: what sockets are made there stay there."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    try:
        assert _libc.setns(there, 0x40000000) == 0
        yield
    finally:
        assert _libc.setns(here, 0x40000000) == 0
        os.close(here)
        os.close(there)


def socket_in(namespace, device):
    """A raw packet socket on a device of a network namespace."""
    with inside(namespace):
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
        made.bind((device, 0))
        made.setblocking(False)
        return made


def tcp_in(namespace, port):
    """A TCP socket of a network namespace, bound to a port."""
    with inside(namespace):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("0.0.0.0", port))
        made.settimeout(8)
        return made


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


class TrackLab:
    MAC = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b"}
    ROUTER = {"a": "02:00:00:00:01:0a", "b": "02:00:00:00:01:0b"}

    def __init__(self):
        global _labs
        _labs += 1
        self.prefix = "mrt%d.%d" % (os.getpid(), _labs)
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-")
        self.socket = os.path.join(self.folder.name, "socket")
        self.made = []
        self.process = None
        self.connection = None
        self.sockets = {}
        for name in ("k", "ka", "kb", "m", "ma", "mb"):
            run("ip", "netns", "add", self.name(name))
            self.made.append(name)
            self.inside(name, "ip", "link", "set", "lo", "up")
        for middle in ("k", "m"):
            for end in ("a", "b"):
                self._link(middle, end)
        self._kernel()

    def name(self, which):
        return "%s-%s" % (self.prefix, which)

    def inside(self, which, *command, **options):
        return run("ip", "netns", "exec", self.name(which), *command, **options)

    def _link(self, middle, end):
        run("ip", "link", "add", "eth0", "netns", self.name(middle + end), "address",
            self.MAC[end], "type", "veth", "peer", "name", end, "address", self.ROUTER[end],
            "netns", self.name(middle))
        for where, device in ((middle + end, "eth0"), (middle, end)):
            # Nobody but the test speaks on these links.
            self.inside(where, "sysctl", "-q", "-w", "net.ipv6.conf.%s.addr_gen_mode=1" % device)
            self.inside(where, "ethtool", "-K", device, "tx", "off", "rx", "off", "gro", "off",
                        check=False)
        self.inside(middle + end, "ip", "link", "set", "eth0", "arp", "off", "up")
        self.inside(middle, "ip", "link", "set", "dev", end, "up")
        self.sockets[middle + end] = socket_in(self.name(middle + end), "eth0")

    def _kernel(self):
        for n, end in ((1, "a"), (2, "b")):
            self.inside("k", "ip", "address", "add", "10.%d.0.1/24" % n, "dev", end)
            self.inside("k", "ip", "address", "add", "fd00:%d::1/64" % n, "dev", end, "nodad")
            for host in range(2, 10):
                self.inside("k", "ip", "neighbor", "add", "10.%d.0.%d" % (n, host), "lladdr",
                            self.MAC[end], "dev", end)
                self.inside("k", "ip", "neighbor", "add", "fd00:%d::%d" % (n, host), "lladdr",
                            self.MAC[end], "dev", end)
        for name in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                     "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.a.rp_filter=0",
                     "net.ipv4.conf.b.rp_filter=0"):
            self.inside("k", "sysctl", "-q", "-w", name)
        rules = "\n".join(
            "ct state %s %s dscp set %d" % (state, family, n + 1)
            for n, state in enumerate(STATES) for family in ("ip", "ip6"))
        self.inside("k", "nft", "-f", "-", input="""
table inet t {
	chain c {
		type filter hook forward priority 0;
		%s
	}
}
""" % rules)

    def start(self, extra=""):
        path = os.path.join(self.folder.name, "config.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("""
system: {control-socket: %s}
interface:
  a: {driver: packet, cross-connect: b}
  b: {driver: packet, cross-connect: a}
conntrack:
  interface: [a, b]
%s""" % (json.dumps(self.socket), extra))
        log = os.path.join(self.folder.name, "log")
        with open(log, "w", encoding="utf-8") as said:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.name("m"), os.path.abspath(MILLRACE), "run", path],
                stdout=said, stderr=said)
        if not until(5, lambda: os.path.exists(self.socket)):
            with open(log, encoding="utf-8") as said:
                raise AssertionError(said.read())
        self.connection = UnixConnection(self.socket)

    def close(self):
        for made in self.sockets.values():
            made.close()
        if self.connection:
            self.connection.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
        for which in self.made:
            run("ip", "netns", "delete", self.name(which), check=False)
        self.folder.cleanup()

    # -- packets -------------------------------------------------------------------------------

    def state(self):
        self.connection.request("GET", "/state/system")
        return json.loads(self.connection.getresponse().read())

    def counts(self):
        """Packets by state, and how many passed the nodes in all."""
        counts, packets = dict.fromkeys(STATES, 0), 0
        for node in self.state()["system"]["node"]:
            if not node["name"].startswith("track-in@"):
                continue
            packets += node["packets"]
            for counter in node.get("counter", []):
                if counter["name"] in counts:
                    counts[counter["name"]] += counter["value"]
        return counts, packets

    def kernel_states(self, end, frames):
        """Sends frames into the kernel at `end`; the states of those that come out opposite, in
        order; None for one that does not."""
        out = self.sockets["kb" if end == "a" else "ka"]
        found = []
        drain(out)
        for frame in frames:
            self.sockets["k" + end].send(self._framed(end, frame))
        while len(found) < len(frames):
            got = receive(out, 0.15)
            if got is None:
                break
            if got[:6] != bytes.fromhex(self.MAC["b" if end == "a" else "a"].replace(":", "")):
                continue
            dscp = got[15] >> 2 if got[12] == 8 else (got[14] & 15) << 2 | got[15] >> 6
            if 1 <= dscp <= len(STATES):
                found.append(STATES[dscp - 1])
        return found

    def our_states(self, end, frames):
        before, packets = self.counts()
        for frame in frames:
            self.sockets["m" + end].send(self._framed(end, frame))
        assert until(3, lambda: self.counts()[1] >= packets + len(frames)), "packets lost"
        after = self.counts()[0]
        return [state for state in STATES for _ in range(after[state] - before[state])]

    def _framed(self, end, packet):
        kind = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
        return (bytes.fromhex(self.ROUTER[end].replace(":", "")) +
                bytes.fromhex(self.MAC[end].replace(":", "")) + kind + packet)


def receive(sock, seconds):
    if not select.select([sock], [], [], seconds)[0]:
        return None
    return sock.recv(70000)


def drain(sock):
    while receive(sock, 0) is not None:
        pass
