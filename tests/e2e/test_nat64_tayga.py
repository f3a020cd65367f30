# SPDX-License-Identifier: Apache-2.0
"""The same random packets through tayga, a stateless translator, and through millrace's NAT64.

tayga maps one host's IPv6 address to one IPv4 address, and we the same host to the only address of our
pool with its ports kept, so that both make the same packets. Where they differ, and why:

 - identification: RFC 7915, 5.1 leaves it to the translator;
 - Don't Fragment: tayga 0.9.2 sets it always, RFC 7915, 5.1 only above 1,260 bytes;
 - TTL and hop limit: tayga makes one less, of ours the router does;
 - flow label: tayga and we write 0, and nothing else is asked for.
"""
import os
import pickle
import random
import shutil
import struct

import pytest
from scapy.all import (ICMP, IP, TCP, UDP, ICMPv6DestUnreach, ICMPv6EchoRequest,
                       ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6,
                       IPv6ExtHdrFragment, Raw, raw)

from lab import run, until
from router_lab import RouterLab

PREFIX = "2001:db8:64::"
HOST6, HOST4 = "2001:db8:1::2", "10.9.2.9"  # inside, and as it is outside
PEER4, PEER6 = "10.9.2.2", "2001:db8:64::a09:202"
PORT = 30000


@pytest.fixture
def lab(namespaces):
    if not shutil.which("tayga"):
        pytest.skip("no tayga")
    made = RouterLab()
    made.add_host(1)
    made.add_host(2)
    made.start(made.config(more={"nat64": {"instance": {"x": {
        "inside": ["h1"], "outside": ["h2"], "prefix": PREFIX + "/96", "pool": [HOST4],
        "mtu": 9000, "fragment-above": 9000}}}}))
    # What is for the pool comes to us: nobody answers ARP for it.
    made.in_host(2, "ip", "route", "add", HOST4, "via", "10.9.2.1")
    assert until(10, lambda: made.in_host(1, "ping", "-c", "1", "-W", "1", PEER6, check=False).returncode == 0)
    made.tayga = made.prefix + "-t"
    run("ip", "netns", "add", made.tayga)
    folder = os.path.join(made.folder.name, "tayga")
    os.mkdir(folder)
    with open(folder + "/conf", "w", encoding="utf-8") as file:
        file.write("tun-device nat64\nipv4-addr 10.9.9.1\nprefix %s/96\nmap %s %s\ndata-dir %s\n"
                   % (PREFIX, HOST4, HOST6, folder))
    yield made
    run("ip", "netns", "delete", made.tayga, check=False)
    made.close()


def packets(rng):
    """(from inside, packet) pairs: TCP and UDP both ways, echoes, errors, fragments, options."""
    def six(**more):
        return IPv6(src=HOST6, dst=PEER6, tc=rng.randrange(256), hlim=rng.randrange(3, 256), **more)

    def four(**more):
        return IP(src=PEER4, dst=HOST4, tos=rng.randrange(256), ttl=rng.randrange(3, 256),
                  id=rng.randrange(65536), **more)

    def data(most=1200):
        return Raw(bytes(rng.randrange(256) for _ in range(rng.randrange(most))))

    made = [(True, six() / TCP(sport=PORT, dport=80, flags="S", seq=5)),
            (False, four(flags="DF") / TCP(sport=80, dport=PORT, flags="SA", seq=9, ack=6)),
            (True, six() / UDP(sport=PORT, dport=53) / data()),
            (True, six() / ICMPv6EchoRequest(id=PORT, seq=3, data=b"first"))]
    for _ in range(15):
        made += [
            (True, six() / TCP(sport=PORT, dport=80, flags="A", seq=rng.randrange(1 << 32)) / data()),
            (False, four(flags="DF") / TCP(sport=80, dport=PORT, flags="PA") / data()),
            (True, six() / UDP(sport=PORT, dport=53) / data(1400)),
            (False, four(flags=rng.choice(["DF", 0])) / UDP(sport=53, dport=PORT) / data()),
            (True, six() / ICMPv6EchoRequest(id=PORT, seq=rng.randrange(65536), data=bytes(data()))),
            (False, four() / ICMP(type=0, id=PORT, seq=rng.randrange(65536)) / data()),
            (True, six() / IPv6ExtHdrFragment(offset=0, m=1, id=rng.randrange(1 << 32)) /
             UDP(sport=PORT, dport=53, len=900, chksum=rng.randrange(1, 65536)) / Raw(b"f" * 800)),
            (False, four(flags="MF") / UDP(sport=53, dport=PORT, len=900, chksum=rng.randrange(1, 65536)) /
             Raw(b"f" * 800)),
        ]
        inner6 = IPv6(src=PEER6, dst=HOST6, hlim=9) / UDP(sport=53, dport=PORT) / data(300)
        inner4 = IP(src=HOST4, dst=PEER4, ttl=9, flags="DF", id=7) / UDP(sport=PORT, dport=53) / data(300)
        made += [
            (True, six() / rng.choice([
                ICMPv6DestUnreach(code=rng.choice([0, 1, 3, 4])), ICMPv6TimeExceeded(code=0),
                ICMPv6PacketTooBig(mtu=rng.randrange(1280, 1500)),
                ICMPv6ParamProblem(code=1, ptr=6)]) / inner6),
            (False, four() / rng.choice([
                ICMP(type=3, code=rng.choice([0, 1, 3, 9, 10, 13])), ICMP(type=11, code=0),
                ICMP(type=3, code=4, nexthopmtu=rng.randrange(1300, 1480))]) / inner4)]
    return made


def neutral(packet):
    """Bytes without what the two may choose."""
    data = bytearray(packet)
    if data[0] >> 4 == 6:
        data[7] = 0
        return bytes(data[:40 + struct.unpack("!H", data[4:6])[0]])
    length = struct.unpack("!H", data[2:4])[0]
    data[8] = 0
    headers = [0] + ([28] if data[9] == 1 and data[20] in (3, 11) else [])
    for at in headers:
        # The checksum of what is quoted takes the difference in, so that ICMP's is the same.
        data[at + 10:at + 12] = b"\0\0"
        if not struct.unpack("!H", data[at + 6:at + 8])[0] & 0x3fff:
            data[at + 4:at + 8] = b"\0\0\0\0"
    return bytes(data[:length])


def through_tayga(lab, made):
    """Behind its TUN: packets are written into the other end of a pair that we route over."""
    conf = os.path.join(lab.folder.name, "tayga", "conf")
    script = r"""
import fcntl, os, pickle, select, struct, subprocess, sys, time
def ns(*a): subprocess.run(a, check=True)
ns("tayga", "-c", sys.argv[1], "--mktun")
ns("ip", "link", "set", "lo", "up")
ns("ip", "link", "set", "nat64", "up", "mtu", "9000")
ns("ip", "route", "add", "%s/32" % sys.argv[4], "dev", "nat64")
ns("ip", "-6", "route", "add", sys.argv[5] + "/96", "dev", "nat64")
open("/proc/sys/net/ipv4/ip_forward", "w").write("1")
open("/proc/sys/net/ipv6/conf/all/forwarding", "w").write("1")
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", b"ends", 0x1001))
ns("ip", "link", "set", "ends", "up", "mtu", "9000")
ns("ip", "address", "add", "10.200.0.1/24", "dev", "ends")
ns("ip", "-6", "address", "add", "2001:db8:200::1/64", "dev", "ends", "nodad")
ns("ip", "route", "add", "%s/32" % sys.argv[6], "dev", "ends")
ns("ip", "-6", "route", "add", sys.argv[7] + "/128", "dev", "ends")
for f in ("all", "ends", "nat64"):
    open("/proc/sys/net/ipv4/conf/%s/rp_filter" % f, "w").write("0")
server = subprocess.Popen(["tayga", "-c", sys.argv[1], "-d"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(1)
def drain(seconds):
    while select.select([tun], [], [], seconds)[0]:
        yield os.read(tun, 65536)
list(drain(0.3))
got = []
for six, packet in pickle.load(open(sys.argv[2], "rb")):
    os.write(tun, packet)
    back = [p for p in drain(0.05) if (p[0] >> 4 == 4) == six]
    got.append(back[0] if back else None)
server.terminate()
server.wait()
pickle.dump(got, open(sys.argv[3], "wb"))
"""
    given, got = (os.path.join(lab.folder.name, name) for name in ("given", "got"))
    with open(given, "wb") as file:
        pickle.dump(made, file)
    run("ip", "netns", "exec", lab.tayga, "/usr/bin/python3", "-c", script, conf, given, got,
        HOST4, PREFIX, PEER4, HOST6)
    with open(got, "rb") as file:
        return pickle.load(file)


def through_millrace(lab, made):
    """Sent and caught by packet sockets of the hosts."""
    script = r"""
import ctypes, os, pickle, select, socket, sys
names = sys.argv[1:3]
ends = []
for name in names:
    fd = os.open("/run/netns/" + name, os.O_RDONLY)
    assert ctypes.CDLL(None, use_errno=True).setns(fd, 0) == 0
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind(("eth0", 0))
    mac = s.getsockname()[4]
    ends.append((s, mac))
macs = [bytes.fromhex(m.replace(":", "")) for m in sys.argv[5:7]]
got = []
for six, packet in pickle.load(open(sys.argv[3], "rb")):
    here, there = (0, 1) if six else (1, 0)
    s, mac = ends[here]
    other = ends[there][0]
    while select.select([other], [], [], 0)[0]:
        other.recv(65536)
    s.send(macs[here] + mac + (b"\x86\xdd" if six else b"\x08\x00") + packet)
    found = None
    while found is None and select.select([other], [], [], 0.3)[0]:
        frame, where = other.recvfrom(65536)
        if where[2] == socket.PACKET_OUTGOING:
            continue
        if frame[12:14] == (b"\x08\x00" if six else b"\x86\xdd") and frame[6:12] == macs[there]:
            if six or frame[20] in (6, 17, 44) or frame[54] not in range(133, 138):
                found = frame[14:]
    got.append(found)
pickle.dump(got, open(sys.argv[4], "wb"))
"""
    given, got = (os.path.join(lab.folder.name, name) for name in ("ours-given", "ours-got"))
    with open(given, "wb") as file:
        pickle.dump(made, file)
    macs = []
    for number in (1, 2):
        where = "2001:db8:1::1" if number == 1 else "10.9.2.1"
        shown = lab.in_host(number, "ip", "neigh", "show", where).stdout.split()
        macs.append(shown[shown.index("lladdr") + 1])
    run("/usr/bin/python3", "-c", script, lab.prefix + "-1", lab.prefix + "-2", given, got, *macs)
    with open(got, "rb") as file:
        return pickle.load(file)


def test_same_packets(lab):
    rng = random.Random(7)
    made = [(six, raw(packet)) for six, packet in packets(rng)]
    lab.in_host(2, "ping", "-c", "1", "-W", "1", "10.9.2.1", check=False)
    # The kernels would answer what they did not ask for.
    for number in (1, 2):
        lab.in_host(number, "nft", "add table inet quiet; add chain inet quiet in "
                    "{ type filter hook input priority 0; policy drop; }; add rule inet quiet in "
                    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept")
    ours = through_millrace(lab, made)
    theirs = through_tayga(lab, made)
    same = differ = 0
    for n, (six, packet) in enumerate(made):
        if ours[n] is None or theirs[n] is None:
            continue
        if neutral(ours[n]) == neutral(theirs[n]):
            same += 1
            continue
        differ += 1
        shown = (IPv6 if six else IP)(packet).summary()
        print(n, shown, "\nours  ", neutral(ours[n])[:100].hex(), "\ntayga ", neutral(theirs[n])[:100].hex())
    print("same", same, "differ", differ, "of", len(made), "missing", ours.count(None), theirs.count(None))
    assert differ == 0
    assert same > len(made) * 0.9
