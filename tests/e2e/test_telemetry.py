# SPDX-License-Identifier: Apache-2.0
"""Telemetry: state that is sent to collectors."""
import json
import os
import time

import pytest

from lab import millrace, until
from telemetry_lab import Collector, Plane, compiled_proto, make_certificates, server_tls

GEN = {"a": {"driver": "gen", "options": {"rate": 1000}, "cross-connect": "b"},
       "b": {"driver": "null", "cross-connect": "a"}}


def config(collector, **more):
    subscription = {"collector": collector.address, "path": ["interface"], "cadence": 200}
    subscription.update((key.replace("_", "-"), value) for key, value in more.items())
    return {"interface": GEN, "telemetry": {"subscription": {"noc": subscription}}}


@pytest.fixture
def world():
    """Makes planes and collectors, and takes them away."""
    made = []

    def make(kind, *arguments, **options):
        made.append(kind(*arguments, **options))
        return made[-1]

    yield make
    for thing in reversed(made):
        thing.close()


def check_sequence(messages):
    """Without losses, messages are numbered without gaps, and begin with the whole picture."""
    assert [m["sequence"] for m in messages] == list(range(len(messages)))
    assert all(m["lost"] == 0 and m["subscription"] == "noc" for m in messages)
    kinds = [m["kind"] for m in messages]
    assert kinds[0] == "begin" and "sync" in kinds[1:]
    assert set(kinds[1:kinds.index("sync")]) == {"update"}


@pytest.fixture(scope="module")
def proto(tmp_path_factory):
    return compiled_proto(tmp_path_factory.mktemp("proto"))


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_cadence(world, proto, encoding):
    collector = world(Collector, protobuf=proto if encoding == "protobuf" else None)
    plane = world(Plane, config(collector, encoding=encoding, path=["interface/counters", "system/uptime"]))
    assert until(20, lambda: len(collector.got("update")) >= 6)
    check_sequence(collector.got())
    known = collector.known()
    state = {row["name"]: row for row in plane.state("interface")["interface"]}
    assert {path.split("/")[-1] for path in known} == set(state["a"]["counters"]) | {"uptime"}
    assert {path.split("/")[1] for path in known} == {"interface[name='a']", "interface[name='b']", "system"}
    assert 0 < known["/interface[name='a']/counters/rx-packets"] <= plane.state("interface")["interface"][0]["counters"]["rx-packets"]
    # Five cadences of 200 ms, on a machine that may be busy.
    updates = [(m, t) for m, t in zip(collector.messages, collector.times) if m["kind"] == "update"]
    span = updates[5][1] - updates[0][1]
    assert 0.7 < span < 6, span
    stamps = [m["timestamp"] for m, _ in updates]
    assert stamps == sorted(stamps) and abs(stamps[0] / 1e9 - time.time()) < 60
    session = plane.session("noc")
    assert session["connected"] and session["sent"] >= 8 and session["lost"] == 0
    assert "last-error" not in session


def test_change_only_what_changed(world):
    collector = world(Collector)
    plane = world(Plane, config(collector, mode="change", heartbeat=1, cadence=100, leaves=["rx-*", "state"],
                                entries=["a"], path=["interface"]))
    assert until(20, lambda: len(collector.got("update")) >= 5)
    check_sequence(collector.got())
    first, *others = collector.got("update")
    assert {u["path"].split("/")[-1] for u in first["update"]} == {
        "state", "rx-packets", "rx-bytes", "rx-errors", "rx-no-buffer", "rx-device-drops", "rx-calls"}
    assert {u["path"].split("/")[1] for u in first["update"]} == {"interface[name='a']"}
    for m in others:
        assert {u["path"].split("/")[-1] for u in m["update"]} <= {"rx-packets", "rx-bytes", "rx-calls"}
    # What is not configured any more is deleted; then nothing changes, and heartbeats come.
    plane.reload(config(collector, mode="change", heartbeat=1, cadence=100, path=["interface/*/state"]))
    assert until(20, lambda: collector.got("heartbeat"))
    assert collector.known() == {"/interface[name='a']/state": "up", "/interface[name='b']/state": "up"}
    assert "update" not in collector.got("heartbeat")[0]


def test_deletes_what_is_gone(world):
    collector = world(Collector)
    wanted = config(collector, mode="change", cadence=100, path=["interface/state", "interface/counters"])
    wanted["interface"] = dict(GEN, c={"driver": "null"})
    plane = world(Plane, wanted)
    assert until(20, lambda: "/interface[name='c']/state" in collector.known())
    del wanted["interface"]["c"]
    plane.reload(wanted)
    assert until(20, lambda: "/interface[name='c']/state" not in collector.known())
    deletes = [m["delete"] for m in collector.got() if "delete" in m]
    assert deletes == [["/interface[name='c']"]]
    assert len(collector.connections) == 1 # the subscription was not touched
    assert not [path for path in collector.known() if "'c'" in path]


def test_threshold(world):
    """A rate that is crossed, and is well again when the traffic stops."""
    collector = world(Collector)
    threshold = {"path": "interface/a/counters/rx-packets", "above": 100, "hysteresis": 50,
                 "per-second": True, "hold": 300}
    wanted = config(collector, mode="threshold", cadence=100, heartbeat=0,
                    path=["interface/*/counters/rx-packets"], threshold={"busy": threshold})
    plane = world(Plane, wanted)
    assert until(20, lambda: collector.got("event"))
    event = collector.got("event")[0]["event"]
    assert (event["threshold"], event["path"], event["raised"]) == \
        ("busy", "/interface[name='a']/counters/rx-packets", True)
    assert 100 < event["value"] < 20000
    assert plane.session("noc")["raised"] == 1
    # Everything subscribed comes with the event, and nothing else but the beginning.
    assert until(5, lambda: len(collector.got("update")) == 2)
    check_sequence(collector.got())
    time.sleep(0.5)
    assert len(collector.got("update")) == 2
    wanted["interface"] = {"a": dict(GEN["a"], options={"rate": 1}), "b": GEN["b"]}
    plane.reload(wanted)
    assert until(20, lambda: len(collector.got("event")) == 2)
    assert collector.got("event")[1]["event"]["raised"] is False
    assert plane.session("noc")["raised"] == 0


def test_tls(world, tmp_path, proto):
    make_certificates(str(tmp_path))
    collector = world(Collector, tls=server_tls(str(tmp_path)), protobuf=proto)
    tls = {name: str(tmp_path / file) for name, file in
           (("ca", "ca.pem"), ("certificate", "client.pem"), ("key", "client.key"))}
    plane = world(Plane, config(collector, encoding="protobuf", tls=tls))
    assert until(20, lambda: len(collector.got("update")) >= 3)
    check_sequence(collector.got())
    assert dict(collector.connections[0].getpeercert()["subject"][0])["commonName"] == "client"
    assert plane.session("noc")["connected"]
    # A name that the certificate has not.
    plane.reload(config(collector, encoding="protobuf", tls=dict(tls, **{"server-name": "other.test"})))
    assert until(20, lambda: "certificate" in plane.session("noc").get("last-error", ""))
    assert not plane.session("noc")["connected"]
    plane.reload(config(collector, encoding="protobuf", tls=dict(tls, **{"server-name": "collector.test"})))
    assert until(20, lambda: plane.session("noc")["connected"])
    # Files that cannot be used change nothing.
    plane.reload(config(collector, encoding="protobuf", tls=dict(tls, ca="/nowhere.pem")))
    assert until(20, lambda: "/nowhere.pem" in plane.said())
    assert plane.session("noc")["connected"]


def test_connects_again(world):
    collector = world(Collector)
    plane = world(Plane, config(collector, mode="change", cadence=100))
    assert until(20, lambda: len(collector.got("sync")) == 1)
    collector.hang_up()
    assert until(20, lambda: len(collector.got("sync")) == 2)
    assert plane.session("noc")["connections"] == 2
    assert "hung up" in plane.session("noc")["last-error"]
    # Nobody there: the pauses grow, and the state says why.
    port = collector.port
    collector.close()
    assert until(20, lambda: not plane.session("noc")["connected"])
    assert until(20, lambda: "refused" in plane.session("noc")["last-error"])
    again = world(Collector, port=port)
    assert until(30, lambda: again.got("sync"))
    sequences = [m["sequence"] for m in again.got()]
    assert sequences[0] > 0 and sequences == list(range(sequences[0], sequences[0] + len(sequences)))


def test_collector_that_does_not_read(world):
    """The queue is bounded, losses are counted, the thread goes on; a reader is told."""
    slow, good = world(Collector, reads=False), world(Collector)
    wanted = config(slow, queue=65536, cadence=100, path=["system", "interface", "telemetry"])
    wanted["telemetry"]["subscription"]["good"] = {
        "collector": good.address, "path": ["interface"], "cadence": 100}
    plane = world(Plane, wanted)
    assert until(30, lambda: plane.session("noc")["lost"] > 0)
    before, sent = plane.memory(), len(good.got("update"))
    time.sleep(2)
    session = plane.session("noc")
    assert session["connected"] and session["queued"] <= 65536
    assert plane.memory() - before < 4 << 20
    assert len(good.got("update")) - sent >= 5
    assert plane.session("good")["lost"] == 0
    assert plane.state("system")["system"]["pid"] == plane.process.pid
    # It reads at last: what it gets says how much was lost, and begins again.
    connection = slow.connections[0]
    reader = Collector(reads=True)
    reader.close()
    connection.settimeout(20)
    pending = b""
    begins = 0
    while begins < 2:
        pending = reader.take(pending + connection.recv(1 << 16))
        begins = len(reader.got("begin"))
    assert reader.got("begin")[1]["lost"] > 0
    gaps = [b["sequence"] - a["sequence"] - 1 for a, b in zip(reader.got(), reader.got()[1:])]
    assert sum(gaps) == reader.got()[-1]["lost"]


def test_collector_that_talks(world):
    """What it says is thrown away; too much of it ends the connection."""
    collector = world(Collector)
    plane = world(Plane, config(collector, cadence=100))
    assert until(20, lambda: collector.got("sync"))
    before = plane.memory()
    connection = collector.connections[0]
    try:
        for _ in range(64):
            connection.sendall(os.urandom(1 << 16))
    except OSError:
        pass # that is what it is to do
    assert until(20, lambda: "too much" in plane.session("noc").get("last-error", ""))
    assert plane.memory() - before < 4 << 20
    assert until(20, lambda: plane.session("noc")["connections"] >= 2)


def test_collector_by_name(world):
    """Names are asked for while the rest goes on; a name that nobody has holds nothing up."""
    collector = world(Collector)
    wanted = config(collector)
    wanted["telemetry"]["subscription"]["noc"]["collector"] = "localhost:%d" % collector.port
    wanted["telemetry"]["subscription"]["none"] = {"collector": "nowhere.invalid:9", "path": ["interface"]}
    plane = world(Plane, wanted)
    assert until(20, lambda: collector.got("sync"))
    assert not plane.session("none")["connected"]
    # Ends while the question may still be open.
    plane.process.terminate()
    assert plane.process.wait(10) == 0


def test_subscriptions_come_and_go(world):
    """Each change leaves the others connected."""
    first, second = world(Collector), world(Collector)
    wanted = config(first, cadence=100)
    plane = world(Plane, wanted)
    assert until(20, lambda: first.got("sync"))
    for turn in range(3):
        wanted["telemetry"]["subscription"]["more"] = {"collector": second.address, "path": ["system"]}
        plane.reload(wanted)
        assert until(20, lambda: len(second.got("sync")) == turn + 1)
        del wanted["telemetry"]["subscription"]["more"]
        plane.reload(wanted)
        assert until(20, lambda: len(plane.state("telemetry")["telemetry"]["subscription"]) == 1)
    assert plane.session("noc")["connections"] == 1 and len(first.got("begin")) == 1
    plane.reload({"interface": GEN})
    assert until(20, lambda: "subscription" not in plane.state("telemetry")["telemetry"])


@pytest.mark.parametrize("change, said", [
    ({"path": ["interface/*/conters"]}, "conters"),
    ({"collector": "127.0.0.1:0"}, "ports"),
    ({"mode": "threshold"}, "needs a threshold"),
    ({"threshold": {"t": {"path": "interface/state", "above": 1}}}, "number"),
    ({"threshold": {"t": {"path": "interface/counters/rx-bytes"}}}, "above, below or both"),
    ({"tls": {"certificate": "/x"}}, "belong together"),
])
def test_check_says_what_is_wrong(tmp_path, change, said):
    subscription = dict({"collector": "127.0.0.1:9", "path": ["interface"]}, **change)
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"interface": GEN, "telemetry": {"subscription": {"noc": subscription}}}))
    done = millrace("check", str(path), check=False)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "telemetry/noc" in done.stdout + done.stderr or "telemetry/subscription/noc" in done.stdout + done.stderr
