"""Health checks and metrics."""

import shutil

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.conftest import MakeSite
from tests.support.site import Site


def _read_metrics(site: Site) -> dict[str, float]:
    """The value of each sample, by its name with labels."""
    text = site.anyone.get("/metrics").body.decode()
    return {
        sample.name + "".join(f"|{key}={value}" for key, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(("path", "word"), [("/healthz", b"ok\n"), ("/readyz", b"ready\n")])
def test_probes_get_a_one_word_response(site: Site, path: str, word: bytes) -> None:
    answer = site.anyone.get(path)
    assert (answer.status, answer.body) == (200, word)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_server_that_accepts_no_commands_is_alive_but_not_ready(make_site: MakeSite) -> None:
    site = make_site()
    site.app.dispatcher.is_ready = False
    assert site.anyone.get("/readyz").status == 503
    assert site.anyone.get("/healthz").status == 200


def test_every_metric_has_a_description_and_our_prefix(site: Site) -> None:
    answer = site.anyone.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.body.decode()))
    assert len(families) > 10
    for family in families:
        # Metrics of the process have the names that Prometheus dashboards know.
        assert family.name.startswith(("hubbub_", "process_")), family.name
        assert family.documentation, family.name


async def test_metrics_count_what_happens(site: Site) -> None:
    ana = site.person()
    before = _read_metrics(site)
    async with site.socket(ana) as socket:
        await socket.do("hello")
        ana.say("lobby", "counted")
        ana.get("/api/nothing")
        after = _read_metrics(site)
    grown = {name for name, value in after.items() if value > before.get(name, 0)}
    ours = {name.partition("|")[0] for name in grown if name.startswith("hubbub_")}
    assert any("connections" in name for name in ours), ours
    assert any("http" in name for name in ours), ours
    assert any("commands" in name for name in ours), ours


def test_metrics_include_the_free_disk_space(site: Site) -> None:
    there = shutil.disk_usage(site.data).total
    assert 0 < _read_metrics(site)["hubbub_disk_free_bytes"] <= there


def test_metrics_contain_no_texts_or_names(site: Site) -> None:
    ana = site.person("someone-special")
    room = ana.room(title="Special plans", kind="private")
    ana.say(room, "special words")
    text = site.anyone.get("/metrics").body.decode()
    for word in ("special", room, str(ana.token)):
        assert word not in text


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded", "Via"])
def test_metrics_are_not_served_through_a_proxy(site: Site, header: str) -> None:
    answer = site.anyone.get("/metrics", **{header: "127.0.0.1"})
    answer.refused(403, "forbidden")


def test_metrics_are_served_as_openmetrics_on_request(site: Site) -> None:
    answer = site.anyone.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")
