#!/usr/bin/env python3
"""Follows Order's events and puts them to the data platform: what Analytics does, for readers of Python.

ORDER_URL (http://127.0.0.1:9081), ORDER_TOKEN, PLATFORM_URL (http://127.0.0.1:8090), PLATFORM_KEY; the argument is a file that keeps
the position. A record is stored before the position moves on: after a crash some are put again, under the same ids.
"""
import json, os, pathlib, sys, time, urllib.error, urllib.parse, urllib.request

order, platform = os.environ.get("ORDER_URL", "http://127.0.0.1:9081"), os.environ.get("PLATFORM_URL", "http://127.0.0.1:8090")
token, key = os.environ.get("ORDER_TOKEN"), os.environ.get("PLATFORM_KEY", "sk_test_sandbox")
types = [f"dev.warren.order.{moment}" for moment in
         ("confirmed", "lines-cancelled", "cancelled", "partly-refunded", "refunded")]
place = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "position.txt")

def call(url, bearer, body=None):
    request = urllib.request.Request(url, body, method="PUT" if body else "GET")
    if bearer: request.add_header("Authorization", f"Bearer {bearer}")
    if body: request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer: return answer.headers, json.load(answer)

while True:
    try:
        position = place.read_text() if place.exists() else "0"
        query = urllib.parse.urlencode({"after": position, "limit": 100, "wait": 20, "type": types}, doseq=True)
        headers, events = call(f"{order}/events?{query}", token)
        for event in events:
            data, total = event["data"], event["data"]["total"]
            record = {"id": event["id"], "type": event["type"], "orderID": data["orderID"], "occurredAt": event["time"], **total}
            if data.get("reason"): record["reason"] = data["reason"]
            call(f"{platform}/platform/records/{event['id']}", key, json.dumps(record).encode())
        new = place.with_suffix(".new"); new.write_text(headers["Warren-Next-Position"]); new.replace(place)
    except (urllib.error.URLError, ConnectionError, TimeoutError, ValueError) as error:
        if getattr(error, "code", 0) in (400, 409, 410, 422): raise  # Again would be the same.
        print(f"not now: {error}", file=sys.stderr); time.sleep(2)
