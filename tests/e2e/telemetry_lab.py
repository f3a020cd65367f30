# SPDX-License-Identifier: Apache-2.0
"""A millrace without privileges, and collectors of its telemetry."""
import importlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import pytest

from lab import MILLRACE, millrace, until

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Plane:
    """millrace run of a configuration, given as what json can write (which is YAML)."""

    def __init__(self, config):
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-")
        self.socket = os.path.join(self.folder.name, "socket")
        self.path = os.path.join(self.folder.name, "config.yaml")
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.write(config)
        self.process = subprocess.Popen([os.path.abspath(MILLRACE), "run", self.path],
                                        stdout=self.log, stderr=self.log)
        if not until(20, lambda: self.process.poll() is not None or self.answers()) \
                or self.process.poll() is not None:
            said = self.said()
            self.close()
            raise AssertionError(said)

    def write(self, config):
        config = dict(config)
        config["system"] = dict(config.get("system", {}), **{"control-socket": self.socket})
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(config, file)

    def reload(self, config):
        self.write(config)
        self.process.send_signal(signal.SIGHUP)

    def said(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def answers(self):
        return os.path.exists(self.socket) and self.get("/state/system")[0] == 200

    def get(self, path, headers=None):
        """Status, headers and text of an answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            try:
                s.connect(self.socket)
            except OSError:
                return 0, "", ""
            lines = ["GET %s HTTP/1.1" % path, "Host: x", "Connection: close"]
            lines += ["%s: %s" % pair for pair in (headers or {}).items()]
            s.sendall("\r\n".join(lines + ["", ""]).encode())
            got = b""
            while True:
                more = s.recv(1 << 16)
                if not more:
                    break
                got += more
        head, _, body = got.decode().partition("\r\n\r\n")
        return int(head.split()[1]), head, body

    def state(self, name=""):
        status, _, body = self.get("/state/" + urllib.parse.quote(name) if name else "/state")
        assert status == 200, body
        return json.loads(body)

    def session(self, name):
        for row in self.state("telemetry")["telemetry"]["subscription"]:
            if row["name"] == name:
                return row["session"]
        raise KeyError(name)

    def show(self, what):
        return json.loads(millrace("show", what, "--json", "--socket", self.socket).stdout)

    def memory(self):
        """Resident, in bytes."""
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait()
        self.log.close()
        self.folder.cleanup()
        return status


class Collector:
    """Takes one connection after the other; `messages` are those of all, as dictionaries."""

    def __init__(self, protobuf=None, tls=None, reads=True, port=0):
        self.protobuf, self.tls, self.reads = protobuf, tls, reads
        self.messages, self.times, self.connections, self.errors = [], [], [], []
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not reads:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(4)
        self.port = self.listener.getsockname()[1]
        self.stopping = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def run(self):
        while not self.stopping:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.tls:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                self.connections.append(connection)
                if self.reads:
                    self.read(connection)
            except OSError as error:
                self.errors.append(error)

    def read(self, connection):
        pending = b""
        while True:
            more = connection.recv(1 << 16)
            if not more:
                return
            pending = self.take(pending + more)

    def take(self, data):
        """Whole messages at the beginning; returns the rest."""
        while True:
            message, data = (self.take_protobuf if self.protobuf else self.take_json)(data)
            if message is None:
                return data
            with self.lock:
                self.messages.append(message)
                self.times.append(time.monotonic())

    @staticmethod
    def take_json(data):
        line, newline, rest = data.partition(b"\n")
        return (json.loads(line), rest) if newline else (None, data)

    def take_protobuf(self, data):
        size = shift = used = 0
        while used < len(data):
            size |= (data[used] & 127) << shift
            shift += 7
            used += 1
            if not data[used - 1] & 128:
                break
        else:
            return None, data
        if len(data) < used + size:
            return None, data
        message = self.protobuf.Notification()
        message.ParseFromString(data[used:used + size])
        return self.as_json(message), data[used + size:]

    def as_json(self, m):
        """What the same message is as JSON."""
        out = {"kind": self.protobuf.Kind.Name(m.kind).lower(), "subscription": m.subscription,
               "system": m.system, "sequence": m.sequence, "timestamp": m.timestamp, "lost": m.lost}
        if m.update:
            out["update"] = [{"path": u.path, "value": value_of(u.value)} for u in m.update]
        if m.delete:
            out["delete"] = list(m.delete)
        if m.HasField("event"):
            out["event"] = {"threshold": m.event.threshold, "path": m.event.path, "raised": m.event.raised}
            if m.event.HasField("value"):
                out["event"]["value"] = value_of(m.event.value)
        return out

    def got(self, kind=None):
        with self.lock:
            return [m for m in self.messages if kind is None or m["kind"] == kind]

    def known(self):
        """What a collector that follows the messages knows: path to value."""
        known = {}
        for m in self.got():
            if m["kind"] == "begin":
                known = {}
            for path in m.get("delete", ()):
                known = {p: v for p, v in known.items()
                         if p != path and not p.startswith((path + "/", path + "["))}
            known.update((u["path"], u["value"]) for u in m.get("update", ()))
        return known

    def hang_up(self):
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self.connections = []

    def close(self):
        self.stopping = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.hang_up()
        self.thread.join(5)


def value_of(value):
    which = value.WhichOneof("value")
    if which == "decimal_val":
        return value.decimal_val.digits / 10 ** value.decimal_val.precision
    return getattr(value, which)


def compiled_proto(folder):
    """The Python module of telemetry.proto."""
    pytest.importorskip("google.protobuf")
    if not shutil.which("protoc"):
        pytest.skip("needs protoc (Debian's package protobuf-compiler)")
    subprocess.run(["protoc", "--proto_path=" + os.path.join(SOURCE, "control", "push"),
                    "--python_out=" + str(folder), "telemetry.proto"], check=True)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module("telemetry_pb2")
    finally:
        sys.path.remove(str(folder))


def make_certificates(folder):
    """An authority, a server's certificate for 127.0.0.1 and collector.test, a client's."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority")
    for name, more in (("server", "subjectAltName=IP:127.0.0.1,DNS:collector.test"),
                       ("client", "extendedKeyUsage=clientAuth")):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        with open(os.path.join(folder, name + ".ext"), "w", encoding="ascii") as file:
            file.write(more + "\n")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-out", name + ".pem", "-extfile", name + ".ext")


def server_tls(folder, client=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
    if client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(os.path.join(folder, "ca.pem"))
    return context
