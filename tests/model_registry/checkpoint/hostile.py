"""Hostile and foreign files: (name, bytes, what the refusal must say). Nothing here is ever loaded by Python."""

import gzip
import io
import struct
import tarfile

from craft import *  # noqa: F403 (the vocabulary of this file)
from craft import FLOATS, ORDERED, Record

GOOD = state_dict(w=tensor())


def in_zip(body):
    return zip_file(body)


def with_records(*extra, body=GOOD, **kwargs):
    return archive(records(pickle(body)) + list(extra), **kwargs)


def bent(index, **fields):
    """The ordinary archive with one record's fields overridden."""
    made = records(pickle(GOOD))
    old = made[index]
    made[index] = Record(fields.pop("name", old.name), fields.pop("data", old.data), **fields)
    return archive(made)


FORBIDDEN = [
    "os.system", "posix.system", "nt.system", "subprocess.Popen", "builtins.eval", "builtins.getattr",
    "builtins.exec", "__builtin__.eval", "importlib.import_module", "torch.load", "torch.hub.load",
    "torch.jit.load", "torch.storage._load_from_bytes", "torch._utils._rebuild_wrapper_subclass",
    "torch._utils._rebuild_device_tensor_from_numpy", "numpy.core.multiarray._reconstruct", "functools.partial",
    "collections.Counter", "argparse.ArgumentParser", "argparse.Namespace.__init__", "torch._tensor._rebuild_from_type_v2", "runpy._run_code",
    "pty.spawn", "webbrowser.open", "torch._utils.__builtins__", "torch._utils._rebuild_tensor_v2.__globals__",
]


def globals_():
    for name in FORBIDDEN:
        yield f"global {name}", in_zip(call(name, many(text("echo pwned")))), f'data.pkl, offset 2: refused global "{name}"'
    yield "global with a long name", in_zip(b"c" + b"a" * 5000 + b"\nb\n."), "does not end within 128 bytes"
    yield "global without an end", in_zip(b"cos"), "does not end within 128 bytes"
    old = legacy_file(call("os.system", many(text("x"))))
    yield "global in legacy", old, f'object pickle, offset {old.index(b"cos")}: refused global "os.system"'


def opcodes():
    rows = [
        ("STACK_GLOBAL", text("os") + text("system") + b"\x93", 0x93), ("INST", b"(ios\nsystem\n", ord("i")),
        ("OBJ", b"(cos\nsystem\no", None), ("EXT1", b"\x82\x01", 0x82), ("EXT2", b"\x83\x01\x00", 0x83),
        ("EXT4", b"\x84\x01\x00\x00\x00", 0x84), ("PERSID", b"Pstorage\n", ord("P")),
        ("LONG4", b"\x8b\xff\xff\xff\x7f", 0x8B), ("LONG", b"L99999999L\n", ord("L")), ("INT", b"I1\n", ord("I")),
        ("FLOAT", b"F1.0\n", ord("F")), ("STRING", b"S'os'\n", ord("S")), ("UNICODE", b"Vos\n", ord("V")),
        ("DICT", b"(" + integer(1) + b"d", ord("d")), ("LIST", b"(l", ord("l")), ("POP", b"N0", ord("0")),
        ("POP_MARK", b"(1", ord("1")), ("DUP", b"N2", ord("2")), ("GET", b"g0\n", ord("g")),
        ("PUT", b"Np0\n", ord("p")), ("BINBYTES", b"B\x01\0\0\0x", ord("B")), ("SHORT_BINBYTES", b"C\x01x", ord("C")),
        ("SHORT_BINUNICODE", b"\x8c\x02os", 0x8C), ("BINUNICODE8", b"\x8d" + b"\xff" * 8, 0x8D),
        ("BINBYTES8", b"\x8e" + b"\xff" * 8, 0x8E), ("EMPTY_SET", b"\x8f", 0x8F), ("ADDITEMS", b"\x8f(\x90", 0x8F),
        ("FROZENSET", b"(\x91", 0x91), ("NEWOBJ_EX", b"N)}\x92", 0x92), ("MEMOIZE", b"N\x94", 0x94),
        ("FRAME", b"\x95" + bytes(8), 0x95), ("BYTEARRAY8", b"\x96" + b"\xff" * 8, 0x96),
        ("NEXT_BUFFER", b"\x97", 0x97), ("READONLY_BUFFER", b"N\x98", 0x98), ("unknown", b"\xff", 0xFF),
    ]
    for name, body, code in rows:
        want = f"refused opcode {name} (0x{code:02x})" if code is not None and name != "ADDITEMS" else "refused"
        yield f"opcode {name}", in_zip(body), want


def machine():
    zp = zip_file
    yield "REDUCE of a string", zp(text("os.system") + b")R"), "refused REDUCE of a string"
    yield "REDUCE of a dtype", zp(call("torch.qint8")), 'refused a call of "torch.qint8"'
    yield "REDUCE of a storage class", zp(call("torch.FloatStorage")), 'refused a call of "torch.FloatStorage"'
    yield "REDUCE of a tensor", zp(tensor() + b")R"), "refused REDUCE of a tensor"
    yield "REDUCE of a list of arguments", zp(global_("collections.OrderedDict") + b"]R"), "REDUCE with a list for arguments"
    yield "NEWOBJ of a scheme", zp(global_("torch.per_tensor_affine") + b")\x81"), 'refused a call of "torch.per_tensor_affine"'
    yield "BUILD on a tensor", zp(tensor() + b"}b"), "refused BUILD on a tensor"
    yield "BUILD on a dict", zp(b"}}b"), "refused BUILD on a dict"
    yield "BUILD on a list", zp(b"]}b"), "refused BUILD on a list"
    yield "BUILD with a list", zp(ORDERED + b"]b"), "BUILD with a list"
    yield "BUILD with odd metadata", zp(ORDERED + b"}" + text("_metadata") + b"Nsb"), "_metadata is None"
    yield "metadata of lists", zp(ORDERED + b"}" + text("_metadata") + ORDERED + text("a") + b"]ssb"), "_metadata is no dict of dicts"
    yield "BUILD with many attributes", zp(ORDERED + b"}(" + (text("a") + b"N") * 17 + b"ub"), "more than 16 attributes"
    yield "SETITEM on a list", zp(b"]" + text("a") + b"Ns"), "SETITEM on a list"
    yield "SETITEM on a tensor", zp(tensor() + text("a") + b"Ns"), "SETITEM on a tensor"
    yield "SETITEMS on a string", zp(text("a") + b"(" + text("a") + b"Nu"), "SETITEM on a string"
    yield "APPEND to a dict", zp(b"}Na"), "APPEND to a dict"
    yield "APPENDS to a tuple", zp(b")(Ne"), "APPEND to a tuple"
    yield "SETITEMS with an odd count", zp(b"}(" + text("a") + b"u"), "a key without a value"
    yield "key is a tensor", zp(b"}" + tensor() + b"Ns"), "a dict key is a tensor"
    yield "key is None", zp(b"}NNs"), "a dict key is None"
    yield "OrderedDict of numbers", zp(call("collections.OrderedDict", many(b"](" + integer(1) + b"e"))), "element 0 is no pair"
    yield "OrderedDict with a float key", zp(call("collections.OrderedDict", many(b"](" + real(1) + b"N\x86e"))), "a dict key is a float"
    yield "OrderedDict of None", zp(call("collections.OrderedDict", many(b"N"))), "OrderedDict of None"
    yield "OrderedDict of two", zp(call("collections.OrderedDict", many(b"]", b"]"))), "OrderedDict with 2 arguments"
    yield "memo index 4 billion", zp(b"Nr\xff\xff\xff\xee"), "memo index 4009754623"
    yield "memo never stored", zp(b"h\x07"), "memo index 7 was never stored"
    yield "PUT on nothing", zp(b"q\x00"), "stack underflow"
    yield "stack underflow", zp(b"R"), "stack underflow"
    yield "tuple across a MARK", zp(b"N(\x85"), "stack underflow"
    yield "TUPLE without MARK", zp(b"Nt"), "no MARK on the stack"
    yield "MARK left", zp(b"N("), "STOP with"
    yield "two values", zp(b"NN"), "STOP with 2 values"
    yield "no value", zp(b""), "STOP with 0 values"
    yield "bytes behind STOP", archive(records(pickle(GOOD) + b"cos\nsystem\n")), "bytes follow the pickle"
    yield "no STOP", archive(records(pickle(GOOD)[:-1])), "ends without STOP"
    yield "empty pickle", archive(records(b"")), "not a pickle of protocol 2"
    yield "no PROTO", archive(records(b"cos\nsystem\n.")), "not a pickle of protocol 2 (it begins with GLOBAL"
    for protocol in (0, 1, 3, 4, 5, 255):
        yield f"protocol {protocol}", archive(records(b"\x80" + bytes([protocol]) + b"}.")), f"refused pickle protocol {protocol}, expected 2"
    yield "PROTO twice", zp(b"N\x80\x02"), "PROTO inside the stream"
    yield "string of 4 GiB", zp(b"X\xff\xff\xff\xffabc"), "refused a string of 4294967295 bytes"
    yield "string of negative length", zp(b"T\xff\xff\xff\xffabc"), "refused a string of 4294967295 bytes"
    yield "string beyond the end", zp(b"X\x00\x01\x00\x00abc"), "ends inside an operand"
    yield "string is not UTF-8", zp(text(b"\xed\xa0\x80")), "a string is not UTF-8"
    yield "integer of 255 bytes", zp(b"\x8a\xff" + b"\x01" * 255), "refused an integer of 255 bytes"
    yield "root is a function", zp(global_("torch._utils._rebuild_tensor")), "refused a function or class as a value"
    yield "root is a storage", zp(storage()), "refused a storage as a value"

    namespace = global_("argparse.Namespace")
    made = namespace + b")\x81"
    yield "Namespace with arguments", zp(namespace + many(text("x")) + b"R"), "argparse.Namespace with 1 arguments"
    yield "BUILD of a Namespace with a list", zp(made + b"]b"), "BUILD with a list, expected a dict"
    yield "BUILD of a Namespace with a pair", zp(made + b"N}\x86b"), "BUILD with a tuple, expected a dict"
    yield "BUILD of a Namespace with a Namespace", zp(made + made + b"b"), "BUILD with an object, expected a dict"
    yield "BUILD of the class Namespace", zp(namespace + b"}b"), "refused BUILD on a global"
    yield "function in a Namespace", zp(made + b"}" + text("func") + global_("os.system") + b"sb"), 'refused global "os.system"'
    yield "call in a Namespace", zp(made + b"}" + text("x") + call("torch.qint8") + b"sb"), 'refused a call of "torch.qint8"'
    yield "call of a Namespace", zp(made + b")R"), "refused REDUCE of an object"
    yield "Namespace of a Namespace", zp(made + b")\x81"), "refused NEWOBJ of an object"
    yield "SETITEM on a Namespace", zp(made + text("a") + b"Ns"), "SETITEM on an object"
    yield "APPEND to a Namespace", zp(made + b"Na"), "APPEND to an object"
    yield "key is a Namespace", zp(b"}" + made + b"Ns"), "a dict key is an object"
    yield "tensor of a Namespace", zp(tensor(made)), "a tensor of an object, expected a storage"
    yield "hooks are a Namespace", zp(tensor(tail=b"\x89" + made)), "refused a tensor with backward hooks"
    yield "metadata is a Namespace", zp(ORDERED + b"}" + text("_metadata") + made + b"sb"), "_metadata is an object"
    yield "class Namespace as a value", zp(namespace), "refused a function or class as a value"


def bombs():
    zp = zip_file
    yield "100000 nested lists", zp(b"]" * 100000 + b"a" * 99999), "nested deeper than 64"
    yield "100000 nested tuples", zp(b")" + b"\x85" * 100000), "nested deeper than 64"
    yield "100 nested dicts", zp(b"".join(b"}" + text("k") for _ in range(100)) + b"N" + b"s" * 100), "nested deeper than 64"
    yield "100000 marks", zp(b"(" * 100000), "STOP with"
    yield "list in itself", zp(b"]q\x00h\x00a"), "nested deeper than 64"
    yield "dict in itself", zp(b"}q\x00" + text("k") + b"h\x00s"), "nested deeper than 64"
    yield "list twice in itself", zp(b"]q\x00(h\x00h\x00e"), "nested deeper than 64"
    get = lambda i: b"h" + bytes([i])
    put = lambda i: b"q" + bytes([i])
    # Each level holds the one before it twice: 2^40 paths.
    both = lambda i: text("a") + get(i - 1) + text("b") + get(i - 1) if i else text("a") + b"N"
    levels = b"](" + b"".join(b"}" + put(i) + b"(" + both(i) + b"u" for i in range(40)) + b"e"
    yield "2^40 entries by sharing", zp(levels), "entry"
    lists = b"](" + b"".join(b"]" + put(i) + b"(" + (get(i - 1) * 2 if i else b"N") + b"e" for i in range(40)) + b"e"
    yield "2^40 list items by sharing", zp(lists), "entry"
    million = b"X" + struct.pack("<I", 1 << 20) + b"k" * (1 << 20)
    yield "key of a megabyte", zp(b"}" + million + b"Ns"), "its name has more than 4096 bytes"
    yield "quadratic strings", zp(b"](" + million + b"q\x00" + b"h\x00" * 100000 + b"e"), "MiB beyond the file's own size"
    yield "a million Namespaces", zp(b"](" + (global_("argparse.Namespace") + b")\x81}b") * 1000000 + b"e"), "MiB beyond"
    name = text("n" * 4000)
    yield "quadratic names", zp(b"}" + name + b"}(" + b"".join(text(str(i)) + b"N" for i in range(50000)) + b"us"), "MiB beyond the file's own size"
    long_list = b"](" + b"N" * 100000 + b"eq\x00"
    long_key = text("k" * 4000) + b"q\x00" + b"}q\x01"
    yield "long names of nothing", zp(b"](}(" + long_key + b"h\x00h\x01" * 400000 + b"u}" + text("k") + b"}" + text("k") + global_("torch.Size") + b"sse"), "refused a function or class as a value"
    yield "quadratic OrderedDict", zp(b"](" + b"](" + (b"K\x01N\x86") * 20000 + b"eq\x00" + (global_("collections.OrderedDict") + b"h\x00\x85R") * 5000 + b"e"), "MiB beyond"
    yield "long list many times", zp(b"](" + long_list + b"h\x00" * 100000 + b"e"), "entry"
    yield "a million storages", zp(b"](" + storage() + (global_("torch.FloatStorage") + b"q\x00") + many(text("storage"), b"h\x00", text("0"), text("cpu"), integer(6)) + b"q\x01" + b"h\x01Q" * 2000000 + b"e"), "MiB beyond"
    yield "ten million values", zp(b"](" + b"N" * 10000000 + b"e"), "MiB beyond"
    yield "sparse memo", zp(b"Nr\x00\x00\x80\x00" + b"N" * (1 << 23)), "MiB beyond"


def tensors():
    def z(t, data=((0, FLOATS),)):
        return zip_file(state_dict(w=t), data=data)

    yield "storage larger than its record", z(tensor(storage(numel=7))), 'storage "0" of 7 x float32, but its record has 24 bytes'
    yield "storage smaller than its record", z(tensor(storage(numel=5))), "but its record has 24 bytes"
    yield "storage numel overflows", z(tensor(storage(numel=2**62))), "but its record has 24 bytes"
    yield "storage numel negative", z(tensor(storage(numel=-1))), "element count is no non-negative integer"
    yield "storage without a record", z(tensor(storage(key="1"))), 'no record "data/1"'
    yield "storage key leaves the folder", z(tensor(storage(key="../data.pkl"))), 'no record "data/../data.pkl"'
    yield "storage key is empty", z(tensor(storage(key=""))), "a storage's key is no string"
    yield "storage key is long", z(tensor(storage(key="0" * 65))), "a storage's key is no string"
    yield "storage class is a function", z(tensor(storage(cls="torch._utils._rebuild_tensor"))), "without a storage class"
    yield "storage class is untyped", z(tensor(storage(cls="torch.storage.UntypedStorage"))), 'refused global "torch.storage.UntypedStorage"'
    yield "storage of 7", z(tensor(many(text("storage"), global_("torch.FloatStorage"), text("0"), text("cpu"), integer(6), b"N", b"N") + b"Q")), "a storage with 7 arguments"
    yield "persistent id of a module", z(many(text("module"), b"N", text("x.py"), text("source")) + b"Q"), 'refused persistent id "module"'
    yield "persistent id is a number", z(integer(3) + b"Q"), "a persistent id is no tuple"
    yield "dtype mismatch", zip_file(state_dict(a=tensor(), b=tensor(storage(cls="torch.IntStorage")))), 'storage "0" is described twice: 6 x float32 and 6 x int32'
    yield "view beyond its storage", z(tensor(size=(2, 4), stride=(4, 1))), "reaches element 7 of a storage of 6"
    yield "offset beyond the storage", z(tensor(offset=1)), "reaches element 6 of a storage of 6"
    yield "empty view beyond the storage", z(tensor(offset=7, size=(0,), stride=(1,))), "reaches element 7 of a storage of 6"
    yield "offset negative", z(tensor(offset=-1)), "offset is no non-negative integer"
    yield "size negative", z(tensor(size=(-2, 3))), "size 0 of a tensor is no non-negative integer"
    yield "stride negative", z(tensor(stride=(-3, 1))), "stride 0 of a tensor is no non-negative integer"
    yield "numel overflows", z(tensor(size=(2**32, 2**32), stride=(0, 0))), "sizes and strides overflow"
    yield "byte count overflows", z(tensor(size=(2**60,), stride=(0,))), "sizes and strides overflow"
    yield "strides overflow", z(tensor(size=(2**40, 3), stride=(2**40, 1))), "sizes and strides overflow"
    yield "offset overflows", z(tensor(offset=2**63 - 1)), "sizes and strides overflow"
    yield "2^40 elements by expansion", z(tensor(size=(2**40,), stride=(0,))), "expand to more than 8 times the file's size"
    yield "sizes and strides differ in length", z(tensor(size=(2, 3, 1))), "no tuples of one length"
    yield "sizes in a list", z(call("torch._utils._rebuild_tensor", many(storage(), integer(0), b"]", b")"))), "no tuples of one length"
    yield "size is a float", z(call("torch._utils._rebuild_tensor", many(storage(), integer(0), many(real(2.0)), ints((1,))))), "size 0 of a tensor is no"
    yield "65 dimensions", z(tensor(size=(1,) * 65, stride=(1,) * 65)), "a tensor of 65 dimensions"
    yield "tensor of None", z(tensor(b"N")), "a tensor of None, expected a storage"
    yield "tensor of 5 arguments", z(tensor(tail=b"\x89")), "a tensor with 5 arguments"
    yield "requires_grad is a number", z(tensor(tail=integer(1) + ORDERED)), "requires_grad is no bool"
    yield "backward hooks", z(tensor(tail=b"\x89" + b"}" + text("a") + b"Ns")), "refused a tensor with backward hooks"
    yield "negated view", z(tensor(tail=b"\x89" + ORDERED + b"}" + text("neg") + b"\x88s")), "refused a tensor with metadata"
    yield "parameter of a number", z(call("torch._utils._rebuild_parameter", many(integer(1), b"\x88", ORDERED))), "a parameter of an integer"
    yield "parameter of nothing", z(call("torch._utils._rebuild_parameter", many(tensor()))), "a parameter with 1 arguments"
    yield "parameter with a number", z(call("torch.nn.parameter.Parameter", many(tensor(), integer(1)))), "requires_grad is no bool"
    yield "torch.Size of floats", z(call("torch.Size", many(many(real(1.0))))), "torch.Size of something but integers"
    yield "torch.Size of two", z(call("torch.Size", many(b")", b")"))), "torch.Size with 2 arguments"
    yield "torch.Size of a string", z(call("torch.Size", many(text("ab")))), "torch.Size of something"
    yield "plain tensor over qint8", z(tensor(storage(cls="torch.QInt8Storage")), data=((0, b"123456"),)), "a plain tensor over a storage of qint8"
    six = ((0, b"123456"),)
    per_tensor = lambda s, zero: many(global_("torch.per_tensor_affine"), s, zero)
    yield "quantised tensor over float32", z(qtensor(per_tensor(real(1), integer(0)), store=storage())), "a quantised tensor over a storage of float32"
    for name, scale in (("NaN", float("nan")), ("infinite", float("inf")), ("zero", 0.0), ("negative", -1.0)):
        yield f"scale is {name}", z(qtensor(per_tensor(real(scale), integer(0))), data=six), "not a positive finite number"
    yield "zero point beyond qint8", z(qtensor(per_tensor(real(1), integer(128))), data=six), "zero point is no value of qint8"
    yield "scale is a string", z(qtensor(per_tensor(text("x"), integer(0))), data=six), "without a float scale"
    yield "scheme is a dtype", z(qtensor(many(global_("torch.qint8"), real(1), integer(0))), data=six), "an unknown scheme"
    yield "quantiser is None", z(qtensor(b"N"), data=six), "without a quantiser"
    per_channel = lambda s, zeros, axis: many(global_("torch.per_channel_affine"), s, zeros, integer(axis))
    reals = lambda *v: b"](" + b"".join(map(real, v)) + b"e"
    zeros = b"](" + integer(0) * 2 + b"e"
    yield "axis beyond the tensor", z(qtensor(per_channel(reals(1, 1), zeros, 2)), data=six), "axis 2 is no dimension"
    yield "axis negative", z(qtensor(per_channel(reals(1, 1), zeros, -1)), data=six), "axis -1 is no dimension"
    yield "too few scales", z(qtensor(per_channel(reals(1), zeros, 0)), data=six), "scales are no list or tensor of 2"
    yield "too few zero points", z(qtensor(per_channel(reals(1, 1, 1), zeros, 1)), data=six), "zero points are no list or tensor of 3"
    yield "scale list holds a string", z(qtensor(per_channel(b"](" + real(1) + text("x") + b"e", zeros, 0)), data=six), "a quantiser's number is a string"
    yield "channel scale is zero", z(qtensor(per_channel(reals(1, 0), zeros, 0)), data=six), "not a positive finite number"
    yield "channel zero point too large", z(qtensor(per_channel(reals(1, 1), b"](" + integer(0) + integer(300) + b"e", 0)), data=six), "zero point is no value of qint8"
    yield "quantiser without axis", z(qtensor(many(global_("torch.per_channel_affine"), reals(1, 1), zeros)), data=six), "without scales, zero points and an axis"
    longs = tensor(storage("1", 2, "torch.LongStorage"), size=(2,), stride=(1,))
    yield "scales are integers", z(qtensor(per_channel(longs, zeros, 0)), data=six + ((1, bytes(16)),)), "numbers are a tensor of int64"
    grown = qtensor(per_channel(reals(1, 1) + b"q\x09", zeros, 0)) + b"q\x0a" + b"h\x09" + real(1) + b"a"
    yield "scale list grows afterwards", zip_file(b"](" + grown + b"e", data=six), "not one a channel"
    twice = ORDERED + b"(" + text("a") + b"N" + text("a") + b"Nu"
    yield "entry twice", zip_file(twice), 'entry "a": the name occurs twice'
    yield "entry twice by nesting", zip_file(b"}(" + text("a.b") + b"N" + text("a") + b"}" + text("b") + b"Nsu"), 'entry "a.b": the name occurs twice'


def zips():
    good = pickle(GOOD)
    for name, bad, why in [
        ("leaves its folder", "archive/../evil", "leaves its folder"), ("climbs", "../evil", "leaves its folder"),
        ("absolute", "/etc/passwd", "it is absolute"), ("backslash", "archive\\evil", "it holds a backslash"),
        ("NUL", b"archive/data.pkl\0.txt", "it holds a NUL byte"), ("empty", "", "it is empty"),
        ("empty part", "archive//x", "it has an empty part"), ("dot part", "archive/./x", "it has an empty part"),
        ("not UTF-8", b"archive/\xff", "it is not UTF-8"), ("long", "archive/" + "x" * 5000, "it is too long"),
    ]:
        yield f"name {name}", with_records(Record(bad, b"x")), f"refused record name"
        yield f"name {name}, reason", with_records(Record(bad, b"x")), why
    yield "record twice", with_records(Record("archive/data/0", FLOATS)), 'record "archive/data/0" occurs twice'
    yield "data.pkl twice", with_records(Record("archive/data.pkl", pickle(b"}"))), 'record "archive/data.pkl" occurs twice'
    yield "two folders with data.pkl", with_records(Record("other/data.pkl", good)), "two records are called data.pkl"
    yield "record outside of the folder", with_records(Record("other/x", b"x")), 'record "other/x" lies outside of folder "archive"'
    yield "folder that shares a prefix", with_records(Record("archive2/x", b"x")), "lies outside of folder"
    yield "no data.pkl", archive([Record("archive/version", b"3\n")]), 'no record "<folder>/data.pkl"'
    yield "NumPy archive", archive([Record("weights.npy", b"\x93NUMPY")]), 'no record "<folder>/data.pkl"'
    yield "TorchScript by constants", with_records(Record("archive/constants.pkl", pickle(b")"))), "refused a TorchScript archive"
    yield "TorchScript by code", with_records(Record("archive/code/__torch__.py", b"")), "refused a TorchScript archive"
    yield "folder with data", with_records(Record("archive/x/", b"x")), "holds data"
    yield "no version", archive(records(good, version=None)), 'file format "", expected 1 to 10'
    yield "version 11", archive(records(good, version=b"11\n")), 'file format "11"'
    yield "version is text", archive(records(good, version=b"x")), 'file format "x"'
    yield "version is long", archive(records(good, version=b"1" * 1000)), "it has 1000 bytes"
    yield "big endian", archive(records(good, byteorder=b"big")), 'byte order "big"'
    yield "CRC of data.pkl", bent(0, crc=1), 'archive/data.pkl", offset 46: its checksum (CRC-32) is wrong'
    yield "CRC of a storage", bent(2, crc=1), "its checksum (CRC-32) is wrong"
    yield "CRC of the version", bent(3, crc=1), "its checksum (CRC-32) is wrong"
    yield "encrypted", bent(2, flags=1), "is encrypted"
    for bit in (4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15):
        yield f"zip flag {bit}", bent(2, flags=1 << bit), f"unknown zip flags {1 << bit}"
    for method in (1, 6, 9, 12, 14, 93, 99, 65535):
        yield f"compression {method}", bent(2, method=method), f"compressed by method {method}"
    for field, value in [("name", b"archive/data/1"), ("flags", 2048), ("method", 8), ("crc", 1), ("stored", 1), ("size", 1)]:
        yield f"local {field} differs", bent(2, local={field: value}), "its own header and the zip directory disagree"
    yield "local name is shorter", bent(2, local={"name": b"archive/data"}), "disagree about its name"
    yield "local zeros without a descriptor", bent(2, local={"crc": 0, "size": 0, "stored": 0}), "disagree about its size"
    yield "stored with two sizes", bent(2, size=25), "is stored, yet has two sizes"
    yield "size lies upwards", bent(2, size=2000, stored=2000, crc=0), "overlaps what follows it"
    yield "size lies downwards", bent(2, size=20, stored=20), "bytes behind record"
    yield "offset lies", bent(2, offset=0), "overlaps another one"
    yield "offset beyond the file", bent(2, offset=10**6), "belong to no zip record"
    yield "offset inside a header", bent(2, offset=7), "overlaps another one"
    yield "offset inside a record", bent(2, offset=90), "overlaps what follows it"
    yield "offset in the directory", bent(3, offset=400), "begins behind the zip directory"
    overlapping = records(good)
    overlapping.append(Record("archive/again", b"", offset=0))
    yield "records share a header", archive(overlapping), "overlaps another one"
    yield "no records at all", archive([], prepend=b"PK\x03\x04" + bytes(40)), "44 bytes belong to no zip record"
    yield "prepended", archive(records(good), prepend=b"#!/bin/sh\n"), "refused a file of unknown format"
    yield "prepended zip header", archive(records(good), prepend=b"PK\x03\x04" + bytes(40)), "bytes belong to no zip record"
    yield "appended", archive(records(good), append=b"x" * 10), "10 bytes follow the end of the zip archive"
    yield "appended archive", archive(records(good)) + archive(records(good)), "does not end where the end record begins"
    yield "comment", archive(records(good), comment=b"hello"), "5 bytes follow the end of the zip archive"
    yield "comment that is cut", archive(records(good), comment=b"hello")[:-5], "ends inside its comment"
    yield "gaps", archive(records(good), gap=b"x"), "bytes behind record"
    yield "gap before the directory", archive(records(good), before_directory=b"hidden"), "6 bytes behind record"
    yield "cut", archive(records(good))[:-30], "the file was cut short"
    yield "disk 1", archive(records(good), end={"disk": 1}), "spans several disks"
    yield "record on disk 1", bent(2, disk=1), "spans several disks"
    yield "entries on several disks", archive(records(good), end={"disk_entries": 3}), "spans several disks"
    yield "entry count too small", archive(records(good), end={"entries": 3}), "bytes follow the last entry"
    yield "entry count too large", archive(records(good), end={"entries": 5}), "no entry here"
    yield "entry count huge", archive(records(good), end={"entries": 60000}), "too small for 60000 records"
    yield "directory size lies", archive(records(good), end={"size": 10}), "does not end where the end record begins"
    yield "directory offset lies", archive(records(good), end={"offset": 0}), "does not end where the end record begins"
    z64 = lambda *v: struct.pack("<HH", 1, 8 * len(v)) + struct.pack(f"<{len(v)}Q", *v)
    full = 0xFFFFFFFF
    yield "zip64 field missing", bent(2, size=full, stored=full), "a zip64 field that is not there"
    yield "zip64 field too short", bent(2, size=full, stored=full, extra=z64(24)), "a zip64 field is too short"
    yield "zip64 field too long", bent(2, size=full, stored=full, extra=z64(24, 24, 0)), "a zip64 field of 24 bytes where 16"
    yield "zip64 field not asked for", bent(2, extra=z64(24)), "a zip64 field of 8 bytes where 0"
    yield "zip64 size lies", bent(2, size=full, stored=full, extra=z64(2**40, 2**40), local={"size": 24, "stored": 24}), "disagree about its size"
    yield "zip64 offset lies", bent(2, offset=full, extra=z64(2**63)), "belong to no zip record"
    yield "zip64 field twice", bent(2, size=full, stored=full, extra=z64(24, 24) * 2), "two zip64 fields"
    yield "extra field beyond its header", bent(2, extra=b"\x01\x00\xff\x00"), "reaches beyond its header"
    yield "extra field damaged", bent(2, extra=b"\x99\x99\x00\x00zz"), "a damaged extra field"
    yield "zip64 local lies", bent(2, local={"size": full, "stored": full}, local_extra=z64(23, 23)), "disagree about its size"
    yield "zip64 end contradicts", archive(records(good), end64={"entries": 5, "disk_entries": 5}), "contradicts the end record"
    yield "zip64 end not there", archive(records(good), end={"entries": 0xFFFF}), "a zip64 end record that is not there"
    yield "zip64 locator lies", archive(records(good), end64={"at": 0}), "locator does not point"
    yield "zip64 several disks", archive(records(good), end64={"disks": 2}), "spans several disks"
    yield "zip64 entries on several disks", archive(records(good), end64={"disk_entries": 2}), "spans several disks"
    yield "zip64 directory offset lies", archive(records(good), end={"offset": full}, end64={"offset": 2**63}), "does not end where"
    yield "zip64 count of 2^63", archive(records(good), end={"entries": 0xFFFF}, end64={"entries": 2**63, "disk_entries": 2**63}), "too small for 9223372036854775808 records"
    late = struct.pack("<III", 1, 24, 24)
    yield "descriptor lies", bent(2, flags=8, descriptor=late), "its data descriptor and the zip directory disagree"
    yield "descriptor missing", bent(2, flags=8), "its data descriptor and the zip directory disagree"
    yield "descriptor not announced", bent(2, descriptor=late), "12 bytes behind record"
    yield "deflate bomb", bent(0, data=bytes(30 << 20), method=8), "bytes would become 31457280"
    yield "deflate beyond the memory", bomb_of_many(), "MiB beyond the file's own size"
    yield "deflate of garbage", bent(2, method=8, data=b"", size=24, stored=24, crc=1), "overlaps"
    yield "deflate size too small", bent(0, method=8, data=good, size=len(good) - 1), f"do not inflate to {len(good) - 1} bytes"
    yield "deflate size too large", bent(0, method=8, data=good, size=len(good) + 1), f"do not inflate to {len(good) + 1} bytes"
    yield "deflate stream damaged", bent(0, local={"method": 8}, method=8, data=b"", size=9), "do not inflate to 9 bytes"
    yield "empty archive", b"PK\x05\x06" + bytes(18), "refused an empty zip archive"


def bomb_of_many():
    """Each record stays under the ratio, all of them together do not stay under the memory."""
    import random
    noise = random.Random(0).randbytes
    block = b"".join(noise(64) + bytes(4096) for _ in range(2048))  # 8.1 MiB, compresses about 50 times
    numel = len(block) // 4
    made = records(pickle(state_dict(**{f"t{i}": tensor(storage(str(i), numel), size=(numel,), stride=(1,)) for i in range(10)})), data=())
    return archive(made + [Record(f"archive/data/{i}", block, method=8) for i in range(10)])


def legacies():
    yield "legacy protocol", legacy_file(GOOD, protocol=1002), "protocol version is not 1001"
    yield "legacy big endian", legacy_file(GOOD, little=b"\x89"), "refused big-endian numbers"
    yield "legacy system is a list", legacy_file(GOOD, system=b"]"), "the system information is no dict"
    yield "legacy system calls", legacy_file(GOOD, system=call("collections.OrderedDict")), "system pickle, offset 51: refused REDUCE"
    yield "legacy system without order", legacy_file(GOOD, system=b"}"), "does not tell the byte order"
    old = state_dict(w=tensor(storage(extra=b"N")))
    yield "legacy key list is a tuple", legacy_file(old, key_list=b")"), "the storage list is no list"
    yield "legacy key twice", legacy_file(old, keys=("0", "0"), storages=((6, FLOATS),) * 2), 'storage "0" is listed twice'
    yield "legacy key of nobody", legacy_file(old, keys=("0", "1"), storages=((6, FLOATS),) * 2), "key 1 of the storage list belongs to no tensor"
    yield "legacy key is a number", legacy_file(old, key_list=b"]" + integer(0) + b"a"), "key 0 of the storage list"
    yield "legacy key not listed", legacy_file(old, keys=(), storages=()), 'storage "0" is not listed'
    yield "legacy count differs", legacy_file(old, storages=((5, FLOATS),)), 'storage "0" has 5 elements'
    yield "legacy count negative", legacy_file(old, storages=((-1, FLOATS),)), 'storage "0" has -1 elements'
    yield "legacy count huge", legacy_file(state_dict(w=tensor(storage(numel=2**62))), storages=((2**62, FLOATS),)), "the file was cut short inside"
    yield "legacy storage cut", legacy_file(old)[:-1], "the file was cut short inside"
    yield "legacy count cut", legacy_file(old)[:-25], "the file was cut short before"
    yield "legacy bytes behind", legacy_file(old, append=b"x"), "1 bytes follow the last storage"
    yield "legacy magic alone", MAGIC, "not a pickle of protocol 2"
    yield "legacy magic cut", MAGIC[:9], "the first 9 bytes of a legacy file"
    for name, view in [("beyond", (3, 4)), ("negative", (-1, 2)), ("overflow", (2**62, 2**62))]:
        part = many(text("v"), integer(view[0]), integer(view[1]))
        yield f"legacy view {name}", legacy_file(state_dict(w=tensor(storage(extra=part)))), "view lies outside of the storage"
    yield "legacy view is odd", legacy_file(state_dict(w=tensor(storage(extra=text("v"))))), "a storage's view is no"
    small = many(text("v"), integer(1), integer(5))
    yield "legacy tensor beyond its view", legacy_file(state_dict(w=tensor(storage(extra=small)))), "reaches element 5 of a storage of 5"


def foreign():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("storages", "tensors", "pickle"):
            tar.addfile(tarfile.TarInfo(name))
    yield "tar", buffer.getvalue(), "refused a tar archive"
    yield "gzip", gzip.compress(zip_file(GOOD)), "refused a gzip file"
    header = b'{"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}'
    yield "safetensors", struct.pack("<Q", len(header)) + header + FLOATS, "refused a safetensors file"
    yield "HTML", b"<!DOCTYPE html><html><body>404</body></html>", "refused an HTML or XML page"
    yield "HTML behind blanks", b"\r\n  <html><body>Sign in</body></html>", "refused an HTML or XML page"
    yield "Git LFS", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "refused a Git LFS pointer"
    yield "NumPy", b"\x93NUMPY\x01\x00", "refused a NumPy array"
    yield "HDF5", b"\x89HDF\r\n\x1a\n", "refused an HDF5 file"
    yield "xz", b"\xfd7zXZ\x00", "refused an xz file"
    yield "plain pickle", pickle(b"}"), "refused a Python pickle that torch.save did not write"
    yield "pickle of protocol 4", b"\x80\x04\x95" + bytes(8) + b".", "refused a pickle of protocol 4"
    yield "text", b"hello world", 'begins with "hello world"'
    yield "one byte", b"\x80", "refused a file of unknown format"
    yield "PK alone", b"PK\x03\x04", "the file was cut short"


def all_files():
    for family in (globals_, opcodes, machine, bombs, tensors, zips, legacies, foreign):
        for name, data, want in family():
            yield f"{family.__name__.rstrip('_')}: {name}", data, want
