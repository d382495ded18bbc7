"""How somebody else's bank is run: the FILE of `run_all.sh --against FILE`, read strictly.

Pure but for reading the one file. docs/GRADING_OWN_BANK.md says what each key means.
"""
import json
import pathlib
import re
import shlex

FILE_BYTES_MAX = 1 << 20
TIME_LIMIT_S, TIME_LIMIT_S_MAX = 60, 3600
PORT_MAX = 65535
OUTPUTS_MAX = 3
# A name in braces that a command may hold; not ${NAME}, which is the shell's.
PLACE = re.compile(r"(?<!\$)\{(\w+)\}")
EVERYWHERE = ("input", "output", "peers", "balance")
OF_ONE_BRANCH = ("id", "port")
OF_PORTS = ("port", "peers")


class Bad(Exception):
    """What is wrong with the file, in one line: where, what, and what to do."""


class Description:
    """`commands`: key -> a shell's line, with names in braces. Paths in it are relative to the working folder."""

    def __init__(self, path, keys):
        self.path = path
        self.folder = _folder(path, keys.get("folder", "."))
        self.commands = {key: _command(key, keys[key]) for key in ("prepare", "branches", "customers") if key in keys}
        self.wire = _wire(keys["wire"]) if "wire" in keys else None
        _fits(keys)
        self.input = _inside("input", keys.get("input", "input.json"))
        outputs = keys.get("output", "output.json")
        if isinstance(outputs, list) and not 1 <= len(outputs) <= OUTPUTS_MAX:
            raise Bad(f'"output" names {len(outputs)} files; give one, or the two or three of project 2')
        self.outputs = [_inside("output", one) for one in (outputs if isinstance(outputs, list) else [outputs])]
        if self.input in self.outputs or len(set(self.outputs)) != len(self.outputs):
            raise Bad('"output" names a file twice, or the input; give each a name of its own')
        self.ready = _ready(keys.get("ready"))
        self.base_port = _number("base_port", keys["base_port"], PORT_MAX) if "base_port" in keys else None
        self.time_limit_s = _number("time_limit_s", keys.get("time_limit_s", TIME_LIMIT_S), TIME_LIMIT_S_MAX)
        self.ends = keys.get("ends", True)
        if not isinstance(self.ends, bool):
            raise Bad('"ends" is neither true nor false; say whether the customers\' command ends by itself')

    def one_by_one(self):
        """Whether each branch is a command of its own."""
        return bool(self._places("branches") & set(OF_ONE_BRANCH))

    def needs_ports(self):
        return self.wire is not None or any(self._places(key) & set(OF_PORTS) for key in self.commands)

    def line(self, key, values):
        """The command of `key` for the shell; `values`: name -> text, or a list of texts."""
        quoted = {name: shlex.join(map(str, value if isinstance(value, list) else [value])) for name, value in values.items()}
        return PLACE.sub(lambda place: quoted[place[1]], self.commands[key])

    def _places(self, key):
        return set(PLACE.findall(self.commands.get(key, "")))


KEYS = ("folder", "prepare", "branches", "customers", "ready", "base_port", "ends", "time_limit_s", "input", "output", "wire")
OPERATIONS = ("query", "deposit", "withdraw")
# The course's own four lines (wire/course.proto).
WIRE = {"proto": None, "method": "RPCServicer.MsgDelivery", "operation": "request", "amount": "money", "result": "success", "balance": "money",
        "fields": {}, "words": {}}


def read(path):
    """Raises Bad."""
    try:
        return Description(path, _object(path))
    except Bad as bad:
        raise Bad(f"{path}: {bad}") from bad


def _object(path):
    try:
        with open(path, "rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Bad(f"cannot be read: {error.strerror}; name a file that says how their bank is run") from error
    if len(text) > FILE_BYTES_MAX:
        raise Bad("is larger than 1 MiB; name a file that says how their bank is run")
    try:
        keys = json.loads(text.decode("utf-8-sig"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Bad(f"is not JSON: {' '.join(str(error).split())}; correct it there") from error
    if not isinstance(keys, dict):
        raise Bad('is not a JSON object; write {"customers": "COMMAND", ...}')
    for key in keys:
        if key not in KEYS:
            raise Bad(f"\"{key[:40]}\" is not a key; known are {', '.join(KEYS)}")
    return keys


def _once(pairs):
    keys = dict(pairs)
    for key in keys:
        if sum(key == other for other, _ in pairs) > 1:
            raise Bad(f'"{key[:40]}" is there twice; keep one')
    return keys


def _text(key, value):
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise Bad(f'"{key}" is not a text with something in it; write it in double quotes')
    return value


def _folder(path, value):
    folder = (path.parent / _text("folder", value)).resolve()
    if not folder.is_dir():
        raise Bad(f'"folder": there is no folder {folder}; name the one with their program, relative to this file')
    return folder


def _command(key, value):
    line = _text(key, value)
    known = EVERYWHERE + (OF_ONE_BRANCH if key == "branches" else ())
    for name in PLACE.findall(line):
        if name not in known:
            names = ", ".join(f"{{{one}}}" for one in known)
            raise Bad(f'"{key}": {{{name}}} is not known here; known are {names} (put other braces into a script)')
    return line


def _inside(key, value):
    path = pathlib.PurePosixPath(_text(key, value))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise Bad(f'"{key}": \'{value}\' is not inside the working folder; name a file relative to "folder"')
    return path


def _number(key, value, largest):
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise Bad(f'"{key}" is not a whole number from 1 to {largest}')
    return value


def _fits(keys):
    """Whether the keys have an effect beside each other."""
    if "wire" not in keys and "customers" not in keys:
        raise Bad('"customers" is missing: give the command that runs them and writes the output, or "wire" if ours are to ask the branches')
    if "wire" in keys:
        for key in ("customers", "output", "ends"):
            if key in keys:
                raise Bad(f'"{key}" has no effect with "wire", where our customers ask; leave one of the two out')
        if "branches" not in keys:
            raise Bad('"branches" is missing: "wire" needs the command that starts them')
        if "base_port" not in keys and not set(PLACE.findall(str(keys["branches"]))) & set(OF_PORTS):
            raise Bad('"branches": nothing tells where they listen; use {port} or {peers} in it, or give "base_port"')
    if "branches" not in keys:
        for key in ("ready", "base_port"):
            if key in keys:
                raise Bad(f'"{key}" has no effect without "branches"; leave it out, or give the command that starts the branches')


def _wire(value):
    """Every key of WIRE, with "method" and "words" per operation."""
    if value is True:
        value = {}
    if not isinstance(value, dict):
        raise Bad('"wire" is neither true (the course\'s MsgDelivery) nor an object that says how calls are made')
    for key in value:
        if key not in WIRE:
            raise Bad(f'"wire": "{key[:40]}" is not a key; known are {", ".join(WIRE)}')
    wire = {**WIRE, **value}
    if wire["proto"] is not None:
        wire["proto"] = str(_inside("proto", wire["proto"]))
    methods = wire["method"]
    if not isinstance(methods, dict):
        methods = dict.fromkeys(OPERATIONS, methods)
    wire["method"] = {operation: _text(f"method {operation}", methods.get(operation)) for operation in OPERATIONS}
    for key in ("operation", "amount", "result", "balance"):
        if wire[key] is not None or key != "operation":  # methods may differ instead
            _text(key, wire[key])
    for key in ("fields", "words"):
        if not isinstance(wire[key], dict):
            raise Bad(f'"wire": "{key}" is not an object')
    wire["words"] = {**{word: word for word in (*OPERATIONS, "success")}, **wire["words"]}
    for word, said in wire["words"].items():
        if word not in (*OPERATIONS, "success") or isinstance(said, bool) or not isinstance(said, (str, int)):
            raise Bad(f'"wire": "words": "{word[:40]}" is not one of query, deposit, withdraw, success with a text or a number')
    return wire


def _ready(value):
    """None, a text, or a port."""
    if value is None or isinstance(value, str):
        return value if value is None else _text("ready", value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= PORT_MAX:
        raise Bad('"ready" is neither a text that the branches say nor a port at which one listens')
    return value
