"""The queue by itself: what goes first when there is no room, numbers, what is on the disk."""

from hypothesis import given
from hypothesis import strategies as st
from ipynb_telemetry import events, ids
from ipynb_telemetry.entry import worth
from ipynb_telemetry.outbox import MAX_EVENT_BYTES, Entry, Outbox, left_behind
from sending import cell, custom, source

NAMES = ["edit", "focus", "notebook", "ai_suggestion", "hint", "kernel", "cell", "test", "start"]


def named(name: str) -> events.Draft:
    return events.custom(name, ids.event_id(), {})


def waiting(outbox: Outbox) -> list[str]:
    return [entry.name for entry in outbox.queue]


def test_the_order_of_worth_is_the_agreed_one():
    order = [worth(name) for name in NAMES]
    assert order == sorted(order)
    assert len(set(order)) == len(NAMES)
    assert worth("start") == worth("end") == worth("consent")
    assert worth("ai_suggestion") == worth("ai_feature")


def test_the_least_valuable_goes_first_and_of_equals_the_newest():
    outbox, origin = Outbox(max_events=4), source()
    for name in ("cell", "focus", "hint", "focus", "test", "start"):
        outbox.add(origin, named(name), 0.0, known=True)
    assert waiting(outbox) == ["cell", "hint", "test", "start"]
    outbox.add(origin, named("cell"), 0.0, known=True)
    assert waiting(outbox) == ["cell", "test", "start", "cell"]
    outbox.add(origin, named("hint"), 0.0, known=True)
    assert waiting(outbox) == ["cell", "test", "start", "cell"]
    assert outbox.dropped == origin.dropped == 4
    assert [entry.seq for entry in outbox.take(10, 10_000)] == [1, 5, 6, 7]
    outbox.done()
    outbox.add(origin, named("cell"), 0.0, known=True)
    assert outbox.queue[0].seq == 9


def test_bytes_are_bounded_as_well_as_events():
    outbox, origin = Outbox(max_bytes=10_000), source()
    for _ in range(30):
        outbox.add(
            origin, events.custom("hint", ids.event_id(), {"x": "x" * 2000}), 0.0, known=True
        )
    assert 3 <= outbox.waiting <= 5
    assert outbox.bytes <= 10_000
    outbox.add(origin, cell(), 0.0, known=True)
    assert waiting(outbox)[-1] == "cell"


def test_what_is_too_large_is_given_up_before_it_pushes_others_out():
    outbox, origin = Outbox(), source()
    outbox.add(origin, named("edit"), 0.0, known=True)
    huge = events.custom("hint", ids.event_id(), {"x": ["x" * MAX_EVENT_BYTES]})
    assert not outbox.add(origin, huge, 0.0, known=True)
    assert waiting(outbox) == ["edit"]
    assert (outbox.failed, origin.dropped) == (1, 1)


def test_what_is_taken_waits_again_or_is_done_and_is_never_dropped_meanwhile():
    outbox, origin = Outbox(max_events=3), source()
    for number in range(3):
        outbox.add(origin, custom(number), 0.0, known=True)
    first = list(outbox.take(2, 10_000))
    outbox.add(origin, cell(), 0.0, known=True)
    assert waiting(outbox) == ["cell"]
    outbox.put_back()
    assert list(outbox.queue)[:2] == first
    assert outbox.take(2, 10_000) == first
    outbox.done(refused=(1,))
    assert (outbox.sent, outbox.failed, outbox.waiting) == (1, 1, 1)


def test_a_batch_is_bounded_by_bytes_but_never_empty():
    outbox, origin = Outbox(), source()
    for _ in range(4):
        outbox.add(
            origin, events.custom("hint", ids.event_id(), {"x": "x" * 3000}), 0.0, known=True
        )
    assert len(outbox.take(100, 7_000)) == 2
    outbox.put_back()
    assert len(outbox.take(100, 10)) == 1


def test_what_a_course_does_not_collect_leaves_no_gap_where_it_never_left():
    outbox, origin, other = Outbox(), source(), source(sess="other")
    for name in ("start", "cell", "cell", "hint"):
        outbox.add(origin, named(name), 0.0, known=False)
        outbox.add(other, named(name), 0.0, known=False)
    assert len(outbox.unkept(1.0, 5)) == 5  # numbered, for the disk
    assert outbox.discard(lambda name: name != "cell")
    assert [(e.source, e.name, e.seq) for e in outbox.queue] == [
        (origin, "start", 1),
        (other, "start", 1),
        (origin, "hint", 2),
        (other, "hint", 2),
    ]
    assert (origin.made, origin.seq) == (2, 2)


def test_a_number_that_may_have_left_stays():
    outbox, origin = Outbox(), source()
    for name in ("cell", "hint"):
        outbox.add(origin, named(name), 0.0, known=True)
    outbox.take(10, 10_000)
    outbox.put_back()
    assert not outbox.discard(lambda name: name != "cell")
    assert [(e.name, e.seq) for e in outbox.queue] == [("hint", 2)]


def test_what_is_delivered_before_it_is_on_the_disk_is_struck_afterwards():
    outbox, origin = Outbox(), source()
    outbox.add(origin, custom(), 0.0, known=True)
    (entry,) = outbox.unkept(1.0, 10)
    outbox.take(10, 10_000)
    outbox.done()
    assert outbox.struck == []
    outbox.kept([entry])
    assert outbox.struck == [entry.uuid]


def test_clearing_forgets_as_if_it_had_never_been_made():
    outbox, origin = Outbox(), source()
    outbox.add(origin, custom(), 0.0, known=True)
    outbox.take(10, 10_000)
    outbox.add(origin, custom(), 0.0, known=True)
    outbox.hold(origin, custom(), 5.0, 0.0)
    outbox.clear()
    assert (outbox.waiting, outbox.held, outbox.bytes, origin.made) == (0, {}, 0, 0)
    outbox.done()
    assert outbox.sent == 0


def wire(number: int, code: str | None = None) -> dict:
    about = {"nb": "n", "sess": "s", "student": "A", "v": "1", "src": "kernel", "seq": number}
    return {
        "event": "cell",
        "distinct_id": "A",
        "uuid": ids.event_id(),
        "timestamp": events.now(),
        "properties": {"code": code, **about},
    }


def test_what_was_left_behind_goes_first_and_is_reduced_to_what_holds_now():
    outbox, origin = Outbox(), source()
    outbox.add(origin, custom(), 0.0, known=True)
    entries = [left_behind(wire(1, "my_secret")), left_behind(wire(2))]
    outbox.take_over(entries)
    assert list(outbox.queue)[:2] == entries
    assert b"my_secret" in entries[0].encode(None)
    assert b"my_secret" in entries[0].encode("code")
    assert b"my_secret" not in entries[0].encode("outcomes")
    assert b"my_secret" not in entries[0].encode("full")  # gone is gone


@given(
    st.lists(st.sampled_from(["add", "hold", "take", "back", "done", "clear", "keep"])), st.data()
)
def test_counts_add_up_whatever_happens(steps, data):
    outbox, origin = Outbox(max_events=5), source()
    now = 0.0
    for step in steps:
        now += 1
        if step == "add":
            name = data.draw(st.sampled_from(NAMES))
            outbox.add(origin, named(name), now, known=data.draw(st.booleans()))
        elif step == "hold":
            outbox.hold(origin, named("cell"), now + 1, now)
            outbox.release(now, known=True)
        elif step == "take":
            outbox.take(3, 10_000)
        elif step == "back":
            outbox.put_back()
        elif step == "done":
            outbox.done(refused=(0,))
        elif step == "clear":
            outbox.clear()
        else:
            outbox.kept(outbox.unkept(now, 2))
        assert origin.made == origin.delivered + origin.dropped + outbox.waiting
        assert outbox.waiting <= 5
        assert outbox.bytes == sum(entry.size for entry in outbox.queue)
        everything: list[Entry] = [*outbox.flying, *outbox.queue]
        assert len({entry.seq for entry in everything if entry.seq}) == len(
            [entry for entry in everything if entry.seq]
        )
        assert set(outbox.fresh) >= {e for e in everything if not e.kept}
