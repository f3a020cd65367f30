# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))

import lab as lab_module  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time or rates, so nothing runs beside it")
    config.addinivalue_line("markers", "slow: takes more than a few seconds; not in ./check --quick")


def _why_no_namespaces():
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    name = "mre%d" % os.getpid()
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return "needs network namespaces: " + made.stderr.strip()
    subprocess.run(["ip", "netns", "delete", name], check=False)
    return None


@pytest.fixture(scope="session")
def namespaces():
    why = _why_no_namespaces()
    if why:
        pytest.skip(why)


@pytest.fixture
def lab(namespaces):
    """An empty lab, taken away after the test whatever happens."""
    made = lab_module.Lab()
    yield made
    made.close()


@pytest.fixture
def switch(lab):
    """Three hosts on a running bridge."""
    for number in (1, 2, 3):
        lab.add_host(number)
    lab.start(lab_module.bridge_config([1, 2, 3]))
    yield lab
