# SPDX-License-Identifier: Apache-2.0
"""Protocols whose payload speaks of addresses, through the translator.

     host 1: curl, a SIP phone  ---  millrace: NAT, as strict as can be  ---  host 2: vsftpd, atftpd, a SIP peer
             10.9.1.2                          outside 10.9.2.1                       10.9.2.2
"""
import json
import os
import subprocess
import sys

import pytest

from gateway_lab import have
from lab import until
from router_lab import RouterLab

TEXT = "".join("line %d of a file\n" % n for n in range(20000))
STRICT = {"mapping": "endpoint-independent", "filtering": "address-and-port-dependent"}
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sip_peer.py")


class AlgLab(RouterLab):
    def __init__(self):
        super().__init__()
        for number in (1, 2):
            self.add_host(number)
        # Whoever speaks to the inside by its own address does not reach it.
        self.in_host(2, "ip", "route", "del", "default")
        self.files = os.path.join(self.folder.name, "files")
        os.mkdir(self.files)
        os.chmod(self.folder.name, 0o755)
        with open(self.files + "/text", "w", encoding="utf-8") as file:
            file.write(TEXT)

    def nat(self, *algs, **more):
        instance = dict({"outside": ["h2"], "inside": ["h1"]}, **more)
        if algs:
            instance["alg"] = list(algs)
        return self.config(more={"nat": {"instance": {"home": instance}}})

    def ftp_server(self, host=2):
        path = os.path.join(self.folder.name, "vsftpd.conf")
        empty = os.path.join(self.folder.name, "empty")
        os.mkdir(empty)
        with open(path, "w", encoding="utf-8") as file:
            file.write("listen=YES\nlisten_ipv6=NO\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\n"
                       "anon_root=%s\nsecure_chroot_dir=%s\nport_enable=YES\npasv_enable=YES\nseccomp_sandbox=NO\n"
                       "connect_from_port_20=YES\nrun_as_launching_user=NO\n"
                       "xferlog_enable=NO\nvsftpd_log_file=%s/log\n" % (self.files, empty, empty))
        os.chmod(path, 0o600)
        self.begin(host, "vsftpd", path)
        assert until(5, lambda: ":21 " in self.in_host(host, "ss", "-ltn").stdout)

    def ftp(self, *options, check=True):
        return self.in_host(1, "curl", "-sS", "-m", "10", *options, "ftp://10.9.2.2/text", check=check)

    def sessions(self):
        return self.show("nat")["instance-state"][0]


@pytest.fixture
def bed(namespaces):
    lab = AlgLab()
    yield lab
    lab.close()


def need(*programs):
    why = have(*programs)
    if why:
        pytest.skip(why)


@pytest.mark.parametrize("filtering", ["endpoint-independent", "address-and-port-dependent"])
def test_ftp(bed, filtering):
    """curl against vsftpd: passive, and active by PORT and by EPRT."""
    need("vsftpd", "curl")
    bed.ftp_server()
    bed.start(bed.nat("ftp", **dict(STRICT, filtering=filtering)))
    passive = bed.ftp()
    assert passive.stdout == TEXT
    # The file came by a connection that the server has made. Twice, as ports change.
    for _ in range(2):
        for options in (("--ftp-port", "-"), ("--ftp-port", "-", "--disable-eprt")):
            active = bed.ftp(*options)
            assert active.stdout == TEXT, active.stderr
    assert bed.checksum_errors(1) == {} and bed.checksum_errors(2) == {}


def test_ftp_without(bed):
    """Nobody looks into it: the server is told an address that it has no way to."""
    need("vsftpd", "curl")
    bed.ftp_server()
    bed.start(bed.nat(**STRICT))
    assert bed.ftp().stdout == TEXT
    assert bed.ftp("--ftp-port", "-", "-m", "3", check=False).returncode != 0


def test_ftp_many_commands(bed):
    """One control connection, many data connections: its numbers are shifted further each time."""
    need("vsftpd", "curl")
    bed.ftp_server()
    bed.start(bed.nat("ftp", **STRICT))
    with open(bed.files + "/small", "w", encoding="utf-8") as file:
        file.write("small\n")
    done = bed.in_host(1, "curl", "-sS", "-m", "20", "--ftp-port", "-", *["ftp://10.9.2.2/small"] * 40)
    assert done.stdout == "small\n" * 40


@pytest.mark.parametrize("alg", [True, False])
def test_tftp(bed, alg):
    need("atftpd", "curl")
    bed.begin(2, "atftpd", "--daemon", "--no-fork", "--user", "root.root", bed.files)
    assert until(5, lambda: ":69 " in bed.in_host(2, "ss", "-lun").stdout)
    bed.start(bed.nat(*(["tftp"] if alg else []), **STRICT))
    done = bed.in_host(1, "curl", "-sS", "-m", "10" if alg else "3", "tftp://10.9.2.2/text", check=False)
    assert (done.stdout == TEXT) == alg, done.stderr


def sip(bed, caller=1, called=2, address="10.9.2.2", early=False):
    more = ["early"] if early else []
    server = bed.begin(called, "/usr/bin/python3", PEER, "answer", *more, stdout=subprocess.PIPE, stderr=sys.stderr,
                       text=True)
    assert server.stdout.readline() == "ready\n"
    done = bed.in_host(caller, "/usr/bin/python3", PEER, "call", address, *more, check=False)
    if done.returncode:
        server.kill()
    said = server.stdout.read()
    server.wait(10)
    server.stdout.close()
    bed.processes.remove(server)
    return done, said


@pytest.mark.parametrize("filtering", ["endpoint-independent", "address-and-port-dependent"])
def test_sip(bed, filtering):
    """A call with media, which the other begins; the other hangs up."""
    bed.start(bed.nat("sip", **dict(STRICT, filtering=filtering)))
    done, said = sip(bed)
    assert done.returncode == 0, done.stderr
    caller, called = json.loads(done.stdout), json.loads(said)
    # The one outside has heard nothing of the inside, the one inside nothing of the outside.
    assert "10.9.1.2" not in called["text"] and "10.9.2.1" in called["text"] and called["whole"]
    assert called["from"][0] == "10.9.2.1"
    assert (called["rtp"], called["rtcp"], called["ended"]) == ("heard rtp", "heard rtcp", "SIP/2.0 200 OK")
    assert "10.9.2.1" not in done.stdout and "10.9.1.2:5060" in caller["via"] and caller["whole"]
    assert caller["bye"] == "BYE sip:alice@10.9.1.2:5060 SIP/2.0"


def test_sip_without(bed):
    bed.start(bed.nat(**STRICT))
    done, _ = sip(bed)
    assert done.returncode != 0


FORWARD = {"forward": {"ftp": {"protocol": "tcp", "port": "21", "to": "10.9.1.2"},
                       "sip": {"protocol": "udp", "port": "5060", "to": "10.9.1.2"}}}
STATIC = {"static": {"server": {"outside": "10.9.2.77", "inside": "10.9.1.2"}}}
SERVERS = pytest.mark.parametrize("way, address", [(FORWARD, "10.9.2.1"), (STATIC, "10.9.2.77")],
                                  ids=["forward", "static"])


@SERVERS
def test_ftp_server_inside(bed, way, address):
    """vsftpd inside, curl outside: passive by EPSV and PASV, active by EPRT and PORT."""
    need("vsftpd", "curl")
    bed.ftp_server(1)
    bed.start(bed.nat("ftp", **dict(STRICT, **way)))
    for options in ((), ("--disable-epsv", "--no-ftp-skip-pasv-ip"), ("--ftp-port", "-"),
                    ("--ftp-port", "-", "--disable-eprt")):
        for _ in range(2):
            done = bed.in_host(2, "curl", "-sS", "-m", "10", *options, "ftp://%s/text" % address, check=False)
            assert done.stdout == TEXT, (options, done.stderr)
    # Many answers of another length in one connection.
    with open(bed.files + "/small", "w", encoding="utf-8") as file:
        file.write("small\n")
    done = bed.in_host(2, "curl", "-sS", "-m", "20", "--disable-epsv", "--no-ftp-skip-pasv-ip",
                       *["ftp://%s/small" % address] * 40)
    assert done.stdout == "small\n" * 40
    assert bed.checksum_errors(1) == {} and bed.checksum_errors(2) == {}
    # Nobody else comes in where it waits for its client.
    assert all(s["remote"] == "10.9.2.2" for s in bed.show("nat-sessions") if "left" in s and "remote" in s)


def test_ftp_server_inside_without(bed):
    need("vsftpd", "curl")
    bed.ftp_server(1)
    bed.start(bed.nat(**dict(STRICT, **FORWARD)))
    assert bed.in_host(2, "curl", "-sS", "-m", "3", "ftp://10.9.2.1/text", check=False).returncode != 0


@SERVERS
def test_sip_server_inside(bed, way, address):
    """Who is called is inside: what he says of himself leads to him from outside."""
    bed.start(bed.nat("sip", **dict(STRICT, **way)))
    done, said = sip(bed, caller=2, called=1, address=address, early=True)
    assert done.returncode == 0, done.stderr
    caller, called = json.loads(done.stdout), json.loads(said)
    assert "sip:bob@10.9.1.2" in called["text"] and address not in called["text"] and called["whole"]
    assert called["from"] == ["10.9.2.2", 5060]
    assert called["early"] == "early"
    assert "10.9.1.2" not in caller["answer"] and address in caller["answer"] and caller["whole"]
    assert (called["rtp"], called["rtcp"], called["ended"]) == ("heard rtp", "heard rtcp", "SIP/2.0 200 OK")


def test_unknown_is_refused(bed):
    path = bed.write(bed.nat("gopher"))
    done = subprocess.run([os.path.abspath(os.environ.get("MILLRACE", "build/millrace")), "check", path],
                          capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "gopher" in done.stderr + done.stdout
