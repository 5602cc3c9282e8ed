"""A broker for laptops and tests that speaks the real Kafka protocol and needs nothing but pip.

It is librdkafka's mock cluster, which confluent-kafka carries in its wheels. The mock chooses a
free port, so a small relay listens on the fixed one; clients bootstrap through it and go on with
the mock's own port, which its metadata names.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ipaddress
import socket
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any

from confluent_kafka import cimpl

from ..exceptions import BrokerError

__all__ = ["DevelopmentBroker", "PortUnusable"]

_ALL_BROKERS = -1
_PRODUCER = 0
_PRODUCE_REQUEST = 0
_addresses: set[int] = set()  # of the clusters that this process ever had


class PortUnusable(BrokerError):
    """The broker cannot listen where it is told to; the message names address and port."""


class DevelopmentBroker:
    """Runs from ``__enter__`` to ``__exit__``; all messages are lost with it.

    A group that its last member left lets the next one in only after the ``session.timeout.ms`` that
    it had (45 s by default; with ``group.protocol=consumer`` at once): choose a short one.
    Keeps about 5 MB per partition. ``port`` 0 takes a free one. Topics that clients name are made
    with four partitions; ``create_topic`` makes them with ``partitions``. Only loopback addresses:
    there is no access control. Raises ``PortUnusable`` when the port is taken.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 9092, partitions: int = 4) -> None:
        self._host = _loopback(host)
        self._port = port
        self._partitions = partitions
        self.is_up = False

    @property
    def bootstrap_servers(self) -> str:
        return f"{self._host}:{self._port}"

    def __enter__(self) -> DevelopmentBroker:
        self._mock = _MockCluster()
        try:
            self._relay = _Relay(self._host, self._port, self._mock.port)
        except BaseException:
            self._mock.destroy()
            raise
        self._port = self._relay.port
        self.is_up = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._relay.close()
        self._mock.destroy()
        self.is_up = False

    def down(self) -> None:
        """Drop every connection and refuse new ones; the log and the groups' offsets stay."""
        self._relay.refuse()
        self._mock.set_down()
        self.is_up = False

    def up(self) -> None:
        self._mock.set_up()
        self._relay.accept()
        self.is_up = True

    def create_topic(self, name: str, partitions: int | None = None) -> None:
        self._mock.create_topic(name, partitions or self._partitions)

    def refuse_produce_requests(self, error_codes: Sequence[int]) -> None:
        """Answer the next produce requests with these codes of the Kafka protocol, one each."""
        self._mock.push_errors(_PRODUCE_REQUEST, error_codes)


def _loopback(host: str) -> str:
    address = "127.0.0.1" if host == "localhost" else host
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        parsed = None
    if parsed is None or not parsed.is_loopback:
        raise BrokerError(f"The development broker serves loopback only, such as 127.0.0.1, not {host!r}.")
    return address


class _MockCluster:
    """The C interface, found through the extension module: it is linked with the library."""

    def __init__(self) -> None:
        self._c = _declared(ctypes.CDLL(cimpl.__file__))
        words = ctypes.create_string_buffer(512)
        conf = self._c.rd_kafka_conf_new()
        # Nothing of the handle's own is of interest, least of all that it has no brokers.
        self._c.rd_kafka_conf_set(conf, b"log_level", b"2", words, len(words))
        self._handle = self._c.rd_kafka_new(_PRODUCER, conf, words, len(words))
        if not self._handle:
            raise BrokerError(f"The development broker did not start: {words.value.decode()}")
        self._cluster = self._new_cluster()
        if not self._cluster:
            self._c.rd_kafka_destroy(self._handle)
            raise BrokerError("The development broker did not start: librdkafka made no mock cluster.")
        self._c.rd_kafka_mock_set_controller_id(self._cluster, 1)
        self._c.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 100)
        address: bytes = self._c.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.port = int(address.decode().rpartition(":")[2])

    def _new_cluster(self) -> int | None:
        """The cluster's identity is its address in memory, so no address may serve twice."""
        refused: list[int] = []
        cluster: int | None = self._c.rd_kafka_mock_cluster_new(self._handle, 1)
        while cluster in _addresses:
            refused.append(cluster)
            cluster = self._c.rd_kafka_mock_cluster_new(self._handle, 1)
        for one in refused:
            self._c.rd_kafka_mock_cluster_destroy(one)
        if cluster:
            _addresses.add(cluster)
        return cluster

    def set_down(self) -> None:
        self._c.rd_kafka_mock_broker_set_down(self._cluster, _ALL_BROKERS)

    def set_up(self) -> None:
        self._c.rd_kafka_mock_broker_set_up(self._cluster, _ALL_BROKERS)

    def create_topic(self, name: str, partitions: int) -> None:
        error = self._c.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if error:
            raise BrokerError(f"Topic {name!r} was not made: it exists, or its name is not allowed.")

    def push_errors(self, request: int, codes: Sequence[int]) -> None:
        errors = (ctypes.c_int * len(codes))(*codes)
        self._c.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(codes), errors)

    def destroy(self) -> None:
        self._c.rd_kafka_mock_cluster_destroy(self._cluster)
        self._c.rd_kafka_destroy(self._handle)


def _declared(c: ctypes.CDLL) -> ctypes.CDLL:
    """Pointers are 64 bits wide: without these types ctypes would cut them."""
    pointer, text, size, whole = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int
    for name, result, arguments in (
        ("conf_new", pointer, ()),
        ("conf_set", whole, (pointer, text, text, text, size)),
        ("new", pointer, (whole, pointer, text, size)),
        ("destroy", None, (pointer,)),
        ("mock_cluster_new", pointer, (pointer, whole)),
        ("mock_cluster_destroy", None, (pointer,)),
        ("mock_cluster_bootstraps", text, (pointer,)),
        ("mock_set_controller_id", None, (pointer, ctypes.c_int32)),
        ("mock_group_initial_rebalance_delay_ms", None, (pointer, ctypes.c_int32)),
        ("mock_broker_set_down", whole, (pointer, ctypes.c_int32)),
        ("mock_broker_set_up", whole, (pointer, ctypes.c_int32)),
        ("mock_topic_create", whole, (pointer, text, whole, whole)),
        ("mock_push_request_errors_array", None, (pointer, ctypes.c_int16, size, pointer)),
    ):
        try:
            function = c[f"rd_kafka_{name}"]
        except AttributeError as error:
            raise BrokerError(
                f"This build of confluent-kafka has no rd_kafka_{name}; install its wheel from PyPI."
            ) from error
        function.restype, function.argtypes = result, arguments
        setattr(c, f"rd_kafka_{name}", function)
    return c


class _Relay:
    """Passes bytes between one listening port and the mock's, on an event loop of its own thread."""

    def __init__(self, host: str, port: int, target_port: int) -> None:
        self._host, self._target_port = host, target_port
        listener = _bound(host, port)
        self.port: int = listener.getsockname()[1]
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = listener
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._thread.start()
        self.accept()

    def accept(self) -> None:
        self._run(self._accept())

    def refuse(self) -> None:
        self._run(self._refuse())

    def close(self) -> None:
        self.refuse()
        if self._reserved is not None:
            self._reserved.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _accept(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, sock=self._reserved)
            self._reserved = None

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            # Bound and not listening: nobody else gets the port and the system refuses connections.
            self._reserved = _bound(self._host, self.port)
            self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._pass_on(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either side is gone, or the broker goes down
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._target_port)
        ways = [asyncio.create_task(_copy(reader, forth)), asyncio.create_task(_copy(back, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            forth.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()


def _bound(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortUnusable(f"Port {port} on {host} cannot be used: {error.strerror}.") from error
    return listener
