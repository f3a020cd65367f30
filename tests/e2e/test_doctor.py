# SPDX-License-Identifier: Apache-2.0
"""millrace doctor: a made machine on which all is well, and what it says of each change to it; then
a real one in a namespace."""
import json
import os
import re
import signal

import pytest

from lab import bridge_config, millrace, pause, run

SYS_CPU = "/sys/devices/system/cpu"
CONFIG = """
system: {workers: 2-3, buffers: 32768}
interface:
  a: {device: eth0}
  b: {device: eth1}
bridge:
  br0: {interface: [a, b]}
"""
ROUTER = """
system: {workers: 2-3}
interface:
  a: {device: eth0}
  b: {device: eth1}
router:
  main:
    interface:
      a: {address: [10.0.0.1/16]}
      b: {address: [10.0.3.1/24]}
"""
ETHTOOL = """driver: ixgbe
rx-ring: 4096
rx-ring-max: 4096
tx-ring: 4096
tx-ring-max: 4096
channels: 2
channels-max: 64
lro: off
rx-vlan: off
gro: on
"""


def good_machine():
    """The files of a server that is set up for forwarding."""
    files = {
        "/proc/sys/kernel/osrelease": "6.1.0-28-amd64\n",
        "/boot/config-6.1.0-28-amd64": "".join("CONFIG_%s=y\n" % name for name in (
            "XDP_SOCKETS", "BPF_SYSCALL", "BPF_JIT", "DEBUG_INFO_BTF", "PACKET", "TUN", "MEMFD_CREATE",
            "HUGETLBFS", "TRANSPARENT_HUGEPAGE")),
        "/proc/sys/net/core/bpf_jit_enable": "1\n",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
        "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet acpi_pm\n",
        "/proc/self/mounts": "bpf /sys/fs/bpf bpf rw 0 0\n",
        "/proc/self/status": "Name:\tmillrace\nCapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-7\n",
        "/proc/self/limits": "Max locked memory         unlimited            unlimited            bytes\n"
                             "Max open files            65536                65536                files\n",
        "/proc/meminfo": "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n",
        "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512\n",
        "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "512\n",
        "/sys/kernel/mm/transparent_hugepage/shmem_enabled": "always within_size [advise] never deny\n",
        "/proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu popcnt sse4_2 constant_tsc nonstop_tsc\n",
        "/proc/stat": "cpu  9 9\ncpu2 9000 0 0 9000 0 0 0 0 0 0\ncpu3 9000 0 0 9000 0 0 0 1 0 0\n",
        SYS_CPU + "/online": "0-7\n",
        SYS_CPU + "/isolated": "2-3\n",
        SYS_CPU + "/nohz_full": "2-3\n",
        "/sys/devices/system/node/node0/cpulist": "0-7\n",
        "/proc/interrupts": "      CPU0\n 30:  1  PCI-MSI  eth0-TxRx-0\n 31:  1  PCI-MSI  eth1-TxRx-0\n",
        "/proc/irq/30/smp_affinity_list": "2\n",
        "/proc/irq/31/smp_affinity_list": "3\n",
        "/proc/net/route": "Iface\tDestination\tGateway\neno1\t00000000\t0101A8C0\n",
        "/run/systemd/timesync/synchronized": "",
    }
    for cpu in (2, 3):
        files["%s/cpu%d/cpufreq/scaling_governor" % (SYS_CPU, cpu)] = "performance\n"
        files["%s/cpu%d/topology/thread_siblings_list" % (SYS_CPU, cpu)] = "%d,%d\n" % (cpu, cpu + 4)
    for device in ("eth0", "eth1"):
        folder = "/sys/class/net/" + device
        files[folder + "/operstate"] = "up\n"
        files[folder + "/duplex"] = "full\n"
        files[folder + "/mtu"] = "1500\n"
        files[folder + "/device/numa_node"] = "0\n"
        files[folder + "/queues/rx-0/rps_cpus"] = "0\n"
        files[folder + "/queues/rx-1/rps_cpus"] = "0\n"
        files["/ethtool/" + device] = ETHTOOL
    return files


def state(uptime, **more):
    """What a running millrace says of itself."""
    found = {
        "version": "0.1.0", "pid": 4242, "uptime": uptime, "hz": 1000000,
        "packets": {"received": uptime * 10},
        "memory": {"pages": "2m", "buffers": 1000, "buffers-free": more.get("free", 900)},
        "worker": [{"id": 0, "cpu": 2, "busy-cycles": more.get("busy", 0)}],
        "drop": [{"node": "ip4-lookup", "reason": "no-route", "packets": more.get("drops", 5),
                  "text": "No route to the destination."}]}
    port = {"name": "a", "state": more.get("state", "up"),
            "counters": {"rx-device-drops": more.get("lost", 0), "rx-packets": uptime}}
    if "trouble" in more:
        port["trouble"] = more["trouble"]
    neighbor = {"address": "10.0.0.9", "interface": "a", "state": more.get("neighbor", "reachable"),
                "age": 70, "gateway": True}
    return {"system": {"system": found}, "interface": {"interface": [port]},
            "neighbor": {"router": [{"name": "main", "neighbor": {"entry": [neighbor]}}]}}


def running(**after):
    """Files of two looks at a running one, a second apart."""
    files = {}
    for when, answers in (("before", state(1000)), ("after", state(2000, **after))):
        for function, answer in answers.items():
            files["/millrace/%s-%s.json" % (function, when)] = json.dumps(answer)
    return files


def examine(folder, files, config=CONFIG, *more):
    for path, text in files.items():
        place = str(folder) + "/machine" + path
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
    path = str(folder) + "/config.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(config)
    done = millrace("doctor", "--json", "--root", str(folder) + "/machine", path, *more, check=False)
    said = json.loads(done.stdout)
    levels = [finding["level"] for finding in said["findings"]]
    assert done.returncode == ("error" in levels), done.stderr
    assert said["errors"] == levels.count("error") and said["warnings"] == levels.count("warning")
    return [finding for finding in said["findings"] if finding["level"] != "ok"]


NOT_RUNNING = "note running no running millrace was looked at"


def lines(found):
    return ["%s %s %s" % (one["level"], one["area"], one["what"]) for one in found]


def test_a_good_machine_has_nothing_to_say(tmp_path):
    found = lines(examine(tmp_path, good_machine()))
    assert len(found) == 1 and found[0].startswith(NOT_RUNNING), found


CAPS = "Name:\tmillrace\nCapEff:\t%016x\nCpus_allowed_list:\t0-7\n"
ALL = 0x1ffffffffff
CHANGES = [
    # what is changed, with null for a file that goes; what is said; a word of the fix
    ({"/proc/sys/kernel/osrelease": "4.19.0-6-amd64\n"}, "error kernel Linux 4.19.0-6-amd64 is old", "apt"),
    ({"/proc/sys/kernel/osrelease": "5.10.0\n"}, "warning kernel Linux 5.10.0 is old", "apt"),
    ({"/boot/config-6.1.0-28-amd64": "CONFIG_BPF_SYSCALL=y\n# CONFIG_XDP_SOCKETS is not set\n"},
     r"error kernel the kernel has no AF_XDP \(CONFIG_XDP_SOCKETS\)", "apt"),
    ({"/boot/config-6.1.0-28-amd64": None, "/proc/net/protocols": "protocol size\nPACKET 1\n",
      "/sys/kernel/btf/vmlinux": "", "/dev/net/tun": "",
      "/sys/kernel/mm/transparent_hugepage/enabled": "[always] madvise never\n"},
     "error kernel the kernel has no AF_XDP", "apt"),
    ({"/proc/sys/net/core/bpf_jit_enable": "0\n"}, "warning kernel BPF programs are interpreted", "sysctl"),
    ({"/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n"},
     "warning kernel the clock source is hpet", "echo tsc"),
    ({"/proc/self/mounts": "proc /proc proc rw 0 0\n"}, "note kernel /sys/fs/bpf is not mounted", "mount"),
    ({"/proc/self/status": CAPS % (ALL & ~(1 << 12))}, "warning rights this user lacks CAP_NET_ADMIN", "sudo"),
    ({"/proc/self/status": CAPS % (ALL & ~(1 << 13))}, "warning rights this user lacks CAP_NET_RAW", "sudo"),
    ({"/proc/self/status": CAPS % (ALL & ~(1 << 39 | 1 << 21))}, "warning rights this user lacks CAP_BPF", "sudo"),
    ({"/proc/self/limits": "Max open files            100      100      files\n"},
     "warning rights 100 files may be open", "ulimit -n"),
    ({"/proc/self/status": CAPS % (ALL & ~(1 << 14)),
      "/proc/self/limits": "Max locked memory         65536      65536      bytes\n"},
     "warning rights 64 KiB may be locked, packet memory has 67584 KiB", "ulimit -l"),
    ({"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "3\n"},
     "note memory hugepages are reserved, but only 6 MiB", "vm.nr_hugepages=546"),
    ({"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "0\n",
      "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "0\n"},
     "note memory no hugepages are reserved", "vm.nr_hugepages=34"),
    ({"/sys/kernel/mm/transparent_hugepage/shmem_enabled": "always [never]\n"},
     "note memory transparent hugepages are off", "echo advise"),
    ({"/proc/meminfo": "MemAvailable:   50000 kB\n"}, "error memory 48 MiB are available", "buffers"),
    ({"/proc/cpuinfo": "flags : fpu constant_tsc nonstop_tsc\n"}, "error cpu the CPU is not x86-64-v2", ""),
    ({"/proc/cpuinfo": "flags : popcnt sse4_2\n"}, "note cpu the time-stamp counter may change", ""),
    ({SYS_CPU + "/online": "0-2\n"}, "error cpu worker CPU 3 is not there", "system/workers"),
    ({"/proc/self/status": "CapEff:\t1ffffffffff\nCpus_allowed_list:\t0,1,3\n"},
     "error cpu worker CPU 2 is not open", "0,1,3"),
    ({SYS_CPU + "/online": "2-3\n"}, "warning cpu every CPU has a worker", ""),
    ({SYS_CPU + "/cpu3/cpufreq/scaling_governor": "powersave\n"},
     "warning cpu worker CPUs 3 are governed by powersave", "cpupower -c 3"),
    ({SYS_CPU + "/cpu2/topology/thread_siblings_list": "2-3\n"},
     "warning cpu worker CPUs 2 and 3 are threads of one core", "workers"),
    ({SYS_CPU + "/isolated": "\n"}, "note cpu 2 of 2 worker CPUs are not isolated", "isolcpus=2-3"),
    ({SYS_CPU + "/nohz_full": "\n"}, "note cpu 2 worker CPUs have the timer tick", "nohz_full=2-3"),
    ({"/proc/stat": "cpu2 9000 0 0 0 0 0 0 1000 0 0\n"},
     r"warning cpu the hypervisor took 10.0 % of worker CPU 2", "vcpupin"),
    ({"/ethtool/eth0": ETHTOOL.replace("ixgbe", "e1000e")},
     "note nic eth0: driver e1000e is not known to run XDP in Linux 6.1", "packet"),
    ({"/ethtool/eth0": ETHTOOL.replace("lro: off", "lro: on")}, "error nic eth0: LRO is on", "ethtool -K eth0 lro off"),
    ({"/ethtool/eth0": ETHTOOL.replace("rx-vlan: off", "rx-vlan: on")},
     "warning nic eth0: the NIC takes VLAN tags", "rxvlan off"),
    ({"/ethtool/eth0": ETHTOOL.replace("rx-ring: 4096", "rx-ring: 256")},
     "note nic eth0: the rx ring has 256 of 4096 places", "ethtool -G eth0 rx 2048"),
    ({"/ethtool/eth0": ETHTOOL + "xdp-program: 17\nxdp-mode: native\n"},
     "warning nic eth0: XDP program 17 is attached already", "xdp off"),
    ({"/sys/class/net/eth0/queues/rx-1/rps_cpus": None},
     "note nic eth0: 1 receive queue for 2 workers", "ethtool -L eth0 combined 2"),
    ({"/proc/irq/30/smp_affinity_list": "0-1\n"}, "note nic eth0: 1 of 1 interrupts", "echo 2-3 > /proc/irq/30"),
    ({"/sys/class/net/eth0/device/numa_node": "1\n", "/sys/devices/system/node/node1/cpulist": "8-15\n"},
     "warning nic eth0: in NUMA node 1, and 2 worker CPUs are not", "8-15"),
    ({"/sys/class/net/eth1/operstate": "down\n"}, "warning nic eth1: the link is down", "ip link set eth1 up"),
    ({"/sys/class/net/eth1/duplex": "half\n"}, "warning nic eth1: half duplex", "ethtool -s eth1"),
    ({"/sys/class/net/eth1/brport/port_no": "1\n"}, "error nic eth1: is a port of a bridge", "nomaster"),
    ({"/sys/class/net/eth1/mtu": "9000\n"},
     "warning mtu bridge br0: a has an MTU of 1500, b of 9000", "mtu 1500"),
    ({"/proc/77/comm": "irqbalance\n"}, r"note others irqbalance runs \(process 77\)", "systemctl"),
    ({"/proc/77/comm": "firewalld\n"}, "note others firewalld runs", "firewall-cmd"),
    ({"/proc/77/comm": "millrace\n"}, "note others process 77 is a millrace behind another socket", "cmdline"),
    ({"/proc/net/route": "Iface\tDestination\neth0\t00000000\n"},
     "note others eth0: the kernel has IPv4 routes", "ip -4 address"),
    ({"/proc/net/ip_tables_names": "filter\n"}, "note others iptables has rules", "iptables-save"),
    ({"/run/systemd/timesync/synchronized": None}, "note others nothing keeps the clock right", "timedatectl"),
]


@pytest.mark.parametrize("change, expected, fix", CHANGES, ids=[change[1][:50] for change in CHANGES])
def test_each_change_is_found(tmp_path, change, expected, fix):
    files = {**good_machine(), **change}
    files = {path: text for path, text in files.items() if text is not None}
    if "osrelease" in "".join(change):
        files["/boot/config-" + files["/proc/sys/kernel/osrelease"].strip()] = \
            files["/boot/config-6.1.0-28-amd64"]
    found = examine(tmp_path, files)
    match = [one for one, line in zip(found, lines(found)) if re.match(expected, line)]
    assert len(match) == 1, lines(found)
    assert fix in match[0]["fix"]
    # Nothing else is said, but where much changed.
    others = [line for line in lines(found) if not re.match(expected, line) and not line.startswith(NOT_RUNNING)]
    assert not others or "CONFIG_XDP" in expected or "may be locked" in expected, others


CONFIGS = [
    (CONFIG.replace("buffers: 32768", "buffers: fast"), r"error config .*config.yaml:2:.*system/buffers", "millrace check"),
    (CONFIG.replace("eth1", "eth7"), "error nic interface b: there is no device eth7", "ip -br link"),
    (CONFIG.replace("eth1", "eth0"), "error config .*eth0.*is taken by interface a", "millrace check"),
    (CONFIG.replace("buffers: 32768", "pages: 1g"), "error memory system/pages wants 1g pages", "nr_hugepages"),
    (CONFIG.replace("{device: eth1}", "{device: eth1, mtu: 9000}"),
     "warning mtu interface b: its mtu is 9000, that of eth1 is 1500", "ip link set eth1 mtu 9000"),
    (CONFIG.replace("{device: eth1}", "{device: eth1, rx-queues: 4}"),
     "error nic eth1: rx-queues wants 4, the device has 2", "ethtool -L eth1 combined 4"),
    (CONFIG.replace("{device: eth1}", "{device: eth1, rx-queues: 1}"),
     "warning nic eth1: 1 of 2 receive queues are read", "equal 1"),
    (ROUTER, r"warning config router main: 10.0.0.1/16 of a and 10.0.3.1/24 of b overlap", "subnet"),
    (ROUTER.replace("10.0.3", "10.1.3").replace("b: {address", "b: {mtu: 9000, address"),
     "warning mtu router main: b sends packets of 9000 bytes, interface b takes 1500", "1500"),
]


@pytest.mark.parametrize("config, expected, fix", CONFIGS, ids=[config[1][:50] for config in CONFIGS])
def test_the_configuration_is_looked_at(tmp_path, config, expected, fix):
    found = examine(tmp_path, good_machine(), config)
    match = [one for one, line in zip(found, lines(found)) if re.match(expected, line)]
    assert len(match) == 1, lines(found)
    assert fix in match[0]["fix"]


STATES = [
    ({"drops": 1005}, "warning running ip4-lookup drops 1000 packets/s: no-route", "millrace drops"),
    ({"drops": 15}, "note running ip4-lookup drops 10 packets/s", "millrace drops"),
    ({"free": 30}, "warning running 30 of 1000 packet buffers are free", "system/buffers to 2000"),
    ({"free": 3}, "error running 3 of 1000 packet buffers are free", "system/buffers"),
    ({"busy": 990000}, "warning running worker 0 on CPU 2 is busy 99 % of the time", "millrace top"),
    ({"lost": 50}, "warning running interface a lost packets before they were taken: 50 a second", "ring-size"),
    ({"state": "down"}, "warning running interface a is down", "ip link"),
    ({"state": "gone", "trouble": "no device"}, "error running interface a is not open: no device", "ip -br"),
    ({"neighbor": "failed"}, r"warning running router main: next hop 10.0.0.9 on a does not answer \(failed for 70 s\)",
     "trace"),
]


@pytest.mark.parametrize("after, expected, fix", STATES, ids=[case[1][:50] for case in STATES])
def test_a_running_one_is_looked_at(tmp_path, after, expected, fix):
    found = examine(tmp_path, {**good_machine(), **running(**after)})
    assert len(found) == 1 and re.match(expected, lines(found)[0]), lines(found)
    assert fix in found[0]["fix"]


def test_a_running_one_without_trouble(tmp_path):
    assert examine(tmp_path, {**good_machine(), **running()}) == []


def test_fixes_are_a_script(tmp_path):
    files = dict(good_machine())
    files["/sys/class/net/eth1/operstate"] = "down\n"
    examine(tmp_path, files)
    shown = millrace("doctor", "--fix", "--root", "%s/machine" % tmp_path, "%s/config.yaml" % tmp_path)
    assert "ip link set eth1 up" in shown.stdout
    run("sh", "-n", "-c", shown.stdout)


def test_nonsense_in_files_is_survived(tmp_path):
    files = {path: "\x00[[[:=%%\n\xff 99999999999999999999 -1,-,5-2\n" * 50 for path in good_machine()}
    assert examine(tmp_path, {**files, "/millrace/system-before.json": "{"})


def test_a_real_one(lab):
    lab.add_host(1)
    lab.add_host(2)
    lab.in_switch("ip", "link", "set", "port2", "mtu", "1400")
    lab.start(bridge_config([1, 2]))
    path = lab.write(bridge_config([1, 2]) + "    ageing-time: 0\n")
    done = lab.in_switch(os.path.abspath(os.environ.get("MILLRACE", "build/millrace")), "doctor", path,
                         "--socket", lab.socket, "--interval", "0.1", "--all", check=False)
    assert re.search(r"ok +running +millrace [0-9.]+ runs as process %d" % lab.switch.pid, done.stdout)
    assert "port1: driver veth runs XDP" in done.stdout, done.stdout + done.stderr
    assert "bridge br0: h2 has an MTU of 1400, h1 of 1500" in done.stdout
    # A process that listens and does not answer is told from one that is not there.
    pause(lab.switch.pid)
    try:
        hung = millrace("doctor", path, "--socket", lab.socket, "--interval", "0.1", check=False)
    finally:
        lab.switch.send_signal(signal.SIGCONT)
    assert hung.returncode == 1 and "millrace runs and does not answer" in hung.stdout
