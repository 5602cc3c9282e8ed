"""The servers of ``scripts.services``, tried with a small one that is always there."""

from __future__ import annotations

import signal
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.services import Postgres, Service, ServiceError, jars
from scripts.services.__main__ import main


class FileServer(Service):
    """Python's own web server over a folder."""

    name = "files"
    variable = "FILES_URL"
    start_seconds = 20

    def missing(self) -> list[str]:
        return []

    def prepare(self) -> None:
        pass

    def command(self) -> list[str]:
        return [sys.executable, "-m", "http.server", str(self.port), "--bind", "127.0.0.1"]

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url(), timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


class Broken(FileServer):
    """One that says why it cannot start."""

    def command(self) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit('no such option: sideways')"]


class NotInstalled(FileServer):
    def missing(self) -> list[str]:
        return ["files-server"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    server = FileServer(tmp_path / "files")
    yield server
    server.destroy()


@pytest.mark.slow
def test_start_waits_for_an_answer_and_may_be_repeated(server: FileServer) -> None:
    """A server answers once start returns; a second start, of another object, finds it running."""
    server.start()
    assert server.answers()
    first = server._state()["pid"]
    again = FileServer(server.directory)
    again.start()
    assert again._state()["pid"] == first
    assert again.environment() == {"FILES_URL": server.url()}


@pytest.mark.slow
def test_restart_keeps_the_port_and_the_files(server: FileServer) -> None:
    """Clients find a restarted server where it was, after an orderly stop and after a kill."""
    server.start()
    url = server.url()
    (server.directory / "kept").touch()
    server.restart()
    server.kill()
    assert not server.running()
    server.start()
    assert server.url() == url
    with urllib.request.urlopen(f"{url}kept", timeout=5) as answer:
        assert answer.status == 200


@pytest.mark.slow
def test_a_frozen_server_can_be_stopped(server: FileServer) -> None:
    """Freezing leaves the process without answers; stop ends it all the same."""
    server.start()
    server.send_signal(signal.SIGSTOP)
    assert server.running()
    assert not server.answers()
    server.stop()
    assert not server.running()


@pytest.mark.slow
def test_a_server_that_ends_at_its_start_shows_its_last_words(tmp_path: Path) -> None:
    """The error carries the end of the log, so that nobody has to look for it."""
    with pytest.raises(ServiceError, match=r"(?s)ended at its start.*no such option: sideways"):
        Broken(tmp_path).start()


@pytest.mark.slow
def test_a_taken_port_is_named(server: FileServer, tmp_path: Path) -> None:
    """A port of somebody else is an error that says which and what to do."""
    server.start()
    other = FileServer(tmp_path / "other", port=server.port)
    with pytest.raises(ServiceError, match=rf"port {server.port} is taken.*delete {other.directory}"):
        other.start()


def test_a_number_used_again_is_not_taken_for_the_server(server: FileServer) -> None:
    """A process id of a boot long ago may belong to anybody today: nothing is signalled."""
    server._remember(pid=1, birth="another life")
    assert not server.running()


def test_what_is_missing_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    """The error names the package and the command."""
    with pytest.raises(ServiceError, match=r"files-server.*python -m scripts\.services install files"):
        NotInstalled(tmp_path).start()


def test_an_unknown_service_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name ends the command with the names there are."""
    with pytest.raises(SystemExit):
        main(["start", "postgre"])
    assert "no service 'postgre'; there are postgres, redis, kafka, mariadb" in capsys.readouterr().err


def test_env_says_nothing_of_servers_that_do_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a shell evaluates holds running servers only."""
    assert main(["env", "--dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""


def test_a_jar_with_another_checksum_is_refused_and_removed(tmp_path: Path) -> None:
    """A damaged or foreign jar in the cache never reaches a class path."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    (folder / "a.jar").write_bytes(b"not what was pinned")
    with pytest.raises(ServiceError, match=r"checksums of kafka-jars\.sha256: a\.jar"):
        jars._check(folder, {"a.jar": "0" * 64})
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.service
def test_postgres_keeps_what_was_committed_through_a_kill(tmp_path: Path) -> None:
    """After an immediate shutdown PostgreSQL recovers on the same port, with all that was committed."""
    postgres = Postgres(tmp_path / "postgres")
    if postgres.missing():
        pytest.skip("no PostgreSQL here: python -m scripts.services install postgres")
    try:
        postgres.start()
        postgres.create_database("shop")
        postgres.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)", "shop")
        url = postgres.url()
        postgres.kill()
        postgres.start()
        assert postgres.sql("SELECT n FROM kept", "shop") == "7"
        assert postgres.url() == url
    finally:
        postgres.destroy()
    assert not postgres.directory.exists()
