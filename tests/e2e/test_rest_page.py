# SPDX-License-Identifier: Apache-2.0
"""What docs/rest.md shows works, as it stands there."""
import os
import re
import subprocess

from lab import MILLRACE
from rest_lab import free_port

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "rest.md")


def blocks(language):
    with open(PAGE, encoding="utf-8") as file:
        return re.findall(r"^```%s\n(.*?)^```" % language, file.read(), re.M | re.S)


def test_commands(tmp_path):
    script = "set -eu\nset -o pipefail\ntrap 'kill $(jobs -p)' EXIT\n" + "\necho\n".join(blocks("sh"))
    script = script.replace("8080", str(free_port()))
    path = os.path.dirname(os.path.abspath(MILLRACE)) + ":" + os.environ["PATH"]
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=dict(os.environ, PATH=path),
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ('"name":"br0"', '"mtu":1300', "event: commit", "event: state", '"comment":"smaller"'):
        assert words in done.stdout.replace('"new":"1300"', '"mtu":1300'), done.stdout


def test_configurations(tmp_path):
    for number, text in enumerate(blocks("yaml")):
        path = tmp_path / ("%d.yaml" % number)
        path.write_text(text)
        subprocess.run([MILLRACE, "check", str(path)], check=True)
