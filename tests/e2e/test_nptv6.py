# SPDX-License-Identifier: Apache-2.0
"""Prefix translation between real stacks.

    host 1  2001:db8:1::2 (inside; 2001:db8:f00::/48 outside)     host 2  2001:db8:2::2
"""
import ipaddress

import pytest

from lab import until
from router_lab import RouterLab

INSIDE, OUTSIDE = "2001:db8:1::/48", "2001:db8:f00::/48"
PEER = "2001:db8:2::2"

SERVER = """
import socket, sys
s = socket.create_server(("::", 8080), family=socket.AF_INET6)
while True:
    c, who = s.accept()
    c.sendall((who[0] + "\\n").encode() + b"x" * 300000)
    c.close()
"""
CLIENT = """
import socket, sys
c = socket.create_connection((sys.argv[1], 8080), timeout=5)
got = b""
while True:
    piece = c.recv(65536)
    if not piece: break
    got += piece
print(got.split(b"\\n")[0].decode(), len(got))
"""


def mapped(prefix_from, prefix_to, address):
    """RFC 6296, section 3.2, slowly."""

    words = [int(w, 16) for w in ipaddress.IPv6Address(address).exploded.split(":")]
    old = [int(w, 16) for w in ipaddress.IPv6Network(prefix_from).network_address.exploded.split(":")]
    new = [int(w, 16) for w in ipaddress.IPv6Network(prefix_to).network_address.exploded.split(":")]
    words[:3] = new[:3]
    words[3] = (words[3] + sum(old) - sum(new)) % 0xffff
    return str(ipaddress.IPv6Address(b"".join(w.to_bytes(2, "big") for w in words)))


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    made.start(made.config(more={"nptv6": {"instance": {"x": {
        "outside": ["h2"], "inside": ["h1"], "inside-prefix": INSIDE, "outside-prefix": OUTSIDE}}}}))
    yield made
    made.close()


def test_kernels_talk(lab):
    outside = mapped(INSIDE, OUTSIDE, "2001:db8:1::2")
    assert until(10, lambda: lab.in_host(1, "ping", "-c", "1", "-W", "1", PEER, check=False).returncode == 0)
    # From outside, by the outside address alone.
    assert lab.in_host(2, "ping", "-c", "3", "-i", "0.2", "-W", "1", outside, check=False).returncode == 0
    # Large ones in fragments.
    assert lab.in_host(1, "ping", "-c", "2", "-i", "0.2", "-s", "4000", "-W", "1", PEER).returncode == 0
    lab.begin(2, "/usr/bin/python3", "-c", SERVER)
    until(5, lambda: lab.in_host(2, "ss", "-ltn").stdout.count(":8080"))
    seen = lab.in_host(1, "/usr/bin/python3", "-c", CLIENT, PEER).stdout.split()
    assert seen == [outside, str(300000 + len(outside) + 1)]
    # From outside in.
    lab.begin(1, "/usr/bin/python3", "-c", SERVER)
    until(5, lambda: lab.in_host(1, "ss", "-ltn").stdout.count(":8080"))
    seen = lab.in_host(2, "/usr/bin/python3", "-c", CLIENT, outside).stdout.split()
    assert seen[0] == PEER and int(seen[1]) > 300000
    # By its own outside address, through the translator twice.
    assert lab.in_host(1, "ping", "-c", "2", "-i", "0.2", "-W", "1", outside).returncode == 0


def test_errors_find_their_sender(lab):
    assert until(10, lambda: lab.in_host(1, "ping", "-c", "1", "-W", "1", PEER, check=False).returncode == 0)
    # Nobody listens: the error quotes our outside address on its way, and ours when it is here.
    done = lab.in_host(1, "/usr/bin/python3", "-c", """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(("%s", 9))
s.send(b"x")
try:
    s.recv(1)
except ConnectionRefusedError:
    print("refused")
""" % PEER)
    assert done.stdout.strip() == "refused"
    state = lab.show("nptv6")
    assert state["instance-state"][0]["outside-prefix"] == OUTSIDE
    outside = [i for i in state["interface-state"] if i["name"] == "h2"][0]
    assert outside["icmp-errors"] >= 1 and outside["outward"] >= 2


def test_iperf(lab):
    assert until(10, lambda: lab.in_host(1, "ping", "-c", "1", "-W", "1", PEER, check=False).returncode == 0)
    lab.begin(2, "iperf3", "-s", "-1")
    until(5, lambda: lab.in_host(2, "ss", "-ltn").stdout.count(":5201"))
    done = lab.in_host(1, "iperf3", "-6", "-c", PEER, "-t", "2", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
