# SPDX-License-Identifier: Apache-2.0
"""RFC 8040, section by section, over TCP and the control socket."""
import gzip
import json
import os
import subprocess

import pytest

from lab import MILLRACE, until
from rest_lab import JSON, Rest

DATA = "/restconf/data"
IFACE = DATA + "/millrace-interface:interface"


@pytest.fixture(scope="module")
def shared():
    rest = Rest({"interface": {"a": {"driver": "null"}, "b": {"driver": "null"}, "gone": {"driver": "null"}},
                 "bridge": {"br0": {"interface": {"a": {}}}}})
    yield rest
    rest.close()


def entry(name, **leaves):
    return {"millrace-interface:interface": [dict({"name": name, "driver": "null"}, **leaves)]}


# Section, what it says; method, path, body, headers; status, error-tag or null.
READS = [
    ("3.1 root discovery", "GET", "/.well-known/host-meta", None, {}, 200, None),
    ("3.3 API resource", "GET", "/restconf", None, {}, 200, None),
    ("3.3.3 library version", "GET", "/restconf/yang-library-version", None, {}, 200, None),
    ("3.3.2 operations", "GET", "/restconf/operations", None, {}, 200, None),
    ("3.4 datastore", "GET", DATA, None, {}, 200, None),
    ("3.5.3 entry by key", "GET", IFACE + "=a", None, {}, 200, None),
    ("3.5.3 module name may be left out below", "GET", IFACE + "=a/driver", None, {}, 200, None),
    ("3.5.3 no such entry", "GET", IFACE + "=nobody", None, {}, 404, "invalid-value"),
    ("3.5.3 no such node", "GET", DATA + "/millrace-interface:nothing", None, {}, 400, "unknown-element"),
    ("3.5.3 too many keys", "GET", IFACE + "=a,b", None, {}, 400, "unknown-element"),
    ("3.5.3 escaped bytes", "GET", IFACE + "=%61", None, {}, 200, None),
    ("3.6 no such operation", "POST", "/restconf/operations/x:y", None, {}, 404, "invalid-value"),
    ("3.7 YANG library", "GET", DATA + "/ietf-yang-library:modules-state", None, {}, 200, None),
    ("4.1 OPTIONS", "OPTIONS", IFACE + "=a", None, {}, 200, None),
    ("4.2 HEAD", "HEAD", IFACE + "=a", None, {}, 200, None),
    ("4.2 HEAD of nothing", "HEAD", IFACE + "=nobody", None, {}, 404, None),
    ("4.3 GET accepts", "GET", IFACE + "=a", None, {"Accept": JSON}, 200, None),
    ("4.3 GET accepts XML alone", "GET", IFACE + "=a", None, {"Accept": "application/yang-data+xml"}, 406,
     "invalid-value"),
    ("4.8 unknown parameter", "GET", IFACE + "=a?nonsense=1", None, {}, 400, "invalid-value"),
    ("4.8.1 content", "GET", IFACE + "=a?content=something", None, {}, 400, "invalid-value"),
    ("4.8.2 depth 0", "GET", IFACE + "=a?depth=0", None, {}, 400, "invalid-value"),
    ("4.8.2 depth too large", "GET", IFACE + "=a?depth=65536", None, {}, 400, "invalid-value"),
    ("4.8.2 unbounded", "GET", IFACE + "=a?depth=unbounded", None, {}, 200, None),
    ("4.8.3 fields", "GET", IFACE + "=a?fields=name;counters/rx-packets", None, {}, 200, None),
    ("4.8.3 fields, no end", "GET", IFACE + "=a?fields=counters(rx-packets", None, {}, 400, "invalid-value"),
    ("4.8.9 with-defaults", "GET", IFACE + "=a?with-defaults=everything", None, {}, 400, "invalid-value"),
    ("4.8.5 insert", "PUT", IFACE + "=a?insert=somewhere", entry("a"), {}, 400, "invalid-value"),
    ("4.8.6 point without insert", "PUT", IFACE + "=a?point=/x", entry("a"), {}, 400, "invalid-value"),
    ("5.2 not JSON", "PUT", IFACE + "=a", "<a/>", {"Content-Type": "application/yang-data+xml"}, 415,
     "invalid-value"),
    ("7 malformed", "PUT", IFACE + "=a", "{", {}, 400, "malformed-message"),
    ("7 empty", "PUT", IFACE + "=a", "", {}, 400, "malformed-message"),
    ("7 wrong value", "PUT", IFACE + "=a/mtu", {"millrace-interface:mtu": 1}, {}, 400, "invalid-value"),
    ("7 unknown member", "PUT", IFACE + "=a", entry("a", colour="red"), {}, 400, "invalid-value"),
    ("4.5 PUT of another's key", "PUT", IFACE + "=a", entry("b"), {}, 400, None),
    ("4.5 PUT of two", "PUT", IFACE + "=a", {"millrace-interface:interface": [
        {"name": "a"}, {"name": "b"}]}, {}, 400, "malformed-message"),
    ("4.6 PATCH of nothing", "PATCH", IFACE + "=nobody", entry("nobody"), {}, 404, "invalid-value"),
    ("4.7 DELETE of nothing", "DELETE", IFACE + "=nobody", None, {}, 404, "invalid-value"),
    ("4.7 DELETE of the datastore", "DELETE", DATA, None, {}, 405, "operation-not-supported"),
    ("4.4 POST of what is there", "POST", DATA, entry("a"), {}, 409, "data-exists"),
    ("no such method there", "PUT", "/restconf", {}, {}, 405, None),
    ("6.3 no such stream", "GET", "/restconf/streams/nothing", None, {}, 404, "invalid-value"),
]


@pytest.mark.parametrize("row", READS, ids=[row[0] for row in READS])
def test_table(shared, row):
    """One request each, none of which changes anything."""
    _, method, path, body, headers, status, tag = row
    before = shared.get(DATA + "?content=config")
    answer = shared.ask(method, path, body, headers=headers)
    assert answer.status == status, answer.body
    if tag:
        assert answer.headers["Content-Type"] == JSON
        assert answer.tag() == tag, answer.body
    if answer.status == 405:
        assert "GET" in answer.headers["Allow"]
    after = shared.get(DATA + "?content=config")
    assert after.headers["ETag"] == before.headers["ETag"]
    assert after.json() == before.json()


def test_head_is_get_without_its_body(shared):
    get, head = shared.get(IFACE + "=a?content=config"), shared.ask("HEAD", IFACE + "=a?content=config")
    for name in ("Content-Type", "Content-Length", "ETag", "Last-Modified"):
        assert get.headers[name] == head.headers[name]
    # The connection goes on behind it.
    connection = shared.connect()
    for method in ("HEAD", "GET", "HEAD", "GET"):
        answer = shared.ask_on(connection, method, IFACE + "=a")
        assert answer.status == 200
    connection.close()


def test_options_names_the_methods(shared):
    answer = shared.ask("OPTIONS", IFACE + "=a")
    assert {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"} == set(
        answer.headers["Allow"].split(", "))
    assert JSON in answer.headers["Accept-Patch"]


def test_content_depth_fields_defaults(shared):
    def inside(query):
        return shared.get(IFACE + "=a" + query).json()["millrace-interface:interface"][0]

    assert "counters" not in inside("?content=config")
    assert inside("?content=config")["driver"] == "null"
    nonconfig = inside("?content=nonconfig")
    assert nonconfig["name"] == "a" and "counters" in nonconfig and "driver" not in nonconfig
    assert inside("?depth=2")["counters"] == {}
    assert inside("?fields=name;counters(rx-packets;tx-packets)") == {
        "name": "a", "counters": {"rx-packets": "0", "tx-packets": "0"}}
    assert inside("?fields=counters/rx-packets") == {"counters": {"rx-packets": "0"}}
    assert "enabled" not in inside("?content=config")
    assert inside("?content=config&with-defaults=report-all")["enabled"] is True
    assert "enabled" not in inside("?content=config&with-defaults=trim")
    names = shared.get(IFACE + "?fields=name").json()["millrace-interface:interface"]
    assert {"name": "a"} in names and {"name": "b"} in names


def test_numbers_of_64_bits_are_texts(shared):
    """RFC 7951, 6.1."""
    assert shared.get(IFACE + "=a/counters/rx-packets").json() == {"millrace-interface:rx-packets": "0"}
    assert shared.get(IFACE + "=a/current-mtu").json() == {"millrace-interface:current-mtu": 1500}


def test_monitoring_and_library(shared):
    """RFC 8040, 9; RFC 8525."""
    streams = shared.get(DATA + "/ietf-restconf-monitoring:restconf-state/streams").json()
    names = [s["name"] for s in streams["ietf-restconf-monitoring:streams"]["stream"]]
    assert names == ["changes", "state"]
    caps = shared.get(DATA + "/ietf-restconf-monitoring:restconf-state/capabilities").json()
    assert any("capability:fields" in c for c in caps["ietf-restconf-monitoring:capabilities"]["capability"])
    modules = shared.get(DATA + "/ietf-yang-library:modules-state").json()
    names = [m["name"] for m in modules["ietf-yang-library:modules-state"]["module"]]
    assert "millrace-interface" in names and "millrace-rest" in names
    whole = shared.get(DATA).json()["ietf-restconf:data"]
    assert "ietf-yang-library:yang-library" in whole and "millrace-interface:interface" in whole


def test_life_of_a_resource():
    """4.4 to 4.7: made, read, replaced, changed, deleted; a tag for each state (3.5.1, 3.5.2)."""
    rest = Rest()
    try:
        made = rest.ask("POST", DATA, entry("n@1:x"))
        assert made.status == 201
        assert made.headers["Location"].startswith(DATA + "/millrace-interface:interface=")
        assert rest.get(made.headers["Location"]).status == 200
        assert rest.ask("PUT", IFACE + "=c", entry("c", mtu=1400)).status == 201
        one = rest.get(IFACE + "=c?content=config")
        assert one.json()["millrace-interface:interface"][0]["mtu"] == 1400
        assert rest.ask("PUT", IFACE + "=c", entry("c")).status == 204
        assert "mtu" not in rest.get(IFACE + "=c?content=config").json()["millrace-interface:interface"][0]
        assert rest.ask("PATCH", IFACE + "=c", entry("c", mtu=1450)).status == 204
        two = rest.get(IFACE + "=c?content=config")
        assert two.json()["millrace-interface:interface"][0] == {"name": "c", "driver": "null", "mtu": 1450}
        assert one.headers["ETag"] != two.headers["ETag"]
        # Conditions.
        known = {"If-None-Match": two.headers["ETag"]}
        assert rest.get(IFACE + "=c?content=config", headers=known).status == 304
        assert rest.get(IFACE + "=c?content=config",
                        headers={"If-Modified-Since": two.headers["Last-Modified"]}).status == 304
        stale = {"If-Match": one.headers["ETag"]}
        assert rest.ask("DELETE", IFACE + "=c", headers=stale).status == 412
        assert rest.ask("PUT", IFACE + "=c", entry("c"), headers={"If-None-Match": "*"}).status == 412
        assert rest.ask("DELETE", IFACE + "=c", headers={"If-Match": two.headers["ETag"]}).status == 204
        assert rest.get(IFACE + "=c").status == 404
        # A leaf.
        assert rest.ask("PUT", IFACE + "=a/mtu", {"millrace-interface:mtu": 1300}).status == 201
        assert rest.get(IFACE + "=a/mtu").json() == {"millrace-interface:mtu": 1300}
        assert rest.ask("DELETE", IFACE + "=a/mtu").status == 204
        # The whole, at once.
        whole = rest.get(DATA + "?content=config")
        config = whole.json()["ietf-restconf:data"]
        config["millrace-interface:interface"].append({"name": "z", "driver": "null"})
        assert rest.ask("PUT", DATA, {"ietf-restconf:data": config},
                        headers={"If-Match": whole.headers["ETag"]}).status == 204
        assert rest.get(IFACE + "=z").status == 200
    finally:
        rest.close()


def test_order_of_entries():
    """4.8.5 and 4.8.6, where the order counts."""
    rest = Rest({"interface": {"a": {"driver": "null"}},
                 "acl": {"list": {"x": {"rule": [{"name": "m", "action": "accept"}]}}}})
    rules = DATA + "/millrace-acl:acl/list=x/rule"

    def order():
        got = rest.get(rules + "?content=config")
        assert got.status == 200, got.body
        return [r["name"] for r in got.json()["millrace-acl:rule"]]

    def put(name, query):
        got = rest.ask("PUT", "%s=%s?%s" % (rules, name, query),
                       {"millrace-acl:rule": [{"name": name, "action": "accept"}]})
        assert got.status == 201, got.body
    try:
        put("first", "insert=first")
        put("last", "insert=last")
        put("before", "insert=before&point=/millrace-acl:acl/list=x/rule=m")
        put("after", "insert=after&point=/millrace-acl:acl/list=x/rule=m")
        assert order() == ["first", "before", "m", "after", "last"]
    finally:
        rest.close()


def test_yang_patch():
    """RFC 8072: together, or not at all."""
    rest = Rest()

    def patch(*edits):
        body = {"ietf-yang-patch:yang-patch": {"patch-id": "p", "edit": [
            dict({"edit-id": str(i)}, **e) for i, e in enumerate(edits)]}}
        return rest.ask("PATCH", DATA, body, headers={"Content-Type": "application/yang-patch+json"})
    try:
        create = {"operation": "create", "target": "/millrace-interface:interface=c", "value": entry("c")}
        gone = {"operation": "delete", "target": "/millrace-interface:interface=b"}
        bad = {"operation": "delete", "target": "/millrace-interface:interface=nobody"}
        answer = patch(create, gone, bad)
        assert answer.status == 404
        assert answer.json()["ietf-yang-patch:yang-patch-status"]["patch-id"] == "p"
        assert rest.get(IFACE + "=c").status == 404 and rest.get(IFACE + "=b").status == 200
        answer = patch(create, gone)
        assert answer.status == 200
        assert answer.json()["ietf-yang-patch:yang-patch-status"]["ok"] == [None]
        assert rest.get(IFACE + "=c").status == 200 and rest.get(IFACE + "=b").status == 404
        for wrong in ({"operation": "dance", "target": "/x"}, {"operation": "delete"},
                      {"operation": "merge", "target": "/millrace-interface:interface=a"}):
            assert patch(wrong).status == 400
    finally:
        rest.close()


def test_roles(shared):
    """Who may read may not write, nor do what changes something."""
    assert shared.get(IFACE + "=a", token="bob").status == 200
    before = shared.get(DATA + "?content=config").headers["ETag"]
    for method, path, body in (("PUT", IFACE + "=x", entry("x")), ("POST", DATA, entry("x")),
                               ("PATCH", IFACE + "=a", entry("a", mtu=1400)),
                               ("DELETE", IFACE + "=gone", None), ("POST", "/act/flush/stations", ""),
                               ("POST", "/restconf/operations/millrace-commit:rollback", {}),
                               ("POST", "/restconf/operations/millrace-commit:apply",
                                {"millrace-commit:input": {"config": "{}"}})):
        answer = shared.ask(method, path, body, token="bob")
        assert answer.status == 403, (method, path, answer.body)
    assert shared.get(DATA + "?content=config").headers["ETag"] == before
    for token in (None, "", "wrong", shared.bob[:-1], shared.bob + "x", "alice "):
        assert shared.get(DATA, token=token, headers={"Authorization": "Bearer " + token} if token else {}
                          ).status == 401
    answer = shared.get(DATA, token=None, headers={"Authorization": "Basic YWxpY2U6eA=="})
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_gzip(shared):
    plain = shared.get("/openapi.json")
    assert plain.headers["Content-Encoding"] is None
    small = shared.get(DATA, headers={"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert "ietf-restconf:data" in json.loads(gzip.decompress(small.body))


def test_no_cors(shared):
    answer = shared.get(DATA, headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_changes_of_listeners():
    """An address in use fails the commit and is named; others come and go with commits."""
    rest = Rest()
    other = Rest()
    listen = DATA + "/millrace-rest:rest/listen=127.0.0.1,"
    try:
        body = {"millrace-rest:listen": [{"address": "127.0.0.1", "port": other.port}]}
        answer = rest.ask("PUT", listen + str(other.port), body)
        assert answer.status >= 400 and "127.0.0.1 port %d" % other.port in answer.message(), answer.body
        assert rest.get("/state/rest").status == 200
        free = other.port
        other.close()
        answer = rest.ask("PUT", listen + str(free), body)
        assert answer.status == 201, answer.body
        assert rest.get("/state/rest", port=free).status == 200
        # By itself: the answer still comes.
        assert rest.ask("DELETE", listen + str(free), port=free).status == 204
        with pytest.raises(ConnectionError):
            rest.get("/state/rest", port=free)
        assert rest.get("/state/rest").status == 200
        answer = rest.ask("POST", DATA + "/millrace-rest:rest",
                          {"millrace-rest:listen": [{"address": "0.0.0.0", "port": free}]})
        assert answer.status == 400 and "in the clear" in answer.message()
        # A user who goes is out at once.
        connection = rest.connect()
        assert rest.ask_on(connection, "GET", "/state/rest", token="bob").status == 200
        assert rest.ask("DELETE", DATA + "/millrace-rest:rest/user=bob").status == 204
        connection.close()
        assert rest.get("/state/rest", token="bob").status == 401
    finally:
        rest.close()
        other.close()


def test_check_says_what_is_wrong(tmp_path):
    path = tmp_path / "c.yaml"
    for text, words in (
            ("rest: {listen: [{address: 10.0.0.1, port: 1}], user: {a: {certificate: a}}}", "loopback"),
            ("rest: {listen: [{address: 127.0.0.1, port: 1}]}", "nobody could log in"),
            ("rest: {user: {a: {role: admin}}}", "a token"),
            ("rest: {user: {a: {token: secret}}}", "token"),
            ("rest: {listen: [{address: 127.0.0.1, port: 1, key: x}], user: {a: {certificate: a}}}", "together")):
        path.write_text(text)
        done = subprocess.run([MILLRACE, "check", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode != 0 and words in done.stderr + done.stdout, done


def test_control_socket(shared):
    """The kernel says who is there; its owner may do everything."""
    def curl(*words):
        return subprocess.run(("curl", "-s", "--unix-socket", shared.socket) + words, capture_output=True,
                              text=True, check=True).stdout

    assert "ietf-restconf:data" in json.loads(curl("http://m" + DATA))
    assert os.stat(shared.socket).st_mode & 0o777 == 0o600
    curl("-X", "PATCH", "-H", "Content-Type: " + JSON, "-d", json.dumps(entry("gone", mtu=1234)),
         "http://m" + IFACE + "=gone")
    who = "root" if os.geteuid() == 0 else "user %d" % os.geteuid()
    assert "by %s: create interface/gone/mtu" % who in shared.said()


def test_group_may_look():
    """Members of the group that the configuration names may read over the control socket."""
    if os.geteuid() != 0:
        pytest.skip("needs root: to be somebody else")
    rest = Rest(rest={"group": "users"})
    os.chmod(rest.folder.name, 0o755)

    def curl(group, *words):
        return subprocess.run(("setpriv", "--reuid", "65534", "--regid", group, "--clear-groups", "curl", "-s",
                               "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", rest.socket) + words,
                              capture_output=True, text=True, check=False).stdout
    try:
        assert os.stat(rest.socket).st_mode & 0o777 == 0o660
        assert curl("users", "http://m" + DATA) == "200"
        assert curl("users", "-X", "DELETE", "http://m" + IFACE + "=a") == "403"
        assert curl("nogroup", "http://m" + DATA) == "000"
        assert "user 65534" in rest.said()
    finally:
        rest.close()


def test_keys_with_slashes():
    """3.5.3: what is reserved in a path is escaped in a key."""
    rest = Rest({"interface": {"a": {"driver": "null"}},
                 "router": {"r": {"interface": {"a": {"address": ["10.0.0.1/24"]}}}}})
    routes = DATA + "/millrace-router:router=r/route"
    try:
        for prefix in ("10.9.0.0/16", "2001:db8::/32"):
            made = rest.ask("POST", DATA + "/millrace-router:router=r",
                            {"millrace-router:route": [{"prefix": prefix, "action": "blackhole"}]})
            assert made.status == 201, made.body
            place = made.headers["Location"]
            assert place.endswith("/route=" + prefix.replace("/", "%2F").replace(":", "%3A")), place
            one = rest.get(place + "?content=config")
            assert one.json()["millrace-router:route"][0]["prefix"] == prefix
            assert rest.ask("DELETE", routes + "=" + prefix.replace("/", "%2f")).status == 204
            assert rest.get(place).status == 404
    finally:
        rest.close()


def test_chunked_body():
    rest = Rest()
    try:
        text = json.dumps(entry("c", mtu=1400)).encode()
        connection = rest.connect()
        connection.request("PUT", IFACE + "=c", body=(text[i:i + 7] for i in range(0, len(text), 7)), headers={
            "Authorization": "Bearer " + rest.alice, "Content-Type": JSON}, encode_chunked=True)
        assert connection.getresponse().status == 201
        connection.close()
        assert rest.get(IFACE + "=c/mtu").json() == {"millrace-interface:mtu": 1400}
    finally:
        rest.close()


def test_confirm_and_comment():
    """A write may have to be confirmed, as `millrace apply --confirm`."""
    rest = Rest()
    try:
        for seconds, confirmed in ((1, False), (30, True)):
            made = rest.ask("PUT", IFACE + "=c?confirm=%d&comment=try%%20it" % seconds, entry("c"))
            assert made.status == 201, made.body
            assert rest.get(IFACE + "=c").status == 200
            busy = rest.ask("DELETE", IFACE + "=b")
            assert busy.status == 409 and busy.tag() == "in-use", busy.body
            if confirmed:
                assert rest.ask("POST", "/restconf/operations/millrace-commit:confirm", {}).status in (200, 204)
            else:
                until(5, lambda: rest.get(IFACE + "=c").status == 404)
        assert rest.get(IFACE + "=c").status == 200
        commits = rest.get(DATA + "/millrace-commit:commits").json()["millrace-commit:commits"]
        assert any(c.get("comment") == "try it" for c in commits)
        assert rest.ask("PUT", IFACE + "=d?confirm=soon", entry("d")).status == 400
    finally:
        rest.close()
