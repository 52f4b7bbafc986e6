"""What those who run the server ask it: alive, ready, and its figures."""

import shutil

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.conftest import MakeSite
from tests.support.site import Site


def _figures(site: Site) -> dict[str, float]:
    """Name with labels → value."""
    text = site.anyone.get("/metrics").body.decode()
    return {
        sample.name + "".join(f"|{key}={value}" for key, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(("path", "word"), [("/healthz", b"ok\n"), ("/readyz", b"ready\n")])
def test_probes_are_answered_in_a_word(site: Site, path: str, word: bytes) -> None:
    answer = site.anyone.get(path)
    assert (answer.status, answer.body) == (200, word)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_server_that_takes_no_commands_is_alive_and_not_ready(make_site: MakeSite) -> None:
    site = make_site()
    site.app.dispatcher.ready = False
    assert site.anyone.get("/readyz").status == 503
    assert site.anyone.get("/healthz").status == 200


def test_every_figure_is_explained_and_has_our_name(site: Site) -> None:
    answer = site.anyone.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.body.decode()))
    assert len(families) > 10
    for family in families:
        # Of the process itself they have the names that every Prometheus dashboard knows.
        assert family.name.startswith(("hubbub_", "process_")), family.name
        assert family.documentation, family.name


async def test_figures_count_what_happens(site: Site) -> None:
    ana = site.person()
    before = _figures(site)
    async with site.socket(ana) as socket:
        await socket.do("hello")
        ana.say("lobby", "counted")
        ana.get("/api/nothing")
        after = _figures(site)
    grown = {name for name, value in after.items() if value > before.get(name, 0)}
    ours = {name.partition("|")[0] for name in grown if name.startswith("hubbub_")}
    assert any("connections" in name for name in ours), ours
    assert any("http" in name for name in ours), ours
    assert any("commands" in name for name in ours), ours


def test_figures_tell_how_much_room_the_disk_has(site: Site) -> None:
    there = shutil.disk_usage(site.data).total
    assert 0 < _figures(site)["hubbub_disk_free_bytes"] <= there


def test_figures_tell_nobodys_words_or_names(site: Site) -> None:
    ana = site.person("someone-special")
    room = ana.room(title="Special plans", kind="private")
    ana.say(room, "special words")
    text = site.anyone.get("/metrics").body.decode()
    for word in ("special", room, str(ana.token)):
        assert word not in text


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded", "Via"])
def test_figures_are_not_given_through_a_proxy(site: Site, header: str) -> None:
    answer = site.anyone.get("/metrics", **{header: "127.0.0.1"})
    answer.refused(403, "forbidden")


def test_figures_are_given_in_the_newer_format_to_who_asks_for_it(site: Site) -> None:
    answer = site.anyone.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.body.endswith(b"# EOF\n")
