import HTTP
import JSON
import ServiceKit
import ShopEvents
import Synchronization

@testable import CommandLine

/// A shop with everything, in which every order comes at once to what its payment method stands for, and one thing may be wrong.
final class TriggerShop: Sendable {
    /// A promise that it breaks, or something that it lacks.
    enum Flaw: String, CaseIterable, Sendable {
        case takesKeyAgain, swapsBodies
        case keepsMoney, chargesTwice, refundsTwice, changesKeys, tellsTwice, repeatsNothing
        case answersFirst, opensPayment, looksOnce, believesFailure, untells, takesUnsigned, takesForgery,
            believesForgery
        case sellsTwice, sellsNothing, chargesLoser, reserves, ignoresPrice, hidesPrice, billsOldPrice
        case overIssues, miscounts
        case paysTwice, paysNobody, invents, unbalanced
        case carriesTwice, carriesElsewhere
        case noInventory, noPoints, noShipping, noWebhooks, noSecret, otherProvider
    }

    private struct Order {
        var body: JSONValue
        var status = "confirmed"
        var payment = "captured"
        var stock: String?
        var points: String?
        var shipping: String?

        var method: String { body["paymentMethod"]?.text ?? "" }
    }

    private struct Books {
        var orders: [String: Order] = [:]
        var keys: [String: String] = [:]
        var intents: [JSONValue] = []
        var refunds: [JSONValue] = []
        var webhooks: [JSONValue] = []
        var letters: [String: JSONValue] = [:]
        var products: [String: (price: Int64, pieces: Int64)] = [:]
        /// How often Order was asked about a product, which it has not heard of at first.
        var asked: [String: Int] = [:]
        var balance: Int64 = 0
        var issued: Int64 = 0
        var effects: [JSONValue] = []
        var faults = 0
        var refundCalls = 0
        var duplicates = 0
    }

    private let flaw: Flaw?
    private let books = Mutex(Books())

    init(_ flaw: Flaw? = nil) {
        self.flaw = flaw
    }

    var services: FakeServices {
        FakeServices { [self] request in
            try books.withLock { try self.answer(request, &$0) }
        }
    }

    /// How many bad days are planned still.
    var faults: Int { books.withLock { $0.faults } }

    private func has(_ flaw: Flaw) -> Bool { self.flaw == flaw }

    private func answer(_ request: ServiceRequest, _ books: inout Books) throws -> ServiceResponse {
        let rest = request.url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)[2]
        let port = Int(rest.prefix { $0 != "/" }.split(separator: ":").last ?? "") ?? 0
        let target = String(rest.drop { $0 != "/" })
        let path = target.prefix { $0 != "?" }.split(separator: "/").map(String.init)
        let body = request.body.isEmpty ? JSONValue.null : try JSONValue(parsing: request.body)
        switch port {
        case 8081: return order(request, path, body, &books)
        case 8082: return payment(request, path, &books)
        case 8084: return inventory(request.method, path, body, &books)
        case 8085: return coupon(request.method, path, &books)
        case 8086: return points(path, body, &books)
        case 8090: return sandbox(request.method, path, body, &books)
        default: return operations(target, path, &books)
        }
    }

    // MARK: Order

    private func order(
        _ request: ServiceRequest,
        _ path: [String],
        _ body: JSONValue,
        _ books: inout Books
    ) -> ServiceResponse {
        if path.count == 1 { return place(request.headers["Idempotency-Key"] ?? "", body, &books) }
        let id = path[1]
        guard var order = books.orders[id] else { return .problem(404, "Not found") }
        switch (request.method, path.count) {
        case ("POST", 3):
            let before = view(order, id)
            if order.status != "cancelled" {
                order.status = "cancelled"
                if has(.keepsMoney), order.method == "pm_sandbox_slow" {
                    charge(id, &books)
                    order.payment = "voided"
                } else {
                    if order.payment == "requested" { charge(id, &books) }
                    refund(id, &books)
                    order.payment = "refunded"
                }
            }
            books.orders[id] = order
            var answer = before
            answer["status"] = "cancelled"
            return .json(answer, status: 202)
        case ("PUT", _):
            order.body["shippingAddress"] = body
            order.shipping = "delivered"
            if has(.carriesElsewhere) { order.body["shippingAddress"]?["city"] = "Paris" }
            books.orders[id] = order
            carry(id, &books)
            return .json(view(order, id), status: 202)
        default: return .json(view(order, id))
        }
    }

    private func view(_ order: Order, _ id: String) -> JSONValue {
        var view = order.body
        view["id"] = .string(id)
        view["status"] = .string(order.status)
        view["payment"] = ["status": .string(order.payment)]
        let line = order.body["lines"]?.array?.first
        let total = (line?["unitPrice"]?.integer ?? 0) * (line?["quantity"]?.integer ?? 1)
        view["total"] = ["amount": .integer(has(.billsOldPrice) ? 1999 : total), "currency": "EUR"]
        if let stock = order.stock { view["stockStatus"] = .string(stock) }
        if let points = order.points { view["pointsStatus"] = .string(points) }
        if let shipping = order.shipping {
            view["shippingStatus"] = .string(shipping)
            view["shippingReason"] = "unknown_address"
            view["trackingCode"] = "T-1"
        }
        return view
    }

    private func place(_ key: String, _ body: JSONValue, _ books: inout Books) -> ServiceResponse {
        if let id = books.keys[key], let known = books.orders[id] {
            if known.body != body, !has(.takesKeyAgain) {
                if has(.swapsBodies) { books.orders[id]?.body = body }
                return problem("idempotency-key-reused", 422, "The key belongs to another request")
            }
            return .json(view(known, id), status: 202)
        }
        let line = body["lines"]?.array?.first
        if let refusal = price(line, &books) { return refusal }
        if has(.noPoints), body["points"] != nil { return fault("points", "is not taken: this shop has no points") }
        if has(.noShipping), body["shippingAddress"] != nil {
            return fault("shippingAddress", "is not taken: this shop has no shipping")
        }
        let id = "o-\(books.orders.count + 1)"
        books.keys[key] = id
        var order = Order(body: body)
        reserve(&order, line?["sku"]?.text ?? "", &books)
        if order.status == "confirmed" { spend(&order, &books) }
        if order.status == "confirmed" { pay(&order, id, &books) }
        if let city = body["shippingAddress"]?["city"]?.text {
            order.shipping = city == "Nowhere" ? "refused" : "delivered"
            if city == "Nowhere" { effect("address-refused", id, &books) } else { carry(id, &books) }
        }
        books.orders[id] = order
        var placed = view(order, id)
        placed["status"] = "placed"
        return .json(placed, status: 202)
    }

    /// What is wrong with a line's price, where the shop knows the product.
    private func price(_ line: JSONValue?, _ books: inout Books) -> ServiceResponse? {
        guard let sku = line?["sku"]?.text, let product = books.products[sku], !has(.noInventory) else { return nil }
        let asked = (books.asked[sku] ?? 0) + 1
        books.asked[sku] = asked
        if asked == 1 { return fault("lines[0].sku", "is no product of the shop") }
        let given = line?["unitPrice"]?.integer
        guard given != product.price, !(has(.ignoresPrice) && given == 1999) else { return nil }
        let shown = has(.hidesPrice) && given == 1999 ? "is another one now" : "is \(product.price) now"
        return problem("price-changed", 409, "A price is another one now", ("lines[0].unitPrice", shown))
    }

    private func reserve(_ order: inout Order, _ sku: String, _ books: inout Books) {
        guard let product = books.products[sku] else { return }
        if has(.sellsNothing) || (product.pieces < 1 && !has(.sellsTwice)) {
            order.status = "rejected"
            order.payment = has(.chargesLoser) ? "captured" : "not-requested"
            order.stock = "rejected"
        } else {
            order.stock = "confirmed"
            books.products[sku]?.pieces = max(0, product.pieces - 1)
        }
    }

    private func spend(_ order: inout Order, _ books: inout Books) {
        guard let points = order.body["points"]?.integer else { return }
        if has(.paysNobody) || (books.balance < points && !has(.paysTwice)) {
            order.status = "rejected"
            order.payment = "voided"
            order.points = "rejected"
        } else {
            order.points = "spent"
            books.balance = max(0, books.balance - points)
        }
    }

    private func pay(_ order: inout Order, _ id: String, _ books: inout Books) {
        switch order.method {
        case "pm_card_chargeDeclined": (order.status, order.payment) = ("rejected", "declined")
        case "pm_sandbox_slow": (order.status, order.payment) = ("placed", "requested")
        default:
            if !has(.otherProvider) { charge(id, &books) }
            if has(.chargesTwice) { charge(id, &books) }
        }
    }

    // MARK: Payment

    private func payment(_ request: ServiceRequest, _ path: [String], _ books: inout Books) -> ServiceResponse {
        if path.first == "payments" {
            return has(.opensPayment) ? .json(["state": "captured"]) : .problem(404, "Not found")
        }
        if has(.noSecret) { return problem("webhooks-off", 503, "No webhooks are taken") }
        let isSigned = request.headers["Stripe-Signature"] != nil
        // The first that comes asks whether any is taken.
        let isProbe = request.body == Array("{}".utf8)
        if !isProbe, isSigned ? has(.takesForgery) : has(.takesUnsigned) {
            return .json(["received": true], status: 202)
        }
        if has(.believesForgery), let event = try? JSONValue(parsing: request.body),
            let id = event.member(at: "data.object.metadata.order_id")?.text
        {
            books.orders[id]?.status = "confirmed"
        }
        return problem("webhook-signature", 400, "The signature does not fit")
    }

    private func operations(_ target: String, _ path: [String], _ books: inout Books) -> ServiceResponse {
        switch path.first {
        case "metrics":
            books.duplicates += 1
            let count = has(.repeatsNothing) ? 0 : books.refundCalls
            return .text(
                """
                # HELP x y
                warren_duplicate_deliveries_total{service="notification"} \(books.duplicates / 2)
                http_client_request_duration_seconds_count{http_request_method="GET",url_template="/v1/refunds"} 50
                http_client_request_duration_seconds_count{http_request_method="POST",url_template="/v1/refunds"} \(count)

                """
            )
        case "events":
            var response = ServiceResponse.json(.array(Array(repeating: [:], count: has(.tellsTwice) ? 2 : 1)))
            response.headers["Warren-Next-Position"] = "1"
            response.headers["Warren-Head-Position"] = "1"
            return response
        default:
            guard target.contains("state=") else {
                return .json(["items": [["id": "17", "error": "unreadable"]], "next": .null])
            }
            let letters = books.letters.filter { target.contains("subject=\($0.key)") }.values.filter { letter in
                target.contains("state=\(letter["state"]?.text ?? "")")
            }
            return .json(["items": .array(Array(letters)), "next": .null])
        }
    }

    // MARK: The others

    private func inventory(
        _ method: String,
        _ path: [String],
        _ body: JSONValue,
        _ books: inout Books
    ) -> ServiceResponse {
        let sku = path[1]
        switch method {
        case "PUT":
            let pieces = books.products[sku]?.pieces ?? 0
            books.products[sku] = (body["price"]?["amount"]?.integer ?? 0, pieces)
            return .json([:], status: 201)
        case "POST":
            books.products[sku]?.pieces += body["change"]?.integer ?? 0
            return .json([:])
        default:
            return .json(["onHand": .integer(books.products[sku]?.pieces ?? 0), "reserved": has(.reserves) ? 1 : 0])
        }
    }

    private func coupon(_ method: String, _ path: [String], _ books: inout Books) -> ServiceResponse {
        if path.last == "claims" {
            guard books.issued < 2 || has(.overIssues) else { return problem("coupons-gone", 409, "They are gone") }
            books.issued += 1
            return .json(["id": .string("c-\(books.issued)")], status: 201)
        }
        return .json(
            ["issued": .integer(books.issued + (has(.miscounts) ? 1 : 0))],
            status: method == "PUT" ? 201 : 200
        )
    }

    private func points(_ path: [String], _ body: JSONValue, _ books: inout Books) -> ServiceResponse {
        if path.first == "ledger" { return .json(["isBalanced": .bool(!has(.unbalanced))]) }
        if path.last == "charges" {
            books.balance += body["total"]?["amount"]?.integer ?? 0
            return .json([:], status: 202)
        }
        // Before anything is spent the customer has what was bought.
        let extra: Int64 = has(.invents) && books.balance < 1000 ? 700 : 0
        return .json(["balances": [["currency": "EUR", "points": .integer(books.balance + extra)]]])
    }

    // MARK: The sandbox

    private func sandbox(_ method: String, _ path: [String], _ body: JSONValue, _ books: inout Books) -> ServiceResponse
    {
        switch path.dropFirst().joined(separator: "/") {
        case "faults", "courier/faults":
            books.faults = method == "DELETE" ? 0 : books.faults + 1
            return ServiceResponse(status: 204)
        case "ledger":
            let counts = { (objects: [JSONValue]) -> JSONValue in
                var counts: [String: Int64] = [:]
                for object in objects where object["status"] == "succeeded" {
                    counts[object["order"]?.text ?? "", default: 0] += 1
                }
                return .object(counts.mapValues { .integer($0) })
            }
            return .json([
                "intents": .array(books.intents), "refunds": .array(books.refunds),
                "chargesByOrder": counts(books.intents), "refundsByOrder": counts(books.refunds),
                "refundKeysByOrder": .object(books.orders.mapValues { _ in .integer(has(.changesKeys) ? 2 : 1) }),
            ])
        case "courier/effects": return .json(["effects": .array(books.effects)])
        case "webhooks":
            return .json(["isSending": .bool(!has(.noWebhooks)), "attempts": .array(books.webhooks)])
        case "dashboard/charges": return chargeByHand(body, &books)
        default:
            for (id, order) in books.orders where order.payment == "refunded" {
                books.letters[id] = [
                    "id": "17", "state": "dead", "errorClass": "payment.refund-failed", "error": "failed",
                ]
                if has(.untells) { books.orders[id]?.payment = "captured" }
            }
            return .json([:])
        }
    }

    private func chargeByHand(_ body: JSONValue, _ books: inout Books) -> ServiceResponse {
        let id = body["order"]?.text ?? ""
        let isDeclined = body["paymentMethod"] == "pm_card_chargeDeclined"
        let intent = charge(id, &books, isDeclined: isDeclined)
        if books.orders[id] == nil, !has(.looksOnce) {
            books.letters[id] = [
                "id": "18", "state": "scheduled", "errorClass": "payment.unknown-payment", "error": "no payment here",
            ]
        }
        if isDeclined, has(.believesFailure) { books.orders[id]?.status = "rejected" }
        return isDeclined
            ? .json(["error": ["payment_intent": ["id": .string(intent)]]], status: 402)
            : .json(["id": .string(intent)])
    }

    @discardableResult
    private func charge(_ order: String, _ books: inout Books, isDeclined: Bool = false) -> String {
        let id = "pi_\(books.intents.count + 1)"
        books.intents.append([
            "id": .string(id), "order": .string(order), "metadata": ["order_id": .string(order)],
            "status": isDeclined ? "requires_payment_method" : "succeeded",
        ])
        webhook(isDeclined ? "payment_intent.payment_failed" : "payment_intent.succeeded", id, &books)
        return id
    }

    private func refund(_ order: String, _ books: inout Books) {
        guard let intent = books.intents.last(where: { $0["order"]?.text == order })?["id"] else { return }
        for _ in 1...(has(.refundsTwice) ? 2 : 1) {
            books.refunds.append([
                "id": .string("re_\(books.refunds.count + 1)"), "order": .string(order), "payment_intent": intent,
                "status": "succeeded",
            ])
        }
        // One call is not answered where it is told so; of two, both are.
        books.refundCalls += books.faults == 1 && !has(.answersFirst) ? 0 : max(1, books.faults)
        webhook("refund.created", intent.text ?? "", &books)
    }

    private func webhook(_ type: String, _ intent: String, _ books: inout Books) {
        books.webhooks.append([
            "type": .string(type), "paymentIntent": .string(intent), "status": 503,
        ])
        books.webhooks.append([
            "type": .string(type), "paymentIntent": .string(intent), "status": 202,
        ])
    }

    private func carry(_ id: String, _ books: inout Books) {
        for kind in ["address-taken", "dispatched"] { effect(kind, id, &books) }
        if has(.carriesTwice) { effect("dispatched", id, &books) }
        effect("delivered", id, &books)
    }

    private func effect(_ kind: String, _ id: String, _ books: inout Books) {
        books.effects.append(["shipment": .string(id), "kind": .string(kind)])
    }

    // MARK: Problems

    private func fault(_ field: String, _ detail: String) -> ServiceResponse {
        problem("invalid-request", 422, "Not as it should be", (field, detail))
    }

    private func problem(
        _ slug: String,
        _ status: Int,
        _ title: String,
        _ fault: (field: String, detail: String)? = nil
    ) -> ServiceResponse {
        var problem: JSONValue = ["type": .string("/problems/\(slug)"), "title": .string(title)]
        if let fault { problem["errors"] = [["field": .string(fault.field), "detail": .string(fault.detail)]] }
        return .json(problem, status: status)
    }
}
