# SPDX-License-Identifier: Apache-2.0
"""Hosts in network namespaces around one millrace, also in a namespace.

        host 1          host 2          host N       10.8.0.N/24, 2001:db8::N/64
        eth0            eth0            eth0         in namespaces PREFIX-N
          |               |               |          veths at default settings
        port1           port2           portN        in namespace PREFIX-s
          +---- millrace, a bridge -------+

Everything is named by the process and a counter, and taken away by close().
"""
import json
import os
import signal
import subprocess
import tempfile
import time

from millrace import Client, Unreachable

MILLRACE = os.environ.get("MILLRACE", "build/millrace")
_labs = 0
# What `show` calls by names of their own: parts of the process's state, and functions.
PARTS = {"nodes": "node", "drops": "drop", "workers": "worker", "packets": "packets", "memory": "memory"}
FUNCTIONS = {"interfaces": "interface", "bridges": "bridge", "routers": "router"}
ALONE = {"system", "interface", "bridge", "router", "nat", "nat64", "nptv6", "acl", "lb", "lb-health", "lanes",
         "conntrack", "flow-rules", "tunnel"}


def bridge_config(ports, **interface):
    """The configuration of one bridge br0 over port1..portN."""
    lines = ["interface:"]
    for port in ports:
        lines.append("  h%d:" % port)
        lines.append("    device: port%d" % port)
        for key, value in interface.items():
            lines.append("    %s: %s" % (key.replace("_", "-"), value))
    lines += ["bridge:", "  br0:", "    interface:"]
    lines += ["      h%d: {}" % port for port in ports]
    return "\n".join(lines) + "\n"


class Lab:
    def __init__(self):
        global _labs
        _labs += 1
        self.prefix = "mre%d.%d" % (os.getpid(), _labs)
        self.folder = tempfile.TemporaryDirectory(prefix="millrace-")
        self.socket = os.path.join(self.folder.name, "socket")
        self.client = Client(self.socket, timeout=60)
        self.hosts = []
        self.processes = []
        self.switch = None
        self.log = None
        run("ip", "netns", "add", self.prefix + "-s")
        self.in_switch("ip", "link", "set", "lo", "up")

    def add_host(self, number, mtu=None):
        name = "%s-%d" % (self.prefix, number)
        run("ip", "netns", "add", name)
        self.hosts.append(number)
        self.add_link(number, mtu)

    def add_link(self, number, mtu=None):
        """The veth of a host that is there: also after remove_link."""
        name = "%s-%d" % (self.prefix, number)
        run("ip", "link", "add", "eth0", "netns", name, "type", "veth",
            "peer", "name", "port%d" % number, "netns", self.prefix + "-s")
        if mtu:
            self.in_host(number, "ip", "link", "set", "eth0", "mtu", str(mtu))
            self.in_switch("ip", "link", "set", "port%d" % number, "mtu", str(mtu))
        self.in_host(number, "ip", "address", "add", "10.8.0.%d/24" % number, "dev", "eth0")
        self.in_host(number, "ip", "address", "add", "2001:db8::%d/64" % number, "dev", "eth0", "nodad")
        self.in_host(number, "ip", "link", "set", "lo", "up")
        self.in_host(number, "ip", "link", "set", "eth0", "up")
        self.in_switch("ip", "link", "set", "port%d" % number, "up")

    def remove_link(self, number):
        self.in_switch("ip", "link", "delete", "port%d" % number)

    def in_host(self, number, *command, **options):
        return run("ip", "netns", "exec", "%s-%s" % (self.prefix, number), *command, **options)

    def in_switch(self, *command, **options):
        return self.in_host("s", *command, **options)

    def begin(self, number, *command, **options):
        """A program in the background of a host ('s': the switch's namespace)."""
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        process = subprocess.Popen(
            ("ip", "netns", "exec", "%s-%s" % (self.prefix, number)) + command, **options)
        self.processes.append(process)
        return process

    def write(self, config, system=None):
        """The configuration file; `system` adds to its system container."""
        path = os.path.join(self.folder.name, "config.yaml")
        with open(path, "w", encoding="utf-8") as file:
            own = {"control-socket": self.socket}
            # What clients commit is nobody's but this lab's.
            state = {"state-directory": os.path.join(self.folder.name, "state")}
            file.write("system: %s\n" % json.dumps(dict(state, **dict(system or {}, **own))) + config)
        return path

    def reload(self, config, system=None):
        self.write(config, system)
        self.switch.send_signal(signal.SIGHUP)

    def start(self, config, wait=True, wrap=(), system=None):
        """Starts millrace in the switch's namespace."""
        path = self.write(config, system)
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.switch = self.begin("s", *wrap, os.path.abspath(MILLRACE), "run", path,
                                 stdout=self.log, stderr=self.log)
        if wait:
            until(5, lambda: self.switch.poll() is not None or self.answers())
            assert self.switch.poll() is None, self.said()

    def said(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def answers(self):
        try:
            return bool(self.client.state("system"))
        except Unreachable:
            return False

    def show(self, what, *more):
        """State as `millrace show WHAT --json` gives it: by the client, where that is the same."""
        name = FUNCTIONS.get(what, what)
        if what in PARTS:
            return self.client.state("system")["system"].get(PARTS[what], [])
        if name in ALONE and not more:
            return self.client.state(name).get(name, [])
        shown = millrace("show", "--socket", self.socket, what, *more, "--json")
        return json.loads(shown.stdout)

    def stop(self, how=signal.SIGTERM):
        self.switch.send_signal(how)
        status = self.switch.wait(10)
        self.processes.remove(self.switch)
        self.switch = None
        return status

    def close(self):
        self.client.close()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        for number in self.hosts + ["s"]:
            run("ip", "netns", "delete", "%s-%s" % (self.prefix, number), check=False)
        if self.log:
            self.log.close()
        self.folder.cleanup()

    def ping(self, source, target, *options, check=True):
        """Returns (received, sent). Replies that come after ping has ended count too:
        it waits for the last ones no longer than twice what the slowest took so far."""
        before = self.echo_replies(source)
        done = self.in_host(source, "ping", "-n", "-q", *options, "10.8.0.%d" % target, check=False)
        words = done.stdout.split()
        assert "transmitted," in words, done.stdout + done.stderr
        sent = int(words[words.index("packets") - 1])
        received = int(words[words.index("received,") - 1])
        if check and received < sent:
            until(2, lambda: self.echo_replies(source) - before >= sent)
            received = self.echo_replies(source) - before
        assert not check or received == sent, done.stdout
        return received, sent

    def echo_replies(self, number):
        lines = self.in_host(number, "cat", "/proc/net/snmp").stdout.splitlines()
        names, values = [line.split()[1:] for line in lines if line.startswith("Icmp:")]
        return int(values[names.index("InEchoReps")])

    def checksum_errors(self, number):
        """What the host's kernel counted as bad checksums, by protocol."""
        bad = {}
        lines = self.in_host(number, "cat", "/proc/net/snmp").stdout.splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            for name, value in zip(names.split()[1:], values.split()[1:]):
                if name in ("InCsumErrors", "InHdrErrors"):
                    bad[names.split(":")[0] + name] = int(value)
        for line in self.in_host(number, "cat", "/proc/net/snmp6").stdout.splitlines():
            name, value = line.split()
            if name.endswith("InCsumErrors"):
                bad[name] = int(value)
        return {name: count for name, count in bad.items() if count}


def run(*command, **options):
    options.setdefault("check", True)
    options.setdefault("timeout", 60)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def millrace(*arguments, **options):
    return run(os.path.abspath(MILLRACE), *arguments, **options)


def pause(pid):
    """SIGSTOP, and all threads have stopped."""
    def stopped():
        states = []
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/stat" % (pid, task), encoding="utf-8") as file:
                states.append(file.read().rpartition(") ")[2][0])
        return set(states) == {"T"}
    os.kill(pid, signal.SIGSTOP)
    assert until(5, stopped)


def until(seconds, condition):
    """Waits for a condition, looked at 50 times a second; false when it never held."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())
