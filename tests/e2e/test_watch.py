# SPDX-License-Identifier: Apache-2.0
"""What an operator sees: trace, capture, top and show, of real traffic."""
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time

import pytest

from lab import MILLRACE, millrace, run, until

VLANS = """interface:
  h1: {device: port1}
  h2: {device: port2}
  h3: {device: port3}
bridge:
  br0:
    interface:
      h1: {access: 10}
      h2: {access: 10}
      h3: {trunk: "10"}
"""


@pytest.fixture
def vlans(lab):
    """Hosts 1 and 2 in VLAN 10, host 3 on a trunk."""
    for number in (1, 2, 3):
        lab.add_host(number)
    lab.start(VLANS)
    lab.ping(1, 2, "-c", "1")
    return lab


def begin(lab, *arguments, **options):
    """A verb in the background."""
    process = subprocess.Popen([os.path.abspath(MILLRACE), *arguments, "--socket", lab.socket],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    lab.processes.append(process)
    return process


def begin_capture(lab, path, *arguments):
    """A capture into a file, of which the beginning is there: it has started."""
    capture = begin(lab, "capture", "-w", path, *arguments)
    assert until(10, lambda: os.path.exists(path) and os.path.getsize(path) >= 28)
    return capture


def keep_pinging(lab, source, target):
    """Until the lab is closed: for verbs of which nobody can see that they have started."""
    return lab.begin(source, "ping", "-n", "-q", "-i", "0.05", "-W", "0.1", "10.8.0.%d" % target)


def fields(path, *names):
    """The fields of every packet of a capture, as tshark reads it."""
    command = ["tshark", "-n", "-r", path, "-T", "fields"]
    for name in names:
        command += ["-e", name]
    return [line.split("\t") for line in run(*command).stdout.splitlines()]


def send_tagged(lab, host, vlan):
    """One frame with a tag out of a host's interface."""
    lab.in_host(host, "/usr/bin/python3", "-c", """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
s.send(bytes.fromhex("ffffffffffff0200000000338100") + (%d).to_bytes(2, "big") +
       bytes.fromhex("88b5") + bytes(46))
""" % vlan)


def test_trace_shows_the_walk_of_a_ping(switch):
    switch.ping(1, 2, "-c", "1")
    keep_pinging(switch, 1, 2)
    trace = begin(switch, "trace", "--count", "2", "--timeout", "20", "icmp")
    out, err = (text.decode() for text in trace.communicate(timeout=30))
    assert trace.returncode == 0, err
    reply, request = sorted(out.strip().split("\n\n"), key=lambda walk: "echo request" in walk)
    assert request.startswith("h1: 10.8.0.1 > 10.8.0.2 ICMP echo request")
    assert reply.startswith("h2: 10.8.0.2 > 10.8.0.1 ICMP echo reply")
    for packet, way in ((request, "h2"), (reply, "h1")):
        assert "bridge-br0" in packet
        assert "is known on " + way in packet
        assert packet.splitlines()[-1].strip().startswith("=> sent on %s, 98 bytes" % way)


def test_trace_as_json_names_copies_and_edits(vlans):
    """A broadcast of an access port: a copy to the other one, a tag for the trunk."""
    trace = begin(vlans, "trace", "--count", "1", "--timeout", "20", "--json", "-i", "h1",
                  "broadcast")
    keep_pinging(vlans, 1, 77) # asks who has it, once a second
    out, err = trace.communicate(timeout=30)
    assert trace.returncode == 0, err
    packet = json.loads(out)
    assert packet["interface"] == "h1"
    kinds = [op["kind"] for op in packet["ops"]]
    assert "copy" in kinds
    assert sorted(op["interface"] for op in packet["ops"] if op["kind"] == "output") == ["h2", "h3"]
    assert [op["bytes"] for op in packet["ops"] if op["kind"] == "set"] == ["8100000a"]


def test_trace_says_what_it_has_not_seen(switch):
    trace = begin(switch, "trace", "--count", "3", "udp", "port", "9999")
    time.sleep(1)
    trace.send_signal(signal.SIGINT)
    _, err = trace.communicate(timeout=20)
    assert trace.returncode == 0
    assert b"0 of 3 packets" in err
    done = millrace("trace", "--socket", switch.socket, "--timeout", "1", "udp", "port", "9999",
                    check=False)
    assert done.returncode == 1
    done = millrace("trace", "--socket", switch.socket, "udp porto", check=False)
    assert done.returncode == 1 and "porto" in done.stderr


def test_capture_has_interface_direction_and_reason(vlans, tmp_path):
    path = str(tmp_path / "capture.pcapng")
    capture = begin_capture(vlans, path)
    vlans.ping(1, 2, "-c", "1")
    send_tagged(vlans, 3, 77)
    # What there is of it can be read while it grows.
    assert until(10, lambda: any(row[0] == "77" and row[1]
                                 for row in fields(path, "vlan.id", "frame.comment")))
    capture.send_signal(signal.SIGINT)
    _, err = capture.communicate(timeout=20)
    assert capture.returncode == 0
    assert b"packets captured" in err
    rows = fields(path, "frame.interface_name", "frame.packet_flags_direction", "icmp.type",
                  "vlan.id", "frame.comment")
    pings = [row[:3] for row in rows if row[2]]
    assert [row[0] for row in pings] == ["h1", "h2", "h2", "h1"]
    assert [int(row[1], 0) for row in pings] == [1, 2, 1, 2]
    assert [row[2] for row in pings] == ["8", "8", "0", "0"]
    # The trunk's own kernel talks without tags, which is dropped as well.
    dropped = [row for row in rows if row[3] == "77" and row[4]]
    assert len(dropped) == 1 and dropped[0][0] == "h3"
    node, reason = dropped[0][4].removeprefix("dropped by ").split(": ")
    counts = {(row["node"], row["reason"]): row["packets"] for row in vlans.show("drops")}
    assert node == "bridge-br0" and counts[node, reason] == 1
    assert "vlan" in reason


def test_capture_into_tcpdump(switch):
    """Through a pipe; and it ends when its reader does."""
    capture = begin(switch, "capture", "icmp")
    tcpdump = subprocess.Popen(["tcpdump", "-n", "-c", "2", "-r", "-"], stdin=capture.stdout,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    switch.processes.append(tcpdump)
    capture.stdout.close()
    keep_pinging(switch, 1, 2)
    out, _ = tcpdump.communicate(timeout=20)
    assert out.count(b"ICMP echo") == 2
    assert capture.wait(20) == 0


def test_capture_ends_while_nobody_reads(switch):
    """Its pipe is full and its reader asleep: a signal still ends it."""
    capture = begin(switch, "capture")
    keep_pinging(switch, 1, 2)
    assert select.select([capture.stdout], [], [], 10)[0] # it has started
    switch.ping(1, 2, "-f", "-c", "2000")
    capture.send_signal(signal.SIGTERM)
    assert capture.wait(20) == 0


def test_capture_count_snap_and_node(switch, tmp_path):
    path = str(tmp_path / "few.pcapng")
    capture = begin_capture(switch, path, "--node", "bridge-br0", "-c", "4", "-s", "60", "icmp")
    switch.ping(1, 2, "-c", "2", "-i", "0.05")
    _, err = capture.communicate(timeout=20)
    assert err.decode().strip() == "4 packets captured"
    rows = fields(path, "frame.len", "frame.cap_len", "frame.comment")
    assert rows == [["98", "60", "entering bridge-br0"]] * 4


def test_capture_refuses_a_terminal(switch):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(os.path.abspath(MILLRACE), [MILLRACE, "capture", "--socket", switch.socket])
    said = read_terminal(terminal, 10)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert "-w FILE" in said


def read_terminal(terminal, seconds, until_text=None):
    said = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 0.05)[0]:
            continue
        try:
            said += os.read(terminal, 65536)
        except OSError: # the other side is closed
            break
        if until_text and until_text in said.decode():
            break
    return said.decode()


@pytest.mark.parametrize("key", ["q", "\x03"])
def test_top_leaves_the_terminal_as_it_was(switch, key):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(os.path.abspath(MILLRACE),
                 [MILLRACE, "top", "--interval", "0.1", "--socket", switch.socket])
    before = termios.tcgetattr(terminal)
    said = read_terminal(terminal, 20, "bridge-br0")
    assert "\x1b[?1049h" in said and "bridge-br0" in said
    assert not termios.tcgetattr(terminal)[3] & termios.ECHO
    os.write(terminal, key.encode())
    said = read_terminal(terminal, 20, "\x1b[?1049l")
    assert said.endswith("\x1b[?1049l")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert termios.tcgetattr(terminal) == before


def test_top_once_has_rates(switch):
    switch.ping(1, 2, "-c", "1")
    flood = switch.begin(1, "ping", "-n", "-q", "-i", "0.005", "10.8.0.2")
    shown = millrace("top", "--once", "--interval", "1", "--json", "--socket", switch.socket)
    plain = millrace("top", "--once", "--interval", "0.5", "--socket", switch.socket)
    flood.kill()
    rates = json.loads(shown.stdout)
    by_name = {row["name"]: row for row in rates["interface"]}
    assert 900 <= rates["interval-ms"] <= 5000
    assert by_name["h1"]["rx-packets-per-second"] > 50
    assert by_name["h2"]["tx-bits-per-second"] > 50 * 98 * 8
    node = {row["name"]: row for row in rates["node"]}["bridge-br0"]
    assert node["packets-per-second"] > 100 and node["cycles-per-packet"] > 0
    assert node["packets-per-call"] >= 1
    assert "\x1b" not in plain.stdout
    assert "bridge-br0" in plain.stdout and "h1" in plain.stdout


def test_show_of_everything_is_json(switch):
    switch.ping(1, 2, "-c", "1")
    unknown = millrace("show", "intrefaces", "--socket", switch.socket, check=False)
    assert unknown.returncode == 2
    assert '"intrefaces"' in unknown.stderr and 'did you mean "interfaces"' in unknown.stderr
    whats = unknown.stderr.rsplit("what there is:", 1)[1].split()
    assert {"interfaces", "bridges", "nodes", "drops", "workers", "plugins", "system"} <= set(whats)
    whats.remove("path")  # of a flow that one names: test_drops.py
    for what in whats:
        assert json.loads(millrace("show", what, "--json", "--socket", switch.socket).stdout) is not None
        assert millrace("show", what, "--socket", switch.socket).stdout
        assert millrace("show", what, "--all", "--socket", switch.socket).stdout
    nodes = {row["name"]: row for row in switch.show("nodes")}
    bridge = nodes["bridge-br0"]
    assert bridge["packets-per-call"] == round(bridge["packets"] / bridge["calls"], 1)
    assert max(map(len, millrace("show", "interfaces", "--socket", switch.socket)
                   .stdout.splitlines())) <= 100


def test_one_socket_has_one_millrace(switch, tmp_path):
    """A second one on the same socket says so; on another one both run."""
    config = tmp_path / "second.yaml"
    config.write_text("interface:\n  a: {driver: gen, options: {rate: 10}, cross-connect: b}\n"
                      "  b: {driver: 'null', cross-connect: a}\n")
    done = millrace("run", str(config), "--socket", switch.socket, check=False, timeout=10)
    assert done.returncode == 1
    assert switch.socket in done.stderr and "another millrace" in done.stderr
    other = str(tmp_path / "socket")
    second = subprocess.Popen([os.path.abspath(MILLRACE), "run", str(config), "--socket", other],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    switch.processes.append(second)
    assert until(5, lambda: millrace("show", "system", "--socket", other, check=False).returncode == 0)
    assert len(switch.show("interfaces")) == 3
    names = [row["name"] for row in
             json.loads(millrace("show", "interfaces", "--json", "--socket", other).stdout)]
    assert names == ["a", "b"]


@pytest.fixture
def made(tmp_path):
    """A millrace on its own traffic, which wants no privilege; its socket."""
    config, path = tmp_path / "made.yaml", str(tmp_path / "socket")
    config.write_text("interface:\n"
                      "  a: {driver: gen, options: {rate: 500, flows: 10}, cross-connect: b}\n"
                      "  b: {driver: 'null', cross-connect: a}\n")
    with subprocess.Popen([os.path.abspath(MILLRACE), "run", str(config), "--socket", path],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert until(10, lambda: millrace("show", "system", "--socket", path,
                                              check=False).returncode == 0)
            yield path
        finally:
            process.terminate()
            assert process.wait(10) == 0


def test_all_of_it_without_privilege(made, tmp_path):
    capture = str(tmp_path / "capture.pcapng")
    traced = millrace("trace", "--count", "2", "--timeout", "20", "--socket", made, "udp").stdout
    assert traced.count("a: 10.0.0.1:") == 2 and traced.count("=> sent on b, 64 bytes") == 2
    said = millrace("capture", "-c", "6", "-w", capture, "--points", "rx,tx", "--socket", made).stderr
    assert said.strip() == "6 packets captured"
    assert {row[0] for row in fields(capture, "frame.interface_name")} == {"a", "b"}
    rates = json.loads(millrace("top", "--once", "--json", "--socket", made).stdout)
    assert 250 < rates["interface"][0]["rx-packets-per-second"] < 1000
    assert rates["interface"][1]["name"] == "b"
    assert len(millrace("top", "--count", "2", "--interval", "0.1", "--socket", made).stdout.split(
        "\nworker 0")) == 3


def test_no_millrace_is_said(tmp_path):
    for verb in (["show", "nodes"], ["top", "--once"], ["trace"], ["capture", "-w", str(tmp_path / "x")]):
        done = millrace(*verb, "--socket", str(tmp_path / "none"), check=False)
        assert done.returncode == 1
        assert "no millrace runs behind" in done.stderr
    assert not (tmp_path / "x").exists()


def test_completion_knows_verbs_options_and_what_runs(switch):
    def offered(*words):
        return millrace("__complete", *words).stdout.split()

    assert {"run", "show", "trace", "capture", "top", "gen"} <= set(offered(""))
    assert "__complete" not in offered("") and "__complete" not in millrace("--help").stdout
    assert offered("trace", "--co") == ["--count"]
    assert offered("show", "interf") == ["interfaces"]
    assert offered("trace", "--socket", switch.socket, "-i", "") == ["h1", "h2", "h3"]
    assert offered("show", "--socket", switch.socket, "interface", "h2") == ["h2"]
    assert "bridge/ageing-time" in offered("check", "--describe", "bridge/")
    assert offered("run", "") == ["@file"]
