#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The reference part of docs/configuration.md, from the YANG modules in the tree.

    tools/yang_doc.py           writes it
    tools/yang_doc.py --check   says whether it is up to date

It understands as much YANG as the modules use: containers, lists, leaves,
leaf-lists, choices, typedefs, groupings, augments.
"""
import glob
import re
import sys

DOC = "docs/configuration.md"
BEGIN = "<!-- reference: written by tools/yang_doc.py (make format) -->\n"
END = "<!-- end of reference -->\n"
TOKEN = re.compile(r"""
    \s+ | //[^\n]* | /\*.*?\*/ |
    (?P<double>"(?:[^"\\]|\\.)*") | (?P<single>'[^']*') | (?P<mark>[{};]) | (?P<plus>\+(?=\s)) |
    (?P<word>[^\s{};"']+)""", re.X | re.S)


class Statement:
    def __init__(self, keyword, argument, body):
        self.keyword, self.argument, self.body = keyword, argument, body

    def get(self, keyword, default=None):
        for statement in self.body:
            if statement.keyword == keyword:
                return statement.argument
        return default

    def all(self, *keywords):
        return [statement for statement in self.body if statement.keyword in keywords]


def tokens(text):
    """(is a mark, text), strings joined."""
    out = []
    plus = False
    for match in TOKEN.finditer(text):
        if match.group("plus"):
            plus = True
            continue
        if match.group("double"):
            value = " ".join(match.group("double")[1:-1].replace('\\"', '"').split())
        elif match.group("single"):
            value = match.group("single")[1:-1]
        elif match.group("word"):
            value = match.group("word")
        elif match.group("mark"):
            out.append((True, match.group("mark")))
            continue
        else:
            continue
        if plus:
            out[-1] = (False, out[-1][1] + value)
            plus = False
        else:
            out.append((False, value))
    return out


def parse(stream):
    """Statements up to the closing brace or the end."""
    body = []
    while stream:
        mark, word = stream.pop(0)
        if mark and word == "}":
            break
        argument = stream.pop(0)[1] if not stream[0][0] else None
        _, after = stream.pop(0)
        body.append(Statement(word, argument, parse(stream) if after == "{" else []))
    return body


def local(name):
    return name.split(":")[-1]


def narrowed(statement, words):
    """A type in words, with what restricts it."""
    limit = statement.get("range") or statement.get("length")
    if limit:
        words += " " + limit.replace("..", " to ").replace("|", ", ")
    return words


def type_text(statement, typedefs):
    kind = local(statement.argument)
    if kind == "enumeration":
        return ", ".join("`%s`" % enum.argument for enum in statement.all("enum"))
    if kind == "leafref":
        return "name: `%s`" % re.sub(r"[\w-]+:", "", statement.get("path"))
    if kind == "union":
        return " or ".join(type_text(one, typedefs) for one in statement.all("type"))
    if kind in typedefs:
        inner = typedefs[kind].all("type")[0]
        return type_text(inner, typedefs) if local(inner.argument) in ("enumeration", "leafref") \
            else narrowed(statement, kind.replace("-", " "))
    words = {"string": "text", "boolean": "true, false", "empty": "present or not"}.get(kind, "number")
    return words if words != "number" else narrowed(statement, words)


class Reference:
    def __init__(self, modules):
        self.typedefs, self.groupings, self.lines = {}, {}, []
        for module in modules:
            for statement in module.all("typedef"):
                self.typedefs[statement.argument] = statement
            for statement in module.all("grouping"):
                self.groupings[statement.argument] = statement

    def nodes(self, body):
        """Data nodes of a body, in order; choices, cases and groupings opened up."""
        for statement in body:
            if statement.keyword in ("choice", "case"):
                yield from self.nodes(statement.body)
            elif statement.keyword == "uses":
                yield from self.nodes(self.groupings[local(statement.argument)].body)
            elif statement.keyword in ("container", "list", "leaf", "leaf-list"):
                yield statement

    def rows(self, statement, path):
        for node in self.nodes(statement.body):
            if node.get("config") == "false":
                continue
            name = "%s%s" % (path, node.argument)
            key = statement.get("key", "").split() if statement.keyword == "list" else []
            if node.argument in key:
                continue
            said = (node.get("description") or "").replace("|", "\\|")
            if node.keyword in ("leaf", "leaf-list"):
                kind = type_text(node.all("type")[0], self.typedefs)
                if node.keyword == "leaf-list":
                    kind = "list of: " + kind
                if node.get("units"):
                    kind += ", " + node.get("units")
                default = node.get("default")
                if node.get("mandatory") == "true":
                    said += " Must be given."
                self.lines.append("| `%s` | %s | %s | %s |" % (
                    name, kind, "`%s`" % default if default is not None else "", said))
            else:
                keys = "".join(".<%s>" % key for key in (node.get("key") or "").split())
                self.lines.append("| `%s%s` | | | %s |" % (name, keys, said))
                self.rows(node, name + keys + ".")

    def section(self, node, path):
        keys = "".join(".<%s>" % key for key in (node.get("key") or "").split())
        self.lines += ["### `%s%s`" % (path, keys), "", node.get("description", ""), "",
                       "| key | value | when absent | meaning |", "| --- | --- | --- | --- |"]
        self.rows(node, "")
        self.lines.append("")


def reference():
    modules = []
    for path in sorted(glob.glob("model/*.yang")) + sorted(glob.glob("nf/**/*.yang", recursive=True)) \
            + sorted(glob.glob("control/**/*.yang", recursive=True)):
        with open(path, encoding="utf-8") as file:
            modules += parse(tokens(file.read()))
    out = Reference(modules)
    for module in modules:
        for node in out.nodes(module.body):
            if node.get("config") != "false":
                out.section(node, node.argument)
        for augment in module.all("augment"):
            path = re.sub(r"[\w-]+:", "", augment.argument).strip("/").replace("/", ".")
            augment.body.append(Statement("description", "Added by the module %s." % module.argument, []))
            out.section(augment, path)
    return BEGIN + "\n" + "\n".join(out.lines) + "\n" + END


def main():
    with open(DOC, encoding="utf-8") as file:
        text = file.read()
    new = text[:text.index(BEGIN)] + reference() + text[text.index(END) + len(END):]
    if "--check" in sys.argv:
        if new != text:
            print("%s: not what the YANG modules say; make format writes it" % DOC)
        return new != text
    with open(DOC, "w", encoding="utf-8") as file:
        file.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
