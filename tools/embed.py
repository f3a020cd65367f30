#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a C file that holds a YANG module's text: embed.py X.yang OUTPUT [SYMBOL].

The text is `const char mr_yang_X[]`, with - in X as _, or `const char SYMBOL[]`.
"""
import os
import sys

path, output, *symbol = sys.argv[1:]
symbol = symbol[0] if symbol else "mr_yang_" + os.path.splitext(os.path.basename(path))[0].replace("-", "_")
with open(path, encoding="utf-8") as file:
    lines = file.read().splitlines()

def quote(line):
    out = []
    for byte in (line + "\n").encode("utf-8"):
        char = chr(byte)
        if char == "\n":
            out.append("\\n")
        elif char in '"\\?':  # ? because of trigraphs
            out.append("\\" + char)
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append("\\%03o" % byte)
    return '"%s"' % "".join(out)

with open(output, "w", encoding="ascii") as file:
    file.write("/* Written by the build (tools/embed.py). */\n")
    file.write("extern const char %s[];\nconst char %s[] =\n" % (symbol, symbol))
    file.write("\n".join("    " + quote(line) for line in lines) + ";\n")
