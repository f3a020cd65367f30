# SPDX-License-Identifier: Apache-2.0
"""What a kernel wrapped as a super-frame, and merely passes a switch: between two ends of tunnels. Host 1 is on
a port that takes super-frames in (packet), host 2 on one that takes none (xdp): they are cut on the way."""
import json

import pytest

from lab import until

DEVICES = {
    "vxlan": "type vxlan id 7 local {a} remote {b} dstport 4789 {sums}",
    "vxlan-port": "type vxlan id 7 local {a} remote {b} dstport 5000 {sums}",
}
SUMS = {(4, True): "udpcsum", (4, False): "noudpcsum", (6, True): "udp6zerocsumrx",
        (6, False): "udp6zerocsumtx udp6zerocsumrx"}


@pytest.fixture
def passed(lab):
    for number in (1, 2):
        lab.add_host(number, mtu=1600)
    lab.start("""
interface:
  h1: {driver: packet, device: port1}
  h2: {driver: xdp, device: port2}
bridge: {br0: {interface: {h1: {}, h2: {}}}}
""")
    return lab


def address(family, number):
    return "10.8.0.%d" % number if family == 4 else "2001:db8::%d" % number


def sent(lab, target):
    """Bytes of TCP from host 1 that host 2 had in the end, and how often host 1 sent anew."""
    server = lab.begin(2, "iperf3", "-s", "-1", "-B", target)
    assert until(5, lambda: ":5201 " in lab.in_host(2, "ss", "-ltn").stdout)
    done = lab.in_host(1, "iperf3", "-c", target, "-n", "50M", "-J", check=False, timeout=20)
    server.kill()
    end = json.loads(done.stdout).get("end", {})
    return end.get("sum_received", {}).get("bytes", 0), end.get("sum_sent", {}).get("retransmits")


@pytest.mark.parametrize("kind, outer, summed", (
    ("vxlan", 4, True), ("vxlan", 6, False), ("vxlan-port", 4, False), ("vxlan-port", 6, True)))
def test_super_frames_are_cut(passed, kind, outer, summed):
    for number in (1, 2):
        text = DEVICES[kind].format(a=address(outer, number), b=address(outer, 3 - number), sums=SUMS[outer, summed])
        passed.in_host(number, "ip", "link", "add", "name", "vx0", "mtu", "1450", *text.split())
        passed.in_host(number, "ip", "address", "add", "10.20.0.%d/24" % number, "dev", "vx0")
        passed.in_host(number, "ip", "address", "add", "2001:db8:20::%d/64" % number, "dev", "vx0", "nodad")
        passed.in_host(number, "ip", "link", "set", "vx0", "up")
    if kind == "vxlan-port":
        # Through AF_XDP nothing says that a sum inside a tunnel on an odd port is unfinished.
        passed.in_host(2, "ethtool", "-K", "vx0", "tx", "off")
    # A first packet may come before there is somebody who takes it without a checksum.
    bad = [passed.checksum_errors(number) for number in (1, 2)]
    for target in ("10.20.0.2", "2001:db8:20::2"):
        before = passed.show("packets")
        received, again = sent(passed, target)
        after = passed.show("packets")
        assert received > 20 << 20, (target, passed.show("drops"))
        assert again is not None and again < 200
        # Pieces: there were super-frames, or this tests nothing.
        assert after["created"] - before["created"] > 1000
    assert [passed.checksum_errors(number) for number in (1, 2)] == bad
    assert not [drop for drop in passed.show("drops") if drop["reason"] == "tx-offload" and drop["packets"]]
