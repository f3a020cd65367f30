#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a C file that holds the dashboard: embed_web.py OUTPUT FILE...

Each file's bytes, its media type and a tag that changes with its content, as `const struct web_file web_files[]` (control/web/web_int.h).
"""
import hashlib
import os
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

output, *paths = sys.argv[1:]


def array(name, data):
    lines = ["static const unsigned char %s[] = {" % name]
    for at in range(0, len(data), 24):
        lines.append("\t" + "".join("%d," % byte for byte in data[at:at + 24]))
    return "\n".join(lines + ["};\n"])


entries = []
with open(output, "w", encoding="ascii") as out:
    out.write("/* Written by the build (tools/embed_web.py). */\n")
    out.write('#include "control/web/web_int.h"\n\n')
    for number, path in enumerate(sorted(paths)):
        with open(path, "rb") as file:
            plain = file.read()
        out.write(array("file_%d" % number, plain))
        entries.append('\t{ "%s", "%s", "%s", file_%d, sizeof(file_%d) },' % (
            os.path.basename(path), TYPES[os.path.splitext(path)[1]],
            hashlib.sha256(plain).hexdigest()[:16], number, number))
    out.write("const struct web_file web_files[] = {\n%s\n\t{ 0 },\n};\n" % "\n".join(entries))
