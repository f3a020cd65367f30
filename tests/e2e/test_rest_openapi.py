# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI description: well formed by JSON Schema's own validator, and true of what is answered."""
import json
import re
import subprocess

import pytest

from lab import MILLRACE
from rest_lab import Rest

jsonschema = pytest.importorskip("jsonschema")

# What OpenAPI 3.1 asks of the parts that we use; its schemas are JSON Schema 2020-12.
REFERENCE = {"type": "object", "required": ["$ref"], "properties": {"$ref": {"type": "string", "pattern": "^#/"}}}
CONTENT = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": "^[a-z]+/[a-z.+-]+$"},
           "additionalProperties": {"type": "object", "required": ["schema"], "properties": {
               "schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}}
RESPONSE = {"oneOf": [REFERENCE, {"type": "object", "required": ["description"], "additionalProperties": False,
                                  "properties": {"description": {"type": "string"}, "content": CONTENT}}]}
PARAMETER = {"oneOf": [REFERENCE, {
    "type": "object", "required": ["name", "in", "schema"], "additionalProperties": False, "properties": {
        "name": {"type": "string"}, "in": {"enum": ["query", "header", "path"]}, "description": {"type": "string"},
        "required": {"type": "boolean"}, "schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}},
    "if": {"properties": {"in": {"const": "path"}}}, "then": {"required": ["required"]}}]}
OPERATION = {"type": "object", "required": ["responses"], "additionalProperties": False, "properties": {
    "tags": {"type": "array", "items": {"type": "string"}}, "description": {"type": "string"},
    "security": {"type": "array"}, "parameters": {"type": "array", "items": PARAMETER},
    "requestBody": {"type": "object", "required": ["content"], "properties": {"content": CONTENT}},
    "responses": {"type": "object", "minProperties": 1, "additionalProperties": RESPONSE,
                  "propertyNames": {"pattern": "^([1-5][0-9][0-9]|default)$"}}}}
PATH = {"type": "object", "additionalProperties": False, "properties": dict(
    {"description": {"type": "string"}, "parameters": {"type": "array", "items": PARAMETER}},
    **{method: OPERATION for method in ("get", "put", "post", "delete", "patch")})}
OPENAPI = {"type": "object", "required": ["openapi", "info", "paths", "components"], "properties": {
    "openapi": {"const": "3.1.0"},
    "info": {"type": "object", "required": ["title", "version"]},
    "paths": {"type": "object", "propertyNames": {"pattern": "^/"}, "additionalProperties": PATH},
    "components": {"type": "object", "properties": {
        "schemas": {"propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"}, "additionalProperties": {
            "$ref": "https://json-schema.org/draft/2020-12/schema"}},
        "responses": {"additionalProperties": RESPONSE}, "parameters": {"additionalProperties": PARAMETER}}}}}


@pytest.fixture(scope="module")
def described():
    return json.loads(subprocess.run([MILLRACE, "openapi"], capture_output=True, check=True).stdout)


def test_well_formed(described):
    jsonschema.Draft202012Validator(OPENAPI).validate(described)


def references(value):
    if isinstance(value, dict):
        for key, inside in value.items():
            if key == "$ref":
                yield inside
            yield from references(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from references(inside)


def test_every_reference_is_there(described):
    seen = set(references(described))
    assert len(seen) > 100
    for reference in seen:
        at = described
        for step in reference[2:].split("/"):
            at = at[step]


def test_path_parameters_are_declared_once(described):
    for path, item in described["paths"].items():
        declared = [p["name"] for p in item.get("parameters", []) if p.get("in") == "path"]
        assert sorted(re.findall(r"\{([^}]+)\}", path)) == sorted(declared), path


def test_values_are_described(described):
    schemas = described["components"]["schemas"]
    mtu = schemas["interface"]["properties"]["mtu"]
    assert mtu["type"] == "integer" and mtu["minimum"] < mtu["maximum"] and mtu["description"]
    mode = schemas["system"]["properties"]["mode"]
    assert mode["enum"] == ["adaptive", "poll"] and mode["default"] == "adaptive"
    assert schemas["interface.counters"]["properties"]["rx-packets"]["readOnly"]
    assert schemas["bridge"]["required"] == ["name"]
    apply = described["paths"]["/restconf/operations/millrace-commit:apply"]["post"]
    assert "millrace-commit:input" in json.dumps(apply)
    entry = described["paths"]["/restconf/data/millrace-interface:interface={interface.name}"]
    assert set(entry) >= {"get", "put", "patch", "delete"}
    assert "put" not in described["paths"][
        "/restconf/data/millrace-interface:interface={interface.name}/counters"]


def test_true_of_what_is_answered(described):
    """Configuration and state of a running data plane are as described."""
    rest = Rest({"interface": {"a": {"driver": "null", "mtu": 1400}, "b": {"driver": "null"}},
                 "bridge": {"br0": {"interface": {"a": {}}, "ageing-time": 300}}})
    try:
        assert json.loads(rest.get("/openapi.json").body) == described
        for path, name in (("/millrace-interface:interface=a", "interface"),
                           ("/millrace-bridge:bridge=br0", "bridge"), ("/millrace-system:system", "system"),
                           ("/millrace-rest:rest", "rest")):
            value = list(rest.get("/restconf/data" + path).json().values())[0]
            value = value[0] if isinstance(value, list) else value
            validator = jsonschema.Draft202012Validator(
                {"$ref": "#/components/schemas/" + name, "components": described["components"]})
            validator.validate(value)
            # And it can say no.
            with pytest.raises(jsonschema.ValidationError):
                validator.validate(dict(value, nonsense=1))
    finally:
        rest.close()
