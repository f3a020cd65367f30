# SPDX-License-Identifier: Apache-2.0
"""millrace explain: what would happen to a packet, asked of a running millrace."""
import json
import os
import re
import struct
import subprocess

import pytest

from lab import MILLRACE, millrace, until
from router_lab import RouterLab

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def router(namespaces):
    """A router between two hosts that have talked, with a route of each kind."""
    made = RouterLab()
    try:
        for number in (1, 2):
            made.add_host(number)
        made.start(made.config(router={"route": {
            "10.77.0.0/16": {"action": "blackhole"},
            "10.78.0.0/16": {"action": "unreachable"},
            "10.79.0.0/16": {"via": "10.9.2.2"}}}))
        assert until(10, lambda: made.ping4(1, 2, "-c", "1", "-W", "1") == 1)
        yield made
    finally:
        made.close()


def explain(lab, *words, **options):
    return millrace("explain", "--socket", lab.socket, *words, **options)


def lines(done):
    return [line.strip() for line in done.stdout.splitlines()]


def counters(lab):
    """Everything that counts packets, and every drop."""
    shown = lab.show("nodes")
    return {row["name"]: row.get("packets") for row in shown}, lab.show("drops", "--all")


def test_forwarded(router):
    mac = router.in_host(2, "cat", "/sys/class/net/eth0/address").stdout.strip()
    said = lines(explain(router, "h1", "src=10.9.1.2", "dst=10.79.1.1", "proto=udp", "dport=53"))
    assert said[0].startswith("h1: 10.9.1.2:49152 > 10.79.1.1:53 UDP")
    assert "ip-input" in said
    assert "on interface h1 of router default" in said
    assert "IPv4 route 10.79.0.0/16: via 10.9.2.2 on h2, %s" % mac in said
    assert any(line.startswith("next hop: via 10.9.2.2 on h2, %s (" % mac) for line in said)
    assert "IPv4 TTL 64 -> 63" in said
    assert any(line.startswith("Ethernet destination ") and line.endswith("-> " + mac)
               for line in said)
    assert said[-1] == "leaves by h2, 100 bytes"


def test_other_ends(router):
    said = lines(explain(router, "h1", "dst=10.77.0.1"))
    assert said[-1] == "dropped by ip-input: blackhole (a blackhole route)"
    said = lines(explain(router, "h1", "src=10.9.1.2", "dst=10.78.0.1"))
    assert "IPv4 route 10.78.0.0/16: unreachable" in said
    assert "ICMP type 3" in said and said[-1] == "leaves by h1, 128 bytes"
    said = lines(explain(router, "h1", "src=10.9.1.2", "dst=10.9.2.2", "ttl=1"))
    assert "TTL or hop limit ran out" in said and said[-1] == "leaves by h1, 128 bytes"
    said = lines(explain(router, "h1", "dst=2001:db8:2::77", "src=2001:db8:1::2"))
    assert "neighbor-resolve" in said and said[-1].startswith("handed to ")
    said = lines(explain(router, "h1", "dst=10.9.2.2", "bad-checksum"))
    assert said[-1].startswith("dropped by ip-input: ip4-checksum")
    said = lines(explain(router, "h1", "dst=10.9.2.2", "dmac=02:00:00:00:00:07"))
    assert said[-1].startswith("dropped by ip-input: not-ours")
    said = lines(explain(router, "h1", "dst=192.0.2.77", "vlan=9"))
    assert said[-1].startswith("dropped by ip-input: no-interface")


def test_no_side_effect(router):
    before = counters(router)
    neighbors = router.show("router")
    for _ in range(20):
        explain(router, "h1", "src=10.9.1.2", "dst=10.9.2.77")
        explain(router, "h2", "dst=10.9.1.2", "len=1400", "ttl=1")
    after = counters(router)
    # Others may speak meanwhile (IPv6 neighbours): not on these ways.
    for node in ("ip4-fragment", "icmp-error", "neighbor-resolve"):
        assert after[0].get(node) == before[0].get(node)
    assert "10.9.2.77" not in json.dumps(router.show("router"))
    assert neighbors


def test_same_as_json(router):
    done = explain(router, "h1", "src=10.9.1.2", "dst=10.79.1.1", "--json")
    packet = json.loads(done.stdout)
    assert packet["interface"] == "h1" and packet["length"] == 100
    match = [op for op in packet["ops"] if op["kind"] == "match"]
    assert [op["prefix"] for op in match] == ["10.79.0.0/16"]
    assert [op["interface"] for op in packet["ops"] if op["kind"] == "output"] == ["h2"]


def test_bridge(switch):
    """From a station that nobody has heard: flooded, and not learned."""
    said = lines(explain(switch, "h1", "smac=02:00:00:00:00:77", "dmac=02:00:00:00:00:78",
                         "type=0x88b5"))
    assert "copy 1:" in said
    assert "source station learned on interface h1" in said
    assert said[-2:] == ["leaves by h2, 100 bytes", "leaves by h3, 100 bytes"]
    assert "02:00:00:00:00:77" not in json.dumps(switch.show("bridge"))
    switch.ping(1, 2, "-c", "1")
    mac = switch.in_host(2, "cat", "/sys/class/net/eth0/address").stdout.strip()
    said = lines(explain(switch, "h1", "dmac=" + mac, "dst=10.8.0.2"))
    assert "station %s is known on h2" % mac in said
    assert said[-1] == "leaves by h2, 100 bytes"


def write_pcap(path, *frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, min(len(frame), 90), len(frame)) + frame[:90])


def test_captures_and_digits(switch, tmp_path):
    small = bytes.fromhex("ffffffffffff02000000001188b5") + bytes(46)
    path = str(tmp_path / "frames.pcap")
    write_pcap(path, small, small[:6] + bytes.fromhex("020000000012") + small[12:], bytes(100))
    said = lines(explain(switch, "h2", "--capture", path, "--frame", "2"))
    assert said[0].startswith("h2: 02:00:00:00:00:12 > ff:ff:ff:ff:ff:ff")
    assert said[-2:] == ["leaves by h1, 60 bytes", "leaves by h3, 60 bytes"]
    assert lines(explain(switch, "h2", "--capture", path))[0].startswith("h2: 02:00:00:00:00:11")
    said = lines(explain(switch, "h2", "--hex", small.hex()))
    assert said[-1] == "leaves by h3, 60 bytes"
    for words, why in ((("--frame", "3"), "cut short: 90 of its 100 bytes"),
                       (("--frame", "4"), "has 3 packets, no number 4")):
        done = explain(switch, "h2", "--capture", path, *words, check=False)
        assert done.returncode == 1 and why in done.stderr
    done = explain(switch, "h2", "--capture", str(tmp_path / "none"), check=False)
    assert done.returncode == 1 and "none" in done.stderr


def test_mistakes(switch):
    for words, status, why in (
            (("h9", "dst=10.0.0.1"), 1, "there is no interface h9"),
            (("h1",), 2, "dst=ADDRESS"),
            (("h1", "dts=10.0.0.1"), 2, 'did you mean "dst"?'),
            (("h1", "dst=10.0.0.1", "ttl=500"), 2, "ttl=500: 500 is not a number from 0 to 255"),
            (("h1", "dst=10.0.0.1", "--hex", "00"), 2, "use one"),
            (("h1", "dst=10.0.0.1", "--frame", "3"), 2, "--capture"),
            (("h1", "--hex", "0g"), 2, "hexadecimal"),
            (("h1", "--hex", "00112233"), 1, "at least 14 bytes"),
            ((), 2, "usage")):
        done = explain(switch, *words, check=False)
        assert done.returncode == status and why in done.stderr, (words, done.stderr)
        assert done.stdout == ""


def test_nobody_there(tmp_path):
    done = millrace("explain", "--socket", str(tmp_path / "none"), "h1", "dst=10.0.0.1", check=False)
    assert done.returncode == 1 and "no millrace runs" in done.stderr


def test_help_and_completion(switch):
    said = millrace("explain", "--help").stdout
    assert "INTERFACE" in said and "bad-checksum" in said

    def offered(*words):
        return millrace("__complete", "explain", "--socket", switch.socket, *words).stdout.split()
    assert offered("") == ["h1", "h2", "h3"]
    assert offered("h1", "ds") == ["dst="]
    assert offered("h1", "dst=10.0.0.1", "icmp-") == ["icmp-type=", "icmp-code="]


# What README.md explains a packet on: its sample is what this says.
README = """
interface:
  lan: {driver: "null"}
  wan: {driver: "null"}
router:
  default:
    interface:
      lan: {address: 10.0.0.1/24, mac: "02:00:00:00:00:02"}
      wan: {address: 192.0.2.2/24, mac: "02:00:00:00:00:03"}
    neighbor: {static: {192.0.2.1: {interface: wan, mac: "02:00:00:00:00:99"}}}
    route: {0.0.0.0/0: {via: 192.0.2.1}}
"""


def sample(page, command):
    """The words of a command that a page shows, and what it says there."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        found = re.search(r"^\$ millrace (%s.*)\n((?:.+\n)*?)```" % command, file.read(), re.M)
    return found.group(1).split(), found.group(2)


@pytest.fixture
def alone(tmp_path):
    """Starts a millrace without devices; gives its socket."""
    started = []

    def start(config):
        socket = str(tmp_path / "socket")
        (tmp_path / "config").write_text("system: {control-socket: %s}\n%s" % (socket, config))
        started.append(subprocess.Popen([os.path.abspath(MILLRACE), "run", str(tmp_path / "config")],
                                        stderr=subprocess.DEVNULL))
        assert until(5, lambda: millrace("explain", "--socket", socket, "lan", "dst=10.0.0.1",
                                         check=False).returncode == 0)
        return socket

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=10)


def test_readme(alone):
    """README.md's sample, word for word; --all says the same lines and what is behind them."""
    words, expected = sample("README.md", "explain")
    socket = alone(README)
    assert millrace(words[0], "--socket", socket, *words[1:]).stdout == expected
    everything = millrace(words[0], "--all", "--socket", socket, *words[1:]).stdout.splitlines()
    assert [line for line in everything if line in expected.splitlines()] == expected.splitlines()
    assert any(line.startswith("    asked fib4 (generation ") for line in everything)
    assert "    depends on the flow's key" in everything


def test_readme_trace(switch):
    """The same of real packets, whose times, numbers and addresses are others each time."""
    def plain(text):
        return re.sub(r" id \d+ seq \d+|\d+\.\d us|(\w\w:){5}\w\w", "", text).split()

    words, expected = sample("README.md", "trace")
    switch.ping(1, 2, "-c", "1")
    follower = subprocess.Popen([os.path.abspath(MILLRACE), *words, "--socket", switch.socket, "--timeout", "10"],
                                stdout=subprocess.PIPE, text=True)
    assert until(5, lambda: switch.ping(1, 2, "-c", "1") is not None and follower.poll() is not None)
    assert plain(follower.stdout.read()) == plain(expected)


def test_tunnel_needs_a_rule(alone):
    """nf/tunnel/tunnel.md: what comes out of a tunnel's port is no connection's, whatever the state."""
    with open(os.path.join(ROOT, "nf/tunnel/tunnel.md"), encoding="utf-8") as file:
        text = re.search(r"^## Rules and connections\n.*?^```yaml\n(.*?)^```", file.read(), re.M | re.S).group(1)
    text = text.replace("wan: {}", 'wan: {driver: "null"}').replace("lan: {}", 'lan: {driver: "null"}')
    socket = alone(text)

    def said(*words):
        return millrace("explain", "--socket", socket, "wan", "proto=udp", *words).stdout

    let_in = said("src=203.0.113.2", "dst=192.0.2.1", "dport=4789")
    assert "untracked" in let_in and "office" in let_in and "acl-default" not in let_in
    for words in (("src=203.0.113.3", "dport=4789"), ("src=203.0.113.2", "dport=4790")):
        assert "acl-default" in said("dst=192.0.2.1", *words)
    # In transit, too.
    assert "untracked" in said("src=203.0.113.2", "dst=198.51.100.1", "dport=4789")
    assert "untracked" not in said("src=203.0.113.2", "dst=198.51.100.1", "dport=4790")
