# SPDX-License-Identifier: Apache-2.0
"""./demo does what it says, ends by itself, and leaves nothing behind."""
import os
import re
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.alone

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def demo(**environment):
    # An ignored SIGINT would be inherited, and a shell cannot trap what it inherits so.
    return subprocess.Popen(["./demo"], cwd=ROOT, env=dict(os.environ, **environment), text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def left_behind(process):
    """Namespaces and programs of this demo that are still there."""
    mine = "mrd%d" % process.pid
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    programs = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in (names + programs).splitlines() if mine in line]


def test_demo_ends_with_a_summary(namespaces):
    start = time.monotonic()
    process = demo()
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert time.monotonic() - start < 30  # 20 s, and what the build needs to see that it is up to date
    last = said.strip().splitlines()[-1]
    assert re.match(r"demo: [\d,]+ packets in, \d+ dropped, .* ping 0 % lost, .*http ok$", last), said
    assert left_behind(process) == []


def test_demo_without_privilege():
    process = demo(MR_DEMO="capture")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert "no privilege" in said
    assert re.search(r"demo: 89 received, \d+ created, \d+ sent, 0 dropped, 0 held$", said.strip())
    # Broadcasts, and what the others say to this host alone; more where the machine was
    # so busy that a file was read before the switch knew the other hosts.
    received = [int(count) for count in re.findall(r"sent, (\d+) received", said)]
    assert len(received) == 3 and all(map(int.__ge__, received, [35, 14, 46])), said


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.3, 2, 4])
def test_demo_cleans_up_after_interrupt(namespaces, delay):
    process = demo()
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert left_behind(process) == []
