# SPDX-License-Identifier: Apache-2.0
"""FRR and BIRD around a millrace router, and as its own daemons.

     host 1: FRR          host 2: BIRD          host 3: either, where there are two ways
     192.168.1.1 on lo    192.168.2.1 on lo     192.168.2.1 too
       |                    |                     |
       h1 ------------ millrace, AS 65000 ------- h3
                            |
              twins; FRR (zebra over FPM) or BIRD (over the kernel)

All sessions run over the data plane: what is for the router goes to its twins, what its
daemons say leaves by its interfaces. MR_SOAK=1 (make soak) makes the long ones of the counts
below.
"""
import json
import os
import random
import re
import subprocess
import time

import pytest

from lab import millrace, until
from router_lab import Bird, Frr, Load, RouterLab, have_bird, have_frr

SOAK = bool(os.environ.get("MR_SOAK"))
RESTARTS = 100 if SOAK else 3
ROUTES = 1000000 if SOAK else 20000

pytestmark = [
    pytest.mark.timeout(3600 if SOAK else 120),
    pytest.mark.skipif(not have_frr(), reason="needs frr"),
    pytest.mark.skipif(not have_bird(), reason="needs bird2"),
]

FPM = "fpm address 127.0.0.1 port 2620\n"
BY_FPM = {"fpm": {"stale-time": 6}, "kernel": {"import": False}}


@pytest.fixture
def lab(namespaces):
    made = RouterLab()
    yield made
    made.close()


def start(lab, hosts, router=None, **interfaces):
    for number in range(1, hosts + 1):
        lab.add_host(number)
    lab.text = lab.config(host=True, router=BY_FPM if router is None else router, **interfaces)
    lab.start(lab.text)
    # Until the addresses of the last twin are in use, those of IPv6 too.
    last = "2001:db8:%d::1" % hosts
    assert until(10, lambda: last in lab.on_router("ip", "address", "show", check=False).stdout), lab.said()


def behind(lab, number, *addresses):
    """Addresses of a host that nobody knows until a routing protocol says so."""
    for address in addresses:
        more = ("nodad",) if ":" in address else ()
        lab.in_host(number, "ip", "address", "add", address, "dev", "lo", *more)


def routes(lab, source="fpm"):
    """The active routes of a source, as shown, by prefix."""
    shown = millrace("show", "routes", "--socket", lab.socket, "--source", source, "--json").stdout
    return {r["prefix"]: r for r in json.loads(shown) if r["state"] == "active"}


def fpm(lab):
    return lab.show("router")[0].get("fpm", {})


def differences(lab, frr=None):
    """What tells the FIB from the RIB, and the RIB from zebra's; nothing when all is well."""
    found = ""
    done = millrace("show", "routes", "--socket", lab.socket, "--diff", check=False)
    if done.returncode:
        found += done.stdout + done.stderr
    for family in ("ip", "ipv6") if frr else ():
        told = frr.vtysh("show %s route json" % family)
        done = millrace("show", "routes", "--socket", lab.socket, "--against", "-", "--source",
                        "fpm", input=told, check=False)
        if done.returncode:
            found += done.stdout + done.stderr
    return found


def agree(lab, frr, seconds=5):
    """Whether FIB, RIB and zebra come to agree, also while the last changes are on their way."""
    assert until(seconds, lambda: not differences(lab, frr)), differences(lab, frr)


def through(lab):
    """Whether packets of both families pass from behind host 1 to behind host 2 and back."""
    few = ("-c", "3", "-i", "0.05", "-W", "1")
    return (lab.pings(1, "192.168.2.1", "-I", "192.168.1.1", *few) == 3 and
            lab.pings(1, "2001:db8:a2::1", "-I", "2001:db8:a1::1", *few) == 3)


def bgp(own, peers, networks=()):
    """FRR's configuration of BGP: `peers` are (address, AS)."""
    lines = ["router bgp %d" % own, " bgp router-id 10.255.0.%d" % (own - 64999),
             " no bgp ebgp-requires-policy", " no bgp network import-check",
             " bgp bestpath as-path multipath-relax", " timers bgp 1 3"]
    for address, number in peers:
        lines += [" neighbor %s remote-as %d" % (address, number),
                  " neighbor %s timers connect 1" % address]
    for family in (4, 6):
        lines += [" address-family ipv%d unicast" % family]
        for address, _ in peers:
            same = (":" in address) == (family == 6)
            lines += ["  %sneighbor %s activate" % ("" if same else "no ", address)]
        lines += ["  network %s" % n for n in networks if (":" in n) == (family == 6)]
        lines += [" exit-address-family"]
    return "\n".join(lines) + "\n"


def both(numbers):
    """The router's BGP peers in these hosts."""
    return [(a % n, 65000 + n) for n in numbers for a in ("10.9.%d.2", "2001:db8:%d::2")]


def bird_bgp(number, networks, more=""):
    """BIRD's configuration as the router's BGP peer in a host."""
    text = "router id 10.9.%d.2;\nprotocol device { scan time 1; }\n" % number
    for family, address in ((4, "10.9.%d"), (6, "2001:db8:%d:")):
        dot = "." if family == 4 else ":"
        text += "protocol static s%d { ipv%d;\n" % (family, family)
        text += "".join("\troute %s blackhole;\n" % n for n in networks
                        if (":" in n) == (family == 6)) + "}\n"
        text += ("protocol bgp b%d { local %s%s2 as %d; neighbor %s%s1 as 65000; connect retry time 1;\n"
                 "\terror wait time 1, 2; connect delay time 1; hold time 3; %s\n"
                 "\tipv%d { import all; export all; }; }\n"
                 % (family, address % number, dot, 65000 + number, address % number, dot, more, family))
    return text


@pytest.fixture
def bgp_lab(lab):
    """FRR in host 1, BIRD in host 2, FRR for the router; all routes there."""
    # Nobody is told why a packet from host 1 is dropped: then it is counted as such.
    start(lab, 2, interfaces={1: {"unreachables": False}})
    behind(lab, 1, "192.168.1.1/24", "2001:db8:a1::1/64")
    behind(lab, 2, "192.168.2.1/24", "2001:db8:a2::1/64")
    lab.router = Frr(lab, "h", FPM + bgp(65000, both([1, 2])))
    lab.one = Frr(lab, 1, bgp(65001, [("10.9.1.1", 65000), ("2001:db8:1::1", 65000)],
                              ["192.168.1.0/24", "2001:db8:a1::/64"]), zebra=None)
    lab.two = Bird(lab, 2, bird_bgp(2, ["192.168.2.0/24", "2001:db8:a2::/64"]))
    wanted = {"192.168.1.0/24", "192.168.2.0/24", "2001:db8:a1::/64", "2001:db8:a2::/64"}
    assert until(20, lambda: set(routes(lab)) == wanted), (
        routes(lab), lab.router.vtysh("show bgp summary"), lab.two.birdc("show protocols"), lab.drops())
    return lab


def test_bgp(bgp_lab):
    """Sessions of both families with both peers; traffic from behind the one to behind the other."""
    lab = bgp_lab
    for peer in ("10.9.1.2", "10.9.2.2", "2001:db8:1::2", "2001:db8:2::2"):
        shown = lab.router.json("show bgp neighbors " + peer)[peer]
        assert shown["bgpState"] == "Established", shown
    assert through(lab)
    agree(lab, lab.router)
    # Each heard of the other's through the router.
    assert "192.168.2.0/24" in lab.one.vtysh("show bgp ipv4 unicast")
    assert "2001:db8:a1::/64" in lab.two.birdc("show", "route")
    # Withdrawn: gone, and what still comes is dropped by name.
    before = lab.drops()
    lab.two.birdc("disable", "s4")
    assert until(5, lambda: "192.168.2.0/24" not in routes(lab)), routes(lab)
    assert lab.pings(1, "192.168.2.1", "-c", "3", "-i", "0.05", "-W", "1") == 0
    drops = lab.drops()
    assert drops.get("icmp-error/no-route", 0) >= before.get("icmp-error/no-route", 0) + 3, drops
    assert lab.pings(1, "2001:db8:a2::1") == 3
    lab.two.birdc("enable", "s4")
    assert until(5, lambda: "192.168.2.0/24" in routes(lab)), routes(lab)
    assert lab.pings(1, "192.168.2.1") == 3
    agree(lab, lab.router)


def settle(lab, wanted, seconds=30):
    """Until FRR has told everything again and what it did not tell is gone."""
    def settled():
        now = fpm(lab)
        return now["state"] == "connected" and not now["stale"] and set(routes(lab)) == wanted
    assert until(seconds, settled), (fpm(lab), set(routes(lab)) ^ wanted, lab.router.vtysh("show bgp summary"))


@pytest.mark.alone
def test_restarts(bgp_lab):
    """zebra dies at any moment and comes back, again and again; then bgpd, then millrace. What
    does not change forwards all the time, and in the end everybody agrees.

    After zebra the daemons that use it are started anew, which is what FRR's watchfrr does: bgpd
    (8.4) does not tell a new zebra what it told the old one."""
    lab = bgp_lab
    here = random.Random(int(os.environ.get("MR_SEED", "1")))
    lab.two.change(bird_bgp(2, ["192.168.2.0/24", "2001:db8:a2::/64"] +
                            ["172.%d.%d.0/24" % (16 + n // 250, n % 250) for n in range(1000)]))
    assert until(10, lambda: len(routes(lab)) == 1004)
    stays, wanted = set(routes(lab)), set()
    for round_ in range(RESTARTS):
        load = Load(lab, 1, "192.168.2.1", "-I", "192.168.1.1")
        load6 = Load(lab, 1, "2001:db8:a2::1", "-I", "2001:db8:a1::1")
        time.sleep(here.uniform(0, 0.5))
        for again in range(1 + (round_ % 3 == 2)):
            # The second time while it learns its routes, or while it tells them.
            time.sleep(again and here.uniform(0, 4))
            lab.router.kill("zebra")
            lab.router.kill("bgpd")
            assert until(2, lambda: fpm(lab)["state"] == "listening"), fpm(lab)
            time.sleep(here.uniform(0, 0.3))
            if again == 0 and round_ % 3 != 2:
                # While nobody hears it one route comes or goes.
                extra = set() if round_ % 3 else {"192.168.100.0/24"}
                wanted = stays | extra
                lab.one.vtysh("configure terminal", "router bgp 65001", "address-family ipv4 unicast",
                              ("" if extra else "no ") + "network 192.168.100.0/24")
            lab.router.start("zebra")
            lab.router.start("bgpd")
        settle(lab, wanted)
        agree(lab, lab.router)
        ends = load.end(), load6.end()
        print("restart %d: %d and %d sent, %d and %d lost" % (round_ + 1, ends[0][0], ends[1][0],
                                                              ends[0][1], ends[1][1]), flush=True)
        for sent, lost, gap in ends:
            assert sent > 50 and lost == 0, (round_, sent, lost, gap)
    changes = fpm(lab)["changes"]
    assert changes["swept"] >= 1 and changes["renewed"] >= 2000, changes

    # bgpd alone: its routes go and come again.
    lab.router.kill("bgpd")
    assert until(5, lambda: not routes(lab)), routes(lab).keys()
    agree(lab, lab.router)
    lab.router.start("bgpd")
    settle(lab, wanted)
    agree(lab, lab.router)

    # millrace: the twins come back, the sessions, zebra's connection.
    lab.stop()
    lab.start(lab.text)
    settle(lab, wanted)
    agree(lab, lab.router)
    assert through(lab)


def test_ospf(lab):
    """OSPFv2 and OSPFv3, with FRR point to point and with BIRD on a broadcast link."""
    start(lab, 2)
    behind(lab, 1, "192.168.1.1/32", "2001:db8:a1::1/128")
    behind(lab, 2, "192.168.2.1/32", "2001:db8:a2::1/128")

    def ospf(number, links):
        text = ""
        for name, kind in links.items():
            text += "interface %s\n ip ospf area 0\n ipv6 ospf6 area 0\n" % name
            if kind:
                text += "".join(" {0} network {1}\n {0} hello-interval 1\n {0} dead-interval 3\n"
                                " {0} retransmit-interval 3\n".format(what, kind)
                                for what in ("ip ospf", "ipv6 ospf6"))
        return text + ("router ospf\n ospf router-id 10.255.0.%d\n timers throttle spf 0 50 500\n"
                       "router ospf6\n ospf6 router-id 10.255.0.%d\n timers throttle spf 0 50 500\n"
                       % (number, number))

    router = Frr(lab, "h", FPM + ospf(1, {"h1": "point-to-point", "h2": "broadcast"}), ("ospfd", "ospf6d"))
    Frr(lab, 1, ospf(2, {"eth0": "point-to-point", "lo": None}), ("ospfd", "ospf6d"), zebra=None)
    area = "area 0 { interface \"eth0\" { type broadcast; hello 1; dead 3; wait 2; retransmit 2; }; }; }\n"
    bird = Bird(lab, 2, "router id 10.255.0.3;\nprotocol device {}\n"
                "protocol static s4 { ipv4; route 192.168.2.1/32 via \"lo\"; }\n"
                "protocol static s6 { ipv6; route 2001:db8:a2::1/128 via \"lo\"; }\n"
                "protocol ospf v2 o4 { ipv4 { export where source = RTS_STATIC; };" + area +
                "protocol ospf v3 o6 { ipv6 { export where source = RTS_STATIC; };" + area)
    wanted = {"192.168.1.1/32", "192.168.2.1/32", "2001:db8:a1::1/128", "2001:db8:a2::1/128"}
    assert until(25, lambda: set(routes(lab)) >= wanted), (
        routes(lab).keys(), router.vtysh("show ip ospf neighbor"), router.vtysh("show ipv6 ospf6 neighbor"),
        bird.birdc("show", "ospf", "neighbors", "o6"), lab.drops())
    assert through(lab)
    agree(lab, router)
    # The far end falls silent.
    bird.stop()
    assert until(6, lambda: not set(routes(lab)) & {"192.168.2.1/32", "2001:db8:a2::1/128"}), routes(lab)
    agree(lab, router)


def test_isis(lab):
    """IS-IS, which is no IP: with one neighbour point to point, with the other on a LAN."""
    start(lab, 2)
    behind(lab, 1, "192.168.1.1/32", "2001:db8:a1::1/128")
    behind(lab, 2, "192.168.2.1/32", "2001:db8:a2::1/128")

    def isis(number, links):
        text = ""
        for name, kind in links.items():
            text += "interface %s\n ip router isis 1\n ipv6 router isis 1\n" % name
            text += {"p2p": " isis network point-to-point\n isis hello-interval 1\n isis hello-multiplier 3\n",
                     "lan": " isis hello-interval 1\n isis hello-multiplier 3\n",
                     "lo": " isis passive\n"}[kind]
        # The interval first: the second LSP would come after the 30 seconds of the default.
        return text + ("router isis 1\n lsp-gen-interval 1\n is-type level-2-only\n"
                       " net 49.0001.0000.0000.000%d.00\n" % number)

    router = Frr(lab, "h", FPM + isis(1, {"h1": "p2p", "h2": "lan"}), ("isisd",))
    one = Frr(lab, 1, isis(2, {"eth0": "p2p", "lo": "lo"}), ("isisd",), zebra=None)
    two = Frr(lab, 2, isis(3, {"eth0": "lan", "lo": "lo"}), ("isisd",), zebra=None)
    wanted = {"192.168.1.1/32", "192.168.2.1/32", "2001:db8:a1::1/128", "2001:db8:a2::1/128"}
    assert until(25, lambda: set(routes(lab)) >= wanted), (
        routes(lab).keys(), router.vtysh("show isis neighbor"), one.vtysh("show isis neighbor"),
        two.vtysh("show isis neighbor"), lab.drops())
    assert through(lab)
    agree(lab, router)
    seen = {c["name"]: c for c in lab.show("router")[0]["host"]["class"]}
    assert seen["isis"]["packets"] > 5 and seen["isis"]["limited"] == 0, seen["isis"]


def bfd_profile(interval):
    return ("bfd\n profile fast\n  receive-interval %d\n  transmit-interval %d\n  detect-multiplier 3\n"
            % (interval, interval))


def with_bfd(config):
    """Every neighbour of a BGP configuration with BFD."""
    return re.sub(r"( neighbor (\S+) timers connect 1\n)", r"\1 neighbor \2 bfd\n neighbor \2 bfd profile fast\n",
                  config)


def bird_bfd(interval):
    return ("protocol bfd { interface \"eth0\" { min rx interval %d ms; min tx interval %d ms; multiplier 3; }; }\n"
            % (interval, interval))


FLOOD = """
import socket, sys, time
from scapy.all import ARP, Ether, ICMP, IP, TCP, UDP, IPv6, ICMPv6EchoRequest, getmacbyip
mac = getmacbyip(sys.argv[1])
to = sys.argv[1]
makes = [lambda i: IP(dst=to) / UDP(sport=i, dport=5000 + i), lambda i: IP(dst=to) / TCP(sport=i, dport=179),
         lambda i: IP(dst=to) / TCP(sport=i, dport=22), lambda i: IP(dst=to) / ICMP(id=i),
         lambda i: IP(dst=to) / UDP(sport=i, dport=161), lambda i: IP(dst=to, proto=89) / bytes(40),
         lambda i: IP(dst=to) / UDP(sport=i, dport=33434), lambda i: IP(dst=to, proto=103) / bytes(20)]
frames = [bytes(Ether(dst=mac) / makes[i % len(makes)](1024 + i)) for i in range(256)]
frames += [bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst=to)) for i in range(32)]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
print("flooding", flush=True)
rate = float(sys.argv[3])
began = time.monotonic()
end = began + float(sys.argv[2])
sent = 0
while time.monotonic() < end:
    if sent > (time.monotonic() - began) * rate:
        time.sleep(0.0005)
        continue
    for f in frames:
        try:
            s.send(f)
            sent += 1
        except OSError:
            pass
print(sent)
"""


def test_bfd(lab):
    """300 ms three times, with FRR and BIRD: no flap in five seconds of floods, a cut is seen."""
    start(lab, 3)
    router = Frr(lab, "h", FPM + bfd_profile(300) + with_bfd(bgp(65000, both([1, 2]))), ("bgpd", "bfdd"))
    Frr(lab, 1, bfd_profile(300) + with_bfd(bgp(65001, [("10.9.1.1", 65000), ("2001:db8:1::1", 65000)])),
        ("bgpd", "bfdd"), zebra=None)
    Bird(lab, 2, bird_bgp(2, ["192.168.2.0/24"], "bfd on;") + bird_bfd(300))

    def sessions():
        return {p["peer"]: p for p in json.loads(router.vtysh("show bfd peers json") or "[]")}

    def downs():
        return {p["peer"]: p["session-down"] for p in json.loads(router.vtysh("show bfd peers counters json"))}

    def up():
        now = sessions()
        return len(now) == 4 and all(p["status"] == "up" and p["remote-transmit-interval"] == 300
                                     for p in now.values())

    assert until(20, up), (sessions(), lab.drops())
    before = downs()
    # As fast as it goes from a host without sessions, more than its port takes; then on the link
    # of a session, more than all classes let through together.
    for source, rate in ((3, 1e9), (1, 100e3)):
        flood = lab.begin(source, "/usr/bin/python3", "-c", FLOOD, "10.9.%d.1" % source, "2.5", str(rate),
                          stdout=subprocess.PIPE, text=True)
        assert flood.stdout.readline() == "flooding\n"
        sent = int(flood.communicate(timeout=20)[0])
        limited = {c["name"]: c["limited"] for c in lab.show("router")[0]["host"]["class"]}
        print("flood from host %d: %.0f packets/s, limited in all: %s"
              % (source, sent / 2.5, {k: v for k, v in limited.items() if v}))
        assert sum(limited.values()) > 10000 and limited["bfd"] == limited["bgp"] == 0, limited
        assert downs() == before and up(), (source, before, downs(), sessions())
    # The other end falls silent, its link stays up.
    began = time.monotonic()
    lab.silence(1)
    assert until(3, lambda: sessions()["10.9.1.2"]["status"] == "down"), sessions()
    took = time.monotonic() - began
    print("BFD, 300 ms x 3: down after %.2f s" % took)
    assert took < 1.5, took  # with what vtysh takes on a busy machine
    assert sessions()["10.9.2.2"]["status"] == "up"


def two_ways(lab, kernel=False):
    """Hosts 2 and 3 both have 192.168.2.1; host 1 talks to it."""
    start(lab, 3, {} if kernel else None)
    behind(lab, 1, *["192.168.1.%d/32" % n for n in range(1, 33)])
    behind(lab, 2, "192.168.2.1/24")
    behind(lab, 3, "192.168.2.1/24")


def test_a_link_is_cut(lab):
    """Two ways, and the better one goes: with its carrier, then in silence, which BFD sees."""
    two_ways(lab)
    router = Frr(lab, "h", FPM + bfd_profile(150) + with_bfd(bgp(65000, both([2, 3]))) +
                 "ip route 192.168.1.0/24 10.9.1.2\n", ("bgpd", "bfdd", "staticd"))
    Bird(lab, 2, bird_bgp(2, ["192.168.2.0/24"], "bfd on;") + bird_bfd(150))
    Bird(lab, 3, bird_bgp(3, ["192.168.2.0/24"], "bfd on;").replace(
        "export all", "export filter { bgp_path.prepend(65003); bgp_path.prepend(65003); accept; }") + bird_bfd(150))

    def way():
        return json.dumps(routes(lab).get("192.168.2.0/24", {}))

    def ready():
        peers = json.loads(router.vtysh("show bfd peers json", check=False) or "[]")
        return "10.9.2.2" in way() and sum(p["status"] == "up" for p in peers) == 4

    for how, cut, mend in (("carrier", lambda: lab.in_host(2, "ip", "link", "set", "eth0", "down"),
                            lambda: lab.cable(2)),
                           ("BFD", lambda: lab.silence(2), lambda: None)):
        assert until(20, ready), (way(), router.vtysh("show bgp summary"), router.vtysh("show bfd peers"))
        # The session to the second way has told its routes, too.
        assert until(5, lambda: json.loads(router.vtysh("show bgp ipv4 unicast 192.168.2.0/24 json")).get(
            "pathCount", 2) == 2)
        load = Load(lab, 1, "192.168.2.1", "-I", "192.168.1.1")
        time.sleep(0.5)
        cut()
        assert until(5, lambda: "10.9.3.2" in way()), way()
        time.sleep(0.7)
        sent, lost, gap = load.end()
        print("%s: %d sent, %d lost, %.2f s without an answer" % (how, sent, lost, gap))
        assert sent > 50 and gap < 1, (how, sent, lost, gap)
        agree(lab, router)
        mend()


def test_bird_over_the_kernel(lab):
    """BIRD as the router's own daemon: its routes come by way of the kernel, two next hops too."""
    two_ways(lab, kernel=True)
    text = "router id 10.255.0.1;\nprotocol device { scan time 1; }\n"
    for family in (4, 6):
        text += ("protocol kernel k%d { ipv%d { import none; export where source = RTS_BGP; };"
                 " merge paths on; persist; graceful restart; }\n" % (family, family))
    for n, (address, number) in enumerate(both([1, 2, 3])):
        family = 6 if ":" in address else 4
        text += ("protocol bgp p%d { local as 65000; neighbor %s as %d; connect delay time 1; hold time 9;\n"
                 "\tconnect retry time 1; error wait time 1, 2; graceful restart;\n"
                 "\tipv%d { import all; export all; }; }\n" % (n, address, number, family))
    bird = Bird(lab, "h", text)
    for number in (1, 2, 3):
        name = min(number, 2)
        Bird(lab, number, bird_bgp(number, ["192.168.%d.0/24" % name, "2001:db8:a%d::/64" % name]))

    def complete():
        now = routes(lab, "kernel")
        return ({"192.168.1.0/24", "192.168.2.0/24", "2001:db8:a1::/64", "2001:db8:a2::/64"} <= set(now) and
                all(n in json.dumps(now["192.168.2.0/24"]) for n in ("10.9.2.2", "10.9.3.2")))

    assert until(25, complete), (routes(lab, "kernel"), bird.birdc("show", "protocols"),
                                 lab.on_router("ip", "route").stdout, lab.drops())

    def agreed():
        told = bird.birdc("show", "route", "primary")
        for words in (("--diff",), ("--against", "-", "--source", "kernel")):
            done = millrace("show", "routes", "--socket", lab.socket, *words, input=told, check=False)
            if done.returncode:
                return done.stdout + done.stderr
        return ""

    # Each flow keeps to one of the ways, and both have some.
    for n in range(1, 33):
        assert lab.pings(1, "192.168.2.1", "-I", "192.168.1.%d" % n, "-c", "2", "-i", "0.01", "-W", "1") == 2
    seen = [lab.snmp(number, "Icmp", "InEchos") for number in (2, 3)]
    assert sum(seen) == 64 and min(seen) >= 8 and seen[0] % 2 == 0, seen
    print("ECMP: %d and %d of 32 flows" % (seen[0] // 2, seen[1] // 2))
    assert not differences(lab), differences(lab)
    # BIRD dies and comes back: nobody notices.
    load = Load(lab, 1, "192.168.2.1", "-I", "192.168.1.1")
    time.sleep(0.3)
    bird.stop()
    time.sleep(0.3)
    bird.start("-R")
    assert until(10, lambda: bird.birdc("show", "protocols", check=False).count("Established") == 6)
    time.sleep(0.3)
    sent, lost, gap = load.end()
    assert sent > 50 and lost == 0, (sent, lost, gap)
    # One of the ways goes.
    lab.in_host(3, "ip", "link", "set", "eth0", "down")
    assert until(15, lambda: "10.9.3.2" not in json.dumps(routes(lab, "kernel").get("192.168.2.0/24", "10.9.3.2")))
    for n in range(1, 9):
        assert lab.pings(1, "192.168.2.1", "-I", "192.168.1.%d" % n, "-c", "1", "-W", "1") == 1
    assert until(5, lambda: not differences(lab)), differences(lab)
    assert until(5, lambda: not agreed()), agreed()


def memory(process):
    """Resident megabytes of a process."""
    with open("/proc/%d/status" % process.pid, encoding="utf-8") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


def test_a_table_through_frr(lab):
    """A peer announces a table; it goes through bgpd, zebra and FPM; then it is withdrawn."""
    start(lab, 2)
    router = Frr(lab, "h", FPM + bgp(65000, [("10.9.2.2", 65002)]).replace("timers bgp 1 3", "timers bgp 20 60"))
    bird = Bird(lab, 2, bird_bgp(2, ["192.168.2.0/24"]).replace("hold time 3", "hold time 60"))
    assert until(20, lambda: "192.168.2.0/24" in routes(lab))
    before = memory(lab.switch)
    behind(lab, 2, "20.0.7.1/32")
    bird.change(bird_bgp(2, ["192.168.2.0/24"] + ["%d.%d.%d.0/24" % (20 + (n >> 16), n >> 8 & 255, n & 255)
                                                 for n in range(ROUTES)]).replace("hold time 3", "hold time 60"))
    began = time.monotonic()
    assert until(300, lambda: fpm(lab)["imported"] == ROUTES + 1), (fpm(lab), router.vtysh("show bgp summary"))
    took = time.monotonic() - began
    shown = lab.show("router")[0]["fib"]
    print("%d routes from BIRD by BGP, bgpd, zebra and FPM: %.1f s, %.0f MB more; the FIB has %.1f MB"
          % (ROUTES, took, memory(lab.switch) - before, shown["ipv4-bytes"] / 1e6))
    assert lab.pings(1, "20.0.7.1") == 3
    if ROUTES <= 100000:
        agree(lab, router)
    else:
        # zebra's own list of a million is a gigabyte; what it gave to the kernel is the same.
        told = lab.on_router("ip", "-j", "route", timeout=300).stdout
        done = millrace("show", "routes", "--socket", lab.socket, "--against", "-", "--source", "fpm",
                        input=told, check=False, timeout=300)
        assert done.returncode == 0, (done.stdout + done.stderr)[:2000]
        assert not differences(lab)
    bird.birdc("disable", "s4")
    began = time.monotonic()
    assert until(300, lambda: not fpm(lab)["imported"]), fpm(lab)
    print("all withdrawn in %.1f s" % (time.monotonic() - began))
    assert not differences(lab)
    assert lab.pings(1, "20.0.7.1", "-c", "1", "-W", "1") == 0
