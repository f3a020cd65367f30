# SPDX-License-Identifier: Apache-2.0
"""The data model as types. Written by tools/python_client.py from the YANG modules: do not edit.

For each container and list there is a dictionary's type, with the model's names as keys, and a
path's type, with them as attributes (a hyphen is an underscore):

    config.interface["lan1"].mtu
"""
from typing import List, Literal, TypedDict, Union

from .paths import Container
from .paths import container as _container
from .paths import entries as _entries
from .paths import leaf as _leaf


SystemFlightRecorder = TypedDict("SystemFlightRecorder", {
    "enabled": bool,
    "packets": int,
    "bytes": int,
    "recording": bool,
    "memory": int,
    "recorded": int,
    "passed": int,
}, total=False)


class SystemFlightRecorderPath(Container[SystemFlightRecorder]):
    """The last drops, with their packets: millrace drops shows them. Its memory is taken at the start, for
    each worker; so packets and bytes change with the next start."""

    enabled = _leaf[bool]("enabled", "bool")
    packets = _leaf[int]("packets", "int")
    bytes = _leaf[int]("bytes", "int")
    recording = _leaf[bool]("recording", "bool")
    memory = _leaf[int]("memory", "int64")
    recorded = _leaf[int]("recorded", "int64")
    passed = _leaf[int]("passed", "int64")


SystemStage = TypedDict("SystemStage", {
    "name": str,
    "cpus": str,
    "nodes": List[str],
}, total=False)


class SystemStagePath(Container[SystemStage]):
    """Cuts the packet graph: the nodes named here run on these workers, which receive their packets from
    the others through rings."""

    name = _leaf[str]("name", "text")
    cpus = _leaf[str]("cpus", "text")
    nodes = _leaf[List[str]]("nodes", "*text")


SystemPackets = TypedDict("SystemPackets", {
    "received": int,
    "created": int,
    "sent": int,
    "dropped": int,
    "held": int,
    "merged": int,
}, total=False)


class SystemPacketsPath(Container[SystemPackets]):
    """All packets of this data plane: at any moment of quiet, received + created = sent + dropped + held +
    merged."""

    received = _leaf[int]("received", "int64")
    created = _leaf[int]("created", "int64")
    sent = _leaf[int]("sent", "int64")
    dropped = _leaf[int]("dropped", "int64")
    held = _leaf[int]("held", "int64")
    merged = _leaf[int]("merged", "int64")


SystemWorker = TypedDict("SystemWorker", {
    "id": int,
    "cpu": int,
    "state": Literal["busy", "asleep"],
    "loops": int,
    "sleeps": int,
    "packets": int,
    "handoffs": int,
    "busy-cycles": int,
}, total=False)


class SystemWorkerPath(Container[SystemWorker]):
    """One thread that forwards packets."""

    id = _leaf[int]("id", "int")
    cpu = _leaf[int]("cpu", "int")
    state = _leaf[Literal["busy", "asleep"]]("state", "text")
    loops = _leaf[int]("loops", "int64")
    sleeps = _leaf[int]("sleeps", "int64")
    packets = _leaf[int]("packets", "int64")
    handoffs = _leaf[int]("handoffs", "int64")
    busy_cycles = _leaf[int]("busy-cycles", "int64")


SystemNodeNext = TypedDict("SystemNodeNext", {
    "edge": str,
    "node": str,
    "packets": int,
}, total=False)


class SystemNodeNextPath(Container[SystemNodeNext]):
    """The nodes that it sends packets on to."""

    edge = _leaf[str]("edge", "text")
    node = _leaf[str]("node", "text")
    packets = _leaf[int]("packets", "int64")


SystemNodeSend = TypedDict("SystemNodeSend", {
    "port": str,
    "node": str,
    "packets": int,
}, total=False)


class SystemNodeSendPath(Container[SystemNodeSend]):
    """The ports that it gave packets to."""

    port = _leaf[str]("port", "text")
    node = _leaf[str]("node", "text")
    packets = _leaf[int]("packets", "int64")


SystemNodeCounter = TypedDict("SystemNodeCounter", {
    "name": str,
    "value": int,
    "text": str,
}, total=False)


class SystemNodeCounterPath(Container[SystemNodeCounter]):
    """What else it counts."""

    name = _leaf[str]("name", "text")
    value = _leaf[int]("value", "int64")
    text = _leaf[str]("text", "text")


SystemNode = TypedDict("SystemNode", {
    "name": str,
    "class": str,
    "calls": int,
    "packets": int,
    "cycles": int,
    "held": int,
    "packets-per-call": float,
    "cycles-per-packet": float,
    "text": str,
    "input-of": List[str],
    "output-of": List[str],
    "next": List[SystemNodeNext],
    "send": List[SystemNodeSend],
    "counter": List[SystemNodeCounter],
}, total=False)


class SystemNodePath(Container[SystemNode]):
    """One node of the packet graph, summed over workers."""

    name = _leaf[str]("name", "text")
    class_ = _leaf[str]("class", "text")
    calls = _leaf[int]("calls", "int64")
    packets = _leaf[int]("packets", "int64")
    cycles = _leaf[int]("cycles", "int64")
    held = _leaf[int]("held", "int64")
    packets_per_call = _leaf[float]("packets-per-call", "real")
    cycles_per_packet = _leaf[float]("cycles-per-packet", "real")
    text = _leaf[str]("text", "text")
    input_of = _leaf[List[str]]("input-of", "*text")
    output_of = _leaf[List[str]]("output-of", "*text")
    next = _entries[SystemNodeNextPath, SystemNodeNext]("next", SystemNodeNextPath, "edge")
    send = _entries[SystemNodeSendPath, SystemNodeSend]("send", SystemNodeSendPath, "port node")
    counter = _entries[SystemNodeCounterPath, SystemNodeCounter]("counter", SystemNodeCounterPath, "name")


SystemDrop = TypedDict("SystemDrop", {
    "node": str,
    "reason": str,
    "packets": int,
    "text": str,
}, total=False)


class SystemDropPath(Container[SystemDrop]):
    """Packets dropped on purpose, by node and reason."""

    node = _leaf[str]("node", "text")
    reason = _leaf[str]("reason", "text")
    packets = _leaf[int]("packets", "int64")
    text = _leaf[str]("text", "text")


SystemPlugin = TypedDict("SystemPlugin", {
    "name": str,
    "nodes": List[str],
    "text": str,
}, total=False)


class SystemPluginPath(Container[SystemPlugin]):
    """What was loaded."""

    name = _leaf[str]("name", "text")
    nodes = _leaf[List[str]]("nodes", "*text")
    text = _leaf[str]("text", "text")


SystemMemory = TypedDict("SystemMemory", {
    "pages": str,
    "detail": str,
    "size": int,
    "numa-node": int,
    "buffers": int,
    "buffers-free": int,
    "buffer-stride": int,
}, total=False)


class SystemMemoryPath(Container[SystemMemory]):
    """Packet memory."""

    pages = _leaf[str]("pages", "text")
    detail = _leaf[str]("detail", "text")
    size = _leaf[int]("size", "int64")
    numa_node = _leaf[int]("numa-node", "int")
    buffers = _leaf[int]("buffers", "int")
    buffers_free = _leaf[int]("buffers-free", "int")
    buffer_stride = _leaf[int]("buffer-stride", "int")


System = TypedDict("System", {
    "workers": str,
    "mode": Literal["adaptive", "poll"],
    "buffers": int,
    "pages": Literal["auto", "1g", "2m", "thp", "4k"],
    "numa-node": int,
    "log-level": Literal["error", "warning", "notice", "info", "debug"],
    "control-socket": str,
    "flight-recorder": SystemFlightRecorder,
    "state-directory": str,
    "commits-kept": int,
    "plugins": List[str],
    "stage": List[SystemStage],
    "version": str,
    "pid": int,
    "uptime": int,
    "config-file": str,
    "hz": int,
    "packets": SystemPackets,
    "worker": List[SystemWorker],
    "node": List[SystemNode],
    "drop": List[SystemDrop],
    "plugin": List[SystemPlugin],
    "memory": SystemMemory,
}, total=False)


class SystemPath(Container[System]):
    """The process itself: its CPUs, its memory, how it is reached."""

    workers = _leaf[str]("workers", "text")
    mode = _leaf[Literal["adaptive", "poll"]]("mode", "text")
    buffers = _leaf[int]("buffers", "int")
    pages = _leaf[Literal["auto", "1g", "2m", "thp", "4k"]]("pages", "text")
    numa_node = _leaf[int]("numa-node", "int")
    log_level = _leaf[Literal["error", "warning", "notice", "info", "debug"]]("log-level", "text")
    control_socket = _leaf[str]("control-socket", "text")
    flight_recorder = _container("flight-recorder", SystemFlightRecorderPath)
    state_directory = _leaf[str]("state-directory", "text")
    commits_kept = _leaf[int]("commits-kept", "int")
    plugins = _leaf[List[str]]("plugins", "*text")
    stage = _entries[SystemStagePath, SystemStage]("stage", SystemStagePath, "name")
    version = _leaf[str]("version", "text")
    pid = _leaf[int]("pid", "int")
    uptime = _leaf[int]("uptime", "int64")
    config_file = _leaf[str]("config-file", "text")
    hz = _leaf[int]("hz", "int64")
    packets = _container("packets", SystemPacketsPath)
    worker = _entries[SystemWorkerPath, SystemWorker]("worker", SystemWorkerPath, "id")
    node = _entries[SystemNodePath, SystemNode]("node", SystemNodePath, "name")
    drop = _entries[SystemDropPath, SystemDrop]("drop", SystemDropPath, "node reason")
    plugin = _entries[SystemPluginPath, SystemPlugin]("plugin", SystemPluginPath, "name")
    memory = _container("memory", SystemMemoryPath)


AclSet = TypedDict("AclSet", {
    "name": str,
    "type": Literal["address4", "address6", "network", "port", "protocol", "interface", "mac"],
    "elements": List[str],
    "file": str,
    "size": int,
}, total=False)


class AclSetPath(Container[AclSet]):
    """A named set of values that rules refer to as @name."""

    name = _leaf[str]("name", "text")
    type = _leaf[Literal["address4", "address6", "network", "port", "protocol", "interface", "mac"]]("type", "text")
    elements = _leaf[List[str]]("elements", "*text")
    file = _leaf[str]("file", "text")
    size = _leaf[int]("size", "int")


AclListRuleLimit = TypedDict("AclListRuleLimit", {
    "rate": int,
    "per": Literal["second", "minute", "hour", "day"],
    "burst": int,
    "over": bool,
}, total=False)


class AclListRuleLimitPath(Container[AclListRuleLimit]):
    """A limit: what is above it does not match this rule."""

    rate = _leaf[int]("rate", "int")
    per = _leaf[Literal["second", "minute", "hour", "day"]]("per", "text")
    burst = _leaf[int]("burst", "int")
    over = _leaf[bool]("over", "bool")


AclListRuleLog = TypedDict("AclListRuleLog", {
    "prefix": str,
    "sample": int,
    "rate": int,
}, total=False)


class AclListRuleLogPath(Container[AclListRuleLog]):
    """Samples for the log."""

    prefix = _leaf[str]("prefix", "text")
    sample = _leaf[int]("sample", "int")
    rate = _leaf[int]("rate", "int")


AclListRule = TypedDict("AclListRule", {
    "name": str,
    "comment": str,
    "enabled": bool,
    "family": Literal["ip4", "ip6"],
    "source": List[str],
    "source-not": List[str],
    "destination": List[str],
    "destination-not": List[str],
    "protocol": List[str],
    "protocol-not": List[str],
    "source-port": List[str],
    "source-port-not": List[str],
    "destination-port": List[str],
    "destination-port-not": List[str],
    "icmp-type": List[str],
    "icmp6-type": List[str],
    "tcp-flags": str,
    "dscp": List[str],
    "fragment": Literal["no", "any", "first", "later"],
    "length": List[str],
    "state": List[Literal["new", "established", "related", "invalid", "untracked"]],
    "input": List[str],
    "output": List[str],
    "mark": str,
    "vlan": List[str],
    "source-mac": List[str],
    "limit": AclListRuleLimit,
    "action": Literal["accept", "drop", "reject", "continue", "jump", "goto", "return"],
    "to": str,
    "reject-with": Literal["port-unreachable", "host-unreachable", "net-unreachable", "admin-prohibited", "tcp-reset"],
    "set-mark": str,
    "log": AclListRuleLog,
    "packets": int,
    "bytes": int,
}, total=False)


class AclListRulePath(Container[AclListRule]):
    """What a packet has to be, in all respects that are named, and what happens to it. Of a list of values
    one has to fit."""

    name = _leaf[str]("name", "text")
    comment = _leaf[str]("comment", "text")
    enabled = _leaf[bool]("enabled", "bool")
    family = _leaf[Literal["ip4", "ip6"]]("family", "text")
    source = _leaf[List[str]]("source", "*text")
    source_not = _leaf[List[str]]("source-not", "*text")
    destination = _leaf[List[str]]("destination", "*text")
    destination_not = _leaf[List[str]]("destination-not", "*text")
    protocol = _leaf[List[str]]("protocol", "*text")
    protocol_not = _leaf[List[str]]("protocol-not", "*text")
    source_port = _leaf[List[str]]("source-port", "*text")
    source_port_not = _leaf[List[str]]("source-port-not", "*text")
    destination_port = _leaf[List[str]]("destination-port", "*text")
    destination_port_not = _leaf[List[str]]("destination-port-not", "*text")
    icmp_type = _leaf[List[str]]("icmp-type", "*text")
    icmp6_type = _leaf[List[str]]("icmp6-type", "*text")
    tcp_flags = _leaf[str]("tcp-flags", "text")
    dscp = _leaf[List[str]]("dscp", "*text")
    fragment = _leaf[Literal["no", "any", "first", "later"]]("fragment", "text")
    length = _leaf[List[str]]("length", "*text")
    state = _leaf[List[Literal["new", "established", "related", "invalid", "untracked"]]]("state", "*text")
    input = _leaf[List[str]]("input", "*text")
    output = _leaf[List[str]]("output", "*text")
    mark = _leaf[str]("mark", "text")
    vlan = _leaf[List[str]]("vlan", "*text")
    source_mac = _leaf[List[str]]("source-mac", "*text")
    limit = _container("limit", AclListRuleLimitPath)
    action = _leaf[Literal["accept", "drop", "reject", "continue", "jump", "goto", "return"]]("action", "text")
    to = _leaf[str]("to", "text")
    reject_with = _leaf[Literal["port-unreachable", "host-unreachable", "net-unreachable", "admin-prohibited", "tcp-reset"]]("reject-with", "text")
    set_mark = _leaf[str]("set-mark", "text")
    log = _container("log", AclListRuleLogPath)
    packets = _leaf[int]("packets", "int64")
    bytes = _leaf[int]("bytes", "int64")


AclListCounters = TypedDict("AclListCounters", {
    "default-packets": int,
    "default-bytes": int,
    "established-packets": int,
    "established-bytes": int,
    "invalid-packets": int,
    "invalid-bytes": int,
}, total=False)


class AclListCountersPath(Container[AclListCounters]):
    """What no rule decided, and what a stateful list decides before them."""

    default_packets = _leaf[int]("default-packets", "int64")
    default_bytes = _leaf[int]("default-bytes", "int64")
    established_packets = _leaf[int]("established-packets", "int64")
    established_bytes = _leaf[int]("established-bytes", "int64")
    invalid_packets = _leaf[int]("invalid-packets", "int64")
    invalid_bytes = _leaf[int]("invalid-bytes", "int64")


AclListClassifier = TypedDict("AclListClassifier", {
    "rules": int,
    "entries": int,
    "tables": int,
    "longest": int,
    "memory": int,
}, total=False)


class AclListClassifierPath(Container[AclListClassifier]):
    """How the rules are looked up."""

    rules = _leaf[int]("rules", "int")
    entries = _leaf[int]("entries", "int")
    tables = _leaf[int]("tables", "int")
    longest = _leaf[int]("longest", "int")
    memory = _leaf[int]("memory", "int64")


AclList = TypedDict("AclList", {
    "name": str,
    "default": Literal["accept", "drop", "reject"],
    "default-reject-with": Literal["port-unreachable", "host-unreachable", "net-unreachable", "admin-prohibited", "tcp-reset"],
    "stateful": bool,
    "arp": Literal["accept", "drop"],
    "neighbor-discovery": Literal["accept", "rules"],
    "ether": Literal["accept", "drop"],
    "ether-except": List[str],
    "rule": List[AclListRule],
    "counters": AclListCounters,
    "classifier": AclListClassifier,
}, total=False)


class AclListPath(Container[AclList]):
    """Rules, of which the first that matches a packet and says accept, drop or reject decides."""

    name = _leaf[str]("name", "text")
    default = _leaf[Literal["accept", "drop", "reject"]]("default", "text")
    default_reject_with = _leaf[Literal["port-unreachable", "host-unreachable", "net-unreachable", "admin-prohibited", "tcp-reset"]]("default-reject-with", "text")
    stateful = _leaf[bool]("stateful", "bool")
    arp = _leaf[Literal["accept", "drop"]]("arp", "text")
    neighbor_discovery = _leaf[Literal["accept", "rules"]]("neighbor-discovery", "text")
    ether = _leaf[Literal["accept", "drop"]]("ether", "text")
    ether_except = _leaf[List[str]]("ether-except", "*text")
    rule = _entries[AclListRulePath, AclListRule]("rule", AclListRulePath, "name")
    counters = _container("counters", AclListCountersPath)
    classifier = _container("classifier", AclListClassifierPath)


AclInterface = TypedDict("AclInterface", {
    "name": str,
    "in": str,
    "out": str,
    "zone": str,
}, total=False)


class AclInterfacePath(Container[AclInterface]):
    """The lists of an interface."""

    name = _leaf[str]("name", "text")
    in_ = _leaf[str]("in", "text")
    out = _leaf[str]("out", "text")
    zone = _leaf[str]("zone", "text")


Acl = TypedDict("Acl", {
    "default-in": str,
    "default-out": str,
    "reject-rate": int,
    "set": List[AclSet],
    "list": List[AclList],
    "interface": List[AclInterface],
}, total=False)


class AclPath(Container[Acl]):
    """Access lists and where they stand."""

    default_in = _leaf[str]("default-in", "text")
    default_out = _leaf[str]("default-out", "text")
    reject_rate = _leaf[int]("reject-rate", "int64")
    set = _entries[AclSetPath, AclSet]("set", AclSetPath, "name")
    list = _entries[AclListPath, AclList]("list", AclListPath, "name")
    interface = _entries[AclInterfacePath, AclInterface]("interface", AclInterfacePath, "name")


BridgeInterfaceStorm = TypedDict("BridgeInterfaceStorm", {
    "broadcast": int,
    "unknown": int,
    "multicast": int,
}, total=False)


class BridgeInterfaceStormPath(Container[BridgeInterfaceStorm]):
    """How much is flooded from this interface; an eighth of a second's worth may come at once. When
    absent: no limit."""

    broadcast = _leaf[int]("broadcast", "int64")
    unknown = _leaf[int]("unknown", "int64")
    multicast = _leaf[int]("multicast", "int64")


BridgeInterface = TypedDict("BridgeInterface", {
    "name": str,
    "access": int,
    "trunk": str,
    "native": int,
    "dot1q-tunnel": int,
    "tpid": Literal["0x8100", "0x88a8", "0x9100"],
    "learning": bool,
    "mac-limit": int,
    "mac-limit-action": Literal["flood", "drop"],
    "split-horizon": str,
    "isolated": bool,
    "storm": BridgeInterfaceStorm,
    "state": Literal["up", "down"],
    "untagged-vlan": int,
    "tagged-vlans": str,
    "macs": int,
}, total=False)


class BridgeInterfacePath(Container[BridgeInterface]):
    """A member. One that is neither access, trunk nor dot1q-tunnel carries all VLANs, with VLAN 1
    untagged. An interface is a member of one bridge at most."""

    name = _leaf[str]("name", "text")
    access = _leaf[int]("access", "int")
    trunk = _leaf[str]("trunk", "text")
    native = _leaf[int]("native", "int")
    dot1q_tunnel = _leaf[int]("dot1q-tunnel", "int")
    tpid = _leaf[Literal["0x8100", "0x88a8", "0x9100"]]("tpid", "text")
    learning = _leaf[bool]("learning", "bool")
    mac_limit = _leaf[int]("mac-limit", "int")
    mac_limit_action = _leaf[Literal["flood", "drop"]]("mac-limit-action", "text")
    split_horizon = _leaf[str]("split-horizon", "text")
    isolated = _leaf[bool]("isolated", "bool")
    storm = _container("storm", BridgeInterfaceStormPath)
    state = _leaf[Literal["up", "down"]]("state", "text")
    untagged_vlan = _leaf[int]("untagged-vlan", "int")
    tagged_vlans = _leaf[str]("tagged-vlans", "text")
    macs = _leaf[int]("macs", "int")


BridgeStatic = TypedDict("BridgeStatic", {
    "mac": str,
    "vlan": int,
    "interface": str,
}, total=False)


class BridgeStaticPath(Container[BridgeStatic]):
    """A station that is not learned but known: never aged and never moved."""

    mac = _leaf[str]("mac", "text")
    vlan = _leaf[int]("vlan", "int")
    interface = _leaf[str]("interface", "text")


BridgeCounters = TypedDict("BridgeCounters", {
    "learned": int,
    "moved": int,
    "aged": int,
    "evicted": int,
    "table-full": int,
    "mac-limited": int,
    "moves-refused": int,
    "flooded": int,
    "flood-copies": int,
    "flood-no-buffer": int,
    "flood-too-big": int,
}, total=False)


class BridgeCountersPath(Container[BridgeCounters]):
    """Since the bridge was made."""

    learned = _leaf[int]("learned", "int64")
    moved = _leaf[int]("moved", "int64")
    aged = _leaf[int]("aged", "int64")
    evicted = _leaf[int]("evicted", "int64")
    table_full = _leaf[int]("table-full", "int64")
    mac_limited = _leaf[int]("mac-limited", "int64")
    moves_refused = _leaf[int]("moves-refused", "int64")
    flooded = _leaf[int]("flooded", "int64")
    flood_copies = _leaf[int]("flood-copies", "int64")
    flood_no_buffer = _leaf[int]("flood-no-buffer", "int64")
    flood_too_big = _leaf[int]("flood-too-big", "int64")


BridgeFdb = TypedDict("BridgeFdb", {
    "mac": str,
    "vlan": int,
    "interface": str,
    "static": bool,
    "age": int,
}, total=False)


class BridgeFdbPath(Container[BridgeFdb]):
    """The stations known."""

    mac = _leaf[str]("mac", "text")
    vlan = _leaf[int]("vlan", "int")
    interface = _leaf[str]("interface", "text")
    static = _leaf[bool]("static", "bool")
    age = _leaf[int]("age", "int")


Bridge = TypedDict("Bridge", {
    "name": str,
    "ageing-time": int,
    "mac-limit": int,
    "move-limit": int,
    "forward-reserved": List[Literal["stp", "slow", "eapol", "lldp", "all"]],
    "interface": List[BridgeInterface],
    "static": List[BridgeStatic],
    "macs": int,
    "counters": BridgeCounters,
    "fdb": List[BridgeFdb],
}, total=False)


class BridgePath(Container[Bridge]):
    """A learning switch (IEEE 802.1Q). When no interface of it says anything about VLANs, it forwards by
    address alone and leaves tags as they are."""

    name = _leaf[str]("name", "text")
    ageing_time = _leaf[int]("ageing-time", "int")
    mac_limit = _leaf[int]("mac-limit", "int")
    move_limit = _leaf[int]("move-limit", "int")
    forward_reserved = _leaf[List[Literal["stp", "slow", "eapol", "lldp", "all"]]]("forward-reserved", "*text")
    interface = _entries[BridgeInterfacePath, BridgeInterface]("interface", BridgeInterfacePath, "name")
    static = _entries[BridgeStaticPath, BridgeStatic]("static", BridgeStaticPath, "mac vlan")
    macs = _leaf[int]("macs", "int")
    counters = _container("counters", BridgeCountersPath)
    fdb = _entries[BridgeFdbPath, BridgeFdb]("fdb", BridgeFdbPath, "mac vlan")


ConntrackTimeouts = TypedDict("ConntrackTimeouts", {
    "tcp-syn-sent": int,
    "tcp-syn-recv": int,
    "tcp-established": int,
    "tcp-fin-wait": int,
    "tcp-close-wait": int,
    "tcp-last-ack": int,
    "tcp-time-wait": int,
    "tcp-close": int,
    "tcp-syn-sent2": int,
    "tcp-max-retrans": int,
    "tcp-unacknowledged": int,
    "udp": int,
    "udp-stream": int,
    "icmp": int,
    "icmpv6": int,
    "gre": int,
    "gre-stream": int,
    "generic": int,
}, total=False)


class ConntrackTimeoutsPath(Container[ConntrackTimeouts]):
    """How long a connection stays without packets, by protocol and state."""

    tcp_syn_sent = _leaf[int]("tcp-syn-sent", "int")
    tcp_syn_recv = _leaf[int]("tcp-syn-recv", "int")
    tcp_established = _leaf[int]("tcp-established", "int")
    tcp_fin_wait = _leaf[int]("tcp-fin-wait", "int")
    tcp_close_wait = _leaf[int]("tcp-close-wait", "int")
    tcp_last_ack = _leaf[int]("tcp-last-ack", "int")
    tcp_time_wait = _leaf[int]("tcp-time-wait", "int")
    tcp_close = _leaf[int]("tcp-close", "int")
    tcp_syn_sent2 = _leaf[int]("tcp-syn-sent2", "int")
    tcp_max_retrans = _leaf[int]("tcp-max-retrans", "int")
    tcp_unacknowledged = _leaf[int]("tcp-unacknowledged", "int")
    udp = _leaf[int]("udp", "int")
    udp_stream = _leaf[int]("udp-stream", "int")
    icmp = _leaf[int]("icmp", "int")
    icmpv6 = _leaf[int]("icmpv6", "int")
    gre = _leaf[int]("gre", "int")
    gre_stream = _leaf[int]("gre-stream", "int")
    generic = _leaf[int]("generic", "int")


ConntrackZone = TypedDict("ConntrackZone", {
    "name": str,
    "max": int,
}, total=False)


class ConntrackZonePath(Container[ConntrackZone]):
    """A space of connections of its own: the same addresses and ports are different connections in
    different zones. For tenants whose addresses overlap."""

    name = _leaf[str]("name", "text")
    max = _leaf[int]("max", "int")


ConntrackInterface = TypedDict("ConntrackInterface", {
    "name": str,
    "zone": str,
    "source-max": int,
    "source-rate": int,
    "source-burst": int,
    "syn-proxy": Literal["off", "auto", "on"],
    "syn-proxy-rate": int,
}, total=False)


class ConntrackInterfacePath(Container[ConntrackInterface]):
    """An interface whose packets are tracked, as they come in and as they leave."""

    name = _leaf[str]("name", "text")
    zone = _leaf[str]("zone", "text")
    source_max = _leaf[int]("source-max", "int")
    source_rate = _leaf[int]("source-rate", "int")
    source_burst = _leaf[int]("source-burst", "int")
    syn_proxy = _leaf[Literal["off", "auto", "on"]]("syn-proxy", "text")
    syn_proxy_rate = _leaf[int]("syn-proxy-rate", "int")


ConntrackProtocols = TypedDict("ConntrackProtocols", {
    "tcp": int,
    "udp": int,
    "icmp": int,
    "other": int,
}, total=False)


class ConntrackProtocolsPath(Container[ConntrackProtocols]):
    """Connections now, by protocol."""

    tcp = _leaf[int]("tcp", "int")
    udp = _leaf[int]("udp", "int")
    icmp = _leaf[int]("icmp", "int")
    other = _leaf[int]("other", "int")


ConntrackTcpStates = TypedDict("ConntrackTcpStates", {
    "syn-sent": int,
    "syn-recv": int,
    "established": int,
    "fin-wait": int,
    "close-wait": int,
    "last-ack": int,
    "time-wait": int,
    "close": int,
    "syn-sent2": int,
}, total=False)


class ConntrackTcpStatesPath(Container[ConntrackTcpStates]):
    """TCP connections now, by state."""

    syn_sent = _leaf[int]("syn-sent", "int")
    syn_recv = _leaf[int]("syn-recv", "int")
    established = _leaf[int]("established", "int")
    fin_wait = _leaf[int]("fin-wait", "int")
    close_wait = _leaf[int]("close-wait", "int")
    last_ack = _leaf[int]("last-ack", "int")
    time_wait = _leaf[int]("time-wait", "int")
    close = _leaf[int]("close", "int")
    syn_sent2 = _leaf[int]("syn-sent2", "int")


ConntrackZoneStateCounters = TypedDict("ConntrackZoneStateCounters", {
    "created": int,
    "ended": int,
    "expired": int,
    "reused": int,
    "flushed": int,
    "early-dropped": int,
    "invalid": int,
    "related": int,
    "refused-full": int,
    "refused-zone": int,
    "refused-source": int,
    "refused-rate": int,
}, total=False)


class ConntrackZoneStateCountersPath(Container[ConntrackZoneStateCounters]):
    """Since the start."""

    created = _leaf[int]("created", "int64")
    ended = _leaf[int]("ended", "int64")
    expired = _leaf[int]("expired", "int64")
    reused = _leaf[int]("reused", "int64")
    flushed = _leaf[int]("flushed", "int64")
    early_dropped = _leaf[int]("early-dropped", "int64")
    invalid = _leaf[int]("invalid", "int64")
    related = _leaf[int]("related", "int64")
    refused_full = _leaf[int]("refused-full", "int64")
    refused_zone = _leaf[int]("refused-zone", "int64")
    refused_source = _leaf[int]("refused-source", "int64")
    refused_rate = _leaf[int]("refused-rate", "int64")


ConntrackZoneState = TypedDict("ConntrackZoneState", {
    "name": str,
    "connections": int,
    "counters": ConntrackZoneStateCounters,
}, total=False)


class ConntrackZoneStatePath(Container[ConntrackZoneState]):
    """What happened in each zone."""

    name = _leaf[str]("name", "text")
    connections = _leaf[int]("connections", "int")
    counters = _container("counters", ConntrackZoneStateCountersPath)


Conntrack = TypedDict("Conntrack", {
    "max": int,
    "loose": bool,
    "drop-invalid": bool,
    "checksum": bool,
    "timeouts": ConntrackTimeouts,
    "zone": List[ConntrackZone],
    "interface": List[ConntrackInterface],
    "connections": int,
    "highest": int,
    "fragments-waiting": int,
    "protocols": ConntrackProtocols,
    "tcp-states": ConntrackTcpStates,
    "zone-state": List[ConntrackZoneState],
}, total=False)


class ConntrackPath(Container[Conntrack]):
    """Which connection packets belong to, and in what state it is. Interfaces take part that are listed
    here, or whose rules ask for states."""

    max = _leaf[int]("max", "int")
    loose = _leaf[bool]("loose", "bool")
    drop_invalid = _leaf[bool]("drop-invalid", "bool")
    checksum = _leaf[bool]("checksum", "bool")
    timeouts = _container("timeouts", ConntrackTimeoutsPath)
    zone = _entries[ConntrackZonePath, ConntrackZone]("zone", ConntrackZonePath, "name")
    interface = _entries[ConntrackInterfacePath, ConntrackInterface]("interface", ConntrackInterfacePath, "name")
    connections = _leaf[int]("connections", "int")
    highest = _leaf[int]("highest", "int")
    fragments_waiting = _leaf[int]("fragments-waiting", "int")
    protocols = _container("protocols", ConntrackProtocolsPath)
    tcp_states = _container("tcp-states", ConntrackTcpStatesPath)
    zone_state = _entries[ConntrackZoneStatePath, ConntrackZoneState]("zone-state", ConntrackZoneStatePath, "name")


FlowRulesMeter = TypedDict("FlowRulesMeter", {
    "name": str,
    "rate": int,
    "burst": int,
}, total=False)


class FlowRulesMeterPath(Container[FlowRulesMeter]):
    """How many packets a second rules let through."""

    name = _leaf[str]("name", "text")
    rate = _leaf[int]("rate", "int64")
    burst = _leaf[int]("burst", "int64")


FlowRulesRuleMatch = TypedDict("FlowRulesRuleMatch", {
    "interface": str,
    "source-mac": str,
    "destination-mac": str,
    "ethertype": int,
    "vlan": int,
    "family": Literal["ipv4", "ipv6"],
    "source": str,
    "destination": str,
    "tos": int,
    "protocol": Union[int, str],
    "source-port": str,
    "destination-port": str,
    "icmp-type": int,
}, total=False)


class FlowRulesRuleMatchPath(Container[FlowRulesRuleMatch]):
    """All must hold; what is not said may be anything."""

    interface = _leaf[str]("interface", "text")
    source_mac = _leaf[str]("source-mac", "text")
    destination_mac = _leaf[str]("destination-mac", "text")
    ethertype = _leaf[int]("ethertype", "int")
    vlan = _leaf[int]("vlan", "int")
    family = _leaf[Literal["ipv4", "ipv6"]]("family", "text")
    source = _leaf[str]("source", "text")
    destination = _leaf[str]("destination", "text")
    tos = _leaf[int]("tos", "int")
    protocol = _leaf[Union[int, str]]("protocol", "any")
    source_port = _leaf[str]("source-port", "text")
    destination_port = _leaf[str]("destination-port", "text")
    icmp_type = _leaf[int]("icmp-type", "int")


FlowRulesRuleSet = TypedDict("FlowRulesRuleSet", {
    "source-mac": str,
    "destination-mac": str,
    "source": str,
    "destination": str,
    "source-port": str,
    "destination-port": str,
}, total=False)


class FlowRulesRuleSetPath(Container[FlowRulesRuleSet]):
    """What is written into it; checksums follow."""

    source_mac = _leaf[str]("source-mac", "text")
    destination_mac = _leaf[str]("destination-mac", "text")
    source = _leaf[str]("source", "text")
    destination = _leaf[str]("destination", "text")
    source_port = _leaf[str]("source-port", "text")
    destination_port = _leaf[str]("destination-port", "text")


FlowRulesRule = TypedDict("FlowRulesRule", {
    "name": str,
    "group": int,
    "priority": int,
    "match": FlowRulesRuleMatch,
    "set": FlowRulesRuleSet,
    "meter": str,
    "mark": int,
    "decrement-ttl": bool,
    "pop-vlan": bool,
    "push-vlan": int,
    "action": Literal["pass", "drop", "output", "jump"],
    "to": str,
    "to-group": int,
    "packets": int,
    "bytes": int,
}, total=False)


class FlowRulesRulePath(Container[FlowRulesRule]):
    """A pattern, what is done to packets that match it, and what becomes of them."""

    name = _leaf[str]("name", "text")
    group = _leaf[int]("group", "int")
    priority = _leaf[int]("priority", "int")
    match = _container("match", FlowRulesRuleMatchPath)
    set = _container("set", FlowRulesRuleSetPath)
    meter = _leaf[str]("meter", "text")
    mark = _leaf[int]("mark", "int")
    decrement_ttl = _leaf[bool]("decrement-ttl", "bool")
    pop_vlan = _leaf[bool]("pop-vlan", "bool")
    push_vlan = _leaf[int]("push-vlan", "int")
    action = _leaf[Literal["pass", "drop", "output", "jump"]]("action", "text")
    to = _leaf[str]("to", "text")
    to_group = _leaf[int]("to-group", "int")
    packets = _leaf[int]("packets", "int64")
    bytes = _leaf[int]("bytes", "int64")


FlowRules = TypedDict("FlowRules", {
    "meter": List[FlowRulesMeter],
    "rule": List[FlowRulesRule],
}, total=False)


class FlowRulesPath(Container[FlowRules]):
    """In a group the matching rule with the lowest priority wins. Packets begin in group 0; those that no
    rule matches go on as if there were none."""

    meter = _entries[FlowRulesMeterPath, FlowRulesMeter]("meter", FlowRulesMeterPath, "name")
    rule = _entries[FlowRulesRulePath, FlowRulesRule]("rule", FlowRulesRulePath, "name")


InterfaceRxWorker = TypedDict("InterfaceRxWorker", {
    "queue": int,
    "value": int,
}, total=False)


class InterfaceRxWorkerPath(Container[InterfaceRxWorker]):
    """Which worker polls a receive queue, as {0: 1, 1: 1}. Queues that are not named are dealt to the
    workers in turn."""

    queue = _leaf[int]("queue", "int")
    value = _leaf[int]("value", "int")


InterfaceOptions = TypedDict("InterfaceOptions", {
    "key": str,
    "value": str,
}, total=False)


class InterfaceOptionsPath(Container[InterfaceOptions]):
    """Settings of the driver; each driver documents its own."""

    key = _leaf[str]("key", "text")
    value = _leaf[str]("value", "text")


InterfaceCounters = TypedDict("InterfaceCounters", {
    "rx-packets": int,
    "rx-bytes": int,
    "rx-errors": int,
    "rx-no-buffer": int,
    "rx-device-drops": int,
    "rx-calls": int,
    "tx-packets": int,
    "tx-bytes": int,
    "tx-errors": int,
    "tx-gone": int,
    "tx-device-drops": int,
    "tx-calls": int,
}, total=False)


class InterfaceCountersPath(Container[InterfaceCounters]):
    """Since the start of the process."""

    rx_packets = _leaf[int]("rx-packets", "int64")
    rx_bytes = _leaf[int]("rx-bytes", "int64")
    rx_errors = _leaf[int]("rx-errors", "int64")
    rx_no_buffer = _leaf[int]("rx-no-buffer", "int64")
    rx_device_drops = _leaf[int]("rx-device-drops", "int64")
    rx_calls = _leaf[int]("rx-calls", "int64")
    tx_packets = _leaf[int]("tx-packets", "int64")
    tx_bytes = _leaf[int]("tx-bytes", "int64")
    tx_errors = _leaf[int]("tx-errors", "int64")
    tx_gone = _leaf[int]("tx-gone", "int64")
    tx_device_drops = _leaf[int]("tx-device-drops", "int64")
    tx_calls = _leaf[int]("tx-calls", "int64")


Interface = TypedDict("Interface", {
    "name": str,
    "description": str,
    "driver": str,
    "device": str,
    "enabled": bool,
    "mtu": int,
    "rx-queues": int,
    "tx-queues": int,
    "rx-worker": List[InterfaceRxWorker],
    "promiscuous": bool,
    "cross-connect": str,
    "input-nodes": List[str],
    "options": List[InterfaceOptions],
    "index": int,
    "state": Literal["up", "down", "gone", "done", "disabled"],
    "trouble": str,
    "mac": str,
    "current-mtu": int,
    "speed": int,
    "detail": str,
    "counters": InterfaceCounters,
}, total=False)


class InterfacePath(Container[Interface]):
    """A place where packets enter and leave: a kernel interface, a TAP, a capture file."""

    name = _leaf[str]("name", "text")
    description = _leaf[str]("description", "text")
    driver = _leaf[str]("driver", "text")
    device = _leaf[str]("device", "text")
    enabled = _leaf[bool]("enabled", "bool")
    mtu = _leaf[int]("mtu", "int")
    rx_queues = _leaf[int]("rx-queues", "int")
    tx_queues = _leaf[int]("tx-queues", "int")
    rx_worker = _entries[InterfaceRxWorkerPath, InterfaceRxWorker]("rx-worker", InterfaceRxWorkerPath, "queue")
    promiscuous = _leaf[bool]("promiscuous", "bool")
    cross_connect = _leaf[str]("cross-connect", "text")
    input_nodes = _leaf[List[str]]("input-nodes", "*text")
    options = _entries[InterfaceOptionsPath, InterfaceOptions]("options", InterfaceOptionsPath, "key")
    index = _leaf[int]("index", "int")
    state = _leaf[Literal["up", "down", "gone", "done", "disabled"]]("state", "text")
    trouble = _leaf[str]("trouble", "text")
    mac = _leaf[str]("mac", "text")
    current_mtu = _leaf[int]("current-mtu", "int")
    speed = _leaf[int]("speed", "int")
    detail = _leaf[str]("detail", "text")
    counters = _container("counters", InterfaceCountersPath)


LanesInterfaceCounters = TypedDict("LanesInterfaceCounters", {
    "replayed": int,
    "wide": int,
    "not-plain": int,
    "first": int,
    "recorded": int,
    "begun": int,
    "barred": int,
    "stale": int,
    "condition": int,
    "order": int,
    "skipped": int,
    "busy": int,
    "offloaded": int,
}, total=False)


class LanesInterfaceCountersPath(Container[LanesInterfaceCounters]):
    """Packets, by what the lane did with them."""

    replayed = _leaf[int]("replayed", "int64")
    wide = _leaf[int]("wide", "int64")
    not_plain = _leaf[int]("not-plain", "int64")
    first = _leaf[int]("first", "int64")
    recorded = _leaf[int]("recorded", "int64")
    begun = _leaf[int]("begun", "int64")
    barred = _leaf[int]("barred", "int64")
    stale = _leaf[int]("stale", "int64")
    condition = _leaf[int]("condition", "int64")
    order = _leaf[int]("order", "int64")
    skipped = _leaf[int]("skipped", "int64")
    busy = _leaf[int]("busy", "int64")
    offloaded = _leaf[int]("offloaded", "int64")


LanesInterface = TypedDict("LanesInterface", {
    "name": str,
    "lane": Literal["auto", "graph", "flow"],
    "taken": Literal["graph", "flow"],
    "reason": str,
    "offload": bool,
    "offload-reason": str,
    "counters": LanesInterfaceCounters,
}, total=False)


class LanesInterfacePath(Container[LanesInterface]):
    """Interfaces with a lane of their own choice; in state, all of them."""

    name = _leaf[str]("name", "text")
    lane = _leaf[Literal["auto", "graph", "flow"]]("lane", "text")
    taken = _leaf[Literal["graph", "flow"]]("taken", "text")
    reason = _leaf[str]("reason", "text")
    offload = _leaf[bool]("offload", "bool")
    offload_reason = _leaf[str]("offload-reason", "text")
    counters = _container("counters", LanesInterfaceCountersPath)


LanesWorkerOffload = TypedDict("LanesWorkerOffload", {
    "flows": int,
    "added": int,
    "refused": int,
    "packets": int,
    "bytes": int,
}, total=False)


class LanesWorkerOffloadPath(Container[LanesWorkerOffload]):
    """Flows that ports forward by themselves."""

    flows = _leaf[int]("flows", "int")
    added = _leaf[int]("added", "int64")
    refused = _leaf[int]("refused", "int64")
    packets = _leaf[int]("packets", "int64")
    bytes = _leaf[int]("bytes", "int64")


LanesWorkerCounters = TypedDict("LanesWorkerCounters", {
    "added": int,
    "removed": int,
    "expired": int,
    "refused": int,
    "stale": int,
}, total=False)


class LanesWorkerCountersPath(Container[LanesWorkerCounters]):
    """Since the start."""

    added = _leaf[int]("added", "int64")
    removed = _leaf[int]("removed", "int64")
    expired = _leaf[int]("expired", "int64")
    refused = _leaf[int]("refused", "int64")
    stale = _leaf[int]("stale", "int64")


LanesWorkerRecording = TypedDict("LanesWorkerRecording", {
    "outcome": str,
    "count": int,
}, total=False)


class LanesWorkerRecordingPath(Container[LanesWorkerRecording]):
    """Recordings, by what became of them."""

    outcome = _leaf[str]("outcome", "text")
    count = _leaf[int]("count", "int64")


LanesWorker = TypedDict("LanesWorker", {
    "number": int,
    "flows": int,
    "barred": int,
    "programs": int,
    "memory": int,
    "offload": LanesWorkerOffload,
    "counters": LanesWorkerCounters,
    "recording": List[LanesWorkerRecording],
}, total=False)


class LanesWorkerPath(Container[LanesWorker]):
    """What each worker holds."""

    number = _leaf[int]("number", "int")
    flows = _leaf[int]("flows", "int")
    barred = _leaf[int]("barred", "int")
    programs = _leaf[int]("programs", "int")
    memory = _leaf[int]("memory", "int64")
    offload = _container("offload", LanesWorkerOffloadPath)
    counters = _container("counters", LanesWorkerCountersPath)
    recording = _entries[LanesWorkerRecordingPath, LanesWorkerRecording]("recording", LanesWorkerRecordingPath, "outcome")


Lanes = TypedDict("Lanes", {
    "mode": Literal["auto", "graph", "flow"],
    "flows": int,
    "idle-timeout": int,
    "offload": bool,
    "offload-flows": int,
    "offload-rate": int,
    "interface": List[LanesInterface],
    "worker": List[LanesWorker],
}, total=False)


class LanesPath(Container[Lanes]):
    """The flow lane writes down what the graph did with a flow's packet and does the same to the next
    ones."""

    mode = _leaf[Literal["auto", "graph", "flow"]]("mode", "text")
    flows = _leaf[int]("flows", "int")
    idle_timeout = _leaf[int]("idle-timeout", "int")
    offload = _leaf[bool]("offload", "bool")
    offload_flows = _leaf[int]("offload-flows", "int")
    offload_rate = _leaf[int]("offload-rate", "int")
    interface = _entries[LanesInterfacePath, LanesInterface]("interface", LanesInterfacePath, "name")
    worker = _entries[LanesWorkerPath, LanesWorker]("worker", LanesWorkerPath, "number")


LbHealthCheck = TypedDict("LbHealthCheck", {
    "service": str,
    "backend": str,
    "type": Literal["tcp", "http", "udp", "icmp"],
    "state": Literal["unknown", "healthy", "unhealthy"],
    "reason": str,
    "good": int,
    "bad": int,
    "took": int,
}, total=False)


class LbHealthCheckPath(Container[LbHealthCheck]):
    """One server."""

    service = _leaf[str]("service", "text")
    backend = _leaf[str]("backend", "text")
    type = _leaf[Literal["tcp", "http", "udp", "icmp"]]("type", "text")
    state = _leaf[Literal["unknown", "healthy", "unhealthy"]]("state", "text")
    reason = _leaf[str]("reason", "text")
    good = _leaf[int]("good", "int64")
    bad = _leaf[int]("bad", "int64")
    took = _leaf[int]("took", "int")


LbHealth = TypedDict("LbHealth", {
    "check": List[LbHealthCheck],
}, total=False)


class LbHealthPath(Container[LbHealth]):
    """The checks of all servers."""

    check = _entries[LbHealthCheckPath, LbHealthCheck]("check", LbHealthCheckPath, "service backend")


LbServiceTimeouts = TypedDict("LbServiceTimeouts", {
    "tcp-syn": int,
    "tcp": int,
    "tcp-fin": int,
    "tcp-close": int,
    "udp": int,
}, total=False)


class LbServiceTimeoutsPath(Container[LbServiceTimeouts]):
    """How long a connection is remembered without packets."""

    tcp_syn = _leaf[int]("tcp-syn", "int")
    tcp = _leaf[int]("tcp", "int")
    tcp_fin = _leaf[int]("tcp-fin", "int")
    tcp_close = _leaf[int]("tcp-close", "int")
    udp = _leaf[int]("udp", "int")


LbServiceHealth = TypedDict("LbServiceHealth", {
    "type": Literal["none", "tcp", "http", "udp", "icmp"],
    "port": str,
    "interval": int,
    "timeout": int,
    "rise": int,
    "fall": int,
    "path": str,
    "host": str,
    "status": str,
    "body": str,
    "send": str,
    "expect": str,
    "namespace": str,
}, total=False)


class LbServiceHealthPath(Container[LbServiceHealth]):
    """How servers are asked whether they are fit."""

    type = _leaf[Literal["none", "tcp", "http", "udp", "icmp"]]("type", "text")
    port = _leaf[str]("port", "text")
    interval = _leaf[int]("interval", "int")
    timeout = _leaf[int]("timeout", "int")
    rise = _leaf[int]("rise", "int")
    fall = _leaf[int]("fall", "int")
    path = _leaf[str]("path", "text")
    host = _leaf[str]("host", "text")
    status = _leaf[str]("status", "text")
    body = _leaf[str]("body", "text")
    send = _leaf[str]("send", "text")
    expect = _leaf[str]("expect", "text")
    namespace = _leaf[str]("namespace", "text")


LbServiceBackend = TypedDict("LbServiceBackend", {
    "name": str,
    "address": str,
    "port": str,
    "weight": int,
    "max-connections": int,
    "state": Literal["up", "drain", "down"],
}, total=False)


class LbServiceBackendPath(Container[LbServiceBackend]):
    """A server."""

    name = _leaf[str]("name", "text")
    address = _leaf[str]("address", "text")
    port = _leaf[str]("port", "text")
    weight = _leaf[int]("weight", "int")
    max_connections = _leaf[int]("max-connections", "int")
    state = _leaf[Literal["up", "drain", "down"]]("state", "text")


LbService = TypedDict("LbService", {
    "name": str,
    "router": str,
    "address": List[str],
    "protocol": Literal["tcp", "udp"],
    "port": List[str],
    "mode": Literal["nat", "nat-full", "l2", "ipip", "gue"],
    "source-address": List[str],
    "gue-port": str,
    "scheduler": Literal["maglev", "weighted-round-robin", "least-connections"],
    "affinity": Literal["none", "source"],
    "affinity-timeout": int,
    "syn-protection": Literal["off", "auto", "on"],
    "ping": bool,
    "drain-timeout": int,
    "on-removal": Literal["drain", "break"],
    "max-connections": int,
    "timeouts": LbServiceTimeouts,
    "health": LbServiceHealth,
    "backend": List[LbServiceBackend],
}, total=False)


class LbServicePath(Container[LbService]):
    """A service."""

    name = _leaf[str]("name", "text")
    router = _leaf[str]("router", "text")
    address = _leaf[List[str]]("address", "*text")
    protocol = _leaf[Literal["tcp", "udp"]]("protocol", "text")
    port = _leaf[List[str]]("port", "*text")
    mode = _leaf[Literal["nat", "nat-full", "l2", "ipip", "gue"]]("mode", "text")
    source_address = _leaf[List[str]]("source-address", "*text")
    gue_port = _leaf[str]("gue-port", "text")
    scheduler = _leaf[Literal["maglev", "weighted-round-robin", "least-connections"]]("scheduler", "text")
    affinity = _leaf[Literal["none", "source"]]("affinity", "text")
    affinity_timeout = _leaf[int]("affinity-timeout", "int")
    syn_protection = _leaf[Literal["off", "auto", "on"]]("syn-protection", "text")
    ping = _leaf[bool]("ping", "bool")
    drain_timeout = _leaf[int]("drain-timeout", "int")
    on_removal = _leaf[Literal["drain", "break"]]("on-removal", "text")
    max_connections = _leaf[int]("max-connections", "int")
    timeouts = _container("timeouts", LbServiceTimeoutsPath)
    health = _container("health", LbServiceHealthPath)
    backend = _entries[LbServiceBackendPath, LbServiceBackend]("backend", LbServiceBackendPath, "name")


LbCounters = TypedDict("LbCounters", {
    "created": int,
    "ended": int,
    "expired": int,
    "reused": int,
    "moved": int,
    "broken": int,
    "early-dropped": int,
}, total=False)


class LbCountersPath(Container[LbCounters]):
    """Since the start."""

    created = _leaf[int]("created", "int64")
    ended = _leaf[int]("ended", "int64")
    expired = _leaf[int]("expired", "int64")
    reused = _leaf[int]("reused", "int64")
    moved = _leaf[int]("moved", "int64")
    broken = _leaf[int]("broken", "int64")
    early_dropped = _leaf[int]("early-dropped", "int64")


LbServiceStateBackend = TypedDict("LbServiceStateBackend", {
    "name": str,
    "address": str,
    "port": int,
    "state": Literal["up", "full", "drain", "leaving", "unhealthy", "down"],
    "reason": str,
    "weight": int,
    "mtu": int,
    "drains-for": int,
    "connections": int,
    "connections-total": int,
    "packets": int,
    "bytes": int,
    "back-packets": int,
    "back-bytes": int,
}, total=False)


class LbServiceStateBackendPath(Container[LbServiceStateBackend]):
    """Servers."""

    name = _leaf[str]("name", "text")
    address = _leaf[str]("address", "text")
    port = _leaf[int]("port", "int")
    state = _leaf[Literal["up", "full", "drain", "leaving", "unhealthy", "down"]]("state", "text")
    reason = _leaf[str]("reason", "text")
    weight = _leaf[int]("weight", "int")
    mtu = _leaf[int]("mtu", "int")
    drains_for = _leaf[int]("drains-for", "int")
    connections = _leaf[int]("connections", "int")
    connections_total = _leaf[int]("connections-total", "int64")
    packets = _leaf[int]("packets", "int64")
    bytes = _leaf[int]("bytes", "int64")
    back_packets = _leaf[int]("back-packets", "int64")
    back_bytes = _leaf[int]("back-bytes", "int64")


LbServiceState = TypedDict("LbServiceState", {
    "name": str,
    "mode": str,
    "scheduler": str,
    "without-entry": bool,
    "backend": List[LbServiceStateBackend],
}, total=False)


class LbServiceStatePath(Container[LbServiceState]):
    """Services, and how their servers are."""

    name = _leaf[str]("name", "text")
    mode = _leaf[str]("mode", "text")
    scheduler = _leaf[str]("scheduler", "text")
    without_entry = _leaf[bool]("without-entry", "bool")
    backend = _entries[LbServiceStateBackendPath, LbServiceStateBackend]("backend", LbServiceStateBackendPath, "name")


Lb = TypedDict("Lb", {
    "max": int,
    "seed": int,
    "interface": List[str],
    "service": List[LbService],
    "connections": int,
    "counters": LbCounters,
    "service-state": List[LbServiceState],
}, total=False)


class LbPath(Container[Lb]):
    """Services: addresses and ports that several servers stand behind. The interfaces have to be a
    router's."""

    max = _leaf[int]("max", "int")
    seed = _leaf[int]("seed", "int64")
    interface = _leaf[List[str]]("interface", "*text")
    service = _entries[LbServicePath, LbService]("service", LbServicePath, "name")
    connections = _leaf[int]("connections", "int")
    counters = _container("counters", LbCountersPath)
    service_state = _entries[LbServiceStatePath, LbServiceState]("service-state", LbServiceStatePath, "name")


NatLog = TypedDict("NatLog", {
    "file": str,
    "size": int,
    "keep": int,
    "syslog": str,
    "syslog-port": int,
}, total=False)


class NatLogPath(Container[NatLog]):
    """Where it is written down who had which outside address and ports, and when: blocks of ports as they
    are given and returned, and mappings of instances that ask for it. Destinations are not written
    (RFC 6888, REQ-12). 'millrace nat who' reads it."""

    file = _leaf[str]("file", "text")
    size = _leaf[int]("size", "int64")
    keep = _leaf[int]("keep", "int")
    syslog = _leaf[str]("syslog", "text")
    syslog_port = _leaf[int]("syslog-port", "int")


NatInstanceBlock = TypedDict("NatInstanceBlock", {
    "size": int,
    "max": int,
    "linger": int,
}, total=False)


class NatInstanceBlockPath(Container[NatInstanceBlock]):
    """Inside addresses get whole blocks of ports, of all protocols, and ports of these alone: a line in
    the log for each block instead of one for each mapping (RFC 6888, REQ-14)."""

    size = _leaf[int]("size", "int")
    max = _leaf[int]("max", "int")
    linger = _leaf[int]("linger", "int")


NatInstanceDeterministic = TypedDict("NatInstanceDeterministic", {
    "inside": str,
}, total=False)


class NatInstanceDeterministicPath(Container[NatInstanceDeterministic]):
    """An inside address has always the same outside address and range of ports: they follow from its place
    in `inside`, and nothing needs to be logged (RFC 7422). The first addresses share the first of
    the pool, each as many ports as all."""

    inside = _leaf[str]("inside", "text")


NatInstancePcp = TypedDict("NatInstancePcp", {
    "enabled": bool,
    "nat-pmp": bool,
    "lifetime-min": int,
    "lifetime-max": int,
}, total=False)


class NatInstancePcpPath(Container[NatInstancePcp]):
    """Inside hosts may ask for mappings: Port Control Protocol (RFC 6887) and NAT-PMP, at UDP port 5351 of
    the router's addresses on `inside`, and of 192.0.0.9 (RFC 7723)."""

    enabled = _leaf[bool]("enabled", "bool")
    nat_pmp = _leaf[bool]("nat-pmp", "bool")
    lifetime_min = _leaf[int]("lifetime-min", "int")
    lifetime_max = _leaf[int]("lifetime-max", "int")


NatInstanceTimeouts = TypedDict("NatInstanceTimeouts", {
    "udp": int,
    "icmp": int,
    "tcp-established": int,
    "tcp-transitory": int,
}, total=False)


class NatInstanceTimeoutsPath(Container[NatInstanceTimeouts]):
    """How long mappings and sessions stay without packets."""

    udp = _leaf[int]("udp", "int")
    icmp = _leaf[int]("icmp", "int")
    tcp_established = _leaf[int]("tcp-established", "int")
    tcp_transitory = _leaf[int]("tcp-transitory", "int")


NatInstanceLimits = TypedDict("NatInstanceLimits", {
    "tcp": int,
    "udp": int,
    "icmp": int,
    "sessions": int,
    "rate": int,
    "subscribers": int,
}, total=False)


class NatInstanceLimitsPath(Container[NatInstanceLimits]):
    """What one inside address may have at once (RFC 6888, REQ-4 and REQ-5)."""

    tcp = _leaf[int]("tcp", "int")
    udp = _leaf[int]("udp", "int")
    icmp = _leaf[int]("icmp", "int")
    sessions = _leaf[int]("sessions", "int")
    rate = _leaf[int]("rate", "int")
    subscribers = _leaf[int]("subscribers", "int")


NatInstanceStatic = TypedDict("NatInstanceStatic", {
    "name": str,
    "outside": str,
    "inside": str,
}, total=False)


class NatInstanceStaticPath(Container[NatInstanceStatic]):
    """An outside address for an inside one, whole: all protocols, both directions, open to everybody."""

    name = _leaf[str]("name", "text")
    outside = _leaf[str]("outside", "text")
    inside = _leaf[str]("inside", "text")


NatInstanceForward = TypedDict("NatInstanceForward", {
    "name": str,
    "protocol": Literal["tcp", "udp"],
    "outside": str,
    "port": str,
    "to": str,
    "to-port": int,
}, total=False)


class NatInstanceForwardPath(Container[NatInstanceForward]):
    """Ports of an outside address that lead to an inside one, open to everybody."""

    name = _leaf[str]("name", "text")
    protocol = _leaf[Literal["tcp", "udp"]]("protocol", "text")
    outside = _leaf[str]("outside", "text")
    port = _leaf[str]("port", "text")
    to = _leaf[str]("to", "text")
    to_port = _leaf[int]("to-port", "int")


NatInstance = TypedDict("NatInstance", {
    "name": str,
    "outside": List[str],
    "inside": List[str],
    "pool": List[str],
    "source": List[str],
    "exclude": List[str],
    "mapping": Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"],
    "filtering": Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"],
    "ports": str,
    "port-preservation": bool,
    "port-overloading": bool,
    "parity": bool,
    "paired": bool,
    "inbound-refresh": bool,
    "hold-syn": int,
    "quarantine": int,
    "alg": List[str],
    "quarantine-max": int,
    "log-mappings": bool,
    "block": NatInstanceBlock,
    "deterministic": NatInstanceDeterministic,
    "pcp": NatInstancePcp,
    "timeouts": NatInstanceTimeouts,
    "limits": NatInstanceLimits,
    "static": List[NatInstanceStatic],
    "forward": List[NatInstanceForward],
}, total=False)


class NatInstancePath(Container[NatInstance]):
    """A translator."""

    name = _leaf[str]("name", "text")
    outside = _leaf[List[str]]("outside", "*text")
    inside = _leaf[List[str]]("inside", "*text")
    pool = _leaf[List[str]]("pool", "*text")
    source = _leaf[List[str]]("source", "*text")
    exclude = _leaf[List[str]]("exclude", "*text")
    mapping = _leaf[Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]]("mapping", "text")
    filtering = _leaf[Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]]("filtering", "text")
    ports = _leaf[str]("ports", "text")
    port_preservation = _leaf[bool]("port-preservation", "bool")
    port_overloading = _leaf[bool]("port-overloading", "bool")
    parity = _leaf[bool]("parity", "bool")
    paired = _leaf[bool]("paired", "bool")
    inbound_refresh = _leaf[bool]("inbound-refresh", "bool")
    hold_syn = _leaf[int]("hold-syn", "int")
    quarantine = _leaf[int]("quarantine", "int")
    alg = _leaf[List[str]]("alg", "*text")
    quarantine_max = _leaf[int]("quarantine-max", "int")
    log_mappings = _leaf[bool]("log-mappings", "bool")
    block = _container("block", NatInstanceBlockPath)
    deterministic = _container("deterministic", NatInstanceDeterministicPath)
    pcp = _container("pcp", NatInstancePcpPath)
    timeouts = _container("timeouts", NatInstanceTimeoutsPath)
    limits = _container("limits", NatInstanceLimitsPath)
    static = _entries[NatInstanceStaticPath, NatInstanceStatic]("static", NatInstanceStaticPath, "name")
    forward = _entries[NatInstanceForwardPath, NatInstanceForward]("forward", NatInstanceForwardPath, "name")


NatLogState = TypedDict("NatLogState", {
    "written": int,
    "sent": int,
    "waiting": int,
    "lost": int,
    "files": int,
    "write-errors": int,
    "send-errors": int,
    "error": str,
}, total=False)


class NatLogStatePath(Container[NatLogState]):
    """The log."""

    written = _leaf[int]("written", "int64")
    sent = _leaf[int]("sent", "int64")
    waiting = _leaf[int]("waiting", "int64")
    lost = _leaf[int]("lost", "int64")
    files = _leaf[int]("files", "int64")
    write_errors = _leaf[int]("write-errors", "int64")
    send_errors = _leaf[int]("send-errors", "int64")
    error = _leaf[str]("error", "text")


NatInstanceStatePoolCounters = TypedDict("NatInstanceStatePoolCounters", {
    "taken": int,
    "no-port": int,
    "no-block": int,
    "subscriber-limit": int,
    "subscriber-rate": int,
    "no-subscriber": int,
    "given": int,
    "preserved": int,
    "parity-lost": int,
    "blocks-given": int,
    "blocks-returned": int,
    "session-limit": int,
    "quarantine-short": int,
}, total=False)


class NatInstanceStatePoolCountersPath(Container[NatInstanceStatePoolCounters]):
    """Of its outside ports, since there is this pool."""

    taken = _leaf[int]("taken", "int64")
    no_port = _leaf[int]("no-port", "int64")
    no_block = _leaf[int]("no-block", "int64")
    subscriber_limit = _leaf[int]("subscriber-limit", "int64")
    subscriber_rate = _leaf[int]("subscriber-rate", "int64")
    no_subscriber = _leaf[int]("no-subscriber", "int64")
    given = _leaf[int]("given", "int64")
    preserved = _leaf[int]("preserved", "int64")
    parity_lost = _leaf[int]("parity-lost", "int64")
    blocks_given = _leaf[int]("blocks-given", "int64")
    blocks_returned = _leaf[int]("blocks-returned", "int64")
    session_limit = _leaf[int]("session-limit", "int64")
    quarantine_short = _leaf[int]("quarantine-short", "int64")


NatInstanceStateCounters = TypedDict("NatInstanceStateCounters", {
    "created": int,
    "ended": int,
    "sessions-created": int,
    "sessions-ended": int,
    "flushed": int,
    "no-mapping": int,
    "filtered": int,
    "no-port": int,
    "no-block": int,
    "subscriber-limit": int,
    "subscriber-rate": int,
    "no-subscriber": int,
    "full": int,
    "protocol": int,
    "malformed": int,
    "shared": int,
    "hairpins": int,
    "icmp-errors": int,
    "pcp-requests": int,
    "pcp-refused": int,
    "leases": int,
}, total=False)


class NatInstanceStateCountersPath(Container[NatInstanceStateCounters]):
    """Since the start."""

    created = _leaf[int]("created", "int64")
    ended = _leaf[int]("ended", "int64")
    sessions_created = _leaf[int]("sessions-created", "int64")
    sessions_ended = _leaf[int]("sessions-ended", "int64")
    flushed = _leaf[int]("flushed", "int64")
    no_mapping = _leaf[int]("no-mapping", "int64")
    filtered = _leaf[int]("filtered", "int64")
    no_port = _leaf[int]("no-port", "int64")
    no_block = _leaf[int]("no-block", "int64")
    subscriber_limit = _leaf[int]("subscriber-limit", "int64")
    subscriber_rate = _leaf[int]("subscriber-rate", "int64")
    no_subscriber = _leaf[int]("no-subscriber", "int64")
    full = _leaf[int]("full", "int64")
    protocol = _leaf[int]("protocol", "int64")
    malformed = _leaf[int]("malformed", "int64")
    shared = _leaf[int]("shared", "int64")
    hairpins = _leaf[int]("hairpins", "int64")
    icmp_errors = _leaf[int]("icmp-errors", "int64")
    pcp_requests = _leaf[int]("pcp-requests", "int64")
    pcp_refused = _leaf[int]("pcp-refused", "int64")
    leases = _leaf[int]("leases", "int64")


NatInstanceState = TypedDict("NatInstanceState", {
    "name": str,
    "mappings": int,
    "sessions": int,
    "addresses": int,
    "subscribers": int,
    "tcp-ports": int,
    "udp-ports": int,
    "icmp-identifiers": int,
    "ports": int,
    "blocks": int,
    "blocks-used": int,
    "quarantined": int,
    "pool-counters": NatInstanceStatePoolCounters,
    "counters": NatInstanceStateCounters,
}, total=False)


class NatInstanceStatePath(Container[NatInstanceState]):
    """What happened in each instance."""

    name = _leaf[str]("name", "text")
    mappings = _leaf[int]("mappings", "int")
    sessions = _leaf[int]("sessions", "int")
    addresses = _leaf[int]("addresses", "int")
    subscribers = _leaf[int]("subscribers", "int")
    tcp_ports = _leaf[int]("tcp-ports", "int64")
    udp_ports = _leaf[int]("udp-ports", "int64")
    icmp_identifiers = _leaf[int]("icmp-identifiers", "int64")
    ports = _leaf[int]("ports", "int64")
    blocks = _leaf[int]("blocks", "int")
    blocks_used = _leaf[int]("blocks-used", "int")
    quarantined = _leaf[int]("quarantined", "int64")
    pool_counters = _container("pool-counters", NatInstanceStatePoolCountersPath)
    counters = _container("counters", NatInstanceStateCountersPath)


Nat = TypedDict("Nat", {
    "max": int,
    "log": NatLog,
    "instance": List[NatInstance],
    "entries": int,
    "highest": int,
    "log-state": NatLogState,
    "instance-state": List[NatInstanceState],
}, total=False)


class NatPath(Container[Nat]):
    """Address and port translation. Packets that leave by an outside interface get an outside source; what
    comes back gets its inside destination. Rules and connections see the inside's addresses."""

    max = _leaf[int]("max", "int")
    log = _container("log", NatLogPath)
    instance = _entries[NatInstancePath, NatInstance]("instance", NatInstancePath, "name")
    entries = _leaf[int]("entries", "int")
    highest = _leaf[int]("highest", "int")
    log_state = _container("log-state", NatLogStatePath)
    instance_state = _entries[NatInstanceStatePath, NatInstanceState]("instance-state", NatInstanceStatePath, "name")


Nat64InstanceTimeouts = TypedDict("Nat64InstanceTimeouts", {
    "udp": int,
    "icmp": int,
    "tcp-established": int,
    "tcp-transitory": int,
    "tcp-incoming-syn": int,
}, total=False)


class Nat64InstanceTimeoutsPath(Container[Nat64InstanceTimeouts]):
    """After how many quiet seconds a session ends."""

    udp = _leaf[int]("udp", "int")
    icmp = _leaf[int]("icmp", "int")
    tcp_established = _leaf[int]("tcp-established", "int")
    tcp_transitory = _leaf[int]("tcp-transitory", "int")
    tcp_incoming_syn = _leaf[int]("tcp-incoming-syn", "int")


Nat64Instance = TypedDict("Nat64Instance", {
    "name": str,
    "inside": List[str],
    "outside": List[str],
    "prefix": str,
    "pool": List[str],
    "ports": str,
    "filtering": Literal["endpoint-independent", "address-dependent"],
    "mtu": int,
    "fragment-above": int,
    "global-only": bool,
    "subscriber-ports": int,
    "subscriber-sessions": int,
    "timeouts": Nat64InstanceTimeouts,
}, total=False)


class Nat64InstancePath(Container[Nat64Instance]):
    """A translator."""

    name = _leaf[str]("name", "text")
    inside = _leaf[List[str]]("inside", "*text")
    outside = _leaf[List[str]]("outside", "*text")
    prefix = _leaf[str]("prefix", "text")
    pool = _leaf[List[str]]("pool", "*text")
    ports = _leaf[str]("ports", "text")
    filtering = _leaf[Literal["endpoint-independent", "address-dependent"]]("filtering", "text")
    mtu = _leaf[int]("mtu", "int")
    fragment_above = _leaf[int]("fragment-above", "int")
    global_only = _leaf[bool]("global-only", "bool")
    subscriber_ports = _leaf[int]("subscriber-ports", "int")
    subscriber_sessions = _leaf[int]("subscriber-sessions", "int")
    timeouts = _container("timeouts", Nat64InstanceTimeoutsPath)


Nat64InstanceStatePorts = TypedDict("Nat64InstanceStatePorts", {
    "tcp": str,
    "udp": str,
    "icmp": str,
}, total=False)


class Nat64InstanceStatePortsPath(Container[Nat64InstanceStatePorts]):
    """Ports in use, and how many there are."""

    tcp = _leaf[str]("tcp", "text")
    udp = _leaf[str]("udp", "text")
    icmp = _leaf[str]("icmp", "text")


Nat64InstanceStateCounters = TypedDict("Nat64InstanceStateCounters", {
    "bindings-created": int,
    "bindings-ended": int,
    "sessions-created": int,
    "sessions-ended": int,
    "no-port": int,
    "no-block": int,
    "subscriber-limit": int,
    "subscriber-rate": int,
    "no-subscriber": int,
    "full": int,
}, total=False)


class Nat64InstanceStateCountersPath(Container[Nat64InstanceStateCounters]):
    """Since the start of the process."""

    bindings_created = _leaf[int]("bindings-created", "int64")
    bindings_ended = _leaf[int]("bindings-ended", "int64")
    sessions_created = _leaf[int]("sessions-created", "int64")
    sessions_ended = _leaf[int]("sessions-ended", "int64")
    no_port = _leaf[int]("no-port", "int64")
    no_block = _leaf[int]("no-block", "int64")
    subscriber_limit = _leaf[int]("subscriber-limit", "int64")
    subscriber_rate = _leaf[int]("subscriber-rate", "int64")
    no_subscriber = _leaf[int]("no-subscriber", "int64")
    full = _leaf[int]("full", "int64")


Nat64InstanceState = TypedDict("Nat64InstanceState", {
    "name": str,
    "prefix": str,
    "bindings": int,
    "sessions": int,
    "addresses": int,
    "subscribers": int,
    "ports": Nat64InstanceStatePorts,
    "counters": Nat64InstanceStateCounters,
}, total=False)


class Nat64InstanceStatePath(Container[Nat64InstanceState]):
    """What an instance has now."""

    name = _leaf[str]("name", "text")
    prefix = _leaf[str]("prefix", "text")
    bindings = _leaf[int]("bindings", "int")
    sessions = _leaf[int]("sessions", "int")
    addresses = _leaf[int]("addresses", "int")
    subscribers = _leaf[int]("subscribers", "int")
    ports = _container("ports", Nat64InstanceStatePortsPath)
    counters = _container("counters", Nat64InstanceStateCountersPath)


Nat64InterfaceState = TypedDict("Nat64InterfaceState", {
    "name": str,
    "outward": int,
    "inward": int,
    "sessions": int,
    "hairpins": int,
    "icmp-errors": int,
    "fragments": int,
    "fragments-waited": int,
    "cut": int,
    "answered": int,
}, total=False)


class Nat64InterfaceStatePath(Container[Nat64InterfaceState]):
    """What was done at one interface."""

    name = _leaf[str]("name", "text")
    outward = _leaf[int]("outward", "int64")
    inward = _leaf[int]("inward", "int64")
    sessions = _leaf[int]("sessions", "int64")
    hairpins = _leaf[int]("hairpins", "int64")
    icmp_errors = _leaf[int]("icmp-errors", "int64")
    fragments = _leaf[int]("fragments", "int64")
    fragments_waited = _leaf[int]("fragments-waited", "int64")
    cut = _leaf[int]("cut", "int64")
    answered = _leaf[int]("answered", "int64")


Nat64 = TypedDict("Nat64", {
    "max": int,
    "instance": List[Nat64Instance],
    "instance-state": List[Nat64InstanceState],
    "interface-state": List[Nat64InterfaceState],
}, total=False)


class Nat64Path(Container[Nat64]):
    """Translators between families."""

    max = _leaf[int]("max", "int")
    instance = _entries[Nat64InstancePath, Nat64Instance]("instance", Nat64InstancePath, "name")
    instance_state = _entries[Nat64InstanceStatePath, Nat64InstanceState]("instance-state", Nat64InstanceStatePath, "name")
    interface_state = _entries[Nat64InterfaceStatePath, Nat64InterfaceState]("interface-state", Nat64InterfaceStatePath, "name")


Nptv6Instance = TypedDict("Nptv6Instance", {
    "name": str,
    "outside": List[str],
    "inside": List[str],
    "inside-prefix": str,
    "outside-prefix": str,
}, total=False)


class Nptv6InstancePath(Container[Nptv6Instance]):
    """A prefix of the inside and the one that stands for it outside."""

    name = _leaf[str]("name", "text")
    outside = _leaf[List[str]]("outside", "*text")
    inside = _leaf[List[str]]("inside", "*text")
    inside_prefix = _leaf[str]("inside-prefix", "text")
    outside_prefix = _leaf[str]("outside-prefix", "text")


Nptv6InstanceState = TypedDict("Nptv6InstanceState", {
    "name": str,
    "inside-prefix": str,
    "outside-prefix": str,
}, total=False)


class Nptv6InstanceStatePath(Container[Nptv6InstanceState]):
    """What is in use."""

    name = _leaf[str]("name", "text")
    inside_prefix = _leaf[str]("inside-prefix", "text")
    outside_prefix = _leaf[str]("outside-prefix", "text")


Nptv6InterfaceState = TypedDict("Nptv6InterfaceState", {
    "name": str,
    "outward": int,
    "inward": int,
    "hairpins": int,
    "icmp-errors": int,
}, total=False)


class Nptv6InterfaceStatePath(Container[Nptv6InterfaceState]):
    """What was translated at one interface."""

    name = _leaf[str]("name", "text")
    outward = _leaf[int]("outward", "int64")
    inward = _leaf[int]("inward", "int64")
    hairpins = _leaf[int]("hairpins", "int64")
    icmp_errors = _leaf[int]("icmp-errors", "int64")


Nptv6 = TypedDict("Nptv6", {
    "instance": List[Nptv6Instance],
    "instance-state": List[Nptv6InstanceState],
    "interface-state": List[Nptv6InterfaceState],
}, total=False)


class Nptv6Path(Container[Nptv6]):
    """Prefixes that are others outside."""

    instance = _entries[Nptv6InstancePath, Nptv6Instance]("instance", Nptv6InstancePath, "name")
    instance_state = _entries[Nptv6InstanceStatePath, Nptv6InstanceState]("instance-state", Nptv6InstanceStatePath, "name")
    interface_state = _entries[Nptv6InterfaceStatePath, Nptv6InterfaceState]("interface-state", Nptv6InterfaceStatePath, "name")


RouterInterfaceCurrentAddress = TypedDict("RouterInterfaceCurrentAddress", {
    "address": str,
    "origin": Literal["configured", "link-local", "kernel"],
    "state": Literal["preferred", "tentative", "duplicate"],
}, total=False)


class RouterInterfaceCurrentAddressPath(Container[RouterInterfaceCurrentAddress]):
    """The addresses in force."""

    address = _leaf[str]("address", "text")
    origin = _leaf[Literal["configured", "link-local", "kernel"]]("origin", "text")
    state = _leaf[Literal["preferred", "tentative", "duplicate"]]("state", "text")


RouterInterfaceNeighborRouterAdvertisement = TypedDict("RouterInterfaceNeighborRouterAdvertisement", {
    "enabled": bool,
    "max-interval": int,
    "min-interval": int,
    "lifetime": int,
    "preference": Literal["low", "medium", "high"],
    "hop-limit": int,
    "managed": bool,
    "other": bool,
    "mtu": bool,
    "reachable-time": int,
    "retransmit-time": int,
    "prefixes": bool,
    "on-link": bool,
    "autonomous": bool,
    "valid-lifetime": int,
    "preferred-lifetime": int,
    "dns": List[str],
    "search": List[str],
    "dns-lifetime": int,
}, total=False)


class RouterInterfaceNeighborRouterAdvertisementPath(Container[RouterInterfaceNeighborRouterAdvertisement]):
    """Telling hosts of this router and their prefixes (RFC 4861, 6.2)."""

    enabled = _leaf[bool]("enabled", "bool")
    max_interval = _leaf[int]("max-interval", "int")
    min_interval = _leaf[int]("min-interval", "int")
    lifetime = _leaf[int]("lifetime", "int")
    preference = _leaf[Literal["low", "medium", "high"]]("preference", "text")
    hop_limit = _leaf[int]("hop-limit", "int")
    managed = _leaf[bool]("managed", "bool")
    other = _leaf[bool]("other", "bool")
    mtu = _leaf[bool]("mtu", "bool")
    reachable_time = _leaf[int]("reachable-time", "int")
    retransmit_time = _leaf[int]("retransmit-time", "int")
    prefixes = _leaf[bool]("prefixes", "bool")
    on_link = _leaf[bool]("on-link", "bool")
    autonomous = _leaf[bool]("autonomous", "bool")
    valid_lifetime = _leaf[int]("valid-lifetime", "int")
    preferred_lifetime = _leaf[int]("preferred-lifetime", "int")
    dns = _leaf[List[str]]("dns", "*text")
    search = _leaf[List[str]]("search", "*text")
    dns_lifetime = _leaf[int]("dns-lifetime", "int")


RouterInterfaceNeighbor = TypedDict("RouterInterfaceNeighbor", {
    "proxy": bool,
    "duplicate-detection": bool,
    "gratuitous": Literal["update", "learn", "ignore"],
    "router-advertisement": RouterInterfaceNeighborRouterAdvertisement,
}, total=False)


class RouterInterfaceNeighborPath(Container[RouterInterfaceNeighbor]):
    """ARP, neighbour discovery and router advertisements here."""

    proxy = _leaf[bool]("proxy", "bool")
    duplicate_detection = _leaf[bool]("duplicate-detection", "bool")
    gratuitous = _leaf[Literal["update", "learn", "ignore"]]("gratuitous", "text")
    router_advertisement = _container("router-advertisement", RouterInterfaceNeighborRouterAdvertisementPath)


RouterInterface = TypedDict("RouterInterface", {
    "name": str,
    "parent": str,
    "vlan": int,
    "loopback": bool,
    "unnumbered": str,
    "address": List[str],
    "mtu": int,
    "mac": str,
    "ipv6": bool,
    "reverse-path4": Literal["off", "loose", "strict"],
    "reverse-path6": Literal["off", "loose", "strict"],
    "clamp-mss": bool,
    "clamp-mss4": int,
    "clamp-mss6": int,
    "redirects": bool,
    "unreachables": bool,
    "directed-broadcasts": bool,
    "state": Literal["up", "down"],
    "current-mac": str,
    "current-mtu": int,
    "index": int,
    "current-address": List[RouterInterfaceCurrentAddress],
    "host": bool,
    "neighbor": RouterInterfaceNeighbor,
}, total=False)


class RouterInterfacePath(Container[RouterInterface]):
    """An interface that routes: one of the data plane's by its name, a VLAN of one, or a loopback."""

    name = _leaf[str]("name", "text")
    parent = _leaf[str]("parent", "text")
    vlan = _leaf[int]("vlan", "int")
    loopback = _leaf[bool]("loopback", "bool")
    unnumbered = _leaf[str]("unnumbered", "text")
    address = _leaf[List[str]]("address", "*text")
    mtu = _leaf[int]("mtu", "int")
    mac = _leaf[str]("mac", "text")
    ipv6 = _leaf[bool]("ipv6", "bool")
    reverse_path4 = _leaf[Literal["off", "loose", "strict"]]("reverse-path4", "text")
    reverse_path6 = _leaf[Literal["off", "loose", "strict"]]("reverse-path6", "text")
    clamp_mss = _leaf[bool]("clamp-mss", "bool")
    clamp_mss4 = _leaf[int]("clamp-mss4", "int")
    clamp_mss6 = _leaf[int]("clamp-mss6", "int")
    redirects = _leaf[bool]("redirects", "bool")
    unreachables = _leaf[bool]("unreachables", "bool")
    directed_broadcasts = _leaf[bool]("directed-broadcasts", "bool")
    state = _leaf[Literal["up", "down"]]("state", "text")
    current_mac = _leaf[str]("current-mac", "text")
    current_mtu = _leaf[int]("current-mtu", "int")
    index = _leaf[int]("index", "int")
    current_address = _entries[RouterInterfaceCurrentAddressPath, RouterInterfaceCurrentAddress]("current-address", RouterInterfaceCurrentAddressPath, "address")
    host = _leaf[bool]("host", "bool", "millrace-host")
    neighbor = _container("neighbor", RouterInterfaceNeighborPath, "millrace-neighbor")


RouterRouteNextHop = TypedDict("RouterRouteNextHop", {
    "name": str,
    "via": str,
    "interface": str,
    "weight": int,
    "onlink": bool,
}, total=False)


class RouterRouteNextHopPath(Container[RouterRouteNextHop]):
    """Next hops that need more said."""

    name = _leaf[str]("name", "text")
    via = _leaf[str]("via", "text")
    interface = _leaf[str]("interface", "text")
    weight = _leaf[int]("weight", "int")
    onlink = _leaf[bool]("onlink", "bool")


RouterRoute = TypedDict("RouterRoute", {
    "prefix": str,
    "via": List[str],
    "interface": str,
    "next-hop": List[RouterRouteNextHop],
    "action": Literal["forward", "blackhole", "unreachable", "prohibit"],
    "metric": int,
}, total=False)


class RouterRoutePath(Container[RouterRoute]):
    """A static route: `via` addresses, `interface`, or `action`. With several next hops, flows are spread
    over them."""

    prefix = _leaf[str]("prefix", "text")
    via = _leaf[List[str]]("via", "*text")
    interface = _leaf[str]("interface", "text")
    next_hop = _entries[RouterRouteNextHopPath, RouterRouteNextHop]("next-hop", RouterRouteNextHopPath, "name")
    action = _leaf[Literal["forward", "blackhole", "unreachable", "prohibit"]]("action", "text")
    metric = _leaf[int]("metric", "int")


RouterFib = TypedDict("RouterFib", {
    "ipv4-prefixes": int,
    "ipv4-bytes": int,
    "ipv6-prefixes": int,
    "ipv6-bytes": int,
}, total=False)


class RouterFibPath(Container[RouterFib]):
    """The look-up tables."""

    ipv4_prefixes = _leaf[int]("ipv4-prefixes", "int")
    ipv4_bytes = _leaf[int]("ipv4-bytes", "int64")
    ipv6_prefixes = _leaf[int]("ipv6-prefixes", "int")
    ipv6_bytes = _leaf[int]("ipv6-bytes", "int64")


RouterRoutes = TypedDict("RouterRoutes", {
    "source": str,
    "ipv4": int,
    "ipv6": int,
}, total=False)


class RouterRoutesPath(Container[RouterRoutes]):
    """How many routes came from where."""

    source = _leaf[str]("source", "text")
    ipv4 = _leaf[int]("ipv4", "int")
    ipv6 = _leaf[int]("ipv6", "int")


RouterFpmChanges = TypedDict("RouterFpmChanges", {
    "added": int,
    "replaced": int,
    "removed": int,
    "renewed": int,
    "swept": int,
    "unknown": int,
    "refused": int,
}, total=False)


class RouterFpmChangesPath(Container[RouterFpmChanges]):
    """What became of the routes that came."""

    added = _leaf[int]("added", "int64")
    replaced = _leaf[int]("replaced", "int64")
    removed = _leaf[int]("removed", "int64")
    renewed = _leaf[int]("renewed", "int64")
    swept = _leaf[int]("swept", "int64")
    unknown = _leaf[int]("unknown", "int64")
    refused = _leaf[int]("refused", "int64")


RouterFpmMessages = TypedDict("RouterFpmMessages", {
    "frames": int,
    "total": int,
    "routes": int,
    "next-hops": int,
    "other": int,
    "of-other-tables": int,
    "connected": int,
    "unsupported": int,
}, total=False)


class RouterFpmMessagesPath(Container[RouterFpmMessages]):
    """What came over the connections."""

    frames = _leaf[int]("frames", "int64")
    total = _leaf[int]("total", "int64")
    routes = _leaf[int]("routes", "int64")
    next_hops = _leaf[int]("next-hops", "int64")
    other = _leaf[int]("other", "int64")
    of_other_tables = _leaf[int]("of-other-tables", "int64")
    connected = _leaf[int]("connected", "int64")
    unsupported = _leaf[int]("unsupported", "int64")


RouterFpmError = TypedDict("RouterFpmError", {
    "name": str,
    "count": int,
}, total=False)


class RouterFpmErrorPath(Container[RouterFpmError]):
    """Messages that were wrong; each ended its connection."""

    name = _leaf[str]("name", "text")
    count = _leaf[int]("count", "int64")


RouterFpmConnections = TypedDict("RouterFpmConnections", {
    "accepted": int,
    "closed": int,
    "hung-up": int,
    "failed": int,
    "wrong": int,
    "replaced": int,
}, total=False)


class RouterFpmConnectionsPath(Container[RouterFpmConnections]):
    """How they began and ended."""

    accepted = _leaf[int]("accepted", "int64")
    closed = _leaf[int]("closed", "int64")
    hung_up = _leaf[int]("hung-up", "int64")
    failed = _leaf[int]("failed", "int64")
    wrong = _leaf[int]("wrong", "int64")
    replaced = _leaf[int]("replaced", "int64")


RouterFpm = TypedDict("RouterFpm", {
    "listen": str,
    "port": str,
    "table": int,
    "stale-time": int,
    "hold-time": int,
    "state": Literal["connected", "listening", "down"],
    "peer": str,
    "connected-for": int,
    "routes": int,
    "imported": int,
    "foreign": int,
    "stale": int,
    "next-hop-objects": int,
    "changes": RouterFpmChanges,
    "messages": RouterFpmMessages,
    "error": List[RouterFpmError],
    "connections": RouterFpmConnections,
    "last-error": str,
}, total=False)


class RouterFpmPath(Container[RouterFpm]):
    """A server for FRR's zebra with the module dplane_fpm_nl, in the namespace of the router's host side,
    or in that of this process when it has none."""

    listen = _leaf[str]("listen", "text")
    port = _leaf[str]("port", "text")
    table = _leaf[int]("table", "int")
    stale_time = _leaf[int]("stale-time", "int")
    hold_time = _leaf[int]("hold-time", "int")
    state = _leaf[Literal["connected", "listening", "down"]]("state", "text")
    peer = _leaf[str]("peer", "text")
    connected_for = _leaf[int]("connected-for", "int64")
    routes = _leaf[int]("routes", "int")
    imported = _leaf[int]("imported", "int")
    foreign = _leaf[int]("foreign", "int")
    stale = _leaf[int]("stale", "int")
    next_hop_objects = _leaf[int]("next-hop-objects", "int")
    changes = _container("changes", RouterFpmChangesPath)
    messages = _container("messages", RouterFpmMessagesPath)
    error = _entries[RouterFpmErrorPath, RouterFpmError]("error", RouterFpmErrorPath, "name")
    connections = _container("connections", RouterFpmConnectionsPath)
    last_error = _leaf[str]("last-error", "text")


RouterHostPunt = TypedDict("RouterHostPunt", {
    "class": Literal["bgp", "bgp-new", "bfd", "ospf", "isis", "ldp", "rip", "pim", "igmp", "vrrp", "dhcp", "ssh", "ssh-new", "snmp", "ntp", "dns", "arp", "nd", "echo", "icmp-error", "icmp-other", "traceroute", "options", "tcp", "tcp-new", "udp", "other", "fragments", "lldp", "l2"],
    "rate": int,
    "burst": int,
    "allow": List[str],
}, total=False)


class RouterHostPuntPath(Container[RouterHostPunt]):
    """Limits for a class of packets to the router itself."""

    class_ = _leaf[Literal["bgp", "bgp-new", "bfd", "ospf", "isis", "ldp", "rip", "pim", "igmp", "vrrp", "dhcp", "ssh", "ssh-new", "snmp", "ntp", "dns", "arp", "nd", "echo", "icmp-error", "icmp-other", "traceroute", "options", "tcp", "tcp-new", "udp", "other", "fragments", "lldp", "l2"]]("class", "text")
    rate = _leaf[int]("rate", "int64")
    burst = _leaf[int]("burst", "int")
    allow = _leaf[List[str]]("allow", "*text")


RouterHostTwin = TypedDict("RouterHostTwin", {
    "name": str,
    "state": Literal["up", "down", "gone"],
    "index": int,
    "to-host": int,
    "from-host": int,
    "errors": int,
    "address": List[str],
    "kernel-address": List[str],
}, total=False)


class RouterHostTwinPath(Container[RouterHostTwin]):
    """The kernel's ends of interfaces; lo for all loopbacks."""

    name = _leaf[str]("name", "text")
    state = _leaf[Literal["up", "down", "gone"]]("state", "text")
    index = _leaf[int]("index", "int")
    to_host = _leaf[int]("to-host", "int64")
    from_host = _leaf[int]("from-host", "int64")
    errors = _leaf[int]("errors", "int64")
    address = _leaf[List[str]]("address", "*text")
    kernel_address = _leaf[List[str]]("kernel-address", "*text")


RouterHostClass = TypedDict("RouterHostClass", {
    "name": str,
    "rate": int,
    "burst": int,
    "packets": int,
    "bytes": int,
    "limited": int,
    "refused": int,
}, total=False)


class RouterHostClassPath(Container[RouterHostClass]):
    """What came for the router itself."""

    name = _leaf[str]("name", "text")
    rate = _leaf[int]("rate", "int64")
    burst = _leaf[int]("burst", "int")
    packets = _leaf[int]("packets", "int64")
    bytes = _leaf[int]("bytes", "int64")
    limited = _leaf[int]("limited", "int64")
    refused = _leaf[int]("refused", "int64")


RouterHost = TypedDict("RouterHost", {
    "namespace": str,
    "punt": List[RouterHostPunt],
    "current-namespace": str,
    "made": bool,
    "twin": List[RouterHostTwin],
    "class": List[RouterHostClass],
}, total=False)


class RouterHostPath(Container[RouterHost]):
    """The kernel of a network namespace plays the host of the router: every interface has a twin there,
    with its name, addresses and link state, for routing daemons, ping and ssh."""

    namespace = _leaf[str]("namespace", "text")
    punt = _entries[RouterHostPuntPath, RouterHostPunt]("punt", RouterHostPuntPath, "class")
    current_namespace = _leaf[str]("current-namespace", "text")
    made = _leaf[bool]("made", "bool")
    twin = _entries[RouterHostTwinPath, RouterHostTwin]("twin", RouterHostTwinPath, "name")
    class_ = _entries[RouterHostClassPath, RouterHostClass]("class", RouterHostClassPath, "name")


RouterIcmpErrors = TypedDict("RouterIcmpErrors", {
    "rate": int,
    "burst": int,
    "destination-rate": int,
    "destination-burst": int,
}, total=False)


class RouterIcmpErrorsPath(Container[RouterIcmpErrors]):
    """How many ICMP errors are sent (RFC 4443, 2.4 (f)). Which interfaces send any, their own leaf
    unreachables says."""

    rate = _leaf[int]("rate", "int64")
    burst = _leaf[int]("burst", "int")
    destination_rate = _leaf[int]("destination-rate", "int64")
    destination_burst = _leaf[int]("destination-burst", "int")


RouterIcmpRedirects = TypedDict("RouterIcmpRedirects", {
    "rate": int,
    "interval": int,
}, total=False)


class RouterIcmpRedirectsPath(Container[RouterIcmpRedirects]):
    """Telling hosts of a better first hop. Where this is done, an interface's own leaf redirects says."""

    rate = _leaf[int]("rate", "int64")
    interval = _leaf[int]("interval", "int")


RouterIcmpReassembly = TypedDict("RouterIcmpReassembly", {
    "datagrams": int,
    "buffers": int,
    "fragments": int,
    "source-buffers": int,
    "current-datagrams": int,
    "current-buffers": int,
}, total=False)


class RouterIcmpReassemblyPath(Container[RouterIcmpReassembly]):
    """Putting fragments together that are addressed to the router itself. Those of others are forwarded as
    they are."""

    datagrams = _leaf[int]("datagrams", "int")
    buffers = _leaf[int]("buffers", "int")
    fragments = _leaf[int]("fragments", "int")
    source_buffers = _leaf[int]("source-buffers", "int")
    current_datagrams = _leaf[int]("current-datagrams", "int")
    current_buffers = _leaf[int]("current-buffers", "int")


RouterIcmpCounters = TypedDict("RouterIcmpCounters", {
    "sent-unreachable4": int,
    "sent-too-big4": int,
    "sent-time-exceeded4": int,
    "sent-parameter-problem4": int,
    "sent-unreachable6": int,
    "sent-too-big6": int,
    "sent-time-exceeded6": int,
    "sent-parameter-problem6": int,
    "sent-redirect4": int,
    "sent-redirect6": int,
    "sent-echo-reply4": int,
    "sent-echo-reply6": int,
    "suppressed-icmp": int,
    "suppressed-group": int,
    "suppressed-fragment": int,
    "suppressed-source": int,
    "suppressed-own": int,
    "suppressed-malformed": int,
    "suppressed-interface": int,
    "suppressed-no-address": int,
    "limited-errors": int,
    "limited-destination": int,
    "limited-echo": int,
    "limited-redirects": int,
}, total=False)


class RouterIcmpCountersPath(Container[RouterIcmpCounters]):
    """Since the router was made."""

    sent_unreachable4 = _leaf[int]("sent-unreachable4", "int64")
    sent_too_big4 = _leaf[int]("sent-too-big4", "int64")
    sent_time_exceeded4 = _leaf[int]("sent-time-exceeded4", "int64")
    sent_parameter_problem4 = _leaf[int]("sent-parameter-problem4", "int64")
    sent_unreachable6 = _leaf[int]("sent-unreachable6", "int64")
    sent_too_big6 = _leaf[int]("sent-too-big6", "int64")
    sent_time_exceeded6 = _leaf[int]("sent-time-exceeded6", "int64")
    sent_parameter_problem6 = _leaf[int]("sent-parameter-problem6", "int64")
    sent_redirect4 = _leaf[int]("sent-redirect4", "int64")
    sent_redirect6 = _leaf[int]("sent-redirect6", "int64")
    sent_echo_reply4 = _leaf[int]("sent-echo-reply4", "int64")
    sent_echo_reply6 = _leaf[int]("sent-echo-reply6", "int64")
    suppressed_icmp = _leaf[int]("suppressed-icmp", "int64")
    suppressed_group = _leaf[int]("suppressed-group", "int64")
    suppressed_fragment = _leaf[int]("suppressed-fragment", "int64")
    suppressed_source = _leaf[int]("suppressed-source", "int64")
    suppressed_own = _leaf[int]("suppressed-own", "int64")
    suppressed_malformed = _leaf[int]("suppressed-malformed", "int64")
    suppressed_interface = _leaf[int]("suppressed-interface", "int64")
    suppressed_no_address = _leaf[int]("suppressed-no-address", "int64")
    limited_errors = _leaf[int]("limited-errors", "int64")
    limited_destination = _leaf[int]("limited-destination", "int64")
    limited_echo = _leaf[int]("limited-echo", "int64")
    limited_redirects = _leaf[int]("limited-redirects", "int64")


RouterIcmp = TypedDict("RouterIcmp", {
    "echo": bool,
    "echo-broadcast": bool,
    "echo-rate": int,
    "source-routes": bool,
    "router-alert": bool,
    "errors": RouterIcmpErrors,
    "redirects": RouterIcmpRedirects,
    "reassembly": RouterIcmpReassembly,
    "counters": RouterIcmpCounters,
}, total=False)


class RouterIcmpPath(Container[RouterIcmp]):
    """ICMP and ICMPv6: errors, redirects, echo; IPv4 options; reassembly of what is for the router itself."""

    echo = _leaf[bool]("echo", "bool")
    echo_broadcast = _leaf[bool]("echo-broadcast", "bool")
    echo_rate = _leaf[int]("echo-rate", "int64")
    source_routes = _leaf[bool]("source-routes", "bool")
    router_alert = _leaf[bool]("router-alert", "bool")
    errors = _container("errors", RouterIcmpErrorsPath)
    redirects = _container("redirects", RouterIcmpRedirectsPath)
    reassembly = _container("reassembly", RouterIcmpReassemblyPath)
    counters = _container("counters", RouterIcmpCountersPath)


RouterKernelChanges = TypedDict("RouterKernelChanges", {
    "added": int,
    "replaced": int,
    "removed": int,
    "renewed": int,
    "swept": int,
    "unknown": int,
    "refused": int,
}, total=False)


class RouterKernelChangesPath(Container[RouterKernelChanges]):
    """What became of the routes that were read."""

    added = _leaf[int]("added", "int64")
    replaced = _leaf[int]("replaced", "int64")
    removed = _leaf[int]("removed", "int64")
    renewed = _leaf[int]("renewed", "int64")
    swept = _leaf[int]("swept", "int64")
    unknown = _leaf[int]("unknown", "int64")
    refused = _leaf[int]("refused", "int64")


RouterKernelMessages = TypedDict("RouterKernelMessages", {
    "total": int,
    "loads": int,
    "overruns": int,
    "malformed": int,
    "of-other-tables": int,
    "own": int,
    "connected": int,
    "unsupported": int,
    "export-requests": int,
    "export-errors": int,
}, total=False)


class RouterKernelMessagesPath(Container[RouterKernelMessages]):
    """What the kernel said."""

    total = _leaf[int]("total", "int64")
    loads = _leaf[int]("loads", "int64")
    overruns = _leaf[int]("overruns", "int64")
    malformed = _leaf[int]("malformed", "int64")
    of_other_tables = _leaf[int]("of-other-tables", "int64")
    own = _leaf[int]("own", "int64")
    connected = _leaf[int]("connected", "int64")
    unsupported = _leaf[int]("unsupported", "int64")
    export_requests = _leaf[int]("export-requests", "int64")
    export_errors = _leaf[int]("export-errors", "int64")


RouterKernel = TypedDict("RouterKernel", {
    "import": bool,
    "export": bool,
    "table": int,
    "state": Literal["waiting", "loading", "following"],
    "namespace": str,
    "devices": int,
    "routes": int,
    "imported": int,
    "foreign": int,
    "stale": int,
    "next-hop-objects": int,
    "exported": int,
    "changes": RouterKernelChanges,
    "messages": RouterKernelMessages,
    "last-error": str,
}, total=False)


class RouterKernelPath(Container[RouterKernel]):
    """The kernel's routing table in the namespace of the router's host side: what BIRD, `ip route` or
    anything else puts there is followed. Without a host side there is nothing to follow."""

    import_ = _leaf[bool]("import", "bool")
    export = _leaf[bool]("export", "bool")
    table = _leaf[int]("table", "int")
    state = _leaf[Literal["waiting", "loading", "following"]]("state", "text")
    namespace = _leaf[str]("namespace", "text")
    devices = _leaf[int]("devices", "int")
    routes = _leaf[int]("routes", "int")
    imported = _leaf[int]("imported", "int")
    foreign = _leaf[int]("foreign", "int")
    stale = _leaf[int]("stale", "int")
    next_hop_objects = _leaf[int]("next-hop-objects", "int")
    exported = _leaf[int]("exported", "int")
    changes = _container("changes", RouterKernelChangesPath)
    messages = _container("messages", RouterKernelMessagesPath)
    last_error = _leaf[str]("last-error", "text")


RouterNeighborStatic = TypedDict("RouterNeighborStatic", {
    "address": str,
    "interface": str,
    "mac": str,
}, total=False)


class RouterNeighborStaticPath(Container[RouterNeighborStatic]):
    """Neighbours that are not asked for."""

    address = _leaf[str]("address", "text")
    interface = _leaf[str]("interface", "text")
    mac = _leaf[str]("mac", "text")


RouterNeighborEntry = TypedDict("RouterNeighborEntry", {
    "address": str,
    "interface": str,
    "mac": str,
    "state": Literal["incomplete", "reachable", "stale", "delay", "probe", "failed", "permanent"],
    "age": int,
    "confirmed": int,
    "uses": int,
    "probes": int,
    "waiting": int,
    "router": bool,
    "gateway": bool,
}, total=False)


class RouterNeighborEntryPath(Container[RouterNeighborEntry]):
    """The neighbours."""

    address = _leaf[str]("address", "text")
    interface = _leaf[str]("interface", "text")
    mac = _leaf[str]("mac", "text")
    state = _leaf[Literal["incomplete", "reachable", "stale", "delay", "probe", "failed", "permanent"]]("state", "text")
    age = _leaf[int]("age", "int")
    confirmed = _leaf[int]("confirmed", "int")
    uses = _leaf[int]("uses", "int64")
    probes = _leaf[int]("probes", "int64")
    waiting = _leaf[int]("waiting", "int")
    router = _leaf[bool]("router", "bool")
    gateway = _leaf[bool]("gateway", "bool")


RouterNeighborInterfaces = TypedDict("RouterNeighborInterfaces", {
    "name": str,
    "neighbors": int,
    "messages-heard": int,
    "solicitations-sent": int,
    "solicitations-limited": int,
    "proxy-answers": int,
    "announcements-sent": int,
    "resolved": int,
    "moved": int,
    "failed": int,
    "expired": int,
    "evicted": int,
    "refused": int,
    "packets-queued": int,
    "packets-released": int,
    "packets-overrun": int,
    "packets-unreachable": int,
    "packets-stray": int,
    "conflicts": int,
    "duplicates": int,
    "router-solicitations": int,
    "router-advertisements": int,
}, total=False)


class RouterNeighborInterfacesPath(Container[RouterNeighborInterfaces]):
    """Counters of the router's interfaces."""

    name = _leaf[str]("name", "text")
    neighbors = _leaf[int]("neighbors", "int")
    messages_heard = _leaf[int]("messages-heard", "int64")
    solicitations_sent = _leaf[int]("solicitations-sent", "int64")
    solicitations_limited = _leaf[int]("solicitations-limited", "int64")
    proxy_answers = _leaf[int]("proxy-answers", "int64")
    announcements_sent = _leaf[int]("announcements-sent", "int64")
    resolved = _leaf[int]("resolved", "int64")
    moved = _leaf[int]("moved", "int64")
    failed = _leaf[int]("failed", "int64")
    expired = _leaf[int]("expired", "int64")
    evicted = _leaf[int]("evicted", "int64")
    refused = _leaf[int]("refused", "int64")
    packets_queued = _leaf[int]("packets-queued", "int64")
    packets_released = _leaf[int]("packets-released", "int64")
    packets_overrun = _leaf[int]("packets-overrun", "int64")
    packets_unreachable = _leaf[int]("packets-unreachable", "int64")
    packets_stray = _leaf[int]("packets-stray", "int64")
    conflicts = _leaf[int]("conflicts", "int64")
    duplicates = _leaf[int]("duplicates", "int64")
    router_solicitations = _leaf[int]("router-solicitations", "int64")
    router_advertisements = _leaf[int]("router-advertisements", "int64")


RouterNeighbor = TypedDict("RouterNeighbor", {
    "reachable-time": int,
    "retransmit-time": int,
    "solicitations": int,
    "stale-time": int,
    "limit": int,
    "queue": int,
    "answers": int,
    "questions": int,
    "unresolved": int,
    "static": List[RouterNeighborStatic],
    "count": int,
    "entry": List[RouterNeighborEntry],
    "interfaces": List[RouterNeighborInterfaces],
}, total=False)


class RouterNeighborPath(Container[RouterNeighbor]):
    """Which Ethernet address has which next hop."""

    reachable_time = _leaf[int]("reachable-time", "int")
    retransmit_time = _leaf[int]("retransmit-time", "int")
    solicitations = _leaf[int]("solicitations", "int")
    stale_time = _leaf[int]("stale-time", "int")
    limit = _leaf[int]("limit", "int")
    queue = _leaf[int]("queue", "int")
    answers = _leaf[int]("answers", "int")
    questions = _leaf[int]("questions", "int")
    unresolved = _leaf[int]("unresolved", "int")
    static = _entries[RouterNeighborStaticPath, RouterNeighborStatic]("static", RouterNeighborStaticPath, "address")
    count = _leaf[int]("count", "int")
    entry = _entries[RouterNeighborEntryPath, RouterNeighborEntry]("entry", RouterNeighborEntryPath, "address interface")
    interfaces = _entries[RouterNeighborInterfacesPath, RouterNeighborInterfaces]("interfaces", RouterNeighborInterfacesPath, "name")


Router = TypedDict("Router", {
    "name": str,
    "interface": List[RouterInterface],
    "route": List[RouterRoute],
    "fib": RouterFib,
    "routes": List[RouterRoutes],
    "fpm": RouterFpm,
    "host": RouterHost,
    "icmp": RouterIcmp,
    "kernel": RouterKernel,
    "neighbor": RouterNeighbor,
}, total=False)


class RouterPath(Container[Router]):
    """A router with a routing table of its own (a VRF): its interfaces, their addresses and its static
    routes. Different routers may use the same addresses."""

    name = _leaf[str]("name", "text")
    interface = _entries[RouterInterfacePath, RouterInterface]("interface", RouterInterfacePath, "name")
    route = _entries[RouterRoutePath, RouterRoute]("route", RouterRoutePath, "prefix")
    fib = _container("fib", RouterFibPath)
    routes = _entries[RouterRoutesPath, RouterRoutes]("routes", RouterRoutesPath, "source")
    fpm = _container("fpm", RouterFpmPath, "millrace-fpm")
    host = _container("host", RouterHostPath, "millrace-host")
    icmp = _container("icmp", RouterIcmpPath, "millrace-icmp")
    kernel = _container("kernel", RouterKernelPath, "millrace-kernel")
    neighbor = _container("neighbor", RouterNeighborPath, "millrace-neighbor")


TunnelVxlan = TypedDict("TunnelVxlan", {
    "vni": int,
    "port": str,
}, total=False)


class TunnelVxlanPath(Container[TunnelVxlan]):
    """Ethernet frames in UDP (RFC 7348)."""

    vni = _leaf[int]("vni", "int")
    port = _leaf[str]("port", "text")


TunnelStatic = TypedDict("TunnelStatic", {
    "mac": str,
    "remote": str,
}, total=False)


class TunnelStaticPath(Container[TunnelStatic]):
    """Stations that are known without being heard."""

    mac = _leaf[str]("mac", "text")
    remote = _leaf[str]("remote", "text")


TunnelRemoteState = TypedDict("TunnelRemoteState", {
    "address": str,
    "reachable": bool,
    "path-mtu": int,
    "tx-packets": int,
    "tx-bytes": int,
    "rx-packets": int,
    "rx-bytes": int,
}, total=False)


class TunnelRemoteStatePath(Container[TunnelRemoteState]):
    """The way to a remote end, and what went through it."""

    address = _leaf[str]("address", "text")
    reachable = _leaf[bool]("reachable", "bool")
    path_mtu = _leaf[int]("path-mtu", "int")
    tx_packets = _leaf[int]("tx-packets", "int64")
    tx_bytes = _leaf[int]("tx-bytes", "int64")
    rx_packets = _leaf[int]("rx-packets", "int64")
    rx_bytes = _leaf[int]("rx-bytes", "int64")


TunnelFdb = TypedDict("TunnelFdb", {
    "mac": str,
    "remote": str,
    "static": bool,
    "age": int,
}, total=False)


class TunnelFdbPath(Container[TunnelFdb]):
    """The stations that are known."""

    mac = _leaf[str]("mac", "text")
    remote = _leaf[str]("remote", "text")
    static = _leaf[bool]("static", "bool")
    age = _leaf[int]("age", "int")


TunnelCounters = TypedDict("TunnelCounters", {
    "flooded": int,
    "copies": int,
    "lost-copies": int,
    "cut": int,
    "fragmented": int,
}, total=False)


class TunnelCountersPath(Container[TunnelCounters]):
    """What was special on the way out. Drops are in show drops."""

    flooded = _leaf[int]("flooded", "int64")
    copies = _leaf[int]("copies", "int64")
    lost_copies = _leaf[int]("lost-copies", "int64")
    cut = _leaf[int]("cut", "int64")
    fragmented = _leaf[int]("fragmented", "int64")


Tunnel = TypedDict("Tunnel", {
    "name": str,
    "router": str,
    "local": str,
    "remote": List[str],
    "vxlan": TunnelVxlan,
    "ttl": int,
    "dscp": Union[int, str],
    "fragment": bool,
    "udp-checksum": bool,
    "learning": bool,
    "ageing-time": int,
    "stations-max": int,
    "static": List[TunnelStatic],
    "trouble": str,
    "stations": int,
    "remote-state": List[TunnelRemoteState],
    "fdb": List[TunnelFdb],
    "counters": TunnelCounters,
}, total=False)


class TunnelPath(Container[Tunnel]):
    """What is sent on an interface of the driver tunnel, and where what arrives on it comes from."""

    name = _leaf[str]("name", "text")
    router = _leaf[str]("router", "text")
    local = _leaf[str]("local", "text")
    remote = _leaf[List[str]]("remote", "*text")
    vxlan = _container("vxlan", TunnelVxlanPath)
    ttl = _leaf[int]("ttl", "int")
    dscp = _leaf[Union[int, str]]("dscp", "any")
    fragment = _leaf[bool]("fragment", "bool")
    udp_checksum = _leaf[bool]("udp-checksum", "bool")
    learning = _leaf[bool]("learning", "bool")
    ageing_time = _leaf[int]("ageing-time", "int")
    stations_max = _leaf[int]("stations-max", "int")
    static = _entries[TunnelStaticPath, TunnelStatic]("static", TunnelStaticPath, "mac")
    trouble = _leaf[str]("trouble", "text")
    stations = _leaf[int]("stations", "int")
    remote_state = _entries[TunnelRemoteStatePath, TunnelRemoteState]("remote-state", TunnelRemoteStatePath, "address")
    fdb = _entries[TunnelFdbPath, TunnelFdb]("fdb", TunnelFdbPath, "mac")
    counters = _container("counters", TunnelCountersPath)


CommitsChanges = TypedDict("CommitsChanges", {
    "path": str,
    "op": Literal["create", "delete", "change", "move"],
    "old": str,
    "new": str,
}, total=False)


class CommitsChangesPath(Container[CommitsChanges]):
    """The first hundred of them."""

    path = _leaf[str]("path", "text")
    op = _leaf[Literal["create", "delete", "change", "move"]]("op", "text")
    old = _leaf[str]("old", "text")
    new = _leaf[str]("new", "text")


Commits = TypedDict("Commits", {
    "id": int,
    "when": int,
    "who": str,
    "comment": str,
    "origin": Literal["start", "file", "apply", "rollback", "expired"],
    "of": int,
    "state": Literal["confirmed", "pending", "unconfirmed"],
    "in-force": bool,
    "time-left": int,
    "kept": bool,
    "change-count": int,
    "changes": List[CommitsChanges],
}, total=False)


class CommitsPath(Container[Commits]):
    """Commits that are remembered."""

    id = _leaf[int]("id", "int")
    when = _leaf[int]("when", "int64")
    who = _leaf[str]("who", "text")
    comment = _leaf[str]("comment", "text")
    origin = _leaf[Literal["start", "file", "apply", "rollback", "expired"]]("origin", "text")
    of = _leaf[int]("of", "int")
    state = _leaf[Literal["confirmed", "pending", "unconfirmed"]]("state", "text")
    in_force = _leaf[bool]("in-force", "bool")
    time_left = _leaf[int]("time-left", "int64")
    kept = _leaf[bool]("kept", "bool")
    change_count = _leaf[int]("change-count", "int")
    changes = _entries[CommitsChangesPath, CommitsChanges]("changes", CommitsChangesPath, "path op")


FlowExportCollectorCounters = TypedDict("FlowExportCollectorCounters", {
    "messages": int,
    "records": int,
    "bytes": int,
    "flow-records": int,
    "packets": int,
    "octets": int,
    "lost-messages": int,
    "lost-flow-records": int,
    "lost-packets": int,
    "lost-octets": int,
    "errors": int,
    "connections": int,
}, total=False)


class FlowExportCollectorCountersPath(Container[FlowExportCollectorCounters]):
    """Since the start."""

    messages = _leaf[int]("messages", "int64")
    records = _leaf[int]("records", "int64")
    bytes = _leaf[int]("bytes", "int64")
    flow_records = _leaf[int]("flow-records", "int64")
    packets = _leaf[int]("packets", "int64")
    octets = _leaf[int]("octets", "int64")
    lost_messages = _leaf[int]("lost-messages", "int64")
    lost_flow_records = _leaf[int]("lost-flow-records", "int64")
    lost_packets = _leaf[int]("lost-packets", "int64")
    lost_octets = _leaf[int]("lost-octets", "int64")
    errors = _leaf[int]("errors", "int64")
    connections = _leaf[int]("connections", "int64")


FlowExportCollector = TypedDict("FlowExportCollector", {
    "name": str,
    "address": str,
    "port": str,
    "protocol": Literal["ipfix", "netflow-v9"],
    "transport": Literal["udp", "tcp"],
    "source": str,
    "template-refresh": int,
    "observation-domain": int,
    "message-size": int,
    "connected": bool,
    "sequence-number": int,
    "trouble": str,
    "counters": FlowExportCollectorCounters,
}, total=False)


class FlowExportCollectorPath(Container[FlowExportCollector]):
    """Who is told."""

    name = _leaf[str]("name", "text")
    address = _leaf[str]("address", "text")
    port = _leaf[str]("port", "text")
    protocol = _leaf[Literal["ipfix", "netflow-v9"]]("protocol", "text")
    transport = _leaf[Literal["udp", "tcp"]]("transport", "text")
    source = _leaf[str]("source", "text")
    template_refresh = _leaf[int]("template-refresh", "int")
    observation_domain = _leaf[int]("observation-domain", "int")
    message_size = _leaf[int]("message-size", "int")
    connected = _leaf[bool]("connected", "bool")
    sequence_number = _leaf[int]("sequence-number", "int")
    trouble = _leaf[str]("trouble", "text")
    counters = _container("counters", FlowExportCollectorCountersPath)


FlowExportInterfaceCounters = TypedDict("FlowExportInterfaceCounters", {
    "flow-records": int,
    "packets": int,
    "octets": int,
    "ignored-packets": int,
    "ignored-octets": int,
    "other-packets": int,
    "other-bytes": int,
}, total=False)


class FlowExportInterfaceCountersPath(Container[FlowExportInterfaceCounters]):
    """Since its flows are kept: at any moment of quiet, when all is told, the packets received are packets
    + ignored-packets + other-packets."""

    flow_records = _leaf[int]("flow-records", "int64")
    packets = _leaf[int]("packets", "int64")
    octets = _leaf[int]("octets", "int64")
    ignored_packets = _leaf[int]("ignored-packets", "int64")
    ignored_octets = _leaf[int]("ignored-octets", "int64")
    other_packets = _leaf[int]("other-packets", "int64")
    other_bytes = _leaf[int]("other-bytes", "int64")


FlowExportInterface = TypedDict("FlowExportInterface", {
    "name": str,
    "index": int,
    "counters": FlowExportInterfaceCounters,
}, total=False)


class FlowExportInterfacePath(Container[FlowExportInterface]):
    """Interfaces whose flows are told. When there is none here: all. In state: those whose flows are."""

    name = _leaf[str]("name", "text")
    index = _leaf[int]("index", "int")
    counters = _container("counters", FlowExportInterfaceCountersPath)


FlowExportWalk = TypedDict("FlowExportWalk", {
    "flows": int,
    "memory": int,
    "passes": int,
    "pass-time": int,
    "piece-time": int,
}, total=False)


class FlowExportWalkPath(Container[FlowExportWalk]):
    """The walk over the flows."""

    flows = _leaf[int]("flows", "int64")
    memory = _leaf[int]("memory", "int64")
    passes = _leaf[int]("passes", "int64")
    pass_time = _leaf[int]("pass-time", "int64")
    piece_time = _leaf[int]("piece-time", "int64")


FlowExportEnded = TypedDict("FlowExportEnded", {
    "idle": int,
    "active": int,
    "detected": int,
    "forced": int,
    "resources": int,
}, total=False)


class FlowExportEndedPath(Container[FlowExportEnded]):
    """Records of flows, by why they were sent."""

    idle = _leaf[int]("idle", "int64")
    active = _leaf[int]("active", "int64")
    detected = _leaf[int]("detected", "int64")
    forced = _leaf[int]("forced", "int64")
    resources = _leaf[int]("resources", "int64")


FlowExport = TypedDict("FlowExport", {
    "collector": List[FlowExportCollector],
    "interface": List[FlowExportInterface],
    "flows": int,
    "active-timeout": int,
    "idle-timeout": int,
    "walk": FlowExportWalk,
    "ended": FlowExportEnded,
}, total=False)


class FlowExportPath(Container[FlowExport]):
    """Every IP flow that comes in on the interfaces is counted, whichever lane its packets take, and told
    to the collectors. Without collectors nothing is kept."""

    collector = _entries[FlowExportCollectorPath, FlowExportCollector]("collector", FlowExportCollectorPath, "name")
    interface = _entries[FlowExportInterfacePath, FlowExportInterface]("interface", FlowExportInterfacePath, "name")
    flows = _leaf[int]("flows", "int")
    active_timeout = _leaf[int]("active-timeout", "int")
    idle_timeout = _leaf[int]("idle-timeout", "int")
    walk = _container("walk", FlowExportWalkPath)
    ended = _container("ended", FlowExportEndedPath)


Metrics = TypedDict("Metrics", {
    "scrapes": int,
    "series": int,
    "size": int,
    "series-cut": int,
    "sample-time": int,
    "write-time": int,
    "time": int,
}, total=False)


class MetricsPath(Container[Metrics]):
    """What reading the metrics costs."""

    scrapes = _leaf[int]("scrapes", "int64")
    series = _leaf[int]("series", "int")
    size = _leaf[int]("size", "int64")
    series_cut = _leaf[int]("series-cut", "int64")
    sample_time = _leaf[int]("sample-time", "int")
    write_time = _leaf[int]("write-time", "int")
    time = _leaf[int]("time", "int64")


TelemetrySubscriptionTls = TypedDict("TelemetrySubscriptionTls", {
    "ca": str,
    "certificate": str,
    "key": str,
    "server-name": str,
}, total=False)


class TelemetrySubscriptionTlsPath(Container[TelemetrySubscriptionTls]):
    """TLS, with the collector's certificate checked."""

    ca = _leaf[str]("ca", "text")
    certificate = _leaf[str]("certificate", "text")
    key = _leaf[str]("key", "text")
    server_name = _leaf[str]("server-name", "text")


TelemetrySubscriptionThreshold = TypedDict("TelemetrySubscriptionThreshold", {
    "name": str,
    "path": str,
    "above": float,
    "below": float,
    "hysteresis": float,
    "hold": int,
    "per-second": bool,
}, total=False)


class TelemetrySubscriptionThresholdPath(Container[TelemetrySubscriptionThreshold]):
    """A limit for one leaf, of each entry that its path fits. An event is sent when it is crossed and when
    all is well again, in every mode."""

    name = _leaf[str]("name", "text")
    path = _leaf[str]("path", "text")
    above = _leaf[float]("above", "real")
    below = _leaf[float]("below", "real")
    hysteresis = _leaf[float]("hysteresis", "real")
    hold = _leaf[int]("hold", "int")
    per_second = _leaf[bool]("per-second", "bool")


TelemetrySubscriptionSession = TypedDict("TelemetrySubscriptionSession", {
    "connected": bool,
    "connections": int,
    "sent": int,
    "sent-bytes": int,
    "lost": int,
    "queued": int,
    "values": int,
    "raised": int,
    "last-error": str,
}, total=False)


class TelemetrySubscriptionSessionPath(Container[TelemetrySubscriptionSession]):
    """What became of it."""

    connected = _leaf[bool]("connected", "bool")
    connections = _leaf[int]("connections", "int64")
    sent = _leaf[int]("sent", "int64")
    sent_bytes = _leaf[int]("sent-bytes", "int64")
    lost = _leaf[int]("lost", "int64")
    queued = _leaf[int]("queued", "int64")
    values = _leaf[int]("values", "int")
    raised = _leaf[int]("raised", "int")
    last_error = _leaf[str]("last-error", "text")


TelemetrySubscription = TypedDict("TelemetrySubscription", {
    "name": str,
    "collector": str,
    "encoding": Literal["json", "protobuf"],
    "path": List[str],
    "leaves": List[str],
    "entries": List[str],
    "mode": Literal["cadence", "change", "threshold"],
    "cadence": int,
    "changed-only": bool,
    "heartbeat": int,
    "queue": int,
    "tls": TelemetrySubscriptionTls,
    "threshold": List[TelemetrySubscriptionThreshold],
    "session": TelemetrySubscriptionSession,
}, total=False)


class TelemetrySubscriptionPath(Container[TelemetrySubscription]):
    """What one collector is sent."""

    name = _leaf[str]("name", "text")
    collector = _leaf[str]("collector", "text")
    encoding = _leaf[Literal["json", "protobuf"]]("encoding", "text")
    path = _leaf[List[str]]("path", "*text")
    leaves = _leaf[List[str]]("leaves", "*text")
    entries = _leaf[List[str]]("entries", "*text")
    mode = _leaf[Literal["cadence", "change", "threshold"]]("mode", "text")
    cadence = _leaf[int]("cadence", "int")
    changed_only = _leaf[bool]("changed-only", "bool")
    heartbeat = _leaf[int]("heartbeat", "int")
    queue = _leaf[int]("queue", "int64")
    tls = _container("tls", TelemetrySubscriptionTlsPath)
    threshold = _entries[TelemetrySubscriptionThresholdPath, TelemetrySubscriptionThreshold]("threshold", TelemetrySubscriptionThresholdPath, "name")
    session = _container("session", TelemetrySubscriptionSessionPath)


TelemetrySampling = TypedDict("TelemetrySampling", {
    "samples": int,
    "time": int,
    "last-time": int,
}, total=False)


class TelemetrySamplingPath(Container[TelemetrySampling]):
    """What looking at the state costs."""

    samples = _leaf[int]("samples", "int64")
    time = _leaf[int]("time", "int64")
    last_time = _leaf[int]("last-time", "int")


Telemetry = TypedDict("Telemetry", {
    "subscription": List[TelemetrySubscription],
    "sampling": TelemetrySampling,
}, total=False)


class TelemetryPath(Container[Telemetry]):
    """State that is sent to collectors by itself."""

    subscription = _entries[TelemetrySubscriptionPath, TelemetrySubscription]("subscription", TelemetrySubscriptionPath, "name")
    sampling = _container("sampling", TelemetrySamplingPath)


RestListen = TypedDict("RestListen", {
    "address": str,
    "port": str,
    "certificate": str,
    "key": str,
    "client-ca": str,
    "connections": int,
}, total=False)


class RestListenPath(Container[RestListen]):
    """An address and port to listen on."""

    address = _leaf[str]("address", "text")
    port = _leaf[str]("port", "text")
    certificate = _leaf[str]("certificate", "text")
    key = _leaf[str]("key", "text")
    client_ca = _leaf[str]("client-ca", "text")
    connections = _leaf[int]("connections", "int")


RestUser = TypedDict("RestUser", {
    "name": str,
    "role": Literal["read", "admin"],
    "token": str,
    "certificate": str,
}, total=False)


class RestUserPath(Container[RestUser]):
    """Somebody who may use the interface over TCP."""

    name = _leaf[str]("name", "text")
    role = _leaf[Literal["read", "admin"]]("role", "text")
    token = _leaf[str]("token", "text")
    certificate = _leaf[str]("certificate", "text")


RestLimits = TypedDict("RestLimits", {
    "connections": int,
    "connections-per-source": int,
    "body": int,
    "header": int,
    "memory": int,
    "request-timeout": int,
    "idle-timeout": int,
}, total=False)


class RestLimitsPath(Container[RestLimits]):
    """What clients over TCP may cost. The control socket's owner has no limits."""

    connections = _leaf[int]("connections", "int")
    connections_per_source = _leaf[int]("connections-per-source", "int")
    body = _leaf[int]("body", "int")
    header = _leaf[int]("header", "int")
    memory = _leaf[int]("memory", "int")
    request_timeout = _leaf[int]("request-timeout", "int")
    idle_timeout = _leaf[int]("idle-timeout", "int")


RestAuditCollector = TypedDict("RestAuditCollector", {
    "address": str,
    "port": str,
    "transport": Literal["udp", "tcp"],
}, total=False)


class RestAuditCollectorPath(Container[RestAuditCollector]):
    """A syslog server elsewhere."""

    address = _leaf[str]("address", "text")
    port = _leaf[str]("port", "text")
    transport = _leaf[Literal["udp", "tcp"]]("transport", "text")


RestAudit = TypedDict("RestAudit", {
    "syslog": str,
    "collector": List[RestAuditCollector],
}, total=False)


class RestAuditPath(Container[RestAudit]):
    """Where every change and every refused attempt is told of, as RFC 5424 messages with who, what, when
    and how it ended. The journal gets them by itself where there is one."""

    syslog = _leaf[str]("syslog", "text")
    collector = _entries[RestAuditCollectorPath, RestAuditCollector]("collector", RestAuditCollectorPath, "address port")


RestCounters = TypedDict("RestCounters", {
    "connections": int,
    "requests": int,
    "refused": int,
    "failed-logins": int,
    "timed-out": int,
    "evicted": int,
    "over-source": int,
    "over-memory": int,
    "out-of-files": int,
    "audited": int,
    "audit-lost": int,
}, total=False)


class RestCountersPath(Container[RestCounters]):
    """What the interface has seen since the start."""

    connections = _leaf[int]("connections", "int64")
    requests = _leaf[int]("requests", "int64")
    refused = _leaf[int]("refused", "int64")
    failed_logins = _leaf[int]("failed-logins", "int64")
    timed_out = _leaf[int]("timed-out", "int64")
    evicted = _leaf[int]("evicted", "int64")
    over_source = _leaf[int]("over-source", "int64")
    over_memory = _leaf[int]("over-memory", "int64")
    out_of_files = _leaf[int]("out-of-files", "int64")
    audited = _leaf[int]("audited", "int64")
    audit_lost = _leaf[int]("audit-lost", "int64")


Rest = TypedDict("Rest", {
    "listen": List[RestListen],
    "user": List[RestUser],
    "group": str,
    "limits": RestLimits,
    "audit": RestAudit,
    "counters": RestCounters,
}, total=False)


class RestPath(Container[Rest]):
    """The REST interface (RFC 8040) over TCP, and who may use it. Without a listen entry it is reached
    over the control socket alone."""

    listen = _entries[RestListenPath, RestListen]("listen", RestListenPath, "address port")
    user = _entries[RestUserPath, RestUser]("user", RestUserPath, "name")
    group = _leaf[str]("group", "text")
    limits = _container("limits", RestLimitsPath)
    audit = _container("audit", RestAuditPath)
    counters = _container("counters", RestCountersPath)


SflowCollectorCounters = TypedDict("SflowCollectorCounters", {
    "datagrams": int,
    "lost-datagrams": int,
}, total=False)


class SflowCollectorCountersPath(Container[SflowCollectorCounters]):
    """Since the start."""

    datagrams = _leaf[int]("datagrams", "int64")
    lost_datagrams = _leaf[int]("lost-datagrams", "int64")


SflowCollector = TypedDict("SflowCollector", {
    "name": str,
    "address": str,
    "port": str,
    "trouble": str,
    "counters": SflowCollectorCounters,
}, total=False)


class SflowCollectorPath(Container[SflowCollector]):
    """Who is told: each of them the same."""

    name = _leaf[str]("name", "text")
    address = _leaf[str]("address", "text")
    port = _leaf[str]("port", "text")
    trouble = _leaf[str]("trouble", "text")
    counters = _container("counters", SflowCollectorCountersPath)


SflowInterfaceCounters = TypedDict("SflowInterfaceCounters", {
    "sample-pool": int,
    "samples": int,
    "drops": int,
    "counter-samples": int,
}, total=False)


class SflowInterfaceCountersPath(Container[SflowInterfaceCounters]):
    """Since it is sampled at this rate."""

    sample_pool = _leaf[int]("sample-pool", "int64")
    samples = _leaf[int]("samples", "int64")
    drops = _leaf[int]("drops", "int64")
    counter_samples = _leaf[int]("counter-samples", "int64")


SflowInterface = TypedDict("SflowInterface", {
    "name": str,
    "sampling-rate": int,
    "index": int,
    "counters": SflowInterfaceCounters,
}, total=False)


class SflowInterfacePath(Container[SflowInterface]):
    """Interfaces that are sampled. When there is none here: all. In state: those that are."""

    name = _leaf[str]("name", "text")
    sampling_rate = _leaf[int]("sampling-rate", "int")
    index = _leaf[int]("index", "int")
    counters = _container("counters", SflowInterfaceCountersPath)


Sflow = TypedDict("Sflow", {
    "collector": List[SflowCollector],
    "agent-address": str,
    "sub-agent": int,
    "sampling-rate": int,
    "polling-interval": int,
    "header-bytes": int,
    "datagram-size": int,
    "interface": List[SflowInterface],
}, total=False)


class SflowPath(Container[Sflow]):
    """One in so many packets that interfaces receive is told to the collectors with its first bytes, and
    the interfaces' counters now and then. Without collectors nothing is sampled."""

    collector = _entries[SflowCollectorPath, SflowCollector]("collector", SflowCollectorPath, "name")
    agent_address = _leaf[str]("agent-address", "text")
    sub_agent = _leaf[int]("sub-agent", "int")
    sampling_rate = _leaf[int]("sampling-rate", "int")
    polling_interval = _leaf[int]("polling-interval", "int")
    header_bytes = _leaf[int]("header-bytes", "int")
    datagram_size = _leaf[int]("datagram-size", "int")
    interface = _entries[SflowInterfacePath, SflowInterface]("interface", SflowInterfacePath, "name")


Data = TypedDict("Data", {
    "system": System,
    "acl": Acl,
    "bridge": List[Bridge],
    "conntrack": Conntrack,
    "flow-rules": FlowRules,
    "interface": List[Interface],
    "lanes": Lanes,
    "lb-health": LbHealth,
    "lb": Lb,
    "nat": Nat,
    "nat64": Nat64,
    "nptv6": Nptv6,
    "router": List[Router],
    "tunnel": List[Tunnel],
    "commits": List[Commits],
    "flow-export": FlowExport,
    "metrics": Metrics,
    "telemetry": Telemetry,
    "rest": Rest,
    "sflow": Sflow,
}, total=False)


class DataPath(Container[Data]):
    """Everything that can be configured, and what is reported."""

    system = _container("system", SystemPath, "millrace-system")
    acl = _container("acl", AclPath, "millrace-acl")
    bridge = _entries[BridgePath, Bridge]("bridge", BridgePath, "name", "millrace-bridge")
    conntrack = _container("conntrack", ConntrackPath, "millrace-conntrack")
    flow_rules = _container("flow-rules", FlowRulesPath, "millrace-flow-rules")
    interface = _entries[InterfacePath, Interface]("interface", InterfacePath, "name", "millrace-interface")
    lanes = _container("lanes", LanesPath, "millrace-lanes")
    lb_health = _container("lb-health", LbHealthPath, "millrace-lb-health")
    lb = _container("lb", LbPath, "millrace-lb")
    nat = _container("nat", NatPath, "millrace-nat")
    nat64 = _container("nat64", Nat64Path, "millrace-nat64")
    nptv6 = _container("nptv6", Nptv6Path, "millrace-nptv6")
    router = _entries[RouterPath, Router]("router", RouterPath, "name", "millrace-router")
    tunnel = _entries[TunnelPath, Tunnel]("tunnel", TunnelPath, "name", "millrace-tunnel")
    commits = _entries[CommitsPath, Commits]("commits", CommitsPath, "id", "millrace-commit")
    flow_export = _container("flow-export", FlowExportPath, "millrace-flow-export")
    metrics = _container("metrics", MetricsPath, "millrace-metrics")
    telemetry = _container("telemetry", TelemetryPath, "millrace-telemetry")
    rest = _container("rest", RestPath, "millrace-rest")
    sflow = _container("sflow", SflowPath, "millrace-sflow")

config = DataPath()
