import pytest
from flask.testing import FlaskClient

from harbour import create_app
from harbour.arrivals import arrivals, by_name


@pytest.fixture
def client() -> FlaskClient:
    return create_app().test_client()


def test_arrivals_are_listed_by_berth() -> None:
    assert [ship.berth for ship in arrivals()] == [1, 2, 3, 5, 7]


@pytest.mark.parametrize(("flag", "names"), [("NO", ["Saga", "Vigdis", "Åse"]), ("ie", ["Halcyon"]), ("FR", [])])
def test_arrivals_under_a_flag(flag: str, names: list[str]) -> None:
    assert [ship.name for ship in arrivals(flag)] == names


def test_a_ship_that_is_not_expected() -> None:
    assert by_name("Flying Dutchman") is None


def test_the_page_names_every_ship(client: FlaskClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    for ship in arrivals():
        assert ship.name in page.text


def test_health(client: FlaskClient) -> None:
    assert client.get("/healthz").text == "ok\n"


def test_one_ship_as_json(client: FlaskClient) -> None:
    assert client.get("/api/arrivals/saga").json == {"name": "Saga", "flag": "NO", "berth": 2}
    assert client.get("/api/arrivals/nobody").status_code == 404
