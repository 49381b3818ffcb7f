"""Orders under fire; `Tests/Chaos/run` says what it is and starts it."""

import argparse
import json
import pathlib
import queue
import random
import re
import signal
import sys
import threading
import time

from program import call, say
from shop import Shop
from verdict import Verdict

SERVICES = ("order", "payment", "notification")
# What may happen, and how often beside the others.
FAULTS = (("kill", 8), ("terminate", 2), ("freeze", 2))
# Orders that are under way at once, at most: where Order is away they gather.
CLIENTS = 64


def settings(shop, name):
    """So many attempts that no provider and no broker is given up on."""
    if name == "sandbox":
        return {}
    provider = {"PAYMENT_PROVIDER_URL": shop.url("sandbox"), "PAYMENT_PROVIDER_TIMEOUT": "2s"}
    mail = {"MAIL_SMTP_URL": f"smtp://127.0.0.1:{shop.ports['smtp']}", "MAIL_RECIPIENT_LIMIT": "0"}
    return {"WARREN_RETRY_ATTEMPTS": "20", **provider, **mail}


def mails(shop):
    """What customers were told: the message ids of the mails by order and subject."""
    found = {}
    for mail in shop.sent_mails():
        about = re.match(r"Your order (\S+) (.*)", mail["Subject"])
        found.setdefault(about.group(1), {}).setdefault(about.group(2), []).append(mail["MessageID"])
    return found


def waiting(shop, customers):
    """What is not done yet, in words; empty when all is."""
    found = shop.backlog()
    if found is None:
        return "a service is not ready"
    status, page = call(shop.ports["order"], "GET", "/orders?status=placed&limit=100")
    if status != 200:
        found.append("Order does not answer")
    elif page["orders"]:
        more = " or more" if page.get("next") else ""
        found.append(f"{len(page['orders'])}{more} orders are not final")
    if not found:
        # What lies in Notification's queue is in nobody's backlog.
        told = {
            id for id, subjects in mails(shop).items() if any(re.search("confirmed|cancelled", s) for s in subjects)
        }
        missing = len(customers.orders.keys() - told)
        if missing:
            found.append(f"{missing} customers have no mail")
    return ", ".join(found)


class Customers:
    """Places orders at a steady rate; each is repeated under its key until it is acknowledged."""

    def __init__(self, port, rate, seed):
        self.port, self.rate = port, rate
        self.random = random.Random(seed)
        self.tasks = queue.Queue()
        self.orders, self.cancelled, self.strange = {}, set(), []
        self.placed = 0
        self.ends = None
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, daemon=True) for _ in range(CLIENTS)]

    def run(self, seconds):
        for thread in self.threads:
            thread.start()
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            late = self.random.random() < 1 / 15
            cancels = self.random.random() < 1 / 5
            self.tasks.put((self.placed, "pm_sandbox_timeout_once" if late else "pm_card_visa", cancels))
            self.placed += 1
            time.sleep(max(0, began + self.placed / self.rate - time.monotonic()))
        self.ends = time.monotonic() + 60
        for _ in self.threads:
            self.tasks.put(None)

    def join(self):
        for thread in self.threads:
            thread.join()

    def work(self):
        while task := self.tasks.get():
            number, method, cancels = task
            body = {
                "customer": {"email": "ada@example.com", "name": "Ada Lovelace"},
                "currency": "EUR",
                "lines": [{"sku": "tea-500", "quantity": 2, "unitPrice": 1250}],
                "paymentMethod": method,
            }
            order = self.until("POST", "/orders", body, f"order-{number}")
            if order is None:
                continue
            with self.lock:
                self.orders[order["id"]] = method
            if cancels and self.until("POST", f"/orders/{order['id']}/cancel") is not None:
                with self.lock:
                    self.cancelled.add(order["id"])

    def until(self, method, path, body=None, key=None):
        while self.ends is None or time.monotonic() < self.ends:
            status, answer = call(self.port, method, path, body, key)
            if status in (200, 202):
                return answer
            # Away, or busy with the same request, or not able to write.
            if status is not None and status < 500 and status not in (409, 429):
                with self.lock:
                    self.strange.append(f"{method} {path} was answered {status}: {answer}")
                return None
            time.sleep(0.2)
        return None


class Weather:
    """Faults of the programs, one after the other, and of the broker beside them."""

    def __init__(self, shop, seed):
        self.shop = shop
        self.seed = seed
        self.counts = {}
        self.last_fault = 0
        self.lock = threading.Lock()

    def run(self, seconds):
        end = time.monotonic() + seconds
        broker = threading.Thread(target=self.strike, args=(end, random.Random(self.seed + 1), (8, 25), self.broker))
        broker.start()
        self.strike(end, random.Random(self.seed + 2), (0.5, 3), self.program)
        broker.join()

    def strike(self, end, chance, pauses, fault):
        while True:
            time.sleep(chance.uniform(*pauses))
            if time.monotonic() >= end:
                return
            label = fault(chance)
            with self.lock:
                self.counts[label] = self.counts.get(label, 0) + 1
                self.last_fault = time.monotonic()

    def broker(self, chance):
        self.shop.broker("kill")
        time.sleep(chance.uniform(0, 2))
        self.shop.broker("start")
        return "kill broker"

    def program(self, chance):
        program = chance.choice(list(self.shop.programs.values()))
        kinds, weights = zip(*FAULTS)
        kind, pause = chance.choices(kinds, weights)[0], chance.uniform(0, 2)
        if kind == "freeze":
            program.send(signal.SIGSTOP)
            time.sleep(1 + pause)
            program.send(signal.SIGCONT)
        else:
            self.shop.end(program.name, signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            time.sleep(pause)
            program.start()
        return f"{kind} {program.name}"


def all_orders(port):
    found, path = {}, "/orders?limit=100"
    while path:
        status, page = call(port, "GET", path, timeout=30)
        if status != 200:
            raise SystemExit(f"GET {path} was answered {status}")
        for order in page["orders"]:
            found[order["id"]] = order
        path = f"/orders?limit=100&after={page['next']}" if page.get("next") else None
    return found


def judge(shop, customers, drained, limit):
    verdict = Verdict()
    orders = all_orders(shop.ports["order"])
    ledger = shop.provider_ledger()
    charges, refunds = ledger["chargesByOrder"], ledger["refundsByOrder"]
    final = ("confirmed", "cancelled")
    verdict.check("the customers were answered in order", customers.strange)
    verdict.check("every acknowledged order is there", (id for id in customers.orders if id not in orders))
    verdict.check(
        "every order is final",
        (f"{id} is {order['status']}" for id, order in orders.items() if order["status"] not in final),
    )
    verdict.check(
        "every acknowledged cancel holds",
        (id for id in customers.cancelled if orders.get(id, {}).get("status") != "cancelled"),
    )
    verdict.check(
        "each order is charged and refunded once at most",
        (id for counts in (charges, refunds) for id, count in counts.items() if count > 1),
    )
    verdict.check(
        "who is confirmed has paid, and who has cancelled has not",
        (
            f"{id} is {order['status']}, charged {charges.get(id, 0)} and refunded {refunds.get(id, 0)} times"
            for id, order in orders.items()
            if charges.get(id, 0) - refunds.get(id, 0) != (1 if order["status"] == "confirmed" else 0)
        ),
    )
    late = [f"it took {drained:.1f} s"] if drained is not None else [f"not at all; {waiting(shop, customers)}"]
    is_soon = drained is not None and drained <= limit
    verdict.check(f"everything is done {limit:.0f} s after the last fault", [] if is_soon else late)
    dead = shop.warren("dead-letters", "list", "--state", "dead")
    dead = ["it cannot be asked"] if dead is None else [json.dumps(letter)[:300] for letter in dead]
    verdict.check("nothing is dead", dead)
    verdict.check("a program that is asked to end does so", ["it had to be killed"] * shop.slow_stops)
    told = mails(shop)
    sent = [(id, subject, ids) for id, subjects in told.items() for subject, ids in subjects.items()]
    verdict.check("no mail was sent under two ids", ((id, subject) for id, subject, ids in sent if len(set(ids)) > 1))
    verdict.check(
        "every customer has a mail about the end",
        (
            f"{id} is {order['status']} and told {list(told.get(id, ()))}"
            for id, order in orders.items()
            if not any(order["status"] in subject for subject in told.get(id, ()))
        ),
    )
    say(f"{len(sent)} mails, {sum(len(ids) - 1 for _, _, ids in sent)} second copies")
    return verdict


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--home", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rate", type=float, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--drained-within", type=float, default=15)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    shop = Shop(options.bin, options.home, SERVICES, settings)
    try:
        shop.start()
        say(f"== {options.seconds:.0f} s under {options.rate:.0f} orders/s, --seed {options.seed}")
        customers = Customers(shop.ports["order"], options.rate, options.seed)
        weather = Weather(shop, options.seed)
        placing = threading.Thread(target=customers.run, args=(options.seconds,), daemon=True)
        placing.start()
        weather.run(options.seconds)
        placing.join()
        customers.join()
        drained, told = None, 0
        while time.monotonic() - weather.last_fault < 180:
            began = time.monotonic()
            left = waiting(shop, customers)
            if not left:
                drained = began - weather.last_fault
                break
            if began - told >= 1:
                told = began
                say(f"{began - weather.last_fault:5.1f} s: {left}")
            time.sleep(0.2)
        faults = ", ".join(f"{count} x {name}" for name, count in sorted(weather.counts.items()))
        say(f"faults: {faults}")
        say(f"{customers.placed} orders, {len(customers.orders)} acknowledged, {len(customers.cancelled)} cancelled")
        say(f"drained {drained:.1f} s after the last fault" if drained is not None else f"not drained: {waiting(shop, customers)}")
        verdict = judge(shop, customers, drained, options.drained_within)
    finally:
        shop.stop()
    return verdict.end()


if __name__ == "__main__":
    sys.exit(main())
