import Events
import FoundationEssentials
import JSON
import Messaging
import ShopEvents
import TestSupport
import Testing

@Suite("The AsyncAPI document tells what the Swift contracts tell")
struct ContractsTests {
    let document: JSONValue
    let schema: JSONSchema

    init() throws {
        document = try YAML.read("Shared/ShopEvents/asyncapi.yaml")
        schema = JSONSchema(document: document)
    }

    private static let customer = Customer(email: "ada@example.com", name: "Ada", locale: "en-GB", id: "ada")
    private static let total = Money(amount: 1300, currency: "EUR")
    private static let deductions = Deductions(coupon: "c", discount: 130, points: 500)
    private static let address = PostalAddress(
        name: "Ada",
        lines: ["12 St James's Square"],
        postalCode: "SW1Y 4JH",
        city: "London",
        country: "GB"
    )
    /// The shop with all that a shop may have, which is what the document describes.
    private static let topology = Shop.topology(with: Set(Shop.Context.allCases))
    /// One of each, with every field that it can have.
    private static let samples: [any Event] = [
        ProductListed(sku: "TEA", name: "Assam", price: Money(amount: 650, currency: "EUR")),
        ProductPriceChanged(sku: "TEA", price: Money(amount: 0, currency: "EUR")),
        StockChanged(sku: "TEA", level: .low),
        OrderPlaced(
            orderID: "o",
            customer: customer,
            lines: [OrderLine(sku: "TEA", quantity: 2, unitPrice: 650, name: "Assam")],
            total: total,
            deductions: deductions
        ),
        OrderShippingAddressChanged(orderID: "o", address: address, version: 1),
        StockReserved(orderID: "o", expiresAt: "2026-01-01T01:00:00.000Z"),
        StockRejected(orderID: "o", reason: "out-of-stock", skus: ["TEA"]),
        CouponRedeemed(
            orderID: "o",
            coupon: "c",
            discount: Money(amount: 130, currency: "EUR"),
            expiresAt: "2026-01-01T01:00:00.000Z"
        ),
        CouponRejected(orderID: "o", reason: "coupon-used"),
        OrderAccepted(orderID: "o", total: total, customer: customer, deductions: deductions),
        PointsSpent(orderID: "o", points: 500),
        PointsRejected(orderID: "o", reason: "insufficient-points"),
        OrderPaymentRequested(orderID: "o", total: total, paymentMethod: "pm_card_visa"),
        OrderConfirmed(orderID: "o", customer: customer, total: total, deductions: deductions),
        OrderRejected(
            orderID: "o",
            customer: customer,
            reason: "out-of-stock",
            total: total,
            deductions: deductions
        ),
        OrderCancelled(
            orderID: "o",
            customer: customer,
            total: total,
            reason: "reservation-expired",
            deductions: deductions
        ),
        OrderRefunded(orderID: "o", customer: customer, total: total, reason: "late-charge"),
        OrderLinesCancelled(
            orderID: "o",
            customer: customer,
            number: 1,
            lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: 650, name: "Tea")],
            total: Money(amount: 650, currency: "EUR"),
            refund: Money(amount: 400, currency: "EUR"),
            points: 250
        ),
        OrderPartlyRefunded(orderID: "o", customer: customer, number: 1, total: total),
        OrderDispatched(orderID: "o", customer: customer, trackingCode: "t"),
        PaymentCaptured(orderID: "o", paymentID: "pi_1", total: total),
        PaymentDeclined(orderID: "o", reason: "insufficient_funds"),
        PaymentRefundRequested(orderID: "o", refundID: "re_1", total: total),
        PaymentRefunded(orderID: "o", refundID: "re_1", total: total),
        PaymentPartlyRefunded(orderID: "o", number: 1, refundID: "re_1", total: total),
        PaymentVoided(orderID: "o"),
        PaymentDisputed(orderID: "o", disputeID: "dp_1", state: .opened, reason: "fraudulent", total: total),
        StockConfirmed(orderID: "o"),
        StockReleased(orderID: "o", reason: "expired"),
        CouponConfirmed(orderID: "o"),
        CouponReleased(orderID: "o", reason: "expired"),
        PointsRestored(orderID: "o", points: 500),
        ShipmentDispatched(orderID: "o", trackingCode: "t", addressVersion: 1),
        ShipmentDelivered(orderID: "o"),
        ShipmentRefused(orderID: "o", reason: "unknown_address", addressVersion: 1),
        PointsChargeRequested(chargeID: "c", total: total, paymentMethod: "pm_card_visa"),
        PaymentTopUpCaptured(chargeID: "c", paymentID: "pi_1", total: total),
        PaymentTopUpDeclined(chargeID: "c", reason: "insufficient_funds"),
        PaymentTopUpRefunded(chargeID: "c", refundID: "re_1", total: total),
    ]
    /// The fields that an event may lack.
    private static let optional = [
        "OrderPlaced": ["deductions"], "OrderAccepted": ["customer", "deductions"], "OrderConfirmed": ["deductions"],
        "OrderRejected": ["total", "deductions"], "OrderCancelled": ["reason", "deductions"],
        "OrderRefunded": ["reason"], "OrderLinesCancelled": ["refund", "points"],
    ]

    private static func name(_ type: any Event.Type) -> String { String(describing: type) }

    @Test("Every event type has a sample here, and no type is listed twice")
    func samplesAreComplete() {
        let listed = Shop.events.map { $0.type.rawValue }
        #expect(Set(listed).count == listed.count)
        #expect(Self.samples.map { Swift.type(of: $0).type.rawValue } == listed)
    }

    @Test("The messages are the event types, no more and no fewer")
    func messages() {
        let messages = document["components", "messages"]?.object ?? [:]
        #expect(Set(messages.keys) == Set(Shop.events.map(Self.name)))
        for type in Shop.events {
            #expect(messages[Self.name(type)]?["name"]?.text == type.type.rawValue)
        }
    }

    @Test("Each type names the source that the document names", arguments: Shop.events.indices)
    func sources(index: Int) throws {
        let type = Shop.events[index]
        let parts = document["components", "messages", Self.name(type), "payload", "allOf"]?.array ?? []
        let named = parts.compactMap { $0["properties", "source", "const"]?.text }
        #expect(named.count == 1)
        #expect(type.source == named.first)
    }

    @Test("The currencies are those that the document lists")
    func currencies() {
        let listed = document["components", "schemas", "Money", "properties", "currency", "enum"]?.array ?? []
        #expect(listed.compactMap(\.text) == Currency.codes)
    }

    @Test("What Swift encodes is what the schema describes, field for field", arguments: samples.indices)
    func encoding(index: Int) throws {
        let event = Self.samples[index]
        let type: any Event.Type = Swift.type(of: event)
        let name = Self.name(type)
        let value = try JSONValue(encoding: event)
        let rules = document["components", "schemas", name]
        #expect(try schema.faults(value, rules) == [])
        #expect(
            Set(value.object.map { Array($0.keys) } ?? []) == Set(rules?["properties"]?.object?.keys.sorted() ?? [])
        )
        let required = (rules?["required"]?.array ?? []).compactMap(\.text)
        let optional = Self.optional[name] ?? []
        #expect(Set(required + optional) == Set(value.object.map { Array($0.keys) } ?? []), "nothing else is optional")
        for field in required {
            var rest = value.object ?? [:]
            rest[field] = nil
            #expect(throws: DecodingError.self, "\(name) without \(field)") {
                _ = try JSONValue.object(rest).decode(type)
            }
        }
        for field in optional {
            var rest = value.object ?? [:]
            rest[field] = nil
            #expect(try schema.faults(.object(rest), rules) == [])
            #expect(try JSONValue(encoding: JSONValue.object(rest).decode(type)) == .object(rest))
        }
    }

    @Test("A part of an event may lack what the document says, and nothing else", arguments: ingredients)
    func parts(name: String, whole: any Encodable & Sendable, least: any Encodable & Sendable) throws {
        let rules = document["components", "schemas", name]
        let fields = try (least: JSONValue(encoding: least).object, whole: JSONValue(encoding: whole).object)
        #expect(try schema.faults(.object(fields.least ?? [:]), rules) == [])
        #expect(try schema.faults(.object(fields.whole ?? [:]), rules) == [])
        let required = (rules?["required"]?.array ?? []).compactMap(\.text)
        #expect(Set(fields.least.map { Array($0.keys) } ?? []) == Set(required))
        #expect(
            Set(fields.whole.map { Array($0.keys) } ?? []) == Set(rules?["properties"]?.object?.keys.sorted() ?? [])
        )
    }

    /// What events are made of: with everything, and with the least there may be.
    private static let ingredients: [(String, any Encodable & Sendable, any Encodable & Sendable)] = [
        (
            "OrderLine", OrderLine(sku: "TEA", quantity: 2, unitPrice: 650, name: "Assam"),
            OrderLine(sku: "TEA", quantity: 2, unitPrice: 650)
        ),
        ("Customer", customer, Customer(email: "ada@example.com", name: "Ada")),
        ("Payer", customer, Customer(email: "ada@example.com", name: "Ada")),
        ("Deductions", deductions, Deductions()),
        ("PostalAddress", address, address),
        ("Money", total, total),
        ("Price", total, total),
    ]

    @Test("The levels of stock are those that the document names")
    func levels() {
        let named = document["components", "schemas", "StockChanged", "properties", "level", "enum"]?.array ?? []
        #expect(named.compactMap(\.text) == StockLevel.allCases.map(\.rawValue))
    }

    @Test("The states of a dispute are those that the document names")
    func disputes() {
        let named = document["components", "schemas", "PaymentDisputed", "properties", "state", "enum"]?.array ?? []
        #expect(named.compactMap(\.text) == DisputeState.allCases.map(\.rawValue))
    }

    @Test("The examples are events that Swift reads and writes again unchanged", arguments: samples.indices)
    func examples(index: Int) throws {
        let type: any Event.Type = Swift.type(of: Self.samples[index])
        let message = document["components", "messages", Self.name(type)]
        let examples = message?["examples"]?.array ?? []
        #expect(!examples.isEmpty)
        for example in examples {
            let payload = try #require(example["payload"])
            #expect(try schema.faults(payload, message?["payload"]) == [])
            let data = try #require(payload["data"])
            let event = try data.decode(type)
            #expect(try JSONValue(encoding: event) == data)
            #expect(event.subject == payload["subject"]?.text)
            #expect(type.type.rawValue == payload["type"]?.text)
        }
    }

    @Test("Every type is published to warren.events under itself, by the service that it belongs to")
    func publications() {
        for type in Shop.events {
            let name = Self.name(type)
            let channel = name.prefix(1).lowercased() + name.dropFirst()
            let address = document["channels", channel, "address"]?.text
            #expect(address == type.type.rawValue)
            let binding = document.resolving(document["channels", channel, "bindings"])?["amqp"]
            #expect(binding?["is"]?.text == "routingKey")
            #expect(binding?["exchange", "name"]?.text == "warren.events")
            #expect(binding?["exchange", "type"]?.text == "topic")
            #expect(binding?["exchange", "durable"] == .bool(true))
            let operation = document["operations", "publish" + name]
            #expect(operation?["action"]?.text == "send")
            #expect(operation?["channel", "$ref"]?.text == "#/channels/\(channel)")
            let published = document.resolving(operation?["bindings"])?["amqp"]
            #expect(published?["deliveryMode"] == .integer(2))
            let isClaimed = Self.topology.subscriptions.contains { $0.types.contains(type.type) }
            #expect(published?["mandatory"] == .bool(isClaimed))
            let source = document["components", "messages", name, "payload", "allOf"]?.array?.last
            #expect(
                source?["properties", "source", "const"]?.text == "/\(operation?["x-service"]?.text ?? "")-service"
            )
        }
    }

    @Test("Every queue takes the types that the topology gives its subscriber")
    func queues() {
        for subscription in Self.topology.subscriptions {
            let channel = document["channels", subscription.subscriber + "Queue"]
            #expect(channel?["address"]?.text == subscription.subscriber)
            let binding = channel?["bindings", "amqp"]
            #expect(binding?["queue", "name"]?.text == subscription.subscriber)
            #expect(binding?["queue", "durable"] == .bool(true))
            let types = (channel?["messages"]?.object ?? [:]).values.compactMap {
                document.resolving($0)?["name"]?.text
            }
            #expect(Set(types) == Set(subscription.types.map(\.rawValue)))
            let operation = (document["operations"]?.object ?? [:]).values.first {
                $0["action"]?.text == "receive" && $0["x-service"]?.text == subscription.subscriber
            }
            let consumed = (operation?["messages"]?.array ?? []).compactMap { message in
                document.resolving(message)?["name"]?.text
            }
            #expect(Set(consumed) == Set(subscription.types.map(\.rawValue)))
            let arguments = channel?["x-queue-arguments"]
            #expect(arguments?["x-queue-type"]?.text == "quorum")
            #expect(arguments?["x-delivery-limit"] == .integer(20))
            #expect(arguments?["x-dead-letter-exchange"]?.text == "warren.dead-letters")
            #expect(arguments?["x-dead-letter-routing-key"]?.text == subscription.subscriber)
            #expect(arguments?["x-dead-letter-strategy"]?.text == "at-least-once")
            #expect(arguments?["x-overflow"]?.text == "reject-publish")
            #expect(arguments?["x-single-active-consumer"] == .bool(true))
            #expect(arguments?["x-consumer-disconnected-timeout"] == .integer(2_000))
            #expect(channel?["x-dead-letter-queue"]?.text == subscription.subscriber + ".dead-letters")
        }
        let queues = (document["channels"]?.object ?? [:]).values.filter {
            $0["bindings", "amqp", "is"]?.text == "queue"
        }
        #expect(queues.count == Self.topology.subscriptions.count)
    }

    @Test(
        "The document says of each queue what it takes only where there is a context",
        arguments: Shop.Context.allCases
    )
    func contexts(context: Shop.Context) {
        for subscription in Self.topology.subscriptions {
            func types(_ topology: Topology) -> Set<String> {
                let types = topology.subscriptions.first { $0.subscriber == subscription.subscriber }?.types ?? []
                return Set(types.map(\.rawValue))
            }
            let channel = document["channels", subscription.subscriber + "Queue"]
            let further = (channel?["x-with-context-only", context.rawValue]?.array ?? []).compactMap { name in
                document.resolving(channel?["messages", name.text ?? ""])?["name"]?.text
            }
            #expect(Set(further) == types(Shop.topology(with: [context])).subtracting(types(Shop.topology)))
            #expect(Set(further).count == channel?["x-with-context-only", context.rawValue].elements.count ?? 0)
        }
    }

    @Test("What a queue takes in a shop with everything is what it takes without, and what each context adds")
    func contextsTogether() {
        for subscription in Self.topology.subscriptions {
            let each = [Set<Shop.Context>()] + Shop.Context.allCases.map { [$0] }
            let types = each.flatMap { Shop.topology(with: $0).subscriptions }
                .filter { $0.subscriber == subscription.subscriber }.flatMap(\.types)
            #expect(Set(types) == Set(subscription.types))
        }
    }

    @Test("Somebody subscribes to every type but those that are for followers, and only to types there are")
    func subscriptions() {
        let known = Set(Shop.events.map { $0.type })
        let followed: Set = [ProductListed.type, ProductPriceChanged.type, StockChanged.type]
        let taken = Set(Self.topology.subscriptions.flatMap(\.types))
        #expect(taken.isSubset(of: known))
        #expect(known.subtracting(taken) == followed)
    }

    @Test("In a shop without a context nobody subscribes to what it says", arguments: Shop.Context.allCases)
    func absences(context: Shop.Context) {
        let said = Shop.events.filter { $0.source == "/\(context.rawValue)-service" }.map { $0.type }
        #expect(!said.isEmpty)
        let others = Set(Shop.Context.allCases).subtracting([context])
        let taken = Set(Shop.topology(with: others).subscriptions.flatMap(\.types))
        #expect(taken.isDisjoint(with: said))
        #expect(!Shop.topology(with: others).subscriptions.contains { $0.subscriber == context.rawValue })
    }

    @Test("The message properties are those of the profile")
    func properties() {
        let properties = document["components", "messageTraits", "event", "x-amqp-properties"]
        #expect(properties?["content-type"]?.text == "application/cloudevents+json; charset=utf-8")
        #expect(properties?["delivery-mode"] == .integer(2))
        let expected: Set = [
            "content-type", "delivery-mode", "message-id", "type", "timestamp", "app-id", "correlation-id", "user-id",
        ]
        #expect(Set(properties?.object.map { Array($0.keys) } ?? []) == expected)
        #expect(document["components", "messageTraits", "event", "headers", "properties", "traceparent"] != nil)
    }

    @Test("An envelope as the kit writes it matches the schema")
    func envelope() throws {
        let envelope = Envelope(
            id: "0198c0de-0000-7000-8000-000000000009",
            source: "/order-service",
            type: OrderConfirmed.type,
            subject: "o",
            time: "2026-01-01T00:00:00.000Z",
            sequence: 3,
            correlationID: "o",
            causationID: "c",
            traceparent: "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
            data: Array(
                try JSONEncoder().encode(OrderConfirmed(orderID: "o", customer: Self.customer, total: Self.total))
            )
        )
        let value = try JSONValue(parsing: envelope.encoded())
        let rules = document["components", "messages", "OrderConfirmed", "payload"]
        #expect(try schema.faults(value, rules) == [])
        let attributes = document["components", "schemas", "Envelope", "properties"]?.object ?? [:]
        #expect(Set(attributes.keys) == Set((value.object ?? [:]).keys))
    }

    /// Events that the document forbids, with the fault of each.
    private static let nonsense: [(any Event, String)] = [
        (PaymentVoided(orderID: ""), "data.orderID must have 1 to 255 characters"),
        (PaymentVoided(orderID: String(repeating: "ü", count: 256)), "data.orderID must have 1 to 255 characters"),
        (
            OrderConfirmed(orderID: "o", customer: customer, total: Money(amount: -5, currency: "EUR")),
            "data.total.amount must be from 1 to 999999999999"
        ),
        (
            OrderRefunded(orderID: "o", customer: customer, total: Money(amount: 5, currency: "XXX")),
            "data.total.currency must be the code of an active currency (ISO 4217)"
        ),
        (
            OrderCancelled(orderID: "o", customer: Customer(email: "nobody", name: "A"), total: total),
            "data.customer.email must be an e-mail address (local@domain in ASCII, at most 254 bytes)"
        ),
        (
            OrderRejected(orderID: "o", customer: Customer(email: "a@b", name: ""), reason: "r"),
            "data.customer.name must have 1 to 200 characters"
        ),
        (OrderRejected(orderID: "o", customer: customer, reason: ""), "data.reason must have 1 to 255 characters"),
        (
            OrderPlaced(orderID: "o", customer: customer, lines: [], total: total),
            "data.lines must have 1 to 100 elements"
        ),
        (
            OrderPlaced(
                orderID: "o",
                customer: customer,
                lines: [
                    OrderLine(sku: "TEA", quantity: 1, unitPrice: 0), OrderLine(sku: "TEA", quantity: 0, unitPrice: 0),
                ],
                total: total
            ),
            "data.lines[1].quantity must be from 1 to 10000"
        ),
        (PaymentCaptured(orderID: "o", paymentID: "", total: total), "data.paymentID must have 1 to 255 characters"),
        (
            OrderPlaced(
                orderID: "o",
                customer: customer,
                lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: 0, name: "")],
                total: total
            ),
            "data.lines[0].name must have 1 to 200 characters"
        ),
        (
            OrderRejected(orderID: "o", customer: customer, reason: "r", total: Money(amount: 0, currency: "EUR")),
            "data.total.amount must be from 1 to 999999999999"
        ),
        (
            OrderCancelled(orderID: "o", customer: customer, total: total, reason: ""),
            "data.reason must have 1 to 255 characters"
        ),
        (
            OrderAccepted(orderID: "o", total: Money(amount: 0, currency: "EUR")),
            "data.total.amount must be from 1 to 999999999999"
        ),
        (ProductListed(sku: "a b", name: "Assam", price: total), "data.sku must have 1 to 64 of A-Z a-z 0-9 . _ -"),
        (ProductListed(sku: "TEA", name: "", price: total), "data.name must have 1 to 200 characters"),
        (
            ProductListed(sku: "TEA", name: "Assam", price: Money(amount: 100_000_001, currency: "EUR")),
            "data.price.amount must be from 0 to 100000000"
        ),
        (
            ProductPriceChanged(sku: "TEA", price: Money(amount: -1, currency: "EUR")),
            "data.price.amount must be from 0 to 100000000"
        ),
        (
            ProductPriceChanged(sku: "TEA", price: Money(amount: 1, currency: "eur")),
            "data.price.currency must be the code of an active currency (ISO 4217)"
        ),
        (StockChanged(sku: "", level: .out), "data.sku must have 1 to 64 of A-Z a-z 0-9 . _ -"),
        (StockReserved(orderID: "o", expiresAt: "tomorrow"), "data.expiresAt must be a time, RFC 3339"),
        (StockRejected(orderID: "o", reason: "", skus: []), "data.reason must have 1 to 255 characters"),
        (
            StockRejected(orderID: "o", reason: "r", skus: ["TEA", "a/b"]),
            "data.skus[1] must have 1 to 64 of A-Z a-z 0-9 . _ -"
        ),
        (
            StockRejected(orderID: "o", reason: "r", skus: Array(repeating: "TEA", count: 101)),
            "data.skus must have 0 to 100 elements"
        ),
        (StockConfirmed(orderID: ""), "data.orderID must have 1 to 255 characters"),
        (StockReleased(orderID: "o", reason: ""), "data.reason must have 1 to 255 characters"),
        (
            OrderConfirmed(orderID: "o", customer: Customer(email: "a@b", name: "A", id: ""), total: total),
            "data.customer.id must have 1 to 255 characters"
        ),
        (
            OrderConfirmed(orderID: "o", customer: Customer(email: "a@b", name: "A", locale: "english"), total: total),
            "data.customer.locale must be a language tag (BCP 47) of 2 to 35 characters"
        ),
        (
            OrderDispatched(
                orderID: "o",
                customer: Customer(email: "a@b", name: "A", locale: "en-" + String(repeating: "a", count: 9)),
                trackingCode: "t"
            ),
            "data.customer.locale must be a language tag (BCP 47) of 2 to 35 characters"
        ),
        (OrderDispatched(orderID: "o", customer: customer, trackingCode: ""), textRule("trackingCode")),
        (
            OrderLinesCancelled(orderID: "o", customer: customer, number: 1, lines: [], total: total),
            "data.lines must have 1 to 100 elements"
        ),
        (
            OrderLinesCancelled(
                orderID: "o",
                customer: customer,
                number: 1,
                lines: [OrderLine(sku: "TEA", quantity: 0, unitPrice: 1)],
                total: total
            ),
            "data.lines[0].quantity must be from 1 to 10000"
        ),
        (
            OrderLinesCancelled(
                orderID: "o",
                customer: customer,
                number: 1,
                lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: 1)],
                total: total,
                refund: Money(amount: 0, currency: "EUR")
            ),
            "data.refund.amount must be from 1 to 999999999999"
        ),
        (
            OrderPartlyRefunded(orderID: "o", customer: customer, number: 0, total: total),
            "data.number must be from 1 to 1000"
        ),
        (
            PaymentPartlyRefunded(orderID: "o", number: 1, refundID: "", total: total),
            textRule("refundID")
        ),
        (
            OrderPlaced(
                orderID: "o",
                customer: customer,
                lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: 1300)],
                total: total,
                deductions: Deductions(coupon: "")
            ),
            "data.deductions.coupon must have 1 to 64 characters"
        ),
        (
            OrderAccepted(orderID: "o", total: total, deductions: Deductions(discount: 0)),
            "data.deductions.discount must be from 1 to 999999999999"
        ),
        (
            OrderAccepted(orderID: "o", total: total, customer: Customer(email: "a@b", name: "")),
            "data.customer.name must have 1 to 200 characters"
        ),
        (
            OrderCancelled(orderID: "o", customer: customer, total: total, deductions: Deductions(points: -1)),
            "data.deductions.points must be from 1 to 999999999999"
        ),
        (
            OrderShippingAddressChanged(orderID: "o", address: address, version: 0),
            "data.version must be from 1 to 1000"
        ),
        (
            OrderShippingAddressChanged(orderID: "", address: address, version: 1), textRule("orderID")
        ),
        (moved { $0.name = "" }, "data.address.name must have 1 to 200 characters"),
        (moved { $0.lines = [] }, "data.address.lines must have 1 to 2 elements"),
        (moved { $0.lines = ["1", "2", "3"] }, "data.address.lines must have 1 to 2 elements"),
        (moved { $0.lines = ["1", ""] }, "data.address.lines[1] must have 1 to 200 characters"),
        (
            moved { $0.postalCode = String(repeating: "1", count: 21) },
            "data.address.postalCode must have 1 to 20 characters"
        ),
        (moved { $0.city = "" }, "data.address.city must have 1 to 200 characters"),
        (moved { $0.country = "gb" }, "data.address.country must be two capital letters (ISO 3166-1)"),
        (
            CouponRedeemed(orderID: "o", coupon: "", discount: total, expiresAt: "2026-01-01T01:00:00.000Z"),
            "data.coupon must have 1 to 64 characters"
        ),
        (
            CouponRedeemed(
                orderID: "o",
                coupon: "c",
                discount: Money(amount: 0, currency: "EUR"),
                expiresAt: "2026-01-01T01:00:00.000Z"
            ),
            "data.discount.amount must be from 1 to 999999999999"
        ),
        (
            CouponRedeemed(orderID: "o", coupon: "c", discount: total, expiresAt: ""),
            "data.expiresAt must be a time, RFC 3339"
        ),
        (CouponRejected(orderID: "o", reason: ""), textRule("reason")),
        (CouponConfirmed(orderID: ""), textRule("orderID")),
        (CouponReleased(orderID: "o", reason: ""), textRule("reason")),
        (PointsSpent(orderID: "o", points: 0), "data.points must be from 1 to 999999999999"),
        (PointsRejected(orderID: "o", reason: ""), textRule("reason")),
        (PointsRestored(orderID: "o", points: -5), "data.points must be from 1 to 999999999999"),
        (PointsChargeRequested(chargeID: "", total: total, paymentMethod: "pm"), textRule("chargeID")),
        (PointsChargeRequested(chargeID: "c", total: total, paymentMethod: ""), textRule("paymentMethod")),
        (
            PointsChargeRequested(chargeID: "c", total: Money(amount: 0, currency: "EUR"), paymentMethod: "pm"),
            "data.total.amount must be from 1 to 999999999999"
        ),
        (ShipmentDispatched(orderID: "o", trackingCode: "", addressVersion: 1), textRule("trackingCode")),
        (
            ShipmentDispatched(orderID: "o", trackingCode: "t", addressVersion: 1001),
            "data.addressVersion must be from 1 to 1000"
        ),
        (ShipmentDelivered(orderID: ""), textRule("orderID")),
        (ShipmentRefused(orderID: "o", reason: "", addressVersion: 1), textRule("reason")),
        (
            ShipmentRefused(orderID: "o", reason: "r", addressVersion: 0),
            "data.addressVersion must be from 1 to 1000"
        ),
        (
            PaymentDisputed(orderID: "o", disputeID: "", state: .won, reason: "r", total: total), textRule("disputeID")
        ),
        (
            PaymentDisputed(orderID: "o", disputeID: "d", state: .lost, reason: "", total: total), textRule("reason")
        ),
        (PaymentTopUpCaptured(chargeID: "", paymentID: "pi_1", total: total), textRule("chargeID")),
        (PaymentTopUpCaptured(chargeID: "c", paymentID: "", total: total), textRule("paymentID")),
        (PaymentTopUpDeclined(chargeID: "c", reason: ""), textRule("reason")),
        (PaymentTopUpRefunded(chargeID: "c", refundID: "", total: total), textRule("refundID")),
    ]

    private static func textRule(_ field: String) -> String { "data.\(field) must have 1 to 255 characters" }

    private static func moved(_ change: (inout PostalAddress) -> Void) -> OrderShippingAddressChanged {
        var address = Self.address
        change(&address)
        return OrderShippingAddressChanged(orderID: "o", address: address, version: 1)
    }

    @Test("What makes no sense is neither written nor read, and the fault names field and rule", arguments: nonsense)
    func refusals(event: any Event, detail: String) throws {
        let fault = EventFault(.invalidData, detail)
        #expect(throws: fault) { try event.encodedData() }
        let type: any Event.Type = Swift.type(of: event)
        let value = try JSONValue(encoding: event)
        #expect(throws: fault) { _ = try type.init(decodingData: value.bytes) }
        #expect(try schema.faults(value, document["components", "schemas", Self.name(type)]).count == 1)
    }

    @Test("Once there is a discount, no more is deducted than there is to pay; all of it may be")
    func deductionsWithinTotal() throws {
        func events(_ deductions: Deductions) -> [any Event] {
            [
                OrderAccepted(orderID: "o", total: Self.total, deductions: deductions),
                OrderConfirmed(orderID: "o", customer: Self.customer, total: Self.total, deductions: deductions),
                OrderRejected(
                    orderID: "o",
                    customer: Self.customer,
                    reason: "r",
                    total: Self.total,
                    deductions: deductions
                ),
                OrderCancelled(orderID: "o", customer: Self.customer, total: Self.total, deductions: deductions),
            ]
        }
        for event in events(Deductions(coupon: "c", discount: 300, points: 1000)) { _ = try event.encodedData() }
        // Nobody has seen yet how many of the points that are asked for are needed.
        for event in events(Deductions(coupon: "c", points: 5000)) { _ = try event.encodedData() }
        for event in events(Deductions(coupon: "c", discount: 300, points: 1001)) {
            #expect(throws: EventFault(.invalidData, "data.deductions must come to no more than data.total")) {
                _ = try event.encodedData()
            }
        }
        let messages = document["components", "messages"]?.object ?? [:]
        let said = messages.filter { $0.value["x-deductions-within"]?.text == "total" }.keys
        #expect(Set(said) == Set(events(Self.deductions).map { Self.name(Swift.type(of: $0)) }))
    }

    @Test("A text is as long as it has characters, as in the document, and not bytes")
    func characters() throws {
        let longest = PaymentVoided(orderID: String(repeating: "ü", count: 255))
        #expect(try PaymentVoided(decodingData: longest.encodedData()) == longest)
    }

    @Test("A wrong value is found, so that an empty list of faults means something")
    func schemaChecks() throws {
        let rules = document["components", "schemas", "OrderLine"]
        let line: JSONValue = .object(["sku": .string("a b"), "quantity": .integer(0), "unitPrice": .string("1")])
        #expect(try schema.faults(line, rules).count == 3)
        #expect(try schema.faults(.object([:]), rules).count == 3)
        #expect(try schema.faults(.string(""), rules).isEmpty == false)
    }
}

@Suite("Currencies and addresses")
struct ContractsValueTests {
    @Test(
        "Amounts are written with their currency's minor unit",
        arguments: [
            (1300, "EUR", "13.00 EUR"), (5, "EUR", "0.05 EUR"), (0, "EUR", "0.00 EUR"), (-1050, "EUR", "-10.50 EUR"),
            (500, "JPY", "500 JPY"), (1_234_567, "JPY", "1,234,567 JPY"), (1234, "BHD", "1.234 BHD"),
            (7, "BHD", "0.007 BHD"), (123_456_789, "USD", "1,234,567.89 USD"),
            (Int64.min, "JPY", "-9,223,372,036,854,775,808 JPY"),
        ] as [(Int64, String, String)]
    )
    func amounts(amount: Int64, code: String, text: String) throws {
        #expect(try #require(Currency(code: code)).text(ofMinorUnits: amount) == text)
    }

    @Test("Only active codes are currencies", arguments: ["eur", "EURO", "EU", "", "XXX", "XTS", "XAU", "DEM", "ÉUR"])
    func unknownCurrencies(code: String) { #expect(Currency(code: code) == nil) }

    @Test("There are as many codes as ISO 4217 has, each of three capital letters")
    func codes() {
        #expect(Currency.codes.count > 150)
        #expect(Currency.codes.allSatisfy { $0.utf8.count == 3 && $0.utf8.allSatisfy { (65...90).contains($0) } })
    }

    @Test(
        "Addresses that a mail server takes are taken",
        arguments: [
            "a@b", "ada.lovelace+shop@mail.example.co.uk", "o'neill@example.com", "a_b-c@xn--bcher-kva.example",
        ]
    )
    func goodAddresses(text: String) { #expect(EmailAddress(text)?.text == text) }

    @Test(
        "Addresses that could carry anything else are not",
        arguments: [
            "", "@", "a", "a@", "@b", "a@b@c", "a b@c.example", "a@b c.example", "a@b.example\r\nBcc: x@y.example",
            "a\u{0}@b.example", "a@b..example", ".a@b.example", "a.@b.example", "a@-b.example", "a@b-.example",
            "<a@b.example>", "a,b@c.example", "\"a b\"@c.example", "a@[127.0.0.1]", "ä@b.example", "a@bücher.example",
            "a\u{2028}@b.example", String(repeating: "a", count: 65) + "@b.example",
            "a@" + Array(repeating: String(repeating: "b", count: 60), count: 5).joined(separator: "."),
        ]
    )
    func badAddresses(text: String) { #expect(EmailAddress(text) == nil) }
}
