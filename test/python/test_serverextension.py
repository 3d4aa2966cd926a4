"""The server extension in a real Jupyter server: what passes, what never does."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ipynb_telemetry import state
from ipynb_telemetry.serverextension import _configured, policy_of, tell_kernels
from sending import POSTHOG_KEY, run_python
from servers import TOKEN, Server
from standin import COURSE, KEY, StandIn
from traitlets.config import Config

EVENT = {
    "event": "cell",
    "distinct_id": "JOHN-DOE",
    "uuid": "0190163d-8694-739b-aea5-966c26f8ad91",
    "timestamp": "2026-11-21T09:30:00.000Z",
    "properties": {"nb": "intro", "sess": "aB3dE5gH", "seq": 1, "src": "lab"},
}
BATCH = {"batch": [EVENT], "sent_at": "2026-11-21T09:30:01.000Z"}


@pytest.fixture(scope="module")
def upstream():
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def server(upstream, tmp_path_factory):
    """A server that is configured by its environment."""
    env = {"TELEMETRY_HOST": upstream.url, "TELEMETRY_API_KEY": KEY}
    with Server(tmp_path_factory.mktemp("server"), env) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(upstream):
    yield
    upstream.plan.clear()
    upstream.requests.clear()
    upstream.events.clear()
    upstream.batches.clear()
    upstream.delay = 0.0


def test_a_batch_reaches_the_relay_with_the_courses_key(server, upstream):
    status, body, _ = server.post(BATCH)
    assert (status, body) == (200, {"status": "Ok"})
    assert upstream.batches == [{**BATCH, "api_key": KEY}]


def test_what_the_browser_sent_beside_it_goes_no_further(server, upstream):
    cookie = "_xsrf=secret-cookie; username=secret-cookie"
    server.post({**BATCH, "api_key": "nbt_mine", "extra": 1}, Cookie=cookie, X_Mine="secret")
    (_, _, headers) = upstream.requests[-1]
    assert "cookie" not in headers
    assert "secret" not in str(headers)
    assert TOKEN not in str(headers)
    assert upstream.batches[-1] == {**BATCH, "api_key": KEY}


@pytest.mark.parametrize("authorization", ["", "token wrong"])
def test_strangers_are_refused(server, upstream, authorization):
    assert server.post(BATCH, Authorization=authorization)[0] == 403
    assert server.get("/ipynb-telemetry/course", Authorization=authorization)[0] == 403
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "bad_batch", "message": "nothing could be kept"}),
        (401, {"message": "unknown key"}),
        (413, {"message": "too big"}),
        (200, {"status": "Ok", "rejected": [{"index": 0, "message": "bad"}]}),
    ],
)
def test_the_relays_status_and_body_are_passed_on(server, upstream, status, body):
    upstream.plan = [(status, {}, json.dumps(body).encode())]
    assert server.post(BATCH)[:2] == (status, body)


def test_a_503_keeps_its_retry_after(server, upstream):
    upstream.plan = [(503, {"Retry-After": "7"}, b'{"message":"disk full"}')]
    status, body, headers = server.post(BATCH)
    assert (status, body, headers["Retry-After"]) == (503, {"message": "disk full"}, "7")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"not json", "not a JSON object"),
        ([EVENT], "not a JSON object"),
        ({"sent_at": "x"}, "batch:"),
        ({"batch": [], "sent_at": "x"}, "batch:"),
        ({"batch": [EVENT] * 1001, "sent_at": "x"}, "1 to 1000"),
        ({"batch": [EVENT]}, "sent_at:"),
    ],
)
def test_a_bad_body_is_answered_clearly(server, upstream, body, said):
    status, answer, _ = server.post(body)
    assert status == 400
    assert said in answer["message"]
    assert upstream.batches == []


def test_too_large_a_body_is_refused(server, upstream):
    huge = {**BATCH, "batch": [{**EVENT, "x": "x" * 5_000_000}]}
    assert server.post(huge)[0] == 413
    assert upstream.batches == []


def test_many_batches_at_once(server, upstream):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: server.post(BATCH)[0], range(48)))
    assert answers == [200] * 48
    assert len(upstream.batches) == 48


def test_the_course_is_passed_on_with_what_the_server_knows_and_is_cached(server, upstream):
    status, course, headers = server.get("/ipynb-telemetry/course")
    assert status == 200
    assert course == {
        **COURSE,
        "policy": {"mandatory": False, "record": "marked"},
        "hub_user": None,
        "student": None,
    }
    asked = len(upstream.requests)
    assert server.get("/ipynb-telemetry/course")[1] == course
    assert len(upstream.requests) == asked
    assert server.get("/ipynb-telemetry/course", If_None_Match=headers["Etag"])[0] == 304
    assert server.get("/ipynb-telemetry/course", If_None_Match='"1"')[0] == 200


NOBODY = {"course": "demo", "student": None, "record": None, "forgotten": False}
RECORD = {
    "decision": "agreed",
    "level": "outcomes",
    "notice_version": 1,
    "at": "2026-11-21T09:30:00.000Z",
    "paused": False,
    "by": "page",
}
CONSENT = "/ipynb-telemetry/consent"


def test_a_decision_is_kept_where_kernels_find_it_until_it_is_forgotten(server):
    home = server.folder / "home"
    assert server.get(CONSENT)[:2] == (200, NOBODY)
    answer = {**NOBODY, "student": "JOHN-DOE", "record": RECORD}
    put = {"record": {**RECORD, "extra": "x"}, "student": "JOHN-DOE"}
    assert server.ask("PUT", CONSENT, put)[:2] == (200, answer)
    assert server.get(CONSENT)[1] == answer
    kept = json.loads((home / "state.json").read_text())
    (key,) = kept["consents"]
    assert kept == {"student": "JOHN-DOE", "consents": {key: RECORD}}
    assert key.startswith("demo@")
    # That somebody was only told stays known: it is no agreement to a course that asks.
    told = {**RECORD, "told": True}
    assert server.ask("PUT", CONSENT, {"record": told})[1]["record"] == told
    _, course, headers = server.get("/ipynb-telemetry/course")
    assert course["student"] == "JOHN-DOE"
    answer = {**NOBODY, "student": "JOHN-DOE"}
    assert server.ask("PUT", CONSENT, {"record": None})[:2] == (200, answer)
    server.ask("PUT", CONSENT, put)
    assert server.ask("DELETE", "/ipynb-telemetry/me")[:2] == (200, {"spooled": 0})
    assert server.get(CONSENT)[1] == {**NOBODY, "forgotten": True}
    # The name is part of the answer, so a page with the old one is told.
    assert (
        server.get("/ipynb-telemetry/course", If_None_Match=headers["Etag"])[1]["student"] is None
    )


def spooled(server: Server, host: str, uuid: str) -> list[Path]:
    """A spool file as a kernel that was killed leaves it; all there are now."""
    code = f"""
from ipynb_telemetry.spool import Spool
line = b'{{"event":"cell","uuid":"{uuid}","distinct_id":"A","properties":{{}}}}'
Spool({host!r}, {KEY!r}).append([({uuid!r}, line)], 0)
"""
    run_python(code, TELEMETRY_HOME=str(server.folder / "home"))
    return sorted((server.folder / "home" / "spool").iterdir())


def test_who_declines_or_is_forgotten_leaves_nothing_unsent_behind(server, upstream):
    assert len(spooled(server, upstream.url, "a")) == 1
    assert len(spooled(server, "http://another", "b")) == 2
    server.ask("PUT", CONSENT, {"record": {**RECORD, "decision": "declined"}})
    assert len(spooled(server, upstream.url, "c")) == 2  # only this course's was erased
    assert server.ask("DELETE", "/ipynb-telemetry/me")[:2] == (200, {"spooled": 2})
    assert list((server.folder / "home" / "spool").iterdir()) == []


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ([], 400, "with a record"),
        ({"student": "A"}, 400, "with a record"),
        ({"record": "yes"}, 400, "record: expected"),
        ({"record": None, "student": ""}, 400, "student:"),
        ({"record": None, "student": 5}, 400, "student:"),
        ({"record": {**RECORD, "decision": "maybe"}}, 400, "decision"),
        ({"record": {**RECORD, "level": "all"}}, 400, "level"),
        ({"record": {**RECORD, "notice_version": True}}, 400, "notice_version"),
        ({"record": {**RECORD, "at": ""}}, 400, "at"),
        ({"record": {**RECORD, "paused": 1}}, 400, "paused"),
        ({"record": {"by": "page"}}, 400, "decision, level, notice_version, at, paused"),
        ({"record": None, "x": "x" * 20_000}, 413, "10000 bytes"),
    ],
)
def test_a_decision_that_is_none_is_answered_clearly(server, body, status, said):
    answer = server.ask("PUT", CONSENT, body)
    assert answer[0] == status
    assert said in answer[1]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", CONSENT), ("PUT", CONSENT), ("DELETE", "/ipynb-telemetry/me")],
)
def test_strangers_decide_and_learn_nothing(server, method, path):
    body = {"record": None} if method == "PUT" else None
    assert server.ask(method, path, body, Authorization="")[0] == 403
    # A cookie alone, as another site could make a browser send it, is not enough either.
    assert server.ask(method, path, body, Authorization="", Cookie="_xsrf=a")[0] == 403


def test_a_kernel_of_this_server_knows_that_pages_ask(server):
    env = server.kernel_env()
    assert env["TELEMETRY_PAGE"] == "1"
    assert "TELEMETRY_POLICY" not in env


POLICY = {
    "max_level": "outcomes",
    "consent": "opt-in",
    "events": ["cell", "focus"],
    "mandatory": True,
    "record": "all",
}


def event(name: str, uuid: str, **properties: object) -> dict:
    properties = {**EVENT["properties"], "student": "SOMEBODY-ELSE", **properties}
    return {**EVENT, "event": name, "uuid": uuid, "properties": properties}


def test_a_policy_holds_for_pages_kernels_and_batches_and_the_hub_says_who_it_is(tmp_path):
    with StandIn({**COURSE, "level": "full"}) as relay:
        env = {
            "TELEMETRY_HOST": relay.url,
            "TELEMETRY_API_KEY": KEY,
            "TELEMETRY_PAGE": "0",
            "JUPYTERHUB_USER": "ada.l",
        }
        with Server(tmp_path, env, {"IpynbTelemetry": POLICY}) as server:
            course = server.get("/ipynb-telemetry/course")[1]
            assert course == {
                **COURSE,
                "level": "outcomes",
                "consent": "opt-in",
                "events": ["cell", "focus"],
                "policy": {"mandatory": True, "record": "all"},
                "hub_user": "ada.l",
                "student": None,
            }
            rejected = [{"index": 0, "message": "a"}, {"index": 2, "message": "c"}]
            relay.plan = [(200, {}, json.dumps({"rejected": rejected}).encode())]
            batch = [
                event("start", "1"),
                event("cell", "2", code="my_secret = 1", err="ValueError: secret"),
                event("test", "3"),
                event("hint", "4", code="mine"),
                "nonsense",
                event("consent", "5"),
            ]
            status, answer, _ = server.post({**BATCH, "batch": batch})
            assert (status, [one["index"] for one in answer["rejected"]]) == (200, [1, 4])
            (passed,) = [body["batch"] for body in relay.batches]
            assert [e["event"] for e in passed if isinstance(e, dict)] == [
                "cell",
                "hint",
                "consent",
            ]
            assert passed[2] == "nonsense"
            for one in (passed[0], passed[1], passed[3]):
                assert one["distinct_id"] == one["properties"]["student"] == "ada.l"
            assert passed[0]["properties"]["code"] is None
            assert passed[0]["properties"]["err"] == "ValueError"
            assert passed[1]["properties"]["code"] == "mine"
            # Of a batch of which nothing may pass, the relay hears nothing.
            answer = server.post({**BATCH, "batch": [event("start", "6")]})
            assert answer[:2] == (200, {"status": "Ok", "not_collected": 1})
            assert len(relay.batches) == 1
            # Who was only told of a course has not agreed to one that asks.
            key = state.key_of("demo", relay.url)
            told = {"student": None, "consents": {key: {**RECORD, "told": True}}}
            (tmp_path / "home").mkdir(exist_ok=True)
            (tmp_path / "home" / "state.json").write_text(json.dumps(told))
            assert server.get(CONSENT)[1]["record"] is None
            env = server.kernel_env()
            assert env["TELEMETRY_PAGE"] == "0"  # as the operator has set it
            assert json.loads(env["TELEMETRY_POLICY"]) == {
                "level": "outcomes",
                "consent": "opt-in",
                "events": ["cell", "focus"],
                "mandatory": True,
            }


def test_a_policy_that_is_not_understood_lets_nothing_pass_and_is_said_at_the_start(tmp_path):
    with StandIn() as relay:
        env = {"TELEMETRY_HOST": relay.url, "TELEMETRY_API_KEY": KEY}
        with Server(tmp_path, env, {"IpynbTelemetry": {"max_level": "some"}}) as server:
            status, answer, _ = server.get("/ipynb-telemetry/course")
            assert (status, answer["configured"]) == (200, False)
            assert server.post(BATCH)[0] == 503
            assert json.loads(server.kernel_env()["TELEMETRY_POLICY"])["enabled"] is False
            said = [line for line in server.log().splitlines() if "max_level" in line]
        assert relay.requests == []
    assert len(said) == 1
    assert said[0].startswith("[E ")
    assert "'outcomes'" in said[0]
    assert "nothing is sent until this is mended" in said[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"consent": "ask"},
        {"events": ["cell", "keystrokes"]},
        {"events": 5},
        {"mandatory": "yes"},
        {"record": "some"},
        {"enabled": "no"},
        {"api_key": ["nbt_secret"]},
    ],
)
def test_what_is_wrong_is_named_and_no_key_is(wrong):
    traits, said = _configured(Config({"IpynbTelemetry": wrong}))
    assert said is not None
    assert next(iter(wrong)) in said
    assert "secret" not in said
    assert not policy_of(traits).enabled


def test_switched_off_by_the_administrator_nothing_is_asked_and_kernels_are_told():
    traits, said = _configured(Config({"IpynbTelemetry": {"enabled": False}}))
    assert said is None
    env: dict[str, str] = {}
    tell_kernels(policy_of(traits), env, page=False)
    assert set(env) == {"TELEMETRY_POLICY"}
    assert json.loads(env["TELEMETRY_POLICY"])["enabled"] is False
    env = {"TELEMETRY_POLICY": "the operator's"}
    tell_kernels(policy_of(traits), env, page=True)
    assert env == {"TELEMETRY_POLICY": "the operator's", "TELEMETRY_PAGE": "1"}


def test_the_key_is_in_no_log_and_no_answer(server):
    answers = [server.post(BATCH), server.get("/ipynb-telemetry/course")]
    assert KEY not in str(answers)
    assert "ipynb_telemetry" in server.log()
    assert KEY not in server.log()


def test_without_a_key_it_says_what_to_set_and_no_page_load_is_an_error(tmp_path):
    with Server(tmp_path, {}) as server:
        answers = {
            503: [server.post(BATCH), server.ask("PUT", CONSENT, {"record": None})],
            200: [server.get("/ipynb-telemetry/course"), server.get(CONSENT)],
        }
        for expected, given in answers.items():
            for status, body, _ in given:
                assert status == expected
                assert body["configured"] is False
                assert "TELEMETRY_API_KEY" in body["message"]
                assert "IpynbTelemetry.api_key" in body["message"]
        assert server.ask("DELETE", "/ipynb-telemetry/me")[:2] == (200, {"spooled": 0})
        assert "TELEMETRY_PAGE" not in server.kernel_env()
        asked = [line for line in server.log().splitlines() if "telemetry/course" in line]
    assert not [line for line in asked if line.startswith(("[W", "[E"))]


def test_posthog_itself_has_settings_made_for_it(tmp_path):
    with StandIn(course=None, key=POSTHOG_KEY) as posthog:
        env = {"TELEMETRY_HOST": posthog.url, "TELEMETRY_API_KEY": POSTHOG_KEY}
        with Server(tmp_path, env) as server:
            course = server.get("/ipynb-telemetry/course")[1]
            assert course["course"] == posthog.url.partition("://")[2]
            assert (course["level"], course["consent"]) == ("outcomes", "notice")
            assert server.ask("PUT", CONSENT, {"record": RECORD})[1]["record"] == RECORD
            server.post(BATCH)
        (passed,) = [body["batch"][0] for body in posthog.batches]
    assert passed["properties"] == {**EVENT["properties"], "$geoip_disable": True}
    assert [path for _, path, _ in posthog.requests] == ["/batch/"]


def test_traits_configure_it_and_win_over_the_environment(tmp_path):
    with StandIn() as relay:
        env = {"TELEMETRY_HOST": "http://127.0.0.1:9", "TELEMETRY_API_KEY": "nbt_wrong"}
        config = {"IpynbTelemetry": {"host": relay.url, "api_key": KEY}}
        with Server(tmp_path, env, config) as server:
            assert server.post(BATCH)[0] == 200
            assert KEY not in server.log()
        assert relay.batches[0]["api_key"] == KEY


def test_a_relay_that_goes_away_is_502_and_its_course_stays_known(tmp_path):
    with StandIn() as relay:
        port = relay.port
        env = {"TELEMETRY_HOST": relay.url, "TELEMETRY_API_KEY": KEY}
        server = Server(tmp_path, env)
        server.__enter__()
        try:
            course = server.get("/ipynb-telemetry/course")[1]
            assert course["course"] == "demo"
        except BaseException:
            server.__exit__()
            raise
    try:
        status, body, _ = server.post(BATCH)
        assert status == 502
        assert f"127.0.0.1:{port}" in body["message"]
        assert server.get("/ipynb-telemetry/course")[1] == course
        with StandIn(port=port) as relay:
            assert server.post(BATCH)[0] == 200
            assert relay.batches[0]["batch"] == [EVENT]
    finally:
        server.__exit__()


def test_an_unknown_key_and_a_silent_relay(tmp_path):
    with StandIn() as relay:
        env = {"TELEMETRY_HOST": relay.url, "TELEMETRY_API_KEY": "nbt_unknown"}
        with Server(tmp_path, env) as server:
            assert server.get("/ipynb-telemetry/course")[:2] == (401, {"message": "unknown"})
            relay.delay = 12
            began = time.monotonic()
            status, body, _ = server.post(BATCH)
            assert status == 502
            assert "does not answer" in body["message"]
            assert time.monotonic() - began < 11.5
