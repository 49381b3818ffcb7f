"""Other people's programs and the shop's events: the official SDK of CloudEvents, with pika to carry what it makes.

    cloudevents_peer.py publish URL CASE ORDER          publishes one message of that kind about that order, confirmed and routed
    cloudevents_peer.py bind URL QUEUE                  makes a queue that gets every event
    cloudevents_peer.py read URL QUEUE DOCUMENT TYPE... takes events until each of those types has come; each has to be one for the
                                                        SDK, what the AsyncAPI document says, and to have every property
"""

import base64
import gzip
import json
import sys
import uuid

import jsonschema
import pika
from cloudevents.core.bindings import rabbitmq
from cloudevents.core.v1.event import CloudEvent

EXCHANGE = "warren.events"
TYPE = "dev.warren.order.confirmed"
SOURCE = "/order-service"
STRUCTURED = "application/cloudevents+json"


def data_of(order, amount=1300):
    return {
        "orderID": order, "customer": {"email": "ada@example.com", "name": "Ada"},
        "total": {"amount": amount, "currency": "EUR"},
    }


def attributes_of(order, **more):
    return {"specversion": "1.0", "id": str(uuid.uuid4()), "type": TYPE, "source": SOURCE, "subject": order, **more}


def sdk_event(order, **more):
    given = {"type": TYPE, "source": SOURCE, "subject": order, "datacontenttype": "application/json", **more}
    return CloudEvent(attributes=given, data=data_of(order))


def structured(order, content_type=STRUCTURED, **more):
    """What a hand-written publisher sends."""
    event = {**attributes_of(order), "data": data_of(order), **more}
    event = {name: value for name, value in event.items() if value is not None}
    return {}, content_type, json.dumps(event).encode()


def from_sdk(message):
    return message.headers, message.content_type, message.body


def binary(prefix, order):
    headers = {prefix + name: value for name, value in attributes_of(order).items()}
    return headers, "application/json", json.dumps(data_of(order)).encode()


def message(kind, order):
    """Headers, content type, body and other properties of a case."""
    match kind:
        case "structured":
            return *from_sdk(rabbitmq.to_structured_event(sdk_event(order))), {}
        case "binary ce-":
            return *from_sdk(rabbitmq.to_binary_event(sdk_event(order))), {}
        case "binary cloudEvents:" | "binary cloudEvents_":
            return *binary(kind.split()[1], order), {}
        case "extensions":
            return *from_sdk(rabbitmq.to_structured_event(sdk_event(order, tenant="blue", sequence="not-a-number"))), {}
        case "extensions binary":
            return *from_sdk(rabbitmq.to_binary_event(sdk_event(order, tenant="blue"))), {}
        case "neither subject nor time":
            return *structured(order, subject=None), {}
        case "base64":
            encoded = base64.b64encode(json.dumps(data_of(order)).encode()).decode()
            return *structured(order, data=None, data_base64=encoded, datacontenttype="application/json"), {}
        case "another source":
            return *from_sdk(rabbitmq.to_structured_event(sdk_event(order, source="/elsewhere"))), {}
        case "negative total":
            return *structured(order, data=data_of(order, -1300)), {}
        case "batch":
            _, _, body = structured(order)
            return {}, "application/cloudevents-batch+json", b"[" + body + b"]", {}
        case "gzip":
            headers, content_type, body = structured(order)
            return headers, content_type, gzip.compress(body), {"content_encoding": "gzip"}
        case "byte-order mark":
            headers, content_type, body = structured(order)
            return headers, content_type, b"\xef\xbb\xbf" + body, {}
        case "latin-1":
            headers, _, body = structured(order)
            return headers, STRUCTURED + "; charset=latin-1", body, {}
        case "no event":
            # The order is the only thing by which these differ.
            return {"x": order}, "text/plain", b"hello", {}
    raise SystemExit(f"there is no case {kind}")


def publish(channel, kind, order):
    headers, content_type, body, more = message(kind, order)
    channel.confirm_delivery()
    properties = pika.BasicProperties(headers=headers, content_type=content_type, delivery_mode=2, **more)
    # pika raises where the broker returns or refuses it.
    channel.basic_publish(EXCHANGE, TYPE, body, properties, mandatory=True)
    print(base64.b64encode(body).decode())


def bind(channel, queue):
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum", "x-expires": 600_000})
    channel.queue_bind(queue, EXCHANGE, "#")


def check(document, properties, body):
    """Holds one event of the shop to what everybody may rely on."""
    event = rabbitmq.from_rabbitmq_event(
        rabbitmq.RabbitMQMessage(headers=properties.headers or {}, content_type=properties.content_type, body=body)
    )
    kind = event.get_type()
    messages = [one for one in document["components"]["messages"].values() if one["name"] == kind]
    resolver = jsonschema.RefResolver("", document)
    jsonschema.Draft7Validator(messages[0]["payload"], resolver=resolver).validate(json.loads(body))
    assert properties.content_type == STRUCTURED + "; charset=utf-8", properties
    assert properties.delivery_mode == 2, properties
    assert properties.message_id == event.get_id(), properties
    assert properties.type == kind, properties
    assert properties.app_id == event.get_source(), properties
    assert properties.timestamp == int(event.get_time().timestamp()), properties
    assert properties.correlation_id == event.get_extension("correlationid"), properties
    assert properties.user_id == "guest", properties
    assert event.get_subject() == event.get_data()["orderID"], event.get_data()
    for name in ("priority", "expiration", "reply_to", "content_encoding", "cluster_id"):
        assert getattr(properties, name) is None, (name, properties)
    return kind


def read(channel, queue, document, *kinds):
    with open(document, encoding="utf-8") as file:
        document = json.load(file)
    left = set(kinds)
    for method, properties, body in channel.consume(queue, inactivity_timeout=60):
        if method is None:
            sys.exit(f"these did not come: {sorted(left)}")
        left.discard(check(document, properties, body))
        channel.basic_ack(method.delivery_tag)
        if not left:
            break
    channel.cancel()


def main():
    command, url, *arguments = sys.argv[1:]
    connection = pika.BlockingConnection(pika.URLParameters(url))
    {"publish": publish, "bind": bind, "read": read}[command](connection.channel(), *arguments)
    connection.close()


main()
