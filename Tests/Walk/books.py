"""What the services of a walk have in their books: their databases, read as they are, and what the outside world saw."""

import collections
import json
import sqlite3
import subprocess
import time

from program import call


class Books:
    """Reads databases of running services, and changes nothing: each question is one transaction of its own."""

    def __init__(self, shop):
        self.shop = shop

    def rows(self, service, sql, *arguments):
        """Rows by column names."""
        connection = sqlite3.connect(f"file:{self.shop.database(service)}?mode=ro", uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, arguments)]
        finally:
            connection.close()

    def wait_for_products(self, count):
        """Returns when Order's picture of the products has so many."""
        end = time.monotonic() + 60
        while self.rows("order", "SELECT COUNT(*) AS count FROM products")[0]["count"] < count:
            if time.monotonic() > end:
                raise SystemExit("Order does not know the products after 60 s")
            time.sleep(0.1)

    def bindings(self):
        """Which queues the broker gives events of which type, as it says itself."""
        found = collections.defaultdict(set)
        columns = ("source_name", "routing_key", "destination_name")
        answer = self.shop.broker("ctl", "-q", "--formatter", "json", "list_bindings", *columns)
        for binding in json.loads(answer):
            if binding["source_name"] == "warren.events":
                found[binding["routing_key"]].add(binding["destination_name"])
        return found

    def unheard(self, bindings):
        """Events that a subscriber has neither processed nor dead nor waiting: (service, type, subject, id)."""
        heard = {
            service: {
                (row["source"], row["event_id"])
                for row in self.rows(service, "SELECT source, event_id FROM warren_deliveries")
            }
            for service in self.shop.services
        }
        return [
            (queue, row["type"], row["subject"], row["id"])
            for service in self.shop.services
            for row in self.rows(service, "SELECT id, source, type, subject FROM warren_events")
            for queue in bindings[row["type"]]
            if queue in heard and (row["source"], row["id"]) not in heard[queue]
        ]

    def letters(self):
        """Dead letters in words, each with its order."""
        return [
            f"{service}-{row['id']} ({row['subject']}): {row['type']} {row['error_class']}: {row['error_message']}"
            for service in self.shop.services
            for row in self.rows(
                service, "SELECT id, subject, type, error_class, error_message FROM warren_deliveries WHERE status = 'dead'"
            )
        ]

    def events(self, service, *types):
        """Events that a service has stored: their id, type, subject and data."""
        wanted = {f"dev.warren.{type}" for type in types}
        return [
            (row["id"], row["type"].removeprefix("dev.warren."), row["subject"], json.loads(row["envelope"])["data"])
            for row in self.rows(service, "SELECT id, type, subject, envelope FROM warren_events ORDER BY position")
            if row["type"] in wanted
        ]

    def orders(self):
        """Every order, as Order shows it."""
        found, path = {}, "/orders?limit=100"
        while path:
            page = self.ask("order", path)
            for order in page["orders"]:
                found[order["id"]] = self.ask("order", f"/orders/{order['id']}")
            path = f"/orders?limit=100&after={page['next']}" if page.get("next") else None
        return found

    def ask(self, service, path):
        status, answer = call(self.shop.ports[service], "GET", path, timeout=30)
        if status != 200:
            raise SystemExit(f"GET {path} of {service} was answered {status}: {answer}")
        return answer

    def open_orders(self):
        """What is not final in Order's own table, in words."""
        counts = self.rows(
            "order",
            "SELECT status, payment_status, COUNT(*) AS count FROM orders"
            " WHERE status = 'placed' OR payment_status IN ('requested', 'refunding') GROUP BY 1, 2",
        )
        return [f"{row['count']} orders are {row['status']}, payment {row['payment_status']}" for row in counts]

    def retry_dead_letters(self):
        """Does what an operator does once the trouble is over; whether `warren` says that all went well."""
        command = ("dead-letters", "retry", "--all", "--yes", "--reason", "the trouble is over")
        return subprocess.run(
            [self.shop.warren_command, *command],
            env={**self.shop.programs["order"].environment, **self.shop.warren_environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).returncode == 0
