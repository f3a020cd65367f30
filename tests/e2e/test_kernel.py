# SPDX-License-Identifier: Apache-2.0
"""Routes from and to the kernel of a router's host namespace.

     host 1 --- h1  millrace  h2 --- host 2      and what `ip route`, BIRD and the like put
                     |                           into the table of the namespace with the twins
                   kernel
"""
import json
import subprocess

import pytest

from lab import until
from router_lab import Bird, RouterLab, have_bird


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    for number in (1, 2):
        made.add_host(number)
    yield made
    made.close()


def start(lab, **router):
    lab.start(lab.config(host=True, router=router))
    until(10, lambda: kernel(lab).get("state") == "following")
    assert kernel(lab).get("state") == "following", lab.said()
    for address in ("10.9.1.2", "10.9.2.2", "2001:db8:1::2", "2001:db8:2::2"):
        assert until(10, lambda a=address: " dev h" in ip(lab, "route", "get", a, check=False)), address


def kernel(lab):
    return lab.show("router")[0].get("kernel", {})


def ip(lab, *words, check=True):
    return lab.on_router("ip", *words, check=check).stdout


def batch(lab, lines, check=True):
    return subprocess.run(["ip", "-n", lab.host_side, "-batch", "-"], input="\n".join(lines) + "\n",
                          text=True, check=check, capture_output=True, timeout=120)


def imported(lab):
    return kernel(lab)["imported"]


def test_one_route_forwards(lab):
    """Host 1 reaches what stands behind host 2 as soon as the kernel has a route to it."""
    start(lab)
    lab.in_host(2, "ip", "address", "add", "10.77.0.1/32", "dev", "lo")
    lab.in_host(2, "ip", "address", "add", "2001:db8:77::1/128", "dev", "lo", "nodad")
    assert lab.pings(1, "10.77.0.1") == 0
    ip(lab, "route", "add", "10.77.0.0/16", "via", "10.9.2.2")
    ip(lab, "-6", "route", "add", "2001:db8:77::/48", "via", "2001:db8:2::2")
    assert until(5, lambda: imported(lab) == 2)
    assert lab.pings(1, "10.77.0.1") == 3
    assert lab.pings(1, "2001:db8:77::1") == 3
    ip(lab, "route", "del", "10.77.0.0/16")
    assert until(5, lambda: imported(lab) == 1)
    assert lab.pings(1, "10.77.0.1") == 0


def test_flush_of_ten_thousand(lab):
    start(lab)
    batch(lab, ["route add 10.%d.%d.0/24 via 10.9.%d.2 proto bird" % (100 + n // 250, n % 250, 1 + n % 2)
                for n in range(10000)])
    assert until(20, lambda: imported(lab) == 10000), kernel(lab)
    assert lab.ping4(1, 2) == 3
    ip(lab, "route", "flush", "proto", "bird")
    assert until(20, lambda: imported(lab) == 0), kernel(lab)
    assert lab.ping4(1, 2) == 3


def test_link_down_and_up(lab):
    """The kernel says nothing of the IPv4 routes that go with a device; they must not stay."""
    start(lab)
    batch(lab, ["route add 172.16.0.0/16 via 10.9.1.2", "route add 172.17.0.0/16 via 10.9.2.2"])
    assert until(5, lambda: imported(lab) == 2)
    ip(lab, "link", "set", "h1", "down")
    assert until(10, lambda: imported(lab) == 1), kernel(lab)
    ip(lab, "link", "set", "h1", "up")
    assert until(10, lambda: batch(lab, ["route replace 172.16.0.0/16 via 10.9.1.2"], check=False).returncode == 0)
    assert until(10, lambda: imported(lab) == 2), kernel(lab)


def test_static_routes_are_given_to_the_kernel(lab):
    route = [{"prefix": "10.50.0.0/16", "via": ["10.9.2.2"]},
             {"prefix": "2001:db8:50::/48", "via": ["2001:db8:2::2"]},
             {"prefix": "10.51.0.0/16", "via": ["10.9.1.2", "10.9.2.2"]},
             {"prefix": "10.52.0.0/16", "action": "blackhole"},
             {"prefix": "10.53.0.0/16", "via": ["10.50.1.1"]}]
    start(lab, route=route)

    def ours():
        routes = json.loads(ip(lab, "-j", "route", "show", "proto", "77") or "[]")
        routes += json.loads(ip(lab, "-j", "-6", "route", "show", "proto", "77") or "[]")
        return {r["dst"]: {(h.get("gateway", ""), h.get("dev", "")) for h in r.get("nexthops", [r])}
                for r in routes}

    wanted = {"10.50.0.0/16": {("10.9.2.2", "h2")}, "2001:db8:50::/48": {("2001:db8:2::2", "h2")},
              "10.51.0.0/16": {("10.9.1.2", "h1"), ("10.9.2.2", "h2")}, "10.52.0.0/16": {("", "")},
              "10.53.0.0/16": {("10.9.2.2", "h2")}}
    wanted["10.52.0.0/16"] = ours().get("10.52.0.0/16", set())
    assert until(10, lambda: ours() == wanted), ours()
    # Somebody takes one away: it comes again.
    ip(lab, "route", "del", "10.50.0.0/16")
    assert until(10, lambda: ours() == wanted), ours()
    lab.in_host(2, "ip", "address", "add", "10.50.0.1/32", "dev", "lo")
    until(5, lambda: lab.on_router("ping", "-c1", "-W1", "10.50.0.1", check=False).returncode == 0)
    assert lab.on_router("ping", "-c1", "-W1", "10.50.0.1", check=False).returncode == 0
    # Another configuration, another route.
    lab.reload(lab.config(host=True, router={"route": [
        {"prefix": "10.50.0.0/16", "via": ["10.9.1.2"]}]}))
    assert until(10, lambda: ours() == {"10.50.0.0/16": {("10.9.1.2", "h1")}}), ours()
    holder = lab.begin_on_router("sleep", "60")  # so that the namespace is there to look at
    lab.stop()
    assert ours() == {}
    holder.kill()


@pytest.mark.skipif(not have_bird(), reason="needs bird2")
def test_bird(lab):
    """BIRD programs the kernel; its restart changes nothing, its end takes its routes away."""
    start(lab)
    lab.in_host(2, "ip", "address", "add", "10.60.0.1/32", "dev", "lo")
    bird = Bird(lab, "h", """
        router id 10.9.1.1;
        protocol device {}
        protocol kernel k4 { ipv4 { export all; }; persist; }
        protocol static { ipv4; route 10.60.0.0/16 via 10.9.2.2; }
        """)
    assert until(10, lambda: imported(lab) == 1), kernel(lab)
    assert until(5, lambda: lab.pings(1, "10.60.0.1") == 3)
    bird.stop()
    assert imported(lab) == 1
    bird.start()
    assert lab.pings(1, "10.60.0.1") == 3
    bird.stop()
