"""A browser's part in HTTP, small: cookies, forms with their CSRF token, JSON."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPException
from http.cookiejar import CookieJar
from typing import Any

from .terminal import DemoFailed

__all__ = ["Answer", "Form", "Site"]

TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """What came back: status 0 when nothing did."""

    status: int
    url: str
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Form:
    """A form of a page: where it goes and what it holds."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Site:
    """One web server and the session that a browser would have with it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def get(self, path: str) -> Answer:
        return self._open(urllib.request.Request(self._absolute(path)))

    def answers(self) -> bool:
        """Whether the front page is there."""
        return self.get("/").status == 200

    def send(self, method: str, path: str, body: object = None) -> Answer:
        """A request with a JSON body."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return self._open(urllib.request.Request(self._absolute(path), content, headers, method=method))

    def fetch(self, path: str) -> Any:
        """The JSON at ``path``; ``DemoFailed`` when there is none."""
        return self.expect(self.get(path), 200).json

    def expect(self, answer: Answer, *statuses: int) -> Answer:
        if answer.status not in statuses:
            raise DemoFailed(f"{answer.url} answered {answer.status}: {answer.text[:300].strip()}")
        return answer

    def form(self, path: str, holding: str) -> Form:
        """The form of a page that has a field called ``holding``."""
        answer = self.expect(self.get(path), 200)
        parser = _Forms()
        parser.feed(answer.text)
        for form in parser.forms:
            if holding in form.fields:
                form.action = urllib.parse.urljoin(answer.url, form.action)
                return form
        raise DemoFailed(f"{answer.url} has no form with a field {holding!r}.")

    def submit(self, form: Form, **values: str) -> Answer:
        """Send a form as a browser does; follows the redirect."""
        content = urllib.parse.urlencode({**form.fields, **values}).encode()
        return self._open(urllib.request.Request(form.action, content, {"Referer": form.action}))

    def _absolute(self, path: str) -> str:
        return urllib.parse.urljoin(self.url + "/", path)

    def _open(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                return Answer(response.status, response.url, response.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, request.full_url, error.read().decode(errors="replace"))
        except (OSError, HTTPException) as error:
            return Answer(0, request.full_url, str(error))


class _Forms(HTMLParser):
    """Every form of a page with the values that a browser would send unasked."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif not self.forms:
            return
        elif tag in ("input", "textarea") and given.get("name"):
            self._input(given)
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and "selected" in given:
            self.forms[-1].fields[self._select] = given.get("value", "")

    def _input(self, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if kind in ("submit", "button", "file", "image"):
            return
        if kind in ("checkbox", "radio") and "checked" not in given:
            return
        self.forms[-1].fields[given["name"]] = given.get("value", "")
