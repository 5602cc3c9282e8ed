"""The gateway's file in a real nginx, before the two services as compose starts them."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from example_project.demo.web import Answer, Site
from tests.example.processes import CHECKOUT, Service, free_ports, until

from .compose import Machine
from .tools import require_program

for needed in ("rest_framework", "ninja", "django_celery_beat", "whitenoise", "gunicorn"):
    pytest.importorskip(needed, reason=f"the example needs {needed}: pip install --group example")

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILE = CHECKOUT / "deploy" / "nginx.conf"


def _write_configuration(folder: Path, port: int, addresses: dict[str, str]) -> Path:
    """The gateway's file for this machine: other addresses and folders, else as it is."""
    replaced = {
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "/srv/static/": f"{folder}/static/",
        "/tmp/nginx": f"{folder}/nginx",
        **addresses,
    }
    text = FILE.read_text()
    for there, here in replaced.items():
        assert there in text, f"{there} is not in {FILE.name}"
        text = text.replace(there, here)
    file = folder / "nginx.conf"
    file.write_text(text)
    return file


def _nginx(file: Path, *words: str, globally: str = "") -> list[str]:
    program = require_program("nginx", "apt-get install nginx-light")
    # Root's nginx would read as nobody, who cannot look into the folders of these tests.
    user = "user root; " if os.geteuid() == 0 else ""
    return [program, "-e", "stderr", "-p", str(file.parent), "-c", str(file), "-g", user + globally, *words]


def test_nginx_accepts_the_gateways_file(tmp_path: Path) -> None:
    """Debian's nginx finds nothing to say about the file."""
    addresses = {"monolith-web:8000": "127.0.0.1:8000", "catalog-web:8000": "127.0.0.1:8001"}
    file = _write_configuration(tmp_path, free_ports(1)[0], addresses)
    check = subprocess.run(_nginx(file, "-t"), capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr
    assert "[warn]" not in check.stderr


def _collect(name: str, folder: Path) -> None:
    """What the Dockerfile does for the static files of a service."""
    static = {"EXAMPLE_STATIC_ROOT": str(folder / "static" / name), "EXAMPLE_DATA_DIR": str(folder)}
    with Service(name, folder, **static) as service:
        service.manage("collectstatic", "--no-input", "--verbosity", "0")


@pytest.fixture(scope="module")
def gateway(laptop: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a gateway before both services."""
    folder = tmp_path_factory.mktemp("gateway")
    webs = {f"{name}:8000": laptop.url(name).removeprefix("http://") for name in laptop.web_ports}
    command = _nginx(_write_configuration(folder, laptop.gateway_port, webs), globally="daemon off;")
    for name in ("monolith", "catalog"):
        _collect(name, folder)
    url = f"http://127.0.0.1:{laptop.gateway_port}"
    with (folder / "nginx.log").open("wb") as log:
        nginx = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(lambda: _get(url, "/").status == 200, 20, "the gateway answers")
        yield url
    finally:
        nginx.terminate()
        nginx.wait(10)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _get(url: str, path: str) -> Answer:
    """One request, no redirect followed; the redirect's aim is the answer's url."""
    return _send(urllib.request.Request(url + path))


def _post(url: str, path: str, body: object) -> Answer:
    content = json.dumps(body).encode()
    return _send(urllib.request.Request(url + path, content, {"Content-Type": "application/json"}))


def _wait_for(url: str, path: str) -> None:
    until(lambda: _get(url, path).status == 200, 30, f"{path} is there")


def _send(request: urllib.request.Request) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        with opener.open(request, timeout=20) as answer:
            return Answer(answer.status, answer.url, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers.get("Location", ""), error.read().decode())
    except OSError as error:
        return Answer(0, request.full_url, str(error))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/", "<title>Monolith</title>"),
        ("/api/v1/product", '"name"'),
        ("/api/v1/catalog", '"results"'),
        ("/catalog", "<title>Catalog service</title>"),
        ("/catalog/", "<title>Catalog service</title>"),
        ("/catalog/api/v1", '"items"'),
        ("/catalog/api/v1/", '"items"'),
        ("/static/admin/css/base.css", ":root"),
        ("/catalog/static/admin/css/base.css", ":root"),
        ("/static/rest_framework/css/default.css", "body"),
    ],
)
def test_address_is_answered_by_its_service_without_a_redirect(gateway: str, path: str, says: str) -> None:
    """Both services answer at one address, exactly as written."""
    answer = _get(gateway, path)
    assert answer.status == 200, answer.text[:500]
    assert says in answer.text


@pytest.mark.parametrize(
    "path", ["/catalogue", "/static/nothing.css", "/catalog/static/rest_framework/css/default.css"]
)
def test_nobody_answers_for_another_ones_address(gateway: str, path: str) -> None:
    """What begins like the other service's address is not taken for it; no static file of the other."""
    assert _get(gateway, path).status == 404


@pytest.mark.parametrize("path", ["/admin", "/catalog/admin"])
def test_admin_redirects_to_itself_at_the_same_address(gateway: str, path: str) -> None:
    """The way to the admin never leads past the gateway."""
    answer = _get(gateway, path)
    assert answer.status in (301, 302)
    assert answer.url.removeprefix(gateway) == f"{path}/"


@pytest.mark.parametrize("prefix", ["", "/catalog"])
def test_admin_login_works_through_the_gateway(gateway: str, prefix: str) -> None:
    """A browser that logs in passes the CSRF check and sees the admin, styled by the gateway."""
    browser = Site(gateway)
    form = browser.form(f"{prefix}/admin/", "username")
    page = browser.submit(form, username="admin", password="pass")
    assert page.status == 200, page.text[:500]
    assert page.url == f"{gateway}{prefix}/admin/"
    assert "Log out" in page.text
    assert f'href="{prefix}/static/admin/css/base.css"' in page.text


@pytest.mark.parametrize(("origin", "status"), [("{gateway}", 200), ("http://evil.example", 403)])
def test_a_form_of_another_site_is_refused(gateway: str, origin: str, status: int) -> None:
    """Django sees the browser's Origin and the gateway's own host, so it tells friend from foe."""
    browser = Site(gateway)
    form = browser.form("/catalog/admin/", "username")
    browser._opener.addheaders.append(("Origin", origin.format(gateway=gateway)))
    assert browser.submit(form, username="admin", password="pass").status == status


def test_one_browser_is_logged_in_to_both(gateway: str) -> None:
    """The sessions of the two services do not push each other out, at one address."""
    browser = Site(gateway)
    for prefix in ("", "/catalog"):
        browser.submit(browser.form(f"{prefix}/admin/", "username"), username="admin", password="pass")
    for prefix in ("", "/catalog"):
        assert "Log out" in browser.get(f"{prefix}/admin/").text


def test_writes_reach_their_owner_and_come_back_as_events(gateway: str) -> None:
    """POST arrives with its body, by the old address too; the other service shows what was made."""
    created = _post(gateway, "/api/v1/product", {"name": "Kite", "product_category": "Toys"})
    assert created.status == 201, created.text[:500]
    product = created.json["product_uuid"]
    _wait_for(gateway, f"/catalog/api/v1/products/{product}")
    markets = [market["iso_code"] for market in _get(gateway, "/catalog/api/v1/markets").json["items"]]
    for path, market in zip(("/catalog/api/v1", "/api/v1/catalog"), markets, strict=False):
        entry = {"product": product, "market": market, "availability_date": "2026-12-01"}
        made = _post(gateway, path, entry)
        assert made.status == 201, made.text[:500]
        _wait_for(gateway, f"/api/v1/catalog/{made.json['entry_uuid']}")


def test_pages_name_the_gateways_address(gateway: str) -> None:
    """The links of the home pages stay at the gateway."""
    for path, link in (("/", "/catalog/api/v1"), ("/catalog/", "/api/v1/product")):
        assert f'href="{gateway}{link}"' in _get(gateway, path).text
