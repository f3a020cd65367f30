# SPDX-License-Identifier: Apache-2.0
"""Frames that were right before something happened to them: every one is sent, answered, handed to
the host or dropped by a name; none is lost, and the router goes on."""
import random

import pytest

import test_arp_nd
import test_ipv4
import test_ipv6
from rows import Row, forwarded, internet_sum

SEED = 1812
COUNT = 6000


def seeds(bed):
    frames = []
    for table in (test_arp_nd.CASES, test_ipv4.CASES, test_ipv6.CASES):
        for number, case in enumerate(table, 5000):
            sent = case.sends(Row(number, bed))
            frames += sent if isinstance(sent, list) else [sent]
    return frames


def flip(some, frame):
    at = some.randrange(12, len(frame))
    return frame[:at] + bytes([frame[at] ^ 1 << some.randrange(8)]) + frame[at + 1:]


def byte(some, frame):
    at = some.randrange(12, min(len(frame), 80))
    return frame[:at] + bytes([some.choice((0, 1, 4, 0x7f, 0x80, 0xff))]) + frame[at + 1:]


def cut(some, frame):
    return frame[:some.randrange(14, len(frame) + 1)]


def grow(some, frame):
    return frame + some.randbytes(some.randrange(1, 64))


def swap(some, frame):
    """A piece of it is somewhere else as well."""
    size = some.randrange(1, 9)
    a, b = (some.randrange(12, max(13, len(frame) - size)) for _ in range(2))
    return (frame[:a] + frame[b:b + size] + frame[a + size:])[:max(len(frame), 14)]


def mended(frame):
    """IPv4's checksum made right again, so that it gets further."""
    if frame[12:14] != b"\x08\0" or len(frame) < 34:
        return frame
    size = (frame[14] & 15) * 4
    header = frame[14:14 + size]
    if size < 20 or len(header) < size:
        return frame
    total = internet_sum(header[:10] + b"\0\0" + header[12:])
    return frame[:24] + total.to_bytes(2, "big") + frame[26:]


@pytest.mark.parametrize("depth", [1, 3])
def test_nothing_is_lost(bed, depth):
    some = random.Random(SEED + depth)
    begin = seeds(bed)
    frames = []
    for _ in range(COUNT):
        port, frame = some.choice(begin)
        for _ in range(depth):
            if len(frame) > 20:
                frame = some.choice((flip, byte, cut, grow, swap))(some, frame)
        frames.append((port, mended(frame)[:1514]))
    received = sum(i["counters"]["rx-packets"] for i in bed.show("interfaces"))
    bed.exchange(frames, quiet=0.3)
    assert bed.process.poll() is None, bed.said()
    after = sum(i["counters"]["rx-packets"] for i in bed.show("interfaces"))
    assert after - received >= COUNT, "frames that did not even arrive"
    totals = bed.show("packets")
    assert totals["received"] + totals["created"] == \
        totals["sent"] + totals["dropped"] + totals["held"] + totals["merged"], totals
    # And all is as it was.
    row = Row(5900 + depth, bed)
    for sent, way in ((row.v4(), forwarded()), (row.v6(), forwarded())):
        row.sent = [sent]
        came = [(p, f) for p, f in bed.exchange([sent], quiet=0.1) if row.owns(f)]
        assert not way(row, came)
