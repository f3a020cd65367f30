# SPDX-License-Identifier: Apache-2.0
"""Streams of events: commits with Last-Event-ID, state with a period, readers that do not read."""
import json
import socket
import time

import pytest

from rest_lab import Events, Rest

DATA = "/restconf/data"


@pytest.fixture
def rest():
    made = Rest()
    yield made
    made.close()


def mtu(rest, value):
    answer = rest.ask("PUT", DATA + "/millrace-interface:interface=a/mtu", {"millrace-interface:mtu": value})
    assert answer.status in (201, 204), answer.body


def test_changes(rest):
    events = Events(rest, "/restconf/streams/changes")
    assert events.status == 200
    assert events.response.headers["Content-Type"] == "text/event-stream"
    mtu(rest, 1400)
    first = events.next()
    assert first["event"] == "commit" and first["retry"] == "2000"
    told = json.loads(first["data"])
    assert told["who"] == "alice" and str(told["id"]) == first["id"]
    assert told["changes"] == [{"path": "interface/a/mtu", "op": "create", "new": "1400"}]
    mtu(rest, 1300)
    told = json.loads(events.next()["data"])
    assert told["changes"] == [{"path": "interface/a/mtu", "op": "change", "old": "1400", "new": "1300"}]
    events.close()
    # What happened meanwhile is told to one who comes back.
    for value in (1200, 1210, 1220):
        mtu(rest, value)
    events = Events(rest, "/restconf/streams/changes", {"Last-Event-ID": first["id"]})
    news = [json.loads(events.next()["data"])["changes"][0]["new"] for _ in range(4)]
    assert news == ["1300", "1200", "1210", "1220"]
    events.close()


def test_state(rest):
    events = Events(rest, "/restconf/streams/state?names=system,interface&period=200")
    began = time.monotonic()
    samples = [events.next() for _ in range(6)]
    took = time.monotonic() - began
    assert 0.8 < took < 4
    told = json.loads(samples[0]["data"])
    assert set(told) == {"system", "interface"}
    assert [s["id"] for s in samples] == ["1", "2", "3", "4", "5", "6"]
    assert json.loads(samples[5]["data"])["system"]["uptime"] > told["system"]["uptime"]
    events.close()


@pytest.mark.parametrize("query,status", [
    ("names=nobody", 404), ("period=5", 400), ("period=x", 400), ("names=" + "a," * 300, 400),
    ("names=system,system", 400)])
def test_queries_that_make_no_sense(rest, query, status):
    assert rest.get("/restconf/streams/state?" + query).status == status


def test_read_role_may_listen(rest):
    assert rest.get("/restconf/streams/state?names=nobody", token="bob").status == 404
    assert rest.get("/restconf/streams/changes", token=None).status == 401


def test_head_ends(rest):
    assert rest.ask("HEAD", "/restconf/streams/changes").status == 200


@pytest.mark.slow
def test_a_reader_that_does_not_read():
    """It loses samples, costs little memory, and goes when it has taken nothing for the idle time."""
    rest = Rest(rest={"limits": {"idle-timeout": 3}})
    try:
        before = rest.memory()
        lazy = []
        for _ in range(40):
            conn = socket.socket()
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            conn.connect(("127.0.0.1", rest.port))
            conn.sendall(b"GET /restconf/streams/state?period=100 HTTP/1.1\r\nHost: x\r\n"
                         b"Authorization: Bearer " + rest.alice.encode() + b"\r\n\r\n")
            lazy.append(conn)
        lively = Events(rest, "/restconf/streams/state?names=interface&period=100")
        for _ in range(30):
            lively.next()
        assert rest.memory() - before < 64 << 20
        lively.close()
        end = time.monotonic() + 60
        while rest.counters()["timed-out"] < 40:
            assert time.monotonic() < end, rest.counters()
            time.sleep(0.2)
        for conn in lazy:
            conn.close()
    finally:
        rest.close()


def test_end_with_streams_open(rest):
    events = Events(rest, "/restconf/streams/changes")
    rest.close()
    assert rest.status == 0
    events.close()
