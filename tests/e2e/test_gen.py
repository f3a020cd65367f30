# SPDX-License-Identifier: Apache-2.0
"""Traffic made by millrace gen, and a plugin in its way; mostly without privilege."""
import os
import re
import shutil
import subprocess

import pytest

from lab import MILLRACE, millrace, run

PLUGIN = os.path.join(os.path.dirname(os.path.abspath(MILLRACE)), "examples", "no_telnet.so")
EXAMPLE = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "plugin", "no_telnet.c")


def generate(path, *options):
    return millrace("gen", "--write", str(path), *options)


def packets(path, *filter_words):
    done = run("tcpdump", "-n", "-r", str(path), *filter_words)
    return done.stdout.splitlines()


def test_same_seed_same_file(tmp_path):
    options = ["--count", "2000", "--flows", "500", "--size", "imix", "--rate", "10k", "--seed"]
    files = [tmp_path / name for name in ("a.pcap", "b.pcap", "c.pcap")]
    for path, seed in zip(files, ("7", "7", "8")):
        done = generate(path, *options, seed)
        assert re.match(r"sent 2000 packets, \d+ bytes", done.stdout)
    first, again, other = [path.read_bytes() for path in files]
    assert first == again
    assert first != other
    # 10,000 a second: the last of 2,000 at 199.9 ms.
    assert len(packets(files[0])) == 2000
    assert ".199900 " in packets(files[0])[-1]


def test_packets_are_as_asked(tmp_path):
    path = tmp_path / "x.pcapng"
    generate(path, "--count", "100", "--vlan", "5", "--l3", "ip6", "--l4", "tcp", "--dst-port", "80",
             "--dst-mac", "02:00:00:00:00:99", "--size", "200")
    assert len(packets(path)) == 100
    assert len(packets(path, "ether", "dst", "02:00:00:00:00:99", "and", "vlan", "5", "and", "ip6",
                       "and", "tcp", "port", "80", "and", "len", "=", "200")) == 100


@pytest.mark.parametrize("options,words", [
    (["--count", "5"], ["--interface", "--write"]),
    (["--write", "/tmp/x.pcap"], ["--count"]),
    (["--write", "/tmp/x.pcap", "--count", "5", "--size", "5"], ["size", "5"]),
    (["--write", "/nowhere/x.pcap", "--count", "5"], ["/nowhere/x.pcap", "No such file"]),
    (["--interface", "mr-none", "--count", "5"], ["mr-none"]),
    (["--interface", "lo", "--driver", "pakcet", "--count", "5"], ["pakcet", "packet"]),
    (["--write", "/tmp/x.pcap", "--count", "many"], ["many"]),
])
def test_what_cannot_be_is_said(options, words):
    done = millrace("gen", *options, check=False, timeout=10)
    assert done.returncode in (1, 2)
    for word in words:
        assert word in done.stderr
    assert all(line.startswith(("millrace gen: ", "usage")) for line in done.stderr.splitlines())


@pytest.mark.parametrize("driver", ["xdp", "packet"])
def test_out_of_a_veth(lab, driver):
    """What it says it sent is what the host on the other side received."""
    lab.add_host(1)
    before = received(lab)
    done = lab.in_switch(os.path.abspath(MILLRACE), "gen", "--interface", "port1", "--driver", driver,
                         "--count", "5000", "--rate", "20k", "--size", "100", "--l3", "none")
    sent = int(re.search(r"^sent (\d+) packets", done.stdout, re.M).group(1))
    assert sent == 5000
    # The kernels at both ends say a word of their own now and then.
    assert 5000 <= received(lab) - before <= 5020


def received(lab):
    path = "/sys/class/net/eth0/statistics/rx_packets"
    return int(lab.in_host(1, "cat", path).stdout)


def test_latency_of_what_comes_back(lab):
    """Echo requests, which the host's kernel answers with their stamps."""
    lab.add_host(1)
    mac = lab.in_host(1, "cat", "/sys/class/net/eth0/address").stdout.strip()
    lab.in_host(1, "ip", "neighbour", "add", "10.8.0.99", "lladdr", "02:00:00:00:00:01", "dev", "eth0")
    done = lab.in_switch(os.path.abspath(MILLRACE), "gen", "-i", "port1", "--count", "500", "--rate",
                         "2k", "--latency", "--l4", "icmp", "--dst-ip", "10.8.0.1", "--src-ip",
                         "10.8.0.99", "--dst-mac", mac)
    assert re.search(r"stamps: sent 500, received \d+, lost 0, .*latency us min [\d.]+ avg", done.stdout), \
        done.stdout


def test_no_privilege_is_said(lab):
    lab.add_host(1)
    done = lab.in_switch("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                         "--inh-caps", "-all", os.path.abspath(MILLRACE), "gen", "-i", "port1",
                         "--count", "5", check=False, timeout=10)
    assert done.returncode == 1
    assert "CAP_NET_RAW" in done.stderr


def through_plugin(tmp_path, plugin):
    """A capture with ports 20 to 29 in equal parts through the plugin's node, to another."""
    source, copy, config = tmp_path / "in.pcap", tmp_path / "out.pcap", tmp_path / "config.yaml"
    generate(source, "--count", "1000", "--l4", "tcp", "--dst-port", "20", "--dst-ports", "10",
             "--flows", "10", "--order", "round-robin")
    config.write_text("""system: {plugins: [%s]}
interface:
  in: {driver: pcap, device: %s, cross-connect: out, input-nodes: [no-telnet]}
  out: {driver: pcap, cross-connect: in, options: {write: %s}}
""" % (plugin, source, copy))
    return source, copy, millrace("run", str(config), "--socket", "none", check=False, timeout=10)


def check_plugin(tmp_path, plugin):
    source, copy, done = through_plugin(tmp_path, plugin)
    assert done.returncode == 0, done.stderr
    telnet = ["tcp", "dst", "port", "23"]
    assert len(packets(source, *telnet)) == 100
    assert len(packets(copy, *telnet)) == 0
    assert len(packets(copy)) == 900
    assert "1000 received, 0 created, 900 sent, 100 dropped" in done.stderr


def test_plugin_drops_telnet(tmp_path):
    check_plugin(tmp_path, PLUGIN)


def test_plugin_built_outside_the_tree(tmp_path):
    """With what an installation brings, and pkg-config, alone."""
    meson = shutil.which("meson", path="/usr/bin:" + os.environ["PATH"])
    build = os.path.dirname(os.path.abspath(MILLRACE))
    if not meson or not os.path.exists(os.path.join(build, "kit", "libmillrace.so")):
        pytest.skip("needs the whole build folder that millrace was built in")
    root = tmp_path / "root"
    run(meson, "install", "-C", build, "--no-rebuild", "--quiet",
        env={**os.environ, "DESTDIR": str(root)})
    folder = next(root.rglob("millrace.pc")).parent
    flags = run("pkg-config", "--cflags", "millrace", env={
        **os.environ, "PKG_CONFIG_PATH": str(folder), "PKG_CONFIG_SYSROOT_DIR": str(root)}).stdout.split()
    plugin = tmp_path / "no_telnet.so"
    run("cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *flags, "-o", str(plugin), EXAMPLE)
    check_plugin(tmp_path, plugin)


def test_bad_plugins_are_named(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("not an object\n")
    empty = tmp_path / "empty.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(empty), "-x", "c", "-"], input=b"int x;", check=True)
    for path, word in ((tmp_path / "none.so", "No such file"), (text, "text.so"), (empty, "mr_plugin")):
        _, _, done = through_plugin(tmp_path, path)
        assert done.returncode == 1
        assert str(path) in done.stderr and word in done.stderr
