"""The customers of a walk, and those who fill its shelves: they do what the plan says, again and again until it is answered."""

import queue
import threading
import time
import urllib.parse

from program import call

# Who is at work at once, at most: where a service is away they gather.
HANDS = 48


class Placed:
    """An order that the shop has taken, and what its customer was told."""

    def __init__(self, order, answer, coupon):
        self.order, self.id, self.coupon = order, answer["id"], coupon
        self.lines = answer["lines"]
        # Its cancellation was taken.
        self.is_cancelled = False
        # How many of each article the customer was told that they keep; None where nobody told them.
        self.kept = None
        # Addresses that the shop took, by the order in which it did.
        self.addresses = [order.address] if order.address else []


class Customers:
    """Plays the orders and deeds of a plan; what they were told is in `placed`, `coupons`, `claims`, `charges` and `stocked`."""

    def __init__(self, shop, plan):
        self.shop, self.plan = shop, plan
        self.lock = threading.Lock()
        self.tasks = queue.PriorityQueue()
        self.placed, self.strange = {}, []
        self.coupons = {customer: [] for customer in plan.customers}
        self.claims, self.charges, self.stocked = {}, {}, {}
        self.prices = {product.sku: [product.price] for product in plan.products}
        self.began = self.ends = None
        self.open = 0

    # MARK: The course

    def prepare(self):
        """The products, the kinds of coupons, and what everybody has before the first order."""
        self.ends = time.monotonic() + 60
        for product in self.plan.products:
            self.until("inventory", "PUT", f"/products/{product.sku}", product.body)
            self.do_stock(f"opening-{product.sku}", product.sku, {"change": product.stock, "reason": "opening"})
        for definition in self.plan.definitions:
            self.until("coupon", "PUT", f"/coupons/definitions/{definition.id}", definition.body)
        for deed in self.plan.opening:
            self.do(deed)

    def play(self, patience):
        """Everything at its time; returns when all is answered, at the latest that long after the last."""
        self.began = time.monotonic()
        self.ends = self.began + self.plan.seconds + patience
        for deed in self.plan.deeds:
            self.later(deed.at, lambda deed=deed: self.do(deed))
        for order in self.plan.orders:
            self.later(order.at, lambda order=order: self.place(order))
        hands = [threading.Thread(target=self.work, daemon=True) for _ in range(HANDS)]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()

    def later(self, at, task):
        """Has a task done at that time of the walk."""
        with self.lock:
            self.open += 1
            self.tasks.put((at, self.open, id(task), task))

    def work(self):
        while True:
            try:
                at, number, name, task = self.tasks.get(timeout=0.05)
            except queue.Empty:
                with self.lock:
                    if self.open <= 0:
                        return
                continue
            wait = self.began + at - time.monotonic()
            if wait > 0.05:
                # Not yet: whoever is free may find something earlier meanwhile.
                self.tasks.put((at, number, name, task))
                time.sleep(0.02)
                continue
            time.sleep(max(0, wait))
            try:
                task()
            finally:
                with self.lock:
                    self.open -= 1

    @property
    def now(self):
        return time.monotonic() - self.began

    def until(self, service, method, path, body=None, key=None, expected=()):
        """Asks until there is an answer; the status and the answer, None and None where there was none in time."""
        while time.monotonic() < self.ends:
            status, answer = call(self.shop.ports[service], method, path, body, key)
            if status in (200, 201, 202) or status in expected:
                if not is_busy(answer):
                    return status, answer
            elif status is not None and status < 500 and status != 429 and not is_busy(answer):
                with self.lock:
                    self.strange.append(f"{method} {path} ({key}) was answered {status}: {answer}")
                return status, None
            time.sleep(0.15)
        with self.lock:
            self.strange.append(f"{method} {path} ({key}) was not answered")
        return None, None

    # MARK: Deeds

    def do(self, deed):
        {"stock": self.do_stock, "price": self.do_price, "claim": self.do_claim, "charge": self.do_charge}[deed.kind](
            deed.key, deed.target, deed.detail
        )

    def do_stock(self, key, sku, detail):
        status, _ = self.until("inventory", "POST", f"/products/{sku}/stock", detail, key)
        if status in (200, 201):
            with self.lock:
                self.stocked[key] = (sku, detail["change"])

    def do_price(self, _, sku, detail):
        with self.lock:
            self.prices[sku].append(detail["amount"])
        product = next(product for product in self.plan.products if product.sku == sku)
        price = {"amount": detail["amount"], "currency": product.body["price"]["currency"]}
        self.until("inventory", "PUT", f"/products/{sku}", {**product.body, "price": price})

    def do_claim(self, key, definition, detail):
        # All there are may be gone, or all that one may have.
        status, coupon = self.until("coupon", "POST", f"/coupons/definitions/{definition}/claims", detail, key, (409,))
        if status == 201:
            with self.lock:
                self.claims[key] = coupon["id"]
                self.coupons[detail["customer"]].append(coupon["id"])

    def do_charge(self, key, customer, detail):
        status, charge = self.until("points", "POST", f"/accounts/{customer}/charges", detail, key)
        if status == 202:
            with self.lock:
                self.charges[key] = charge["id"]

    # MARK: Orders

    def coupon_of(self, order):
        """The id of the coupon that an order names; None where its customer has none."""
        if order.coupon is None:
            return None
        if order.coupon == "unknown":
            return f"unknown-{order.number}"
        with self.lock:
            owners = [order.customer] if order.coupon != "foreign" else [c for c in self.coupons if c != order.customer]
            found = [coupon for owner in owners for coupon in self.coupons[owner]]
        # Several orders want the same one, and now and then one that is used already.
        place = order.number if order.coupon == "foreign" else order.coupon
        return found[place % len(found)] if found else None

    def body(self, order, coupon):
        customer = {"email": f"{order.customer}@example.com", "name": order.customer, "locale": order.locale}
        if order.is_known or coupon or order.points:
            customer["id"] = order.customer
        body = {
            "customer": customer,
            "currency": "EUR",
            "lines": [dict(line) for line in order.lines],
            "paymentMethod": order.method,
        }
        if coupon:
            body["coupon"] = coupon
        if order.points:
            body["points"] = order.points
        if order.address:
            body["shippingAddress"] = order.address
        if order.gives_prices:
            with self.lock:
                for line in body["lines"]:
                    line["unitPrice"] = self.prices[line["sku"]][-1]
        return body

    def place(self, order):
        coupon = self.coupon_of(order)
        body, key = self.body(order, coupon), order.key
        # A price may be another one by now: it is 409 with the price, and the order comes again without.
        status, answer = self.until("order", "POST", "/orders", body, key, (409,))
        if status == 409 and kind_of(answer) == "price-changed":
            key += "-again"
            for line in body["lines"]:
                line.pop("unitPrice", None)
            status, answer = self.until("order", "POST", "/orders", body, key)
        if status != 202 or not answer:
            return
        placed = Placed(order, answer, coupon)
        with self.lock:
            self.placed[placed.id] = placed
        for _ in range(order.repeats):
            _, again = self.until("order", "POST", "/orders", body, key)
            if again is not None and again["id"] != placed.id:
                with self.lock:
                    self.strange.append(f"order {placed.id} placed again under {key} became {again['id']}")
        self.step(placed, list(order.steps))

    def step(self, placed, steps):
        """The customer's next deed, after a pause, and then the others."""
        if not steps:
            return
        pause, deed, detail = steps[0]

        def task():
            if deed == "cancel":
                self.cancel(placed)
            elif deed == "keep":
                self.keep(placed, detail)
            else:
                self.change_address(placed, detail)
            self.step(placed, steps[1:])

        self.later(self.now + pause, task)

    def cancel(self, placed):
        # It may be rejected by then, or its parcel on its way.
        status, answer = self.until("order", "POST", f"/orders/{quoted(placed.id)}/cancel", expected=(409,))
        if status == 409 and kind_of(answer) not in ("order-rejected", "order-dispatched"):
            with self.lock:
                self.strange.append(f"cancelling {placed.id} was answered {answer}")
        if status in (200, 202):
            placed.is_cancelled = True

    def keep(self, placed, shares):
        """Wants that share of each line, and no more; an order that is not decided is asked again for a while."""
        lines = [
            {"sku": line["sku"], "quantity": int(line["quantity"] * share)} for line, share in zip(placed.lines, shares)
        ]
        path, patience = f"/orders/{quoted(placed.id)}/lines", self.now + 8
        while True:
            status, answer = self.until("order", "PUT", path, {"lines": lines}, expected=(409,))
            if status != 409 or kind_of(answer) != "order-undecided" or self.now > patience:
                break
            time.sleep(0.3)
        known = ("order-undecided", "order-rejected", "order-ended", "order-dispatched", "order-left-empty")
        if status == 409 and kind_of(answer) not in known:
            with self.lock:
                self.strange.append(f"{placed.id} with {lines} was answered {answer}")
        if status in (200, 202):
            placed.kept = {line["sku"]: line["quantity"] for line in lines}

    def change_address(self, placed, address):
        path = f"/orders/{quoted(placed.id)}/shipping-address"
        status, answer = self.until("order", "PUT", path, address, expected=(409,))
        if status == 409 and kind_of(answer) not in ("order-ended", "order-dispatched"):
            with self.lock:
                self.strange.append(f"the address of {placed.id} was answered {answer}")
        if status in (200, 202):
            placed.addresses.append(address)


def quoted(text):
    return urllib.parse.quote(text, safe="")


def kind_of(answer):
    return (answer or {}).get("type", "").rpartition("/")[2]


def is_busy(answer):
    """Whether the same request is running still: it is to be sent again."""
    return kind_of(answer) == "idempotency-key-in-use"
