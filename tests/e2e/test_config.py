# SPDX-License-Identifier: Apache-2.0
"""Bad configurations and bad days: a clear message, a status, nothing left behind."""
import os
import subprocess

import pytest

from lab import MILLRACE, bridge_config, millrace, run

GOOD = """interface:
  a: {driver: 'null'}
  b: {driver: 'null'}
bridge:
  br0:
    interface: {a: {}, b: {}}
"""

# What is wrong, the file, and words that the message must have.
BAD = [
    ("unknown key", GOOD.replace("bridge:", "brigde:"), ["brigde", "bridge"]),
    ("unknown key below", GOOD.replace("driver: 'null'", "drive: 'null'", 1), ["drive", "driver"]),
    ("name taken twice", GOOD.replace("  b: {", "  a: {"), ["a", "twice"]),
    ("no such interface", GOOD.replace("b: {}}", "c: {}}"), ["c"]),
    ("no such driver", GOOD.replace("'null'", "nul", 1), ["nul"]),
    ("wrong value", GOOD.replace("driver: 'null'", "driver: 'null', mtu: 3", 1), ["mtu", "3"]),
    ("not YAML", GOOD + "  }\n", []),
    ("member twice", GOOD + "  br1:\n    interface: {a: {}}\n", ["a", "br0"]),
]


def write(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return str(path)


def test_check_says_nothing_bad_of_a_good_file(tmp_path):
    done = millrace("check", write(tmp_path, GOOD), check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what,text,words", BAD, ids=[bad[0] for bad in BAD])
def test_check_names_file_line_and_reason(tmp_path, what, text, words):
    path = write(tmp_path, text)
    done = millrace("check", path, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert path + ":" in said
    for word in words:
        assert word in said


def test_missing_file(tmp_path):
    done = millrace("check", str(tmp_path / "none.yaml"), check=False)
    assert done.returncode == 1
    assert "none.yaml" in done.stderr


def test_unknown_verb_suggests(tmp_path):
    done = millrace("chekc", check=False)
    assert done.returncode == 2
    assert "check" in done.stderr


def test_missing_interface_is_named(lab):
    """The rest forwards; the one that is not there is named, and waited for."""
    lab.add_host(1)
    lab.add_host(2)
    lab.start(bridge_config([1, 2, 9]), wait=False)
    from lab import until

    forwarded = until(5, lambda: lab.ping(1, 2, "-c", "1", "-W", "0.2", check=False)[0] == 1)
    assert forwarded or lab.switch.poll() == 1
    assert "port9" in lab.said()


def test_no_privilege_is_said(lab, tmp_path):
    lab.add_host(1)
    lab.add_host(2)
    path = write(tmp_path, "system: {control-socket: %s/socket}\n" % tmp_path + bridge_config([1, 2]))
    os.chmod(tmp_path, 0o777)
    os.chmod(path, 0o644)
    done = lab.in_switch("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                         "--inh-caps", "-all", os.path.abspath(MILLRACE), "run", path, check=False,
                         timeout=10)
    assert done.returncode == 1
    assert "CAP_NET_" in done.stderr or "privilege" in done.stderr


def test_no_memory_is_said(tmp_path):
    text = "system: {buffers: 16000000}\n" + GOOD
    done = subprocess.run(["prlimit", "--as=2000000000", os.path.abspath(MILLRACE), "run",
                           write(tmp_path, text)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20,
                          check=False)
    assert done.returncode == 1
    assert "memory" in done.stderr


def test_help_of_every_verb():
    for verb in ("run", "check", "show", "top", "trace", "capture", "gen", "bench"):
        done = run(os.path.abspath(MILLRACE), verb, "--help", check=False)
        assert done.returncode == 0
        assert verb in done.stdout
