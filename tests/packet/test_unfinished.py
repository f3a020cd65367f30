# SPDX-License-Identifier: Apache-2.0
"""Checksums that a kernel leaves to the device, seen on a veth at its default settings.

   namespace A                       namespace B
   sender -- v0 ==================== v0 -- capture
             vxlan over IPv4 and IPv6, where the kernel has them

Every TCP and UDP packet that arrives in B must be recognised as unfinished or verify as it
is; after finishing what was recognised, all must verify, outer checksums of tunnels included
(the kernel computes them for the finished inner packet). Needs root, ip and tcpdump.
"""
import os
import shutil
import struct
import subprocess
import time

import pytest

from test_parse_captures import DUMP, _frames

SENDER = """
import os, socket, sys
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    stream = socket.socket(family, socket.SOCK_STREAM)
    stream.settimeout(3)
    stream.connect((address, 7000))
    stream.sendall(os.urandom(20000))
    stream.close()
    datagram = socket.socket(family, socket.SOCK_DGRAM)
    for size in (0, 1, 10, 999, 1200, 3000):
        datagram.sendto(os.urandom(size), (address, 9))
"""
RECEIVER = """
import socket
listener = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    stream = listener.accept()[0]
    while stream.recv(65536):
        pass
"""


def _run(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True, timeout=30)


class Pair:
    """Two namespaces and a veth; tunnels where the kernel can."""

    def __init__(self):
        self.names = ["mrp%d%s" % (os.getpid(), side) for side in "ab"]
        self.addresses = ["10.9.0.2", "fd09::2"]
        self.children = []

    def __enter__(self):
        a, b = self.names
        for name in self.names:
            _run("ip", "netns", "add", name)
        _run("ip", "link", "add", "v0", "netns", a, "type", "veth", "peer", "name", "v0", "netns", b)
        for name, own in ((a, 1), (b, 2)):
            _run("ip", "-n", name, "address", "add", "10.9.0.%d/24" % own, "dev", "v0")
            _run("ip", "-n", name, "address", "add", "fd09::%d/64" % own, "dev", "v0", "nodad")
            _run("ip", "-n", name, "link", "set", "v0", "up")
        # Whole segments as AF_XDP would get them: that program makes the sender cut them, too.
        for name in self.names:
            _run("ip", "netns", "exec", name, "ethtool", "-K", "v0", "tso", "off", "gso", "off", "gro", "off")
        self.tunnel("vx4", "10.10.0.%d", "vxlan", "id", "7", "dstport", "4789", "local", "10.9.0.%d", "remote",
                    "10.9.0.%d")
        self.tunnel("vx6", "10.11.0.%d", "vxlan", "id", "8", "dstport", "8472", "local", "fd09::%d", "remote",
                    "fd09::%d")
        self.tunnel("gre9", "10.13.0.%d", "gre", "local", "10.9.0.%d", "remote", "10.9.0.%d")
        return self

    def tunnel(self, device, address, *kind):
        for name, own in zip(self.names, (1, 2)):
            ends = iter((own, 3 - own))
            words = [word % next(ends) if "%d" in word else word for word in kind]
            if _run("ip", "-n", name, "link", "add", device, "type", *words, check=False).returncode:
                return
            _run("ip", "-n", name, "address", "add", address % own + "/24", "dev", device)
            _run("ip", "-n", name, "link", "set", device, "up")
        self.addresses.append(address % 2)

    def start(self, name, *command):
        child = subprocess.Popen(("ip", "netns", "exec", name) + command, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        self.children.append(child)
        return child

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.communicate()
        for name in self.names:
            _run("ip", "netns", "delete", name, check=False)


def _write(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for frame in frames:
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def _dump(path):
    """(verdict, "START+OFFSET" or "-", the frame's layers) for each frame."""
    lines = _run(DUMP, str(path)).stdout.splitlines()
    return [(line.split("\t")[4], line.split("\t")[5], line.split("\t")[6:]) for line in lines]


def _finish(frame, place):
    """What a device does: the sum from START to the end goes to START + OFFSET."""
    start, offset = (int(number) for number in place.split("+"))
    data = frame[start:] + b"\0" * (len(frame) - start & 1)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    at = start + offset
    return frame[:at] + struct.pack("!H", ~total & 0xffff or 0xffff) + frame[at + 2:]


def test_veth_at_default_settings(tmp_path):
    for tool in ("ip", "tcpdump", "ethtool"):
        if not shutil.which(tool):
            pytest.skip("%s is not installed" % tool)
    if not os.access(DUMP, os.X_OK):
        pytest.skip("%s is not built" % DUMP)
    probe = "mrp%d" % os.getpid()
    if os.geteuid() or _run("ip", "netns", "add", probe, check=False).returncode:
        pytest.skip("needs root and network namespaces")
    _run("ip", "netns", "delete", probe)

    raw = tmp_path / "raw.pcap"
    with Pair() as pair:
        a, b = pair.names
        receiver = pair.start(b, "/usr/bin/python3", "-c", RECEIVER)
        assert receiver.stdout.readline() == "ready\n"
        tcpdump = pair.start(b, "tcpdump", "-Z", "root", "-i", "v0", "-U", "--immediate-mode",
                             "-Q", "in", "-w", str(raw))
        while "listening" not in tcpdump.stderr.readline():
            assert tcpdump.poll() is None
        sent = _run("ip", "netns", "exec", a, "/usr/bin/python3", "-c", SENDER, *pair.addresses, check=False)
        assert sent.returncode == 0, sent.stderr
        time.sleep(0.5)
        tcpdump.terminate()
        tcpdump.wait()

    frames = [frame for frame, _ in _frames(str(raw))]
    dump = _dump(raw)
    assert len(dump) == len(frames) > 20 * len(pair.addresses)
    unfinished = [place for _, place, _ in dump if place != "-"]
    assert len(unfinished) > 15 * len(pair.addresses), "this kernel leaves nothing unfinished?"
    missed = [layers for verdict, place, layers in dump if verdict == "bad" and place == "-"]
    assert not missed

    finished = tmp_path / "finished.pcap"
    _write(finished, [frame if place == "-" else _finish(frame, place) for frame, (_, place, _) in zip(frames, dump)])
    again = _dump(finished)
    assert not [layers for verdict, _, layers in again if verdict == "bad"]
    # Inner packets alone, too: an outer UDP checksum of 0 vouches for nothing.
    inner = []
    for (frame, _), (_, place, layers) in zip(_frames(str(finished)), dump):
        start = int(place.split("+")[0]) if place != "-" else 0
        # Behind any outer layer 4; the inner packets here are IPv4 without options.
        if start > 54:
            inner.append(b"\2" * 12 + b"\x08\x00" + frame[start - 20:])
    _write(tmp_path / "inner.pcap", inner)
    assert {verdict for verdict, _, _ in _dump(tmp_path / "inner.pcap")} <= {"good"}
    assert len(inner) > 10 * (len(pair.addresses) - 2)
    print("%d frames, %d unfinished, through %s" % (len(frames), len(unfinished), " ".join(pair.addresses)))
