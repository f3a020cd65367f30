# SPDX-License-Identifier: Apache-2.0
"""Every configuration that a page shows is one that millrace takes."""
import glob
import os
import re

import pytest

from lab import MILLRACE, run

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGES = sorted(glob.glob(ROOT + "/nf/**/*.md", recursive=True)) + [
    ROOT + "/docs/flow-export.md", ROOT + "/docs/telemetry.md"]


def blocks(page):
    with open(page, encoding="utf-8") as file:
        return re.findall(r"^```yaml\n(.*?)^```", file.read(), re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: os.path.basename(page)[:-3])
def test_examples(page, tmp_path):
    for number, text in enumerate(blocks(page)):
        path = tmp_path / ("%d.yaml" % number)
        path.write_text(text)
        done = run(os.path.abspath(MILLRACE), "check", str(path), check=False)
        assert done.returncode == 0, "%s\n%s" % (done.stderr, text)
