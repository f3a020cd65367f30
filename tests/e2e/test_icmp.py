# SPDX-License-Identifier: Apache-2.0
"""What a router says to real hosts: errors, echo, options, fragments, path MTU, redirects."""
import os
import sys

import pytest

from lab import until
from router_lab import RouterLab


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2, mtu=1400)
    yield made
    made.close()


def ping(lab, source, address, *options):
    done = lab.in_host(source, "ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", *options, address,
                       check=False)
    return done.stdout + done.stderr


def counters(lab):
    return lab.show("router")[0]["icmp"]["counters"]


def start(lab, config):
    """Until nobody else is known to have the addresses (RFC 4862), nothing is said from them."""
    lab.start(config)
    assert until(5, lambda: all(
        address["state"] == "preferred" for interface in lab.show("router")[0]["interface"]
        for address in interface.get("current-address", [])))


def balanced(lab):
    totals = lab.show("packets")
    return totals["received"] + totals["created"] == \
        totals["sent"] + totals["dropped"] + totals["held"] + totals["merged"]


def answered(text):
    return " 0% packet loss" in text


def test_echo_without_a_host_side(lab):
    start(lab, lab.config())
    for address in ("10.9.1.1", "10.9.2.1", "2001:db8:1::1", "2001:db8:2::1"):
        assert answered(ping(lab, 1, address)), address
        # Longer than the link's MTU: put together, answered, and cut again.
        assert answered(ping(lab, 1, address, "-s", "9000")), address
    own = lab.show("router")[0]["interface"][0]["current-address"]
    local = [a["address"].split("/")[0] for a in own if a["origin"] == "link-local"][0] + "%eth0"
    assert answered(ping(lab, 1, local))
    assert answered(ping(lab, 1, local, "-s", "5000"))
    assert "64 bytes from %s" % local in ping(lab, 1, "ff02::1%eth0")
    said = counters(lab)
    assert said["sent-echo-reply4"] == 8 and said["sent-echo-reply6"] >= 12
    assert lab.stop() == 0


def test_errors(lab):
    start(lab, lab.config())
    assert "From 10.9.1.1 icmp_seq=1 Time to live exceeded" in ping(lab, 1, "10.9.2.2", "-t", "1")
    assert "From 2001:db8:1::1 icmp_seq=1 Time exceeded: Hop limit" in ping(lab, 1, "2001:db8:2::2", "-t", "1")
    assert "From 10.9.1.1 icmp_seq=1 Destination Net Unreachable" in ping(lab, 1, "203.0.113.1")
    assert "From 2001:db8:1::1 icmp_seq=1 Destination unreachable: No route" in ping(lab, 1, "2001:db9::1")
    said = counters(lab)
    assert said["sent-time-exceeded4"] == 2 and said["sent-time-exceeded6"] == 2
    assert said["sent-unreachable4"] == 2 and said["sent-unreachable6"] == 2
    assert lab.stop() == 0


def test_path_mtu(lab):
    start(lab, lab.config())
    assert "mtu = 1400" in ping(lab, 1, "10.9.2.2", "-M", "do", "-s", "1450")
    # Without the bit, it is cut on its way.
    lab.in_host(1, "ip", "route", "flush", "cache")
    assert answered(ping(lab, 1, "10.9.2.2", "-M", "dont", "-s", "1450"))
    assert answered(ping(lab, 1, "10.9.2.2", "-M", "dont", "-s", "4000"))
    ping(lab, 1, "2001:db8:2::2", "-s", "1440")
    assert answered(ping(lab, 1, "2001:db8:2::2", "-s", "1440"))
    assert "mtu 1400" in lab.in_host(1, "ip", "-6", "route", "get", "2001:db8:2::2").stdout
    said = counters(lab)
    assert said["sent-too-big4"] >= 1 and said["sent-too-big6"] >= 1
    assert lab.stop() == 0


def test_options(lab):
    start(lab, lab.config())
    recorded = ping(lab, 1, "10.9.2.2", "-R")
    for address in ("10.9.1.2", "10.9.2.1", "10.9.2.2", "10.9.1.1"):
        assert "\t%s\n" % address in recorded, recorded
    stamped = ping(lab, 1, "10.9.2.2", "-T", "tsandaddr")
    assert "\t10.9.2.1\t" in stamped, stamped
    # To the router itself: what was recorded comes back, with its own.
    assert "\t10.9.1.1\n" in ping(lab, 1, "10.9.1.1", "-R")
    assert lab.stop() == 0


MSS = """
import socket, sys
s = socket.create_server(("10.9.2.2", 80))
c, peer = s.accept()
print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), flush=True)
"""


def test_mss(lab):
    start(lab, lab.config(interfaces={1: {"clamp-mss": True, "clamp-mss4": 900}}))
    server = lab.begin(2, sys.executable, "-c", MSS)
    assert until(5, lambda: ":80 " in lab.in_host(2, "ss", "-Htln").stdout)
    lab.in_host(1, sys.executable, "-c",
                "import socket; socket.create_connection(('10.9.2.2', 80), 5).close()")
    server.wait(5)
    # Both ways, also while neighbours are not known yet.
    nodes = {node["name"]: node for node in lab.show("nodes")}
    assert nodes["tcp-mss"]["packets"] == 2
    assert nodes["tcp-mss"]["counter"] == [
        {"name": "clamped", "value": 2, "text": "SYNs whose MSS was lowered"}]
    assert lab.stop() == 0


def test_redirect(lab):
    start(lab, lab.config(router={"route": {"198.51.100.0/24": {"via": "10.9.1.9"}}}))
    lab.in_host(1, "sysctl", "-qw", "net.ipv4.conf.all.accept_redirects=1", check=False)
    # The next hop is the host itself under another address: it answers for it, and is told.
    lab.in_host(1, "ip", "address", "add", "10.9.1.9/24", "dev", "eth0")
    ping(lab, 1, "198.51.100.1", "-I", "10.9.1.2")
    assert until(3, lambda: counters(lab)["sent-redirect4"] == 1)
    assert lab.stop() == 0


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU")
def test_fragments_on_two_workers(lab):
    """What one worker receives of a datagram the other one puts together."""
    lab.start(lab.config(), system={"workers": "%d,%d" % tuple(sorted(os.sched_getaffinity(0))[:2])})
    for source in (1, 2):
        assert answered(ping(lab, source, "10.9.%d.1" % source, "-s", "9000", "-c", "50", "-i", "0.01"))
        assert answered(ping(lab, source, "10.9.%d.1" % (3 - source), "-s", "9000"))
    assert lab.show("packets")["merged"] > 500
    assert until(3, lambda: balanced(lab))
    assert lab.stop() == 0


def test_limits(lab):
    start(lab, lab.config(router={"icmp": {"errors": {"destination-rate": 1, "destination-burst": 3}}}))
    lab.in_host(1, "ping", "-n", "-q", "-c", "50", "-i", "0.002", "-W", "0.2", "203.0.113.1", check=False)
    said = counters(lab)
    assert said["sent-unreachable4"] <= 5 and said["limited-destination"] >= 40
    assert lab.drops()["icmp-error/icmp-limited"] == said["limited-destination"]
    assert lab.stop() == 0
