# SPDX-License-Identifier: Apache-2.0
"""The examples that are scripts do what they say, end by themselves, and leave nothing behind."""
import os
import signal
import subprocess
import time

import pytest

from lab import MILLRACE

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = ["cgnat", "home-gateway", "load-balancer", "vxlan"]


def begin(name):
    # An ignored SIGINT would be inherited, and a shell cannot trap what it inherits so.
    return subprocess.Popen([os.path.join(ROOT, "examples", name)], text=True, stdin=subprocess.DEVNULL,
                            env=dict(os.environ, MILLRACE=os.path.abspath(MILLRACE)),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def left_behind(process):
    mine = "mrx%d-" % process.pid
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    return [line for line in names.splitlines() if mine in line]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(namespaces, name):
    process = begin(name)
    said = process.communicate(timeout=90)[0]
    assert left_behind(process) == []
    if process.returncode == 77:
        pytest.skip(said.strip().splitlines()[-1])
    assert process.returncode == 0 and said.endswith("%s: ok\n" % name), said


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_example_cleans_up_after_interrupt(namespaces, name):
    process = begin(name)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode in (130, 77)
    assert left_behind(process) == []
