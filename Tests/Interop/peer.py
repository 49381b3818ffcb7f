"""The other side of the interoperation tests: a client on pika.

    peer.py receive URL QUEUE COUNT     consumes and acknowledges COUNT messages, and prints what it got, a line each
    peer.py reject URL QUEUE            takes one message and rejects it for good
    peer.py send URL QUEUE              publishes its messages, waits for their confirms, and prints what it sent
    peer.py unroutable URL QUEUE        publishes one mandatory message to a queue that does not exist

A line is a message in a form that the Swift side writes too, so that the two can be compared as text. Header values are
written with the type that they have on the wire: pika itself forgets it, and reads some values wrongly (`b` as unsigned,
`l` as unsigned, `f` and `d` without their fraction), so the bytes of the table are read here once more.
"""

import decimal
import struct
import sys
import zlib
from datetime import datetime

import pika
import pika.data
import pika.exceptions

FIXED = {
    "b": ">b", "B": ">B", "s": ">h", "u": ">H", "I": ">i", "i": ">I", "l": ">q", "L": ">q", "T": ">Q",
}
PROPERTIES = [
    "content_type", "content_encoding", "delivery_mode", "priority", "correlation_id", "reply_to", "expiration",
    "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id",
]


def shown_value(data, offset):
    """One value of a field table: its text, and where the next begins."""
    kind = chr(data[offset])
    offset += 1
    if kind in FIXED:
        (value,) = struct.unpack_from(FIXED[kind], data, offset)
        # `L` is what pika writes for a negative number that needs 64 bits; the number is the same.
        return f"{'l' if kind == 'L' else kind}({value})", offset + struct.calcsize(FIXED[kind])
    if kind == "t":
        return f"t({1 if data[offset] else 0})", offset + 1
    if kind == "V":
        return "V()", offset
    if kind == "f":
        return f"f({data[offset:offset + 4].hex()})", offset + 4
    if kind == "d":
        return f"d({data[offset:offset + 8].hex()})", offset + 8
    if kind == "D":
        scale, value = struct.unpack_from(">BI", data, offset)
        return f"D({scale},{value})", offset + 5
    (length,) = struct.unpack_from(">I", data, offset)
    end = offset + 4 + length
    if kind in "Sx":
        return f"{kind}({data[offset + 4:end].hex()})", end
    if kind == "F":
        return f"F({shown_table(data, offset)})", end
    if kind == "A":
        values = []
        offset += 4
        while offset < end:
            text, offset = shown_value(data, offset)
            values.append(text)
        return f"A({','.join(values)})", end
    raise ValueError(f"the field type {kind!r} is unknown")


def shown_table(data, offset):
    """The entries of the table whose length stands at `offset`."""
    (length,) = struct.unpack_from(">I", data, offset)
    offset += 4
    end = offset + length
    entries = []
    while offset < end:
        name = data[offset + 1:offset + 1 + data[offset]]
        text, offset = shown_value(data, offset + 1 + data[offset])
        entries.append(f"{name.hex()}={text}")
    return ",".join(entries)


class SeenTable(dict):
    """A table as pika decoded it, with its encoded bytes."""

    shown = ""


pika_decode_table = pika.data.decode_table


def decode_table(encoded, offset):
    """pika's own decoding, which must succeed, with the bytes beside it."""
    values, end = pika_decode_table(encoded, offset)
    table = SeenTable(values)
    table.shown = shown_table(encoded, offset)
    return table, end


pika.data.decode_table = decode_table


def shown(properties, body):
    """The line of a message."""
    parts = [f"body={len(body)}:{zlib.adler32(body)}"]
    for name in PROPERTIES:
        value = getattr(properties, name)
        if value is not None:
            parts.append(f"{name}={str(value).encode().hex()}")
    if properties.headers is not None:
        encoded = []
        pika.data.encode_table(encoded, properties.headers)
        table = properties.headers
        text = table.shown if isinstance(table, SeenTable) else shown_table(b"".join(encoded), 0)
        parts.append(f"headers={text}")
    return ";".join(parts)


def messages():
    """What this side sends: every type that pika can write, every property, bodies of every size class."""
    everything = {
        "true": True, "false": False, "small": -5, "int": 2**31 - 1, "long": 2**62, "negative": -(2**62),
        "decimal": decimal.Decimal("3.14"), "whole": decimal.Decimal("27"), "text": "gr\u00fc\u00dfe \U0001f955",
        "empty": "", "bytes": b"\x00\xff\x80", "time": datetime(2023, 11, 14, 22, 13, 20), "void": None,
        "table": {"inner": {"deep": [None, "x", {"k": [1, [2, []]]}]}, "none": {}},
        "array": [1, "two", [True], {"three": 3}],
    }
    return [
        (pika.BasicProperties(), b""),
        (pika.BasicProperties(headers={}), b"x"),
        (pika.BasicProperties(headers=everything, delivery_mode=2), b"\x00\xce\xff" * 100),
        (
            pika.BasicProperties(
                content_type="application/json", content_encoding="identity", headers={"h": 1}, delivery_mode=1,
                priority=9, correlation_id="correlation", reply_to="answers", expiration="600000", message_id="id-1",
                timestamp=1_700_000_000, type="kind", user_id="guest", app_id="peer", cluster_id="",
            ),
            "gr\u00fc\u00dfe".encode(),
        ),
        (pika.BasicProperties(message_id="\u00fc" * 127), bytes(range(256)) * 1024),
        (pika.BasicProperties(message_id="large"), bytes(range(251)) * 16_384),
    ]


def receive(channel, queue, count):
    """Consumes, acknowledges, prints."""
    left = int(count)
    for method, properties, body in channel.consume(queue, inactivity_timeout=20):
        if method is None:
            sys.exit(f"{left} of {count} messages did not come")
        print(shown(properties, body))
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if left == 0:
            break
    channel.cancel()


def reject(channel, queue):
    """Takes one message, gives it up."""
    for method, _, _ in channel.consume(queue, inactivity_timeout=20):
        if method is None:
            sys.exit("no message came")
        channel.basic_reject(method.delivery_tag, requeue=False)
        break
    channel.cancel()


def send(channel, queue):
    """Publishes with confirms: pika raises where the broker returns or refuses a message."""
    channel.confirm_delivery()
    for properties, body in messages():
        channel.basic_publish("", queue, body, properties, mandatory=True)
        print(shown(properties, body))


def unroutable(channel, queue):
    """A return is an error on this side too."""
    channel.confirm_delivery()
    try:
        channel.basic_publish("", queue, b"", mandatory=True)
    except pika.exceptions.UnroutableError:
        print("unroutable")


def main():
    """Connects, does what was asked, closes."""
    command, url, *arguments = sys.argv[1:]
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=50)
    {"receive": receive, "reject": reject, "send": send, "unroutable": unroutable}[command](channel, *arguments)
    connection.close()


main()
