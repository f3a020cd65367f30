# SPDX-License-Identifier: Apache-2.0
"""Several workers, pipeline stages, polling: the same switch, cut differently; and a
configuration that changes under traffic."""
import json
import os
import time

import pytest

from lab import bridge_config, until

pytestmark = pytest.mark.alone

needs_two_cpus = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU")


def cpus():
    return "%d,%d" % tuple(sorted(os.sched_getaffinity(0))[:2])


def start(lab, hosts, system, **interface):
    for number in hosts:
        lab.add_host(number)
    lab.start(bridge_config(hosts, **interface), system=system)


def balanced(lab):
    totals = lab.show("packets")
    return totals["received"] + totals["created"] == \
        totals["sent"] + totals["dropped"] + totals["held"]


def tcp(lab, source, target, seconds=1):
    server = lab.begin(target, "iperf3", "-s", "-1")
    assert until(3, lambda: ":5201" in lab.in_host(target, "ss", "-ltn").stdout)
    done = lab.in_host(source, "iperf3", "-c", "10.8.0.%d" % target, "--json", "-t", str(seconds))
    server.wait(5)
    return json.loads(done.stdout)["end"]


@needs_two_cpus
def test_two_workers(lab):
    """Each veth has one queue: what one worker receives often leaves by the other's."""
    start(lab, [1, 2, 3], {"workers": cpus()})
    lab.ping(1, 2, "-c", "1")
    lab.ping(1, 2, "-f", "-c", "1000")
    lab.ping(3, 1, "-f", "-c", "1000")
    assert tcp(lab, 1, 3)["sum_received"]["bits_per_second"] > 50e6
    workers = lab.show("workers")
    assert len(workers) == 2
    assert all(w["packets"] > 0 for w in workers)
    assert sum(w["handoffs"] for w in workers) > 0
    assert until(3, lambda: balanced(lab))


@needs_two_cpus
def test_stage_on_another_worker(lab):
    """The bridge runs on the second worker only; the first receives and hands over."""
    first, second = cpus().split(",")
    start(lab, [1, 2], {"workers": cpus(), "stage": [
        {"name": "switching", "cpus": second, "nodes": ["bridge-br0"]}]})
    lab.ping(1, 2, "-c", "1")
    lab.ping(1, 2, "-f", "-c", "1000")
    assert tcp(lab, 2, 1)["sum_received"]["bits_per_second"] > 50e6
    assert lab.checksum_errors(1) == {}
    assert sum(w["handoffs"] for w in lab.show("workers")) > 1000
    assert until(3, lambda: balanced(lab))


def test_poll_mode(lab):
    start(lab, [1, 2], {"mode": "poll"})
    lab.ping(1, 2, "-c", "1")
    lab.ping(1, 2, "-f", "-c", "1000")
    assert lab.show("workers")[0]["sleeps"] == 0


def test_generic_mode_takes_super_frames(lab):
    """Generic XDP leaves the senders' segmentation on: frames of up to 64 KB arrive and
    are cut on the way out."""
    start(lab, [1, 2], {}, options="{mode: generic}")
    lab.ping(1, 2, "-c", "1")
    assert tcp(lab, 1, 2)["sum_received"]["bits_per_second"] > 20e6
    assert lab.checksum_errors(2) == {}
    totals = lab.show("packets")
    assert totals["created"] > 0  # pieces
    assert until(3, lambda: balanced(lab))


@pytest.mark.parametrize("driver", ["packet", "xdp"])
def test_drivers_mix(lab, driver):
    """One side through AF_XDP, the other through a packet socket or AF_XDP too."""
    for number in (1, 2):
        lab.add_host(number)
    lab.start("interface:\n"
              "  h1: {device: port1}\n"
              "  h2: {device: port2, driver: %s}\n"
              "bridge:\n  br0:\n    interface: {h1: {}, h2: {}}\n" % driver)
    lab.ping(1, 2, "-c", "1")
    lab.ping(1, 2, "-c", "100", "-i", "0.01")
    assert tcp(lab, 1, 2)["sum_received"]["bits_per_second"] > 20e6
    assert tcp(lab, 2, 1)["sum_received"]["bits_per_second"] > 20e6
    assert lab.checksum_errors(1) == {}
    assert lab.checksum_errors(2) == {}


def test_reload_under_traffic(lab):
    """A third interface joins, and leaves: not one ping of the others is lost."""
    for number in (1, 2, 3):
        lab.add_host(number)
    lab.start(bridge_config([1, 2]))
    lab.ping(1, 2, "-c", "1")
    ping = lab.begin(1, "ping", "-q", "-c", "300", "-i", "0.01", "10.8.0.2", stdout=-1, text=True)
    for ports in ([1, 2, 3], [1, 2], [1, 2, 3]):
        time.sleep(0.5)
        lab.reload(bridge_config(ports))
        assert until(3, lambda: len(lab.show("interfaces")) == len(ports)), lab.said()
    said = ping.communicate(timeout=20)[0]
    assert " 300 received" in said, said + lab.said()
    assert until(3, lambda: lab.ping(1, 3, "-c", "1", "-W", "0.5", check=False)[0] == 1)
    assert until(3, lambda: balanced(lab))


def test_reload_of_a_bad_file_changes_nothing(switch):
    switch.ping(1, 2, "-c", "1")
    switch.reload("interface: {h1: {drivr: xdp}}\n")
    assert until(3, lambda: "did you mean" in switch.said())
    switch.ping(1, 2, "-c", "20", "-i", "0.01")
    assert len(switch.show("interfaces")) == 3


def test_reload_says_what_must_wait(switch):
    """What the process is made of stays; the rest of the file is applied."""
    switch.reload(bridge_config([1, 2]), system={"buffers": 65536, "mode": "poll"})
    assert until(3, lambda: len(switch.show("interfaces")) == 2), switch.said()
    assert until(1, lambda: "system/buffers has changed" in switch.said())
    assert "system/mode has changed" in switch.said()
    assert "system/workers" not in switch.said()
    switch.ping(1, 2, "-c", "20", "-i", "0.01")


def test_hundred_bridges_of_nothing(lab):
    """Many bridges in one data plane; frames of one never reach another."""
    for number in (1, 2, 3, 4):
        lab.add_host(number)
    text = "interface:\n" + "".join("  h%d: {device: port%d}\n" % (n, n) for n in (1, 2, 3, 4))
    text += "bridge:\n  left:\n    interface: {h1: {}, h2: {}}\n  right:\n    interface: {h3: {}, h4: {}}\n"
    text += "".join("  empty%d: {}\n" % n for n in range(98))
    lab.start(text)
    lab.ping(1, 2, "-c", "3", "-i", "0.05")
    lab.ping(3, 4, "-c", "3", "-i", "0.05")
    assert lab.ping(1, 3, "-c", "1", "-W", "0.5", check=False)[0] == 0
