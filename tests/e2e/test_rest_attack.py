# SPDX-License-Identifier: Apache-2.0
"""What clients do to the REST interface hurts neither forwarding nor memory.

100,000 packets a second cross a bridge meanwhile: none is lost and as many come through as before,
and the control socket's owner is answered.
"""
import json
import os
import random
import resource
import socket
import statistics
import subprocess
import threading
import time

import pytest

from rest_lab import Rest, wait_for

pytestmark = [pytest.mark.alone, pytest.mark.slow]

RATE = 100000
DATA = "/restconf/data"
CONFIG = {"system": {"workers": str(max(os.sched_getaffinity(0)))},
          "interface": {"g": {"driver": "gen", "options": {"rate": str(RATE), "count": "0"}},
                        "s": {"driver": "null"}},
          "bridge": {"br0": {"interface": {"g": {}, "s": {}}}}}


class Busy(Rest):
    def local(self, path):
        """As the owner, over the control socket."""
        done = subprocess.run(["curl", "-s", "-S", "--max-time", "10", "--unix-socket", self.socket, "http://m" + path],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def passed(self):
        """(packets in, packets out, when)"""
        faces = {i["name"]: i["counters"] for i in self.local("/state/interface")["interface"]}
        return faces["g"]["rx-packets"], faces["s"]["tx-packets"], time.monotonic()

    def rate(self, seconds):
        one = self.passed()
        time.sleep(seconds)
        two = self.passed()
        return (two[1] - one[1]) / (two[2] - one[2])

    def during(self, attack, seconds=2.0, growth=96 << 20):
        """Runs attack(stop) in a thread, and sees that nothing suffers."""
        stop, memory = threading.Event(), self.memory()
        before = self.rate(0.5)
        thread = threading.Thread(target=attack, args=(stop,))
        thread.start()
        try:
            time.sleep(0.3)
            rates = []
            while thread.is_alive() and (not rates or sum(1 for _ in rates) * 0.5 < seconds):
                rates.append(self.rate(0.5))
                assert self.memory() - memory < growth, "memory has grown by %d" % (self.memory() - memory)
        finally:
            stop.set()
            thread.join()
        # What the machine does for others shows before and behind, too.
        calm = min([before] + [self.rate(0.5) for _ in range(3)])
        assert max(rates) > 0.9 * calm, (calm, rates)
        assert statistics.median(rates) > 0.8 * calm, (calm, rates)
        if "MR_VERBOSE" in os.environ:
            print("before %.0f, during %s, calm %.0f packets/s, memory %+.1f MiB" % (
                before, ["%.0f" % r for r in rates], calm, (self.memory() - memory) / 1048576))

    def lost(self):
        return sum(d["packets"] for d in self.local("/state/system")["system"]["drop"])

    def local_counters(self):
        return self.local("/state/rest")["rest"]["counters"]


def busy(**limits):
    made = Busy(CONFIG, rest={"limits": limits})
    wait_for(5, lambda: made.passed()[1] > 0)
    return made


@pytest.fixture
def rest():
    made = busy(**{"request-timeout": 2, "idle-timeout": 3})
    try:
        yield made
        assert made.lost() == 0
        assert made.get("/state/rest").status == 200, "alice is let in afterwards"
        received, sent, _ = made.passed()
        assert received - sent < 4096
    finally:
        made.close()


def open_connection(rest, source="127.0.0.1"):
    conn = socket.socket()
    conn.settimeout(3)
    conn.bind((source, 0))
    conn.connect(("127.0.0.1", rest.port))
    return conn


def test_bad_tokens(rest):
    """Each waits longer for its answer; who has a token does not."""
    def attack(stop):
        def guess():
            while not stop.is_set():
                rest.raw(b"GET /restconf/data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer guess\r\n\r\n", timeout=8)
        threads = [threading.Thread(target=guess) for _ in range(20)]
        for thread in threads:
            thread.start()
        stop.wait()
        for thread in threads:
            thread.join()
    rest.during(attack, 3)
    failed = rest.local_counters()["failed-logins"]
    assert 20 <= failed < 200, "20 clients in 3 s: they were not slowed"
    began = time.monotonic()
    assert rest.get("/state/rest").status == 200
    assert time.monotonic() - began < 2
    # The log has some of them, not all.
    assert 0 < rest.said().count("login refused") < failed


def test_oversized(rest):
    """Bodies and heads that are too large are refused by their size, not when they are there."""
    head = b"PUT /restconf/data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" % rest.alice.encode()
    megabyte = b"x" * (1 << 20)
    answers = []

    def attack(stop):
        while not stop.is_set():
            answers.append(rest.raw(head + b"Content-Length: 1000000000\r\n\r\n" + megabyte, timeout=2)[:12])
            answers.append(rest.raw(head + b"X: " + megabyte + b"\r\n\r\n", timeout=2)[:12])
            answers.append(rest.raw(head + b"Transfer-Encoding: chunked\r\n\r\n" +
                                    (b"100000\r\n" + megabyte + b"\r\n") * 8, timeout=2)[:12])
    rest.during(attack)
    assert answers and not [a for a in answers if a[9:10] not in (b"4", b"")], answers


def test_bodies_share_a_bound():
    """More requests at once than there is memory for: the largest go."""
    made = busy(body=33554432, memory=16 << 20)
    try:
        def attack(stop):
            conns = []
            for _ in range(20):
                conn = open_connection(made)
                conns.append(conn)
                try:
                    conn.sendall(b"PUT /restconf/data HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n" +
                                 b"x" * 7000000)
                except OSError:
                    pass
            stop.wait(2)
            for conn in conns:
                conn.close()
        made.during(attack)
        assert made.local_counters()["over-memory"] > 0
        assert made.lost() == 0
    finally:
        made.close()


@pytest.mark.parametrize("beginning", [
    b"GET /restconf/data HTTP/1.1\r\nHost: x\r\nX-A: ",
    b"PUT /restconf/data HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"])
def test_slow_senders(rest, beginning):
    """A byte now and then does not keep a connection."""
    def attack(stop):
        conns = [open_connection(rest) for _ in range(100)]
        for conn in conns:
            conn.sendall(beginning)
        while not stop.wait(0.2):
            for conn in list(conns):
                try:
                    conn.send(b"a")
                except OSError:
                    conns.remove(conn)
    rest.during(attack, 4)
    assert rest.local_counters()["timed-out"] >= 100


def test_readers_that_do_not_read(rest):
    def attack(stop):
        conns = []
        for _ in range(60):
            conn = open_connection(rest)
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            conn.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
                         % rest.alice.encode())
            conns.append(conn)
        stop.wait()
        for conn in conns:
            conn.close()
    rest.during(attack, 4, growth=160 << 20)
    wait_for(10, lambda: rest.local_counters()["timed-out"] + rest.local_counters()["over-memory"] >= 50)


def test_ten_thousand_connections(rest):
    """From a hundred sources; then from one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10500:
        pytest.skip("needs 10,500 file descriptors, has %d" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened = [0]

    def attack(stop):
        conns = []
        for i in range(10000):
            if stop.is_set():
                break
            try:
                conns.append(open_connection(rest, "127.0.%d.1" % (1 + i % 100) if i < 9000 else "127.0.0.9"))
                opened[0] += 1
            except OSError:
                pass
        stop.wait()
        for conn in conns:
            conn.close()
    try:
        rest.during(attack, 6)
        assert opened[0] > 9000
        counters = rest.local_counters()
        assert counters["evicted"] > 1000 and counters["over-source"] > 0, counters
        assert rest.local("/state/rest")["rest"]["listen"][0]["connections"] <= 513
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_descriptors():
    """The limit is named; when descriptors are free again, clients are let in again."""
    made = Busy(CONFIG, rest={"limits": {"connections": 1000, "connections-per-source": 1000}},
                wrap=["prlimit", "--nofile=140"])
    try:
        assert made.get("/state/rest").status == 200
        conns = [open_connection(made) for _ in range(150)]
        wait_for(5, lambda: "the limit is 140 descriptors" in made.said())
        assert made.local("/state/interface")["interface"], "the control socket is answered meanwhile"
        for conn in conns:
            conn.close()
        wait_for(5, lambda: made.get("/state/rest").status == 200)
        assert made.local_counters()["out-of-files"] > 0
        assert made.lost() == 0
    finally:
        made.close()


# -- what is not HTTP --------------------------------------------------------------------------

SEEDS = [
    b"GET /restconf/data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"PUT /restconf/data/millrace-interface:interface=a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n"
    b"Content-Type: application/yang-data+json\r\nContent-Length: 54\r\n\r\n"
    b'{"millrace-interface:interface":[{"name":"a","mtu":9}]}',
    b"POST /restconf/operations/millrace-commit:plan HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET /restconf/data?fields=a(b;c/d)&depth=3&content=config HTTP/1.0\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"GET /state/interface HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n" * 3,
    b"GET /restconf/streams/state?period=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"HEAD http://x/restconf/data HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
]
PIECES = [b"\r\n", b"\n", b"\0", b"%00", b"%", b"%zz", b"..", b"//", b":", b"\xff\xfe", b"=", b"(", b"(" * 200,
          b"[" * 2000, b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n",
          b"Transfer-Encoding: chunked\r\n", b"HTTP/9.9", b" ", b"{" * 500, b'"', b"\\u0000", b"a" * 5000, b"?", b"&"]


def mutate(random_, data):
    data = bytearray(data)
    for _ in range(random_.randrange(1, 6)):
        at = random_.randrange(len(data) + 1)
        how = random_.randrange(5)
        if how == 0 and data:
            data[at % len(data)] = random_.randrange(256)
        elif how == 1:
            data[at:at] = random_.choice(PIECES)
        elif how == 2:
            del data[at:at + random_.randrange(1, 20)]
        elif how == 3:
            data[at:at] = data[at:at + random_.randrange(1, 40)]
        else:
            data = data[:at]
    return bytes(data)


def test_malformed(rest):
    """Mutated requests with a good token: MR_SOAK multiplies them. The process lives, stays small,
    and goes on forwarding."""
    random_ = random.Random(8040)
    count = 400 * int(os.environ.get("MR_SOAK", "1"))

    def attack(stop):
        del stop
        for _ in range(count):
            data = mutate(random_, random_.choice(SEEDS).replace(b"TOKEN", rest.alice.encode()))
            with open_connection(rest) as conn:
                conn.settimeout(0.02)
                try:
                    conn.sendall(data)
                    conn.recv(65536)
                except OSError:
                    pass
    rest.during(attack, 600 if count > 400 else 10)
    assert rest.process.poll() is None
    # What was changed with alice's token was valid; forwarding may have been turned off by none of it.
    assert rest.rate(0.5) > 0.8 * RATE
