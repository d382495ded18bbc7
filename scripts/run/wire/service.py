"""A foreign service as the "wire" of a FILE of `--against` describes it: which calls, which fields, which words.

Messages are made from the .proto as the run needs them (protoc); nothing is generated into a folder.
"""
import pathlib
import subprocess
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor

COURSE = pathlib.Path(__file__).with_name("course.proto")
OPERATIONS = ("query", "deposit", "withdraw")
INTEGERS = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64)
NUMBERS = INTEGERS + (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)
TEXT, BOOL, ENUM = FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_BOOL, FieldDescriptor.CPPTYPE_ENUM


class Bad(Exception):
    """What the description says that the .proto does not; one line."""


class Call:
    """One operation: its path, and how its messages are filled and read."""

    def __init__(self, operation, method, class_of, wire):
        self.operation, self.wire = operation, wire
        self.path = f"/{method.containing_service.full_name}/{method.name}"
        self.request, self.reply = (class_of(kind) for kind in (method.input_type, method.output_type))
        if wire["operation"] is not None:
            self._field("operation", self.request, (TEXT, ENUM) + INTEGERS)
        if operation != "query":
            self._field("amount", self.request, NUMBERS)
            self.result = self._field("result", self.reply, (TEXT, BOOL, ENUM) + INTEGERS)
        else:
            self._field("balance", self.reply, NUMBERS)
        try:
            self.fill(1)
        except (AttributeError, TypeError, ValueError) as error:
            raise Bad(f'a request for {operation} cannot be filled: {" ".join(str(error).split())}; correct "fields" or "words"') from error

    def _field(self, key, message, kinds):
        """The descriptor of the field; of a reply's, also one of a message in it ("outer.inner")."""
        *outer, name = self.wire[key].split(".") if message is self.reply else [self.wire[key]]
        kind = message.DESCRIPTOR
        for one in outer:
            kind = _named(key, kind, one).message_type
            if kind is None:
                raise Bad(f'"{key}": the field \'{one}\' is not a message')
        field = _named(key, kind, name)
        if field.label == field.LABEL_REPEATED or field.cpp_type not in kinds:
            raise Bad(f'"{key}": the field {kind.full_name}.{name} is of a kind that does not fit')
        return field

    def fill(self, amount):
        """The request, in bytes."""
        request = self.request(**self.wire["fields"])
        if self.wire["operation"] is not None:
            setattr(request, self.wire["operation"], self._word(request))
        if self.operation != "query":
            setattr(request, self.wire["amount"], amount)
        return request.SerializeToString()

    def _word(self, request):
        word = self.wire["words"][self.operation]
        kind = request.DESCRIPTOR.fields_by_name[self.wire["operation"]]
        if kind.cpp_type != ENUM or isinstance(word, int):
            return word
        if word not in kind.enum_type.values_by_name:
            raise ValueError(f"there is no {kind.enum_type.name} '{word}'")
        return kind.enum_type.values_by_name[word].number

    def read(self, data):
        """(whether it succeeded, the balance told or None)"""
        reply = self.reply.FromString(data)
        if self.operation == "query":
            balance = _value(reply, self.wire["balance"])
            if balance != int(balance):
                raise ValueError(f"the balance {balance} is not a whole number")
            return True, int(balance)
        value = _value(reply, self.wire["result"])
        if self.result.cpp_type == BOOL:
            return value, None
        if self.result.cpp_type == ENUM and value in self.result.enum_type.values_by_number:
            value = self.result.enum_type.values_by_number[value].name
        return str(value).strip().lower() == str(self.wire["words"]["success"]).lower(), None


def _named(key, kind, name):
    if name not in kind.fields_by_name:
        names = ", ".join(one.name for one in kind.fields) or "none"
        raise Bad(f'"{key}": message {kind.full_name} has no field \'{name}\'; it has {names}')
    return kind.fields_by_name[name]


def _value(message, path):
    """Of several messages in one field: the last one's."""
    for name in path.split("."):
        message = getattr(message, name)
        if not isinstance(message, (str, bytes, bool, int, float)) and hasattr(message, "__len__"):
            if not message:
                raise ValueError(f"there is nothing in '{name}'")
            message = message[-1]
    return message


def calls_of(wire, folder):
    """operation -> Call. Raises Bad."""
    file = COURSE if wire["proto"] is None else folder / wire["proto"]
    pool = descriptor_pool.DescriptorPool()
    for one in _compiled(file).file:
        pool.Add(one)
    # Its name before protobuf 4.22, and since.
    class_of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    calls = {}
    for operation in OPERATIONS:
        name = wire["method"][operation]
        service, _, method = name.rpartition(".")
        try:
            found = pool.FindServiceByName(service).FindMethodByName(method)
        except KeyError:
            found = None
        if found is None:
            raise Bad(f'"method": {file.name} has no service with the method \'{name}\'; write PACKAGE.SERVICE.METHOD as there')
        calls[operation] = Call(operation, found, class_of, wire)
    return calls


def _compiled(file):
    with tempfile.NamedTemporaryFile() as compiled:
        try:
            done = subprocess.run(["protoc", f"-I{file.parent}", "--include_imports", f"--descriptor_set_out={compiled.name}", str(file)], capture_output=True, text=True)
        except FileNotFoundError as error:
            raise Bad("there is no program protoc; apt-get install protobuf-compiler") from error
        if done.returncode != 0:
            raise Bad(f'"proto": protoc cannot read {file}: {(done.stderr.strip().splitlines() or ["no reason given"])[0]}')
        return descriptor_pb2.FileDescriptorSet.FromString(compiled.read())
