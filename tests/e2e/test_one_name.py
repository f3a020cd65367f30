# SPDX-License-Identifier: Apache-2.0
"""One counter has one name and one value, whoever is asked: the command, REST, metrics, telemetry."""
import functools
import glob
import json
import os
import re
import shutil
import subprocess

import pytest

from lab import millrace, until
from telemetry_lab import SOURCE, Collector, Plane

COUNT = 4000

def units():
    """What may stand behind a name, and how many of it one of the model's unit may be."""
    found = {"": (1,), "now": (1,), "s": (1,)}
    for path in glob.glob(os.path.join(SOURCE, "**", "*.yang"), recursive=True):
        with open(path, encoding="utf-8") as file:
            for unit in re.findall(r'units "([^"]*)"', file.read()):
                found[re.sub("[^a-z]", "_", unit.replace("/s", "_per_second"))] = (1,)
    return dict(found, seconds=(1, 1e-3, 1e-6, 1e-9), bytes_per_second=(1 / 8, 125, 125000))


SCALES = units()
# What goes on while no packet comes.
BUSY = re.compile(r"/system/(uptime|worker\[.*\]/(loops|sleeps|state|busy-cycles))|/telemetry/|/metrics/"
                  r"|.*/(rx|tx)-calls$|.*age$|.*/(expires|since|timeout|next-.*)$|/system/.*(recorder|cpu).*")


def gen(**options):
    options = dict({"rate": 20000, "count": COUNT}, **{k.replace("_", "-"): str(v) for k, v in options.items()})
    return {"driver": "gen", "options": options}


# Four pairs: a router with all that IPv4 has, one that translates IPv6, a bridge with a tunnel, flow rules.
RICH = {
    "interface": {
        "in": gen(src_ip="10.1.0.9", dst_ip="10.2.0.9", dst_mac="02:00:00:00:aa:01", flows=50),
        "web": gen(src_ip="10.3.0.9", dst_ip="203.0.113.80", dst_mac="02:00:00:00:aa:03", l4="tcp", flows=20,
                   dst_port=80),
        "out": {"driver": "null"},
        "in6": gen(l3="ip6", src_ip="fd01:203:405:1::9", dst_ip="2001:db8:9::9",
                   dst_mac="02:00:00:00:aa:04", flows=30),
        "in64": gen(l3="ip6", src_ip="2001:db8:64::9", dst_ip="64:ff9b::a02:9",
                    dst_mac="02:00:00:00:aa:06", flows=30),
        "out6": {"driver": "null"},
        "b1": gen(flows=10), "b2": {"driver": "null"}, "b3": {"driver": "null"},
        "vni": {"driver": "tunnel", "mtu": 1450},
        "f1": gen(l4="udp", flows=10), "f2": {"driver": "null"},
    },
    "router": {"default": {
        "interface": {
            "in": {"mac": "02:00:00:00:aa:01", "address": ["10.1.0.1/24"]},
            "web": {"mac": "02:00:00:00:aa:03", "address": ["10.3.0.1/24"]},
            "out": {"mac": "02:00:00:00:aa:02", "address": ["10.2.0.1/24"]},
            "in6": {"mac": "02:00:00:00:aa:04", "address": ["fd01:203:405:1::1/64"],
                    "neighbor": {"duplicate-detection": False}},
            "in64": {"mac": "02:00:00:00:aa:06", "address": ["2001:db8:64::1/64"],
                     "neighbor": {"duplicate-detection": False}},
            "out6": {"mac": "02:00:00:00:aa:05", "address": ["2001:db8:5::1/64"],
                     "neighbor": {"duplicate-detection": False}}},
        "neighbor": {"static": {
            "10.2.0.9": {"interface": "out", "mac": "02:00:00:00:02:09"},
            "2001:db8:5::9": {"interface": "out6", "mac": "02:00:00:00:05:09"}}},
        "route": {"2001:db8:9::/64": {"via": "2001:db8:5::9"}}}},
    "nat": {"instance": {"home": {"outside": ["out"], "inside": ["in"], "source": ["10.1.0.0/24"],
                                  "pool": ["10.2.0.50"]}}},
    "nat64": {"instance": {"net": {"inside": ["in64"], "outside": ["out"], "pool": ["10.2.0.60"]}}},
    "nptv6": {"instance": {"site": {"outside": ["out6"], "inside": ["in6"],
                                    "inside-prefix": "fd01:203:405::/48", "outside-prefix": "2001:db8:1::/48"}}},
    "lb": {"interface": ["web", "out"],
           "service": {"www": {"address": ["203.0.113.80"], "port": [80],
                               "backend": {"s1": {"address": "10.2.0.9", "port": 8080}}}}},
    "acl": {"list": {"from": {"default": "drop", "stateful": True,
                              "rule": [{"name": "good", "protocol": "udp", "action": "accept"},
                                       {"name": "www", "protocol": "tcp", "action": "accept"}]}},
            "interface": {"in": {"in": "from"}, "web": {"in": "from"}}},
    "conntrack": {"drop-invalid": True},
    "bridge": {"br0": {"interface": ["b1", "b2", "b3", "vni"]}},
    "tunnel": {"vni": {"local": "10.2.0.1", "remote": ["10.2.0.9", "10.2.0.8"], "vxlan": {"vni": 7},
                       "static": [{"mac": "02:00:00:00:07:07", "remote": "10.2.0.9"}]}},
    "flow-rules": {"rule": {"away": {"priority": 1, "match": {"interface": "f1", "protocol": "udp"},
                                     "action": "output", "to": "f2"}}},
}


@functools.lru_cache(maxsize=None)
def parse(path):
    """[("interface", {"name": "a"}), ("counters", {}), ...] of an instance's path."""
    steps = []
    for name, predicates in re.findall(r"/([^/\[]+)((?:\[[^=]+=(?:'[^']*'|\"[^\"]*\")\])*)", path):
        steps.append((name, {k: v[1:-1] for k, v in re.findall(r"\[([^=]+)=('[^']*'|\"[^\"]*\")\]", predicates)}))
    return steps


def keys_of(paths):
    """Of each list that these paths go through, the names of its keys."""
    lists = {}
    for path in paths:
        at = ""
        for name, keys in parse(path):
            at += "/" + name
            if keys and "." not in keys:
                lists[at] = list(keys)
    return lists


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def quoted(value):
    return ("%s" if "'" not in text(value) else '"%s"') % (text(value) if "'" in text(value) else "'%s'" % text(value))


def flatten(tree, lists, out=None, at="", schema=""):
    """JSON as {instance's path: value}; what is in a list of unknown keys stands under its path."""
    out = {} if out is None else out
    for name, value in tree.items():
        name = name.split(":")[-1]
        here, path = schema + "/" + name, at + "/" + name
        if isinstance(value, dict):
            flatten(value, lists, out, path, here)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for row in value:
                if here not in lists:
                    out[path] = row
                    continue
                row = {k.split(":")[-1]: v for k, v in row.items()}
                keys = "".join("[%s=%s]" % (k, quoted(row.pop(k))) for k in lists[here])
                flatten(row, lists, out, path + keys, here)
        elif isinstance(value, list):
            out.update(("%s[.=%s]" % (path, quoted(v)), v) for v in value)
        else:
            out[path] = value
    return out


def families(page):
    """{name: {labels: value}} of a page of metrics."""
    out = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
            out.setdefault(name, {})[frozenset(pairs)] = value
    return out


def metric_of(page, path, value):
    """The one sample of a page that is this instance's; None when there is none or it differs."""
    names, labels = ["millrace"], {}
    for name, keys in parse(path):
        names.append(name + "s" if name in ("counter", "gauge", "histogram", "summary") else name)
        for key, said in keys.items():
            label = name if len(keys) == 1 else key
            labels[name + "-" + key if label in labels else label] = said # two of one name: the list's, too
    if names[-1] == "value":
        names.pop()
    base = re.sub(r"[^A-Za-z0-9]", "_", "_".join(names))
    labels = frozenset((k.replace("-", "_"), v.replace("\\", "\\\\").replace('"', '\\"')) for k, v in labels.items())
    if isinstance(value, str): # an enumeration: the label says the word
        labels |= {(names[-1] if "-" not in names[-1] else "value", value)}
        value = 1
    found = [(re.sub("^_", "", re.sub("_total$", "", name[len(base):])), rows[labels])
             for name, rows in page.items()
             if (name == base or name.startswith(base + "_") or name == base + "s") and labels in rows]
    without = re.sub("_(milli|micro|nano)seconds$", "_seconds", base) # the name said a unit that is no base
    if without != base:
        found += [("seconds", rows[labels]) for name, rows in page.items()
                  if name in (without, without + "_total") and labels in rows]
    found = [(unit, shown) for unit, shown in found if unit in SCALES and
             any(abs(float(shown) - float(value) * scale) <= abs(float(value)) * 1e-12
                 for scale in SCALES[unit])]
    found = [f for f in found if f[0] == "now"] or found # a gauge beside a counter of the same name
    return found[0] if len(found) == 1 else None


def look(plane, collector):
    """The same moment, as all of them tell it."""
    first = plane.state()
    # The uptime changes always: what is told after the next two knows the state above.
    enough = len(collector.got("update")) + 2
    assert until(20, lambda: len(collector.got("update")) >= enough)
    known = collector.known()
    page = plane.get("/metrics")[2]
    rfc = json.loads(plane.get("/state?form=rfc7951")[2])
    again = plane.state()
    lists = keys_of(known)
    first, again = flatten(first, lists), flatten(again, lists)
    # What is the same before and after was the same in between.
    still = {path: value for path, value in known.items()
             if not BUSY.match(path) and first.get(path) == again.get(path)}
    return {"plane": plane, "known": known, "still": still, "state": again, "page": page,
            "rfc": flatten(rfc, lists), "lists": lists}


def moving(moment):
    return [path for path in moment["known"] if path not in moment["still"] and not BUSY.match(path)]


@pytest.fixture(scope="module")
def quiet():
    """A data plane that has had its packets, and what a collector was told of it afterwards."""
    collector = Collector()
    config = dict(RICH)
    tops = [name for name in RICH if name != "interface"] + ["interface", "system", "lanes"]
    config["telemetry"] = {"subscription": {"all": {
        "collector": collector.address, "path": tops, "cadence": 300, "mode": "change"}}}
    plane = Plane(config)

    def received():
        rows = plane.state("interface")["interface"]
        return all(row["counters"]["rx-packets"] == COUNT for row in rows if row["name"] in
                   ("in", "web", "in6", "in64", "b1", "f1"))

    try:
        assert until(30, received)
        settled = [None]

        def settle():
            before, settled[0] = settled[0], plane.state("system")["system"]["packets"]
            return before == settled[0]

        assert until(20, settle)
        # Routers talk to their neighbours now and then: what is looked at is a moment without that.
        for _ in range(10):
            moment = look(plane, collector)
            if len(moving(moment)) < len(moment["known"]) * 0.02:
                break
        yield moment
    finally:
        plane.close()
        collector.close()


def differing(quiet, tree, paths):
    """Where a tree does not say what telemetry does."""
    return [(path, quiet["still"][path], tree.get(path)) for path in paths
            if text(tree.get(path)) != text(quiet["still"][path])]


def test_there_was_traffic(quiet):
    """Every function has counted: else the others would agree about nothing."""
    tops = {}
    for path, value in quiet["still"].items():
        if isinstance(value, (int, float)) and value:
            tops.setdefault(parse(path)[0][0], []).append(path)
    assert set(RICH) - {"conntrack"} <= set(tops), sorted(tops)
    assert len(quiet["still"]) > 1000
    assert quiet["state"]["/system/packets/received"] >= 6 * COUNT
    assert len(moving(quiet)) < len(quiet["known"]) * 0.02, sorted(moving(quiet))[:40]


def test_telemetry_is_the_state(quiet):
    wrong = differing(quiet, quiet["state"], quiet["still"])
    assert not wrong, wrong[:20]
    # And all of it: the state has nothing of these functions that was not told.
    tops = {parse(path)[0][0] for path in quiet["known"]}
    missing = [path for path in quiet["state"]
               if parse(path)[0][0] in tops and path not in quiet["known"] and not BUSY.match(path)]
    assert not missing, missing[:20]


def numbers_of(quiet):
    return {path: value for path, value in quiet["still"].items()
            if isinstance(value, (int, float)) and "[.=" not in path}


def test_rfc7951_is_the_state(quiet):
    wrong = differing(quiet, quiet["rfc"], [p for p, v in numbers_of(quiet).items() if isinstance(v, int)])
    assert not wrong, wrong[:20]


def test_metrics_are_the_state(quiet):
    page = families(quiet["page"])
    tables = ("/fdb[", "/neighbor/entry[") # traffic fills them: their sizes are metrics
    numbers = {path: v for path, v in numbers_of(quiet).items() if not any(t in path for t in tables)}
    assert not [name for name in page if name.startswith(("millrace_bridge_fdb", "millrace_router_neighbor_entry"))]
    assert len(numbers) < len(numbers_of(quiet))
    assert len(numbers) > 800
    wrong = [(path, value) for path, value in numbers.items() if metric_of(page, path, value) is None]
    assert not wrong, wrong[:20]
    words = {path: value for path, value in quiet["still"].items() if re.match(r"/interface\[.*\]/state$", path)}
    assert len(words) == len(RICH["interface"])
    assert all(metric_of(page, path, word) == ("", "1") for path, word in words.items()), words


def test_show_is_the_state(quiet):
    plane = quiet["plane"]
    for what in set(RICH) | {"lanes", "system"}:
        before = flatten(plane.state(what), quiet["lists"])
        shown = flatten({what: plane.show(what)}, quiet["lists"])
        after = flatten(plane.state(what), quiet["lists"])
        wrong = [(path, value, shown.get(path)) for path, value in before.items()
                 if after.get(path) == value and not BUSY.match(path) and shown.get(path) != value]
        assert before and not wrong, wrong[:20]


def test_restconf_is_the_state(quiet):
    status, _, body = quiet["plane"].get("/restconf/data?content=nonconfig",
                                         {"Accept": "application/yang-data+json"})
    if status == 404:
        pytest.skip("this build has no /restconf/data")
    assert status == 200, body[:300]
    data = json.loads(body)
    data = data.get("ietf-restconf:data", data)
    again = flatten(quiet["plane"].state(), quiet["lists"])
    wrong = differing(quiet, flatten(data, quiet["lists"]),
                      [p for p, v in numbers_of(quiet).items() if isinstance(v, int) and again.get(p) == v])
    assert not wrong, wrong[:20]


# -- the form -----------------------------------------------------------------------------


def test_promtool_accepts_the_page(quiet):
    if not shutil.which("promtool"):
        pytest.skip("needs promtool (Debian's package prometheus)")
    done = subprocess.run(["promtool", "check", "metrics"], input=quiet["page"], text=True, timeout=60,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("content", ["config", "all"])
def test_yanglint_accepts_the_data(quiet, tmp_path, content):
    """What REST gives is, to another validator, data of the modules that are in the tree."""
    if not shutil.which("yanglint"):
        pytest.skip("needs yanglint (Debian's package libyang2-tools)")
    status, _, body = quiet["plane"].get("/restconf/data?content=" + content,
                                         {"Accept": "application/yang-data+json"})
    assert status == 200, body[:300]
    data = json.loads(body)
    data = data.get("ietf-restconf:data", data)
    # The modules that are the server's own, without those that tell of the server.
    ours = {name: value for name, value in data.items() if name.startswith("millrace-")}
    assert len(ours) > 8
    file = tmp_path / "data.json"
    file.write_text(json.dumps(ours))
    modules = []
    for top in ("model", "nf", "control"):
        for path in glob.glob(os.path.join(SOURCE, top, "**", "*.yang"), recursive=True):
            if "testing" in path:
                continue
            with open(path, encoding="utf-8") as source:
                yang = source.read()
            # Others look for a module in the file of its name.
            modules.append(tmp_path / (re.search(r"module (\S+)", yang)[1] + ".yang"))
            modules[-1].write_text(yang)

    def validate():
        return subprocess.run(
            ["yanglint", "-p", tmp_path, "-t", "config" if content == "config" else "data", *modules, file],
            text=True, timeout=60, capture_output=True, check=False)
    done = validate()
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[:2000]
    # It looks: what no module has is refused.
    ours["millrace-system:system"]["no-such-leaf"] = 1
    file.write_text(json.dumps(ours))
    done = validate()
    assert done.returncode and "no-such-leaf" in done.stderr


def test_open_metrics_for_those_who_ask(quiet):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    status, head, page = quiet["plane"].get("/metrics", {
        "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"})
    assert status == 200 and "application/openmetrics-text; version=1.0.0; charset=utf-8" in head
    found = {f.name: f for f in parser.text_string_to_metric_families(page)}
    rx = found["millrace_interface_counters_rx_bytes"]
    assert rx.type == "counter" and rx.unit == "bytes" and rx.documentation == "Bytes received."
    assert {s.labels["interface"] for s in rx.samples} == set(RICH["interface"])
    assert "version=0.0.4" in quiet["plane"].get("/metrics")[1]


def test_names_select(quiet):
    plane = quiet["plane"]
    page = families(plane.get("/metrics?names=interface,metrics")[2])
    assert {name.split("_")[1] for name in page} == {"interface", "metrics"}
    status, _, body = plane.get("/metrics?names=intrefaces")
    assert status == 404 and "intrefaces" in body
    assert plane.get("/metrics?names=system,system")[0] == 400
    assert plane.get("/metrics?names=" + ",".join("x" * 100))[0] in (400, 404)


def test_functions_stand_under_their_names(quiet):
    """What telemetry relies on when it reads only what is wanted."""
    plane = quiet["plane"]
    for top in plane.state():
        assert set(plane.state(top)) == {top}


def test_metrics_says_what_it_costs(quiet):
    plane = quiet["plane"]
    before = plane.state("metrics")["metrics"]
    plane.get("/metrics")
    after = plane.state("metrics")["metrics"]
    assert after["scrapes"] == before["scrapes"] + 1
    assert after["series"] > 1000 and after["series-cut"] == 0
    assert after["time"] - before["time"] == after["sample-time"] + after["write-time"]
    done = millrace("show", "metrics", "--socket", plane.socket)
    assert "scrapes" in done.stdout


def test_examples_for_prometheus(quiet, tmp_path):
    """They are right, and ask for metrics that there are."""
    source = os.path.join(SOURCE, "examples", "prometheus")
    asked = set()
    for name in ("alerts.yml", "grafana.json"):
        with open(os.path.join(source, name), encoding="utf-8") as file:
            asked |= set(re.findall(r"millrace_[a-z0-9_]+", file.read()))
    assert len(asked) > 10
    assert asked <= set(families(quiet["page"])), asked - set(families(quiet["page"]))
    with open(os.path.join(source, "grafana.json"), encoding="utf-8") as file:
        assert len(json.load(file)["panels"]) == 10
    if not shutil.which("promtool"):
        pytest.skip("needs promtool (Debian's package prometheus)")
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(os.path.join(source, name), tmp_path)
    for name in ("token", "ca.pem"):
        (tmp_path / name).write_text("x")
    for what, name in (("config", "prometheus.yml"), ("rules", "alerts.yml")):
        done = subprocess.run(["promtool", "check", what, str(tmp_path / name)], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
