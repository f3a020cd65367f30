# SPDX-License-Identifier: Apache-2.0
"""Tunnels to the kernel's VXLAN: hosts behind a bridge of millrace's, and others at remote ends.

    host 1 ---- h1, bridge "lan", vni (tunnel) .... router: loopback 192.0.2.1, 2001:db8:ff::1
                                                      |             |
                                                     h2, host 2    h3, host 3: each with a VXLAN device

    in the tunnel: 10.77.0.N/24, fd77::N/64
"""
import json

import pytest

from lab import until
from router_lab import RouterLab
from test_router import iperf

LOCAL = {4: "192.0.2.1", 6: "2001:db8:ff::1"}
VNI = 7777


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

    def add_vxlan(self, number, family, *options, vni=VNI, port=4789, mtu=1430):
        """The kernel's end."""
        if family == 6:
            # Ours are sent without (RFC 6935).
            options = options + ("udp6zerocsumtx", "udp6zerocsumrx")
        self.in_host(number, "ip", "link", "add", "vx", "type", "vxlan", "id", str(vni), "dev", "eth0",
                     "local", underlay(family, number), "remote", LOCAL[family], "dstport", str(port), *options)
        self.in_host(number, "ip", "link", "set", "vx", "mtu", str(mtu))
        self.in_host(number, "ip", "address", "add", "10.77.0.%d/24" % number, "dev", "vx")
        self.in_host(number, "ip", "address", "add", "fd77::%d/64" % number, "dev", "vx", "nodad")
        self.in_host(number, "ip", "link", "set", "vx", "up")

    def tree(self, family=4, remotes=(2,), tunnel=None, mtu=1430, more=None):
        tree = {
            "interface": {"h1": {"device": "port1"}, "h2": {"device": "port2"}, "h3": {"device": "port3"},
                          "vni": {"driver": "tunnel", "mtu": mtu}},
            "bridge": {"lan": {"interface": ["h1", "vni"]}},
            "router": {"default": {"interface": {
                "h2": {"address": ["10.9.2.1/24", "2001:db8:2::1/64"]},
                "h3": {"address": ["10.9.3.1/24", "2001:db8:3::1/64"]},
                "lo": {"loopback": True, "address": ["192.0.2.1/32", "2001:db8:ff::1/128"]}}}},
            "tunnel": {"vni": dict({
                "local": LOCAL[family], "remote": [underlay(family, n) for n in remotes],
                "vxlan": {"vni": VNI}}, **(tunnel or {}))}}
        tree.update(more or {})
        return tree

    def start_tree(self, tree):
        self.start(text_of(tree))

    def tunnel(self, name="vni"):
        return next(t for t in self.show("tunnel") if t["name"] == name)

    def remote(self, address):
        return next(r for r in self.tunnel()["remote-state"] if r["address"] == address)


def text_of(tree):
    return "".join("%s: %s\n" % (key, json.dumps(value)) for key, value in tree.items())


@pytest.fixture
def lab(namespaces):
    made = TunnelLab()
    yield made
    made.close()


@pytest.mark.parametrize("family", [4, 6])
def test_one_remote_end(lab, family):
    lab.add_vxlan(2, family)
    lab.start_tree(lab.tree(family))
    assert until(10, lambda: lab.pings(1, "10.77.0.2") == 3)
    assert lab.pings(1, "fd77::2") == 3
    assert lab.pings(2, "10.77.0.1") == 3
    # The largest that fits, and does not have to be cut.
    assert lab.pings(1, "10.77.0.2", "-c", "3", "-i", "0.05", "-W", "1", "-M", "do", "-s", "1402") == 3
    assert iperf(lab, 1, 2, "10.77.0.2") > 1e6
    assert iperf(lab, 2, 1, "10.77.0.1") > 1e6
    assert iperf(lab, 1, 2, "fd77::2") > 1e6
    state = lab.tunnel()
    assert "trouble" not in state
    remote = lab.remote(underlay(family, 2))
    assert remote["reachable"] and int(remote["tx-packets"]) > 100 and int(remote["rx-packets"]) > 100
    assert state["counters"]["fragmented"] in (0, "0")
