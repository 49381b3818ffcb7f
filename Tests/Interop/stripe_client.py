"""Stripe's own Python library against the sandbox.

    stripe_client.py URL SECRET_KEY CASE
    stripe_client.py URL SECRET_KEY tells PORT WEBHOOK_SECRET           # the sandbox sends its webhooks to that port
    stripe_client.py URL SECRET_KEY signs PAYMENT_URL WEBHOOK_SECRET    # Payment takes what the library signs

Prints nothing and ends with 0 when the case went as it does with Stripe; otherwise Python says what did not.
"""

import contextlib
import http.server
import json
import queue
import sys
import threading
import time
import unittest.mock
import urllib.error
import urllib.request

import stripe

CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


def charge(client, key, method="pm_card_visa", **more):
    parameters = {
        "amount": 1250, "currency": "eur", "payment_method": method, "payment_method_types": ["card"],
        "confirm": True, "error_on_requires_action": True, "metadata": {"order_id": "it's 1 & ü"}, **more,
    }
    if not parameters["confirm"]:
        del parameters["error_on_requires_action"]
    return client.v1.payment_intents.create(parameters, {"idempotency_key": key})


def failure(kind, function, *arguments):
    try:
        function(*arguments)
    except stripe.StripeError as error:
        assert type(error) is kind, repr(error)
        return error
    raise AssertionError(f"no {kind.__name__}")


@case
def charges(client):
    intent = charge(client, "charges")
    assert isinstance(intent, stripe.PaymentIntent)
    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 1250, "eur")
    assert intent.metadata["order_id"] == "it's 1 & ü"
    assert intent.client_secret.startswith(intent.id + "_secret_")
    assert intent.latest_charge.startswith("ch_")
    assert intent.last_response.request_id.startswith("req_")
    shown = client.v1.payment_intents.retrieve(intent.id)
    assert shown == intent
    again = charge(client, "charges")
    assert again.id == intent.id and again.last_response.headers["idempotent-replayed"] == "true"


@case
def declines(client):
    error = failure(stripe.CardError, charge, client, "declines", "pm_card_visa_chargeDeclinedInsufficientFunds")
    assert (error.http_status, error.code) == (402, "card_declined")
    assert error.error.decline_code == "insufficient_funds"
    assert error.error.payment_intent.status == "requires_payment_method"
    assert error.error.charge.startswith("ch_")
    error = failure(stripe.CardError, charge, client, "authentication", "pm_card_authenticationRequired")
    assert error.code == "authentication_required"
    waiting = client.v1.payment_intents.create({
        "amount": 1250, "currency": "eur", "payment_method": "pm_card_authenticationRequired", "confirm": True,
    })
    assert waiting.status == "requires_action"


@case
def refuses(client):
    charge(client, "refuses")
    error = failure(stripe.IdempotencyError, lambda: charge(client, "refuses", amount=999))
    assert error.http_status == 400
    error = failure(stripe.InvalidRequestError, lambda: charge(client, "unknown", customer="cus_1"))
    assert (error.code, error.param) == ("parameter_unknown", "customer")
    error = failure(stripe.InvalidRequestError, lambda: charge(client, "small", amount=49))
    assert (error.code, error.param) == ("amount_too_small", "amount")
    error = failure(stripe.InvalidRequestError, lambda: charge(client, "kwd", amount=1251, currency="kwd"))
    assert error.param == "amount"
    error = failure(stripe.InvalidRequestError, client.v1.payment_intents.retrieve, "pi_none")
    assert (error.http_status, error.code) == (404, "resource_missing")
    error = failure(stripe.InvalidRequestError, client.v1.customers.create, {"name": "Ada"})
    assert error.http_status == 404 and "Unrecognized request URL" in error.user_message
    stranger = stripe.StripeClient("sk_test_other", base_addresses={"api": client._requestor._options.base_addresses["api"]})
    failure(stripe.AuthenticationError, stranger.v1.refunds.list)


@case
def refunds(client):
    intent = charge(client, "refunds")
    part = client.v1.refunds.create({"payment_intent": intent.id, "amount": 250, "reason": "requested_by_customer"})
    assert (part.status, part.amount, part.charge) == ("succeeded", 250, intent.latest_charge)
    rest = client.v1.refunds.create({"charge": intent.latest_charge, "metadata": {"order_id": "1"}})
    assert rest.amount == 1000 and rest.payment_intent == intent.id
    error = failure(stripe.InvalidRequestError, client.v1.refunds.create, {"payment_intent": intent.id})
    assert error.code == "charge_already_refunded"
    assert client.v1.refunds.retrieve(part.id).id == part.id
    slow = charge(client, "pending", "pm_card_pendingRefund")
    assert client.v1.refunds.create({"payment_intent": slow.id}).status == "pending"


@case
def holds(client):
    held = charge(client, "holds", capture_method="manual")
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 1250, 0)
    taken = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1000})
    assert (taken.status, taken.amount_received) == ("succeeded", 1000)
    other = charge(client, "lets-go", capture_method="manual")
    called_off = client.v1.payment_intents.cancel(other.id, {"cancellation_reason": "abandoned"})
    assert (called_off.status, called_off.cancellation_reason) == ("canceled", "abandoned")
    open_intent = charge(client, "later", confirm=False)
    assert open_intent.status == "requires_confirmation"
    assert client.v1.payment_intents.confirm(open_intent.id).status == "succeeded"


@case
def pages(client):
    ids = [charge(client, f"page-{number}").id for number in range(23)]
    listed = [intent.id for intent in client.v1.payment_intents.list({"limit": 5}).auto_paging_iter()]
    assert listed == ids[::-1]
    found = client.v1.payment_intents.search({"query": "metadata['order_id']:'it\\'s 1 & ü'", "limit": 5})
    assert found.has_more and [intent.id for intent in found.auto_paging_iter()] == ids[::-1]
    assert [one.id for one in client.v1.payment_intents.list({"ending_before": ids[0], "limit": 2}).data] == ids[2:0:-1]
    for name in ids[:3]:
        client.v1.refunds.create({"payment_intent": name})
    assert len(list(client.v1.refunds.list({"limit": 1}).auto_paging_iter())) == 3


def post(url, body, **headers):
    """Sends JSON, or the bytes of some, past the library; gives the status and the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **names})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@contextlib.contextmanager
def webhooks(port):
    """What comes to a port: the raw body of each request and its signature."""
    received = queue.Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put((body, self.headers["Stripe-Signature"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield received
        server.shutdown()


@case
def tells(client, url, port, secret):
    def refused(body, header, secret=secret, why="No signatures found matching"):
        error = failure(stripe.SignatureVerificationError, stripe.Webhook.construct_event, body, header, secret)
        assert why in str(error), error

    with webhooks(int(port)) as received:
        intent = charge(client, "tells")
        refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 250})
        status, answer = post(f"{url}/sandbox/dashboard/disputes", {"paymentIntent": intent.id})
        assert status == 200, answer
        told, last = {}, None
        while "charge.dispute.created" not in told or "refund.created" not in told or len(told) < 4:
            last = body, header = received.get(timeout=60)
            event = stripe.Webhook.construct_event(body, header, secret)
            assert isinstance(event, stripe.Event) and event.object == "event"
            assert event == client.v1.events.retrieve(event.id)
            told[event.type] = event
        assert set(told) == {
            "payment_intent.created", "payment_intent.succeeded", "refund.created", "charge.dispute.created",
        }, told.keys()
        paid = told["payment_intent.succeeded"].data.object
        assert isinstance(paid, stripe.PaymentIntent) and paid == intent
        assert paid.metadata["order_id"] == "it's 1 & ü"
        assert told["payment_intent.created"].data.object.id == intent.id
        given_back = told["refund.created"].data.object
        assert isinstance(given_back, stripe.Refund)
        assert (given_back.id, given_back.charge, given_back.amount) == (refund.id, intent.latest_charge, 250)
        dispute = told["charge.dispute.created"].data.object
        assert isinstance(dispute, stripe.Dispute) and dispute.payment_intent == intent.id
        assert json.loads(answer)["id"] == dispute.id

        # What was really sent counts for that body, that secret and five minutes.
        body, header = last
        refused(body.replace(b'"livemode":false', b'"livemode":true'), header)
        refused(body + b" ", header)
        refused(body, header, secret=secret + "x")
        refused(body, header.replace("v1=", "v0="), why="No signatures found with expected scheme")
        signed_at = int(header.split(",")[0].removeprefix("t="))
        assert abs(time.time() - signed_at) < 240
        refused(body, header.replace(f"t={signed_at}", f"t={signed_at + 1}"))
        with unittest.mock.patch("time.time", lambda: signed_at + 300):
            stripe.Webhook.construct_event(body, header, secret)
        with unittest.mock.patch("time.time", lambda: signed_at + 301):
            refused(body, header, why="Timestamp outside the tolerance zone")

        # A forgery of the sandbox's own.
        status, answer = post(f"{url}/sandbox/faults", {"operation": "webhook", "kind": "forged"})
        assert status == 204, answer
        client.v1.payment_intents.create({"amount": 1250, "currency": "eur"})
        refused(*received.get(timeout=60))


@case
def signs(client, _, payment, secret):
    def send(body, secret=secret, at=None, header=None):
        header = header or stripe.WebhookSignature.generate_signature_header(body.decode(), secret, at)
        status, answer = post(f"{payment}/webhooks/provider", body, Stripe_Signature=header)
        return status, json.loads(answer)

    charge(client, "signs")
    event = client.v1.events.list({"type": "payment_intent.succeeded", "limit": 1}).data[0]
    body = client.v1.events.retrieve(event.id).last_response.body.encode()
    assert json.loads(body)["data"]["object"]["metadata"]["order_id"] == "it's 1 & ü"
    now = int(time.time())
    for wrong in [
        {"secret": secret + "x"}, {"at": now - 400}, {"at": now + 400},
        {"header": stripe.WebhookSignature.generate_signature_header(body.decode() + " ", secret)},
        {"header": stripe.WebhookSignature.generate_signature_header(body.decode(), secret).replace("v1=", "v0=")},
    ]:
        status, problem = send(body, **wrong)
        assert (status, problem.get("type")) == (400, "/problems/webhook-signature"), (wrong, problem)
    assert send(body) == (202, {"received": True, "duplicate": False, "relevant": True})
    assert send(body, at=now - 200) == (200, {"received": True, "duplicate": True, "relevant": True})
    # While a secret is rolled, the header has a signature by each.
    other = stripe.WebhookSignature.generate_signature_header(body.decode(), "whsec_new", now)
    both = other + stripe.WebhookSignature.generate_signature_header(body.decode(), secret, now).removeprefix(f"t={now}")
    assert send(body, header=both)[0] == 200


def main():
    url, key, name, *more = sys.argv[1:]
    # The library repeats by itself what it may; what is looked at here is the first answer.
    client = stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=0)
    CASES[name](client, *([url, *more] if more else []))


main()
