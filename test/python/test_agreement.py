"""Notice and consent from setup to relay: what is said, asked, remembered, sent and not sent."""

import builtins
import time

import ipynb_telemetry
import pytest
from ipynb_telemetry import (
    agreement,
    bootstrap,
    consent,
    notices,
    setup_telemetry,
    state,
    tracked,
    transport,
)
from standin import COURSE, KEY, StandIn

NOTICE = {**COURSE, "notice": {**COURSE["notice"], "version": 2}}
ASKS = {**NOTICE, "consent": "opt-in"}


@pytest.fixture
def somebody(monkeypatch):
    """Somebody reads and answers; the list of what they were asked."""
    monkeypatch.setattr(bootstrap, "_somebody", lambda _shell: True)
    asked = []

    def never(prompt=""):
        asked.append(prompt)
        raise AssertionError(f"asked: {prompt}")

    monkeypatch.setattr(builtins, "input", never)
    return asked


def answers(monkeypatch, *lines):
    left, asked = list(lines), []

    def answer(prompt=""):
        asked.append(prompt)
        return left.pop(0)

    monkeypatch.setattr(builtins, "input", answer)
    return asked


def begin(relay, **more):
    return setup_telemetry("intro", host=relay.url, api_key=KEY, student_name="Ada Byron", **more)


def sent(relay) -> list[str]:
    """Everything that has been sent, by name."""
    ipynb_telemetry.flush(5)
    return [e["event"] for e in relay.events]


def consents(relay) -> list[tuple]:
    return [
        (p["action"], p["level"], p["notice_version"])
        for p in (e["properties"] for e in relay.of("consent"))
    ]


def remembered(relay) -> dict:
    """The decision on the course of this relay."""
    return state.load().consents[state.key_of("demo", relay.url)]


def quiet(relay) -> None:
    """The course has been asked, and time enough to send something has passed."""
    relay.wait_for(lambda: any(path == "/api/v1/course" for _, path, _ in relay.requests))
    ipynb_telemetry.flush(0.3)
    time.sleep(0.7)
    assert relay.events == []
    assert [path for _, path, _ in relay.requests if path == "/batch/"] == []


def test_a_notice_is_shown_once_for_each_version_and_then_it_is_sent(relay, somebody, capsys):
    relay.course = NOTICE
    begin(relay)
    told = capsys.readouterr().out
    assert told.startswith("Welcome, ADA-BYRON!\nipynb-telemetry: Demo records how your work")
    for words in ("results of tests", "Demo.", "365 days", "teacher@example.org", "decline()"):
        assert words in told
    begin(relay)
    assert "records how" not in capsys.readouterr().out
    record = remembered(relay)
    assert (record["decision"], record["notice_version"], record["by"]) == ("agreed", 2, "kernel")
    relay.course = {**NOTICE, "notice": {**NOTICE["notice"], "version": 3}}
    begin(relay)
    assert "records how" in capsys.readouterr().out
    # Whoever was only told has decided nothing, so there is no consent to report.
    assert set(sent(relay)) == {"start", "end"}


def test_who_declines_a_notice_is_left_alone_from_then_on(relay, somebody, capsys):
    relay.course = NOTICE
    begin(relay)
    relay.wait_for_events(1)
    assert ipynb_telemetry.status()["sending"] is True
    ipynb_telemetry.decline()
    assert ipynb_telemetry.status()["sending"] is False
    builtins._telemetry_capture("unseen")
    begin(relay)
    builtins._telemetry_capture("unseen")
    out = capsys.readouterr().out
    assert out.count(agreement.AS_DECIDED) == 2
    assert sent(relay) == ["start", "consent"]
    assert consents(relay) == [("withdrawn", "outcomes", 2)]
    assert remembered(relay)["decision"] == "declined"
    ipynb_telemetry.agree()
    builtins._telemetry_capture("seen")
    assert sent(relay)[2:] == ["consent", "seen"]
    assert consents(relay)[1:] == [("given", "outcomes", 2)]


def test_a_withdrawal_leaves_also_where_setup_runs_again_during_an_outage(relay, somebody):
    relay.course = NOTICE
    begin(relay)
    relay.wait_for_events(1)
    relay.plan = [503]
    ipynb_telemetry.decline()
    relay.wait_for(lambda: not relay.plan)
    begin(relay)
    ipynb_telemetry.decline()
    relay.wait_for_events(1, "consent")
    assert sent(relay) == ["start", "consent"]


def test_a_policy_can_make_a_notice_mandatory(relay, somebody, capsys, monkeypatch):
    monkeypatch.setenv("TELEMETRY_POLICY", '{"mandatory": true}')
    monkeypatch.setenv("TELEMETRY_CONSENT", "no")
    relay.course = NOTICE
    begin(relay)
    ipynb_telemetry.decline()
    out = capsys.readouterr().out
    assert agreement.MANDATORY in out
    assert "To stop" not in out
    builtins._telemetry_capture("seen")
    assert sent(relay) == ["start", "seen"]


@pytest.mark.parametrize("answer", ["n", ""])
def test_who_does_not_agree_sends_nothing_and_is_not_asked_again(
    relay, somebody, monkeypatch, capsys, answer
):
    relay.course = ASKS
    asked = answers(monkeypatch, answer)
    begin(relay)
    builtins._cell("unseen")
    builtins.tracked_test("t")(lambda: None)()
    begin(relay)
    assert asked == ["Do you agree? [y/N] "]
    out = capsys.readouterr().out
    assert out.index("Nothing is sent unless you agree") < out.index(agreement.AS_DECIDED)
    quiet(relay)
    # What happened before is not sent later either.
    ipynb_telemetry.agree()
    builtins._telemetry_capture("seen")
    assert sent(relay) == ["consent", "seen"]
    assert consents(relay) == [("given", "outcomes", 2)]


def test_who_agrees_is_not_asked_again_until_the_notice_changes(relay, somebody, monkeypatch):
    relay.course = ASKS
    asked = answers(monkeypatch, "y", "n")
    begin(relay)
    begin(relay)
    assert len(asked) == 1
    assert sent(relay) == ["start", "consent", "end", "start"]
    assert consents(relay) == [("given", "outcomes", 2)]
    assert remembered(relay)["decision"] == "agreed"
    relay.course = {**ASKS, "notice": {**ASKS["notice"], "version": 3}}
    begin(relay)
    assert len(asked) == 2
    builtins._telemetry_capture("unseen")
    assert "unseen" not in sent(relay)


def test_withdrawing_is_the_last_that_leaves(relay, somebody, monkeypatch):
    relay.course = ASKS
    answers(monkeypatch, "y")
    begin(relay)
    relay.wait_for_events(2)
    relay.plan = [503]
    builtins._telemetry_capture("unseen")
    relay.wait_for(lambda: not relay.plan)
    ipynb_telemetry.decline()
    builtins._telemetry_capture("unseen")
    relay.wait_for_events(3)
    assert sent(relay) == ["start", "consent", "consent"]
    assert consents(relay)[1] == ("withdrawn", "outcomes", 2)
    seqs = [e["properties"]["seq"] for e in relay.events]
    assert seqs == sorted(seqs)


def test_a_level_can_be_chosen_and_changed(somebody, monkeypatch):
    with StandIn({**ASKS, "level": "code"}) as relay:
        answers(monkeypatch, "y")
        begin(relay)
        ipynb_telemetry.agree("outcomes")
        builtins._cell("a", "my code")
        ipynb_telemetry.agree("full")
        builtins._cell("b", "my code")
        ipynb_telemetry.agree("full")
        assert sent(relay) == ["start", "consent", "consent", "cell", "consent", "cell"]
        assert consents(relay) == [
            ("given", "code", 2),
            ("changed", "outcomes", 2),
            ("changed", "code", 2),
        ]
        codes = [e["properties"]["code"] for e in relay.of("cell")]
    assert codes[1] == "my code"
    assert codes[0] is None
    with pytest.raises(ValueError, match="expected one of outcomes, code, full"):
        ipynb_telemetry.agree("everything")


@pytest.mark.parametrize("yes", ["yes", "YES", "true", "1"])
def test_the_environment_can_agree(relay, monkeypatch, yes):
    monkeypatch.setenv("TELEMETRY_CONSENT", yes)
    relay.course = ASKS
    begin(relay)
    relay.wait_for_events(1, "start")
    assert sent(relay) == ["start"]
    assert state.load().consents == {}


def test_the_environment_can_refuse(relay, somebody, monkeypatch, capsys):
    monkeypatch.setenv("TELEMETRY_CONSENT", "no")
    relay.course = ASKS
    begin(relay)
    ipynb_telemetry.agree()
    assert capsys.readouterr().out.count(agreement.ANSWERED_NO) == 2
    quiet(relay)


def test_a_student_who_declined_is_above_the_environments_yes(relay, monkeypatch):
    monkeypatch.setenv("TELEMETRY_CONSENT", "yes")
    relay.course = ASKS
    state.decide("demo", {"decision": "declined", "notice_version": 2})
    begin(relay)
    quiet(relay)


def test_where_nobody_can_be_asked_nothing_is_sent_and_one_line_says_so(relay, capsys):
    relay.course = ASKS
    began = time.monotonic()
    begin(relay)
    assert time.monotonic() - began < agreement.COURSE_SECONDS
    builtins._cell("unseen")
    quiet(relay)
    told = capsys.readouterr()
    assert (told.out + told.err).count(agreement.NOBODY_ASKED) == 1


def test_where_a_page_asks_the_kernel_does_not(relay, somebody, monkeypatch, capsys):
    monkeypatch.setenv("TELEMETRY_PAGE", "1")
    relay.course = ASKS
    begin(relay)
    quiet(relay)
    told = capsys.readouterr()
    assert (told.out + told.err).count("the page asks you for it") == 1
    # The page's word counts from when it comes.
    tracked.active()._consented(True, "outcomes", 2)
    builtins._telemetry_capture("seen")
    assert sent(relay) == ["seen"]
    tracked.active()._consented(False, None, 2)
    builtins._telemetry_capture("unseen")
    assert sent(relay) == ["seen"]
    assert state.load().consents == {}  # the page remembers by itself


def test_where_a_page_gives_notice_the_kernel_does_not(relay, somebody, monkeypatch, capsys):
    monkeypatch.setenv("TELEMETRY_PAGE", "1")
    begin(relay)
    assert sent(relay) == ["start"]
    assert "records how" not in capsys.readouterr().out
    assert state.load().consents == {}


def test_a_policy_can_have_students_asked(relay, somebody, monkeypatch):
    monkeypatch.setenv("TELEMETRY_POLICY", '{"consent": "opt-in", "level": "outcomes"}')
    asked = answers(monkeypatch, "n")
    relay.course = NOTICE
    begin(relay)
    assert asked == ["Do you agree? [y/N] "]
    quiet(relay)


def test_a_notice_that_was_read_is_no_agreement(relay, somebody, monkeypatch):
    relay.course = NOTICE
    begin(relay)
    relay.wait_for_events(1)
    relay.course = ASKS
    asked = answers(monkeypatch, "n")
    begin(relay)
    assert len(asked) == 1


def test_a_relay_that_is_away_holds_setup_up_for_two_seconds_at_most(somebody, capsys):
    with StandIn(ASKS) as relay:
        url = relay.url
    began = time.monotonic()
    told = setup_telemetry("intro", host=url, api_key=KEY, student_name="Ada Byron")
    assert time.monotonic() - began < agreement.COURSE_SECONDS + 1
    assert told["session_id"] is not None


def test_a_remembered_agreement_holds_when_the_relay_comes_back_late(somebody, capsys):
    with StandIn(ASKS) as relay:
        url, port = relay.url, relay.port
    yes = {"decision": "agreed", "level": "code", "notice_version": 2}
    state.decide(state.key_of("demo", url), yes)
    setup_telemetry("intro", host=url, api_key=KEY, student_name="Ada Byron")
    builtins._telemetry_capture("early")
    with StandIn(ASKS, port=port) as relay:
        relay.wait_for_events(2)
        assert sent(relay) == ["start", "early"]
    assert "asks" not in capsys.readouterr().out


def test_without_an_agreement_a_late_course_gets_nothing(somebody, capsys):
    with StandIn(ASKS) as relay:
        url, port = relay.url, relay.port
    setup_telemetry("intro", host=url, api_key=KEY, student_name="Ada Byron")
    builtins._telemetry_capture("unseen")
    with StandIn(ASKS, port=port) as relay:
        quiet(relay)
        assert agreement.LATE in capsys.readouterr().err
        ipynb_telemetry.agree()
        builtins._telemetry_capture("seen")
        assert sent(relay) == ["consent", "seen"]


def test_who_agrees_before_the_course_answers_is_heard_when_it_does(somebody, capsys):
    with StandIn(ASKS) as relay:
        url, port = relay.url, relay.port
    setup_telemetry("intro", host=url, api_key=KEY, student_name="Ada Byron")
    ipynb_telemetry.agree()
    assert agreement.NOT_YET in capsys.readouterr().out
    with StandIn(ASKS, port=port) as relay:
        relay.wait_for_events(2)
        assert sorted(sent(relay)) == ["consent", "start"]
    assert remembered(relay)["decision"] == "agreed"


def test_who_declines_before_the_course_answers_need_not_do_it_again(somebody):
    with StandIn(NOTICE) as relay:
        url, port = relay.url, relay.port
    setup_telemetry("intro", host=url, api_key=KEY, student_name="Ada Byron")
    ipynb_telemetry.decline()
    agreement.forget()  # as in another kernel
    with StandIn(NOTICE, port=port) as relay:
        begin(relay)
        quiet(relay)
        assert KEY not in str(state.load().consents)
        ipynb_telemetry.agree()
        assert sent(relay) == ["consent"]
        assert list(state.load().consents) == [state.key_of("demo", relay.url)]


def test_a_course_that_begins_to_ask_stops_what_was_sent(relay, somebody, monkeypatch, capsys):
    relay.course = NOTICE
    begin(relay)
    relay.wait_for_events(1)
    relay.course = ASKS
    tracked.active().sender.begin(agreed=False, level=None)  # asks the course anew
    builtins._telemetry_capture("unseen")
    ipynb_telemetry.flush(1)
    time.sleep(0.5)
    builtins._telemetry_capture("unseen")
    assert sent(relay) == ["start"]


def test_posthog_itself_gets_a_notice_too(relay, somebody, capsys):
    relay.course = None
    relay.key = "phc_test"
    setup_telemetry("intro", host=relay.url, api_key="phc_test", student_name="Ada Byron")
    told = capsys.readouterr().out
    assert "The author of this notebook records how" in told
    assert f"Who receives it: {relay.url}." in told
    relay.wait_for_events(1)
    ipynb_telemetry.decline()
    builtins._telemetry_capture("unseen")
    relay.wait_for_events(1, "consent")
    assert sent(relay) == ["start", "consent"]


def test_without_a_key_there_is_nothing_to_decide(capsys):
    setup_telemetry("intro", student_name="Ada Byron")
    ipynb_telemetry.agree()
    assert "what a page sends is decided on the page" in capsys.readouterr().out


def test_a_server_that_has_switched_it_off_is_said(relay, monkeypatch, capsys):
    monkeypatch.setenv("TELEMETRY_POLICY", '{"enabled": false}')
    begin(relay)
    assert "switched it off" in capsys.readouterr().out
    assert relay.requests == []


def test_a_no_in_another_notebook_holds_at_once(relay, somebody):
    relay.course = NOTICE
    begin(relay)
    relay.wait_for_events(1)
    version = NOTICE["notice"]["version"]
    no = consent.record(consent.DECLINED, "outcomes", version)
    no["at"] = "2999-01-01T00:00:00.000Z"
    assert state.decide(state.key_of("demo", relay.url), no)
    builtins._telemetry_capture("unseen")
    assert sent(relay) == ["start"]
    assert ipynb_telemetry.status()["sending"] is False


def test_a_yes_holds_for_one_relay_alone(relay, monkeypatch):
    relay.course = ASKS
    yes = consent.record(consent.AGREED, "outcomes", 2)
    for key in ("demo", state.key_of("demo", "https://other.example.org")):
        assert state.decide(key, yes)
    begin(relay)
    builtins._telemetry_capture("unseen")
    quiet(relay)
    assert state.decide(state.key_of("demo", relay.url), yes)
    begin(relay)
    relay.wait_for_events(1)


def test_a_no_that_was_kept_without_its_relay_still_holds(relay, somebody):
    relay.course = NOTICE
    assert state.decide("demo", consent.record(consent.DECLINED, "outcomes", 2))
    begin(relay)
    quiet(relay)


def test_a_raised_level_waits_for_its_notice(relay, somebody, capsys):
    relay.course = NOTICE
    begin(relay)
    relay.wait_for_events(1)
    sender = tracked.active().sender
    notices.wait_for_runs(True)
    raised = {**NOTICE, "level": "code", "notice": {**NOTICE["notice"], "version": 3}}
    told = sender.settle(raised)
    assert told == (True, "outcomes")
    sender.settle(raised)
    capsys.readouterr()
    notices.flush()
    assert capsys.readouterr().err.count("records how") == 1
    assert sender.settle(raised) == (True, None)
    assert remembered(relay)["notice_version"] == 3


def test_withdrawing_where_nothing_was_sent_sends_nothing(somebody):
    with StandIn(NOTICE) as relay:
        relay.course = NOTICE
        sender = transport.sender_for(relay.url, KEY, transport.Timing(linger=60))
        begin(relay)
        assert sender.sends
        ipynb_telemetry.decline()
        quiet(relay)
