"""A seeded walk of orders through the whole shop; `Tests/Walk/run` says what it is and starts it."""

import argparse
import collections
import pathlib
import random
import signal
import sys
import threading
import time

from books import Books
from customers import Customers
from judge import Judge
from plan import Plan
from program import call, say
from shop import Shop
from verdict import Verdict
from weather import Weather

SERVICES = ("order", "payment", "notification", "inventory", "coupon", "points", "shipping")
# How long after the last fault everything may take, with what expires by itself and what an operator retries.
PATIENCE = 120
# How often a dead letter is retried once nothing goes wrong any more.
RETRIES = 8
SECRET = "whsec_walk"


def settings(shop, name):
    """A shop of all contexts that is in a hurry: what is reserved expires within seconds, and what fails is soon a dead letter."""
    return {"WARREN_RETRY_ATTEMPTS": "6"} | {
        "sandbox": {
            "SANDBOX_WEBHOOK_URL": f"{shop.url('payment')}/webhooks/provider",
            "SANDBOX_WEBHOOK_SECRET": SECRET,
        },
        # It forgets its parcels with its process, so it is one of its own that is never killed.
        "courier": {
            "SANDBOX_COURIER_DISPATCH": "1s",
            "SANDBOX_COURIER_WEBHOOK_URL": f"{shop.url('shipping')}/webhooks/courier",
            "SANDBOX_COURIER_WEBHOOK_SECRET": SECRET,
        },
        "order": {
            "SHOP_CONTEXTS": "inventory,coupon,points,shipping",
            "ORDER_INVENTORY_URL": shop.operations_url("inventory"),
            "ORDER_DEADLINE": "25s",
        },
        "payment": {
            "PAYMENT_PROVIDER_URL": shop.url("sandbox"),
            "PAYMENT_PROVIDER_TIMEOUT": "1s",
            "PAYMENT_WEBHOOK_SECRET": SECRET,
        },
        "notification": {"MAIL_SMTP_URL": f"smtp://127.0.0.1:{shop.ports['smtp']}", "MAIL_RECIPIENT_LIMIT": "0"},
        "inventory": {"INVENTORY_RESERVATION": "12s", "INVENTORY_WAIT": "2s"},
        "coupon": {"COUPON_REDEMPTION": "12s", "COUPON_WAIT": "2s"},
        "points": {},
        "shipping": {
            "SHIPPING_COURIER_URL": shop.url("courier"),
            "SHIPPING_COURIER_TIMEOUT": "1s",
            "SHIPPING_COURIER_PAUSE": "500ms",
            "SHIPPING_CHECK": "3s",
            "SHIPPING_WEBHOOK_SECRET": SECRET,
        },
    }[name]


class Quiet:
    """Waits until nothing is open any more, and does meanwhile what an operator would."""

    def __init__(self, shop, books):
        self.shop, self.books = shop, books
        # How often each dead letter was retried, and when all were for the last time.
        self.retried, self.retried_at = collections.Counter(), 0

    def open(self):
        """What is not done yet, in words; empty when all is."""
        backlog = self.shop.backlog()
        if backlog is None:
            return ["a service is not ready"]
        letters = self.books.letters()
        found = backlog + self.books.open_orders()
        shipments = self.books.rows(
            "shipping",
            "SELECT state, COUNT(*) AS count FROM shipments"
            " WHERE state IN ('requested', 'booked', 'dispatched', 'calling-off') GROUP BY state",
        )
        found += [f"{row['count']} shipments are {row['state']}" for row in shipments]
        found += [f"{len(letters)} dead letters, such as {letters[0]}"] if letters else []
        if letters and time.monotonic() - self.retried_at > 2:
            self.retried.update(letter.partition(" ")[0] for letter in letters)
            self.books.retry_dead_letters()
            self.retried_at = time.monotonic()
        if not found:
            unheard = self.books.unheard(self.bindings)
            found += [f"{len(unheard)} events were not heard, such as {unheard[0]}"] if unheard else []
        return found

    def is_hopeless(self):
        """Whether nothing is open but dead letters that an operator would not try once more."""
        letters = self.books.letters()
        are_all = bool(letters) and len(self.left) == 1
        return are_all and all(self.retried[letter.partition(" ")[0]] >= RETRIES for letter in letters)

    def wait(self):
        """Seconds until all was done, None where it never was; what is open still is in `left`."""
        self.bindings = self.books.bindings()
        began = told = time.monotonic()
        while True:
            self.left = self.open()
            now = time.monotonic()
            if not self.left:
                return now - began
            if now - began > PATIENCE or self.is_hopeless():
                return None
            if now - told >= 5:
                told = now
                say(f"{now - began:5.1f} s: {', '.join(self.left)[:400]}")
            time.sleep(0.5)


def run(shop, plan, options):
    """Walks and judges; the exit code."""
    began = time.monotonic()
    shop.start()
    customers, weather, books = Customers(shop, plan), Weather(shop, plan), Books(shop)
    customers.prepare()
    books.wait_for_products(len(plan.products))
    say(f"== {options.orders} orders in {plan.seconds:.0f} s with {len(plan.faults)} faults, --seed {options.seed}")
    storm = threading.Thread(target=weather.play)
    storm.start()
    customers.play(PATIENCE)
    storm.join()
    quiet = Quiet(shop, books)
    settled = quiet.wait()
    faults = ", ".join(f"{count} x {name}" for name, count in sorted(weather.counts.items()))
    say(f"faults: {faults}")
    verdict = Verdict(shown=5)
    verdict.check(f"all is quiet {PATIENCE} s after the last fault", quiet.left if settled is None else [])
    verdict.check("a program that is asked to end does so", ["it had to be killed"] * shop.slow_stops)
    courier = call(shop.ports["courier"], "GET", "/sandbox/courier/effects", timeout=60)[1]["effects"]
    judge = Judge(plan, customers, books, shop.provider_ledger(), courier, shop.sent_mails())
    judge.judge(verdict)
    states = [order["status"] for order in judge.orders.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    print(
        f"{len(states)} orders: {counts}, {sum(1 for order in judge.orders.values() if 'cancelled' in order)} cancelled in part; "
        f"{sum(weather.counts.values())} faults, {len(quiet.retried)} dead letters retried, "
        f"{len(judge.mails)} mails, {'quiet after %.0f s' % settled if settled is not None else 'never quiet'}, "
        f"{time.monotonic() - began:.0f} s"
    )
    if verdict.failed:
        say(f"again: Tests/run walk --orders {options.orders} --rate {options.rate:g} --seed {options.seed} --keep")
    return verdict.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--home", type=pathlib.Path, required=True)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--rate", type=float, default=8)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    plan = Plan(options.orders, options.seed, options.rate)
    shop = Shop(options.bin, options.home, SERVICES, settings, worlds=("sandbox", "courier"))
    try:
        return run(shop, plan, options)
    finally:
        shop.stop()


if __name__ == "__main__":
    sys.exit(main())
