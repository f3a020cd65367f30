# SPDX-License-Identifier: Apache-2.0
"""ARP, neighbour discovery and router advertisements against Linux hosts."""
import json
import time

import pytest

from lab import millrace, until
from router_lab import RouterLab


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    yield made
    made.close()


def entries(lab):
    return {e["address"]: e for e in lab.show("router")[0]["neighbor"].get("entry", [])}


def counters(lab, interface):
    return {i["name"]: i for i in lab.show("router")[0]["neighbor"]["interfaces"]}[interface]


def host_neighbor(lab, number, address):
    """What a host's kernel knows of an address."""
    shown = json.loads(lab.in_host(number, "ip", "-j", "neighbor", "show", address).stdout)
    return shown[0] if shown else None


def mac_of(lab, number):
    return json.loads(lab.in_host(number, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]


def test_first_ping(lab):
    """The very first packet between two hosts that nobody knows arrives, within a second."""
    lab.start(lab.config())
    before = time.monotonic()
    assert lab.ping4(1, 2, "-c", "1", "-W", "1") == 1
    assert lab.ping6(1, 2, "-c", "1", "-W", "1") == 1
    assert time.monotonic() - before < 2
    found = entries(lab)
    for number in (1, 2):
        for address in ("10.9.%d.2" % number, "2001:db8:%d::2" % number):
            assert found[address]["mac"] == mac_of(lab, number)
            assert found[address]["interface"] == "h%d" % number
            assert found[address]["state"] in ("reachable", "stale", "delay", "probe")
    router = host_neighbor(lab, 1, "10.9.1.1")
    assert router["lladdr"] == json.loads(lab.in_switch(
        "ip", "-j", "link", "show", "port1").stdout)[0]["address"]


def test_nobody_there(lab):
    """Who is not there is reported so (RFC 1812, 5.2.7.1), and asked for once a second."""
    lab.start(lab.config())
    assert lab.ping4(1, 2) == 3
    done = lab.in_host(1, "ping", "-n", "-c", "4", "-i", "1", "-W", "4", "10.9.2.99", check=False)
    assert "Destination Host Unreachable" in done.stdout, done.stdout
    done = lab.in_host(1, "ping", "-n", "-c", "4", "-i", "1", "-W", "4", "2001:db8:2::99", check=False)
    assert "Destination unreachable: Address unreachable" in done.stdout, done.stdout
    assert entries(lab)["10.9.2.99"]["state"] in ("failed", "incomplete")
    assert counters(lab, "h2")["solicitations-sent"] < 30


def test_moved_address(lab):
    """A host's new Ethernet address is taken over from its announcement."""
    lab.start(lab.config())
    assert lab.ping4(1, 2) == 3
    lab.in_host(2, "sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1")
    lab.in_host(2, "ip", "link", "set", "eth0", "address", "02:00:00:00:aa:02")
    assert until(3, lambda: entries(lab)["10.9.2.2"].get("mac") == "02:00:00:00:aa:02")
    assert lab.ping4(1, 2) == 3


def test_static(lab):
    mac = mac_of(lab, 2)
    lab.start(lab.config(router={"neighbor": {"static": [
        {"address": "10.9.2.2", "interface": "h2", "mac": mac}]}}))
    lab.in_host(2, "ip", "link", "set", "eth0", "arp", "off")
    lab.in_host(2, "ip", "neighbor", "add", "10.9.2.1", "dev", "eth0", "lladdr",
                json.loads(lab.in_switch("ip", "-j", "link", "show", "port2").stdout)[0]["address"])
    assert lab.ping4(1, 2) == 3
    assert entries(lab)["10.9.2.2"]["state"] == "permanent"


def test_autoconfiguration(lab):
    """A host takes prefix, default router, MTU and lifetime from the router's advertisements."""
    lab.in_host(1, "ip", "-6", "route", "delete", "default")
    lab.in_host(1, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=2")
    lab.in_host(1, "sysctl", "-qw", "net.ipv6.conf.eth0.autoconf=1")
    lab.start(lab.config(interfaces={1: {"mtu": 1400, "neighbor": {"router-advertisement": {
        "enabled": True, "max-interval": 4, "min-interval": 3, "preference": "high"}}}}))

    def default():
        return [r for r in json.loads(lab.in_host(1, "ip", "-6", "-j", "route", "show", "default").stdout)
                if r.get("protocol") == "ra"]
    assert until(10, default)
    assert default()[0]["gateway"].startswith("fe80::")
    addresses = json.loads(lab.in_host(1, "ip", "-6", "-j", "address", "show", "dev", "eth0").stdout)
    assert any(a.get("dynamic") and a["local"].startswith("2001:db8:1:")
               for a in addresses[0]["addr_info"])
    assert lab.in_host(1, "cat", "/proc/sys/net/ipv6/conf/eth0/mtu").stdout.strip() == "1400"
    assert lab.ping6(1, 2) == 3
    # The end takes the default route back at once (RFC 4861, 6.2.5).
    lab.stop()
    assert until(3, lambda: not default())


def test_duplicate_address(lab):
    """A host has the router's address already: said so, and not used."""
    lab.in_host(1, "ip", "address", "add", "10.9.1.1/24", "dev", "eth0")
    lab.in_host(1, "ip", "address", "add", "2001:db8:1::1/64", "dev", "eth0", "nodad")
    lab.start(lab.config())

    def states():
        interface = [i for i in lab.show("router")[0]["interface"] if i["name"] == "h1"][0]
        return {a["address"]: a["state"] for a in interface["current-address"]}
    assert until(5, lambda: states().get("10.9.1.1/24") == "duplicate")
    assert until(5, lambda: states().get("2001:db8:1::1/64") == "duplicate")
    assert counters(lab, "h1")["duplicates"] == 2
    # Its routes go with it: who has it is not us.
    def routes(source):
        return [r for r in lab.show("router")[0]["routes"] if r["source"] == source][0]
    assert until(3, lambda: routes("connected")["ipv4"] == 1)


def test_proxy(lab):
    """A host that thinks everything is on its link reaches it all the same (RFC 1027)."""
    lab.start(lab.config(interfaces={1: {"neighbor": {"proxy": True}}}))
    lab.in_host(1, "ip", "route", "replace", "10.9.2.0/24", "dev", "eth0")
    lab.in_host(1, "ip", "-6", "route", "replace", "2001:db8:2::/64", "dev", "eth0")
    assert lab.ping4(1, 2) == 3
    assert lab.ping6(1, 2) == 3
    assert counters(lab, "h1")["proxy-answers"] >= 2


def test_with_host_side(lab):
    """The router's own host resolves through its twins beside us."""
    lab.start(lab.config(host=True))
    assert until(5, lambda: lab.on_router("ping", "-n", "-c", "1", "-W", "1", "10.9.2.2",
                                       check=False).returncode == 0)
    assert until(5, lambda: lab.on_router("ping", "-n", "-c", "1", "-W", "1", "2001:db8:1::2",
                                       check=False).returncode == 0)
    assert lab.ping4(1, 2) == 3
    assert lab.pings(1, "10.9.1.1") == 3
    assert lab.pings(1, "2001:db8:1::1") == 3
    assert not counters(lab, "h1")["conflicts"]


@pytest.mark.parametrize("router, interface, said", [
    ({"neighbor": {"static": [{"address": "10.9.1.9", "interface": "h9", "mac": "02:00:00:00:00:09"}]}},
     {}, "router default has no interface h9"),
    ({"neighbor": {"static": [{"address": "224.0.0.9", "interface": "h1", "mac": "02:00:00:00:00:09"}]}},
     {}, "224.0.0.9 is not an address of a host"),
    ({"neighbor": {"static": [{"address": "10.9.1.9", "interface": "h1", "mac": "03:00:00:00:00:09"}]}},
     {}, "is not the address of one station"),
    ({}, {"neighbor": {"router-advertisement": {"max-interval": 10, "min-interval": 9}}},
     "three quarters of max-interval"),
    ({}, {"neighbor": {"router-advertisement": {"max-interval": 100, "lifetime": 50}}},
     "is below max-interval, 100 s"),
    ({}, {"neighbor": {"router-advertisement": {"valid-lifetime": 10, "preferred-lifetime": 20}}},
     "is more than valid-lifetime"),
])
def test_refused(tmp_path, router, interface, said):
    tree = {"interface": {"h1": {"driver": "null"}},
            "router": {"default": dict({"interface": {"h1": dict({"address": ["10.9.1.1/24"]},
                                                                 **interface)}}, **router)}}
    path = tmp_path / "c.yaml"
    path.write_text("".join("%s: %s\n" % (key, json.dumps(value)) for key, value in tree.items()))
    done = millrace("check", str(path), check=False)
    assert done.returncode and said in done.stderr + done.stdout, done.stderr + done.stdout
