"""Everything that a walk will do, from its seed alone: who orders what and when, and what goes wrong meanwhile.

Nothing here runs anything, and nothing elsewhere makes a choice. Times are in seconds after the beginning. What only the run can
know is named by place: "the third coupon of this customer".
"""

import dataclasses
import random

CURRENCY = "EUR"
CUSTOMERS = 12
DECLINED = (
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
    "pm_card_chargeCustomerFail",
    "pm_card_threeDSecure2Required",
)
# Charged, with a bad moment on the way.
TROUBLED = (
    "pm_sandbox_timeout_once",
    "pm_sandbox_reset_once",
    "pm_sandbox_error_once",
    "pm_sandbox_error_after_once",
    "pm_sandbox_slow",
    "pm_card_pendingRefund",
)
COURIER_FAULTS = ("unavailable", "rate-limit", "error-after", "timeout", "reset", "slow", "wrong-id", "wrong-version")
# What a customer waits before the next deed: from at once to after all is done.
PAUSES = (0, 0.02, 0.1, 0.3, 1, 2.5, 6)
# Services that may be away for longer: the flow waits for them.
ABSENT = ("inventory", "coupon", "points", "shipping")


@dataclasses.dataclass
class Product:
    """What can be ordered, and how many lie there at first."""

    sku: str
    price: int
    stock: int

    @property
    def body(self):
        return {"name": f"Product {self.sku}", "price": {"amount": self.price, "currency": CURRENCY}}


@dataclasses.dataclass
class Definition:
    """A kind of coupon."""

    id: str
    percent: int = 0
    amount: int = 0
    minimum: int = 0
    limit: int = 0
    per_customer: int = 1

    @property
    def body(self):
        discount = {"percent": self.percent} if self.percent else {"amount": {"amount": self.amount, "currency": CURRENCY}}
        body = {"discount": discount, "limitPerCustomer": self.per_customer}
        if self.minimum:
            body["minimum"] = {"amount": self.minimum, "currency": CURRENCY}
        if self.limit:
            body["limit"] = self.limit
        return body

    def discount(self, total):
        """What it takes off, by the contract: rounded down, at least 1, never more than all."""
        return min(total, max(1, total * self.percent // 100) if self.percent else self.amount)


@dataclasses.dataclass
class Deed:
    """What is done to the shop at a time beside orders, under a key: `stock`, `price`, `claim`, `charge`."""

    at: float
    kind: str
    key: str
    target: str
    detail: dict


@dataclasses.dataclass
class Order:
    """One customer's order, and what they do with it afterwards."""

    number: int
    at: float
    customer: str
    lines: list
    method: str
    locale: str
    is_known: bool
    gives_prices: bool
    # Place among the customer's coupons; `unknown` for one that is none, `foreign` for somebody else's.
    coupon: object = None
    points: int = 0
    address: dict = None
    # How often the request is sent once more under its key, whatever the answer was.
    repeats: int = 0
    # (pause, "cancel", "address" or "keep", the address or the share of each line that stays)
    steps: list = dataclasses.field(default_factory=list)

    @property
    def key(self):
        return f"order-{self.number}"


@dataclasses.dataclass
class Fault:
    """What goes wrong: when, what, with whom, for how long, and what else there is to say."""

    at: float
    kind: str
    target: str = ""
    seconds: float = 0
    detail: dict = dataclasses.field(default_factory=dict)

    @property
    def label(self):
        return f"{self.kind} {self.target}".strip()


class Plan:
    """The walk of a seed."""

    def __init__(self, orders, seed, rate):
        self.seed = seed
        self.seconds = orders / rate
        # One generator each, so that a change of one part leaves the others as they were.
        self.products = self.make_products(random.Random(f"{seed} products"), orders)
        self.definitions = self.make_definitions(random.Random(f"{seed} definitions"), orders)
        self.customers = [f"customer-{number}" for number in range(CUSTOMERS)]
        self.opening = self.make_opening(random.Random(f"{seed} opening"))
        chance = random.Random(f"{seed} orders")
        self.orders = [self.make_order(chance, number, rate) for number in range(orders)]
        self.divide_orders(random.Random(f"{seed} parts"))
        self.deeds = self.make_deeds(random.Random(f"{seed} deeds"), orders)
        self.faults = sorted(self.make_faults(), key=lambda fault: fault.at)

    def make_products(self, chance, orders):
        # Of some there is far too little, and one costs less than a card can be charged.
        prices = [1, 30] + [chance.randrange(100, 4000) for _ in range(6)]
        stocks = [orders * share // 100 + 1 for share in (30, 30, 2, 5, 15, 30, 60, 200)]
        chance.shuffle(stocks)
        return [Product(f"P{number}", price, stock) for number, (price, stock) in enumerate(zip(prices, stocks))]

    def make_definitions(self, chance, orders):
        return [
            Definition("TEN", percent=10, per_customer=6),
            Definition("ODD", percent=chance.randrange(11, 100), per_customer=3),
            Definition("ALL", percent=100, per_customer=2),
            Definition("FIVE", amount=500, minimum=chance.randrange(500, 3000), per_customer=6),
            Definition("BIG", amount=100_000, per_customer=2),
            Definition("FEW", percent=25, limit=chance.randrange(3, 10), per_customer=2),
        ]

    def make_opening(self, chance):
        """What customers have before the first order."""
        deeds = []
        for customer in self.customers:
            for number in range(3):
                definition = chance.choice(self.definitions).id
                deeds.append(Deed(0, "claim", f"opening-{customer}-{number}", definition, {"customer": customer}))
            total = {"amount": chance.randrange(1000, 8000), "currency": CURRENCY}
            detail = {"total": total, "paymentMethod": "pm_card_visa"}
            deeds.append(Deed(0, "charge", f"opening-{customer}", customer, detail))
        return deeds

    def make_address(self, chance, name):
        city = "Nowhere" if chance.random() < 0.1 else chance.choice(("London", "Seoul", "Bremen", "Lagos"))
        return {
            "name": name,
            "lines": [f"{chance.randrange(1, 10_000_000)} Long Road"],
            "postalCode": str(chance.randrange(10_000, 99_999)),
            "city": city,
            "country": chance.choice(("GB", "KR", "DE", "NG")),
        }

    def make_order(self, chance, number, rate):
        customer = chance.choice(self.customers)
        skus = chance.sample(self.products, chance.choice((1, 1, 1, 2, 3)))
        fate = chance.random()
        methods = DECLINED if fate < 0.08 else TROUBLED if fate < 0.3 else ("pm_card_visa",)
        order = Order(
            number=number,
            at=(number + chance.random()) / rate,
            customer=customer,
            lines=[{"sku": product.sku, "quantity": chance.choice((1, 1, 2, 3))} for product in skus],
            method=chance.choice(methods),
            locale=chance.choice(("en", "ko-KR")),
            is_known=chance.random() < 0.7,
            gives_prices=chance.random() < 0.2,
            repeats=chance.choice((0, 0, 0, 1, 2)),
        )
        if chance.random() < 0.35:
            fate = chance.random()
            order.coupon = "unknown" if fate < 0.02 else "foreign" if fate < 0.05 else chance.randrange(4)
        if chance.random() < 0.35:
            order.points = chance.choice((1, 50, chance.randrange(1, 1000), chance.randrange(1, 3000), 1_000_000))
        if chance.random() < 0.7:
            order.address = self.make_address(chance, customer)
        if chance.random() < 0.3:
            for _ in range(chance.choice((1, 1, 2, 3))):
                order.steps.append((chance.choice(PAUSES), "address", self.make_address(chance, customer)))
        if chance.random() < 0.3:
            place = chance.randrange(len(order.steps) + 1)
            order.steps.insert(place, (chance.choice(PAUSES), "cancel", None))
            if chance.random() < 0.2:
                order.steps.insert(place + 1, (chance.choice(PAUSES), "cancel", None))
        return order

    def divide_orders(self, chance):
        """Some customers want less of what they have ordered; once each, for a second wish may cross the first one's answer."""
        for order in self.orders:
            if chance.random() < 0.35:
                shares = [chance.choice((0, 0, 0.4, 0.7, 1)) for _ in order.lines]
                place = chance.randrange(len(order.steps) + 1)
                order.steps.insert(place, (chance.choice(PAUSES), "keep", shares))

    def make_deeds(self, chance, orders):
        """Deliveries, new prices, claims and charges among the orders: one for every four orders."""
        deeds = []
        for number in range(orders // 4):
            at, key, fate = chance.uniform(0, self.seconds), f"deed-{number}", chance.random()
            customer = chance.choice(self.customers)
            if fate < 0.25:
                product = chance.choice(self.products)
                deeds.append(Deed(at, "stock", key, product.sku, {"change": chance.randrange(1, 6), "reason": "delivery"}))
            elif fate < 0.35:
                # The two that cost next to nothing keep their price.
                product = chance.choice(self.products[2:])
                deeds.append(Deed(at, "price", key, product.sku, {"amount": chance.randrange(100, 4000)}))
            elif fate < 0.65:
                deeds.append(Deed(at, "claim", key, chance.choice(self.definitions).id, {"customer": customer}))
            else:
                method = chance.choice(("pm_card_visa",) * 4 + DECLINED[:1] + TROUBLED[:4])
                total = {"amount": chance.randrange(100, 5000), "currency": CURRENCY}
                deeds.append(Deed(at, "charge", key, customer, {"total": total, "paymentMethod": method}))
        return sorted(deeds, key=lambda deed: deed.at)

    # MARK: What goes wrong

    def times(self, name, least, most):
        """Moments with pauses between those bounds, until the last order, and the chance for what happens then."""
        chance = random.Random(f"{self.seed} {name}")
        at = chance.uniform(least, most)
        while at < self.seconds:
            yield at, chance
            at += chance.uniform(least, most)

    def make_faults(self):
        services = ("order", "payment", "notification", "inventory", "coupon", "points", "shipping")
        for at, chance in self.times("programs", 0.7, 2.5):
            kind = chance.choices(("kill", "terminate", "freeze"), (6, 3, 2))[0]
            yield Fault(at, kind, chance.choice((*services, "sandbox")), chance.uniform(0, 1.5))
        for at, chance in self.times("absences", 8, 18):
            yield Fault(at, "absence", chance.choice(ABSENT), chance.uniform(3, 7))
        for at, chance in self.times("broker", 10, 20):
            yield Fault(at, "kill", "broker", chance.uniform(0, 1.5))
        for at, chance in self.times("provider", 1.5, 5):
            kind = chance.choice(("error", "error-after", "timeout", "reset", "slow", "unavailable", "rate-limit"))
            detail = {"operation": chance.choice(("charge", "charge", "refund")), "kind": kind, "count": chance.randrange(1, 6)}
            yield Fault(at, "provider", detail=detail | {"delayMilliseconds": chance.randrange(200, 3000)})
        for at, chance in self.times("pending refunds", 4, 8):
            detail = {"operation": "refund", "kind": "pending", "count": chance.randrange(1, 4), "delayMilliseconds": 2500}
            yield Fault(at, "provider", detail=detail)
        for at, chance in self.times("webhooks", 3, 7):
            kind = chance.choice(("slow", "twice", "twice", "forged", "hold"))
            if kind == "hold":
                action = chance.choice(("release", "release-newest-first"))
                yield Fault(at, "hold", "webhooks", chance.uniform(1, 4), {"action": action})
            else:
                detail = {"operation": "webhook", "kind": kind, "count": chance.randrange(1, 8)}
                yield Fault(at, "provider", detail=detail | {"delayMilliseconds": chance.randrange(200, 2000)})
        for at, chance in self.times("courier", 2, 6):
            called = chance.choice(("put", "put", "get", "delete", "webhook", "webhook"))
            kinds = ("twice", "lost", "forged", "old", "slow") if called == "webhook" else COURIER_FAULTS
            detail = {"call": called, "kind": chance.choice(kinds), "count": chance.randrange(1, 8)}
            yield Fault(at, "courier", detail=detail | {"delayMilliseconds": chance.randrange(200, 2500)})
        for at, chance in self.times("silent courier", 8, 16):
            yield Fault(at, "freeze", "courier", chance.uniform(0, 4))
        for at, chance in self.times("mail", 8, 16):
            yield Fault(at, "refusal", "mail", chance.uniform(0.5, 3), {"code": chance.choice((421, 451))})
