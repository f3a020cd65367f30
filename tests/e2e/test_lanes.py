# SPDX-License-Identifier: Apache-2.0
"""A router with the flow lane in front, between hosts:

     host 1 --- h1  millrace  h2 --- host 2
"""
import json
import shutil
import sys

import pytest

from lab import millrace, until
from router_lab import RouterLab

LANES = {"lanes": {"mode": "flow"}}


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    yield made
    made.close()


def lane(lab, interface="h1"):
    """Counters of an interface's lane."""
    return {i["name"]: i for i in lab.show("lanes")["interface"]}[interface]["counters"]


def replays(lab, number, address):
    """Whether echo requests and their answers are replayed."""
    before = [lane(lab, name)["replayed"] for name in ("h1", "h2")]
    assert lab.pings(number, address, "-c", "10", "-i", "0.02", "-W", "1") == 10
    return all(lane(lab, name)["replayed"] > was for name, was in zip(("h1", "h2"), before))


def iperf(lab, client, server, address, *options):
    process = lab.begin(server, "iperf3", "-s", "-1")
    try:
        assert until(5, lambda: ":5201 " in lab.in_host(server, "ss", "-Htln").stdout)
        done = lab.in_host(client, "iperf3", "-c", address, "-t", "1", "-J", *options, check=False)
        assert done.returncode == 0 and "sum_received" in done.stdout, done.stdout + done.stderr
        return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]
    finally:
        process.kill()
        process.wait()


def test_hosts_reach_each_other_by_replay(lab):
    lab.start(lab.config(more=LANES))
    for source, target in ((1, 2), (2, 1)):
        assert lab.ping4(source, target) == 3
        assert lab.ping6(source, target) == 3
    assert replays(lab, 1, "10.9.2.2")
    assert replays(lab, 1, "2001:db8:2::2")
    # Each hop of the way costs its TTL.
    assert "ttl=63" in lab.in_host(1, "ping", "-n", "-c", "5", "-i", "0.02", "10.9.2.2").stdout
    assert lab.stop() == 0


@pytest.mark.skipif(not shutil.which("ethtool"), reason="needs ethtool")
def test_connections_both_ways(lab):
    # Super-frames and packets without a checksum take the graph: here are frames as on a wire.
    for number in (1, 2):
        lab.in_host(number, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off")
    lab.start(lab.config(more=LANES))
    lab.ping4(1, 2)
    before = lane(lab)["replayed"]
    for options in ((), ("-R",)):
        assert iperf(lab, 1, 2, "10.9.2.2", *options) > 1e6
        assert iperf(lab, 1, 2, "2001:db8:2::2", *options) > 1e6
    assert lane(lab)["replayed"] > before + 1000
    assert not lab.checksum_errors(1) and not lab.checksum_errors(2)


def test_what_is_shown(lab):
    lab.start(lab.config(more={"lanes": {"mode": "auto", "interface": {"h1": {"lane": "flow"}}}}))
    assert lab.pings(1, "10.9.2.2", "-c", "5", "-i", "0.02", "-W", "1") == 5
    text = millrace("show", "--socket", lab.socket, "lanes").stdout
    assert "asked for" in text and "the graph costs less" in text
    shown = lab.show("lanes")
    taken = {i["name"]: i["taken"] for i in shown["interface"]}
    assert taken == {"h1": "flow", "h2": "graph"}
    assert sum(w["flows"] for w in shown["worker"]) >= 1
    # Nodes say the same as with the graph alone, a second later at most.
    assert until(3, lambda: {n["name"]: n["packets"] for n in lab.show("nodes")}["ip-input"] >= 10)


def test_a_neighbour_gets_another_address(lab):
    lab.start(lab.config(more=LANES))
    assert replays(lab, 1, "10.9.2.2")
    lab.in_host(2, "ip", "link", "set", "eth0", "address", "02:00:00:00:77:02")
    lab.in_host(2, sys.executable, "-c", (
        "import socket\n"
        "mac = bytes.fromhex('020000007702')\n"
        "ip = socket.inet_aton('10.9.2.2')\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
        "s.bind(('eth0', 0x806))\n"
        "s.send(b'\\xff' * 6 + mac + b'\\x08\\x06\\0\\1\\x08\\0\\6\\4\\0\\1' + mac + ip + bytes(6) + ip)\n"))
    assert until(5, lambda: lab.pings(1, "10.9.2.2", "-c", "3", "-i", "0.02", "-W", "1") == 3)
    assert replays(lab, 1, "10.9.2.2")


def test_a_route_of_the_kernel_moves(lab):
    """What stands behind host 2 moves behind host 1's neighbour and back."""
    lab.add_host(3)
    lab.start(lab.config(host=True, more=LANES))
    for number in (2, 3):
        lab.in_host(number, "ip", "address", "add", "10.77.0.1/32", "dev", "lo")
    for via in (2, 3, 2):
        assert until(10, lambda v=via: lab.on_router(
            "ip", "route", "replace", "10.77.0.0/16", "via", "10.9.%d.2" % v, check=False).returncode == 0)
        assert until(5, lambda v=via: any(
            r["prefix"] == "10.77.0.0/16" and "10.9.%d.2" % v in json.dumps(r) for r in lab.show("routes")))
        before = lab.snmp(via, "Icmp", "InEchos")
        assert lab.pings(1, "10.77.0.1", "-c", "10", "-i", "0.02", "-W", "1") == 10
        # All of them came there, the first as well.
        assert lab.snmp(via, "Icmp", "InEchos") == before + 10
    lab.on_router("ip", "route", "del", "10.77.0.0/16")
    assert until(5, lambda: lab.pings(1, "10.77.0.1", "-c", "1", "-W", "1") == 0)
