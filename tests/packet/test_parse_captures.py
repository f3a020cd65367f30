# SPDX-License-Identifier: Apache-2.0
"""The packet parser beside tshark, frame by frame, on real and on broken captures.

Both read the same files; where both read the same layer they must read the same values. The
captures lie in the shared data folder (MR_DATA, or ../shared/data beside the source).
"""
import glob
import os
import shutil
import struct
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.environ.get("MR_DATA", os.path.join(ROOT, "..", "shared", "data"))
DUMP = os.environ.get("MR_PARSE_DUMP", os.path.join(ROOT, "build", "kit", "packet", "parse-dump"))

FIELDS = [
    "frame.number", "frame.protocols", "eth.type", "vlan.id", "ieee8021ad.id", "ip.version", "ip.proto",
    "ip.src", "ip.dst", "ip.ttl", "ip.frag_offset", "ip.flags.mf", "ipv6.version", "ipv6.src", "ipv6.dst",
    "ipv6.hlim", "tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.len", "udp.srcport", "udp.dstport",
    "icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code", "sctp.srcport", "sctp.dstport",
    "tcp.checksum.status", "udp.checksum.status", "icmp.checksum.status", "icmpv6.checksum.status",
    "sctp.checksum.status",
]
OPTIONS = [
    "ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE",
    "tcp.try_heuristic_first:FALSE", "ip.tso_support:FALSE", "tcp.check_checksum:TRUE",
    "udp.check_checksum:TRUE", "sctp.checksum:TRUE",
]
STATUS = {"0": "bad", "1": "good", "3": "absent"}


def _frames(path):
    """(bytes captured, length on the wire) for each frame of a capture of Ethernet."""
    with open(path, "rb") as file:
        data = file.read()
    if len(data) < 24:
        return
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    if struct.unpack_from(order + "I", data, 20)[0] & 0xffff != 1:
        return
    at = 24
    while at + 16 <= len(data):
        captured, wire = struct.unpack_from(order + "II", data, at + 8)
        at += 16
        if captured > 262144 or at + captured > len(data):
            return
        yield data[at:at + captured], max(captured, wire)
        at += captured


def _merge(paths, merged):
    """One capture of all, because tshark takes a second to start. Returns the frames' names."""
    names = []
    with open(merged, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for path in paths:
            for number, (frame, wire) in enumerate(_frames(path), 1):
                out.write(struct.pack("<IIII", len(names), 0, len(frame), wire) + frame)
                names.append("%s frame %d" % (os.path.basename(path), number))
    return names


def _tshark(path):
    """A dictionary per frame: field -> list of values, outermost first."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"]
    for option in OPTIONS:
        command += ["-o", option]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    for line in done.stdout.splitlines():
        values = line.split("\t")
        yield {f: v.split("|") if v else [] for f, v in zip(FIELDS, values + [""] * len(FIELDS))}


def _ours(path):
    """A list of layers per frame; a layer is a dictionary of texts."""
    done = subprocess.run([DUMP, path], capture_output=True, text=True, check=True, timeout=60)
    for line in done.stdout.splitlines():
        fields = line.split("\t")
        layers = [dict(pair.split("=", 1) for pair in field.split()) for field in fields[6:]]
        yield {"len": int(fields[2]), "total": int(fields[3]), "sum": fields[4], "layers": layers}


def _number(text):
    return int(text, 0) if text.lower().startswith("0x") else int(text)


def _compare(ours, theirs):
    """Yields what differs, and counts what was compared in `theirs['compared']`."""
    first = ours["layers"][0]

    def same(what, mine, other):
        theirs["compared"] = theirs.get("compared", 0) + 1
        if mine != other:
            yield "%s: %s, tshark %s" % (what, mine, other)

    if first["error"] in ("eth-short", "vlan-short", "header-split") or not theirs["eth.type"]:
        return
    # 802.1Q and 802.1ad tags stand in two fields of tshark's, each in order. Those of the frame
    # come before anything else; further in there may be more.
    protocols = theirs["frame.protocols"][0].split(":") if theirs["frame.protocols"] else []
    outer = [name for name in protocols if name != "ethertype"][1:3]
    count = 0
    while count < len(outer) and outer[count] in ("vlan", "ieee8021ad"):
        count += 1
    service = outer[:count].count("ieee8021ad")
    other = theirs["ieee8021ad.id"][:service] + theirs["vlan.id"][:count - service]
    tags = [first[key] for key in ("vlan0", "vlan1") if key in first]
    yield from same("tags", tags, [str(_number(tag)) for tag in other])

    # The first IP header there is: in the frame, or behind MPLS and PPPoE.
    layers = [layer for layer in ours["layers"] if layer["version"] != "0"]
    if not layers:
        return
    ip = layers[0]
    found = [name for name in protocols if name in ("ip", "ipv6")]
    if not found:
        return
    yield from same("version", ip["version"], "4" if found[0] == "ip" else "6")
    name = found[0]
    yield from same("src", ip["src"], theirs[name + ".src"][0])
    yield from same("dst", ip["dst"], theirs[name + ".dst"][0])
    yield from same("ttl", ip["ttl"], theirs["ip.ttl" if name == "ip" else "ipv6.hlim"][0])
    if name == "ip":
        yield from same("proto", ip["proto"], str(_number(theirs["ip.proto"][0])))
        fragment = theirs["ip.frag_offset"][0] != "0" or theirs["ip.flags.mf"][0] in ("1", "True")
        yield from same("fragment", "fragment" in ip, fragment)
    if ip["error"] != "ok":
        return

    # Layer 4 right behind this header, where both have one. A protocol further in (in an ICMP
    # error, in a tunnel) has its values later in tshark's lists.
    behind = protocols[protocols.index(name) + 1:]
    behind = [layer for layer in behind if not layer.startswith("ipv6.")]
    for layer, number in (("tcp", "6"), ("udp", "17"), ("sctp", "132")):
        if ip["proto"] == number and "sport" in ip and behind[:1] == [layer]:
            yield from same("source port", ip["sport"], theirs[layer + ".srcport"][0])
            yield from same("destination port", ip["dport"], theirs[layer + ".dstport"][0])
            if layer == "tcp" and theirs["tcp.flags"]:
                # A fragment's payload is not a segment's.
                flags = _number(theirs["tcp.flags"][0]) & 0xff
                yield from same("flags", _number(ip["flags"]), flags)
                if "fragment" not in ip and theirs["tcp.len"]:
                    yield from same("payload", ip["payload"], theirs["tcp.len"][0])
    for layer, number in (("icmp", "1"), ("icmpv6", "58")):
        if ip["proto"] == number and "icmp" in ip and behind[:1] == [layer]:
            code = theirs[layer + ".code"][0] if theirs[layer + ".code"] else "0"
            yield from same("type", ip["icmp"], theirs[layer + ".type"][0] + "." + code)

    # The checksum, where it covers a whole packet that both can see.
    for layer in ("tcp", "udp", "icmp", "icmpv6", "sctp"):
        status = theirs[layer + ".checksum.status"]
        if behind[:1] == [layer] and layers[0] is first and ours["sum"] != "unknown" and \
                "fragment" not in ip and status and status[0] in STATUS:
            yield from same("checksum", ours["sum"], STATUS[status[0]])


CAPTURES = [path for folder in ("captures", "malformed")
            for path in sorted(glob.glob(os.path.join(DATA, folder, "*.pcap")))]


@pytest.mark.skipif(not CAPTURES, reason="no captures in %s (set MR_DATA)" % DATA)
@pytest.mark.skipif(not os.access(DUMP, os.X_OK), reason="%s is not built" % DUMP)
@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_like_tshark(tmp_path):
    merged = str(tmp_path / "merged.pcap")
    names = _merge(CAPTURES, merged)
    ours = list(_ours(merged))
    theirs = list(_tshark(merged))
    assert len(ours) == len(theirs) == len(names)
    wrong = []
    compared = 0
    for name, mine, other in zip(names, ours, theirs):
        wrong += ["%s: %s" % (name, difference) for difference in _compare(mine, other)]
        compared += other.get("compared", 0)
    assert not wrong, "%d differences:\n%s" % (len(wrong), "\n".join(wrong[:40]))
    # The comparison is not empty.
    assert len(names) > 4000 and compared > 6 * len(names)
    print("%d frames of %d captures, %d values compared" % (len(names), len(CAPTURES), compared))
