# SPDX-License-Identifier: Apache-2.0
"""TLS: by OpenSSL's own client, by curl and by Python's; tokens and clients' certificates."""
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile

import pytest

from millrace import Client, Refused, Unreachable, config
from rest_lab import JSON, Rest, client_context, make_certificates

DATA = "/restconf/data"


@pytest.fixture(scope="module")
def folder():
    with tempfile.TemporaryDirectory(prefix="millrace-") as made:
        os.chmod(made, 0o755)
        make_certificates(made)
        yield made


@pytest.fixture
def rest(folder):
    """Listens with TLS, knows carol by her certificate; dave's is good, but nobody's."""
    made = Rest(start=False)
    for name in ("server.pem", "server.key"):
        shutil.copy(os.path.join(folder, name), made.folder.name)
    made.rest["listen"][0].update({
        "certificate": os.path.join(made.folder.name, "server.pem"),
        "key": os.path.join(made.folder.name, "server.key"),
        "client-ca": os.path.join(folder, "ca.pem")})
    made.rest["user"]["carol"] = {"role": "admin", "certificate": "carol"}
    made.start()
    yield made
    made.close()


def test_curl(rest, folder):
    def curl(*words):
        return subprocess.run(("curl", "-s", "-S", "-w", "%{http_code}", "-o", "/dev/null") + words +
                              ("https://127.0.0.1:%d%s" % (rest.port, DATA),), capture_output=True, text=True,
                              check=False)
    token = ("-H", "Authorization: Bearer " + rest.alice)
    trusted = ("--cacert", os.path.join(folder, "ca.pem"))
    assert curl(*token).returncode == 60  # who signed that?
    assert curl(*trusted, *token).stdout == "200"
    assert curl(*trusted).stdout == "401"
    assert curl(*trusted, "--tlsv1.3", *token).stdout == "200"
    assert curl(*trusted, "--tls-max", "1.2", *token).stdout == "200"
    assert curl(*trusted, "--cert", os.path.join(folder, "carol.pem"), "--key",
                os.path.join(folder, "carol.key")).stdout == "200"


def test_s_client(rest, folder):
    def client(*words, send="GET /restconf HTTP/1.0\r\nAuthorization: Bearer %s\r\n\r\n"):
        return subprocess.run(("openssl", "s_client", "-quiet", "-connect", "127.0.0.1:%d" % rest.port,
                               "-CAfile", os.path.join(folder, "ca.pem"), "-verify_return_error") + words,
                              input=(send % rest.alice if "%s" in send else send).encode(),
                              capture_output=True, timeout=20, check=False)
    for version in ("-tls1_2", "-tls1_3"):
        assert b"200 OK" in client(version, "-ign_eof").stdout
    assert b"200 OK" not in client("-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-ign_eof").stdout
    assert b"200 OK" not in client("-tls1_2", "-cipher", "NULL:@SECLEVEL=0", "-ign_eof").stdout


def test_client_certificates(rest, folder):
    def get(name, token=None, method="GET", path=DATA, body=None):
        return rest.ask(method, path, body, token=token, tls=client_context(folder, name)).status

    assert get("carol") == 200
    assert get("carol", method="DELETE", path=DATA + "/millrace-interface:interface=b") == 204
    assert "by carol: delete interface/b" in rest.said()
    assert get(None) == 401
    assert get("dave") == 401
    assert get("dave", token="alice") == 200
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        get("mallory")  # carol's name, signed by another
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        get("mallory", token="alice")


def test_plain_http_to_a_tls_port(rest):
    assert b"200" not in rest.raw(b"GET /restconf HTTP/1.0\r\n\r\n", timeout=2)
    assert rest.get(DATA, tls=ssl._create_unverified_context()).status == 200


def serial(rest):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = rest.connect(tls=context)
    connection.connect()
    got = connection.sock.getpeercert(binary_form=True)
    connection.close()
    return got


def test_certificates_are_read_by_commits(rest, folder):
    before = serial(rest)
    for name in (".pem", ".key"):
        shutil.copy(os.path.join(folder, "server2" + name), os.path.join(rest.folder.name, "server" + name))
    assert serial(rest) == before
    context = client_context(folder)
    assert rest.ask("PUT", DATA + "/millrace-interface:interface=a/mtu", {"millrace-interface:mtu": 1400},
                    tls=context).status == 201
    after = serial(rest)
    assert after != before
    # One that cannot be used fails the commit and changes nothing.
    with open(os.path.join(rest.folder.name, "server.key"), "w", encoding="ascii") as file:
        file.write("no key\n")
    answer = rest.ask("DELETE", DATA + "/millrace-interface:interface=a/mtu", tls=context)
    assert answer.status >= 400
    assert "server.key" in answer.message() and str(rest.port) in answer.message()
    assert serial(rest) == after
    assert rest.get(DATA + "/millrace-interface:interface=a/mtu", tls=context).status == 200


def test_events_over_tls(rest, folder):
    connection = rest.connect(tls=client_context(folder, "carol"))
    connection.request("GET", "/restconf/streams/state?names=rest&period=100")
    response = connection.getresponse()
    lines = [response.readline() for _ in range(10)]
    assert lines[0].startswith(b"retry:") and any(line.startswith(b"data: {\"rest\"") for line in lines)
    connection.close()
    body = {"millrace-interface:interface": [{"name": "n", "driver": "null"}]}
    assert rest.ask("POST", DATA, body, tls=client_context(folder), headers={"Content-Type": JSON}).status == 201


def test_slow_handshakes(folder):
    """Who does not come to the point of the handshake is let go."""
    rest = Rest(start=False, rest={"limits": {"request-timeout": 1}})
    try:
        rest.rest["listen"][0].update({"certificate": os.path.join(folder, "server.pem"),
                                       "key": os.path.join(folder, "server.key")})
        rest.start()
        conns = [socket.create_connection(("127.0.0.1", rest.port), timeout=10) for _ in range(50)]
        for conn in conns[:25]:
            conn.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # the beginning of a ClientHello
        for conn in conns[25:]:
            conn.sendall(b"\x16")
        context = client_context(folder)
        assert rest.get(DATA, tls=context).status == 200
        for conn in conns:
            try:
                assert conn.recv(100) == b""
            except ConnectionError:
                pass
            conn.close()
        assert rest.get("/state/rest", tls=context).json()["rest"]["counters"]["timed-out"] >= 50
    finally:
        rest.close()


def test_python_client(rest, folder):
    """The package over TLS: by token, by certificate, as one who may only look; and events."""
    place = "https://127.0.0.1:%d" % rest.port
    mtu = config.interface["a"].mtu
    with Client(place, rest.alice, client_context(folder)) as alice:
        alice.set(mtu, 1400, comment="by token")
        assert alice.get(mtu) == 1400
        watched = alice.watch("system", period=0.1, timeout=5)
        assert next(watched)["system"]["pid"] == rest.process.pid
        watched.close()
    with Client(place, context=client_context(folder, "carol")) as carol:
        carol.set(mtu, 1300)
        assert carol.history()[0]["who"] == "carol"
    with Client(place, rest.bob, client_context(folder)) as bob:
        assert bob.get(mtu) == 1300
        with pytest.raises(Refused) as caught:
            bob.set(mtu, 1200)
        assert caught.value.status == 403
    with pytest.raises(Refused) as caught, Client(place, "x" * 43, client_context(folder)) as nobody:
        nobody.state()
    assert caught.value.status == 401
    # Whom it does not know it does not talk to.
    with pytest.raises(Unreachable), Client(place, rest.alice) as stranger:
        stranger.state()
    with pytest.raises(Unreachable), Client("http://127.0.0.1:%d" % rest.port, rest.alice) as plain:
        plain.state()
    assert Client(place, rest.alice, client_context(folder)).get(mtu) == 1300


def test_python_client_without_tls():
    rest = Rest()
    try:
        with Client("http://127.0.0.1:%d" % rest.port, rest.alice) as alice:
            alice.set(config.interface["a"].mtu, 1400)
            assert alice.state("system")["system"]["pid"] == rest.process.pid
    finally:
        rest.close()
