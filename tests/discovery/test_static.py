from __future__ import annotations

import pytest

from skerry.core.errors import ConfigError
from skerry.core.instance import Address
from skerry.discovery.base import Hub
from skerry.discovery.static import EnvironmentDiscovery, StaticDiscovery


def test_what_is_written_down_is_known() -> None:
    found = StaticDiscovery({"quotes": ["http://a:1", "http://b:2/"], "stripe": ["https://s/v1"]})
    watch = found.watch("quotes")
    assert watch.current == (Address("http://a:1", "quotes-1"), Address("http://b:2", "quotes-2"))
    assert watch.fixed
    assert found.watch("stripe").current == (Address("https://s/v1", "stripe"),)
    assert found.watch("nobody").current == ()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a:1",
        "ftp://a",
        "postgresql://a/b",
        "http://",
        "http://a?b",
        "http://me:pw@a",
        "http://a:x",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="address of 'quotes'"):
        StaticDiscovery({"quotes": [url]})


@pytest.mark.parametrize(
    ("environ", "urls"),
    [
        ({"SKERRY_APP_MY_APP": "http://a, http://b,"}, ["http://a", "http://b"]),
        ({"MY_APP_URL": "http://c"}, ["http://c"]),
        ({"SKERRY_APP_MY_APP": "http://a", "MY_APP_URL": "http://c"}, ["http://a"]),
        ({"SKERRY_APP_MY_APP": "", "MY_APP_URL": "http://c"}, ["http://c"]),
        ({"OTHER_URL": "http://d"}, []),
    ],
)
def test_the_environment_names_addresses(environ: dict[str, str], urls: list[str]) -> None:
    watch = EnvironmentDiscovery(environ).watch("my-app")
    assert [address.url for address in watch.current] == urls
    assert watch.fixed


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"QUOTES_URL": "htp:/x"},
            "QUOTES_URL is not an HTTP URL: 'htp:/x'; it should look like http://10.0.0.1:8000",
        ),
        (
            {"SKERRY_APP_QUOTES": "http://a, b:1", "QUOTES_URL": "http://a"},
            "SKERRY_APP_QUOTES is not a list of HTTP URLs: 'b:1'; "
            "it should look like http://10.0.0.1:8000,http://10.0.0.2:8000",
        ),
        ({"QUOTES_URL": "http://a:99999"}, "QUOTES_URL"),
    ],
)
def test_a_malformed_address_is_told_by_its_variable(environ: dict[str, str], said: str) -> None:
    found = EnvironmentDiscovery(environ)
    found.check("other")
    with pytest.raises(ConfigError) as caught:
        found.check("quotes")
    assert said in str(caught.value)
    with pytest.raises(ConfigError):
        found.watch("quotes")


def test_whoever_is_missing_says_what_to_do() -> None:
    why = EnvironmentDiscovery({}).watch("my-app").why_empty()
    assert "MY_APP_URL" in why
    assert "SKERRY_APP_MY_APP" in why


def test_what_the_environment_does_not_name_others_may_know() -> None:
    other = StaticDiscovery({"quotes": ["http://other"], "schools": ["http://other"]})
    found = EnvironmentDiscovery({"QUOTES_URL": "http://mine"}, otherwise=other)
    assert [a.url for a in found.watch("quotes").current] == ["http://mine"]
    assert [a.url for a in found.watch("schools").current] == ["http://other"]


def test_subscribers_hear_of_changes_until_they_leave() -> None:
    hub, heard = Hub(), list[tuple[Address, ...]]()
    leave = hub.subscribe(heard.append)
    one, other = Address("http://a"), Address("http://b")
    hub.set([one])
    hub.set([one])
    hub.set([one, other])
    leave()
    leave()
    hub.set([])
    assert heard == [(one,), (one, other)]
    assert hub.current == ()
