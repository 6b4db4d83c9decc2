"""Weight files made byte by byte: pickles, zip archives and legacy streams in which every field can lie."""

import struct
import zlib

MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")


def text(s):
    """BINUNICODE"""
    b = s.encode("utf-8") if isinstance(s, str) else s
    return b"X" + struct.pack("<I", len(b)) + b


def integer(i):
    if 0 <= i < 256:
        return b"K" + bytes([i])
    if -(2**31) <= i < 2**31:
        return b"J" + struct.pack("<i", i)
    return b"\x8a\x08" + struct.pack("<q", i)


def real(x):
    return b"G" + struct.pack(">d", x)


def call(name, args=b")"):
    """GLOBAL, arguments (a tuple's opcodes), REDUCE"""
    return global_(name) + args + b"R"


def global_(name):
    module, _, attribute = name.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def many(*items):
    """A tuple of any length."""
    return b"(" + b"".join(items) + b"t"


def ints(values):
    return many(*(integer(v) for v in values))


ORDERED = call("collections.OrderedDict")


def storage(key="0", numel=6, cls="torch.FloatStorage", location="cpu", extra=b""):
    return many(text("storage"), global_(cls), text(key), text(location), integer(numel), extra) + b"Q"


def tensor(store=None, offset=0, size=(2, 3), stride=(3, 1), tail=b"\x89" + ORDERED, fn="_rebuild_tensor_v2"):
    return call("torch._utils." + fn,
                many(storage() if store is None else store, integer(offset), ints(size), ints(stride), tail))


def qtensor(quantizer, store=None, size=(2, 3), stride=(3, 1)):
    return tensor(store or storage(cls="torch.QInt8Storage"), size=size, stride=stride,
                  tail=quantizer + b"\x89" + ORDERED, fn="_rebuild_qtensor")


def state_dict(**entries):
    return ORDERED + b"(" + b"".join(text(k) + v for k, v in entries.items()) + b"u"


def pickle(body):
    return b"\x80\x02" + body + b"."


class Record:
    """One zip record. Every header field can be overridden; None in `local` means: as in the directory."""

    def __init__(self, name, data=b"", method=0, flags=0, crc=None, size=None, stored=None, offset=None, extra=b"",
                 local=None, local_extra=b"", descriptor=b"", comment=b"", disk=0):
        self.name = name if isinstance(name, bytes) else name.encode()
        if method == 8:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            self.data = packer.compress(data) + packer.flush()
        else:
            self.data = data
        self.method, self.flags, self.disk = method, flags, disk
        self.crc = zlib.crc32(data) if crc is None else crc
        self.size = len(data) if size is None else size
        self.stored = len(self.data) if stored is None else stored
        self.offset, self.extra, self.local_extra = offset, extra, local_extra
        self.local = local or {}
        self.descriptor, self.comment = descriptor, comment


def archive(records, prepend=b"", append=b"", gap=b"", comment=b"", end=None, end64=None, before_directory=b""):
    """`gap` stands between the records; `end` overrides fields of the end record; `end64` adds a zip64 end record."""
    out = bytearray(prepend)
    offsets = []
    for r in records:
        offsets.append(len(out))
        f = dict(name=r.name, flags=r.flags, method=r.method, crc=r.crc, stored=r.stored, size=r.size) | r.local
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, f["flags"], f["method"], 0, 33, f["crc"], f["stored"],
                           f["size"], len(f["name"]), len(r.local_extra))
        out += f["name"] + r.local_extra + r.data + r.descriptor + gap
    out += before_directory
    begin = len(out)
    for r, offset in zip(records, offsets):
        out += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, r.flags, r.method, 0, 33, r.crc, r.stored, r.size,
                           len(r.name), len(r.extra), len(r.comment), r.disk, 0, 0,
                           offset if r.offset is None else r.offset)
        out += r.name + r.extra + r.comment
    size = len(out) - begin
    if end64 is not None:
        e = dict(entries=len(records), disk_entries=len(records), size=size, offset=begin, at=len(out), disk=0,
                 disks=1) | end64
        out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, e["disk"], 0, e["disk_entries"], e["entries"],
                           e["size"], e["offset"])
        out += struct.pack("<IIQI", 0x07064B50, 0, e["at"], e["disks"])
    e = dict(entries=len(records), disk_entries=None, size=size, offset=begin, disk=0) | (end or {})
    on_disk = e["entries"] if e["disk_entries"] is None else e["disk_entries"]
    out += struct.pack("<IHHHHIIH", 0x06054B50, e["disk"], 0, on_disk, e["entries"], e["size"], e["offset"],
                       len(comment)) + comment
    return bytes(out) + append


FLOATS = struct.pack("<6f", *range(6))


def records(data_pkl, data=((0, FLOATS),), folder="archive", version=b"3\n", byteorder=b"little"):
    """The records of an ordinary checkpoint."""
    out = [Record(f"{folder}/data.pkl", data_pkl)]
    if byteorder is not None:
        out.append(Record(f"{folder}/byteorder", byteorder))
    out += [Record(f"{folder}/data/{key}", value) for key, value in data]
    if version is not None:
        out.append(Record(f"{folder}/version", version))
    return out


def zip_file(body, **kwargs):
    """An ordinary archive around a data.pkl of these opcodes."""
    return archive(records(pickle(body), **kwargs))


def legacy_file(body, keys=("0",), storages=((6, FLOATS),), protocol=1001, little=b"\x88", system=None, append=b"",
                key_list=None):
    system = b"}(" + text("protocol_version") + integer(1001) + text("little_endian") + little + b"u" if system is None else system
    key_list = b"](" + b"".join(text(k) for k in keys) + b"e" if key_list is None else key_list
    out = MAGIC + pickle(integer(protocol)) + pickle(system) + pickle(body) + pickle(key_list)
    for numel, data in storages:
        out += struct.pack("<q", numel) + data
    return out + append
