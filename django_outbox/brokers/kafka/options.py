"""The librdkafka options that users pass through ``DJANGO_OUTBOX["KAFKA"]``.

Nothing here imports the client. The roles are those of librdkafka's CONFIGURATION.md (column
C/P); with them each handle takes what is its own, or librdkafka would warn of the others'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ...conf import nearest

__all__ = ["Role", "client_options", "local_problems", "suggestion"]

Role = Literal["producer", "consumer", "admin"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


PRODUCER_ONLY = _names(
    """
    acks batch.num.messages batch.size compression.codec compression.level compression.type
    delivery.report.only.error delivery.timeout.ms enable.gapless.guarantee enable.idempotence
    linger.ms message.send.max.retries message.timeout.ms on_delivery partitioner
    produce.offset.report queue.buffering.backpressure.threshold queue.buffering.max.kbytes
    queue.buffering.max.messages queue.buffering.max.ms queuing.strategy request.required.acks
    request.timeout.ms retries sticky.partitioning.linger.ms transaction.timeout.ms transactional.id
    """
)
CONSUMER_ONLY = _names(
    """
    auto.commit.enable auto.commit.interval.ms auto.offset.reset check.crcs
    coordinator.query.interval.ms enable.auto.commit enable.auto.offset.store enable.partition.eof
    fetch.error.backoff.ms fetch.max.bytes fetch.message.max.bytes fetch.min.bytes
    fetch.queue.backoff.ms fetch.wait.max.ms group.id group.instance.id group.protocol
    group.protocol.type group.remote.assignor heartbeat.interval.ms isolation.level
    max.partition.fetch.bytes max.poll.interval.ms offset.store.method offset.store.path
    offset.store.sync.interval.ms on_commit partition.assignment.strategy queued.max.messages.kbytes
    queued.min.messages session.timeout.ms
    """
)
COMMON = _names(
    """
    allow.auto.create.topics api.version.fallback.ms api.version.request
    api.version.request.timeout.ms bootstrap.servers broker.address.family broker.address.ttl
    broker.version.fallback builtin.features client.dns.lookup client.id client.rack
    connections.max.idle.ms debug enable.metrics.push enable.random.seed
    enable.sasl.oauthbearer.unsecure.jwt enable.ssl.certificate.verification error_cb
    https.ca.location https.ca.pem internal.termination.signal log.connection.close log.thread.name
    log_level logger max.in.flight max.in.flight.requests.per.connection message.copy.max.bytes
    message.max.bytes metadata.broker.list metadata.max.age.ms
    metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy oauth_cb
    plugin.library.paths receive.message.max.bytes reconnect.backoff.jitter.ms
    reconnect.backoff.max.ms reconnect.backoff.ms retry.backoff.max.ms retry.backoff.ms
    sasl.kerberos.keytab sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin
    sasl.kerberos.principal sasl.kerberos.service.name sasl.mechanism sasl.mechanisms
    sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud
    sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
    sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
    sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file
    sasl.oauthbearer.assertion.jwt.template.file sasl.oauthbearer.assertion.private.key.file
    sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.private.key.pem
    sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
    sasl.oauthbearer.client.id sasl.oauthbearer.client.secret sasl.oauthbearer.config
    sasl.oauthbearer.extensions sasl.oauthbearer.grant.type
    sasl.oauthbearer.metadata.authentication.type sasl.oauthbearer.method sasl.oauthbearer.scope
    sasl.oauthbearer.sub.claim.name sasl.oauthbearer.token.endpoint.url sasl.password sasl.username
    security.protocol socket.blocking.max.ms socket.connection.setup.timeout.ms
    socket.keepalive.enable socket.max.fails socket.nagle.disable socket.receive.buffer.bytes
    socket.send.buffer.bytes socket.timeout.ms ssl.ca.certificate.stores ssl.ca.location ssl.ca.pem
    ssl.certificate.location ssl.certificate.pem ssl.cipher.suites ssl.crl.location ssl.curves.list
    ssl.endpoint.identification.algorithm ssl.engine.id ssl.engine.location ssl.key.location
    ssl.key.password ssl.key.pem ssl.keystore.location ssl.keystore.password ssl.providers
    ssl.sigalgs.list statistics.interval.ms stats_cb throttle_cb topic.blacklist
    topic.metadata.propagation.max.ms topic.metadata.refresh.fast.cnt
    topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms
    topic.metadata.refresh.sparse
    """
)

# A name that the library answers for, with the values that a user may repeat, and the reason.
_SETTLED: dict[str, tuple[frozenset[str], str]] = {
    name: (frozenset(values), reason)
    for names, values, reason in (
        (("enable.idempotence",), ("true", "1"), "without it retries break the order of a key"),
        (("acks", "request.required.acks"), ("all", "-1"), "an event is sent when every replica has it"),
        (
            ("message.timeout.ms", "delivery.timeout.ms"),
            ("0",),
            "no message may give up alone; use DJANGO_OUTBOX['PUBLISH_SECONDS']",
        ),
        (("delivery.report.only.error",), ("false", "0"), "an event is sent only when it is reported so"),
        (("transactional.id",), (), "events are published without Kafka's transactions"),
        (("on_delivery", "on_commit", "logger"), (), "django_outbox needs it itself"),
        (("group.id",), (), "the group is named by the handler"),
        (
            ("enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store"),
            ("false", "0"),
            "positions are kept in the database",
        ),
        (
            ("auto.offset.reset",),
            ("error",),
            "a new group starts at the earliest message, and a lost offset is for an operator to decide",
        ),
        (
            ("partition.assignment.strategy",),
            ("cooperative-sticky",),
            "other strategies take every partition away in each rebalance",
        ),
    )
    for name in names
}

_DEFAULTS: dict[Role, dict[str, Any]] = {
    "producer": {
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": 0,
        "partitioner": "murmur2_random",
        "topic.metadata.propagation.max.ms": 2000,
    },
    "consumer": {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": True,
    },
    # Asking about a topic must not make it.
    "admin": {"allow.auto.create.topics": False},
}
_DEFAULTS_OF_ALL: dict[str, Any] = {
    # A topic that is made later is found within this time.
    "topic.metadata.refresh.interval.ms": 5000,
    # With its own 100 ms librdkafka makes twenty attempts a second while every broker is away.
    "reconnect.backoff.ms": 500,
    "reconnect.backoff.max.ms": 2000,
    "log.connection.close": False,
}
_FOREIGN: dict[Role, frozenset[str]] = {
    "producer": CONSUMER_ONLY,
    "consumer": PRODUCER_ONLY,
    "admin": CONSUMER_ONLY | PRODUCER_ONLY | {"allow.auto.create.topics"},
}


def client_options(role: Role, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a handle of ``role`` gets: our defaults, over them what the user says for that role."""
    own = {name: value for name, value in options.items() if name not in _FOREIGN[role]}
    made = {**_DEFAULTS_OF_ALL, **_DEFAULTS[role]}
    if role == "consumer" and own.get("group.protocol") != "consumer":
        made["partition.assignment.strategy"] = "cooperative-sticky"
    settled = [name for name in own if name in _SETTLED]
    return {**made, **{name: value for name, value in own.items() if name not in settled}}


def local_problems(options: Mapping[str, Any]) -> list[str]:
    """What is wrong with ``options`` as far as it can be said without librdkafka; a sentence each."""
    found = []
    if not any(options.get(name) for name in ("bootstrap.servers", "metadata.broker.list")):
        found.append(
            "DJANGO_OUTBOX['KAFKA'] needs 'bootstrap.servers': the address of a broker, such as"
            " 'localhost:9092'."
        )
    for name, value in options.items():
        allowed, reason = _SETTLED.get(name, (None, ""))
        if allowed is not None and str(value).lower() not in allowed:
            found.append(f"DJANGO_OUTBOX['KAFKA'][{name!r}] is not yours to set: {reason}. Remove it.")
    if options.get("partitioner") == "random":
        found.append(
            "DJANGO_OUTBOX['KAFKA']['partitioner'] must not be 'random': all events of a key need"
            " one partition."
        )
    return found


def suggestion(name: str) -> str:
    """The nearest known option, as the end of a sentence; empty where none is near."""
    words = nearest(name, sorted(PRODUCER_ONLY | CONSUMER_ONLY | COMMON))
    return words if words.startswith("did you mean") else ""
