"""Short forms of the fault loops (tests/faults): each promise once per test run, and proof that their checkers can say no.
The long forms are `./dev faults …`."""

import copy
import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))

from conftest import BINARY, ROOT, SANITIZED  # noqa: E402
import acd_chaos  # noqa: E402
import disk_trace  # noqa: E402
import effects  # noqa: E402
import exactly_once  # noqa: E402
import kill_loop  # noqa: E402
import order  # noqa: E402
import poison_messages  # noqa: E402
from ledger import CONFIRMED, CORRUPT, DELIVERED, REDELIVERED, RESENT, SENT, SETTLED, Queue, judge, word  # noqa: E402


def accused(violations):
    return sorted(what for what, found in violations.items() if found)


# -- kill loop ----------------------------------------------------------------------------------------------------------


def test_nothing_confirmed_is_lost_or_reordered_by_kills(tmp_path):
    figures, violations = kill_loop.run(tmp_path, kills=2 * len(kill_loop.POINTS), seed=20260120, rate=10_000)
    assert not accused(violations), violations
    assert figures["confirmed"] > (1_000 if SANITIZED else 5_000), figures
    assert len(figures["kinds"]) >= len(kill_loop.POINTS) - 2, figures


def test_a_deep_queue_begins_at_its_head_after_each_kill(tmp_path):
    figures, violations = kill_loop.run_backlog(tmp_path, messages=30_000, kills=2)
    assert not accused(violations), violations
    assert figures["first_delivery_s_max"] > 0


def test_a_fail_point_that_does_not_exist_stops_the_start(tmp_path):
    done = subprocess.run([BINARY, "run", "--config", ROOT / "config/standalone.toml", "--set", f"node.data_dir={tmp_path}"],
                          env={**os.environ, "SWITCHBOARD_FAIL_POINT": "nowhere:1"}, capture_output=True, text=True)
    assert done.returncode == 78
    assert "SWITCHBOARD_FAIL_POINT: no such fail point: nowhere" in done.stderr


class TestLedger:
    """One queue of three messages, and its dead letters: every second one."""

    queues = [Queue("q"), Queue("dead", source=0, takes=lambda sequence: sequence == 2)]
    published = [word(SENT, 0, n) for n in (1, 2, 3)] + [word(CONFIRMED, 0, n) for n in (1, 2, 3)]
    consumed = ([word(DELIVERED, 0, n) for n in (1, 2, 3)] + [word(SETTLED, 0, n) for n in (1, 2, 3)] +
                [word(DELIVERED, 1, 2), word(SETTLED, 1, 2)])

    def judge(self, consumed, published=()):
        return accused(judge(self.queues, [*self.published, *published], consumed)[1])

    def test_all_is_well(self):
        assert self.judge(self.consumed) == []

    def test_what_was_never_settled_is_lost(self):
        assert self.judge([each for each in self.consumed if each != word(SETTLED, 0, 3)]) == ["lost"]

    def test_a_dead_letter_that_never_came_is_lost(self):
        assert self.judge(self.consumed[:-2]) == ["lost"]

    def test_what_was_not_confirmed_may_be_lost(self):
        assert self.judge(self.consumed, [word(SENT, 0, 4)]) == []

    def test_an_earlier_message_that_comes_first_later_is_reordered(self):
        swapped = [word(DELIVERED, 0, n) for n in (1, 3, 2)]
        assert self.judge(swapped + self.consumed[3:]) == ["reordered"]

    def test_a_second_delivery_wants_a_reason(self):
        assert self.judge([*self.consumed, word(DELIVERED, 0, 1)]) == ["duplicate"]
        assert self.judge([*self.consumed, word(REDELIVERED, 0, 1)]) == []
        assert self.judge([*self.consumed, word(DELIVERED, 0, 1)], [word(RESENT, 0, 1)]) == []
        assert self.judge([*self.consumed, word(DELIVERED, 1, 2)]) == ["duplicate"]

    def test_damage_and_what_nobody_sent(self):
        assert self.judge([*self.consumed, word(CORRUPT, 0, 1)]) == ["corrupt"]
        assert self.judge([*self.consumed, word(DELIVERED, 0, 9)]) == ["invented"]


# -- dead letters ------------------------------------------------------------------------------------------------------


def test_each_message_that_nobody_can_do_is_one_dead_letter_whatever_is_killed(tmp_path):
    figures, violations = poison_messages.run(tmp_path, messages=300, kills=5, seed=20260120)
    assert not violations, violations
    assert figures["letters"] == 300 and figures["deliveries"] >= 5 * 300, figures


# -- exactly once -------------------------------------------------------------------------------------------------------


def test_commands_take_effect_once_over_kills_repeats_and_lost_replies(tmp_path):
    figures, violations = exactly_once.run(tmp_path, commands=300, seed=20260120, rate=80)
    assert not violations, violations
    assert figures["calls"] == 300 and figures["kills"] > 3, figures
    assert figures["replies_amqp"] + figures["replies_http"] > 600, figures


class TestEffects:
    """Two commands; the second is repeated, the call of the first has ended."""

    @staticmethod
    def answer(call):
        return json.dumps({"message_id": "m", "status_code": 200, "body": {"id": call}})

    def setup_method(self):
        self.replies = [(1, "amqp", 200, self.answer("a")), (2, "amqp", 200, self.answer("b")),
                        (2, "amqp", 200, self.answer("b")), (2, "http", 200, json.dumps({"id": "b"}))]
        self.calls = [{"id": "a", "source": {"target": "+155500000001"}, "status": "hangup"},
                      {"id": "b", "source": {"target": "+155500000002"}, "status": "progressing"}]
        self.events = [("e1", "call.created", "a", False), ("e2", "call.created", "b", False),
                       ("e3", "call.ended", "a", False), ("e4", "call.answered", "b", False)]

    def judge(self):
        return accused(effects.judge([1, 2], self.replies, self.calls, self.events)[1])

    def test_all_is_well(self):
        assert self.judge() == []
        self.events.append(("e1", "call.created", "a", True))
        assert self.judge() == []

    def test_a_second_call(self):
        twin = copy.deepcopy(self.calls[1])
        twin["id"] = "c"
        self.calls.append(twin)
        self.events += [("e5", "call.created", "c", False), ("e6", "call.answered", "c", False)]
        assert self.judge() == ["created_twice"]

    def test_no_call_or_another_one(self):
        del self.calls[1]
        self.events = [each for each in self.events if each[2] == "a"]
        assert self.judge() == ["not_created"]
        self.replies = [(1, "amqp", 200, self.answer("x")), (2, "amqp", 503, "{}")]
        assert self.judge() == ["not_created", "other_call", "unanswered"]

    def test_answers_that_differ(self):
        self.replies.append((2, "amqp", 200, self.answer("b") + " "))
        assert self.judge() == ["answers_differ"]
        self.replies[-1] = (1, "http", 200, json.dumps({"id": "b"}))
        assert self.judge() == ["answers_differ"]

    def test_events(self):
        self.events.append(("e9", "call.created", "a", False))
        assert self.judge() == ["event_twice", "events_reordered"]
        self.events[-1] = ("e1", "call.created", "a", False)
        assert self.judge() == ["event_again"]
        del self.events[-2:]
        assert self.judge() == ["event_missing"]
        self.events.append(("e4", "call.answered", "z", False))
        assert self.judge() == ["event_missing", "event_of_nobody"]


# -- proof of order -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(SANITIZED, reason="the leak checker does not work under strace")
def test_every_confirm_leaves_after_a_sync_that_began_after_its_write(tmp_path):
    figures, violations = order.run(tmp_path, messages=600, seed=20260120)
    assert not violations, violations[:5]
    assert figures["confirms"] == 600 and figures["messages_by_lmdb"] > 0 < figures["messages_by_log"], figures


@pytest.mark.skipif(SANITIZED, reason="the leak checker does not work under strace")
def test_a_node_that_does_not_sync_has_no_proof_of_order(tmp_path):
    _, violations = order.run(tmp_path, messages=50, seed=20260120, sync=False)
    assert len(violations) == 50


class TestDiskTrace:
    """Two messages, their log's sync, one confirm for both; and what the same would be if things went wrong."""

    log = "5</data/write_ahead.log>"
    socket = "9<TCP:[127.0.0.1:5672->127.0.0.1:40000]>"

    @staticmethod
    def hexed(data):
        return "".join(f"\\x{each:02x}" for each in data)

    def write(self, *tags, to=log):
        data = self.hexed(b"".join(b"junk order:0:%08d; junk" % tag for tag in tags))
        return f'pwrite64({to}, "{data}", {len(data) // 4}, 0) = {len(data) // 4}'

    def sync(self, of=log, result="0"):
        return f"fdatasync({of})  = {result}"

    def ack(self, tag, multiple=1, part=slice(None)):
        data = (b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x50" + tag.to_bytes(8, "big") + bytes([multiple]) + b"\xce")[part]
        return (f'sendmsg({self.socket}, {{msg_name=NULL, msg_namelen=0, msg_iov=[{{iov_base="{self.hexed(data)}", '
                f"iov_len={len(data)}}}], msg_iovlen=1, msg_controllen=0, msg_flags=0}}, MSG_NOSIGNAL) = {len(data)}")

    def judge(self, *calls):
        """A call is "process text" or, of process 1, text alone."""
        lines = [each if each[0].isdigit() else f"1 {each}" for each in calls]
        lines = [f"{each.split()[0]} 17000.5 {each.split(None, 1)[1]}\n" for each in lines]
        return disk_trace.judge(lines, {"[127.0.0.1:5672->127.0.0.1:40000]": 0})

    def test_all_is_well(self):
        figures, violations = self.judge(self.write(1, 2), self.sync(), self.ack(2), "+++ exited with 0 +++")
        assert not violations
        assert figures == {"syncs_write_ahead.log": 1, "ack_frames": 1, "confirms": 2, "messages_by_log": 2,
                           "messages_by_lmdb": 0}

    def test_a_confirm_before_the_sync(self):
        _, violations = self.judge(self.write(1, 2), self.ack(2), self.sync())
        assert violations == [f"connection 0, message {n}: confirmed at line 2, on disk at line 3" for n in (1, 2)]

    def test_a_sync_that_has_not_ended(self):
        begun, ended = f"2 fdatasync({self.log} <unfinished ...>", "2 <... fdatasync resumed>) = 0"
        assert len(self.judge(self.write(1), begun, self.ack(1), ended)[1]) == 1
        assert self.judge(self.write(1), begun, ended, self.ack(1))[1] == []

    def test_a_sync_that_began_before_the_write_had_returned(self):
        write = self.write(1)
        begun, ended = "2 " + write.partition(", 0)")[0] + " <unfinished ...>", "2 <... pwrite64 resumed>, 0) = 29"
        assert len(self.judge(begun, self.sync(), ended, self.ack(1))[1]) == 1
        assert self.judge(begun, ended, self.sync(), self.ack(1))[1] == []

    def test_a_sync_that_failed_or_of_another_file(self):
        assert len(self.judge(self.write(1), self.sync(result="-1 EIO (Input/output error)"), self.ack(1))[1]) == 1
        assert len(self.judge(self.write(1), self.sync(of="6</data/data.mdb>"), self.ack(1))[1]) == 1

    def test_one_of_several_was_never_written(self):
        _, violations = self.judge(self.write(1, 3), self.sync(), self.ack(3))
        assert violations == ["connection 0, message 2: confirmed at line 3, never on disk"]
        assert self.judge(self.write(1, 3), self.sync(), self.ack(1, 0), self.ack(3, 0))[1] == []

    def test_a_confirm_counts_from_its_first_byte(self):
        first, rest = self.ack(1, part=slice(0, 3)), self.ack(1, part=slice(3, None))
        assert len(self.judge(self.write(1), first, self.sync(), rest)[1]) == 1
        assert self.judge(self.write(1), self.sync(), first, rest)[1] == []

    def test_lmdb_is_there_with_its_meta_page(self):
        data, meta = "6</data/data.mdb>", "7</data/data.mdb>"
        opened = f'openat(AT_FDCWD</>, "{self.hexed(b"data.mdb")}", O_RDWR|O_DSYNC|O_CLOEXEC) = {meta}'
        pages, page = self.write(1, to=data), self.write(to=meta).replace('""', '"\\x00"').replace("= 0", "= 1")
        assert self.judge(opened, pages, self.sync(of=data), page, self.ack(1))[1] == []
        assert len(self.judge(opened, pages, self.sync(of=data), self.ack(1), page)[1]) == 1
        assert len(self.judge(opened, pages, page, self.sync(of=data), self.ack(1))[1]) == 1


# -- the contact centre -------------------------------------------------------------------------------------------------


def test_every_caller_leaves_once_and_no_agent_is_stuck_over_a_kill_and_crashes(tmp_path):
    if not (BINARY.parent / "test_plugins" / "queue_crashing.so").exists():
        pytest.skip("the test plugins are not built")
    figures, violations, examples = acd_chaos.run(tmp_path, 60, 12, 2, 4, 1, 20261122, crashes=True)
    assert not violations, examples
    assert figures["put_in"] == 60 and figures["serviced"] > 5 and figures["kills"] == 1, figures


class TestAcdJudge:
    """A caller who is offered to an agent, and served."""

    @staticmethod
    def event(kind, caller="c", agent="a", **more):
        return {"event_type": kind, "resource_id": "q", "data": {"queuecall_id": caller, "agent_id": agent, **more}}

    def life(self, caller="c", agent="a"):
        return [self.event(f"queue.{kind}", caller, agent) for kind in ("caller_joined", "offered", "serviced")]

    def judged(self, events):
        judge = acd_chaos.Judge()
        counted, joined = judge.recount(events)
        return accused(judge.violations), counted["q"], joined

    def test_all_is_well(self):
        assert self.judged(self.life() + self.life("d")) == ([], {"incoming": 2, "serviced": 2}, 2)

    def test_a_caller_who_never_leaves_or_leaves_twice(self):
        assert self.judged(self.life()[:2])[0] == ["left not exactly once"]
        assert self.judged([*self.life(), self.event("queue.abandoned")])[0] == ["left not exactly once"]

    def test_an_agent_who_is_offered_a_second_caller(self):
        assert self.judged(self.life()[:2] + self.life("d") + self.life()[2:])[0] == ["agent beyond capacity"]

    def test_an_agent_who_hung_up_before_they_talked_is_free(self):
        lost = [*self.life()[:2], self.event("queue.agent_lost"), *self.life("d"), self.event("queue.abandoned")]
        assert self.judged(lost)[0] == []

    def test_a_caller_nobody_put_in(self):
        assert self.judged([self.event("queue.abandoned")])[0] == ["left without having joined"]

    def test_an_agent_who_rings_while_busy(self):
        judge = acd_chaos.Judge()
        judge.agents([{"event_type": "agent.status_change", "resource_id": "a", "data": {"previous": before, "status": after}}
                      for before, after in (("offline", "available"), ("available", "busy"), ("busy", "ringing"))])
        assert accused(judge.violations) == ["rung while ringing or busy"]
