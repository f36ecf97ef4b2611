"""Work for pika, one function for each check; called with the name of one, and AMQP_URL in the environment."""

import os
import sys
import time
from urllib.parse import urlsplit, unquote

import pika
import pika.exceptions

URL = urlsplit(os.environ["AMQP_URL"])
DEADLINE_SECONDS = 20


def connect(password=None, heartbeat=None):
    credentials = pika.PlainCredentials(unquote(URL.username), password or unquote(URL.password))
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            URL.hostname,
            URL.port,
            "/",
            credentials,
            heartbeat=heartbeat,
            socket_timeout=DEADLINE_SECONDS,
            blocked_connection_timeout=DEADLINE_SECONDS,
        )
    )


def consume(channel, queue, count, **options):
    """The next `count` messages as (method, properties, body); they are not acknowledged."""
    taken = []
    until = time.monotonic() + DEADLINE_SECONDS
    for method, properties, body in channel.consume(queue, inactivity_timeout=1, **options):
        if method is not None:
            taken.append((method, properties, body))
        if len(taken) == count:
            return taken
        assert time.monotonic() < until, f"{len(taken)} of {count} messages came"


def confirms():
    connection = connect()
    channel = connection.channel()
    channel.queue_declare("pika-confirms", durable=True)
    channel.confirm_delivery()
    persistent = pika.BasicProperties(delivery_mode=2)
    bodies = [f"message {n}".encode() for n in range(200)]
    for body in bodies:
        channel.basic_publish("", "pika-confirms", body, persistent)
    messages = consume(channel, "pika-confirms", 200)
    assert [body for _, _, body in messages] == bodies
    assert not any(method.redelivered for method, _, _ in messages)
    channel.basic_ack(messages[-1][0].delivery_tag, multiple=True)
    channel.cancel()
    assert channel.queue_declare("pika-confirms", passive=True).method.message_count == 0
    channel.queue_delete("pika-confirms")
    connection.close()


def properties():
    connection = connect()
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    sent = pika.BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        headers={"text": "ünï", "number": 7, "big": 2**40, "yes": True, "list": [1, "two"], "table": {"a": None}},
        delivery_mode=2,
        priority=5,
        correlation_id="correlation",
        reply_to="reply",
        message_id="id-1",
        timestamp=1_700_000_000,
        type="kind",
        app_id="interop",
    )
    channel.basic_publish("", queue, b"{}", sent)
    method, got, body = consume(channel, queue, 1)[0]
    assert body == b"{}" and method.routing_key == queue and method.exchange == ""
    for name, value in vars(sent).items():
        assert getattr(got, name) == value, f"{name}: {getattr(got, name)!r} for {value!r}"
    connection.close()


def requeue():
    connection = connect()
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    for body in (b"first", b"second", b"third"):
        channel.basic_publish("", queue, body)
    first, second, third = consume(channel, queue, 3)
    channel.basic_nack(first[0].delivery_tag, requeue=True)
    channel.basic_reject(second[0].delivery_tag, requeue=False)
    channel.basic_ack(third[0].delivery_tag)
    method, _, body = consume(channel, queue, 1)[0]
    assert body == b"first" and method.redelivered
    channel.basic_ack(method.delivery_tag)
    channel.cancel()
    assert channel.basic_get(queue)[0] is None
    connection.close()


def redelivery():
    connection = connect()
    channel = connection.channel()
    channel.queue_declare("pika-redelivery", durable=True)
    channel.confirm_delivery()
    channel.basic_publish("", "pika-redelivery", b"again", pika.BasicProperties(delivery_mode=2))

    # A process of its own takes the message and dies without a word.
    child = os.fork()
    if child == 0:
        taken = consume(connect().channel(), "pika-redelivery", 1)
        os._exit(0 if taken[0][2] == b"again" else 1)
    assert os.waitpid(child, 0)[1] == 0

    method, _, body = consume(channel, "pika-redelivery", 1)[0]
    assert body == b"again" and method.redelivered
    channel.basic_ack(method.delivery_tag)
    channel.cancel()
    channel.queue_delete("pika-redelivery")
    connection.close()


def prefetch():
    connection = connect()
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    for n in range(10):
        channel.basic_publish("", queue, str(n).encode())
    got = []
    channel.basic_qos(prefetch_count=3)
    channel.basic_consume(queue, lambda _channel, method, _properties, body: got.append((method, body)))
    wait_for(connection, lambda: len(got) == 3)
    assert channel.queue_declare(queue, passive=True).method.message_count == 7
    for method, _ in got[:3]:
        channel.basic_ack(method.delivery_tag)
    wait_for(connection, lambda: len(got) == 6)
    assert [body for _, body in got] == [str(n).encode() for n in range(6)]
    connection.close()


def routing():
    connection = connect()
    channel = connection.channel()
    for name, kind in (("pika-topic", "topic"), ("pika-fanout", "fanout")):
        channel.exchange_declare(name, kind, auto_delete=True)
    stars, hashes, all_of_it = (channel.queue_declare("", exclusive=True).method.queue for _ in range(3))
    channel.queue_bind(stars, "pika-topic", "*.error")
    channel.queue_bind(hashes, "pika-topic", "shop.#")
    channel.queue_bind(all_of_it, "pika-fanout")
    for key in ("shop.error", "shop.cart.error", "shop", "bank.error"):
        channel.basic_publish("pika-topic", key, key.encode())
    channel.basic_publish("pika-fanout", "whatever", b"to all")
    assert [m[2] for m in consume(channel, stars, 2)] == [b"shop.error", b"bank.error"]
    channel.cancel()
    assert [m[2] for m in consume(channel, hashes, 3)] == [b"shop.error", b"shop.cart.error", b"shop"]
    channel.cancel()
    assert consume(channel, all_of_it, 1)[0][2] == b"to all"
    connection.close()


def mandatory():
    connection = connect()
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish("", "no-such-queue", b"lost?", mandatory=True)
    except pika.exceptions.UnroutableError as error:
        (message,) = error.messages
        assert message.body == b"lost?" and message.method.reply_code == 312, message.method
    else:
        raise AssertionError("it was not returned")
    channel.basic_publish("", "no-such-queue", b"dropped")
    connection.close()


def large():
    connection = connect()
    channel = connection.channel()
    channel.confirm_delivery()
    queue = channel.queue_declare("", exclusive=True).method.queue
    body = os.urandom(1_000_000)
    channel.basic_publish("", queue, body)
    channel.basic_publish("", queue, b"")
    got = consume(channel, queue, 2)
    assert got[0][2] == body and got[1][2] == b""
    connection.close()


def errors():
    connection = connect()
    channel = connection.channel()
    try:
        channel.queue_declare("pika-missing", passive=True)
        raise AssertionError("a missing queue was found")
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 404, error
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    other = connect()
    try:
        other.channel().queue_declare(queue, passive=True)
        raise AssertionError("an exclusive queue was shared")
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 405, error
    channel.queue_declare("pika-durable", durable=True)
    try:
        other.channel().queue_declare("pika-durable", durable=False)
        raise AssertionError("a queue was declared again with other properties")
    except pika.exceptions.ChannelClosedByBroker as error:
        assert error.reply_code == 406, error
    channel.queue_delete("pika-durable")
    other.close()
    connection.close()


def heartbeats():
    connection = connect(heartbeat=1)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    until = time.monotonic() + 4
    while time.monotonic() < until:
        connection.process_data_events(time_limit=0.5)
    channel.basic_publish("", queue, b"still here")
    assert consume(channel, queue, 1)[0][2] == b"still here"
    connection.close()


def password():
    try:
        connect(password="wrong")
    except pika.exceptions.ProbableAuthenticationError as error:
        assert "403" in str(error) or "ACCESS_REFUSED" in str(error), error
    else:
        raise AssertionError("a wrong password was taken")


def wait_for(connection, condition):
    until = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        connection.process_data_events(time_limit=0.1)


CHECKS = (confirms, properties, requeue, redelivery, prefetch, routing, mandatory, large, errors, heartbeats, password)

if __name__ == "__main__":
    {check.__name__: check for check in CHECKS}[sys.argv[1]]()
