"""``python -m scripts.services start|stop|env|install [postgres redis kafka mariadb]``.

``start`` prints ``export NAME=value`` lines on stdout, for ``eval "$(...)"``; all else goes to stderr.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

from . import SERVICES, Service, ServiceError
from .install import install

CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    # Intermixed, so that --dir may stand before the names as well as behind them.
    options = _parser().parse_intermixed_args(arguments)
    names = dict.fromkeys(options.services or SERVICES)
    services = [SERVICES[name](options.dir / name) for name in names]
    try:
        ACTIONS[options.action](services)
    except ServiceError as error:
        print(f"scripts.services: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.services",
        description="Servers for the tests, on 127.0.0.1 and free ports, without Docker.",
        epilog="start prints the variables that the tests read, env prints them again; stop keeps the "
        "data, delete does not; install uses apt-get, as root or by a sudo that asks nothing.",
    )
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument(
        "services", nargs="*", metavar="service", type=_known, help=f"{', '.join(SERVICES)}; default: all"
    )
    parser.add_argument("--dir", type=Path, default=CHECKOUT / ".services", help="default: %(default)s")
    return parser


def _known(name: str) -> str:
    if name not in SERVICES:
        raise argparse.ArgumentTypeError(f"no service {name!r}; there are {', '.join(SERVICES)}.")
    return name


def _start(services: list[Service]) -> None:
    for service in services:
        begin = time.monotonic()
        service.start()
        seconds = time.monotonic() - begin
        print(f"{service.name} answers on port {service.port} ({seconds:.1f} s)", file=sys.stderr)
        _print_environment(service)


def _env(services: list[Service]) -> None:
    for service in services:
        if service.running():
            _print_environment(service)


def _print_environment(service: Service) -> None:
    for name, value in service.environment().items():
        print(f"export {name}={shlex.quote(value)}", flush=True)


def _stop(services: list[Service]) -> None:
    for service in services:
        service.stop()


def _delete(services: list[Service]) -> None:
    for service in services:
        service.destroy()


def _install(services: list[Service]) -> None:
    if not install(services):
        print("nothing was missing", file=sys.stderr)


ACTIONS = {"start": _start, "stop": _stop, "delete": _delete, "env": _env, "install": _install}

if __name__ == "__main__":
    sys.exit(main())
