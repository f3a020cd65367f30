# SPDX-License-Identifier: Apache-2.0
"""The Python client (python/millrace) against a running millrace."""
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from lab import MILLRACE, bridge_config, pause, run

from millrace import Client, Conflict, Invalid, MillraceError, NotFound, TimedOut, Unreachable, config
from millrace.paths import resource

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CONFIG = """system: {control-socket: %s}
interface:
  a: {driver: "null"}
  b: {driver: "null"}
bridge:
  br0: {interface: [a, b]}
"""


@pytest.fixture
def client(tmp_path):
    """A millrace without a kernel interface, and its client."""
    socket = str(tmp_path / "socket")
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG % socket)
    with open(tmp_path / "log", "wb") as log, subprocess.Popen(
            [os.path.abspath(MILLRACE), "run", str(file)], stderr=log,
            env={**os.environ, "STATE_DIRECTORY": str(tmp_path)}) as process:
        for _ in range(250):
            if os.path.exists(socket):
                break
            time.sleep(0.02)
        with Client(socket, timeout=5) as made:
            yield made
        process.terminate()


def test_paths_are_typed_and_written():
    assert str(config.interface["lan1"].mtu) == "interface/lan1/mtu"
    assert resource(config.interface["a/b"].mtu) == "millrace-interface:interface=a%2Fb/mtu"
    assert resource(config.router["main"].neighbor.entry["10.0.0.1", "a"].mac) == \
        "millrace-router:router=main/millrace-neighbor:neighbor/entry=10.0.0.1,a/mac"
    with pytest.raises(KeyError):
        print(config.router["main"].neighbor.entry["10.0.0.1"])
    with pytest.raises(AttributeError):
        print(config.interface["a"].mtuu)


def test_data(client):
    assert client.get(config.interface["a"].driver) == "null"
    # 64-bit numbers are numbers, defaults are there.
    assert isinstance(client.get(config.interface["a"].counters.rx_packets), int)
    assert client.get(config.bridge["br0"].ageing_time) == 300
    client.set(config.bridge["br0"].ageing_time, 60, comment="forget sooner")
    assert client.get(config.bridge["br0"].ageing_time) == 60
    client.patch(config.bridge["br0"], {"ageing-time": 70, "mac-limit": 1000})
    bridge = client.get(config.bridge["br0"], content="config", defaults=False)
    assert (bridge["ageing-time"], bridge["mac-limit"]) == (70, 1000)
    assert [one["name"] for one in client.get(config.interface)] == ["a", "b"]
    client.set(config.interface["c"], {"name": "c", "driver": "null", "description": "third"})
    assert client.exists(config.interface["c"])
    client.delete(config.interface["c"])
    assert not client.exists(config.interface["c"])
    whole = client.get(config, content="config", defaults=False)
    assert {one["name"] for one in whole["interface"]} == {"a", "b"}
    assert client.state("bridge")["bridge"][0]["name"] == "br0"


def test_errors(client):
    with pytest.raises(NotFound):
        client.get(config.interface["nowhere"].mtu)
    with pytest.raises(NotFound):
        client.state("nothing")
    with pytest.raises(Invalid) as caught:
        client.set(config.bridge["br0"].ageing_time, 5)
    assert "ageing-time" in caught.value.path and "5" in caught.value.message and caught.value.status == 400
    with pytest.raises(KeyError):
        client.patch(config.bridge["br0"], {"agein-time": 70})
    assert client.get(config.bridge["br0"].ageing_time) == 300
    with pytest.raises(Unreachable):
        Client("/nonexistent/socket").state()
    assert issubclass(Conflict, MillraceError)


def test_commits(client):
    old = client.dump()
    first = max(one["id"] for one in client.history())
    new = old.replace("bridge:", "bridge:\n  br1: {}", 1)
    assert [one["path"] for one in client.plan(new)["changes"]] == ["bridge/br1"]
    assert not client.exists(config.bridge["br1"])
    done = client.apply(new, comment="one more", confirm=60)
    assert done["changed"] and client.exists(config.bridge["br1"])
    with pytest.raises(Conflict):
        client.set(config.bridge["br0"].ageing_time, 50)
    assert client.confirm() == done["id"]
    client.rollback(comment="back")
    assert not client.exists(config.bridge["br1"])
    ids = [one["id"] for one in client.history()]
    assert done["id"] in ids and max(ids) == first + 2
    with pytest.raises(Invalid) as caught:
        client.apply("bridge: {br0: {ageing-time: 5}}")
    assert "ageing-time" in caught.value.path


def test_streams(client):
    found = []

    def listen():
        with pytest.raises(TimedOut):
            for event in client.changes(timeout=1):
                found.append(event)

    thread = threading.Thread(target=listen)
    thread.start()
    time.sleep(0.3)
    client.set(config.bridge["br0"].ageing_time, 61, comment="heard")
    thread.join()
    made = [event for event in found if event["comment"] == "heard"]
    assert len(made) == 1 and made[0]["changes"][0]["path"] == "bridge/br0/ageing-time"
    watched = client.watch("system", period=0.1, timeout=5)
    one, two = next(watched), next(watched)
    watched.close()
    assert two["system"]["uptime"] >= one["system"]["uptime"]


def test_a_connection_is_kept_and_made_again(client):
    client.state("system")
    kept = client._transport._kept
    client.state("system")
    assert client._transport._kept is kept
    kept.sock.shutdown(2)
    assert client.state("system")["system"]["pid"]
    pid = client.state("system")["system"]["pid"]
    pause(pid)
    try:
        with pytest.raises(TimedOut), Client(client._transport._place, timeout=0.2) as hasty:
            hasty.state()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_inside(lab):
    lab.add_host(1)
    lab.add_host(2)
    lab.start(bridge_config([1, 2]))
    with Client(lab.socket) as client:
        traced = client.trace(count=1, interface="h1", filter="icmp", timeout=5)
        taken = []
        thread = threading.Thread(target=lambda: taken.extend(traced))
        thread.start()
        file = io.BytesIO()
        other = threading.Thread(target=lambda: client.capture(file, 1, filter="icmp", timeout=5))
        other.start()
        time.sleep(0.3)
        lab.ping(1, 2, "-c", "1")
        thread.join()
        other.join()
        assert taken[0]["interface"] == "h1"
        assert file.getvalue()[:4] == b"\x0a\x0d\x0d\x0a"
        said = client.explain("h1", bytes.fromhex("0200000000ff" "020000000001" "0800") + bytes(50))
        assert said["ops"], said
        assert isinstance(client.drops(count=10), list)
        assert "millrace_" in client.metrics()


def test_the_page_s_example_runs(client, tmp_path):
    """Each block of docs/python.md, in their order, as one program."""
    with open(ROOT + "/docs/python.md", encoding="utf-8") as page:
        blocks = re.findall(r"^```python\n(.*?)^```", page.read(), re.M | re.S)
    program = "\n".join(blocks).replace("Client()", "Client(%r)" % client._transport._place)
    (tmp_path / "example.py").write_text(program)
    done = run(sys.executable, str(tmp_path / "example.py"), check=False,
               env={**os.environ, "PYTHONPATH": ROOT + "/python"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mtu" in done.stdout


def test_types_hold(tmp_path):
    """mypy --strict over the package, and over a user of it: with a mistake of each kind."""
    if run("/usr/bin/python3", "-c", "import mypy", check=False).returncode:
        pytest.skip("mypy is not installed")
    good = ["from millrace import Client, config",
            "mtu: int = Client().get(config.interface['a'].mtu)",
            "Client().set(config.interface['a'].mtu, 1500)"]
    bad = {"config.interface['a'].mtuu": "has no attribute",
           "Client().set(config.interface['a'].driver, [1])": "arg-type|Cannot infer",
           "Client().get(config.interface['a'])['mtuu']": "has no key"}
    user = tmp_path / "user.py"
    user.write_text("\n".join([*good, *bad, ""]))
    done = run("/usr/bin/python3", "-m", "mypy", "--strict", "--cache-dir=/dev/null", ROOT + "/python/millrace",
               str(user), check=False, env={**os.environ, "MYPYPATH": ROOT + "/python"})
    for number, expected in enumerate(bad.values(), len(good) + 1):
        assert re.search(r"user.py:%d: error: .*(%s)" % (number, expected), done.stdout), done.stdout
    assert "Found 3 errors in 1 file" in done.stdout, done.stdout
