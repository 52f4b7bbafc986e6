"""All metrics and labels in the dashboard and the alerts exist in /metrics."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.docs import pages
from tests.support.site import Site

DEPLOY = pages.ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana.json").read_text())
ALERTS = (DEPLOY / "alerts.yaml").read_text()

PROMETHEUS_LABELS = {"up", "instance", "job"}
PROMQL_WORDS = {"and", "or", "unless", "on", "ignoring", "by", "without", "bool", "offset"}

_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_LABELS = re.compile(r"(\w*)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


def in_alerts() -> list[str]:
    return re.findall(r"^ +expr: (.+)$", ALERTS, re.MULTILINE)


def in_dashboard() -> list[str]:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    queries = [
        re.sub(r"^label_values\((\w+), .*\)$", r"\1", variable["query"]["query"])
        for variable in DASHBOARD["templating"]["list"]
        if variable["type"] == "query"
    ]
    return queries + [target["expr"] for panel in panels for target in panel["targets"]]


EXPRESSIONS = [*in_alerts(), *in_dashboard()]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """The names of all samples, each with its labels and their values."""
    site = Site(tmp_path_factory.mktemp("site") / "data").start()
    try:
        text = site.anyone.get("/metrics").body.decode()
    finally:
        site.stop()
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def names(expression: str) -> Iterator[str]:
    """The metrics in an expression: all words except functions, labels and PromQL keywords."""
    bare = _GROUPING.sub("", re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression))
    for word, call in re.findall(r"\b([a-zA-Z_]\w*)\s*(\()?", bare):
        if not call and word not in PROMQL_WORDS:
            yield word


def is_known(samples: dict[str, dict[str, set[str]]], name: str) -> bool:
    # The process metrics come from /proc, which only Linux has.
    return name in samples or name == "up" or (name[:8] == "process_" and sys.platform != "linux")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_in_a_query_exists(
    samples: dict[str, dict[str, set[str]]], expression: str
) -> None:
    found = list(names(expression))
    assert found, "the expression has no metric"
    assert [name for name in found if not is_known(samples, name)] == []


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_in_a_query_exists_with_that_value(
    samples: dict[str, dict[str, set[str]]], expression: str
) -> None:
    all_labels = {label for labels in samples.values() for label in labels}
    for grouped in _GROUPING.findall(expression):
        assert set(re.findall(r"\w+", grouped)) <= all_labels | PROMETHEUS_LABELS
    for name, matchers in _LABELS.findall(expression):
        for label, value in _MATCHER.findall(matchers):
            if label not in PROMETHEUS_LABELS:
                assert value in samples[name][label]


def test_every_metric_of_ours_is_in_the_dashboard(samples: dict[str, dict[str, set[str]]]) -> None:
    shown = {name for expression in in_dashboard() for name in names(expression)}
    assert {name for name in samples if name.startswith("hubbub_")} - shown == set()


def test_every_alert_has_an_expression_a_severity_and_a_summary() -> None:
    rules = re.split(r"^ +- alert: ", ALERTS, flags=re.MULTILINE)[1:]
    assert len(rules) == len(in_alerts())
    for rule in rules:
        name = rule.splitlines()[0]
        assert re.fullmatch(r"Hubbub[A-Za-z]+", name)
        assert re.search(r"labels: \{severity: (critical|warning)\}", rule), name
        assert re.search(r"summary: .*\$(labels|value)", rule), name


def test_the_dashboard_names_no_server_and_no_data_source() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert Path(DEPLOY / "grafana.json").read_text().count("://") == 0
