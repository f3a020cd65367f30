# SPDX-License-Identifier: Apache-2.0
"""Paths in the data model, typed by what is found there.

A path knows how its values look in JSON by RFC 7951 (64-bit numbers as strings, module names at the
top) and turns them into plain Python and back.
"""
from typing import Any, Dict, Generic, List, Optional, Tuple, Type, TypeVar, Union
from typing import overload
from urllib.parse import quote

T = TypeVar("T")
P = TypeVar("P", bound="Path[Any]")
D = TypeVar("D")
Key = Union[str, int]


class Path(Generic[T]):
    """Where something is; T is what is found there."""

    def __init__(self, above: "Optional[Path[Any]]", step: str, module: str) -> None:
        self._above, self._step, self._module = above, step, module
        self._keys: Optional[Tuple[Key, ...]] = None  # of an entry
        self._key_names: List[str] = []

    def _steps(self) -> "List[Path[Any]]":
        steps = self._above._steps() if self._above else []
        return steps + [self] if self._step else steps

    def __str__(self) -> str:
        """As people write it: interface/lan1/mtu."""
        return "/".join("/".join([step._step] + [str(key) for key in step._keys or ()]) for step in self._steps())

    def __repr__(self) -> str:
        return "<%s %s>" % (type(self).__name__, self)

    def _name(self) -> str:
        """With its module, as the outermost member of a message has it."""
        return "%s:%s" % (self._module, self._step)

    def _decode(self, value: Any) -> Any:
        raise NotImplementedError

    def _encode(self, value: Any) -> Any:
        raise NotImplementedError

    def _is_entry(self) -> bool:
        return self._keys is not None


def resource(path: "Path[Any]") -> str:
    """As RFC 8040 writes it in a URL: millrace-interface:interface=lan1/mtu."""
    parts, module = [], ""
    for step in path._steps():
        part = step._step if step._module == module else step._name()
        module = step._module
        if step._keys is not None:
            part += "=" + ",".join(quote(str(key), safe="") for key in step._keys)
        parts.append(part)
    return "/".join(parts)


class Leaf(Path[T]):
    """One value, or the list of values of a leaf-list."""

    def __init__(self, above: "Path[Any]", step: str, module: str, kind: str) -> None:
        super().__init__(above, step, module)
        self._kind = kind

    def _decode(self, value: Any) -> Any:
        return _decode_leaf(self._kind, value)

    def _encode(self, value: Any) -> Any:
        return _encode_leaf(self._kind, value)


class Container(Path[T]):
    """A container, or one entry of a list."""

    @classmethod
    def _schema(cls) -> "Dict[str, _Child]":
        """What stands below, by the model's names."""
        found: "Optional[Dict[str, _Child]]" = cls.__dict__.get("_children")
        if found is None:
            found = {child.step: child for child in vars(cls).values() if isinstance(child, _Child)}
            cls._children = found
        return found

    _children: "Optional[Dict[str, _Child]]" = None

    def __init__(self, above: "Optional[Path[Any]]" = None, step: str = "", module: str = "") -> None:
        super().__init__(above, step, module)

    def _decode(self, value: Any) -> Any:
        return _decode_members(type(self), value)

    def _encode(self, value: Any) -> Any:
        # An entry's keys are known from its path.
        return _encode_members(type(self), {**dict(zip(self._key_names, self._keys or ())), **value}, self._module)


class ListOf(Path[List[T]], Generic[P, T]):
    """A list as a whole; [key] is the path of one entry."""

    def __init__(self, above: "Path[Any]", step: str, module: str, entry: "Type[P]", keys: str) -> None:
        super().__init__(above, step, module)
        self._entry = entry
        self._key_names = keys.split()

    def __getitem__(self, key: "Union[Key, Tuple[Key, ...]]") -> P:
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) != len(self._key_names):
            raise KeyError("an entry of %s is named by: %s" % (self, ", ".join(self._key_names)))
        entry = self._entry(self._above, self._step, self._module)
        entry._keys, entry._key_names = keys, self._key_names
        return entry

    def _decode(self, value: Any) -> Any:
        return [_decode_members(self._entry, one) for one in value]

    def _encode(self, value: Any) -> Any:
        return [_encode_members(self._entry, one, self._module) for one in value]


# -- what the classes of the model are made of ---------------------------------------------------


class _Child:
    """What stands below a container; its module when that is not the container's."""

    def __init__(self, step: str, module: str) -> None:
        self.step, self.module = step, module

    def place(self, above: "Path[Any]") -> "Tuple[Path[Any], str, str]":
        return above, self.step, self.module or above._module

    def decode(self, value: Any) -> Any:
        raise NotImplementedError

    def encode(self, value: Any, module: str) -> Any:
        raise NotImplementedError


class leaf(_Child, Generic[T]):  # pylint: disable=invalid-name
    def __init__(self, step: str, kind: str, module: str = "") -> None:
        super().__init__(step, module)
        self.kind = kind

    @overload
    def __get__(self: D, above: None, owner: Any) -> D: ...
    @overload
    def __get__(self, above: "Path[Any]", owner: Any) -> Leaf[T]: ...

    def __get__(self, above: Any, owner: Any) -> Any:
        return self if above is None else Leaf[T](*self.place(above), self.kind)

    def decode(self, value: Any) -> Any:
        return _decode_leaf(self.kind, value)

    def encode(self, value: Any, module: str) -> Any:
        return _encode_leaf(self.kind, value)


class container(_Child, Generic[P]):  # pylint: disable=invalid-name
    def __init__(self, step: str, cls: Type[P], module: str = "") -> None:
        super().__init__(step, module)
        self.cls = cls

    @overload
    def __get__(self: D, above: None, owner: Any) -> D: ...
    @overload
    def __get__(self, above: "Path[Any]", owner: Any) -> P: ...

    def __get__(self, above: Any, owner: Any) -> Any:
        return self if above is None else self.cls(*self.place(above))

    def decode(self, value: Any) -> Any:
        return _decode_members(self.cls, value)

    def encode(self, value: Any, module: str) -> Any:
        return _encode_members(self.cls, value, module)


class entries(_Child, Generic[P, T]):  # pylint: disable=invalid-name
    def __init__(self, step: str, cls: Type[P], keys: str, module: str = "") -> None:
        super().__init__(step, module)
        self.cls, self.keys = cls, keys

    @overload
    def __get__(self: D, above: None, owner: Any) -> D: ...
    @overload
    def __get__(self, above: "Path[Any]", owner: Any) -> ListOf[P, T]: ...

    def __get__(self, above: Any, owner: Any) -> Any:
        return self if above is None else ListOf[P, T](*self.place(above), self.cls, self.keys)

    def decode(self, value: Any) -> Any:
        return [_decode_members(self.cls, one) for one in value]

    def encode(self, value: Any, module: str) -> Any:
        return [_encode_members(self.cls, one, module) for one in value]


# -- JSON by RFC 7951 ----------------------------------------------------------------------------


def _decode_leaf(kind: str, value: Any) -> Any:
    if kind.startswith("*"):
        return [_decode_leaf(kind[1:], one) for one in value]
    if kind == "int64":
        return int(value)
    if kind == "real":
        return float(value)
    if kind == "empty":
        return True
    return value


def _encode_leaf(kind: str, value: Any) -> Any:
    if kind.startswith("*"):
        return [_encode_leaf(kind[1:], one) for one in value]
    if kind in ("int64", "real"):
        return str(value)
    if kind == "empty":
        return [None]
    return value


def _decode_members(cls: "Type[Any]", value: Any) -> Any:
    """What the model does not know stays as it is: the server may be newer."""
    out = {}
    for name, member in value.items():
        name = name.split(":")[-1]
        child = cls._schema().get(name)
        out[name] = child.decode(member) if child else member
    return out


def _encode_members(cls: "Type[Any]", value: Any, module: str) -> Any:
    out = {}
    for name, member in value.items():
        child = cls._schema().get(name)
        if child is None:
            raise KeyError("%s is not in the model" % name)
        own = child.module or module
        out[name if own == module else "%s:%s" % (own, name)] = child.encode(member, own)
    return out
