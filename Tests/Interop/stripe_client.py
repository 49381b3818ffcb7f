"""Stripe's own Python library against the sandbox.

    stripe_client.py URL SECRET_KEY CASE

Prints nothing and ends with 0 when the case went as it does with Stripe; otherwise Python says what did not.
"""

import sys

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


def main():
    url, key, name = sys.argv[1:]
    # The library repeats by itself what it may; what is looked at here is the first answer.
    CASES[name](stripe.StripeClient(key, base_addresses={"api": url}, max_network_retries=0))


main()
