"""The server extension in a real Jupyter server: what passes, what never does."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import TOKEN, Server
from standin import COURSE, KEY, StandIn

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


def test_the_course_is_passed_on_cached_and_has_an_etag(server, upstream):
    status, course, headers = server.get("/ipynb-telemetry/course")
    assert (status, course, headers["Etag"]) == (200, COURSE, '"1"')
    asked = len(upstream.requests)
    assert server.get("/ipynb-telemetry/course")[1] == COURSE
    assert len(upstream.requests) == asked
    assert server.get("/ipynb-telemetry/course", If_None_Match='"1"')[0] == 304


def test_the_key_is_in_no_log_and_no_answer(server):
    answers = [server.post(BATCH), server.get("/ipynb-telemetry/course")]
    assert KEY not in str(answers)
    assert "ipynb_telemetry" in server.log()
    assert KEY not in server.log()


def test_without_a_key_it_says_what_to_set(tmp_path):
    with Server(tmp_path, {}) as server:
        for status, body, _ in (server.post(BATCH), server.get("/ipynb-telemetry/course")):
            assert status == 503
            assert body["configured"] is False
            assert "TELEMETRY_API_KEY" in body["message"]
            assert "IpynbTelemetry.api_key" in body["message"]


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
            assert server.get("/ipynb-telemetry/course")[1] == COURSE
        except BaseException:
            server.__exit__()
            raise
    try:
        status, body, _ = server.post(BATCH)
        assert status == 502
        assert f"127.0.0.1:{port}" in body["message"]
        assert server.get("/ipynb-telemetry/course")[1] == COURSE
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
