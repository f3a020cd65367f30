# SPDX-License-Identifier: Apache-2.0
"""millrace support: what is in a bundle, and what must not be."""
import io
import json
import os
import re
import signal
import tarfile
import time

from lab import bridge_config, millrace, pause
from millrace import config

PLANTED = "pl4nted" # in every secret


def unpack(path):
    """Name behind the bundle's own folder, and bytes, of all files."""
    files = {}
    with tarfile.open(path, "r:gz") as archive:
        for entry in archive:
            assert not entry.name.startswith("/") and ".." not in entry.name
            if entry.isfile():
                files[entry.name.split("/", 1)[1]] = archive.extractfile(entry).read()
    return files


def support(folder, *arguments):
    path = str(folder) + "/bundle.tar.gz"
    done = millrace("support", "-o", path, "--interval", "0.1", *arguments)
    assert os.stat(path).st_mode & 0o077 == 0
    with open(path, "rb") as file:
        assert file.read(2) == b"\x1f\x8b"
    files = unpack(path)
    manifest = files["MANIFEST"].decode()
    for name in files:
        assert name == "MANIFEST" or re.search(r"^%s +%d  " % (re.escape(name), len(files[name])), manifest, re.M)
    assert PLANTED.encode() not in b"".join(files.values())
    return files, done.stdout


def test_of_a_running_one(lab, tmp_path):
    lab.add_host(1)
    lab.add_host(2)
    lab.start(bridge_config([1, 2]))
    lab.ping(1, 2, "-c", "2", "-i", "0.01")
    files, said = support(tmp_path, "--socket", lab.socket)
    assert json.loads(files["config.json"])["bridge"][0]["name"] == "br0"
    state = json.loads(files["state/bridge.json"])
    assert state["bridge"][0]["name"] == "br0"
    assert b"br0" in files["show/bridge.txt"]
    before, after = (json.loads(files["machine/millrace/system-%s.json" % when])["system"]["uptime"]
                     for when in ("before", "after"))
    assert after > before
    assert "machine/proc/%d/status" % lab.switch.pid in files
    assert "config.json" in said and "files of /proc and /sys" in said
    # doctor says the same of what was kept.
    with tarfile.open(str(tmp_path) + "/bundle.tar.gz") as archive:
        archive.extractall(tmp_path)
    folder = next(tmp_path.glob("millrace-support-*"))
    again = millrace("doctor", "--json", "--root", str(folder / "machine"), str(folder / "config.json"), check=False)
    now, then = json.loads(again.stdout), json.loads(files["doctor.json"])
    same = [(one["level"], one["what"]) for one in then["findings"]
            if one["area"] not in ("running", "config", "nic", "mtu")]
    assert set(same) <= {(one["level"], one["what"]) for one in now["findings"]}


def test_of_one_that_hangs_and_one_that_is_dead(lab, tmp_path):
    lab.add_host(1)
    lab.start(bridge_config([1]))
    pause(lab.switch.pid)
    began = time.monotonic()
    try:
        files, said = support(tmp_path, "--socket", lab.socket, "--config", lab.folder.name + "/config.yaml")
    finally:
        lab.switch.send_signal(signal.SIGCONT)
    assert time.monotonic() - began < 15
    assert b"does not answer" in files["doctor.txt"] and "config.json" in files
    assert "state/bridge.json" not in files and "missing: millrace does not answer" in said
    lab.stop()
    files, said = support(tmp_path, "--socket", lab.socket, "--config", lab.folder.name + "/config.yaml")
    assert "config.json" in files and "missing: no millrace runs there" in said


def test_secrets_are_left_out(tmp_path):
    """Every text that a configuration can hold, one after the other, in files that load and in files
    that do not; secrets leave no trace, the others stay."""
    path = tmp_path / "config.yaml"
    hash_of = "sha256:" + "%064x" % 0xabcdef
    texts = {
        "rest: {user: [{name: ann, token: \"%s\"}]}\n" % hash_of: hash_of,
        "rest: {user: {ann: {token: %s-token}}}\n" % PLANTED: PLANTED,
        "interface:\n  a:\n    password: %s-in-block\n" % PLANTED: PLANTED,
        "{\"bgp-password\": \"%s in flow\", x: 1\n" % PLANTED: PLANTED,
        "psk: |\n  %s-line-one\n  %s-line-two\nnext: [\n" % (PLANTED, PLANTED): PLANTED,
        "secret : '%s'\ninterface: {a: {mtu: %s}}\n" % (PLANTED, PLANTED): PLANTED,
        "# token: %s-comment\nsystem: {workers: x}\n" % PLANTED: PLANTED,
    }
    for text, secret in texts.items():
        path.write_text(text)
        files, _ = support(tmp_path, "--config", str(path), "--socket", str(tmp_path / "none"))
        everything = b"".join(files.values())
        assert secret.encode() not in everything, text
        assert secret.encode()[7:] not in everything or secret == PLANTED, text


def test_secrets_of_what_runs_are_left_out(lab, tmp_path):
    """One that was committed and one that it took the place of: neither is in the file."""
    lab.add_host(1)
    lab.start(bridge_config([1]))
    hashes = ["%064x" % (0xabcdef << n * 8) for n in range(2)]
    for hash_of in hashes:
        lab.client.set(config.rest.user["ann"].token, "sha256:" + hash_of)
    for arguments in ((), ("--config", lab.folder.name + "/config.yaml")):
        files, _ = support(tmp_path, "--socket", lab.socket, *arguments)
        for hash_of in hashes:
            assert hash_of.encode() not in b"".join(files.values())
        commits = json.loads(files["state/commits.json"])["commits"]
        assert any(change["path"].endswith("token") for commit in commits for change in commit.get("changes", []))
        if not arguments:
            assert files["removed.txt"] == b"rest/user/ann/token\n"
            assert json.loads(files["config.json"])["rest"]["user"] == [{"name": "ann", "role": "read"}]


def test_dropped_packets_lose_their_payload(lab, tmp_path):
    from scapy.all import Ether, IP, Raw, UDP, PcapNgReader, sendp  # pylint: disable=import-outside-toplevel
    del sendp
    lab.add_host(1)
    lab.add_host(2)
    lab.start(bridge_config([1, 2]).replace("h1: {}", "h1: {access: 7}"))
    frame = Ether(dst="02:00:00:00:00:09", src="02:00:00:00:00:01") / IP(src="10.0.0.1", dst="10.0.0.2") / \
        UDP(sport=1, dport=2) / Raw(PLANTED.encode() * 9)
    sender = lab.in_host(1, "/usr/bin/python3", "-c",
                         "from scapy.all import *; sendp(Ether(bytes.fromhex('%s')), iface='eth0', count=3, verbose=0)"
                         % ("02000000000902000000000181000009" + bytes(frame)[12:].hex()))
    assert sender.returncode == 0
    files, _ = support(tmp_path, "--socket", lab.socket)
    packets = [bytes(packet) for packet in PcapNgReader(io.BytesIO(files["drops.pcapng"]))]
    assert any(b"\x81\x00\x00\x09" in packet for packet in packets)
    files, said = support(tmp_path, "--socket", lab.socket, "--no-packets")
    assert "drops.pcapng" not in files and "--no-packets" in said
