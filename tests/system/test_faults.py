"""Short forms of the fault loops (tests/faults): each promise once per test run, and proof that their checkers can say no.
The long forms are `./dev faults …`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))

import kill_loop  # noqa: E402
from ledger import CONFIRMED, CORRUPT, DELIVERED, REDELIVERED, RESENT, SENT, SETTLED, Queue, judge, word  # noqa: E402


def accused(violations):
    return sorted(what for what, found in violations.items() if found)


# -- kill loop ----------------------------------------------------------------------------------------------------------


def test_nothing_confirmed_is_lost_or_reordered_by_kills(tmp_path):
    figures, violations = kill_loop.run(tmp_path, kills=6, seed=20260120, rate=10_000, points=False)
    assert not accused(violations), violations
    assert figures["confirmed"] > 5_000, figures


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
        assert self.judge([*self.consumed, word(REDELIVERED, 0, 2), word(DELIVERED, 1, 2)]) == []

    def test_damage_and_what_nobody_sent(self):
        assert self.judge([*self.consumed, word(CORRUPT, 0, 1)]) == ["corrupt"]
        assert self.judge([*self.consumed, word(DELIVERED, 0, 9)]) == ["invented"]
