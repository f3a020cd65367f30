#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Turn what a test runner wrote into one line per test, for ./check.

    results.py STAGE meson BUILD/meson-logs/testlog.json
    results.py STAGE junit RESULTS.xml

Prints lines "pass|fail|skip <tab> STAGE <tab> name <tab> reason" to standard
output, and what the failed tests said to standard error.
"""
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

# cmocka 1.1 writes TAP, except that a skipped test is "not ok 2 # SKIP name";
# later versions write "ok 2 - name # SKIP".
CASE = re.compile(r"^(not ok|ok) \d+ (?:- (\S+)(?: # SKIP ?(.*))?|# SKIP (\S+))\s*$")
PLAN = re.compile(r"^1\.\.(\d+)$")
SAID_LINES = 120


def row(stage, verdict, name, reason=""):
    print("\t".join((verdict, stage, name, " ".join(reason.split()))))


def cmocka_cases(stdout):
    """Yields (name, verdict, what it said) for each case of a cmocka program."""
    said = []
    planned = seen = 0
    for line in stdout.splitlines():
        plan = PLAN.match(line)
        case = CASE.match(line)
        if plan:
            planned += int(plan.group(1))
        elif case:
            seen += 1
            skipped = case.group(4) is not None or case.group(3) is not None
            verdict = "skip" if skipped else "pass" if case.group(1) == "ok" else "fail"
            yield case.group(2) or case.group(4), verdict, said
            said = []
        else:
            said.append(line)
    for number in range(seen + 1, planned + 1):
        yield "case %d (not reached: the program died before)" % number, "fail", said


def meson(stage, path):
    failed_programs = []
    with open(path, encoding="utf-8") as log:
        programs = [json.loads(line) for line in log]
    for program in programs:
        name = program["name"].split(" / ")[-1]
        stdout = program.get("stdout") or ""
        verdicts = []
        for case, verdict, said in cmocka_cases(stdout):
            verdicts.append(verdict)
            row(stage, verdict, "%s: %s" % (name, case), said[-1] if said and verdict == "skip" else "")
        bad = program["result"] not in ("OK", "SKIP")
        if not verdicts:
            verdict = "fail" if bad else "skip" if program["result"] == "SKIP" else "pass"
            said = stdout.strip().splitlines()
            row(stage, verdict, name, said[-1] if said and verdict == "skip" else "")
        elif bad and "fail" not in verdicts:
            row(stage, "fail", "%s: program" % name)
        if bad:
            failed_programs.append(program)
    for program in failed_programs:
        print("---- %s: %s" % (program["name"], program["result"]), file=sys.stderr)
        said = (program.get("stdout") or "") + (program.get("stderr") or "")
        lines = said.splitlines()
        if len(lines) > SAID_LINES:
            print("(%d lines before)" % (len(lines) - SAID_LINES), file=sys.stderr)
        print("\n".join(lines[-SAID_LINES:]), file=sys.stderr)


def junit(stage, path):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = "%s: %s" % (case.get("classname", "").split(".")[-1], case.get("name"))
        skipped = case.find("skipped")
        wrong = [part for part in case if part.tag in ("failure", "error")]
        if wrong:
            row(stage, "fail", name)
            print("---- %s\n%s" % (name, wrong[0].text or wrong[0].get("message")), file=sys.stderr)
        elif skipped is not None:
            row(stage, "skip", name, skipped.get("message", ""))
        else:
            row(stage, "pass", name)


if __name__ == "__main__":
    {"meson": meson, "junit": junit}[sys.argv[2]](sys.argv[1], sys.argv[3])
