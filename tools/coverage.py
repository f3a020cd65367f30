#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Print gcovr's summary (--json-summary FILE) as one line per folder and a total."""
import json
import os
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as summary:
        files = json.load(summary)["files"]
    folders = {}
    for entry in files:
        folder = os.path.dirname(entry["filename"])
        lines = folders.setdefault(folder, [0, 0])
        lines[0] += entry["line_covered"]
        lines[1] += entry["line_total"]
    folders = {folder: lines for folder, lines in folders.items() if lines[1]}
    folders_in_order = sorted(folders.items())
    covered = sum(lines[0] for lines in folders.values())
    total = sum(lines[1] for lines in folders.values())
    for folder, lines in folders_in_order + [("all", [covered, total])]:
        if lines[1]:
            print("%-14s %5.1f %% of %d lines" % (folder, 100.0 * lines[0] / lines[1], lines[1]))


if __name__ == "__main__":
    main()
