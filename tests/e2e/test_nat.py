# SPDX-License-Identifier: Apache-2.0
"""Translation with real stacks on both sides."""
import re
import shutil

import pytest

from lab import millrace, until
from nat_lab import NatLab

KINDS = ["endpoint-independent", "address-dependent", "address-and-port-dependent"]
SERVE = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.%s)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
"""
ECHO_TCP = SERVE % "SOCK_STREAM" + """
s.listen(64)
while True:
    c, peer = s.accept()
    data = c.recv(100000)
    c.sendall(("%s %d " % peer).encode() + data)
    c.close()
"""
ECHO_UDP = SERVE % "SOCK_DGRAM" + """
while True:
    data, peer = s.recvfrom(65535)
    s.sendto(("%s %d " % peer).encode() + data, peer)
"""
ASK = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET, kind)
s.settimeout(3)
if int(sys.argv[4]):
    s.bind(("", int(sys.argv[4])))
s.connect((sys.argv[2], int(sys.argv[3])))
s.send(b"x" * int(sys.argv[5]))
got = b""
while True:
    part = s.recv(65535)
    got += part
    if not part or kind == socket.SOCK_DGRAM:
        break
words = got.split(b" ", 2)
print(words[0].decode(), words[1].decode(), len(words[2]))
"""
PYTHON = "/usr/bin/python3"


@pytest.fixture
def nat(namespaces):
    made = []

    def make(*arguments, **more):
        made.append(NatLab(*arguments, **more))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


def ask(lab, host, kind, to, port, own=0, size=10):
    done = lab.in_host(host, PYTHON, "-c", ASK, kind, to, str(port), str(own), str(size))
    address, seen, length = done.stdout.split()
    return address, int(seen), int(length)


def serve(lab, host, kind, address, port):
    lab.begin(host, PYTHON, "-c", ECHO_TCP if kind == "tcp" else ECHO_UDP, address, str(port))
    flag = "-ltn" if kind == "tcp" else "-lun"
    assert until(5, lambda: ":%d " % port in lab.in_host(host, "ss", flag).stdout)


@pytest.mark.parametrize("mode", ["graph", "flow"])
def test_through(nat, mode):
    lab = nat("pool: [203.0.113.8]", mode=mode)
    for kind in ("tcp", "udp"):
        serve(lab, 3, kind, "0.0.0.0", 7000)
        assert ask(lab, 1, kind, "203.0.113.3", 7000, 5000) == ("203.0.113.8", 5000, 10)
        other = ask(lab, 2, kind, "203.0.113.3", 7000, 5000)
        assert other[0] == "203.0.113.8" and other[1] != 5000
    # Fragments, both ways.
    assert ask(lab, 1, "udp", "203.0.113.3", 7000, 5001, 5000)[2] == 5000
    done = lab.in_host(1, "ping", "-c", "5", "-i", "0.05", "-s", "3000", "203.0.113.3")
    assert "5 received" in done.stdout
    # The ends found nothing wrong.
    for host in (1, 2, 3):
        assert lab.checksum_errors(host) == {}
    said = millrace("show", "--socket", lab.socket, "nat-sessions", "10.0.1.5").stdout
    assert "udp 10.0.1.5:5000 as 203.0.113.8:5000" in said
    count = millrace("show", "--socket", lab.socket, "nat-sessions", "--count", "--protocol", "udp")
    assert int(count.stdout) == 3
    shown = lab.show("nat")
    assert shown["instance-state"][0]["udp-ports"] == 3
    assert shown["instance-state"][0]["counters"]["created"] >= 6


@pytest.mark.parametrize("mode", ["graph", "flow"])
def test_load(nat, mode):
    lab = nat("pool: [203.0.113.8], filtering: address-and-port-dependent", mode=mode)
    lab.begin(3, "iperf3", "-s", "-B", "203.0.113.3")
    assert until(5, lambda: ":5201" in lab.in_host(3, "ss", "-ltn").stdout)
    for more in ([], ["-R"], ["-u", "-b", "20M"]):
        done = lab.in_host(1, "iperf3", "-c", "203.0.113.3", "-t", "1", *more)
        assert "iperf Done" in done.stdout
    assert lab.checksum_errors(1) == {} and lab.checksum_errors(3) == {}


def test_traceroute_and_unreachable(nat):
    """ICMP errors from outside and from the router itself reach who they are for."""
    lab = nat("pool: [203.0.113.8]")
    lab.in_host(3, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
    done = lab.in_host(1, PYTHON, "-c", """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(("203.0.113.3", 9))
s.send(b"x")
try:
    s.recv(10)
except ConnectionRefusedError:
    print("refused")
""")
    assert done.stdout.strip() == "refused"
    done = lab.in_host(1, "ping", "-c", "1", "-t", "1", "203.0.113.3", check=False)
    assert "Time to live exceeded" in done.stdout


def test_own_address_forward_and_hairpin(nat):
    lab = nat("forward: {web: {protocol: tcp, port: 8080, to: 10.0.1.5, to-port: 80}}")
    serve(lab, 1, "tcp", "0.0.0.0", 80)
    serve(lab, 3, "tcp", "0.0.0.0", 7000)
    # Masquerade: the interface's own address, which answers pings itself.
    assert ask(lab, 2, "tcp", "203.0.113.3", 7000, 5000) == ("203.0.113.1", 5000, 10)
    assert "1 received" in lab.in_host(3, "ping", "-c", "1", "203.0.113.1").stdout
    assert ask(lab, 3, "tcp", "203.0.113.1", 8080)[0] == "203.0.113.3"
    # From inside by the outside address: the server sees the outside one (RFC 4787, REQ-9).
    assert ask(lab, 2, "tcp", "203.0.113.1", 8080, 6000) == ("203.0.113.1", 6000, 10)
    assert ask(lab, 1, "tcp", "203.0.113.1", 8080, 6001) == ("203.0.113.1", 6001, 10)


def test_explain(nat):
    lab = nat("pool: [203.0.113.8]")
    serve(lab, 3, "udp", "0.0.0.0", 7000)
    ask(lab, 2, "udp", "203.0.113.3", 7000, 5000)  # the next hop is known then
    words = ["in1", "proto=udp", "src=10.0.1.5", "dst=203.0.113.3", "sport=5000", "dport=7000"]
    said = millrace("explain", "--socket", lab.socket, *words).stdout
    assert "no mapping yet" in said, said
    ask(lab, 1, "udp", "203.0.113.3", 7000, 5000)
    said = millrace("explain", "--socket", lab.socket, *words).stdout
    assert "mapping udp 10.0.1.5:5000 as 203.0.113.8:" in said, said


@pytest.mark.parametrize("mapping", range(3))
@pytest.mark.parametrize("filtering", range(3))
def test_discovery(nat, mapping, filtering):
    """turnutils_natdiscovery (RFC 5780) finds the type that is configured."""
    if not shutil.which("turnutils_natdiscovery"):
        pytest.skip("needs coturn")
    lab = nat("pool: [203.0.113.8], port-preservation: false, mapping: %s, filtering: %s" %
              (KINDS[mapping], KINDS[filtering]))
    lab.begin(3, "turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "-L", "198.51.100.7",
              "-L", "198.51.100.8", "--log-file", "stdout",
              "--pidfile", lab.folder.name + "/turn.pid", "--no-auth",
              "--db", lab.folder.name + "/turndb")
    assert until(10, lambda: lab.in_host(3, "ss", "-lun").stdout.count(":3478 ") >= 2)
    said = lab.in_host(1, "turnutils_natdiscovery", "-m", "-f", "198.51.100.7", timeout=90).stdout
    words = re.findall(r"NAT with (.*) (Mapping|Filtering)", said)
    names = ["Endpoint Independent", "Address Dependent", "Address and Port Dependent"]
    assert (names[mapping], "Mapping") in words, said
    assert (names[filtering], "Filtering") in words, said


def test_a_port_that_was_asked_for(nat):
    """By a NAT-PMP client that others wrote, and by PCP; a server behind it is called from outside."""
    lab = nat("pool: [203.0.113.8], filtering: address-and-port-dependent, pcp: {enabled: true}")
    serve(lab, 1, "tcp", "10.0.1.5", 8080)
    done = lab.in_host(1, "natpmpc")
    assert "Public IP address : 203.0.113.8" in done.stdout, done.stdout
    done = lab.in_host(1, "natpmpc", "-a", "9000", "8080", "tcp", "3600")
    assert "Mapped public port 9000 protocol TCP to local port 8080 liftime 3600" in done.stdout, done.stdout
    assert ask(lab, 3, "tcp", "203.0.113.8", 9000, size=5000)[2] == 5000
    # A neighbour inside by the same door.
    assert ask(lab, 2, "tcp", "203.0.113.8", 9000)[0] == "203.0.113.8"
    lines = lab.show("nat-sessions", "10.0.1.5", "--port", "9000")
    assert any(line.get("lease", 0) > 3500 for line in lines), lines
    # Two do not get the same, and each ends its own.
    done = lab.in_host(2, "natpmpc", "-a", "9000", "8080", "tcp", "3600")
    assert "Mapped public port 9000 " not in done.stdout and "protocol TCP" in done.stdout, done.stdout
    assert "liftime 0" in lab.in_host(1, "natpmpc", "-a", "0", "0", "tcp", "0").stdout
    assert until(10, lambda: lab.in_host(3, PYTHON, "-c", ASK, "tcp", "203.0.113.8", "9000", "0", "1",
                                         check=False).returncode != 0)
