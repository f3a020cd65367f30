# SPDX-License-Identifier: Apache-2.0
"""Packets of a router at random, told to sfcapd; what leaves is read by tshark, too:

     host 1 --- h1  millrace  h2 --- host 2
                       |
                    127.0.0.1: sfcapd, tshark
"""
import json
import os
import shutil
import subprocess
import time

import pytest

from lab import millrace, until
from router_lab import RouterLab

pytestmark = pytest.mark.skipif(not shutil.which("sfcapd"), reason="needs nfdump-sflow")


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    yield made
    made.close()


def counters(lab, interface):
    return {i["name"]: i["counters"] for i in lab.show("sflow")["interface"]}[interface]


def fields(path, *names):
    """What tshark's dissector makes of the datagrams: a list for each of these fields."""
    done = subprocess.run(
        ["tshark", "-r", path, "-Y", "sflow", "-T", "fields", "-E", "occurrence=a"]
        + [word for name in names for word in ("-e", name)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [[value for row in rows for value in row[i].split(",") if value] for i in range(len(names))]


def test_samples_and_counters(lab):
    folder = os.path.join(lab.folder.name, "sfcapd")
    capture = os.path.join(lab.folder.name, "sflow.pcap")
    os.mkdir(folder)
    log = open(os.path.join(lab.folder.name, "sfcapd.log"), "w+", encoding="utf-8")
    collector = lab.begin("s", "sfcapd", "-w", folder, "-b", "127.0.0.1", "-p", "6343", "-t", "3600",
                          stdout=log, stderr=log)
    assert until(5, lambda: ":6343 " in lab.in_switch("ss", "-Hlun").stdout)
    dump = lab.begin("s", "tcpdump", "--immediate-mode", "-i", "lo", "-U", "-w", capture, "udp port 6343")
    assert until(5, lambda: os.path.exists(capture) and os.path.getsize(capture) >= 24)
    # Every packet of h1, one in 5 of h2.
    lab.start(lab.config(more={"sflow": {
        "agent-address": "192.0.2.77", "polling-interval": 1, "collector": {"a": {"address": "127.0.0.1"}},
        "interface": {"h1": {"sampling-rate": 1}, "h2": {"sampling-rate": 5}}}}))
    assert lab.ping4(1, 2, "-c", "200", "-i", "0.003") == 200
    assert lab.ping6(1, 2, "-c", "30", "-i", "0.005") == 30

    def quiet():
        received = {i["name"]: i["counters"]["rx-packets"] for i in lab.show("interfaces")}
        one, two = counters(lab, "h1"), counters(lab, "h2")
        return (one["sample-pool"] == one["samples"] == received["h1"]
                and two["sample-pool"] == received["h2"])
    assert until(5, quiet), lab.show("sflow")
    two = counters(lab, "h2")
    assert two["drops"] == 0 and 0.05 * two["sample-pool"] < two["samples"] < 0.4 * two["sample-pool"]
    assert until(5, lambda: counters(lab, "h1")["counter-samples"] >= 2)
    time.sleep(0.3)
    samples = sum(counters(lab, name)["samples"] for name in ("h1", "h2"))
    told = sum(counters(lab, name)["counter-samples"] for name in ("h1", "h2"))
    assert lab.show("sflow")["collector"][0]["counters"]["lost-datagrams"] == 0
    assert "sample-pool" in millrace("show", "--socket", lab.socket, "sflow", "--all").stdout
    assert lab.stop() == 0
    time.sleep(1)
    dump.terminate()
    dump.wait(5)
    collector.terminate()
    collector.wait(5)

    text = subprocess.run(["tshark", "-r", capture, "-V"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=True).stdout
    # What is inside a sample may be cut: that is no fault of the datagram.
    assert "Malformed Packet: sFlow" not in text and "Malformed Packet: SFLOW" not in text
    assert "Agent address: 192.0.2.77" in text
    assert "Extended router data" in text and "Generic interface counters" in text
    assert "Ethernet interface counters" in text
    kinds = fields(capture, "sflow_245.sampletype")[0]
    # The end may have told some more.
    assert samples <= kinds.count("1") <= samples + 20 and told <= kinds.count("2") <= told + 4
    sequence = [int(n) for n in fields(capture, "sflow_245.sequence_number")[0]]
    assert sequence

    done = subprocess.run(["nfdump", "-q", "-N", "-R", folder, "-o", "json"], stdout=subprocess.PIPE,
                          text=True, check=True)
    flows = json.loads("[" + done.stdout.strip().strip(",") + "]")
    pings = [f for f in flows if f.get("src4_addr") == "10.9.1.2" and f.get("dst4_addr") == "10.9.2.2"]
    assert len(pings) == 200 and {f["input_snmp"] for f in pings} == {1}
    assert {f["output_snmp"] for f in pings} == {2}
    six = [f for f in flows if f.get("src6_addr") == "2001:db8:1::2" and f.get("dst6_addr") == "2001:db8:2::2"]
    assert len(six) == 30
    log.seek(0)
    assert "rror" not in log.read().replace("Sequence Errors: 0", "")


def test_nobody_listens(lab):
    lab.start(lab.config(more={"sflow": {"sampling-rate": 1, "collector": {"a": {"address": "127.0.0.1"}}}}))
    assert lab.ping4(1, 2, "-c", "50", "-i", "0.02") == 50
    assert until(5, lambda: counters(lab, "h1")["samples"] >= 50)
    assert until(5, lambda: "trouble" in lab.show("sflow")["collector"][0]
                 or lab.show("sflow")["collector"][0]["counters"]["datagrams"] > 0)
    # Taken out again, all is as before.
    lab.reload(lab.config())
    assert until(5, lambda: "applied" in lab.said())
    assert millrace("show", "--socket", lab.socket, "sflow").stdout.startswith("no sflow")
    assert lab.ping4(1, 2, "-c", "5", "-i", "0.02") == 5
    assert lab.stop() == 0
