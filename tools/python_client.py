#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""python/millrace/model.py, the data model as Python types, from the YANG modules in the tree.

    tools/python_client.py           writes it
    tools/python_client.py --check   says whether it is up to date
"""
import glob
import keyword
import re
import sys
import textwrap

import yang_doc

OUTPUT = "python/millrace/model.py"
HEAD = '''# SPDX-License-Identifier: Apache-2.0
"""The data model as types. Written by tools/python_client.py from the YANG modules: do not edit.

For each container and list there is a dictionary's type, with the model's names as keys, and a
path's type, with them as attributes (a hyphen is an underscore):

    config.interface["lan1"].mtu
"""
from typing import List, Literal, TypedDict, Union

from .paths import Container
from .paths import container as _container
from .paths import entries as _entries
from .paths import leaf as _leaf

'''
NUMBERS = {"int8": "int", "int16": "int", "int32": "int", "uint8": "int", "uint16": "int", "uint32": "int",
           "int64": "int64", "uint64": "int64", "decimal64": "real"}
PYTHON = {"int": "int", "int64": "int", "real": "float", "bool": "bool", "empty": "bool", "text": "str"}


class Writer(yang_doc.Reference):
    """Walks all modules; each class is written behind those that it holds."""

    def __init__(self, modules):
        super().__init__(modules)
        self.augments = {}
        for module in modules:
            for augment in module.all("augment"):
                path = re.sub(r"[\w-]+:", "", augment.argument).strip("/")
                self.augments.setdefault(path, []).append((module.argument, augment))

    def kind(self, statement):
        """(how JSON has it, the Python type) of a type statement."""
        name = yang_doc.local(statement.argument)
        if name in self.typedefs:
            return self.kind(self.typedefs[name].all("type")[0])
        if name in NUMBERS:
            return NUMBERS[name], PYTHON[NUMBERS[name]]
        if name == "enumeration":
            return "text", "Literal[%s]" % ", ".join('"%s"' % one.argument for one in statement.all("enum"))
        if name == "boolean":
            return "bool", "bool"
        if name == "empty":
            return "empty", "bool"
        if name == "union":
            members = [self.kind(one) for one in statement.all("type")]
            kinds = sorted({kind for kind, _ in members})
            if kinds == ["text"]:
                return "text", "str"
            return "any", "Union[%s]" % ", ".join(sorted({PYTHON.get(kind, "str") for kind in kinds}))
        return "text", "str"

    def children(self, statement, path):
        """(node, the module that it is written with, or nothing for its parent's)."""
        for node in self.nodes(statement.body):
            yield node, ""
        for module, augment in self.augments.get(path, []):
            for node in self.nodes(augment.body):
                yield node, module

    def write(self, name, path, children, doc):
        """One container or entry: its dictionary and its path. `name` is the class."""
        fields, attributes = [], []
        for node, module in children:
            words = "".join(word.capitalize() for word in re.split("[-.]", node.argument))
            child = words if name == "Data" else name + words
            attribute = re.sub("[-.]", "_", node.argument)
            attribute += "_" if keyword.iskeyword(attribute) else ""
            where = ', "%s"' % module if module else ""
            if node.keyword in ("leaf", "leaf-list"):
                kind, python = self.kind(node.all("type")[0])
                if node.keyword == "leaf-list":
                    kind, python = "*" + kind, "List[%s]" % python
                attributes.append('    %s = _leaf[%s]("%s", "%s"%s)' % (attribute, python, node.argument, kind, where))
            else:
                below = (path + "/" if path else "") + node.argument
                self.write(child, below, self.children(node, below), node.get("description"))
                if node.keyword == "container":
                    python = child
                    attributes.append('    %s = _container("%s", %sPath%s)' % (attribute, node.argument, child, where))
                else:
                    python = "List[%s]" % child
                    attributes.append('    %s = _entries[%sPath, %s]("%s", %sPath, "%s"%s)' % (
                        attribute, child, child, node.argument, child, node.get("key", ""), where))
            fields.append('    "%s": %s,' % (node.argument, python))
        said = textwrap.wrap((doc or "").replace('"', "'"), 100, subsequent_indent="    ")
        self.lines += ['%s = TypedDict("%s", {' % (name, name)] + fields + ["}, total=False)", "", "",
                       "class %sPath(Container[%s]):" % (name, name),
                       '    """%s"""' % "\n".join(said), ""] + attributes + ["", ""]


def model():
    modules = []
    for folder in ("model", "nf/**", "control/**"):
        for path in sorted(glob.glob(folder + "/*.yang", recursive=True)):
            with open(path, encoding="utf-8") as file:
                modules += yang_doc.parse(yang_doc.tokens(file.read()))
    out = Writer(modules)
    top = [(node, module.argument) for module in modules for node in out.nodes(module.body)]
    out.write("Data", "", top, "Everything that can be configured, and what is reported.")
    return HEAD + "\n" + "\n".join(out.lines) + "config = DataPath()\n"


def main():
    new = model()
    if "--check" in sys.argv:
        try:
            with open(OUTPUT, encoding="utf-8") as file:
                same = file.read() == new
        except FileNotFoundError:
            same = False
        if not same:
            print("%s: not what the YANG modules say; make format writes it" % OUTPUT)
        return not same
    with open(OUTPUT, "w", encoding="utf-8") as file:
        file.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
