# SPDX-License-Identifier: Apache-2.0
"""The switch's main job: real traffic of real kernels, on veths at default settings."""
import hashlib
import json
import os
import signal
import time

import pytest

from lab import bridge_config, until


def iperf(lab, source, target, *options):
    server = lab.begin(target, "iperf3", "-s", "-1")
    assert until(3, lambda: ":5201" in lab.in_host(target, "ss", "-ltn").stdout)
    done = lab.in_host(source, "iperf3", "-c", "10.8.0.%d" % target, "--json", *options)
    server.wait(5)
    return json.loads(done.stdout)["end"]


def test_first_ping_within_a_second(lab):
    """From the start of the process to a reply, in namespaces made just before."""
    lab.add_host(1)
    lab.add_host(2)
    start = time.monotonic()
    lab.start(bridge_config([1, 2]))  # a ping before that would wait for ARP's second try
    replied = lab.ping(1, 2, "-c", "1", "-W", "2", check=False)[0] == 1
    took = time.monotonic() - start
    assert replied, lab.said()
    assert took < 1.0


@pytest.mark.slow
def test_ten_thousand_pings(switch):
    switch.ping(1, 2, "-c", "1")
    switch.ping(1, 2, "-f", "-c", "10000")


def test_ping_all_sizes(switch):
    switch.ping(1, 2, "-c", "1")
    for size in (0, 1, 18, 46, 1472, 1473, 8000, 60000):
        switch.ping(1, 2, "-c", "3", "-i", "0.01", "-s", str(size))


def test_ip6(switch):
    assert until(3, lambda: switch.in_host(1, "ping", "-6", "-c", "1", "-W", "1", "2001:db8::2",
                                           check=False).returncode == 0)


def test_tcp_without_bad_checksums(switch):
    end = iperf(switch, 1, 2, "-t", "2")
    assert end["sum_received"]["bits_per_second"] > 50e6
    assert switch.checksum_errors(1) == {}
    assert switch.checksum_errors(2) == {}


def _udp_overflows(lab, host):
    """Datagrams that reached the host and found the receiving program's buffer full."""
    names, values = [line.split() for line in lab.in_host(host, "cat", "/proc/net/snmp").stdout
                     .splitlines() if line.startswith("Udp:")]
    return int(dict(zip(names, values))["RcvbufErrors"])


def test_udp_without_bad_checksums(switch):
    """Nothing is lost on the way: what iperf3 misses, its own host threw away."""
    end = iperf(switch, 1, 2, "-u", "-b", "200M", "-t", "2")
    assert end["sum"]["packets"] > 1000
    assert end["sum"]["lost_packets"] <= _udp_overflows(switch, 2)
    assert switch.checksum_errors(2) == {}


def test_tcp_over_ip6(switch):
    server = switch.begin(2, "iperf3", "-s", "-1")
    assert until(3, lambda: ":5201" in switch.in_host(2, "ss", "-ltn").stdout)
    switch.in_host(1, "iperf3", "-6", "-c", "2001:db8::2", "-t", "1")
    server.wait(5)
    assert switch.checksum_errors(1) == {}
    assert switch.checksum_errors(2) == {}


def test_http_download_is_intact(switch, tmp_path):
    content = os.urandom(20 << 20)
    (tmp_path / "file").write_bytes(content)
    switch.begin(2, "/usr/bin/python3", "-m", "http.server", "-d", str(tmp_path), "80")
    assert until(5, lambda: ":80 " in switch.in_host(2, "ss", "-ltn").stdout)
    copy = tmp_path / "copy"
    switch.in_host(1, "curl", "-sS", "-o", str(copy), "http://10.8.0.2/file")
    assert hashlib.sha256(copy.read_bytes()).digest() == hashlib.sha256(content).digest()


def test_jumbo_frames(lab):
    """MTU 9000 on every veth: what does not fit one buffer travels as a chain."""
    for number in (1, 2):
        lab.add_host(number, mtu=9000)
    lab.start(bridge_config([1, 2]))
    lab.ping(1, 2, "-c", "5", "-i", "0.05", "-M", "do", "-s", "8900")
    assert lab.checksum_errors(2) == {}


def test_learned_traffic_is_not_flooded(switch):
    """After both hosts are known, a third one sees none of their unicast."""
    switch.ping(1, 2, "-c", "2", "-i", "0.05")
    before = _received(switch, 3)
    switch.ping(1, 2, "-c", "200", "-i", "0.002")
    assert _received(switch, 3) - before < 20


def _received(lab, host):
    path = "/sys/class/net/eth0/statistics/rx_packets"
    return int(lab.in_host(host, "cat", path).stdout)


def test_vanished_interface_comes_back(switch):
    """A veth is deleted under a running switch: the others go on; when it is made
    anew, so does it."""
    switch.ping(1, 2, "-c", "1")
    switch.remove_link(3)
    switch.ping(1, 2, "-c", "100", "-i", "0.01")
    assert switch.switch.poll() is None, switch.said()
    switch.add_link(3)
    assert until(10, lambda: switch.ping(1, 3, "-c", "1", "-W", "0.2", check=False)[0] == 1), switch.said()
    switch.ping(2, 3, "-c", "50", "-i", "0.01")


def test_interface_goes_down_and_up(switch):
    switch.ping(1, 2, "-c", "1")
    switch.in_host(2, "ip", "link", "set", "eth0", "down")
    switch.ping(1, 3, "-c", "20", "-i", "0.01")
    switch.in_host(2, "ip", "link", "set", "eth0", "up")
    assert until(10, lambda: switch.ping(1, 2, "-c", "1", "-W", "0.2", check=False)[0] == 1), switch.said()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_interfaces_belong_to_the_kernel_afterwards(switch, how):
    """However it ends, nothing of it stays on the interfaces."""
    switch.ping(1, 2, "-c", "1")
    status = switch.stop(how)
    assert status == (0 if how == signal.SIGTERM else -signal.SIGKILL), switch.said()
    switch.in_switch("ip", "address", "add", "10.8.0.254/24", "dev", "port1")
    assert until(5, lambda: switch.ping(1, 254, "-c", "1", "-W", "0.2", check=False)[0] == 1)
    assert "xdp" not in switch.in_switch("ip", "-d", "link", "show", "dev", "port1").stdout


def test_starts_again_after_kill(switch):
    switch.ping(1, 2, "-c", "1")
    switch.stop(signal.SIGKILL)
    switch.start(bridge_config([1, 2, 3]))
    switch.ping(1, 2, "-c", "20", "-i", "0.01")


def test_two_data_planes_side_by_side(namespaces):
    from lab import Lab

    labs = []
    try:
        for _ in range(2):
            one = Lab()
            labs.append(one)
            one.add_host(1)
            one.add_host(2)
            one.start(bridge_config([1, 2]))
        for one in labs:
            one.ping(1, 2, "-c", "20", "-i", "0.01")
    finally:
        for one in labs:
            one.close()


@pytest.mark.slow
def test_idle_uses_no_cpu(switch):
    """An idle switch uses below 1 % of a CPU."""
    switch.ping(1, 2, "-c", "2", "-i", "0.05")
    time.sleep(1)

    def ticks():
        with open("/proc/%d/stat" % switch.switch.pid, encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(5)
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK") / 5
    assert used < 0.01


def test_accounting_is_exact(switch):
    """At quiet: received + created = sent + dropped + held."""
    switch.ping(1, 2, "-f", "-c", "500")
    switch.ping(3, 2, "-f", "-c", "500")

    def balanced():
        totals = switch.show("packets")
        return totals["received"] + totals["created"] == \
            totals["sent"] + totals["dropped"] + totals["held"]

    assert until(3, balanced)
