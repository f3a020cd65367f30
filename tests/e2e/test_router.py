# SPDX-License-Identifier: Apache-2.0
"""Real hosts around a millrace that routes: what an operator would try first, and what goes wrong."""
import json
import re
import sys
import time

import pytest
import yaml

from lab import until
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


def iperf(lab, client, number, address, *options, seconds=1):
    """Bits per second that arrived."""
    server = lab.begin(number, "iperf3", "-s", "-1")
    try:
        assert until(5, lambda: ":5201 " in lab.in_host(number, "ss", "-Htln").stdout)
        done = lab.in_host(client, "iperf3", "-c", address, "-t", str(seconds), "-J", *options, check=False)
        assert done.returncode == 0 and "sum_received" in done.stdout, done.stdout + done.stderr
        return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]
    finally:
        server.kill()
        server.wait()


def flows(lab, source, address, count=256):
    """Sends UDP from so many ports."""
    lab.in_host(source, sys.executable, "-c", (
        "import socket\n"
        "for i in range(%d):\n"
        "    s = socket.socket(%s, socket.SOCK_DGRAM)\n"
        "    s.bind(('', 20000 + i))\n"
        "    s.sendto(b'flow', ('%s', 4000))\n"
        "    s.close()\n") % (count, "socket.AF_INET6" if ":" in address else "socket.AF_INET", address))


def listen(lab, number):
    """Writes down the source ports of what comes; told() ends it and returns them."""
    script = ("import socket, signal, sys\n"
              "s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))\n"
              "s.bind(('eth0', 0))\n"
              "s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)\n"
              "s.settimeout(0.5)\n"
              "print('ready', flush=True)\n"
              "ports = set()\n"
              "try:\n"
              "    while True:\n"
              "        d, where = s.recvfrom(2048)\n"
              "        if where[2] == 4 or len(d) < 28: continue\n"
              "        at = 40 if d[0] >> 4 == 6 else 20\n"
              "        if d[6 if at == 40 else 9] == 17 and d[at + 2:at + 4] == b'\\x0f\\xa0':\n"
              "            ports.add(d[at] << 8 | d[at + 1])\n"
              "except TimeoutError:\n"
              "    print(*sorted(ports), flush=True)\n")
    process = lab.begin(number, sys.executable, "-c", script, stdout=-1, text=True)
    assert process.stdout.readline() == "ready\n"

    def told():
        return {int(word) for word in process.communicate(timeout=20)[0].split()}

    return told


def spread(lab, source, address, hosts):
    """Which flows each of the hosts got."""
    ears = [listen(lab, number) for number in hosts]
    flows(lab, source, address)
    return [told() for told in ears]


def traceroute(lab, source, address):
    """The routers that answer, by hop limit."""
    hops = []
    for ttl in (1, 2, 3):
        done = lab.in_host(source, "ping", "-n", "-c", "1", "-W", "1", "-t", str(ttl), address, check=False)
        found = re.search(r"From ([0-9a-f.:]+?):? ", done.stdout)
        hops.append(found.group(1) if found else None)
    return hops


def route_of(lab, prefix):
    return [r for r in lab.show("routes") if r["prefix"] == prefix]


def start(lab, config):
    """Until duplicate detection is through: what IPv6 says of errors has a source only then."""
    lab.start(config)
    assert until(5, lambda: all(
        a["state"] == "preferred" for r in lab.show("router") for i in r["interface"]
        for a in i.get("current-address", [])))


def cut(lab, number):
    lab.in_host(number, "ip", "link", "set", "eth0", "down")
    assert until(2, lambda: states(lab)["h%d" % number] == "down")


def mend(lab, number):
    """The kernel has forgotten the routes and IPv6 addresses of the link meanwhile."""
    lab.in_host(number, "ip", "link", "set", "eth0", "up")
    lab.in_host(number, "ip", "route", "replace", "default", "via", "10.9.%d.1" % number)
    lab.in_host(number, "ip", "address", "replace", "2001:db8:%d::2/64" % number, "dev", "eth0", "nodad")
    lab.in_host(number, "ip", "-6", "route", "replace", "default", "via", "2001:db8:%d::1" % number)
    assert until(2, lambda: states(lab)["h%d" % number] == "up")


def states(lab):
    return {i["name"]: i["state"] for i in lab.show("router")[0]["interface"]}


def test_hosts_reach_each_other(lab):
    start(lab, lab.config())
    for source, target in ((1, 2), (2, 1)):
        assert lab.ping4(source, target) == 3
        assert lab.ping6(source, target) == 3
    assert traceroute(lab, 1, "10.9.2.2") == ["10.9.1.1", None, None]
    assert traceroute(lab, 1, "2001:db8:2::2") == ["2001:db8:1::1", None, None]
    # The TTL that arrives is one less.
    assert "ttl=63" in lab.in_host(1, "ping", "-n", "-c", "1", "10.9.2.2").stdout
    assert "ttl=63" in lab.in_host(1, "ping", "-n", "-c", "1", "2001:db8:2::2").stdout
    assert lab.stop() == 0


@pytest.mark.slow
def test_tcp(lab):
    """TCP and UDP both ways, both families, and no kernel finds a wrong checksum."""
    start(lab, lab.config())
    for address in ("10.9.2.2", "2001:db8:2::2"):
        assert iperf(lab, 1, 2, address) > 20e6
        assert iperf(lab, 1, 2, address, "-R") > 20e6
        assert iperf(lab, 1, 2, address, "-u", "-b", "20M", "-l", "1200") > 5e6
    for number in (1, 2):
        assert not lab.checksum_errors(number)


def test_loopback(lab):
    """Its addresses do not depend on any link."""
    start(lab, lab.config(more={}, router={"interface": dict(
        tree_of(lab.config())["router"]["default"]["interface"],
        lo={"loopback": True, "address": ["10.255.0.1/32", "2001:db8:ff::1/128"]})}))
    for address in ("10.255.0.1", "2001:db8:ff::1"):
        assert lab.pings(1, address) == 3, address
    cut(lab, 2)
    assert states(lab)["lo"] == "up" and lab.pings(1, "10.255.0.1") == 3


def test_vlans(lab):
    lab.add_vlan(1, 7, "10.7.0.2/24", "2001:db8:70::2/64")
    lab.add_vlan(2, 8, "10.8.0.2/24", "2001:db8:80::2/64")
    lab.in_host(1, "ip", "route", "add", "10.8.0.0/24", "via", "10.7.0.1")
    lab.in_host(2, "ip", "route", "add", "10.7.0.0/24", "via", "10.8.0.1")
    lab.in_host(1, "ip", "route", "add", "2001:db8:80::/64", "via", "2001:db8:70::1")
    lab.in_host(2, "ip", "route", "add", "2001:db8:70::/64", "via", "2001:db8:80::1")
    tree = tree_of(lab.config())
    tree["router"]["default"]["interface"].update({
        "v7": {"parent": "h1", "vlan": 7, "address": ["10.7.0.1/24", "2001:db8:70::1/64"]},
        "v8": {"parent": "h2", "vlan": 8, "address": ["10.8.0.1/24", "2001:db8:80::1/64"]}})
    start(lab, text_of(tree))
    for address in ("10.7.0.1", "10.8.0.1", "10.8.0.2", "2001:db8:80::2"):
        assert lab.pings(1, address) == 3, address
    assert lab.pings(1, "10.8.0.2", "-c", "3", "-i", "0.1", "-W", "1", "-s", "1472") == 3
    assert iperf(lab, 1, 2, "10.8.0.2", seconds=1) > 20e6
    for number in (1, 2):
        assert not lab.checksum_errors(number)
    cut(lab, 2)
    assert states(lab)["v8"] == "down" and states(lab)["v7"] == "up"


def test_unnumbered(lab):
    """A link without a subnet: the router speaks from its loopback, a route leads to the host."""
    lab.in_host(1, "ip", "address", "flush", "dev", "eth0", "scope", "global")
    lab.in_host(1, "ip", "address", "add", "172.16.5.5/32", "dev", "eth0")
    lab.in_host(1, "ip", "route", "add", "10.255.0.1", "dev", "eth0")
    lab.in_host(1, "ip", "route", "replace", "default", "via", "10.255.0.1", "src", "172.16.5.5")
    tree = tree_of(lab.config())
    router = tree["router"]["default"]
    router["interface"]["lo"] = {"loopback": True, "address": ["10.255.0.1/32"]}
    router["interface"]["h1"] = {"unnumbered": "lo"}
    router["route"] = {"172.16.5.5/32": {"interface": "h1"}}
    start(lab, text_of(tree))
    assert lab.pings(1, "10.255.0.1") == 3
    assert lab.pings(1, "10.9.2.2") == 3
    assert lab.pings(2, "172.16.5.5") == 3
    assert traceroute(lab, 1, "10.9.2.2")[0] == "10.255.0.1"


def test_overlapping_vrfs(lab):
    """Two routers, the same addresses, and nothing leaks."""
    lab.add_host(3)
    lab.add_host(4)
    for number, twin in ((3, 1), (4, 2)):
        lab.in_host(number, "ip", "address", "flush", "dev", "eth0", "scope", "global")
        lab.in_host(number, "ip", "address", "add", "10.9.%d.2/24" % twin, "dev", "eth0")
        lab.in_host(number, "ip", "address", "add", "2001:db8:%d::2/64" % twin, "dev", "eth0", "nodad")
        lab.in_host(number, "ip", "route", "replace", "default", "via", "10.9.%d.1" % twin)
        lab.in_host(number, "ip", "-6", "route", "replace", "default", "via", "2001:db8:%d::1" % twin)
    tree = tree_of(lab.config(numbers=[1, 2]))
    tree["interface"].update({"h3": {"device": "port3"}, "h4": {"device": "port4"}})
    tree["router"]["other"] = {
        "interface": {"h3": {"address": ["10.9.1.1/24", "2001:db8:1::1/64"]},
                      "h4": {"address": ["10.9.2.1/24", "2001:db8:2::1/64"]}},
        "route": {"198.51.100.0/24": {"action": "prohibit"}}}
    start(lab, text_of(tree))
    for number in (1, 3):
        assert lab.pings(number, "10.9.2.2") == 3 and lab.pings(number, "2001:db8:2::2") == 3
    ears = {number: listen(lab, number) for number in (2, 4)}
    flows(lab, 1, "10.9.2.2", 64)
    assert len(ears[2]()) == 64 and not ears[4]()
    ears = {number: listen(lab, number) for number in (2, 4)}
    flows(lab, 3, "2001:db8:2::2", 64)
    assert not ears[2]() and len(ears[4]()) == 64
    assert "Packet filtered" in lab.in_host(3, "ping", "-n", "-c", "1", "-W", "1", "198.51.100.1", check=False).stdout
    assert "Net Unreachable" in lab.in_host(1, "ping", "-n", "-c", "1", "-W", "1", "198.51.100.1", check=False).stdout


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_ecmp(lab, six):
    """Flows are spread by weight; a next hop that goes away moves its own flows and no others."""
    lab.add_host(3)
    lab.add_host(4)
    prefix, hop = ("2001:db8:e::/48", "2001:db8:%d::2") if six else ("198.51.100.0/24", "10.9.%d.2")
    target = "2001:db8:e::7" if six else "198.51.100.7"
    start(lab, lab.config(router={"route": {prefix: {"next-hop": {
        "a": {"via": hop % 2, "weight": 2}, "b": {"via": hop % 3}, "c": {"via": hop % 4}}}}}))
    for number in (2, 3, 4):
        assert (lab.ping6 if six else lab.ping4)(1, number) == 3
    first = spread(lab, 1, target, (2, 3, 4))
    assert sum(len(f) for f in first) == 256 and len(set().union(*first)) == 256
    assert 90 <= len(first[0]) <= 166 and 34 <= len(first[1]) <= 94 and 34 <= len(first[2]) <= 94
    assert spread(lab, 1, target, (2, 3, 4)) == first, "flows keep their way"
    # One goes away: the others' flows stay where they are.
    cut(lab, 3)
    without = spread(lab, 1, target, (2, 4))
    assert first[0] <= without[0] and first[2] <= without[1]
    assert without[0] | without[1] == set().union(*first)
    assert without[0] & first[1] and without[1] & first[1], "shared among who is left"
    # And back: exactly as before.
    mend(lab, 3)
    assert until(5, lambda: (lab.pings(1, hop % 3, "-c", "1", "-W", "1") == 1))
    assert spread(lab, 1, target, (2, 3, 4)) == first


def test_actions_of_routes(lab):
    """Unreachable, prohibit, blackhole, and a more specific route out of them."""
    routes = {}
    for at, action in enumerate(("unreachable", "prohibit", "blackhole")):
        routes["198.51.%d.0/24" % at] = {"action": action}
        routes["2001:db8:f%d::/48" % at] = {"action": action}
    routes["198.51.2.128/25"] = {"via": "10.9.2.2"}
    lab.in_host(2, "ip", "address", "add", "198.51.2.129/32", "dev", "lo")
    start(lab, lab.config(router={"route": routes}))

    def said(address):
        return lab.in_host(1, "ping", "-n", "-c", "1", "-W", "0.5", address, check=False).stdout

    assert "Host Unreachable" in said("198.51.0.1")
    assert "Packet filtered" in said("198.51.1.1")
    assert "From" not in said("198.51.2.1")
    assert "Net Unreachable" in said("198.51.3.1")
    assert "Address unreachable" in said("2001:db8:f0::1")
    assert "Administratively prohibited" in said("2001:db8:f1::1")
    assert "From" not in said("2001:db8:f2::1")
    assert "No route" in said("2001:db8:f3::1")
    assert lab.pings(1, "198.51.2.129") == 3
    assert lab.drops()["ip-input/blackhole"] == 2
    counters = lab.show("router")[0]["icmp"]["counters"]
    assert counters["sent-unreachable4"] == 3 and counters["sent-unreachable6"] == 3


@pytest.mark.slow
def test_path_mtu(lab):
    """TCP through a narrow link: its ends learn the MTU."""
    lab.add_host(3, mtu=1300)
    # The host itself believes in more, as behind another router.
    start(lab, lab.config())
    done = lab.in_host(1, "ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1400", "10.9.3.2", check=False)
    assert "mtu = 1300" in done.stdout
    done = lab.in_host(1, "ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", "1400", "2001:db8:3::2", check=False)
    assert "mtu=1300" in done.stdout
    for address in ("10.9.3.2", "2001:db8:3::2"):
        # MSS 1460 is announced by host 1 alone; what host 3 sends is small. Upload must shrink.
        lab.in_host(1, "ip", "route", "flush", "cache", check=False)
        assert iperf(lab, 1, 3, address) > 10e6
        assert iperf(lab, 1, 3, address, "-R") > 10e6
    assert lab.pings(1, "10.9.3.2", "-c", "2", "-i", "0.1", "-W", "1", "-M", "dont", "-s", "4000") == 2
    for number in (1, 3):
        assert not lab.checksum_errors(number)


def test_mss_is_clamped(lab):
    start(lab, lab.config(interfaces={2: {"clamp-mss": True, "clamp-mss4": 1000, "clamp-mss6": 900}}))
    script = ("import socket, sys\n"
              "s = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True)\n"
              "print('ready', flush=True)\n"
              "for i in range(2):\n"
              "    c, _ = s.accept()\n"
              "    print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), flush=True)\n")
    server = lab.begin(2, sys.executable, "-c", script, stdout=-1, text=True)
    assert server.stdout.readline() == "ready\n"
    connect = ("import socket, sys\n"
               "c = socket.create_connection((sys.argv[1], 7000), timeout=3)\n"
               "print(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))\n")
    mine = [int(lab.in_host(1, sys.executable, "-c", connect, a).stdout)
            for a in ("10.9.2.2", "2001:db8:2::2")]
    theirs = [int(line) for line in server.communicate(timeout=5)[0].split()]
    # Time stamps take twelve bytes of it.
    assert [m + 12 for m in mine] == [1000, 900] and [t + 12 for t in theirs] == [1000, 900]


def test_reverse_path(lab):
    start(lab, lab.config(interfaces={1: {"reverse-path4": "strict", "reverse-path6": "loose"}}))
    assert lab.ping4(1, 2) == 3 and lab.ping6(1, 2) == 3
    lab.in_host(1, "ip", "address", "add", "10.9.2.77/32", "dev", "lo")
    lab.in_host(1, "ip", "address", "add", "2001:db8:77::1/128", "dev", "lo")
    lab.in_host(1, "ip", "address", "add", "2001:db8:2::77/128", "dev", "lo")
    for source, target in (("10.9.2.77", "10.9.2.2"), ("2001:db8:77::1", "2001:db8:2::2"),
                           ("2001:db8:2::77", "2001:db8:2::2")):
        ear = listen(lab, 2)
        lab.in_host(1, sys.executable, "-c", (
            "import socket\ns = socket.socket(%s, socket.SOCK_DGRAM)\ns.bind(('%s', 0))\n"
            "for i in range(5): s.sendto(b'x', ('%s', 4000))") % (
                "socket.AF_INET6" if ":" in source else "socket.AF_INET", source, target))
        assert bool(ear()) == (source == "2001:db8:2::77"), source
    drops = lab.drops()
    assert drops["ip-input/reverse-path4"] == 5 and drops["ip-input/reverse-path6"] == 5


@pytest.mark.alone
def test_reload_under_traffic(lab):
    """Twenty changes of the configuration cost no packet of the flows that they do not touch."""
    lab.add_host(3)
    start(lab, lab.config())
    assert lab.ping4(1, 2) == 3 and lab.ping6(1, 2) == 3
    pings = [lab.begin(1, "ping", "-n", "-q", "-i", "0.002", "-c", "1200", "-W", "2", address,
                       stdout=-1, text=True) for address in ("10.9.2.2", "2001:db8:2::2")]
    for turn in range(20):
        more = {"route": {"203.0.%d.0/24" % n: {"via": "10.9.%d.2" % (2 + n % 2)} for n in range(turn * 5)}}
        settings = {3: {"mtu": 1400 + turn}} if turn % 2 else {}
        numbers = [1, 2, 3] if turn % 3 else [1, 2]
        lab.reload(lab.config(numbers=numbers, router=more, interfaces=settings))
        time.sleep(0.15)
    for process in pings:
        out = process.communicate(timeout=20)[0]
        assert " 0% packet loss" in out, out
    assert lab.stop() == 0


def test_link_is_cut_and_comes_back(lab):
    lab.add_host(3)
    lab.in_host(3, "ip", "address", "add", "198.51.100.1/32", "dev", "lo")
    start(lab, lab.config(router={"route": {"198.51.100.0/24": {"via": "10.9.3.2"}}}))
    assert lab.pings(1, "198.51.100.1") == 3
    cut(lab, 3)
    assert "Unreachable" in lab.in_host(1, "ping", "-n", "-c", "1", "-W", "1", "198.51.100.1", check=False).stdout
    assert lab.ping4(1, 2) == 3, "nobody else notices"
    mend(lab, 3)
    assert until(5, lambda: lab.pings(1, "198.51.100.1", "-c", "1", "-W", "1") == 1)
    # The device goes away altogether, and another one of its name comes.
    lab.remove_link(3)
    assert until(3, lambda: states(lab)["h3"] == "down")
    assert lab.ping4(1, 2) == 3
    lab.add_link(3)
    assert until(10, lambda: lab.pings(1, "198.51.100.1", "-c", "1", "-W", "1") == 1)


@pytest.mark.parametrize("router, said", [
    ({"route": {"198.51.100.0/24": {"interface": "h7"}}}, "h7"),
    ({"route": {"198.51.100.0/24": {"next-hop": {"x": {"via": "10.9.2.2", "interface": "h7"}}}}}, "h7"),
    ({"route": {"2001:db8:e::/48": {"via": "10.9.2.2"}}}, "2001:db8:e::/48"),
    ({"route": {"198.51.100.0/24": {}}}, "198.51.100.0/24"),
    ({"route": {"198.51.100.0/24": {"via": "10.9.2.2", "action": "blackhole"}}}, "198.51.100.0/24"),
])
def test_what_cannot_be_is_refused(lab, router, said):
    """Named by its path and why; and a reload with it changes nothing."""
    lab.start(lab.config(router=router), wait=False)
    lab.switch.wait(5)
    assert lab.switch.returncode != 0
    assert said in lab.said(), lab.said()


def test_refused_reload_changes_nothing(lab):
    start(lab, lab.config())
    assert lab.ping4(1, 2) == 3
    lab.reload(lab.config(router={"route": {"198.51.100.0/24": {"interface": "h7"}}}))
    assert until(2, lambda: "h7" in lab.said())
    assert lab.ping4(1, 2) == 3
    assert not route_of(lab, "198.51.100.0/24")


def test_routes_that_lead_nowhere(lab):
    """A next hop that resolves to itself, two that resolve to each other, one that is our own: shown as
    what they are, and packets are told so."""
    start(lab, lab.config(router={"route": {
        "198.51.100.0/24": {"via": "198.51.100.1"},
        "198.51.101.0/24": {"via": "198.51.102.1"},
        "198.51.102.0/24": {"via": "198.51.101.1"},
        "198.51.103.0/24": {"via": "192.0.2.1"},
        "198.51.104.0/24": {"via": "10.9.1.1"},
        "198.51.105.0/24": {"via": "127.0.0.1"},
        "198.51.106.0/24": {"via": "224.0.0.1"},
        "2001:db8:e::/48": {"via": "2001:db8:e::1"}}}))
    for prefix, state in (
            ("198.51.100.0/24", "loops"), ("198.51.101.0/24", "loops"), ("198.51.102.0/24", "loops"),
            ("2001:db8:e::/48", "loops"), ("198.51.103.0/24", "unresolved"),
            ("198.51.104.0/24", "loops"), ("198.51.105.0/24", "unresolved"),
            ("198.51.106.0/24", "unresolved")):
        assert [r["state"] for r in route_of(lab, prefix)] == [state], (prefix, route_of(lab, prefix))
    for address in ("198.51.100.9", "198.51.101.9", "198.51.103.9", "198.51.104.9", "2001:db8:e::9"):
        done = lab.in_host(1, "ping", "-n", "-c", "1", "-W", "1", address, check=False)
        assert re.search("nreachable|No route", done.stdout), (address, done.stdout)
    assert lab.ping4(1, 2) == 3
