# SPDX-License-Identifier: Apache-2.0
"""The router's own host: a namespace whose kernel believes that the wires end there."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import yaml

from lab import MILLRACE, run, until
from router_lab import RouterLab


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    yield made
    made.close()


def tree_of(text):
    return yaml.safe_load(text)


def text_of(tree):
    return "".join("%s: %s\n" % (key, json.dumps(value)) for key, value in tree.items())


def twin(lab, name):
    """What ip says of a twin; null when there is none."""
    done = lab.on_router("ip", "-j", "address", "show", "dev", name, check=False)
    return json.loads(done.stdout)[0] if done.returncode == 0 else None


def addresses(lab, name):
    return {"%s/%d" % (a["local"], a["prefixlen"]) for a in twin(lab, name)["addr_info"]}


def shown(lab):
    return lab.show("router")[0]


def classes(lab):
    return {c["name"]: c for c in shown(lab)["host"]["class"]}


def current(lab, interface):
    for entry in shown(lab)["interface"]:
        if entry["name"] == interface:
            return {a["address"]: a for a in entry.get("current-address", [])}
    return {}


def ping_from_router(lab, address, *options):
    options = options or ("-c", "3", "-i", "0.1", "-W", "1")
    done = lab.on_router("ping", "-n", "-q", *options, address, check=False)
    return " 0% packet loss" in done.stdout


SERVER = """
import socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])),
                         family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
while True:
    c, peer = s.accept()
    while True:
        data = c.recv(65536)
        if not data:
            break
        c.sendall(data)
    c.close()
"""

CLIENT = """
import os, socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)
sent = os.urandom(int(sys.argv[3]))
got = b""
import threading
threading.Thread(target=lambda: (c.sendall(sent), c.shutdown(socket.SHUT_WR)), daemon=True).start()
while True:
    data = c.recv(65536)
    if not data:
        break
    got += data
sys.exit(got != sent)
"""


def serve(lab, where, address, port):
    process = lab.begin(where, sys.executable, "-c", SERVER, address, str(port))
    assert until(5, lambda: ":%d" % port in lab.in_host(where, "ss", "-Htln").stdout)
    return process


def echo_back(lab, source, address, port, size=300000):
    done = lab.in_host(source, sys.executable, "-c", CLIENT, address, str(port), str(size),
                       check=False)
    return done.returncode == 0


def test_ping_and_tcp_both_ways(lab):
    lab.start(lab.config(host=True))
    # IPv6 addresses are in use once nobody has objected to them.
    assert until(4, lambda: "2001:db8:2::1/64" in addresses(lab, "h2"))
    for address in ("10.9.1.1", "2001:db8:1::1", "10.9.2.1"):
        assert lab.pings(1, address) == 3
    assert lab.pings(1, "10.9.1.1", "-c", "2", "-i", "0.1", "-W", "1", "-s", "8000") == 2
    for address in ("10.9.1.2", "2001:db8:1::2", "10.9.2.2", "2001:db8:2::2"):
        assert ping_from_router(lab, address)
    assert ping_from_router(lab, "10.9.1.2", "-c", "2", "-i", "0.1", "-W", "1", "-s", "8000")
    # TCP to the router and from it: super-frames, unfinished checksums.
    serve(lab, "h", "0.0.0.0", 2222)
    serve(lab, "h", "::", 2223)
    serve(lab, 2, "10.9.2.2", 2224)
    assert echo_back(lab, 1, "10.9.1.1", 2222)
    assert echo_back(lab, 1, "10.9.2.1", 2222)  # the address of another interface
    assert echo_back(lab, 2, "2001:db8:2::1", 2223)
    assert echo_back(lab, "h", "10.9.2.2", 2224)
    for place in (1, 2, "h"):
        assert not lab.checksum_errors(place)
    seen = classes(lab)
    assert seen["tcp"]["packets"] > 100 and seen["tcp"]["limited"] == 0
    assert seen["tcp-new"]["packets"] >= 4
    assert seen["echo"]["packets"] >= 9
    assert seen["fragments"]["packets"] >= 12
    assert lab.stop() == 0


def test_twins_follow_their_interfaces(lab):
    lab.add_host(3, mtu=1400)
    more = {"lo0": {"loopback": True, "address": ["10.255.0.1/32", "2001:db8:ff::1/128"]},
            "h1.7": {"parent": "h1", "vlan": 7, "address": ["10.7.0.1/24"]},
            "h2.8": {"parent": "h2", "vlan": 8, "host": False}}
    tree = tree_of(lab.config(host=True))
    tree["router"]["default"]["interface"].update(more)
    lab.start(text_of(tree))
    mac = json.loads(lab.in_switch("ip", "-j", "link", "show", "port1").stdout)[0]["address"]
    h1 = twin(lab, "h1")
    assert h1["address"] == mac and h1["mtu"] == 1500 and "LOWER_UP" in h1["flags"]
    assert until(4, lambda: addresses(lab, "h1") >= {"10.9.1.1/24", "2001:db8:1::1/64"})
    assert until(4, lambda: len(addresses(lab, "h1")) == 3)
    assert sum(a.startswith("fe80:") for a in addresses(lab, "h1")) == 1
    assert twin(lab, "h3")["mtu"] == 1400
    assert addresses(lab, "h1.7") == {"10.7.0.1/24"}
    assert twin(lab, "h1.7")["address"] == mac
    assert twin(lab, "h2.8") is None
    assert addresses(lab, "lo") == {"127.0.0.1/8", "::1/128", "10.255.0.1/32", "2001:db8:ff::1/128"}
    # A link that is cut is seen at once, and only there.
    lab.in_host(1, "ip", "link", "set", "eth0", "down")
    assert until(1, lambda: "NO-CARRIER" in twin(lab, "h1")["flags"])
    assert "NO-CARRIER" in twin(lab, "h1.7")["flags"]
    assert "LOWER_UP" in twin(lab, "h2")["flags"]
    lab.in_host(1, "ip", "link", "set", "eth0", "up")
    assert until(1, lambda: "LOWER_UP" in twin(lab, "h1")["flags"])
    # A change of the configuration leaves the other twins as they are.
    before = twin(lab, "h2")["ifindex"]
    del tree["router"]["default"]["interface"]["h1.7"]
    tree["router"]["default"]["interface"]["h2"]["address"] = ["10.9.2.1/24", "10.9.22.1/24"]
    tree["router"]["default"]["interface"]["lo0"]["address"] = ["10.255.0.2/32"]
    lab.reload(text_of(tree))
    assert until(2, lambda: twin(lab, "h1.7") is None)
    assert until(1, lambda: "10.9.22.1/24" in addresses(lab, "h2"))
    assert "2001:db8:2::1/64" not in addresses(lab, "h2")
    assert twin(lab, "h2")["ifindex"] == before
    assert addresses(lab, "lo") == {"127.0.0.1/8", "::1/128", "10.255.0.2/32"}
    # One that is deleted comes back.
    lab.on_router("ip", "link", "delete", "h2")
    assert until(4, lambda: twin(lab, "h2") and "10.9.22.1/24" in addresses(lab, "h2"))
    assert ping_from_router(lab, "10.9.2.2")
    assert lab.stop() == 0
    # The namespace was there before: it stays, with nothing of ours.
    assert twin(lab, "h1") is None
    assert addresses(lab, "lo") == {"127.0.0.1/8", "::1/128"}


def test_vlan(lab):
    lab.add_vlan(1, 7, "10.7.0.2/24", "2001:db8:7::2/64")
    tree = tree_of(lab.config(host=True))
    tree["router"]["default"]["interface"]["v7"] = {
        "parent": "h1", "vlan": 7, "address": ["10.7.0.1/24", "2001:db8:7::1/64"]}
    lab.start(text_of(tree))
    assert until(4, lambda: "2001:db8:7::1/64" in addresses(lab, "v7"))
    assert lab.pings(1, "10.7.0.1") == 3
    assert ping_from_router(lab, "10.7.0.2")
    assert ping_from_router(lab, "2001:db8:7::2")
    serve(lab, "h", "0.0.0.0", 2222)
    assert echo_back(lab, 1, "10.7.0.1", 2222)
    serve(lab, 1, "10.7.0.2", 2223)
    assert echo_back(lab, "h", "10.7.0.2", 2223)
    assert not lab.checksum_errors(1)
    assert not lab.checksum_errors("h")
    # On the twin there is no tag.
    twins = {t["name"]: t for t in shown(lab)["host"]["twin"]}
    assert twins["v7"]["to-host"] > 10 and twins["v7"]["from-host"] > 10


def test_tcpdump(lab, tmp_path):
    lab.start(lab.config(host=True))
    dump = lab.begin("h", "tcpdump", "-i", "h1", "-c", "4", "-Z", "root", "-w",
                     str(tmp_path / "dump"), "udp port 7777", stderr=subprocess.PIPE, text=True)
    assert "listening" in dump.stderr.readline()
    for _ in range(4):
        lab.in_host(1, sys.executable, "-c",
                    "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
                    ".sendto(b'seen', ('10.9.1.1', 7777))")
    assert dump.wait(5) == 0
    read = run("tcpdump", "-n", "-A", "-r", str(tmp_path / "dump"))
    assert read.stdout.count("10.9.1.2.") >= 4 and "seen" in read.stdout


def test_addresses_of_the_kernel(lab):
    """What somebody adds in the namespace is an address of the router."""
    lab.start(lab.config(host=True, router={}))
    lab.on_router("ip", "address", "add", "10.9.1.77/24", "dev", "h1")
    lab.on_router("ip", "address", "add", "2001:db8:1::77/64", "dev", "h1", "nodad")
    lab.on_router("ip", "address", "add", "10.66.0.1/24", "dev", "h2")
    assert until(2, lambda: "10.9.1.77/24" in current(lab, "h1"))
    assert current(lab, "h1")["10.9.1.77/24"]["origin"] == "kernel"
    assert until(2, lambda: lab.pings(1, "10.9.1.77") == 3)
    assert lab.pings(1, "2001:db8:1::77") == 3
    assert lab.pings(1, "10.66.0.1") == 3
    # It stays over a reload, and goes as it came.
    lab.reload(lab.config(host=True, interfaces={2: {"mtu": 1400}}))
    assert until(2, lambda: twin(lab, "h2")["mtu"] == 1400)
    assert "10.9.1.77/24" in current(lab, "h1")
    assert lab.pings(1, "10.9.1.77") == 3
    lab.on_router("ip", "address", "delete", "10.9.1.77/24", "dev", "h1")
    assert until(2, lambda: "10.9.1.77/24" not in current(lab, "h1"))
    assert lab.pings(1, "10.9.1.77", "-c", "1", "-W", "1") == 0
    # Ours come back when they are taken away there.
    lab.on_router("ip", "address", "delete", "10.9.1.1/24", "dev", "h1")
    assert until(2, lambda: "10.9.1.1/24" in addresses(lab, "h1"))


def test_multicast(lab):
    lab.start(lab.config(host=True))
    receive = ("import socket, struct\n"
               "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
               "s.bind(('', 6000))\n"
               "s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,\n"
               "             socket.inet_aton('239.7.7.7') + socket.inet_aton('10.9.1.1'))\n"
               "s.settimeout(15)\n"
               "print('ready', flush=True)\n"
               "print(s.recv(100).decode(), flush=True)\n")
    send = ("import socket\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "s.sendto(b'hello', ('239.7.7.7', 6000))\n")
    lab.in_host(1, sys.executable, "-c", send)
    assert until(2, lambda: lab.drops().get("ip-local/not-joined", 0) >= 1)
    process = lab.begin("h", sys.executable, "-c", receive, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"

    def heard():
        lab.in_host(1, sys.executable, "-c", send)
        time.sleep(0.1)
        return process.poll() is not None

    assert until(5, heard)
    assert process.stdout.read() == "hello\n"


def test_limits_and_sources(lab):
    tree = tree_of(lab.config(host=True))
    tree["router"]["default"]["host"]["punt"] = {
        "udp": {"rate": 10, "burst": 5}, "tcp-new": {"allow": ["10.9.2.0/24"]},
        "echo": {"rate": 0}}
    lab.start(text_of(tree))
    serve(lab, "h", "0.0.0.0", 2222)
    assert echo_back(lab, 2, "10.9.2.1", 2222)
    flood = ("import socket\n"
             "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
             "for i in range(2000): s.sendto(b'x', ('10.9.1.1', 7777))\n")
    lab.in_host(1, sys.executable, "-c", flood)
    assert until(2, lambda: classes(lab)["udp"]["limited"] > 1500)
    assert classes(lab)["udp"]["packets"] < 100
    done = lab.in_host(1, sys.executable, "-c",
                       "import socket; socket.create_connection(('10.9.1.1', 2222), timeout=0.5)",
                       check=False)
    assert done.returncode != 0
    assert classes(lab)["tcp-new"]["refused"] >= 1
    assert lab.pings(1, "10.9.1.1", "-c", "1", "-W", "1") == 0
    drops = lab.drops()
    for reason in ("udp-limited", "not-allowed", "echo-limited"):
        assert drops["ip-local/" + reason] > 0


def test_flood_leaves_a_session_alone(lab):
    """SYNs and forged segments to port 179, while a session there goes on."""
    lab.start(lab.config(host=True))
    serve(lab, "h", "0.0.0.0", 179)
    script = ("import socket, sys, time\n"
              "c = socket.create_connection(('10.9.1.1', 179), timeout=3)\n"
              "worst = 0\n"
              "for i in range(60):\n"
              "    before = time.monotonic()\n"
              "    c.sendall(b'k' * 19)\n"
              "    got = b''\n"
              "    while len(got) < 19: got += c.recv(19)\n"
              "    worst = max(worst, time.monotonic() - before)\n"
              "    time.sleep(0.05)\n"
              "print(worst)\n")
    session = lab.begin(1, sys.executable, "-c", script, stdout=subprocess.PIPE, text=True)
    time.sleep(0.3)
    flood = ("from scapy.all import *\n"
             "import sys\n"
             "s = conf.L2socket(iface='eth0')\n"
             "mac = getmacbyip('10.9.2.1')\n"
             "frames = [bytes(Ether(dst=mac)/IP(src='10.9.2.%d' % (3 + i % 200), dst='10.9.1.1')/\n"
             "                TCP(sport=1024 + i, dport=179, flags='SA'[i % 2])) for i in range(512)]\n"
             "end = time.time() + 2.5\n"
             "while time.time() < end:\n"
             "    for f in frames: s.send(f)\n")
    lab.in_host(2, "/usr/bin/python3", "-c", flood)
    out = session.communicate(timeout=20)[0]
    seen = classes(lab)
    assert seen["bgp-new"]["limited"] > 1000, seen["bgp-new"]
    assert seen["bgp"]["limited"] == 0
    assert float(out) < 0.15


def test_made_and_left(lab):
    """A namespace that we make goes with us; one where somebody lives stays."""
    name = lab.prefix + "-m"
    tree = tree_of(lab.config())
    tree["router"]["default"]["host"] = {"namespace": name}
    path = lab.write(text_of(tree))
    # Not by ip netns exec: what is mounted under that, nobody else sees.
    enter = ("nsenter", "--net=/run/netns/%s-s" % lab.prefix, os.path.abspath(MILLRACE), "run", path)

    def start():
        process = subprocess.Popen(enter, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.processes.append(process)
        assert until(5, lab.answers)
        return process

    def stop(process):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        lab.processes.remove(process)

    try:
        first = start()
        assert shown(lab)["host"]["made"] is True
        assert "h1" in run("ip", "netns", "exec", name, "ip", "link").stdout
        stop(first)
        assert not os.path.exists("/run/netns/" + name)
        second = start()
        guest = subprocess.Popen(("ip", "netns", "exec", name, "sleep", "60"))
        assert until(5, lambda: str(guest.pid) in run("ip", "netns", "pids", name).stdout)
        stop(second)
        assert os.path.exists("/run/netns/" + name)
        assert "h1" not in run("ip", "netns", "exec", name, "ip", "link").stdout
        # It is found again by the next one, and is not its own.
        third = start()
        assert "h1" in run("ip", "netns", "exec", name, "ip", "link").stdout
        guest.kill()
        guest.wait()
        stop(third)
        assert os.path.exists("/run/netns/" + name)
    finally:
        run("ip", "netns", "delete", name, check=False)


def test_no_host(lab):
    """Without a namespace: echo is answered, the rest has a name."""
    lab.start(lab.config())
    assert lab.pings(1, "10.9.1.1") == 3
    lab.in_host(1, sys.executable, "-c",
                "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
                ".sendto(b'x', ('10.9.1.1', 7777))")
    assert until(2, lambda: lab.drops().get("ip-local/no-twin", 0) >= 1)
