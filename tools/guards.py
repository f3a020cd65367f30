#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Check that kit/base/ring.h is guarded by MR_KIT_BASE_RING_H, and so on."""
import os
import re

for top in ("kit", "model", "nf", "control", "cmd", "bench", "tests"):
    for folder, _, names in os.walk(top):
        for name in sorted(names):
            if name.endswith(".h"):
                path = os.path.join(folder, name)
                guard = "MR_" + re.sub(r"[^A-Z0-9]", "_", path.upper())
                with open(path, encoding="utf-8") as lines:
                    text = lines.read()
                if "#ifndef %s\n#define %s\n" % (guard, guard) not in text:
                    print("%s: wants the guard %s" % (path, guard))
