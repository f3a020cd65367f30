# SPDX-License-Identifier: Apache-2.0
"""Routes from FRR over FPM.

     host 1 --- h1  millrace  h2 --- host 2, with 10.77.0.1 and 2001:db8:77::1 behind it
                     | FPM
                   zebra, staticd in the namespace of the router's host
"""
import re
import socket
import struct
import time

import pytest

from lab import until
from router_lab import Frr, RouterLab, have_frr

STATIC = """
fpm address 127.0.0.1 port 2620
ip route 10.77.0.0/16 10.9.2.2
ip route 10.78.0.0/16 10.9.1.2
ip route 10.78.0.0/16 10.9.2.2
ip route 10.79.0.0/16 blackhole
ipv6 route 2001:db8:77::/48 2001:db8:2::2
"""


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    for number in (1, 2):
        made.add_host(number)
    made.in_host(2, "ip", "address", "add", "10.77.0.1/32", "dev", "lo")
    made.in_host(2, "ip", "address", "add", "2001:db8:77::1/128", "dev", "lo", "nodad")
    yield made
    made.close()


def start(lab, **settings):
    """The kernel's routes are left alone, so that what forwards came over FPM."""
    lab.start(lab.config(host=True, router={"fpm": settings, "kernel": {"import": False}}))
    assert until(10, lambda: fpm(lab).get("state") == "listening"), lab.said()


def fpm(lab):
    return lab.show("router")[0].get("fpm", {})


def route4(number, prefix, length=24):
    """A frame that adds a blackhole to a prefix."""
    body = struct.pack("=BBBBBBBBI", 2, length, 0, 0, 254, 186, 0, 6, 0)
    body += struct.pack("=HH", 8, 1) + prefix
    message = struct.pack("=IHHII", 16 + len(body), 24, 0x501, number, 0) + body
    return struct.pack("!BBH", 1, 1, 4 + len(message)) + message


def dial(lab):
    """A connection from within the router's host namespace, made by a thread of this process."""
    import threading
    made = []

    def run_inside():
        import ctypes
        with open("/run/netns/" + lab.host_side, "rb") as name_space:
            if ctypes.CDLL(None, use_errno=True).setns(name_space.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.create_connection(("127.0.0.1", 2620), 5))

    thread = threading.Thread(target=run_inside)
    thread.start()
    thread.join()
    return made[0]


@pytest.mark.skipif(not have_frr(), reason="needs frr")
def test_zebra(lab):
    start(lab)
    frr = Frr(lab, "h", STATIC, daemons=("staticd",), zebra=("-M", "dplane_fpm_nl"))
    assert until(20, lambda: fpm(lab)["imported"] == 4), (fpm(lab), frr.vtysh("show ip route"))
    assert until(5, lambda: lab.pings(1, "10.77.0.1") == 3)
    assert until(5, lambda: lab.pings(1, "2001:db8:77::1") == 3)
    # Changes, with next-hop groups and without.
    for groups in ("fpm use-next-hop-groups", "no fpm use-next-hop-groups"):
        frr.vtysh("configure terminal", groups)
        assert until(20, lambda: fpm(lab).get("state") == "connected" and fpm(lab)["stale"] == 0), fpm(lab)
        frr.vtysh("configure terminal", "no ip route 10.77.0.0/16 10.9.2.2")
        assert until(20, lambda: fpm(lab)["imported"] == 3), fpm(lab)
        assert lab.pings(1, "10.77.0.1") == 0
        frr.vtysh("configure terminal", "ip route 10.77.0.0/16 10.9.2.2")
        assert until(20, lambda: fpm(lab)["imported"] == 4), fpm(lab)
        assert lab.pings(1, "10.77.0.1") == 3
    shown = fpm(lab)
    assert "error" not in shown and shown["foreign"] == 0, shown


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.skipif(not have_frr(), reason="needs frr")
def test_zebra_dies_three_times(lab):
    """No packet is lost while zebra is killed and started again, and what is not told again goes."""
    start(lab, **{"stale-time": 8})
    frr = Frr(lab, "h", STATIC, daemons=("staticd",), zebra=("-M", "dplane_fpm_nl"))
    assert until(20, lambda: fpm(lab)["imported"] == 4), fpm(lab)
    assert until(5, lambda: lab.pings(1, "10.77.0.1") == 3)
    load = lab.begin(1, "ping", "-n", "-q", "-i", "0.01", "-c", "10000", "10.77.0.1",
                     stdout=open(lab.folder.name + "/ping", "w", encoding="utf-8"))
    for round_ in range(3):
        for name in ("zebra", "staticd"):
            frr.kill(name)
        assert until(20, lambda: fpm(lab)["state"] == "listening"), fpm(lab)
        assert fpm(lab)["stale"] == fpm(lab)["imported"] == 4 + round_
        more = ["ip route 10.8%d.0.0/16 10.9.2.2" % n for n in range(round_ + 1)]
        with open(frr.config, "w", encoding="utf-8") as file:
            file.write(STATIC + "\n".join(more) + "\n")
        frr.start("zebra")
        frr.start("staticd")
        frr.vtysh("configure terminal", *more, check=False)
        assert until(30, lambda: fpm(lab)["state"] == "connected" and fpm(lab)["stale"] == 0 and
                     fpm(lab)["imported"] == 5 + round_), fpm(lab)
        assert load.poll() is None
    # The sweep: staticd comes back with less.
    for name in ("zebra", "staticd"):
        frr.kill(name)
    with open(frr.config, "w", encoding="utf-8") as file:
        file.write("fpm address 127.0.0.1 port 2620\nip route 10.77.0.0/16 10.9.2.2\n")
    frr.start("zebra")
    frr.start("staticd")
    # What zebra has now is what counts: it may have taken up some of its own from the kernel.
    def of_zebra():
        return (frr.vtysh("show ip route static", check=False) +
                frr.vtysh("show ipv6 route static", check=False)).count("S>*")

    assert until(40, lambda: fpm(lab)["stale"] == 0 and fpm(lab)["state"] == "connected" and
                 fpm(lab)["imported"] == of_zebra() < 7), (str(fpm(lab)), of_zebra())
    assert fpm(lab)["changes"]["swept"] >= 1
    load.send_signal(2)
    load.wait(10)
    with open(lab.folder.name + "/ping", encoding="utf-8") as file:
        text = file.read()
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
    assert sent > 500 and sent - received <= 1, text  # the last one may be on its way


def test_peers_that_misbehave(lab):
    """Garbage and hang-ups are named; the routes that came before them stay."""
    start(lab)
    peer = dial(lab)
    peer.sendall(b"".join(route4(n, bytes([10, 200, n, 0])) for n in range(100)))
    assert until(20, lambda: fpm(lab)["imported"] == 100)
    peer.sendall(b"\x02\x01\x00\x04")
    assert until(20, lambda: fpm(lab)["state"] == "listening")
    assert peer.recv(1) == b""
    shown = fpm(lab)
    assert shown["imported"] == shown["stale"] == 100
    assert {"name": "bad-version", "count": 1} in shown["error"]
    assert "bad-version" in shown["last-error"]
    peer = dial(lab)
    peer.sendall(route4(1, bytes([10, 201, 0, 0]))[:-3])
    peer.close()
    assert until(20, lambda: fpm(lab)["connections"]["hung-up"] == 1), fpm(lab)
    first, second = dial(lab), dial(lab)
    assert until(20, lambda: fpm(lab)["connections"]["replaced"] == 1), fpm(lab)
    assert first.recv(1) == b""
    second.sendall(route4(1, bytes([10, 202, 0, 0])))
    assert until(20, lambda: fpm(lab)["imported"] == 101), fpm(lab)
    assert lab.ping4(1, 2) == 3


@pytest.mark.slow
def test_a_full_table(lab):
    """A million routes at once, while the router goes on answering and forwarding."""
    start(lab)
    frames = []
    for n in range(1000000):
        frames.append(route4(n, bytes([20 + (n >> 16), n >> 8 & 255, n & 255, 0])))
    stream = b"".join(frames)
    peer = dial(lab)
    load = lab.begin(1, "ping", "-n", "-q", "-i", "0.01", "-c", "100000", "10.9.2.2",
                     stdout=open(lab.folder.name + "/ping", "w", encoding="utf-8"))
    began = time.monotonic()
    peer.sendall(stream)
    assert until(60, lambda: fpm(lab)["imported"] == 1000000), fpm(lab)
    took = time.monotonic() - began
    load.send_signal(2)
    load.wait(10)
    with open(lab.folder.name + "/ping", encoding="utf-8") as file:
        text = file.read()
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
    assert sent - received <= 1, text
    print("1,000,000 routes in %.1f s" % took)
    assert took < 30
