"""Reads what strace wrote of a node and says of each confirm whether the disk had its message first. Pure.

Time is the order of the trace's lines. strace stops a thread at the beginning and at the end of each call and writes
down one stop after the other, so a call whose end stands before another's beginning had ended before that one began.

A message is on disk
- when a sync of write_ahead.log ends that began after the write of its bytes there had returned, or
- when the write of LMDB's meta page (a file that syncs each write) returns that began after such a sync of data.mdb.
"""

import bisect
import collections
import re

MARK = re.compile(rb"order:(\d+):(\d{8});")  # in each body: connection, delivery tag of its confirm
STRINGS = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
FIRST = re.compile(r"(\d+)<(TCP:\[[^]]*\]|[^>]*)>")
SYNCS = ("fdatasync", "fsync")
SENDS = ("sendmsg", "sendto", "write", "writev")
WRITES = ("pwrite64", "pwritev", "write", "writev")
ACK, NACK = b"\0\x3c\0\x50", b"\0\x3c\0\x78"

Call = collections.namedtuple("Call", "name begin end arguments result")


def from_hex(text):
    return bytes.fromhex(text.replace("\\x", ""))


def parse(lines):
    """Calls in the order of their ends; the numbers of the lines where each begins and ends."""
    begun = {}
    for number, line in enumerate(lines):
        process, _, rest = line.rstrip("\n").split(None, 2)
        if rest.startswith(("+++", "---")):
            continue
        if rest.endswith("<unfinished ...>"):
            begun[process] = number, rest[:-len("<unfinished ...>")]
            continue
        begin = number
        if rest.startswith("<... "):
            begin, text = begun.pop(process)
            rest = text + rest[rest.index(" resumed>") + len(" resumed>"):]
        name, _, rest = rest.partition("(")
        arguments, _, result = rest.rpartition(" = ")
        found = re.match(r"-?\d+", result)
        if found:  # else the process ended meanwhile
            yield Call(name, begin, number, arguments.rstrip()[:-1], int(found[0]))


def written(call):
    """The bytes that a call has written."""
    parts = []
    for text, cut in STRINGS.findall(call.arguments):
        assert not cut, "strace has cut a string: give it a larger -s"
        parts.append(from_hex(text))
    return b"".join(parts)[:max(call.result, 0)]


class Disk:
    """What was written and synced when."""

    def __init__(self):
        self.syncing = set()  # descriptors that sync each write
        self.writes = []  # (path, end, marks)
        self.syncs = collections.defaultdict(list)  # path -> [(begin, end)]
        self.metas = []  # [(begin, end)] of writes to data.mdb that sync themselves

    def on_open(self, call):
        fd = call.result
        (self.syncing.add if re.search(r"O_D?SYNC", call.arguments) else self.syncing.discard)(fd)

    def on_sync(self, call, path):
        if call.result == 0:
            self.syncs[path].append((call.begin, call.end))

    def on_write(self, call, path, fd):
        if fd in self.syncing:
            if path.endswith("/data.mdb") and call.result > 0:
                self.metas.append((call.begin, call.end))
            return
        marks = {(int(a), int(b)) for a, b in MARK.findall(written(call))}
        if marks:
            self.writes.append((path, call.end, marks))

    def on_disk(self):
        """{mark: the line at which it was on disk for the first time}."""
        found = {}
        for path, end, marks in self.writes:
            at = first_after(self.syncs[path], end)
            if path.endswith("/data.mdb") and at is not None:
                at = first_after(self.metas, at)
            elif not path.endswith("/write_ahead.log"):
                continue
            if at is not None:
                for mark in marks:
                    found[mark] = min(at, found.get(mark, at))
        return found


def first_after(calls, line):
    """The end of the first that began after that line."""
    at = bisect.bisect_right(calls, (line, float("inf")))
    return min((end for _, end in calls[at:at + 4]), default=None)


class Stream:
    """What went out on one socket."""

    def __init__(self):
        self.data, self.offsets, self.begins = bytearray(), [], []

    def add(self, call):
        self.offsets.append(len(self.data))
        self.begins.append(call.begin)
        self.data += written(call)

    def confirms(self):
        """(delivery tag, the line at which the write with its frame began), in the order of the frames."""
        at, confirmed, low, frames = 0, set(), 0, 0
        out = []
        while at + 7 <= len(self.data):
            size = int.from_bytes(self.data[at + 3:at + 7], "big")
            method, payload = bytes(self.data[at + 7:at + 11]), self.data[at + 7:at + 7 + size]
            assert method != NACK or self.data[at] != 1, "a nack: not a run of this test"
            if self.data[at] == 1 and method == ACK:
                tag = int.from_bytes(payload[4:12], "big")
                begin = self.begins[bisect.bisect_right(self.offsets, at) - 1]
                new = [each for each in range(low + 1, tag + 1) if each not in confirmed] if payload[12] & 1 else [tag]
                low = tag if payload[12] & 1 else low
                confirmed.update(new)
                out += [(each, begin) for each in new]
                frames += 1
            at += size + 8
        return out, frames


def judge(lines, sockets):
    """(figures, violations). `sockets`: {"[server->client]" of strace: number of the connection in the marks}."""
    disk, streams, counts = Disk(), collections.defaultdict(Stream), collections.Counter()
    for call in parse(lines):
        if call.name == "openat":
            disk.on_open(call)
            continue
        first = FIRST.match(call.arguments)
        if not first:
            continue
        fd, what = int(first[1]), first[2]
        if what.startswith("TCP:"):
            connection = sockets.get(what[len("TCP:"):])
            if connection is not None and call.name in SENDS and call.result > 0:
                streams[connection].add(call)
            continue
        path = from_hex(what) if what.startswith("\\x") else what.encode()
        path = path.decode("utf-8", "replace")
        if call.name in SYNCS:
            counts[f"syncs_{path.rpartition('/')[2]}"] += 1
            disk.on_sync(call, path)
        elif call.name in WRITES and path.endswith(("/write_ahead.log", "/data.mdb")):
            disk.on_write(call, path, fd)
    there = disk.on_disk()
    violations = []
    for connection, stream in streams.items():
        confirms, frames = stream.confirms()
        counts["ack_frames"] += frames
        for tag, begin in confirms:
            counts["confirms"] += 1
            at = there.get((connection, tag))
            if at is None or at >= begin:
                violations.append(f"connection {connection}, message {tag}: confirmed at line {begin + 1}, " +
                                  ("never on disk" if at is None else f"on disk at line {at + 1}"))
    counts["messages_by_log"] = len({mark for path, _, marks in disk.writes if path.endswith(".log") for mark in marks})
    counts["messages_by_lmdb"] = len({mark for path, _, marks in disk.writes for mark in marks}) - counts["messages_by_log"]
    return dict(counts), violations
