# SPDX-License-Identifier: Apache-2.0
"""A millrace with a REST interface on the loopback, and requests to it; needs no privilege."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from lab import MILLRACE, until

JSON = "application/yang-data+json"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_token():
    """(token, hash)"""
    said = subprocess.run([MILLRACE, "token"], capture_output=True, text=True, check=True).stdout
    lines = dict(line.split(": ", 1) for line in said.splitlines())
    return lines["token"], lines["hash"]


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def tag(self):
        """The error-tag of RFC 8040's errors."""
        return self.json()["ietf-restconf:errors"]["error"][0]["error-tag"]

    def message(self):
        return self.json()["ietf-restconf:errors"]["error"][0]["error-message"]


class Rest:
    """alice may do everything, bob may look."""

    def __init__(self, config=None, rest=None, start=True, wrap=()):
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-")
        self.port = free_port()
        self.alice, alice_hash = make_token()
        self.bob, bob_hash = make_token()
        self.socket = os.path.join(self.folder.name, "socket")
        self.path = os.path.join(self.folder.name, "config.yaml")
        self.hashes = {"alice": alice_hash, "bob": bob_hash}
        self.config = config or {"interface": {"a": {"driver": "null"}, "b": {"driver": "null"}}}
        self.rest = {"listen": [{"address": "127.0.0.1", "port": self.port}],
                     "user": {"alice": {"role": "admin", "token": alice_hash}, "bob": {"token": bob_hash}}}
        self.rest.update(rest or {})
        self.wrap = list(wrap)
        self.process = None
        self.status = None
        self.log = None
        if start:
            self.start()

    def write(self):
        system = {"control-socket": self.socket, "pages": "4k", "buffers": 4096,
                  "state-directory": os.path.join(self.folder.name, "state")}
        system.update(self.config.get("system", {}))
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(dict(self.config, system=system, rest=self.rest), file)

    def start(self):
        self.write()
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(self.wrap + [os.path.abspath(MILLRACE), "run", "--stay", self.path],
                                        stdout=self.log, stderr=self.log)
        until(20, lambda: self.process.poll() is not None or "notice: running" in self.said())
        assert self.process.poll() is None, self.said()

    def said(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def connect(self, timeout=15, tls=None, port=None):
        port = port or self.port
        if tls:
            return http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=tls)
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def ask(self, method, path, body=None, token="alice", headers=None, **how):
        """One request on a connection of its own."""
        connection = self.connect(**how)
        try:
            return self.ask_on(connection, method, path, body, token, headers)
        finally:
            connection.close()

    def ask_on(self, connection, method, path, body=None, token="alice", headers=None):
        sent = {}
        token = {"alice": self.alice, "bob": self.bob}.get(token, token)
        if token:
            sent["Authorization"] = "Bearer " + token
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            sent["Content-Type"] = JSON
        sent.update(headers or {})
        connection.request(method, path, body=body, headers={k: v for k, v in sent.items() if v is not None})
        return Answer(connection.getresponse())

    def get(self, path, **how):
        return self.ask("GET", path, **how)

    def state(self, name):
        answer = self.get("/state/" + name)
        assert answer.status == 200, answer.body
        return answer.json()[name]

    def counters(self):
        return self.state("rest")["counters"]

    def memory(self):
        """Resident bytes of the process."""
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def reload(self):
        self.write()
        self.process.send_signal(signal.SIGHUP)

    def raw(self, data, timeout=5, port=None):
        """Bytes in, bytes out until the server closes or says nothing for a while."""
        with socket.create_connection(("127.0.0.1", port or self.port), timeout=timeout) as conn:
            got = b""
            try:
                conn.sendall(data)
                while True:
                    piece = conn.recv(65536)
                    if not piece:
                        break
                    got += piece
            except (socket.timeout, ConnectionError):
                pass
            return got

    def close(self):
        """It ends well, and no sanitizer had anything to say."""
        said = ""
        if self.process and self.status is None:
            if self.process.poll() is None:
                self.process.terminate()
            try:
                self.status = self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                self.status = "does not end"
            said = self.said()
        if self.log:
            self.log.close()
        self.folder.cleanup()
        assert not said or (self.status == 0 and "runtime error" not in said), said[-5000:]


class Events:
    """A stream of server-sent events."""

    def __init__(self, rest, path, headers=None, timeout=15):
        self.connection = rest.connect(timeout)
        self.connection.request("GET", path, headers=dict(
            {"Authorization": "Bearer " + rest.alice, "Accept": "text/event-stream"}, **(headers or {})))
        self.response = self.connection.getresponse()
        self.status = self.response.status

    def next(self):
        """The next event's fields; comments are under ''."""
        fields = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError("the stream has ended")
            line = line.rstrip("\n")
            if not line and fields.get("data"):
                return fields
            name, _, value = line.partition(":")
            fields[name] = value[1:] if value.startswith(" ") else value

    def close(self):
        self.connection.close()


def make_certificates(folder):
    """An authority, a server's certificate for 127.0.0.1 and clients' for carol and mallory (of an
    authority of his own)."""
    def openssl(*words):
        subprocess.run(("openssl",) + words, cwd=folder, check=True, capture_output=True)

    for authority in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                "-keyout", authority + ".key", "-out", authority + ".pem", "-subj", "/CN=" + authority)
    with open(os.path.join(folder, "names"), "w", encoding="ascii") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    for name, authority in (("server", "ca"), ("server2", "ca"), ("carol", "ca"), ("dave", "ca"),
                            ("mallory", "other")):
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                name + ".key", "-out", name + ".csr", "-subj", "/CN=" + ("carol" if name == "mallory" else name))
        openssl("x509", "-req", "-in", name + ".csr", "-CA", authority + ".pem", "-CAkey", authority + ".key",
                "-CAcreateserial", "-days", "30", "-out", name + ".pem", "-extfile", "names")


def client_context(folder, name=None):
    context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
    if name:
        context.load_cert_chain(os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key"))
    return context


def wait_for(seconds, holds):
    """Like until, for what raises while it is not so."""
    end = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < end, "not within %g s" % seconds
        time.sleep(0.05)
