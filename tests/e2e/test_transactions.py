# SPDX-License-Identifier: Apache-2.0
"""Changes to what runs: planned, brought in, taken back, kept over crashes."""
import json
import os
import random
import re
import shlex
import signal
import subprocess
import threading
import time

import pytest

from lab import MILLRACE, run, until

SOAK = max(1, int(os.environ.get("MR_SOAK", "1")))
BASE = """interface:
  a: {driver: 'null'}
  b: {driver: 'null', mtu: 1400}
"""


class Daemon:
    """A millrace without privileges, its file and its folder of commits."""

    def __init__(self, folder, text=BASE, system=None):
        self.folder = str(folder)
        self.path = os.path.join(self.folder, "lab.yaml")
        self.socket = os.path.join(self.folder, "socket")
        self.state = os.path.join(self.folder, "state")
        self.system = dict({"buffers": 1024, "control-socket": self.socket,
                            "state-directory": self.state}, **(system or {}))
        self.process = None
        self.write(text)

    def text(self, text):
        return "system: %s\n%s" % (json.dumps(self.system), text)

    def write(self, text):
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(self.text(text))

    def start(self, *options):
        self.log = open(os.path.join(self.folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [os.path.abspath(MILLRACE), "run", "--stay", *options, self.path],
            stdout=self.log, stderr=self.log)
        assert until(20, lambda: self.process.poll() is not None or
                     self("history", check=False).returncode == 0)
        assert self.process.poll() is None, self.said()
        return self

    def said(self):
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def __call__(self, verb, *words, check=True, text=None):
        done = subprocess.run([MILLRACE, verb, "--socket", self.socket, *words], text=True,
                              input=text, capture_output=True, timeout=60, check=False)
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done

    def dump(self):
        return self("dump").stdout

    def commits(self):
        return json.loads(self("history", "--json").stdout)["commits"]

    def files(self):
        return sorted(name for _, _, names in os.walk(self.state) for name in names)

    def kill(self, how=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)
            self.log.close()


@pytest.fixture
def daemon(tmp_path):
    made = Daemon(tmp_path)
    yield made
    made.kill()


def write(daemon, name, text):
    path = os.path.join(daemon.folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


# -- verbs ---------------------------------------------------------------------------------------

def test_plan_says_what_would_change_and_changes_nothing(daemon):
    daemon.start()
    same = daemon("plan", "--exit-code", daemon.path)
    assert same.stdout == "no changes\n"
    other = write(daemon, "other.yaml", daemon.text(BASE.replace("1400", "1300") +
                                                    "  c: {driver: 'null'}\n"))
    plan = daemon("plan", other)
    assert "~ interface/b/mtu: 1400 -> 1300\n+ interface/c: {driver: \"null\"}\n" in plan.stdout
    assert daemon("plan", "--exit-code", other, check=False).returncode == 1
    told = json.loads(daemon("plan", "--json", other).stdout)
    assert [(c["op"], c["path"]) for c in told["changes"]] == \
        [("change", "interface/b/mtu"), ("create", "interface/c")]
    assert daemon("plan", "--exit-code", "/none.yaml", check=False).returncode == 2
    assert "interface/c" not in daemon.dump() and "1400" in daemon.dump()
    assert not os.path.exists(daemon.state)  # nothing was written


def test_apply_set_delete_rollback(daemon):
    daemon.start()
    other = write(daemon, "other.yaml", daemon.text(BASE.replace("1400", "1300")))
    assert "commit 2 is in force" in daemon("apply", other, "--comment", "smaller").stdout
    daemon("set", "interface/a/mtu", "9k", "interface/c", "{driver: 'null'}")
    assert daemon("get", "interface/a/mtu").stdout == "9000\n"
    daemon("delete", "interface/a/mtu", "interface/c")
    assert json.loads(daemon("get", "--json", "interface=b").stdout) == \
        {"millrace-interface:interface": [{"name": "b", "driver": "null", "mtu": 1300}]}
    daemon("set", "--file", "-", text="# two\ninterface/a/mtu 1280\ndelete interface/b\n")
    assert daemon("get", "interface").stdout == 'driver: "null"\nmtu: 1280\n'
    commits = daemon.commits()
    assert [c["id"] for c in commits] == [5, 4, 3, 2, 1]
    assert commits[3]["comment"] == "smaller" and commits[0]["in-force"]
    assert commits[0]["change-count"] == 2
    # Going back without a number goes back one by one; with one, over several.
    daemon("rollback")
    assert daemon("get", "interface/b/mtu").stdout == "1300\n"
    daemon("rollback")
    assert daemon("get", "interface/a/mtu").stdout == "9000\n"
    assert "- interface/a/mtu: 9000" in daemon("rollback", "--plan", "1").stdout
    daemon("rollback", "1")
    assert daemon("get", "interface/b/mtu").stdout == "1400\n"
    assert daemon("plan", daemon.path).stdout == "no changes\n"
    assert daemon("rollback", "99", check=False).returncode == 1
    assert daemon("rollback", "x", check=False).returncode == 2


@pytest.mark.parametrize("change,words", [
    (lambda t: t.replace("1400", "14"), ["other.yaml:4:", "interface/b/mtu", "14"]),
    (lambda t: t.replace("'null', mtu", "nul, mtu"), ["other.yaml:4:", "interface/b/driver", "nul"]),
    (lambda t: t + "bridge: {br0: {interface: {zz: }}}\n", ["other.yaml:5:", "bridge/br0", "zz"]),
    (lambda t: t + "  }\n", ["other.yaml:5:"]),
])
def test_what_is_refused_is_named_and_changes_nothing(daemon, change, words):
    daemon.start()
    before = daemon.dump()
    other = write(daemon, "other.yaml", daemon.text(change(BASE)))
    for verb in ("plan", "apply"):
        done = daemon(verb, other, check=False)
        assert done.returncode == 1
        for word in words:
            assert word in done.stderr, done.stderr
        done = daemon(verb, "--json", other, check=False)
        assert done.returncode == 1 and json.loads(done.stdout)["errors"][0]["line"]
    done = daemon("set", "interface/a/mtu", "1280", "interface/b/mtu", "3", check=False)
    assert done.returncode == 1 and "interface/b/mtu" in done.stderr
    assert daemon.dump() == before and len(daemon.commits()) == 1 and not daemon.files()


def test_dump_is_what_was_applied(daemon):
    daemon.start()
    dumped = write(daemon, "dump.yaml", daemon.dump())
    assert daemon("plan", dumped).stdout == "no changes\n"
    daemon("set", "acl/list/l", "{default: accept}", "acl/list/l/rule/r",
           "{action: accept, log: {prefix: '# no comment'}}")
    dumped = write(daemon, "dump.yaml", daemon.dump())
    assert daemon("plan", dumped).stdout == "no changes\n"


def test_completion_knows_the_model_and_what_is_there(daemon):
    daemon.start()
    daemon("set", "interface/a/mtu", "1300")

    def offered(*words):
        return run(MILLRACE, "__complete", words[0], "--socket", daemon.socket,
                   *words[1:]).stdout.split()

    assert offered("set", "interface/") == ["interface/a/", "interface/b/"]
    assert "interface/a/mtu" in offered("set", "interface/a/")
    assert offered("delete", "interface/a/m") == ["interface/a/mtu"]
    assert offered("delete", "interface/b/dr") == ["interface/b/driver"]
    assert "bridge/br0/interface/b/" in offered("set", "bridge/br0/interface/")
    assert offered("set", "system/mode", "p") == ["poll"]
    assert offered("set", "system/mode", "poll", "system/mod") == ["system/mode"]
    assert offered("rollback", "") == ["2", "1"]
    # As bash asks: a colon parts words for readline, and what is before it stays.
    script = ("source %s; COMP_LINE='%s set --socket %s interface/a'; COMP_POINT=${#COMP_LINE}; "
              "COMP_WORDS=(x); COMP_CWORD=0; compopt() { :; }; _millrace; echo \"${COMPREPLY[@]}\"")
    tools = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools")
    done = run("bash", "-c", script % (tools + "/completion.bash", os.path.abspath(MILLRACE),
                                       daemon.socket))
    assert done.stdout.split() == ["interface/a/"]


def test_plan_says_what_is_touched(daemon):
    daemon.start()
    other = write(daemon, "other.yaml", daemon.text(
        "interface:\n  b: {driver: 'null', mtu: 1300}\n  c: {driver: 'null'}\n").replace(
            '"buffers": 1024', '"buffers": 2048'))
    told = json.loads(daemon("plan", "--json", other).stdout)
    touches = {(t["what"], t["kind"]) for t in told["touches"]}
    assert touches == {("system", "function"), ("interface", "function"),
                       ("interface/a", "closed"), ("interface/b", "reopened"),
                       ("interface/c", "opened"), ("lanes", "flows"), ("system/buffers", "waits")}
    assert "opened again: packets are lost meanwhile" in daemon("plan", other).stdout
    described = write(daemon, "described.yaml", daemon.text(BASE.replace(
        "{driver: 'null'}", "{driver: 'null', description: x}")))
    told = json.loads(daemon("plan", "--json", described).stdout)
    assert {t["kind"] for t in told["touches"]} == {"function", "flows"}
    daemon("apply", other)
    assert "system/buffers has changed; that takes effect at the next start" in daemon.said()


def test_the_page_shows_what_happens(daemon):
    """Every command of docs/transactions.md, with what it prints there."""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    with open(os.path.join(root, "docs/transactions.md"), encoding="utf-8") as file:
        page = file.read()
    daemon.write(re.search(r"^```yaml\n(.*?)^```", page, re.M | re.S).group(1))
    daemon.start()
    commands = 0
    for block in re.findall(r"^```console\n(.*?)^```", page, re.M | re.S):
        for command in block[2:].split("\n$ "):
            line, _, wanted = command.partition("\n")
            words = shlex.split(line)
            assert words[0] == "millrace"
            words = [daemon.path if word == "lab.yaml" else word for word in words]
            done = daemon(*words[1:], check=False)
            assert (done.stdout + done.stderr).strip() == wanted.strip(), line
            commands += 1
    assert commands >= 10


# -- confirming ----------------------------------------------------------------------------------

def test_what_nobody_confirms_is_taken_back(daemon):
    daemon.start()
    before = daemon.dump()
    daemon("set", "--confirm", "1s", "interface/a/mtu", "1280")
    assert "1280" in daemon.dump()
    busy = daemon("set", "interface/a/mtu", "1300", check=False)
    assert busy.returncode == 1 and "waits to be confirmed" in busy.stderr
    assert until(5, lambda: daemon.dump() == before)
    assert [(c["origin"], c["state"]) for c in daemon.commits()[:2]] == \
        [("expired", "confirmed"), ("apply", "unconfirmed")]
    daemon("set", "--confirm", "60s", "interface/a/mtu", "1280")
    daemon("cancel")
    assert daemon.dump() == before
    daemon("set", "--confirm", "1s", "interface/a/mtu", "1280")
    daemon("confirm")
    time.sleep(1.2)
    assert "1280" in daemon.dump()
    assert daemon("confirm", check=False).returncode == 1


def test_a_crash_does_not_confirm(daemon):
    daemon.start()
    daemon("set", "interface/a/mtu", "1300")
    before = daemon.dump()
    daemon("set", "--confirm", "60s", "interface/a/mtu", "1280")
    daemon.kill()
    daemon.start()
    assert daemon.dump() == before
    assert daemon.commits()[0]["state"] == "unconfirmed" and daemon.commits()[1]["in-force"]


# -- keeping -------------------------------------------------------------------------------------

def test_commits_outlive_the_process_until_the_file_changes(daemon):
    daemon.start()
    daemon("set", "interface/a/mtu", "1300", "--comment", "kept")
    after = daemon.dump()
    daemon.kill()
    daemon.start()
    assert daemon.dump() == after
    assert "starting commit 2" in daemon.said() and "--fresh" in daemon.said()
    daemon.kill()
    daemon.start("--fresh")
    assert "1300" not in daemon.dump()
    assert [c["origin"] for c in daemon.commits()] == ["file", "apply", "start"]
    daemon("rollback", "2")
    assert daemon.dump() == after
    daemon.kill(signal.SIGTERM)
    daemon.write(BASE.replace("1400", "1350"))
    daemon.start()
    assert "1350" in daemon.dump() and "1300" not in daemon.dump()
    assert "has changed since the last commit" in daemon.said()
    assert daemon.commits()[0]["origin"] == "file" and daemon.commits()[0]["kept"]


def test_an_edited_file_that_was_applied_is_what_commits_are_on_top_of(daemon):
    daemon.start()
    daemon.write(BASE.replace("1400", "1350"))
    daemon("apply", daemon.path)
    daemon("set", "interface/a/mtu", "1300")
    after = daemon.dump()
    daemon.kill()
    daemon.start()
    assert daemon.dump() == after


def test_reload_of_the_file_is_a_commit(daemon):
    daemon.start()
    daemon.write(BASE.replace("1400", "1350"))
    daemon.process.send_signal(signal.SIGHUP)
    assert until(5, lambda: "1350" in daemon.dump())
    assert not daemon.files()  # no client has begun to keep commits
    daemon.write(BASE.replace("1400", "13"))
    daemon.process.send_signal(signal.SIGHUP)
    assert until(5, lambda: "the old configuration stays" in daemon.said())
    assert re.search(r"lab\.yaml:4:\d+: interface/b/mtu: ", daemon.said())
    assert "1350" in daemon.dump()
    daemon("rollback")
    assert "1400" in daemon.dump() and len(daemon.files()) == 3


def test_a_damaged_commit_is_named_and_left_out(daemon):
    daemon.start()
    daemon("set", "interface/a/mtu", "1300")
    before = daemon.dump()
    daemon("set", "interface/a/mtu", "1280")
    daemon.kill()
    folder = os.path.join(daemon.state, os.listdir(daemon.state)[0])
    assert daemon.files() == ["000000000%d.yaml" % n for n in (1, 2, 3)]
    path = os.path.join(folder, "0000000003.yaml")
    with open(path, "r+", encoding="utf-8") as file:
        file.truncate(os.path.getsize(path) - random.randrange(1, 60))
    with open(os.path.join(folder, "0000000004.new"), "w", encoding="utf-8") as file:
        file.write("# half a com")
    daemon.start()
    assert daemon.dump() == before
    assert "0000000003.yaml is left out" in daemon.said()


def test_only_one_process_keeps_commits_of_a_file(daemon):
    daemon.start()
    daemon("set", "interface/a/mtu", "1300")
    socket = os.path.join(daemon.folder, "second")
    second = subprocess.Popen([os.path.abspath(MILLRACE), "run", "--stay", "--socket", socket,
                               daemon.path], stderr=subprocess.DEVNULL)
    try:
        words = [MILLRACE, "set", "--socket", socket, "interface/a/mtu", "1280"]
        assert until(10, lambda: run(MILLRACE, "history", "--socket", socket,
                                     check=False).returncode == 0)
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "another millrace keeps its commits" in done.stderr
        subprocess.run(words + ["--forget"], capture_output=True, check=True)
    finally:
        second.kill()
        second.wait()
    assert "1300" in daemon.dump()


def test_only_so_many_are_kept(tmp_path):
    daemon = Daemon(tmp_path, system={"commits-kept": 4}).start()
    try:
        for mtu in range(1300, 1309):
            daemon("set", "interface/a/mtu", str(mtu))
        assert [c["id"] for c in daemon.commits()] == [10, 9, 8, 7]
        assert len(daemon.files()) == 4
        assert daemon("rollback", "2", check=False).returncode == 1
        daemon("rollback", "7")
    finally:
        daemon.kill()


def routes(seed, count=150):
    """A router with many routes, so that bringing it in takes a while."""
    chosen = random.Random(seed)
    text = BASE + "router:\n  default:\n    interface: {a: {address: 10.1.0.1/24}}\n    route:\n"
    for n in range(count):
        text += "      10.%d.%d.0/24: {via: 10.1.0.%d}\n" % (16 + n // 200, n % 200,
                                                            chosen.randrange(2, 250))
    return text


@pytest.mark.slow
def test_killed_at_any_instant_it_is_the_old_or_the_new(daemon):
    """A fresh process each time; what comes up after the crash is one of the two, whole."""
    chosen = random.Random(20261121)
    daemon.write(routes(0))
    files = [write(daemon, "%d.yaml" % n, daemon.text(routes(n))) for n in range(3)]
    daemon.start()
    dumps = []
    for path in files:
        daemon("apply", path)
        dumps.append(daemon.dump())
    assert len(set(dumps)) == 3
    now, seen = 2, {"old": 0, "new": 0}
    begun = time.monotonic()
    daemon("apply", files[1])
    took = time.monotonic() - begun
    daemon("apply", files[2])
    for _ in range(20 * SOAK):
        then = (now + chosen.randrange(1, 3)) % 3
        apply = subprocess.Popen([MILLRACE, "apply", "--socket", daemon.socket, files[then]],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chosen.uniform(0, took * 2.5))
        daemon.kill()
        apply.wait(20)
        daemon.start()
        dumped = daemon.dump()
        assert dumped in (dumps[now], dumps[then])
        seen["new" if dumped == dumps[then] else "old"] += 1
        assert [c["in-force"] for c in daemon.commits()].count(True) == 1
        now = dumps.index(dumped)
    print("after the crash: %(old)d times the old, %(new)d times the new" % seen)


# -- bad disks -----------------------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 1 MiB."""
    disk = str(tmp_path / "disk")
    os.mkdir(disk)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("needs to mount a small disk: " + done.stderr.strip())
    yield disk
    run("umount", "-l", disk, check=False)


def fill(path):
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(file, b"x" * 4096)
    except OSError:
        os.close(file)


def test_full_disk_refuses_the_commit_and_changes_nothing(tmp_path, small_disk):
    daemon = Daemon(tmp_path, system={"state-directory": small_disk + "/state"}).start()
    try:
        daemon("set", "interface/a/mtu", "1300")
        before, commits = daemon.dump(), daemon.commits()
        fill(small_disk + "/filler")
        done = daemon("set", "interface/a/mtu", "1280", check=False)
        assert done.returncode == 1
        assert "cannot be kept, and nothing was changed" in done.stderr and "space" in done.stderr
        assert daemon.dump() == before and daemon.commits()[0]["id"] == commits[0]["id"]
        # What need not be kept can be changed, and what was not confirmed still goes back.
        daemon("set", "--forget", "interface/a/mtu", "1280")
        assert "1280" in daemon.dump() and not daemon.commits()[0]["kept"]
        daemon("set", "--forget", "--confirm", "1s", "interface/a/mtu", "1270")
        assert until(5, lambda: "1280" in daemon.dump())
        os.unlink(small_disk + "/filler")
        daemon("set", "interface/a/mtu", "1290")
        after = daemon.dump()
        daemon.kill()
        daemon.start()
        assert daemon.dump() == after
    finally:
        daemon.kill()


def test_read_only_folder_refuses_the_commit(tmp_path, small_disk):
    daemon = Daemon(tmp_path, system={"state-directory": small_disk + "/state"}).start()
    try:
        daemon("set", "interface/a/mtu", "1300")
        daemon("set", "--confirm", "2s", "interface/a/mtu", "1290")
        run("mount", "-o", "remount,ro", small_disk)
        # It cannot be made to stay, so it goes back.
        done = daemon("confirm", check=False)
        assert done.returncode == 1 and "it still waits" in done.stderr
        assert until(6, lambda: "1300" in daemon.dump())
        before = daemon.dump()
        done = daemon("set", "interface/a/mtu", "1280", check=False)
        assert done.returncode == 1 and "ead-only" in done.stderr, done.stderr
        assert daemon.dump() == before
        daemon.kill()
        daemon.start()
        assert daemon.dump() == before
    finally:
        daemon.kill()


# -- traffic -------------------------------------------------------------------------------------

@pytest.mark.slow
def test_what_does_not_change_loses_no_packet(lab):
    for number in (1, 2, 3):
        lab.add_host(number)
    base = """interface: {h1: {device: port1}, h2: {device: port2}, h3: {device: port3}}
bridge: {br0: {interface: {h1: {}, h2: {}}}}
"""
    state = os.path.join(lab.folder.name, "state")
    lab.start(base, system={"state-directory": state})
    lab.ping(1, 2, "-c", "5")
    other = os.path.join(lab.folder.name, "other.yaml")
    with open(lab.write(base, {"state-directory": state}), encoding="utf-8") as file:
        text = file.read()
    with open(other, "w", encoding="utf-8") as file:
        file.write(text.replace("h2: {}}", "h2: {}, h3: {}}"))
    told = json.loads(run(MILLRACE, "plan", "--json", "--socket", lab.socket, other).stdout)
    flows = len(lab.show("flows"))
    assert [int(t["count"]) for t in told["touches"] if t["kind"] == "flows"] == [flows], told
    changes = [
        ["set", "bridge/br1/interface/h3", "{}"],
        ["set", "interface/n1", "{driver: 'null'}", "bridge/br1/interface/n1", "{access: 7}"],
        ["set", "acl/list/l", "{default: accept, rule: [{name: x, source: 10.9.0.0/16, action: drop}]}",
         "acl/interface/h3/in", "l"],
        ["set", "interface/h3/mtu", "1400"],
        ["delete", "acl", "interface/h3/mtu"],
        ["delete", "bridge/br1", "interface/n1"],
    ]
    done, wrong, rounds = threading.Event(), [], [0]

    def churn():
        while not done.is_set():
            verb, *words = changes[rounds[0] % len(changes)]
            made = subprocess.run([MILLRACE, verb, "--socket", lab.socket, *words], text=True,
                                  capture_output=True, check=False)
            if made.returncode:
                wrong.append(made.stderr)
            rounds[0] += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        got = lab.ping(1, 2, "-i", "0.002", "-c", str(2500 * SOAK), "-W", "2")
    finally:
        done.set()
        thread.join()
    assert not wrong
    assert rounds[0] >= 12
    assert got[0] == got[1], "%d of %d came back over %d commits" % (got[0], got[1], rounds[0])
