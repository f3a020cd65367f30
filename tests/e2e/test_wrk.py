# SPDX-License-Identifier: Apache-2.0
"""Many real connections, one after another and at once, through a stateful firewall.

     host 1, wrk   ---   millrace: a router, lists with states   ---   host 2, nginx
"""
import pytest

from gateway_lab import Nginx, have, wrk
from lab import until
from router_lab import RouterLab

pytestmark = pytest.mark.alone

PORTS = (8001, 8002, 8003, 8004)
FIREWALL = {
    "conntrack": {"drop-invalid": True,
                  "timeouts": {"tcp-time-wait": 2, "tcp-close": 1, "tcp-last-ack": 2, "tcp-fin-wait": 4,
                               "tcp-close-wait": 4, "tcp-syn-sent": 4, "tcp-syn-recv": 4, "icmp": 1,
                               "icmpv6": 1}},
    "acl": {
        "list": {
            # Nothing comes back but to what the client has begun.
            "from-client": {"default": "drop", "stateful": True, "rule": [
                {"name": "web", "protocol": "tcp", "destination-port": "8001-8004", "action": "accept"}]},
            "from-server": {"default": "drop", "stateful": True}},
        "interface": {"h1": {"in": "from-client"}, "h2": {"in": "from-server"}}},
}


@pytest.fixture
def firewall(namespaces):
    why = have("nginx", "wrk")
    if why:
        pytest.skip(why)
    lab = RouterLab()
    try:
        for number in (1, 2):
            lab.add_host(number)
        # As many connections as there are ports, and again at once with those that ended.
        lab.in_host(1, "sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=2000 65535")
        lab.start(lab.config(more=FIREWALL))
        Nginx(lab, 2, "web", PORTS)
        yield lab
    finally:
        lab.close()


def load(lab, total, most):
    """Connections, 100 at once, until there were as many in all; from each port in turn."""
    made = rounds = 0
    while made < total and rounds < most:
        done = wrk(lab, 1, "http://10.9.2.2:%d/" % PORTS[rounds % len(PORTS)], seconds=4, connections=100,
                   close=True)
        assert done.errors == 0 and done.bad == 0, done.text
        made += done.requests
        rounds += 1
    return made


def counters(lab):
    return lab.show("conntrack")["zone-state"][0]["counters"]


def check(lab, total, most):
    made = load(lab, total, most)
    assert made >= total
    # One connection for each; those that wrk had begun at its end beside.
    assert counters(lab)["created"] >= made
    drops = {name: count for name, count in lab.drops().items()
             if "track" in name or "confirm" in name or "acl" in name}
    # After a connection's time, which is short here, its last segments again are nobody's.
    assert sum(drops.values()) <= made / 1000, drops
    assert until(15, lambda: lab.show("conntrack")["connections"] == 0), lab.show("conntrack")


def test_connections_through_a_firewall(firewall):
    check(firewall, 5000, 5)
    # What the client did not begin does not come through.
    done = firewall.in_host(2, "bash", "-c", "timeout 1 bash -c '</dev/tcp/10.9.1.2/22'", check=False)
    assert done.returncode != 0


@pytest.mark.slow
def test_hundred_thousand_connections(firewall):
    check(firewall, 100000, 40)
