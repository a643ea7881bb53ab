#!/usr/bin/env python3
"""Writes more seeds than stand in corpus/: one of everything that can be enumerated, as an independent library (pamqp)
encodes it. Usage: make_seeds.py FOLDER; the seeds of fuzz_x go to FOLDER/fuzz_x."""

import pathlib
import struct
import sys

from pamqp import commands

folder = pathlib.Path(sys.argv[1])


def seed(target, name, data):
    place = folder / target
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_bytes(data)


def short(text):
    return bytes([len(text)]) + text


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def field(name, letter, value=b""):
    return short(name) + letter + value


def nested(levels):
    table = b""
    for _ in range(levels):
        table = field(b"n", b"F", struct.pack(">I", len(table)) + table)
    return table


def sample(kind):
    return {"octet": 5, "short": 3, "long": 70000, "longlong": 1 << 40, "shortstr": "name", "longstr": "text",
            "bit": True, "timestamp": 1768910400, "table": {"x-max-length": 5, "x-overflow": "drop-head"}}[kind]


def methods():
    """Every method with sample arguments: (name, payload)."""
    for mapping in commands.INDEX_MAPPING.values():
        what = object.__new__(mapping)
        mapping.validate = lambda self: None  # also what no client may send
        for attribute in mapping.__slots__:
            setattr(what, attribute, sample(mapping.amqp_type(attribute)))
        yield mapping.name, struct.pack(">I", mapping.index) + what.marshal()


FIELDS = {
    "void": field(b"V", b"V"), "bool": field(b"t", b"t", b"\1"), "int8": field(b"b", b"b", b"\x80"),
    "uint8": field(b"B", b"B", b"\xff"), "int16": field(b"s", b"s", b"\x80\0"), "uint16": field(b"u", b"u", b"\xff\xff"),
    "int32": field(b"I", b"I", b"\x80\0\0\0"), "uint32": field(b"i", b"i", b"\xff" * 4),
    "int64": field(b"l", b"l", b"\x80" + b"\0" * 7), "uint64": field(b"L", b"L", b"\xff" * 8),
    "float": field(b"f", b"f", struct.pack(">f", 1.5)), "double": field(b"d", b"d", struct.pack(">d", -2.5)),
    "decimal": field(b"D", b"D", b"\2\0\0\x30\x39"), "text": field(b"S", b"S", struct.pack(">I", 3) + b"abc"),
    "bytes": field(b"x", b"x", struct.pack(">I", 2) + b"\0\xff"), "time": field(b"T", b"T", struct.pack(">Q", 1768910400)),
    "array": field(b"A", b"A", struct.pack(">I", 7) + b"S\0\0\0\2ab"), "table": nested(3),
}

for name, payload in methods():
    seed("fuzz_amqp_method", name, payload)
    seed("fuzz_amqp_frame", name, struct.pack(">I", 131072) + frame(1, 1, payload))

for name, table in FIELDS.items():
    seed("fuzz_fields", f"field_{name}", table)
    both = field(b"x-match", b"S", struct.pack(">I", 3) + b"all") + table
    seed("fuzz_routing", f"headers_{name}", bytes([len(both)]) + both + table)
everything = b"".join(FIELDS.values())
seed("fuzz_fields", "field_each", everything)
seed("fuzz_fields", "nested_16", nested(16))
seed("fuzz_fields", "nested_17", nested(17))
for flag in range(16):  # one property each; a flag that class basic doesn't have is refused
    value = {13: struct.pack(">I", len(everything)) + everything, 12: b"\2", 11: b"\7", 6: struct.pack(">Q", 1)}
    seed("fuzz_fields", f"property_{flag}", struct.pack(">H", 1 << flag) + value.get(flag, short(b"text")))

for kind, payload in {"method": b"\0\x3c\0\x50" + b"\0" * 9, "header": struct.pack(">HHQH", 60, 0, 4, 0), "body": b"body",
                      "heartbeat": b""}.items():
    number = {"method": 1, "header": 2, "body": 3, "heartbeat": 8}[kind]
    seed("fuzz_amqp_frame", f"kind_{kind}", struct.pack(">I", 4096) + frame(number, 7, payload))
    seed("fuzz_amqp_frame", f"bad_end_{kind}", struct.pack(">I", 4096) + frame(number, 7, payload)[:-1] + b"\xcd")
    seed("fuzz_amqp_frame", f"cut_{kind}", struct.pack(">I", 4096) + frame(number, 7, payload)[:-1])
for size in (0, 1, 4095, 4096, 4097, 2**31 - 1, 2**31, 2**32 - 1):
    seed("fuzz_amqp_frame", f"size_{size}", struct.pack(">IBHI", 4096, 3, 1, size) + b"body")

for name, version in {"0_9_1": b"\0\0\x09\1", "0_9": b"\1\1\0\x09", "0_8": b"\1\1\x08\0", "1_0": b"\0\1\0\0", "sasl": b"\3\1\0\0"}.items():
    seed("fuzz_amqp_login", f"header_{name}", b"AMQP" + version)
    seed("fuzz_amqp_frame", f"header_{name}", b"AMQP" + version)
amqplain = field(b"LOGIN", b"S", struct.pack(">I", 5) + b"guest") + field(b"PASSWORD", b"S", struct.pack(">I", 5) + b"guest")
for name, line in {"plain": b"PLAIN\n\0guest\0guest", "for": b"PLAIN\nguest\0guest\0guest", "for_other": b"PLAIN\nroot\0guest\0guest",
                   "cut": b"PLAIN\n\0guest", "more": b"PLAIN\n\0a\0b\0c", "amqplain": b"AMQPLAIN\n" + amqplain,
                   "number": b"AMQPLAIN\n" + field(b"LOGIN", b"I", b"\0\0\0\1") + field(b"PASSWORD", b"V"),
                   "anonymous": b"ANONYMOUS\n", "external": b"EXTERNAL\n", "none": b"\n"}.items():
    seed("fuzz_amqp_login", f"login_{name}", line)

for name, (frame_max, texts, body, repeats) in {
        "empty": (131072, (b"", b"", b""), b"", 0), "small": (131072, (b"x", b"key", b"\x10\0\2"), b"body", 0),
        "long_names": (0, (b"e" * 300, b"k" * 300, b"\0\0"), b"", 0), "parts": (4096, (b"", b"q", b""), b"b" * 3000, 9),
}.items():
    seed("fuzz_amqp_content", name, struct.pack(">IHQBIHHHHH", frame_max, 1, 1 << 40, 1, 7, 312, *map(len, texts), repeats) +
         b"".join(texts) + body)

for code in (200, 311, 312, 313, 320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540, 541, 0):
    seed("fuzz_amqp_reply", f"code_{code}", struct.pack(">HHH", code, 60, 40) + b"no queue 'q' in vhost '/'")
seed("fuzz_amqp_reply", "long", struct.pack(">HHH", 404, 50, 10) + b"\xe2\x82\xac" * 120)
seed("fuzz_amqp_reply", "escapes", struct.pack(">HHH", 501, 0, 0) + b"\"\\\b\t\n\v\f\r\x1b")
seed("fuzz_amqp_reply", "octets", struct.pack(">HHH", 501, 0, 0) + bytes(range(256)))

for name, (pattern, key) in {"hash": (b"#", b"a.b"), "bomb": (b"#.a." * 4 + b"#", b"a." * 8 + b"a"), "star": (b"a.*.c", b"a.b.c"),
                             "run": (b"#.*.#.*.#", b"a.b"), "empty_words": (b"..", b".."), "none": (b"", b"")}.items():
    seed("fuzz_routing", f"topic_{name}", bytes([len(pattern)]) + pattern + key)
copies = struct.pack(">I", 14) + b"S\0\0\0\2k1S\0\0\0\2k2"
seed("fuzz_routing", "copies", b"\0" + field(b"CC", b"A", copies) + field(b"BCC", b"A", copies))
seed("fuzz_routing", "copies_of_wrong_type", b"\0" + field(b"CC", b"S", struct.pack(">I", 2) + b"k1"))
for mode in (b"any", b"all-with-x", b"any-with-x", b"none"):
    both = field(b"x-match", b"S", struct.pack(">I", len(mode)) + mode) + field(b"x-a", b"V") + FIELDS["int8"]
    seed("fuzz_routing", f"match_{mode.decode()}", bytes([len(both)]) + both + FIELDS["int8"] + field(b"x-a", b"I", b"\0\0\0\1"))
