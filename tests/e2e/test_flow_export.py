# SPDX-License-Identifier: Apache-2.0
"""Flows of a router, told to nfcapd (IPFIX and NetFlow version 9), and read again by nfdump:

     host 1 --- h1  millrace  h2 --- host 2
                       |
                    127.0.0.1: nfcapd, tshark
"""
import json
import os
import shutil
import subprocess
import time

import pytest

from lab import millrace, until
from router_lab import RouterLab

pytestmark = pytest.mark.skipif(not shutil.which("nfcapd"), reason="needs nfdump")


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    yield made
    made.close()


class Collector:
    """nfcapd on a port of the router's namespace."""

    def __init__(self, lab, name, port):
        self.folder = os.path.join(lab.folder.name, name)
        os.mkdir(self.folder)
        self.log = open(os.path.join(lab.folder.name, name + ".log"), "w+", encoding="utf-8")
        self.process = lab.begin("s", "nfcapd", "-w", self.folder, "-b", "127.0.0.1", "-p", str(port),
                                 "-t", "3600", stdout=self.log, stderr=self.log)
        assert until(5, lambda: ":%d " % port in lab.in_switch("ss", "-Hlun").stdout)

    def flows(self, options=False):
        """Ends it; what it has, a dictionary for each record. nfdump 1.7 does not count the records
        of IPFIX's options, which RFC 7011 does: with these there are gaps to its eyes."""
        self.process.terminate()
        self.process.wait(10)
        self.log.seek(0)
        said = self.log.read()
        assert "Bad Packets: 0" in said and (options or "Sequence Errors: 0," in said), said
        done = subprocess.run(["nfdump", "-q", "-N", "-R", self.folder, "-o", "json"],
                              stdout=subprocess.PIPE, text=True, check=True)
        return json.loads("[" + done.stdout.strip().strip(",") + "]")


def config(lab, collectors, **more):
    export = dict({"active-timeout": 1, "idle-timeout": 2, "collector": collectors}, **more)
    return lab.config(more={"flow-export": export})


def quiet(lab):
    """All is told: what came in is what records say, and what is no flow."""
    received = {i["name"]: i["counters"]["rx-packets"] for i in lab.show("interfaces")}
    for interface in lab.show("flow-export")["interface"]:
        c = interface["counters"]
        if c["packets"] + c["ignored-packets"] + c["other-packets"] != received[interface["name"]]:
            return False
    return lab.show("flow-export")["walk"]["flows"] is not None


def sums(flows, key):
    return sum(flow[key] for flow in flows)


def talk(lab):
    """Echo of both families, a TCP connection, datagrams of one flow."""
    assert lab.ping4(1, 2, "-c", "30", "-i", "0.02") == 30
    assert lab.ping6(1, 2, "-c", "30", "-i", "0.02") == 30
    server = lab.begin(2, "/usr/bin/python3", "-c",
                       "import socket\n"
                       "s = socket.create_server(('10.9.2.2', 7000))\n"
                       "c, _ = s.accept()\n"
                       "while c.recv(65536): pass\n")
    assert until(5, lambda: ":7000 " in lab.in_host(2, "ss", "-Htln").stdout)
    lab.in_host(1, "/usr/bin/python3", "-c",
                "import socket, time\n"
                "s = socket.create_connection(('10.9.2.2', 7000), source_address=('10.9.1.2', 7001))\n"
                "for i in range(20):\n"
                "    s.sendall(b'x' * 500)\n"
                "    time.sleep(0.01)\n"
                "s.close()\n"
                "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                "u.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x48)\n"
                "u.bind(('10.9.1.2', 9000))\n"
                "for i in range(50):\n"
                "    u.sendto(b'y' * 100, ('10.9.2.2', 9001))\n"
                "    time.sleep(0.005)\n")
    server.wait(5)


def check(lab, flows):
    """What a collector has is what was sent, and what the interfaces counted."""
    udp = [f for f in flows if f.get("src_port") == 9000]
    assert udp and sums(udp, "in_packets") == 50 and sums(udp, "in_bytes") == 50 * 128
    assert {(f["src4_addr"], f["dst4_addr"], f["dst_port"], f["proto"], f["src_tos"]) for f in udp} == {
        ("10.9.1.2", "10.9.2.2", 9001, 17, 0x48)}
    # Replayed by then: where to is known.
    assert {f["input_snmp"] for f in udp} == {1} and 2 in {f["output_snmp"] for f in udp}
    tcp = [f for f in flows if f.get("src_port") == 7001]
    assert tcp and set("".join(f["tcp_flags"] for f in tcp)) >= set("ASF")
    six = [f for f in flows if f.get("src6_addr") == "2001:db8:1::2" and f["proto"] == 58
           and f.get("dst6_addr") == "2001:db8:2::2"]
    assert sums(six, "in_packets") == 30 and sums(six, "in_bytes") == 30 * 104
    for index, interface in ((1, "h1"), (2, "h2")):
        own = [f for f in flows if f["input_snmp"] == index]
        shown = {i["name"]: i["counters"] for i in lab.show("interfaces")}[interface]
        told = {i["name"]: i["counters"] for i in lab.show("flow-export")["interface"]}[interface]
        assert told["ignored-packets"] == 0
        assert sums(own, "in_packets") == told["packets"]
        assert sums(own, "in_bytes") == told["octets"]
        assert told["packets"] + told["other-packets"] == shown["rx-packets"]
        # No tags and no padding here: a frame is 14 bytes more than its IP packet.
        assert told["octets"] + 14 * told["packets"] + told["other-bytes"] == shown["rx-bytes"]


def test_flows_reach_nfdump(lab):
    # Packets as on a wire, so that those of TCP are replayed.
    for number in (1, 2):
        lab.in_host(number, "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off")
    ipfix, nine = Collector(lab, "ipfix", 4739), Collector(lab, "nine", 9995)
    capture = os.path.join(lab.folder.name, "messages.pcap")
    dump = lab.begin("s", "tcpdump", "--immediate-mode", "-i", "lo", "-U", "-w", capture, "udp port 4739 or udp port 9995")
    assert until(5, lambda: os.path.exists(capture) and os.path.getsize(capture) >= 24)
    lab.start(config(lab, {
        "a": {"address": "127.0.0.1", "message-size": 600, "template-refresh": 2},
        "b": {"address": "127.0.0.1", "port": 9995, "protocol": "netflow-v9"}}))
    talk(lab)
    # Hosts have something to say now and then by themselves: no more of it.
    for number in (1, 2):
        lab.in_host(number, "ip", "link", "set", "eth0", "down")
    time.sleep(1)
    assert until(10, lambda: quiet(lab)), lab.show("flow-export")
    time.sleep(0.3)
    for collector in lab.show("flow-export")["collector"]:
        assert collector["counters"]["lost-messages"] == 0
    one, two = ipfix.flows(options=True), nine.flows()
    check(lab, one)
    check(lab, two)
    dump.terminate()
    dump.wait(5)
    seen = subprocess.run(
        ["tshark", "-r", capture, "-d", "udp.port==9995,cflow", "-V"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, check=True).stdout
    assert "Malformed" not in seen and "No template" not in seen and "Expert Info (Err" not in seen
    assert "Unexpected flow sequence" not in seen
    assert "Version: 10" in seen and "Version: 9" in seen
    assert "IfName: h1" in seen or "InterfaceName: h1" in seen, seen
    assert max(len(frame) for frame in _payloads(capture, 4739)) <= 600
    text = millrace("show", "--socket", lab.socket, "flow-export").stdout
    assert "octets" in text
    assert lab.stop() == 0


def _payloads(path, port):
    done = subprocess.run(["tshark", "-r", path, "-Y", "udp.port==%d" % port, "-T", "fields", "-e",
                           "udp.payload"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
    return [bytes.fromhex(line) for line in done.stdout.split()]


def test_flows_of_one_interface(lab):
    nine = Collector(lab, "nine", 9995)
    lab.start(config(lab, {"b": {"address": "127.0.0.1", "port": 9995}}, interface={"h1": {}}))
    assert lab.ping4(1, 2, "-c", "5", "-i", "0.02") == 5
    assert until(10, lambda: quiet(lab))
    # Of the interface that was named, and of no other.
    assert [i["name"] for i in lab.show("flow-export")["interface"]] == ["h1"]
    assert {f["input_snmp"] for f in nine.flows()} == {1}


def test_the_end_tells_the_rest(lab):
    ipfix = Collector(lab, "ipfix", 4739)
    lab.start(config(lab, {"a": {"address": "127.0.0.1"}}, **{"active-timeout": 600, "idle-timeout": 600}))
    assert lab.ping4(1, 2, "-c", "10", "-i", "0.02") == 10
    assert lab.stop() == 0
    time.sleep(0.3)
    pings = [f for f in ipfix.flows() if f.get("src4_addr") == "10.9.1.2" and f["proto"] == 1]
    assert sums(pings, "in_packets") == 10


def test_another_configuration(lab):
    """Flows go on being counted when the lane is made anew, and are told when nobody keeps them."""
    ipfix = Collector(lab, "ipfix", 4739)
    collectors = {"a": {"address": "127.0.0.1"}}
    slow = {"active-timeout": 600, "idle-timeout": 600}
    lab.start(config(lab, collectors, **slow))
    assert lab.ping4(1, 2, "-c", "10", "-i", "0.02") == 10
    lab.reload(config(lab, collectors, flows=2048, **slow))
    assert until(5, lambda: lab.said().count("applied") == 1)
    assert lab.ping4(1, 2, "-c", "10", "-i", "0.02") == 10
    lab.reload(lab.config())
    assert until(5, lambda: lab.said().count("applied") == 2)
    assert millrace("show", "--socket", lab.socket, "flow-export").stdout.startswith("no flow-export")
    time.sleep(0.3)
    pings = [f for f in ipfix.flows() if f.get("src4_addr") == "10.9.1.2" and f["proto"] == 1]
    assert sums(pings, "in_packets") == 20


def test_tcp_and_a_collector_that_comes_and_goes(lab):
    """A stream of IPFIX: whole messages, templates first, sequence numbers from 0 with each
    connection; what nobody took is counted."""
    path = os.path.join(lab.folder.name, "stream")
    server = (
        "import socket, sys\n"
        "s = socket.create_server(('127.0.0.1', 4739))\n"
        "c, _ = s.accept()\n"
        "with open(%r, 'wb') as f:\n"
        "    while True:\n"
        "        b = c.recv(65536)\n"
        "        if not b: break\n"
        "        f.write(b); f.flush()\n" % path)
    lab.start(config(lab, {"a": {"address": "127.0.0.1", "transport": "tcp"}}))
    counters = lambda: lab.show("flow-export")["collector"][0]["counters"]
    assert lab.ping4(1, 2, "-c", "5", "-i", "0.02") == 5
    assert until(10, lambda: counters()["lost-packets"] >= 10)
    process = lab.begin("s", "/usr/bin/python3", "-c", server)
    assert until(40, lambda: lab.show("flow-export")["collector"][0]["connected"])
    lost = counters()["lost-packets"]
    assert lab.ping4(1, 2, "-c", "7", "-i", "0.02") == 7
    assert until(10, lambda: quiet(lab))
    time.sleep(1.5)
    got = counters()
    assert got["lost-packets"] == lost and got["packets"] >= 14
    process.kill()
    process.wait()
    with open(path, "rb") as file:
        stream = file.read()
    at, expected, first = 0, 0, True
    while at < len(stream):
        version, length = int.from_bytes(stream[at:at + 2], "big"), int.from_bytes(stream[at + 2:at + 4], "big")
        assert version == 10 and length <= 1400
        assert int.from_bytes(stream[at + 8:at + 12], "big") >= expected
        expected = int.from_bytes(stream[at + 8:at + 12], "big")
        if first:
            assert expected == 0 and stream[at + 17] == 2  # templates
        first = False
        at += length
    assert at == len(stream)
    # Forwarding does not care.
    assert lab.ping4(1, 2, "-c", "5", "-i", "0.02") == 5
    assert until(5, lambda: not lab.show("flow-export")["collector"][0]["connected"])


def test_nobody_is_there(lab):
    lab.start(config(lab, {"a": {"address": "127.0.0.1"}}))
    counters = lambda: lab.show("flow-export")["collector"][0]["counters"]
    for _ in range(3):
        assert lab.ping4(1, 2, "-c", "5", "-i", "0.02") == 5
        time.sleep(1.2)
    assert until(10, lambda: quiet(lab) and counters()["lost-packets"] > 0)
    assert "refused" in lab.show("flow-export")["collector"][0]["trouble"]
    told = sum(i["counters"]["packets"] for i in lab.show("flow-export")["interface"])
    assert until(5, lambda: counters()["packets"] + counters()["lost-packets"] >= told)


def test_translated_flows(lab):
    """Records of flows that NAT changes say what they leave with."""
    lab.in_host(1, "ethtool", "-K", "eth0", "tx", "off")
    ipfix = Collector(lab, "ipfix", 4739)
    export = {"active-timeout": 1, "idle-timeout": 2, "collector": {"a": {"address": "127.0.0.1"}}}
    lab.start(lab.config(more={"flow-export": export,
                               "nat": {"instance": {"home": {
                                   "outside": ["h2"], "inside": ["h1"], "source": ["10.9.1.0/24"]}}}}))
    # What is recorded before its neighbour is known is not replayed for a second.
    assert until(5, lambda: lab.ping4(1, 2) == 3)
    lab.in_host(1, "/usr/bin/python3", "-c",
                "import socket, time\n"
                "u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                "u.bind(('10.9.1.2', 9000))\n"
                "for i in range(30):\n"
                "    u.sendto(b'y' * 100, ('10.9.2.2', 9001))\n"
                "    time.sleep(0.05)\n")
    assert until(10, lambda: quiet(lab))
    time.sleep(0.3)
    own = [f for f in ipfix.flows(options=True) if f.get("src_port") == 9000]
    assert sums(own, "in_packets") == 30
    assert "10.9.2.1" in {f.get("src4_xlt_ip") for f in own}, own


def test_a_wrong_configuration(lab):
    path = lab.write(config(lab, {"a": {"address": "127.0.0.1", "source": "::1"}}))
    done = millrace("check", path, check=False)
    assert done.returncode and "is of another family" in done.stderr + done.stdout
    path = lab.write(config(lab, {"a": {"address": "127.0.0.1", "protocol": "netflow-v9", "transport": "tcp"}}))
    done = millrace("check", path, check=False)
    assert done.returncode and "UDP only" in done.stderr + done.stdout
