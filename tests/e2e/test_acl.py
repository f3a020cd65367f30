# SPDX-License-Identifier: Apache-2.0
"""Lists in front of real hosts: a stateful firewall, answers to what is refused, changes, explain."""
import json
import sys

import pytest

from lab import Lab, bridge_config, millrace, until
from router_lab import RouterLab

FIREWALL = {
    "default-out": "forward",
    "list": {"forward": {
        "default": "drop", "stateful": True,
        "rule": [
            {"name": "out", "input": "h1", "output": "h2", "action": "accept"},
            {"name": "web", "protocol": "tcp", "destination": "10.9.1.2", "destination-port": 80, "action": "accept"},
            {"name": "loud", "protocol": "tcp", "action": "reject", "reject-with": "tcp-reset"},
            {"name": "quiet", "icmp-type": "echo-request", "destination": "10.9.1.0/24", "action": "reject",
             "reject-with": "admin-prohibited", "log": {"prefix": "nosy", "sample": 1}},
        ]}}}

CONNECT = """
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
    print(s.recv(10).decode())
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("silence")
"""
SERVE = """
import socket, sys
s = socket.create_server(("", int(sys.argv[1])))
while True:
    s.accept()[0].send(b"hello")
"""


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    yield made
    made.close()


def connect(lab, source, address, port):
    return lab.in_host(source, sys.executable, "-c", CONNECT, address, str(port)).stdout.strip()


def serve(lab, host, port):
    lab.begin(host, sys.executable, "-c", SERVE, str(port))
    assert until(5, lambda: ":%d " % port in lab.in_host(host, "ss", "-Htln").stdout)


def rules(lab):
    return {rule["name"]: rule["packets"] for rule in lab.show("acl")["list"][0]["rule"]}


def test_stateful_firewall(lab):
    lab.start(lab.config(more={"acl": FIREWALL}))
    assert until(10, lambda: lab.ping4(1, 2, "-c", "1", "-W", "1") == 1)
    assert lab.ping4(1, 2) == 3 and until(5, lambda: lab.ping6(1, 2) == 3)
    for host, port in ((1, 80), (1, 22), (2, 22)):
        serve(lab, host, port)
    assert connect(lab, 1, "10.9.2.2", 22) == "hello"
    assert connect(lab, 2, "10.9.1.2", 80) == "hello"
    assert connect(lab, 2, "10.9.1.2", 22) == "refused"
    assert connect(lab, 2, "2001:db8:1::2", 22) == "refused"
    said = lab.in_host(2, "ping", "-n", "-c", "1", "-W", "1", "10.9.1.2", check=False).stdout
    assert "From 10.9.1.2 icmp_seq=1 Packet filtered" in said
    assert until(3, lambda: "nosy rule quiet, out by h1: 10.9.2.2 > 10.9.1.2 ICMP echo request" in lab.said())
    counts = rules(lab)
    assert counts["web"] == 1 and counts["loud"] == 2 and counts["quiet"] == 1 and counts["out"] >= 2
    assert lab.show("acl")["list"][0]["counters"]["established-packets"] > 10

    # A change without a restart: what was open stays so, what is new is judged by the new rules.
    FIREWALL["list"]["forward"]["rule"][1]["action"] = "drop"
    try:
        lab.reload(lab.config(more={"acl": FIREWALL}))
        assert until(5, lambda: rules(lab)["web"] == 0)
        assert connect(lab, 2, "10.9.1.2", 80) == "silence"
        assert rules(lab)["loud"] == 2
    finally:
        FIREWALL["list"]["forward"]["rule"][1]["action"] = "accept"
    assert lab.stop() == 0


def test_explain(lab):
    lab.start(lab.config(more={"acl": FIREWALL}))
    assert until(10, lambda: lab.ping4(1, 2, "-c", "1", "-W", "1") == 1)
    before = rules(lab)

    def explain(*words):
        done = millrace("explain", "--socket", lab.socket, *words)
        return [line.strip() for line in done.stdout.splitlines()]

    said = explain("h2", "src=10.9.2.2", "dst=10.9.1.2", "proto=tcp", "dport=80")
    assert "rule web of list forward accepts" in said, said
    said = explain("h2", "src=10.9.2.2", "dst=10.9.1.2", "proto=udp", "dport=80")
    assert "rule default of list forward drops" in said, said
    assert any(line.startswith("dropped by acl-out") for line in said), said
    assert rules(lab) == before
    assert lab.stop() == 0


def test_bridged(namespaces):
    """The same lists where there are no addresses."""
    lab = Lab()
    try:
        for number in (1, 2):
            lab.add_host(number)
        acl = {"list": {"l": {"default": "drop", "stateful": True, "rule": [
            {"name": "ping", "icmp-type": "echo-request", "action": "accept"},
            {"name": "tcp", "protocol": "tcp", "action": "reject", "reject-with": "tcp-reset"}]}},
            "interface": {"h1": {"in": "l"}, "h2": {"in": "l"}}}
        lab.start(bridge_config([1, 2]) + "acl: %s\n" % json.dumps(acl))
        lab.ping(1, 2, "-c", "5", "-i", "0.3")
        assert lab.in_host(1, sys.executable, "-c", CONNECT, "10.8.0.2", "22").stdout.strip() == "refused"
        assert rules(lab) == {"ping": 1, "tcp": 1}
        assert lab.stop() == 0
    finally:
        lab.close()
