"""Orders under fire; `Tests/Chaos/run` says what it is and starts it."""

import argparse
import http.client
import json
import os
import pathlib
import queue
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BROKER = ROOT / "deploy/lib/broker"
SERVICES = ("order", "payment", "notification")
# What may happen, and how often beside the others.
FAULTS = (("kill", 8), ("terminate", 2), ("freeze", 2))
# Orders that are under way at once, at most: where Order is away they gather.
CLIENTS = 64


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(port, method, path, body=None, key=None, timeout=10):
    """One request; the status and the JSON of the answer, or None and None where there was no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Idempotency-Key"] = key
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data.startswith((b"{", b"[")) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return None, None
    finally:
        connection.close()


class Program:
    """A program of the shop, which can be started again and again."""

    def __init__(self, name, command, port, folder, environment):
        self.name, self.command, self.port = name, command, port
        self.log = open(folder / f"{name}.log", "ab")
        self.environment = {**os.environ, **environment}
        self.folder = folder
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def send(self, number):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, number):
        """Ends it; returns when it has ended."""
        self.send(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            say(f"{self.name} did not end by signal {number} within 30 s")
            self.send(signal.SIGKILL)
            self.process.wait()
            return False
        return True

    def wait_until_ready(self, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended with {self.process.returncode}; see {self.log.name}")
            if call(self.port, "GET", "/readyz", timeout=2)[0] == 200:
                return
            time.sleep(0.1)
        raise SystemExit(f"{self.name} is not ready after {seconds} s; see {self.log.name}")


class Shop:
    """The services, their provider, their mail server and their broker."""

    def __init__(self, binaries, home):
        self.home = home
        self.warren_command = f"{binaries}/warren"
        self.broker_url = self.broker("start").strip()
        ports = {name: free_port() for name in SERVICES + ("sandbox", "mail", "smtp")}
        self.ports = ports
        mail = [str(ROOT / "deploy/lib/mail-sink"), "--smtp", f"127.0.0.1:{ports['smtp']}"]
        self.mail = self.program("mail", mail + ["--http", f"127.0.0.1:{ports['mail']}"], {})
        sandbox = {"SANDBOX_JOURNAL": str(home / "sandbox.journal")}
        self.programs = {"sandbox": self.program("sandbox", [f"{binaries}/sandbox"], sandbox)}
        for name in SERVICES:
            settings = {
                "WARREN_AMQP_URL": self.broker_url,
                "WARREN_DATABASE_URL": f"sqlite:{home / name}.db",
                # Quicker than usual, and so many that no provider and no broker is given up on.
                "WARREN_RETRY_BASE": "100ms",
                "WARREN_RETRY_FACTOR": "2",
                "WARREN_RETRY_CAP": "1s",
                "WARREN_RETRY_ATTEMPTS": "20",
                "PAYMENT_PROVIDER_URL": f"http://127.0.0.1:{ports['sandbox']}",
                "PAYMENT_PROVIDER_TIMEOUT": "2s",
                "MAIL_SMTP_URL": f"smtp://127.0.0.1:{ports['smtp']}",
                "MAIL_RECIPIENT_LIMIT": "0",
            }
            self.programs[name] = self.program(name, [f"{binaries}/{name}-service"], settings)

    def program(self, name, command, environment):
        environment = {"WARREN_HTTP_ADDRESS": f"127.0.0.1:{self.ports[name]}", "WARREN_LOG_FORMAT": "text", **environment}
        return Program(name, command, self.ports[name], self.home, environment)

    def broker(self, *command):
        found = subprocess.run(
            [str(BROKER), command[0], str(self.home / "broker"), *command[1:]], stdout=subprocess.PIPE, text=True
        )
        if found.returncode != 0:
            raise SystemExit(f"the broker's {command[0]} failed")
        return found.stdout

    def start(self):
        everything = [self.mail, *self.programs.values()]
        for program in everything:
            program.start()
        for program in everything:
            program.wait_until_ready()

    def stop(self):
        for program in [self.mail, *self.programs.values()]:
            if program.process:
                program.send(signal.SIGCONT)
                program.end(signal.SIGKILL)

    def warren(self, *command):
        """What the `warren` command answers as JSON lines; None where it fails."""
        environment = {f"WARREN_{name.upper()}_URL": f"http://127.0.0.1:{self.ports[name]}" for name in SERVICES}
        found = subprocess.run(
            [self.warren_command, *command, "--output", "jsonl"],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        rows = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
        return rows if found.returncode == 0 else None

    def mails(self):
        """What customers were told: the message ids of the mails by order and subject."""
        found = {}
        for mail in call(self.ports["mail"], "GET", "/api/v1/messages", timeout=60)[1]["messages"]:
            about = re.match(r"Your order (\S+) (.*)", mail["Subject"])
            found.setdefault(about.group(1), {}).setdefault(about.group(2), []).append(mail["MessageID"])
        return found

    def waiting(self, customers):
        """What is not done yet, in words; empty when all is."""
        rows = self.warren("status")
        if rows is None or len(rows) < len(SERVICES) or any("backlog" not in row for row in rows):
            return "a service is not ready"
        found = []
        for row in rows:
            for kind in ("unforwarded", "scheduled", "held"):
                if row["backlog"][kind]:
                    found.append(f"{row['service']}: {row['backlog'][kind]} {kind}")
        status, page = call(self.ports["order"], "GET", "/orders?status=placed&limit=100")
        if status != 200:
            found.append("Order does not answer")
        elif page["orders"]:
            more = " or more" if page.get("next") else ""
            found.append(f"{len(page['orders'])}{more} orders are not final")
        if not found:
            # What lies in Notification's queue is in nobody's backlog.
            mails = self.mails()
            told = {id for id, subjects in mails.items() if any(re.search("confirmed|cancelled", s) for s in subjects)}
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
        self.slow_stops = 0
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
            if not program.end(signal.SIGKILL if kind == "kill" else signal.SIGTERM):
                self.slow_stops += 1
            time.sleep(pause)
            program.start()
        return f"{kind} {program.name}"


class Verdict:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, faults):
        faults = list(faults)
        if faults:
            self.failed += 1
            say(f"✘ {what}: {len(faults)} times no, such as {'; '.join(str(fault) for fault in faults[:3])}")
        else:
            self.passed += 1
            say(f"✔ {what}")


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


def judge(shop, customers, weather, drained, limit):
    verdict = Verdict()
    orders = all_orders(shop.ports["order"])
    ledger = call(shop.ports["sandbox"], "GET", "/sandbox/ledger", timeout=60)[1]
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
    late = [f"it took {drained:.1f} s"] if drained is not None else [f"not at all; {shop.waiting(customers)}"]
    is_soon = drained is not None and drained <= limit
    verdict.check(f"everything is done {limit:.0f} s after the last fault", [] if is_soon else late)
    dead = shop.warren("dead-letters", "list", "--state", "dead")
    dead = ["it cannot be asked"] if dead is None else [json.dumps(letter)[:300] for letter in dead]
    verdict.check("nothing is dead", dead)
    verdict.check("a program that is asked to end does so", ["it had to be killed"] * weather.slow_stops)
    mails = shop.mails()
    sent = [(id, subject, ids) for id, told in mails.items() for subject, ids in told.items()]
    verdict.check("no mail was sent under two ids", ((id, subject) for id, subject, ids in sent if len(set(ids)) > 1))
    verdict.check(
        "every customer has a mail about the end",
        (
            f"{id} is {order['status']} and told {list(mails.get(id, ()))}"
            for id, order in orders.items()
            if not any(order["status"] in subject for subject in mails.get(id, ()))
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

    shop = Shop(options.bin, options.home)
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
            waiting = shop.waiting(customers)
            if not waiting:
                drained = began - weather.last_fault
                break
            if began - told >= 1:
                told = began
                say(f"{began - weather.last_fault:5.1f} s: {waiting}")
            time.sleep(0.2)
        faults = ", ".join(f"{count} x {name}" for name, count in sorted(weather.counts.items()))
        say(f"faults: {faults}")
        say(f"{customers.placed} orders, {len(customers.orders)} acknowledged, {len(customers.cancelled)} cancelled")
        say(f"drained {drained:.1f} s after the last fault" if drained is not None else f"not drained: {shop.waiting(customers)}")
        verdict = judge(shop, customers, weather, drained, options.drained_within)
    finally:
        shop.stop()
    print(f"{verdict.passed} passed, {verdict.failed} failed")
    return 1 if verdict.failed or not verdict.passed else 0


if __name__ == "__main__":
    sys.exit(main())
