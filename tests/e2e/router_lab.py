# SPDX-License-Identifier: Apache-2.0
"""Hosts around a millrace that routes, each in subnets of its own.

     host 1               host 2               host N       10.9.N.2/24, 2001:db8:N::2/64,
     eth0                 eth0                 eth0         default routes to .1 and ::1
       |                    |                    |
     port1 10.9.1.1       port2 10.9.2.1       portN        in namespace PREFIX-s
       +------- millrace, a router --------------+
                     |
          twins h1, h2 ... of its interfaces                in namespace PREFIX-h

Routing daemons (FRR, BIRD) run in the hosts' namespaces and, as the router's own, in
PREFIX-h. They get folders, sockets and process numbers of the lab and end with it.
"""
import json
import os
import re
import shutil
import signal

from lab import MILLRACE, Lab, run, until

FRR = "/usr/lib/frr"


def have_frr():
    return os.path.exists(FRR + "/zebra") and shutil.which("vtysh") is not None


def have_bird():
    return shutil.which("bird") is not None


class RouterLab(Lab):
    def __init__(self):
        super().__init__()
        self.daemons = []
        # Made here, since millrace runs under ip netns exec, whose mounts nobody else sees.
        run("ip", "netns", "add", self.prefix + "-h")

    @property
    def host_side(self):
        """The namespace that plays the router's own host."""
        return self.prefix + "-h"

    def add_link(self, number, mtu=None):
        name = "%s-%d" % (self.prefix, number)
        run("ip", "link", "add", "eth0", "netns", name, "type", "veth",
            "peer", "name", "port%d" % number, "netns", self.prefix + "-s")
        if mtu:
            self.in_host(number, "ip", "link", "set", "eth0", "mtu", str(mtu))
            self.in_switch("ip", "link", "set", "port%d" % number, "mtu", str(mtu))
        self.in_host(number, "ip", "address", "add", "10.9.%d.2/24" % number, "dev", "eth0")
        self.in_host(number, "ip", "address", "add", "2001:db8:%d::2/64" % number, "dev", "eth0", "nodad")
        self.in_host(number, "ip", "link", "set", "lo", "up")
        self.in_host(number, "ip", "link", "set", "eth0", "up")
        self.in_switch("ip", "link", "set", "port%d" % number, "up")
        self.in_host(number, "ip", "route", "add", "default", "via", "10.9.%d.1" % number)
        self.in_host(number, "ip", "-6", "route", "add", "default", "via", "2001:db8:%d::1" % number)

    def add_vlan(self, number, vlan, *addresses):
        """A VLAN of a host's eth0, as its interface `vlan`: by a second millrace, which needs no
        module of the kernel."""
        path = os.path.join(self.folder.name, "vlan%d" % number)
        tree = {
            "system": {"control-socket": path + ".socket"},
            "interface": {"eth0": {"device": "eth0"}, "vlan": {"driver": "tap"}},
            "bridge": {"br": {"interface": {"eth0": {"trunk": str(vlan)}, "vlan": {"access": vlan}}}}}
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join("%s: %s\n" % (key, json.dumps(value)) for key, value in tree.items()))
        self.begin(number, os.path.abspath(MILLRACE), "run", path)
        assert until(5, lambda: self.in_host(number, "ip", "link", "show", "vlan",
                                             check=False).returncode == 0)
        for address in addresses:
            self.in_host(number, "ip", "address", "add", address, "dev", "vlan",
                         *(["nodad"] if ":" in address else []))
        self.in_host(number, "ip", "link", "set", "vlan", "up")

    def config(self, numbers=None, host=False, router=None, interfaces=None, more=None):
        """A router over these hosts' links. `router` adds to its container, `interfaces` (by
        number) to those of its interfaces, `more` to the top."""
        numbers = numbers or self.hosts
        tree = dict(more or {})
        tree["interface"] = {"h%d" % n: {"device": "port%d" % n} for n in numbers}
        tree["router"] = {"default": dict({
            "interface": {
                "h%d" % n: dict({"address": ["10.9.%d.1/24" % n, "2001:db8:%d::1/64" % n]},
                                **(interfaces or {}).get(n, {}))
                for n in numbers},
        }, **(router or {}))}
        if host:
            tree["router"]["default"]["host"] = {"namespace": self.host_side}
        return "".join("%s: %s\n" % (key, json.dumps(value)) for key, value in tree.items())

    def on_router(self, *command, **options):
        """A command in the namespace of the router's own host."""
        return run("ip", "netns", "exec", self.host_side, *command, **options)

    def begin_on_router(self, *command, **options):
        return self.begin("h", *command, **options)

    def ping4(self, source, target, *options):
        return self.pings(source, "10.9.%d.2" % target, *options)

    def ping6(self, source, target, *options):
        return self.pings(source, "2001:db8:%d::2" % target, *options)

    def pings(self, source, address, *options):
        """How many of the echo requests to an address were answered. ping waits for the last
        answers no longer than twice what the slowest took so far: those that come after count too."""
        options = options or ("-c", "3", "-i", "0.05", "-W", "1")
        before = self.answers_to(source, address)
        done = self.in_host(source, "ping", "-n", "-q", *options, address, check=False)
        words = done.stdout.split()
        if "received," not in words:
            return 0
        sent = int(words[words.index("packets") - 1])
        received = int(words[words.index("received,") - 1])
        if 0 < received < sent and until(1, lambda: self.answers_to(source, address) - before >= sent):
            return sent
        return received

    def answers_to(self, number, address):
        """Echo replies of the family that a host's kernel has seen."""
        if ":" not in address:
            return self.echo_replies(number)
        lines = self.in_host(number, "cat", "/proc/net/snmp6").stdout.splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Icmp6InEchoReplies"))

    def silence(self, number):
        """What the host sends reaches nobody any more, though its link stays up."""
        for gateway in ("10.9.%d.1" % number, "2001:db8:%d::1" % number):
            self.in_host(number, "ip", "neighbour", "replace", gateway, "lladdr", "02:00:00:00:00:99",
                         "nud", "permanent", "dev", "eth0")

    def cable(self, number):
        """The link of a host up again, with what its kernel had forgotten with it."""
        self.in_host(number, "ip", "link", "set", "eth0", "up")
        self.in_host(number, "ip", "address", "add", "2001:db8:%d::2/64" % number, "dev", "eth0", "nodad",
                     check=False)
        self.in_host(number, "ip", "route", "replace", "default", "via", "10.9.%d.1" % number)
        self.in_host(number, "ip", "-6", "route", "replace", "default", "via", "2001:db8:%d::1" % number,
                     check=False)

    def snmp(self, number, protocol, name):
        """A counter of a host's kernel."""
        lines = self.in_host(number, "cat", "/proc/net/snmp").stdout.splitlines()
        names, values = [line.split()[1:] for line in lines if line.startswith(protocol + ":")]
        return int(values[names.index(name)])

    def drops(self):
        """What the nodes dropped, by "node/reason"."""
        shown = self.show("drops", "--all")
        return {"%s/%s" % (drop["node"], drop["reason"]): drop["packets"]
                for drop in shown if drop["packets"]}

    def close(self):
        for daemon in self.daemons:
            daemon.stop()
        super().close()
        run("ip", "netns", "delete", self.host_side, check=False)


class Frr:
    """FRR's daemons in one namespace, configured by one text. `zebra` are options of zebra's: as
    the router's own it has the module that speaks FPM."""

    def __init__(self, lab, where, config, daemons=("bgpd",), zebra=("-M", "dplane_fpm_nl")):
        self.lab, self.where, self.zebra = lab, where, zebra or ()
        self.names = ("zebra",) + tuple(daemons)
        self.folder = os.path.join(lab.folder.name, "frr-%s" % where)
        os.makedirs(self.folder)
        self.config = os.path.join(self.folder, "frr.conf")
        # The daemons give up root; as root they would not start.
        os.chmod(lab.folder.name, 0o711)
        self.write(config)
        shutil.chown(self.folder, "frr", "frr")
        self.running = {}
        for name in self.names:
            self.start(name)
        lab.daemons.append(self)

    def write(self, config):
        """What daemons read when they start. Each takes from it what it knows."""
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("frr defaults datacenter\nlog timestamp precision 3\nlog file %s/log\n" % self.folder + config)
        shutil.chown(self.config, "frr", "frr")

    def start(self, name):
        """Starts one daemon, also again after kill()."""
        more = self.zebra if name == "zebra" else ()
        self.running[name] = self.lab.begin(
            self.where, "%s/%s" % (FRR, name), "-i",
            "%s/%s.pid" % (self.folder, name), "-z", self.folder + "/zserv", "--vty_socket",
            self.folder, "-f", self.config, *more)
        assert until(5, lambda: os.path.exists("%s/%s.vty" % (self.folder, name))), (name, self.log())

    def kill(self, name, how="KILL"):
        process = self.running.pop(name)
        getattr(process, "kill" if how == "KILL" else "terminate")()
        process.wait(10)
        self.lab.processes.remove(process)
        for left in ("%s.vty" % name, "%s.pid" % name):
            path = os.path.join(self.folder, left)
            if os.path.exists(path):
                os.unlink(path)

    def vtysh(self, *commands, check=True):
        words = ["vtysh", "--vty_socket", self.folder]
        for command in commands:
            words += ["-c", command]
        return run(*words, check=check).stdout

    def json(self, command):
        text = self.vtysh(command + " json", check=False)
        try:
            return json.loads(text)
        except ValueError:
            return {}

    def log(self):
        path = self.folder + "/log"
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as file:
            return file.read()

    def stop(self):
        for name in list(self.running):
            self.kill(name)


class Bird:
    """BIRD 2 in one namespace."""

    def __init__(self, lab, where, config):
        self.lab, self.where = lab, where
        self.folder = os.path.join(lab.folder.name, "bird-%s" % where)
        os.makedirs(self.folder)
        self.config = os.path.join(self.folder, "bird.conf")
        self.write(config)
        self.process = None
        self.start()
        lab.daemons.append(self)

    def start(self, *options):
        """Also again, then with "-R" if it is to find its routes in the kernel."""
        with open(self.folder + "/log", "a", encoding="utf-8") as log:
            self.process = self.lab.begin(self.where, "bird", "-f", "-c", self.config, "-s",
                                          self.folder + "/control", "-P", self.folder + "/pid", *options,
                                          stdout=log, stderr=log)
        up = until(5, lambda: self.process.poll() is not None or os.path.exists(self.folder + "/control"))
        assert up and self.process.poll() is None, self.log()

    def log(self):
        with open(self.folder + "/log", encoding="utf-8") as file:
            return file.read()

    def write(self, config):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)

    def change(self, config):
        """Another configuration, without a restart."""
        self.write(config)
        said = self.birdc("configure")
        assert "Reconfigur" in said, said

    def birdc(self, *words, check=True):
        return run("birdc", "-s", self.folder + "/control", *words, check=check).stdout

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.process = None
        if os.path.exists(self.folder + "/control"):
            os.unlink(self.folder + "/control")


class Load:
    """Echo requests, a hundred a second, from a host to an address until end(): the only ones of
    that family there meanwhile."""

    INTERVAL = 0.01

    def __init__(self, lab, source, address, *options):
        self.lab, self.source, self.address = lab, source, address
        self.path = os.path.join(lab.folder.name, "load-%d" % len(lab.processes))
        self.before = lab.answers_to(source, address)
        with open(self.path, "w", encoding="utf-8") as file:
            self.process = lab.begin(source, "ping", "-n", "-i", str(self.INTERVAL), *options, address,
                                     stdout=file)

    def answered(self):
        return self.lab.answers_to(self.source, self.address) - self.before

    def end(self):
        """Returns (sent, lost, the longest gap in seconds). ping does not wait for the last
        answers when it is told to end: what the kernel saw counts."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)
        with open(self.path, encoding="utf-8") as file:
            text = file.read()
        sent = int(re.search(r"(\d+) packets transmitted", text).group(1))
        assert sent < 65536, "too long a load for ping's numbers"
        if until(1, lambda: self.answered() >= sent):
            return sent, 0, 0
        lost = sent - self.answered()
        seen = sorted({int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", text)})
        gap = max(b - a - 1 for a, b in zip([0] + seen, seen + [sent + 1]))
        return sent, lost, min(gap, lost) * self.INTERVAL
