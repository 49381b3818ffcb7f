"""What must be true after a walk, to the piece, the point and the cent.

Each check takes from two sides what has to agree: what customers were told and Order shows, and what a service has in its books or
the outside world has seen. A fault names the order that it is about.
"""

import collections
import json

# One hundredth of what the card pays: Points' default.
EARNED_PER_POINT = 100
ENDS = ("order.confirmed", "order.rejected", "order.cancelled")
MAILED = (*ENDS, "order.refunded", "order.lines-cancelled", "order.partly-refunded", "order.dispatched")


class Judge:
    """Compares, when all is quiet."""

    def __init__(self, plan, customers, books, provider, courier, mails):
        self.plan, self.customers, self.books = plan, customers, books
        self.provider, self.courier, self.mails = provider, courier, mails
        self.orders = books.orders()
        self.confirmed = {id for id, order in self.orders.items() if order["status"] == "confirmed"}

    def judge(self, verdict):
        verdict.check("everybody was answered as the contract says", self.customers.strange)
        verdict.check("every order that was taken is there once, and no other", self.each_order_once())
        verdict.check("every order is final, and its parts agree", self.final_orders())
        verdict.check("every order was priced by the shop, and its sums add up", self.sums())
        verdict.check("stock is conserved to the piece", self.stock())
        verdict.check("a coupon is used by the confirmed order that has it, and by no other", self.used_coupons())
        verdict.check("coupons were issued as they were claimed, within their limits", self.claims())
        verdict.check("points are conserved to the point", self.points())
        verdict.check("who bought points has paid for them, and nobody else", self.charges())
        verdict.check("each order is charged and refunded once at most, and what it is due", self.money())
        verdict.check("each mail was sent, and none for what did not happen", self.mail())
        verdict.check("the courier has the newest address of confirmed orders alone", self.parcels())

    # MARK: Orders

    def each_order_once(self):
        placed = self.customers.placed
        yield from (f"{id} was taken and is not there" for id in placed if id not in self.orders)
        yield from (f"{id} is there and nobody placed it" for id in self.orders if id not in placed)
        numbers = collections.Counter(one.order.number for one in placed.values())
        yield from (f"the order number {number} was placed {count} times" for number, count in numbers.items() if count > 1)
        missing = len(self.plan.orders) - len(numbers)
        if missing:
            yield f"{missing} orders of the plan were never taken"

    def final_orders(self):
        ends = collections.defaultdict(collections.Counter)
        for _, type, id, _ in self.books.events("order", *ENDS, "order.refunded"):
            ends[id][type.removeprefix("order.")] += 1
        for id, order in self.orders.items():
            status, payment = order["status"], order["payment"]["status"]
            said = ends[id]
            if status not in ("confirmed", "rejected", "cancelled"):
                yield f"{id} is {status}"
            elif said[status] != 1 or (said["rejected"] and said["cancelled"]) or any(count > 1 for count in said.values()):
                yield f"{id} is {status} and said {dict(said)}"
            for part in order.get("cancelled", []):
                if part["refundStatus"] == "requested":
                    yield f"{id}: the money of its part {part['number']} is not back"
            placed = self.customers.placed.get(id)
            if placed and placed.kept is not None and nonzero(placed.kept) != nonzero(self.left(order)):
                yield f"{id} has {nonzero(self.left(order))} left, and its customer was told {nonzero(placed.kept)}"
            if id in self.customers.placed and self.customers.placed[id].is_cancelled and status != "cancelled":
                yield f"{id} is {status}, and its customer was told that it is cancelled"
            if payment in ("requested", "refunding") or (status != "confirmed" and payment == "captured"):
                yield f"{id} is {status} and its payment {payment}"
            parts = {part: order[part] for part in ("stockStatus", "couponStatus", "pointsStatus") if part in order}
            if status == "confirmed":
                wanted = {"stockStatus": "confirmed", "couponStatus": "confirmed", "pointsStatus": "spent"}
                wrong = {part: is_now for part, is_now in parts.items() if is_now != wanted[part]}
                if payment not in ("captured", "not-required"):
                    wrong["payment"] = payment
            else:
                wrong = {part: is_now for part, is_now in parts.items() if is_now in ("reserved", "confirmed", "spent")}
            if wrong:
                yield f"{id} is {status} and {wrong}"

    def left(self, order):
        """How many of each article are left of an order."""
        left = collections.Counter()
        for line in order["lines"]:
            left[line["sku"]] += line["quantity"]
        for part in order.get("cancelled", []):
            for line in part["lines"]:
                left[line["sku"]] -= line["quantity"]
        return left

    def parts(self, order):
        """What has gone back to the card for partial cancellations, one amount each."""
        return [part["refund"]["amount"] for part in order.get("cancelled", []) if "refund" in part]

    def due(self, order):
        return order["due"]["amount"] if "due" in order else order["total"]["amount"]

    def sums(self):
        rules = self.rules_of_coupons()
        for id, order in self.orders.items():
            total = order["total"]["amount"]
            lines = sum(line["quantity"] * line["unitPrice"] for line in order["lines"])
            if lines != total:
                yield f"{id} has lines of {lines} and a total of {total}"
            if any(count < 0 for count in self.left(order).values()):
                yield f"{id} has less than nothing left: {dict(self.left(order))}"
            gone = sum(line["quantity"] * line["unitPrice"] for part in order.get("cancelled", []) for line in part["lines"])
            if sum(self.parts(order)) != self.due(order) * gone // total:
                yield f"{id} is due {self.due(order)} of {total}, {gone} of it are cancelled, and {self.parts(order)} go back"
            for line in order["lines"]:
                if line["unitPrice"] not in self.customers.prices[line["sku"]]:
                    yield f"{id} has {line['sku']} at {line['unitPrice']}, which was never its price"
            if id not in self.confirmed:
                continue
            deductions = order.get("deductions", {})
            left = total - deductions.get("discount", 0) - deductions.get("points", 0)
            if left != self.due(order) or left < 0:
                yield f"{id} is due {self.due(order)}, and {total} less {deductions} is {left}"
            placed = self.customers.placed.get(id)
            if placed is None:
                continue
            rule = rules.get(placed.coupon)
            if placed.coupon and (rule is None or deductions.get("discount") != rule.discount(total)):
                wanted = rule.discount(total) if rule else "no coupon of the shop"
                yield f"{id} has a discount of {deductions.get('discount')}, and its coupon says {wanted}"
            points = min(placed.order.points, total - deductions.get("discount", 0))
            if deductions.get("points", 0) != points:
                paid = deductions.get("points", 0)
                yield f"{id} asked for {placed.order.points} points and paid with {paid}, not with {points}"

    # MARK: Stock

    def stock(self):
        moved = collections.defaultdict(collections.Counter)
        for row in self.books.rows("inventory", "SELECT sku, change, kind, reference, key FROM stock_movements"):
            moved[row["reference"] if row["kind"] != "adjusted" else None][row["sku"]] += row["change"]
        for id, order in self.orders.items():
            wanted = collections.Counter()
            if id in self.confirmed:
                wanted.subtract(self.left(order))
            found = nonzero(moved.pop(id, {}))
            if found != nonzero(wanted):
                yield f"{id} is {order['status']} and moved {found} instead of {nonzero(wanted)}"
        given = collections.Counter()
        for sku, change in self.customers.stocked.values():
            given[sku] += change
        if moved.pop(None, {}) != given:
            yield f"deliveries came to another sum than was answered, which is {dict(given)}"
        yield from (f"{id} moved stock and is no order" for id in moved)
        taken = collections.Counter()
        for id in self.confirmed:
            taken.update(self.left(self.orders[id]))
        for row in self.books.rows("inventory", "SELECT sku, on_hand, reserved FROM products"):
            left = given[row["sku"]] - taken[row["sku"]]
            if row["on_hand"] != left or row["reserved"]:
                yield f"of {row['sku']} there are {row['on_hand']}, {row['reserved']} reserved, and should be {left} and 0"
        for row in self.books.rows("inventory", "SELECT id, state FROM reservations WHERE owner = 'order'"):
            if (row["state"] == "confirmed") != (row["id"] in self.confirmed) or row["state"] in ("held", "waiting"):
                yield f"{row['id']} is {self.status(row['id'])} and its reservation {row['state']}"

    def status(self, id):
        return self.orders[id]["status"] if id in self.orders else "no order"

    # MARK: Coupons

    def rules_of_coupons(self):
        definitions = {definition.id: definition for definition in self.plan.definitions}
        rows = self.books.rows("coupon", "SELECT id, definition FROM coupons")
        return {row["id"]: definitions[row["definition"]] for row in rows}

    def used_coupons(self):
        wanted = {}
        for id in self.confirmed:
            coupon = self.orders[id].get("deductions", {}).get("coupon")
            if coupon in wanted:
                yield f"{id} and {wanted[coupon]} are confirmed with the same coupon {coupon}"
            if coupon:
                wanted[coupon] = id
        for row in self.books.rows("coupon", "SELECT id, state, order_id, customer FROM coupons"):
            order = wanted.pop(row["id"], None)
            if row["state"] == "reserved" or row["order_id"] != order:
                other = f"{row['order_id']}, which is {self.status(row['order_id'])}"
                yield f"the coupon {row['id']} is {row['state']} for {other}, and belongs to {order}"
            if order and self.orders[order]["customer"].get("id") != row["customer"]:
                yield f"{order} is confirmed with a coupon of {row['customer']}"
        yield from (f"{id} is confirmed with a coupon that is none, {coupon}" for coupon, id in wanted.items())
        for row in self.books.rows("coupon", "SELECT order_id, state FROM redemptions"):
            if (row["state"] == "confirmed") != (row["order_id"] in self.confirmed) or row["state"] in ("held", "waiting"):
                yield f"{row['order_id']} is {self.status(row['order_id'])} and its redemption {row['state']}"

    def claims(self):
        issued = {row["id"] for row in self.books.rows("coupon", "SELECT id FROM coupons")}
        told = collections.Counter(self.customers.claims.values())
        yield from (f"{id} was issued for {count} claims" for id, count in told.items() if count > 1)
        yield from (f"{id} was issued and nobody was told" for id in issued - told.keys())
        yield from (f"{id} was promised and is not there" for id in told.keys() - issued)
        counts, own = collections.Counter(), collections.Counter()
        for row in self.books.rows("coupon", "SELECT definition, customer FROM coupons"):
            counts[row["definition"]] += 1
            own[row["definition"], row["customer"]] += 1
        for definition in self.plan.definitions:
            if definition.limit and counts[definition.id] > definition.limit:
                yield f"there are {counts[definition.id]} of {definition.id}, and {definition.limit} at most"
            for (id, customer), count in own.items():
                if id == definition.id and count > definition.per_customer:
                    yield f"{customer} has {count} of {id}, and {definition.per_customer} at most"

    # MARK: Points

    def points(self):
        entries = self.books.rows(
            "points",
            "SELECT posting, kind, reference, book, customer, points FROM entries JOIN postings ON postings.number = posting",
        )
        sums, own, books = collections.Counter(), collections.Counter(), collections.defaultdict(collections.Counter)
        for entry in entries:
            sums[entry["posting"]] += entry["points"]
            # A partial cancellation's is that of the order, with its number.
            books[entry["reference"].partition("/")[0]][entry["book"]] += entry["points"]
            if entry["book"] == "customer":
                own[entry["customer"]] += entry["points"]
        yield from (f"posting {number} comes to {sum}" for number, sum in sums.items() if sum)
        for row in self.books.rows("points", "SELECT customer, points FROM balances"):
            if own.pop(row["customer"], 0) != row["points"]:
                yield f"{row['customer']} has {row['points']} points, and the entries come to another sum"
        yield from (f"{customer} has entries and no balance" for customer, sum in own.items() if sum)
        for id, order in self.orders.items():
            wanted = {"spent": 0, "earned": 0}
            if id in self.confirmed:
                parts = order.get("cancelled", [])
                wanted["spent"] = order.get("deductions", {}).get("points", 0) - sum(part.get("points", 0) for part in parts)
                if order["customer"].get("id"):
                    earned, total = self.due(order) // EARNED_PER_POINT, order["total"]["amount"]
                    for part in parts:
                        gone = sum(line["quantity"] * line["unitPrice"] for line in part["lines"])
                        earned, total = earned - earned * gone // total, total - gone
                    wanted["earned"] = -earned
            moved = {book: books[id][book] for book in wanted}
            if moved != wanted:
                yield f"{id} is {order['status']}, and its points are {moved} instead of {wanted}"
        # What Points finds when it looks for itself.
        yield from self.books.ask("points", "/ledger")["faults"]

    def charges(self):
        charged, refunded = self.provider_sums()
        told = set(self.customers.charges.values())
        rows = self.books.rows("points", "SELECT id, customer, amount, state FROM charges")
        yield from (f"the charge {id} was promised and is not there" for id in told - {row["id"] for row in rows})
        for row in rows:
            paid = sum(charged[row["id"]]) - sum(refunded[row["id"]])
            wanted = row["amount"] if row["state"] == "bought" else 0
            if row["state"] == "requested" or paid != wanted or len(charged[row["id"]]) > 1:
                yield f"the charge {row['id']} of {row['customer']} over {row['amount']} is {row['state']}, and {paid} is paid"
            if row["id"] not in told:
                yield f"the charge {row['id']} of {row['customer']} was made twice"

    # MARK: Money

    def provider_sums(self):
        """What the provider took and gave back, by order or charge of points."""
        charged, refunded, owners = collections.defaultdict(list), collections.defaultdict(list), {}
        for intent in self.provider["intents"]:
            owners[intent["id"]] = intent["metadata"].get("order_id", "")
            if intent["status"] == "succeeded":
                charged[owners[intent["id"]]].append(intent["amount"])
        for refund in self.provider["refunds"]:
            if refund["status"] != "failed":
                refunded[owners[refund["payment_intent"]]].append(refund["amount"])
        return charged, refunded

    def money(self):
        charged, refunded = self.provider_sums()
        for id, order in self.orders.items():
            paid, back = charged.pop(id, []), refunded.pop(id, [])
            account = f"{id} is {order['status']}, due {self.due(order)}, charged {paid} and refunded {back}"
            parts, kept = self.parts(order), id in self.confirmed
            if len(paid) > 1 or len(back) > len(parts) + (0 if kept else 1):
                yield account
            elif paid and paid != [self.due(order)]:
                yield account
            elif sum(paid) - sum(back) != (self.due(order) - sum(parts) if kept else 0):
                yield account
            elif back and not kept and order["payment"]["status"] != "refunded":
                yield f"{account}, and its payment is {order['payment']['status']}"
        charges = {row["id"] for row in self.books.rows("points", "SELECT id FROM charges")}
        for id, paid in charged.items():
            if paid and id not in charges:
                yield f"{paid} was charged for {id!r}, which nobody ordered"

    # MARK: Mail

    def mail(self):
        happened = {id: (type, order) for id, type, order, _ in self.books.events("order", *MAILED)}
        sent = collections.Counter(mail["MessageID"].partition("@")[0] for mail in self.mails)
        for id, (type, order) in happened.items():
            if id not in sent:
                yield f"{order}: no mail says {type}"
        for mail in self.mails:
            id = mail["MessageID"].partition("@")[0]
            if id not in happened:
                yield f"a mail '{mail['Subject']}' is about nothing that happened"
                continue
            type, order = happened[id]
            address = self.orders[order]["customer"]["email"] if order in self.orders else None
            if [to["Address"] for to in mail["To"]] != [address]:
                yield f"{order}: the mail of {type} went to somebody else"

    # MARK: Parcels

    def parcels(self):
        given = collections.defaultdict(dict)
        for _, _, id, data in self.books.events("order", "order.shipping-address-changed"):
            given[id][data["version"]] = data["address"]
        ever_confirmed = {id for _, _, id, _ in self.books.events("order", "order.confirmed")}
        taken, heard, left = collections.defaultdict(list), collections.defaultdict(list), collections.Counter()
        for effect in self.courier:
            id = effect["shipment"]
            if effect["kind"].startswith("address-"):
                heard[id].append(effect["version"])
                if given[id].get(effect["version"]) != effect["address"]:
                    yield f"{id}: the courier was told another address {effect['version']} than the customer gave"
                if effect["kind"] == "address-taken":
                    taken[id].append(effect["version"])
            elif effect["kind"] == "dispatched":
                left[id] += 1
        for id, versions in heard.items():
            if id not in ever_confirmed:
                yield f"{id} is {self.status(id)}, was never confirmed, and the courier has its address"
            if taken[id] != sorted(taken[id]):
                yield f"{id}: the courier took the addresses {versions}, an older one after a newer"
        known = self.known_when_confirmed()
        shipments = {row["order_id"]: row for row in self.books.rows("shipping", "SELECT * FROM shipments")}
        for id, order in self.orders.items():
            shipment = shipments.get(id)
            if heard[id] and max(heard[id]) < known.get(id, 0):
                yield f"{id}: the courier heard of the addresses {heard[id]}, and Shipping knew {known[id]} before"
            if left[id] > 1:
                yield f"{id}: {left[id]} parcels left"
            if not left[id]:
                newest = given[id].get(max(given[id], default=0))
                if id in self.confirmed and newest and newest["city"] != "Nowhere":
                    yield f"{id} is confirmed, has an address, and no parcel left"
                continue
            version = taken[id][-1]
            if shipment is None or shipment["parcel_version"] != version:
                yield f"{id}: the parcel goes to address {version}, and Shipping has {shipment and shipment['parcel_version']}"
            if id in self.confirmed and order.get("shippingAddress") != given[id][version]:
                yield f"{id}: the parcel goes to address {version}, and the order shows another one"
            if id in self.confirmed and order.get("shippingStatus") != "delivered":
                yield f"{id}: the parcel was delivered, and the order shows {order.get('shippingStatus')}"

    def known_when_confirmed(self):
        """The newest address of each order that Shipping knew when it heard of the confirmation."""
        heard = {
            (row["source"], row["event_id"]): row["updated_at"]
            for row in self.books.rows("shipping", "SELECT source, event_id, updated_at FROM warren_deliveries")
        }
        confirmed, known = {}, {}
        rows = self.books.rows(
            "order",
            "SELECT id, source, type, subject, envelope FROM warren_events"
            " WHERE type IN ('dev.warren.order.confirmed', 'dev.warren.order.shipping-address-changed') ORDER BY type",
        )
        for row in rows:
            at = heard.get((row["source"], row["id"]))
            if at is None:
                continue
            if row["type"].endswith("confirmed"):
                confirmed[row["subject"]] = at
            elif at < confirmed.get(row["subject"], 0):
                version = json.loads(row["envelope"])["data"]["version"]
                known[row["subject"]] = max(version, known.get(row["subject"], 0))
        return known


def nonzero(counts):
    return {name: count for name, count in counts.items() if count}
