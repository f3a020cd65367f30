#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The verb's contract: contract_test.py [--few] PROGRAM [ARGUMENT...]

Every row that is listed gives one object with the agreed keys, or says why not. With --few,
rows that mostly fill full tables are left out: for builds in which
filling those tables takes minutes.
"""
import json
import re
import subprocess
import sys

few = sys.argv[1] == "--few"
command = sys.argv[2:] if few else sys.argv[1:]
large = re.compile(r"-(64k|128k|1m|8m|load|flap|memory|update6)$|^ip[46]-1$|^nat-kernel$")


def bench(*args):
    return subprocess.run(command + list(args), capture_output=True, text=True)


def check_side(side, named):
    wanted = {"min", "median", "max", "windows"} | ({"name"} if named else set())
    assert set(side) == wanted, side
    assert 0 <= side["min"] <= side["median"] <= side["max"], side
    assert side["windows"] >= 3, side


listed = bench("--list")
assert listed.returncode == 0
names = [line.split()[0] for line in listed.stdout.splitlines()]
assert len(names) == len(set(names)) and {"pool", "ring-spsc-same", "forward"} <= set(names), names

# Up to half a minute each; on request.
slow = re.compile(r"-8m$|^(nat|cgnat|lb|lb-ipip|chain-rewrite)-(64k|128k|1m)$|^nat-setup$|^acl-10+k(-graph)?$")
names = [name for name in names if not slow.search(name)]
if few:
    names = [name for name in names if not large.search(name)]
done = bench(*names, "--peer", "none", "--seconds", "0.01", "--window", "20", "--json")
assert done.returncode == 0, done.stderr
rows = json.loads(done.stdout)
assert [row["row"] for row in rows] == names
for row in rows:
    assert row["better"] == ("more" if row["unit"] in ("Mpps", "Mupdates/s") else "less"), row
    assert row["unit"] and row["config"] and row["tsc_hz"] > 1e6, row
    if "skipped" in row:
        print("%s: skipped: %s" % (row["row"], row["skipped"]))
        continue
    check_side(row["ours"], False)
    assert row["peer"] is None and row["ratio_peer"] is None, row
    if row["floor"] is None:
        assert row["ratio_floor"] is None, row
    else:
        check_side(row["floor"], False)
        # Medians are rounded to three digits behind the point, which tells where they are small.
        slack = 0.02 + 0.0005 / row["ours"]["median"] + 0.0005 / row["floor"]["median"]
        ratio = row["ours"]["median"] / row["floor"]["median"]
        assert abs(row["ratio_floor"] - ratio) < slack * row["ratio_floor"] + 0.002, row

# A peer, where it is there, or the reason why not.
row = json.loads(bench("pool", "--seconds", "0.01", "--window", "20", "--json").stdout)[0]
if row["peer"] is None:
    assert row["peer_skipped"], row
else:
    check_side(row["peer"], True)
    assert row["ratio_peer"] > 0, row
row = json.loads(bench("pool", "--peer", "nobody", "--seconds", "0.01", "--window", "20", "--json").stdout)[0]
assert row["peer_skipped"] == "this row has no peer nobody", row

# For people.
text = bench("pool", "--peer", "none", "--seconds", "0.01", "--window", "20").stdout.splitlines()
assert text[0].split()[:4] == ["row", "ours", "floor", "peer"] and text[1].startswith("pool "), text

# Mistakes.
for args, said in (((), "usage"), (("no-such-row",), "no row is called no-such-row"),
                   (("pool", "--seconds", "x"), "--seconds x"),
                   (("pool", "--window", "0"), "--window 0"), (("--nonsense",), "usage")):
    result = bench(*args)
    assert result.returncode == 2 and said in result.stderr and not result.stdout, result
print("%d rows" % len(rows))
