# SPDX-License-Identifier: Apache-2.0
"""What was dropped, and why: millrace drops; what would become of it now: explain --drop; which way
running flows go: show path. A router with the flow lane, connections and NAT between hosts."""
import json
import os
import re
import subprocess
import time

import pytest

from lab import millrace, until
from router_lab import RouterLab


@pytest.fixture
def router(namespaces):
    """Host 1 is inside, host 2 outside."""
    made = RouterLab()
    try:
        for number in (1, 2):
            made.add_host(number)
        made.start(made.config(
            router={"route": {"10.77.0.0/16": {"action": "blackhole"}}},
            more={"lanes": {"mode": "flow"}, "conntrack": {"interface": {"h1": {}}},
                  "nat": {"instance": {"n": {"outside": ["h2"], "inside": ["h1"]}}}}))
        assert until(10, lambda: made.ping4(1, 2, "-c", "1", "-W", "1") == 1)
        yield made
    finally:
        made.close()


def drops(lab, *words, **options):
    return millrace("drops", "--socket", lab.socket, *words, **options)


def listed(lab, *words):
    return [json.loads(line) for line in drops(lab, "--json", *words).stdout.splitlines()]


def send(lab, address, count=1):
    lab.in_host(1, "ping", "-n", "-q", "-c", str(count), "-i", "0.01", "-W", "0.1", address, check=False)


def test_drops(router):
    send(router, "10.77.0.9", 3)
    found = listed(router, "--reason", "blackhole")
    assert sum(d["of"] for d in found) == 3
    drop = found[-1]
    assert drop["node"] == "ip-input" and drop["interface"] == "h1" and drop["whole"]
    assert drop["packet"].startswith("10.9.1.2 > 10.77.0.9 ICMP echo request")
    assert drop["why"] == "a blackhole route" and drop["length"] == 98
    assert len(drop["bytes"]) == 2 * 98 and drop["bytes"][52:68] == "0a0901020a4d0009"
    # As text, and by what was asked for.
    said = drops(router, "--reason", "blackhole", "--count", "1").stdout
    assert "%s  h1: 10.9.1.2 > 10.77.0.9 ICMP" % drop["id"] in said
    assert "dropped by ip-input: blackhole (a blackhole route), router default, interface h1" in said
    assert len(listed(router, "--count", "1", "--node", "ip-input", "icmp")) == 1
    assert listed(router, "udp", "and", "host", "10.77.0.9") == []
    assert listed(router, "--interface", "h2", "--reason", "blackhole") == []
    assert listed(router, "--since", drop["id"], "--reason", "blackhole") == []
    time.sleep(0.3)
    assert listed(router, "--since", "0.2", "--reason", "blackhole") == []
    wrong = drops(router, "--node", "ip-imput", check=False)
    assert wrong.returncode == 1 and "there is no node ip-imput" in wrong.stderr
    wrong = drops(router, "tpc", "port", "80", check=False)
    assert wrong.returncode == 1 and "filter" in wrong.stderr
    assert drops(router, "--follow", "--summary", check=False).returncode == 2


def test_one_number_everywhere(router):
    """The counter, the summary and the packets recorded say the same."""
    send(router, "10.77.0.9", 7)
    counted = [d["packets"] for d in router.show("drops", "--all")
               if (d["node"], d["reason"]) == ("ip-input", "blackhole")]
    assert counted == [7]
    lines = [json.loads(line) for line in drops(router, "--summary", "--json").stdout.splitlines()]
    row = [d for d in lines if (d["node"], d["reason"]) == ("ip-input", "blackhole")]
    assert len(row) == 1 and row[0]["packets"] == 7
    assert sum(d["of"] for d in listed(router, "--reason", "blackhole")) == 7
    assert re.search(r"7  ip-input: blackhole \(a blackhole route\)\n +last at .* ICMP echo request",
                     drops(router, "--summary").stdout)


def test_flow_lane_drops_too(router):
    """What a flow's program drops is there, with the flow."""
    send(router, "10.77.0.9", 20)
    replayed = [d for d in listed(router, "--reason", "blackhole") if "flow" in d]
    assert replayed and re.fullmatch(r"0:\d+", replayed[-1]["flow"])
    said = drops(router, "--reason", "blackhole").stdout
    assert "replayed by flow %s" % replayed[-1]["flow"] in said


def test_capture(router, tmp_path):
    send(router, "10.77.0.9", 2)
    path = str(tmp_path / "drops.pcapng")
    drops(router, "-w", path, "--reason", "blackhole")
    shown = subprocess.run(["tcpdump", "-nr", path], capture_output=True, text=True, check=True).stdout
    assert shown.count("10.9.1.2 > 10.77.0.9: ICMP echo request") == 2
    with open(path, "rb") as file:
        assert b"by ip-input: blackhole (a blackhole route)" in file.read()


def test_follow(router):
    process = subprocess.Popen(
        [os.path.abspath(os.environ.get("MILLRACE", "build/millrace")), "drops", "--socket", router.socket,
         "--follow", "--json", "--count", "2", "--reason", "blackhole"], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.3)
        send(router, "10.77.0.9", 2)
        out = process.communicate(timeout=10)[0]
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert [json.loads(line)["reason"] for line in out.splitlines()] == ["blackhole"] * 2


def test_explain_drop(router):
    send(router, "10.77.0.9")
    drop = listed(router, "--reason", "blackhole")[-1]
    said = millrace("explain", "--socket", router.socket, "--drop", drop["id"]).stdout.splitlines()
    assert said[0].startswith("h1: 10.9.1.2 > 10.77.0.9 ICMP echo request")
    assert any(line.strip() == "IPv4 route 10.77.0.0/16: blackhole" for line in said)
    gone = millrace("explain", "--socket", router.socket, "--drop", "0:999999", check=False)
    assert gone.returncode == 1 and "there is no drop 0:999999" in gone.stderr


def test_reload_switches_it_off(router):
    config = router.config(router={"route": {"10.77.0.0/16": {"action": "blackhole"}}},
                           more={"lanes": {"mode": "flow"}})
    router.reload(config, system={"flight-recorder": {"enabled": False}})
    assert until(5, lambda: not router.show("system")["flight-recorder"]["recording"])
    before = len(listed(router, "--reason", "blackhole"))
    send(router, "10.77.0.9", 3)
    assert len(listed(router, "--reason", "blackhole")) == before


def test_path(router):
    """There and back, with the connection and the session that the flow belongs to."""
    assert router.ping4(1, 2, "-c", "10", "-i", "0.02", "-W", "1") == 10
    path = millrace("show", "--socket", router.socket, "path", "10.9.1.2", "--protocol", "icmp",
                    "--interface", "h1").stdout
    there, back = path.split("back:\n")
    assert re.match(r"flow 0:\d+, there:\nh1: 10\.9\.1\.2 > 10\.9\.2\.2 ICMP echo request", there)
    assert "connection icmp 10.9.1.2 > 10.9.2.2" in there
    assert "as it leaves by h2: 10.9.2.1 > 10.9.2.2 ICMP echo request" in there
    assert "lane: flow lane: replayed" in there
    assert back.startswith("h2: 10.9.2.2 > 10.9.2.1 ICMP echo reply")
    assert "as it leaves by h1: 10.9.2.2 > 10.9.1.2 ICMP echo reply" in back
    assert "leaves by h1" in back and "mapping icmp 10.9.1.2" in back
    number = re.match(r"flow (0:\d+)", there).group(1)
    again = millrace("show", "--socket", router.socket, "path", "--flow", number, "--json").stdout
    ways = [json.loads(line) for line in again.splitlines()]
    assert [way["direction"] for way in ways] == ["there", "back"]
    assert ways[0]["counted"]["flow"] == number and ways[0]["counted"]["packets"] >= 5
    assert [way["sent"][0]["interface"] for way in ways] == ["h2", "h1"]
    none = millrace("show", "--socket", router.socket, "path", "192.0.2.1", check=False)
    assert none.returncode == 1 and "no such flow" in none.stderr


def without_numbers(text):
    """Times, counts and numbers of drops and flows are others each time."""
    text = re.sub(r"(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d\.\d+Z", "TIME", text)
    text = re.sub(r", 1 of \d+ kept", "", text)
    text = re.sub(r"\b0:\d+", "ID", text)
    text = re.sub(r"^  flow \d+ of worker 0: .*", "FLOW", text, flags=re.M)
    return re.sub(r"^ *\d+  ", "COUNT  ", text, flags=re.M)


def test_page(tmp_path):
    """The example of docs/see-inside.md says what happens."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(root + "/docs/see-inside.md", encoding="utf-8") as file:
        page = file.read()
    configs = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    for number, text in enumerate(configs[1:]):
        (tmp_path / str(number)).write_text(text)
        millrace("check", str(tmp_path / str(number)))
    socket = str(tmp_path / "socket")
    (tmp_path / "example").write_text("system: {control-socket: %s}\n%s" % (socket, configs[0]))
    process = subprocess.Popen([os.path.abspath(os.environ.get("MILLRACE", "build/millrace")), "run",
                                str(tmp_path / "example")], stderr=subprocess.DEVNULL)
    try:
        assert until(5, lambda: os.path.exists(socket))
        assert until(5, lambda: "replayed" in millrace("drops", "--socket", socket, check=False).stdout)
        assert until(5, lambda: millrace("show", "--socket", socket, "path", "10.9.0.2",
                                         check=False).returncode == 0)
        console = re.search(r"^```console\n(.*?)^```", page, re.M | re.S).group(1)
        for command in console.split("$ millrace ")[1:]:
            line, expected = command.split("\n", 1)
            words = line.split()
            said = millrace(words[0], "--socket", socket, *words[1:]).stdout
            if words[0] != "drops":
                assert without_numbers(said).rstrip() == without_numbers(expected).rstrip()
            for wanted in without_numbers(expected).splitlines():
                assert wanted in without_numbers(said).splitlines(), "%s\n%s" % (line, said)
    finally:
        process.terminate()
        process.wait()
