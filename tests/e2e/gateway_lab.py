# SPDX-License-Identifier: Apache-2.0
"""What stands around a gateway: web servers (nginx) and what loads them (wrk, h2load, connections
that stay open), in the namespaces of a lab."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys

from lab import run, until


def have(*programs):
    """Why a test is skipped: the first program that is not installed; None: all are."""
    missing = [program for program in programs if shutil.which(program, path=PATH) is None]
    return "needs " + missing[0] if missing else None


PATH = "/usr/sbin:/usr/bin:/sbin:/bin:" + os.environ.get("PATH", "")


class Nginx:
    """A web server in the namespace of a host, which says its own name on every page. /bad answers
    500."""

    CONFIG = """
daemon off;
master_process off;
pid %(folder)s/pid;
error_log %(folder)s/error.log warn;
worker_rlimit_nofile 40000;
events { worker_connections 30000; }
http {
	access_log off;
	client_body_temp_path %(folder)s/body;
	proxy_temp_path %(folder)s/proxy;
	fastcgi_temp_path %(folder)s/fastcgi;
	uwsgi_temp_path %(folder)s/uwsgi;
	scgi_temp_path %(folder)s/scgi;
	keepalive_timeout 600;
	keepalive_requests 1000000;
	default_type text/plain;
	server {
		%(listen)s
		location = /bad { return 500 "bad\\n"; }
		location / { return 200 "%(name)s\\n"; }
	}
}
"""

    def __init__(self, lab, host, name, ports=(80,), http2=(), backlog=16384):
        self.lab, self.host, self.name, self.ports = lab, host, name, list(ports) + list(http2)
        self.folder = os.path.join(lab.folder.name, "nginx-%s" % name)
        os.makedirs(self.folder)
        listen = ["listen %s%d%s backlog=%d;" % (where, port, more, backlog)
                  for more, some in (("", ports), (" http2", http2)) for port in some
                  for where in ("", "[::]:")]
        with open(self.folder + "/nginx.conf", "w", encoding="utf-8") as file:
            file.write(self.CONFIG % {"folder": self.folder, "name": name, "listen": "\n\t\t".join(listen)})
        # As root it would give its workers to another user, who may not enter the folder.
        os.chmod(lab.folder.name, 0o711)
        self.process = None
        self.start()

    def start(self):
        # What is limited for all namespaces is in each: the queue of connections not yet accepted.
        self.lab.in_host(self.host, "sysctl", "-q", "-w", "net.core.somaxconn=16384",
                         "net.ipv4.tcp_max_syn_backlog=16384", check=False)
        self.process = self.lab.begin(self.host, shutil.which("nginx", path=PATH), "-e", self.folder + "/error.log",
                                      "-c", self.folder + "/nginx.conf")
        assert until(5, self.listens), self.said()

    def listens(self):
        shown = self.lab.in_host(self.host, "ss", "-Hltn").stdout
        return all(re.search(r":%d\s" % port, shown) for port in self.ports)

    def said(self):
        path = self.folder + "/error.log"
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()

    def kill(self):
        """At once, as in a crash: its kernel resets what it had open."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self.lab.processes.remove(self.process)


class Load:
    """What wrk said at its end."""

    def __init__(self, text):
        self.text = text
        found = re.search(r"(\d+) requests in", text)
        self.requests = int(found.group(1)) if found else 0
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        self.errors = sum(map(int, errors.groups())) if errors else 0
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        self.bad = int(bad.group(1)) if bad else 0


def wrk(lab, host, url, seconds=2, connections=50, close=False, threads=1, timeout=5):
    """Loads a page. With `close` each request is a connection of its own."""
    more = ("-H", "Connection: close") if close else ()
    done = lab.in_host(host, "wrk", "-t", str(threads), "-c", str(connections), "-d", "%gs" % seconds,
                       "--timeout", "%gs" % timeout, *more, url, timeout=seconds + 30)
    return Load(done.stdout)


def h2load(lab, host, url, requests=1000, clients=10, streams=10):
    """HTTP/2 without TLS. Returns (succeeded, failed and errored)."""
    done = run("ip", "netns", "exec", "%s-%s" % (lab.prefix, host), "h2load", "-n", str(requests), "-c",
               str(clients), "-m", str(streams), url)
    found = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored", done.stdout)
    assert found, done.stdout + done.stderr
    return int(found.group(2)), int(found.group(3)) + int(found.group(4))


class OpenConnections:
    """Many TCP connections of a host that stay open; each may ask for a page again and again."""

    PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "open_connections.py")

    def __init__(self, lab, host, address, port, count):
        self.lab = lab
        self.process = lab.begin(host, "/usr/bin/python3", self.PROGRAM, address, str(port), str(count),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
        self.opened = json.loads(self.process.stdout.readline())["opened"]

    def ask(self):
        """All of them ask. Returns {who answered: how many}; "broken" those that nobody did."""
        self.process.stdin.write("ask\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.lab.processes.remove(self.process)


def udp_names(lab, host, address, port, first, count):
    """Datagrams from that many ports of a host: who answered each, by port; absent: nobody did."""
    program = os.path.join(os.path.dirname(OpenConnections.PROGRAM), "udp_names.py")
    done = lab.in_host(host, "/usr/bin/python3", program, "ask", address, str(port), str(first), str(count))
    return {int(port): name for port, name in json.loads(done.stdout).items()}


def udp_server(lab, host, name, port):
    """Answers every datagram with its name."""
    program = os.path.join(os.path.dirname(OpenConnections.PROGRAM), "udp_names.py")
    server = lab.begin(host, "/usr/bin/python3", program, "serve", name, str(port))
    assert until(5, lambda: re.search(r":%d\s" % port, lab.in_host(host, "ss", "-Hlun").stdout))
    return server
