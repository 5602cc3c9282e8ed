"""Apache Kafka: one node, broker and controller, from the jars of Maven Central."""

from __future__ import annotations

import base64
import os
import socket
import struct
import uuid
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from .base import HOST, Service, find_program, program, run
from .jars import kafka_jars

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "true",
    "num.partitions": "4",
    "default.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A member of the new group protocol hears of its partitions in its next heartbeat.
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.heartbeat.interval.ms": "200",
    # After a kill the controller keeps a broker's session this long before it may come back.
    "broker.session.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "200",
    "log.cleaner.dedupe.buffer.size": "8388608",
}
JVM = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
LOGGING = """\
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d %p %m (%c)%n
rootLogger.level = WARN
rootLogger.appenderRef.stdout.ref = stdout
"""


class Kafka(Service):
    """Topics are made when first used, with four partitions.

    ``settings`` are added to ``server.properties`` at each start, over our own.
    """

    name = "kafka"
    variable = "KAFKA_BOOTSTRAP_SERVERS"

    def __init__(
        self,
        directory: Path | str,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(directory, port=port)
        self.settings = dict(settings or {})

    def missing(self) -> list[str]:
        needed = {"java": "default-jre-headless", "mvn": "maven"}
        return [package for name, package in needed.items() if not find_program(name)]

    def prepare(self) -> None:
        kafka_jars()
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "log4j2.properties").write_text(LOGGING)
        self._properties.write_text(
            "".join(f"{name}={value}\n" for name, value in self._all_settings().items())
        )
        if not (self._data / "meta.properties").exists():
            storage = ["kafka.tools.StorageTool", "format", f"--cluster-id={_new_id()}"]
            run([*self._java(), *storage, "--config", str(self._properties)], cwd=self.directory)

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self._properties)]

    def answers(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                return _brokers(connection) > 0
        except (OSError, struct.error):
            return False

    def url(self) -> str:
        return f"{HOST}:{self.port}"

    @cached_property
    def controller_port(self) -> int:
        return self._kept_port("controller_port")

    @property
    def _properties(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _java(self) -> list[str]:
        home = os.environ.get("JAVA_HOME")
        java = str(Path(home) / "bin" / "java") if home else program("java")
        logging = f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}"
        return [java, *JVM, logging, "-cp", os.pathsep.join(map(str, kafka_jars()))]

    def _all_settings(self) -> dict[str, str]:
        ours = f"PLAINTEXT://{HOST}:{self.port}"
        controller = f"{HOST}:{self.controller_port}"
        return {
            **SETTINGS,
            "listeners": f"{ours},CONTROLLER://{controller}",
            "advertised.listeners": ours,
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": str(self._data),
            **self.settings,
        }


def _new_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _brokers(connection: socket.socket) -> int:
    """How many brokers a Metadata request (version 4, no topics) names.

    A port that accepts connections proves nothing: Kafka opens it before it serves.
    """
    header = struct.pack(">hhih", 3, 4, 1, -1)
    body = struct.pack(">ib", 0, 0)
    connection.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
    answer = b""
    while len(answer) < 16:
        more = connection.recv(4096)
        if not more:
            return 0
        answer += more
    _size, _correlation, _throttle, brokers = struct.unpack(">iiii", answer[:16])
    return int(brokers)
