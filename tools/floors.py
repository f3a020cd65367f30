#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Check that includes go downward only: a floor may include itself and lower ones.

Prints every include that does not, as file:line; nothing when all is well.
CONTRIBUTING.md draws the same picture for people.
"""
import os
import re
import sys

# Folder: the folders that it may include from, beside itself.
KIT = ["kit/base", "kit/packet", "kit/table", "kit/record", "kit/port", "kit/bpf", "kit/graph", "kit/flow"]
FLOORS = {
    "kit/base": [],
    "kit/packet": ["kit/base"],
    "kit/table": KIT[:2],
    "kit/record": KIT[:3],
    "kit/port": KIT[:4],
    "kit/bpf": KIT[:4],
    "kit/graph": KIT[:6],
    "kit/flow": KIT[:7],
    "model": ["kit/base"],
    "nf": KIT + ["model"],
    "control": KIT + ["model", "nf"],
    "bench": KIT + ["model", "nf", "control"],
    "cmd": KIT + ["model", "nf", "control", "bench"],
    "examples": KIT,
    "tests": KIT + ["model", "nf", "control", "cmd", "bench"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def floor_of(path):
    for floor in sorted(FLOORS, key=len, reverse=True):
        if path.startswith(floor + "/"):
            return floor
    return None


def main():
    status = 0
    for top in ("kit", "model", "nf", "control", "cmd", "bench", "examples", "tests"):
        for folder, _, names in os.walk(top):
            for name in sorted(names):
                if not name.endswith((".c", ".h")):
                    continue
                path = os.path.join(folder, name)
                floor = floor_of(path)
                # A test may look down from above: x_test.c and x_fuzz.c use any kit floor.
                test = re.search(r"_(test|fuzz)\.c$", name)
                with open(path, encoding="utf-8") as lines:
                    for number, line in enumerate(lines, 1):
                        match = INCLUDE.match(line)
                        if not match:
                            continue
                        target = match.group(1)
                        to = floor_of(target)
                        if to is None:
                            if not os.path.exists(target):
                                continue  # the build's own, or found beside a peer's headers
                            why = "is on no floor"
                        elif floor is None:
                            why = "from a file on no floor"
                        elif to == floor or to in FLOORS[floor]:
                            continue
                        elif test and floor.startswith("kit/") and to.startswith("kit/"):
                            continue
                        else:
                            why = "%s is above %s" % (to, floor)
                        print("%s:%d: \"%s\": %s" % (path, number, target, why))
                        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
