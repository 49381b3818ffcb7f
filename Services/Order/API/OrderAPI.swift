import Database
import Events
import FoundationEssentials
import HTTP
import Messaging
import ServiceKit
import ShopEvents

/// Order's HTTP interface, as `openapi.yaml` describes it.
struct OrderAPI: Sendable {
    /// One route and what answers it.
    struct Route: Sendable {
        let method: String
        let pattern: String
        let answer: @Sendable (OrderAPI, HTTPRequest) async throws -> HTTPResponse
    }

    static let routes = [
        Route(method: "POST", pattern: "/orders") { try await $0.place($1) },
        Route(method: "GET", pattern: "/orders") { try await $0.list($1) },
        Route(method: "GET", pattern: "/orders/{id}") { try await $0.show($1) },
        Route(method: "POST", pattern: "/orders/{id}/cancel") { try await $0.cancel($1) },
        Route(method: "PUT", pattern: "/orders/{id}/lines") { try await $0.keep($1) },
        Route(method: "PUT", pattern: "/orders/{id}/shipping-address") { try await $0.ship($1) },
    ]

    private let database: Database
    private let events: EventStore
    private let desk: OrderDesk
    private let keys: IdempotencyKeys
    /// Nil in a shop without Inventory: clients name their prices, and no stock is asked for.
    private let products: ProductPicture?
    /// What the shop has beside Order, Payment and Notification.
    private let contexts: Set<Shop.Context>
    /// Milliseconds since 1970.
    private let now: @Sendable () -> Int64

    init(
        database: Database,
        events: EventStore,
        desk: OrderDesk = OrderDesk(),
        keys: IdempotencyKeys = IdempotencyKeys(),
        products: ProductPicture? = nil,
        contexts: Set<Shop.Context> = [],
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.database = database
        self.events = events
        self.desk = desk
        self.keys = keys
        self.products = products
        self.contexts = contexts
        self.now = now
    }

    /// What a request asks for, before and after the shop's prices.
    private enum Wanted {
        case draft(OrderDraft)
        case wish(OrderWish, ProductPicture)

        /// What makes two requests the same under one key.
        var canonical: String {
            get throws {
                switch self {
                case .draft(let draft): try JSONColumn.encode(draft)
                case .wish(let wish, _): try JSONColumn.encode(wish)
                }
            }
        }

        /// The order with the prices of this moment.
        func priced(in transaction: Transaction) throws -> OrderDraft {
            switch self {
            case .draft(let draft): draft
            case .wish(let wish, let products):
                try wish.priced(by: try products.find(wish.lines.lazy.map(\.sku), in: transaction))
            }
        }
    }

    /// `POST /orders`: stores the order and its first events in one transaction.
    private func place(_ request: HTTPRequest) async throws -> HTTPResponse {
        let caller = try request.knownCaller
        try request.checkNoQuery()
        let key = try IdempotencyKey.of(request, by: caller)
        let terms = OrderTerms(contexts: contexts, caller: caller)
        let wanted: Wanted =
            if let products {
                .wish(try request.decode(OrderWishForm.self).checked(terms), products)
            } else {
                .draft(try request.decode(OrderForm.self).checked(terms))
            }
        guard let key else {
            let placed = try await events.write { transaction in try place(wanted, by: caller.text, in: transaction) }
            return accepted(placed, replayed: false)
        }
        return try await keys.holding(key) {
            do {
                return try await place(wanted, under: key)
            } catch let error as DatabaseError where error.code == .constraint(unique: true) {
                // Another instance of this service was first under the key; its answer is there now.
                return try await place(wanted, under: key)
            }
        }
    }

    /// Places the order, or gives the answer that the key has already had, whatever the prices are now.
    private func place(_ wanted: Wanted, under key: IdempotencyKey) async throws -> HTTPResponse {
        let request = try wanted.canonical
        let (answer, replayed) = try await events.write { transaction in
            let time = now()
            if let stored = try keys.find(key, now: time, in: transaction) {
                guard stored.request == request else {
                    throw Problem(
                        .idempotencyKeyReused,
                        detail: "Use a new key for a new order.",
                        faults: [
                            Problem.Fault(field: IdempotencyKey.header, detail: "was used with another body")
                        ]
                    )
                }
                return (stored, true)
            }
            let placed = try place(wanted, by: key.caller, in: transaction)
            let stored = IdempotencyKeys.Stored(request: request, location: placed.location, answer: placed.answer)
            try keys.remember(stored, under: key, now: time, in: transaction)
            return (stored, false)
        }
        return accepted((answer.location, answer.answer), replayed: replayed)
    }

    private func place(
        _ wanted: Wanted,
        by caller: String,
        in transaction: Transaction
    ) throws -> (location: String, answer: String) {
        let draft = try wanted.priced(in: transaction)
        let (order, firstEvents) = Order.place(
            draft,
            id: UUIDv7.make(),
            awaitsStock: products != nil,
            isShipped: contexts.contains(.shipping),
            by: caller,
            at: now()
        )
        try desk.add(order, firstEvents, in: transaction)
        return ("/orders/\(order.id)", try JSONColumn.encode(OrderView(order)))
    }

    private func accepted(_ placed: (location: String, answer: String), replayed: Bool) -> HTTPResponse {
        var response = HTTPResponse(
            status: 202,
            headers: ["Content-Type": "application/json", "Location": placed.location],
            body: Array(placed.answer.utf8)
        )
        if replayed { response.headers["Idempotency-Replayed"] = "true" }
        return response
    }

    /// `GET /orders/{id}`: the whole order.
    private func show(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        let caller = try request.knownCaller
        try request.checkNoQuery()
        guard let order = try await database.read({ transaction in try desk.store.load(id, in: transaction) }),
            order.isVisible(to: caller)
        else {
            throw OrderAPI.unknownOrder
        }
        return try .json(OrderView(order))
    }

    /// `POST /orders/{id}/cancel`: 202 when the order is being cancelled, 200 when it is already.
    private func cancel(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        let caller = try request.knownCaller
        try request.checkNoQuery()
        try request.checkNoBody()
        return try await change(id, caller) { order, time throws(Order.Refusal) in
            try order.cancel(by: caller.text, at: time)
        }
    }

    /// `PUT /orders/{id}/lines`: 202 when something is cancelled, 200 when no more than that was left.
    private func keep(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        let caller = try request.knownCaller
        try request.checkNoQuery()
        let quantities = try request.decode(LinesForm.self).checked()
        return try await change(id, caller) { order, time throws(Order.Refusal) in
            try order.keep(quantities, by: caller.text, at: time)
        }
    }

    /// `PUT /orders/{id}/shipping-address`: 202 when the parcel is to go there, 200 when it was already.
    private func ship(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        let caller = try request.knownCaller
        try request.checkNoQuery()
        let address = try request.decode(AddressForm.self).checked()
        return try await change(id, caller) { order, time throws(Order.Refusal) in
            try order.ship(to: address, by: caller.text, at: time)
        }
    }

    /// Changes an order that the caller may see: 202 when it has changed, 200 when it stood there already.
    private func change(
        _ id: String,
        _ caller: Caller,
        _ transition: @escaping @Sendable (inout Order, Int64) throws(Order.Refusal) -> Order.Outcome
    ) async throws -> HTTPResponse {
        let (order, isNew) = try await events.write { transaction in
            guard var order = try desk.store.load(id, in: transaction), order.isVisible(to: caller) else {
                throw OrderAPI.unknownOrder
            }
            let before = order.status
            do {
                switch try transition(&order, now()) {
                case .unchanged: return (order, false)
                case .changed(let events):
                    try desk.change(order, from: before, events, in: transaction)
                    return (order, true)
                }
            } catch let refusal as Order.Refusal {
                throw refusal.asProblem
            }
        }
        return try .json(OrderView(order), status: isNew ? 202 : 200)
    }

    /// `GET /orders?status=&after=&limit=`: one page, newest first.
    private func list(_ request: HTTPRequest) async throws -> HTTPResponse {
        let query = try OrderQuery(request.query)
        let caller = try request.knownCaller
        let owner = caller.kind == .customer ? caller.text : nil
        let orders = try await database.read { transaction in
            // One more than asked for tells whether there is another page.
            try desk.store.page(
                status: query.status,
                placedBy: owner,
                after: query.after,
                limit: query.limit + 1,
                in: transaction
            )
        }
        let shown = Array(orders.prefix(query.limit))
        let next = orders.count > query.limit ? shown.last?.id : nil
        var response = try HTTPResponse.json(OrderPage(orders: shown, next: next))
        if let next { response.headers["Link"] = "<\(query.path(after: next))>; rel=\"next\"" }
        return response
    }

    /// Also for an order of somebody else: that it is there is nobody else's business.
    private static var unknownOrder: Problem {
        Problem(.notFound, detail: "There is no such order.")
    }
}

extension Order {
    /// Whether a caller may see and change the order: back ends all, a customer what they placed.
    func isVisible(to caller: Caller) -> Bool {
        caller.kind != .customer || placedBy == caller.text
    }
}

extension Order.Refusal {
    /// What a caller is told who asked for what cannot be.
    fileprivate var asProblem: any Error {
        switch self {
        case .rejected:
            Problem(
                .orderRejected,
                detail: "A rejected order cannot be cancelled: nothing is charged, or it goes back."
            )
        case .ended: Problem(.orderEnded, detail: "The order is cancelled or rejected.")
        case .dispatched: Problem(.orderDispatched, detail: "The parcel is on its way.")
        case .notShipped: Problem(.orderNotShipped, detail: "This order is not sent by this shop.")
        case .tooManyAddresses:
            Problem(.orderEnded, detail: "This order was given more addresses than an order can have.")
        case .undecided:
            Problem(
                .orderUndecided,
                detail: "Some of it can be cancelled once it is confirmed; all of it can be cancelled at any time.",
                headers: ["Retry-After": "1"]
            )
        case .moreThanLeft(let sku, let left):
            Problem.invalidRequest([
                Problem.Fault(field: "lines", detail: "asks for more of \(sku) than are left of it: \(left)")
            ])
        case .nothingLeft:
            Problem(.orderLeftEmpty, detail: "Nothing of any price would be left: cancel the order.")
        case .tooManyParts:
            Problem(.orderEnded, detail: "This order was cancelled in more parts than an order can be.")
        case .contradiction, .otherAmount, .reservationContradiction, .pointsContradiction, .shippingContradiction:
            self  // No request asks for what these refuse.
        }
    }
}
