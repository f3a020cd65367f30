# SPDX-License-Identifier: Apache-2.0
import os
import subprocess

import pytest

import bed as bed_module
import nat_bed


def _why_not():
    if os.geteuid() != 0:
        return "needs root: network namespaces"
    name = "mrc%d-t" % os.getpid()
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return "needs network namespaces: " + made.stderr.strip()
    subprocess.run(["ip", "netns", "delete", name], check=False)
    return None


@pytest.fixture(scope="session")
def bed():
    """The router that all tables run against."""
    why = _why_not()
    if why:
        pytest.skip(why)
    made = bed_module.Bed()
    try:
        made.start()
        yield made
    except BaseException:
        made.close()
        raise
    assert made.close() == 0


@pytest.fixture(scope="module")
def nat_ends(request):
    """How the rows of a file about translators have ended, each on the translators that it names."""
    why = _why_not()
    if why:
        pytest.skip(why)
    made = nat_bed.NatBed(request.module.KINDS, getattr(request.module, "NAT", {}))
    try:
        made.start()
        yield nat_bed.run_all(made, request.module.CASES)
    except BaseException:
        made.close()
        raise
    assert made.close() == 0
