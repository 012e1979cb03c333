"""The book of what is missing, against a plain set of indexes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from latemiles.sensors import gaps
from latemiles.sensors.gaps import GapBook
from latemiles.sensors.protocol import Range

frames = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 19)), min_size=1, max_size=60)


@given(frames)
def test_what_is_missing_is_what_a_plain_set_says(heard):
    book, plain = GapBook(), set()
    for first, n in heard:
        book.heard(1, first, n)
        plain.update(range(first, first + n))
    expected = set(range(max(plain) + 1)) - plain
    assert {i for r in book.missing for i in range(r.first, r.stop)} == expected
    assert book.missing == sorted(book.missing)
    assert all(a.stop < b.first for a, b in zip(book.missing, book.missing[1:], strict=False))
    assert book.missing_samples == len(expected)


@given(frames, st.integers(0, 320))
def test_what_the_sensor_no_longer_has_is_given_up_and_counted(heard, oldest):
    book = GapBook()
    for first, n in heard:
        book.heard(1, first, n)
    before = book.missing_samples
    lost = book.give_up_below(oldest)
    assert lost + book.missing_samples == before
    assert all(r.first >= oldest for r in book.missing)
    assert book.given_up == lost


def test_the_newest_gap_is_asked_for_first():
    book = GapBook()
    for first in (0, 30, 60, 90):
        book.heard(1, first, 10)
    assert book.newest_first(2) == [Range(70, 90), Range(40, 60)]
    assert book.newest_first(16) == [Range(70, 90), Range(40, 60), Range(10, 30)]


def test_only_a_new_gap_is_news():
    book = GapBook()
    assert not book.heard(1, 0, 10)
    assert book.heard(1, 20, 10)
    assert not book.heard(1, 30, 10)
    assert not book.heard(1, 10, 10)
    assert book.repaired == 10
    assert not book.heard(1, 10, 10)
    assert book.repaired == 10


def test_another_epoch_gives_up_what_was_missing_of_the_last():
    book = GapBook()
    book.heard(1, 0, 10)
    book.heard(1, 20, 10)
    assert book.heard(2, 5, 10)
    assert book.given_up == 10
    assert book.missing == [Range(0, 5)]


def test_the_book_stays_small_however_bad_the_radio(monkeypatch):
    monkeypatch.setattr(gaps, "MOST_GAPS", 8)
    book = GapBook()
    for k in range(100):
        book.heard(1, 20 * k, 10)
    assert len(book.missing) == 8
    assert book.given_up == 91 * 10
