"""The Hub's token says who a student is: to the relay that the operator named, and no other."""

import json

import pytest
from ipynb_telemetry.hub import HEADER, VARIABLE, proof
from sending import free_port, run_python
from servers import Server
from standin import KEY, StandIn
from test_serverextension import BATCH

SECRET = "hub-token-of-ada-0123456789"
RELAY = "https://hub.example.org/services/telemetry"
HUB = {
    "JUPYTERHUB_API_TOKEN": SECRET,
    "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
    "JUPYTERHUB_USER": "ada",
    "JUPYTERHUB_BASE_URL": "/",
}
NAMED = {**HUB, VARIABLE: RELAY + "/"}
SERVICE = {
    **HUB,
    "TELEMETRY_HOST": RELAY,
    "JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.org/hub/",
}


@pytest.mark.parametrize(
    ("host", "env"),
    [
        (RELAY, NAMED),
        (RELAY, {**NAMED, "TELEMETRY_HOST": "https://other.example.org"}),
        (RELAY, SERVICE),
        (RELAY, {**SERVICE, "JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.org:443"}),
    ],
)
def test_the_relay_that_the_operator_named_gets_it(host, env):
    assert proof(host, env) == {HEADER: SECRET}


@pytest.mark.parametrize(
    ("host", "env"),
    [
        (RELAY, {}),
        (RELAY, HUB),
        # Named is another one, even below the Hub's own services.
        (RELAY, {**SERVICE, VARIABLE: "https://hub.example.org/services/other"}),
        ("https://evil.example/services/telemetry", NAMED),
        ("http://hub.example.org/services/telemetry", NAMED),
        (RELAY + ".evil.example", NAMED),
        # What only a notebook names.
        (RELAY, {**SERVICE, "TELEMETRY_HOST": ""}),
        ("https://hub.example.org/services/other", SERVICE),
        # Not a service of this Hub.
        (RELAY, {**SERVICE, "JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.com"}),
        (RELAY, {**SERVICE, "JUPYTERHUB_PUBLIC_HUB_URL": "http://hub.example.org"}),
        (RELAY, {**SERVICE, "JUPYTERHUB_PUBLIC_HUB_URL": "https://hub.example.org:8443"}),
        (RELAY, {**SERVICE, "JUPYTERHUB_BASE_URL": "/jupyter/"}),
        (RELAY, {**SERVICE, "JUPYTERHUB_PUBLIC_HUB_URL": "no address", "JUPYTERHUB_HOST": ""}),
        # No token, or one that would split a header.
        (RELAY, {**NAMED, "JUPYTERHUB_API_TOKEN": ""}),
        (RELAY, {**NAMED, "JUPYTERHUB_API_TOKEN": "a\r\nX-Evil: 1"}),
        (RELAY, {**NAMED, "JUPYTERHUB_API_TOKEN": "x" * 600}),
    ],
)
def test_no_other_does(host, env):
    assert proof(host, env) == {}


@pytest.mark.parametrize(
    "path", ["/user/ada", "/services", "/services/../user/ada", "/services/%2e%2e/user/ada"]
)
def test_a_service_is_below_the_hubs_services(path):
    host = "https://hub.example.org" + path
    assert proof(host, {**SERVICE, "TELEMETRY_HOST": host}) == {}


def test_the_server_extension_sends_it_with_batches_alone_and_never_shows_it(tmp_path):
    with StandIn() as relay:
        env = {**HUB, "TELEMETRY_HOST": relay.url, "TELEMETRY_API_KEY": KEY, VARIABLE: relay.url}
        with Server(tmp_path, env) as server:
            answers = [server.post(BATCH), server.get("/ipynb-telemetry/course")]
            relay.plan = [(401, {}, json.dumps({"message": "not verified"}).encode())]
            answers.append(server.post(BATCH))
            seen = {
                (method, path, headers.get(HEADER.lower()))
                for method, path, headers in relay.requests
            }
            relay_batches = json.dumps(relay.batches)
        assert seen == {("POST", "/batch/", SECRET), ("GET", "/api/v1/course", None)}
        assert [status for status, _, _ in answers] == [200, 200, 401]
        assert SECRET not in str(answers)
        assert SECRET not in relay_batches
        assert SECRET not in server.log()


def test_a_server_extension_whose_relay_is_not_named_keeps_it(tmp_path):
    with StandIn() as relay:
        env = {**HUB, "TELEMETRY_HOST": relay.url, "TELEMETRY_API_KEY": KEY, VARIABLE: RELAY}
        with Server(tmp_path, env) as server:
            assert server.post(BATCH)[0] == 200
        assert SECRET not in str(relay.requests)


@pytest.mark.parametrize("named", [True, False])
def test_a_kernel_that_posts_itself_keeps_the_same_rule(named):
    with StandIn() as relay:
        run_python(
            f"""
            from ipynb_telemetry import events, ids
            from ipynb_telemetry.post import get_course, post_batch
            get_course({relay.url!r}, {KEY!r}, 10)
            outcome = post_batch({relay.url!r}, {KEY!r}, [b'{{"event":"hint","uuid":"u"}}'], 10)
            assert outcome.kind == "ok", outcome.message
            """,
            **{**HUB, VARIABLE: relay.url if named else f"http://127.0.0.1:{free_port()}"},
        )
        sent = {path: headers.get(HEADER.lower()) for _, path, headers in relay.requests}
    assert sent == {"/batch/": SECRET if named else None, "/api/v1/course": None}
