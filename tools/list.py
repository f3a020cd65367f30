#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print the C file that lists what the build found: list.py KIND HEADER NAME...

Each NAME is a folder's or file's descriptor `mr_KIND_NAME`; the header declares
`struct mr_KIND` and `extern const struct mr_KIND *const mr_KIND_list[]`.
"""
import sys

kind, header, *names = sys.argv[1:]
print("/* Written by the build (tools/list.py): every %s, ended by a null. */" % kind)
print('#include "%s"\n' % header)
for name in names:
    print("extern const struct mr_%s mr_%s_%s;" % (kind, kind, name))
print("\nconst struct mr_%s *const mr_%s_list[] = {" % (kind, kind))
for name in names:
    print("\t&mr_%s_%s," % (kind, name))
print("\t0,\n};")
