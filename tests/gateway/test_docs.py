"""The documentation, without the internet."""

import re

import pytest

from chassis.errors import CATALOGUE
from gateway.docs.routes import ASSETS, PAGES, POLICY
from gateway.handlers import EVENTS
from tests.gateway.conftest import Gateway

ELSEWHERE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")


async def test_every_page_is_there_and_asks_for_nothing_from_elsewhere(gateway: Gateway) -> None:
    for path in [path for path, _ in PAGES] + [f"/problems/{slug}" for slug in CATALOGUE]:
        answer = await gateway.http.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-security-policy"] == POLICY
        assert not ELSEWHERE.search(answer.text), path
        for link in re.findall(r'(?:src|href)="(/[^"]*)"', answer.text):
            assert (await gateway.http.get(link)).status_code == 200, f"{path} leads to {link}"
    assert "http" not in POLICY


async def test_a_problem_leads_to_its_page(gateway: Gateway) -> None:
    refused = (await gateway.http.get("/v1/clients")).json()
    page = await gateway.http.get(refused["type"])
    assert refused["title"] in page.text


async def test_the_documents_are_the_committed_ones(gateway: Gateway) -> None:
    openapi = (await gateway.http.get("/openapi.json")).json()
    assert openapi["openapi"].startswith("3.1")
    assert {"/v1/referrals", "/v1/arrivals", "/v1/returnees/{returnee_id}/timeline"} <= openapi[
        "paths"
    ].keys()
    asyncapi = (await gateway.http.get("/asyncapi.json")).json()
    assert asyncapi["asyncapi"].startswith("3.")
    for event_type in EVENTS:
        schema = (await gateway.http.get(f"/schemas/{event_type}")).json()
        assert (
            schema["properties"].keys()
            == EVENTS[event_type].model_json_schema()["properties"].keys()
        )


@pytest.mark.parametrize(
    "path", ["/schemas/none", "/schemas/..%2Fopenapi", "/problems/none", "/docs/assets/none"]
)
async def test_what_is_not_there_is_not_found(gateway: Gateway, path: str) -> None:
    assert (await gateway.http.get(path)).status_code == 404


def test_the_vendored_viewers_are_installed() -> None:
    assert all(path.stat().st_size > 100 for path in ASSETS.values())


async def test_metrics_are_not_for_who_comes_through_the_public_door(gateway: Gateway) -> None:
    assert (await gateway.http.get("/metrics")).status_code == 200
    for name in ("X-Forwarded-For", "Forwarded"):
        answer = await gateway.http.get("/metrics", headers={name: "for=192.0.2.1"})
        assert (answer.status_code, "homeward_" in answer.text) == (404, False)
