import Database
import Events
import FoundationEssentials
import HTTP
import ShopEvents
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Messaging
@testable import Notification

/// Notification without a broker: its handlers on a database of its own, with a mail server or without.
private struct NotificationWorld {
    let folder: TemporaryFolder
    let database: Database
    let subscriber = Subscriber()
    let log = NotificationLog()
    let receipts = NotificationReceipts()
    private let events: EventStore

    /// Lends a world whose mail server is at that address.
    static func with(smtp: String, _ body: (NotificationWorld) async throws -> Void) async throws {
        let folder = try TemporaryFolder("notification")
        let database = try await Database.open(
            "sqlite:\(folder.file("notification.db").path)",
            migrations: [MessagingRuntime.migrations, MailStore.migrations],
            logger: .silent
        )
        let client = try SMTPClient(url: smtp, timeout: .seconds(60), connectTimeout: .seconds(60))
        let world = NotificationWorld(
            folder: folder,
            database: database,
            events: EventStore(
                database: database,
                source: "/notification-service",
                limits: EventLimits(),
                onCommit: { _ in }
            )
        )
        try NotificationHandlers.usual(client, logger: Logger("notification", level: .trace, sink: world.log))
            .register(on: world.subscriber)
        let result: Result<Void, any Error>
        do { result = .success(try await body(world)) } catch { result = .failure(error) }
        client.close()
        await database.close()
        try result.get()
    }

    /// Hands an event to its handler, as the inbox would.
    func deliver(
        _ event: some Event,
        id: String = UUIDv7.make(),
        time: String = Timestamp.now().description
    ) async throws {
        let envelope = Envelope(
            id: id,
            source: "/order-service",
            type: type(of: event).type,
            subject: event.subject,
            time: time,
            data: try event.encodedData()
        )
        let delivery = Delivery(envelope: envelope, attempt: 1, database: database, events: events) { [receipts] _ in
            receipts.count.add(1, ordering: .relaxed)
            return .processed
        }
        let handler = try #require(subscriber.handler(of: envelope.type))
        try await handler(delivery)
    }

    /// The rows of `mails`, as `kind order message-id`.
    func recorded() async throws -> [String] {
        try await database.read { transaction in
            try transaction.query("SELECT kind, order_id, message_id FROM mails ORDER BY at, message_id").map { row in
                let (kind, order, id): (String, String, String) = (
                    try row["kind"], try row["order_id"], try row["message_id"]
                )
                return "\(kind) \(order) \(id)"
            }
        }
    }
}

extension NotificationHandlers {
    /// What tests write mails with.
    static func usual(
        _ client: SMTPClient,
        connections: Int = 4,
        limit: Int = 0,
        logger: Logger = .silent
    ) throws -> NotificationHandlers {
        NotificationHandlers(
            gateway: MailGateway(
                client: client,
                desk: MailDesk(connections: connections, logger: logger),
                limit: RecipientLimit(most: limit),
                from: try #require(EmailAddress("shop@warren.example")),
                fromName: "Your shop"
            ),
            templates: try MailTemplates([try BuiltInTemplates.files()], fallback: "en"),
            shop: "Your shop",
            logger: logger
        )
    }
}

extension MailSink {
    /// Lends a mail server.
    static func with(_ body: (MailSink) async throws -> Void) async throws {
        let folder = try TemporaryFolder("mail-sink")
        let sink = try await MailSink(folder: folder)
        let result: Result<Void, any Error>
        do { result = .success(try await body(sink)) } catch { result = .failure(error) }
        try await sink.stop()
        try result.get()
    }
}

/// How many deliveries have got their receipt.
private final class NotificationReceipts: Sendable {
    let count = Atomic(0)
    var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }
}

/// Keeps what is logged, to look for what must not be there.
private final class NotificationLog: LogSink {
    private let records = Mutex<[String]>([])
    var lines: [String] { records.withLock { $0 } }
    func write(_ record: LogRecord) {
        let fields = record.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        records.withLock { $0.append("\(record.message) \(fields)") }
    }
}

@Suite("Notification and its mail server", .timeLimit(.minutes(5)))
struct NotificationHandlerTests {
    private static let customer = Customer(email: "ada@example.com", name: "Ada Lovelace")
    private static let total = Money(amount: 1300, currency: "EUR")
    private static let confirmed = OrderConfirmed(orderID: "o-1", customer: customer, total: total)

    private func withSink(_ body: (MailSink, NotificationWorld) async throws -> Void) async throws {
        try await MailSink.with { sink in
            try await NotificationWorld.with(smtp: sink.url) { try await body(sink, $0) }
        }
    }

    @Test("Each of the seven events is a mail to the customer and a row without an address")
    func mails() async throws {
        try await withSink { sink, world async throws in
            try await world.deliver(Self.confirmed, id: "e-1")
            try await world.deliver(
                OrderRejected(orderID: "o-2", customer: Self.customer, reason: "payment-declined"),
                id: "e-2"
            )
            try await world.deliver(
                OrderCancelled(orderID: "o-1", customer: Self.customer, total: Self.total),
                id: "e-3"
            )
            try await world.deliver(
                OrderRefunded(orderID: "o-1", customer: Self.customer, total: Self.total),
                id: "e-4"
            )
            try await world.deliver(
                OrderDispatched(orderID: "o-1", customer: Self.customer, trackingCode: "TRK-1"),
                id: "e-5"
            )
            try await world.deliver(
                OrderLinesCancelled(
                    orderID: "o-3",
                    customer: Self.customer,
                    number: 1,
                    lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: 300)],
                    total: Self.total
                ),
                id: "e-6"
            )
            try await world.deliver(
                OrderPartlyRefunded(orderID: "o-3", customer: Self.customer, number: 1, total: Self.total),
                id: "e-7"
            )
            let mails = try await sink.mails()
            #expect(mails.map(\.to) == Array(repeating: "ada@example.com", count: 7))
            #expect(
                mails.map(\.subject) == [
                    "Your order o-1 is confirmed", "Your order o-2 could not be accepted",
                    "Your order o-1 is cancelled", "Your order o-1 is refunded", "Your order o-1 is on its way",
                    "A part of your order o-3 is cancelled", "A part of your order o-3 is refunded",
                ]
            )
            #expect(mails.map(\.messageID) == (1...7).map { "e-\($0)@warren.example" })
            #expect(try await sink.source(of: mails[0]).contains("\r\nFrom: Your shop <shop@warren.example>"))
            #expect(try await sink.source(of: mails[0]).contains("multipart/alternative"))
            let rows = try await world.recorded()
            #expect(
                Set(rows) == [
                    "confirmed o-1 <e-1@warren.example>", "rejected o-2 <e-2@warren.example>",
                    "cancelled o-1 <e-3@warren.example>", "refunded o-1 <e-4@warren.example>",
                    "dispatched o-1 <e-5@warren.example>", "partly-cancelled o-3 <e-6@warren.example>",
                    "partly-refunded o-3 <e-7@warren.example>",
                ]
            )
            #expect(world.log.lines.count == 7)
            #expect(world.log.lines.allSatisfy { !$0.contains("ada@") && !$0.contains("Lovelace") })
        }
    }

    @Test("A second copy carries the same Message-ID and is the same row")
    func repeated() async throws {
        try await withSink { sink, world async throws in
            try await world.deliver(Self.confirmed, id: "e-1")
            try await world.deliver(Self.confirmed, id: "e-1")
            #expect(try await sink.mails().map(\.messageID) == ["e-1@warren.example", "e-1@warren.example"])
            #expect(try await world.recorded().count == 1)
        }
    }

    @Test("A refusal is what the server says it is, and nothing is recorded", arguments: [451, 550])
    func refused(code: Int) async throws {
        try await withSink { sink, world async throws in
            try await sink.refuse(with: code)
            let error = await #expect(throws: HandlerError.self) { try await world.deliver(Self.confirmed) }
            #expect(error?.kind == (code == 451 ? .transient : .permanent))
            #expect(error?.errorClass == (code == 451 ? "mail.deferred" : "mail.refused"))
            #expect(error?.message.contains("\(code)") == true)
            #expect(error?.message.contains("@") == false)
            #expect(try await world.recorded().isEmpty)
            #expect(world.receipts.isEmpty, "a mail that was not taken has no receipt")
            try await sink.refuse(with: nil)
            try await world.deliver(Self.confirmed)
            #expect(try await sink.mails().count == 1)
        }
    }

    @Test("A server that is away can be retried")
    func unreachable() async throws {
        let port = try FreePort.next()
        try await NotificationWorld.with(smtp: "smtp://127.0.0.1:\(port)") { world async throws in
            let error = await #expect(throws: HandlerError.self) { try await world.deliver(Self.confirmed) }
            #expect(error?.kind == .transient)
            #expect(error?.errorClass == "mail.unreachable")
            #expect(try await world.recorded().isEmpty)
            #expect(world.receipts.isEmpty, "a mail that was not taken has no receipt")
        }
    }

    @Test("What cannot be mailed never reaches the server")
    func unmailable() async throws {
        let port = try FreePort.next()
        try await NotificationWorld.with(smtp: "smtp://127.0.0.1:\(port)") { world async throws in
            let hostile = Customer(email: "ada@example.com\r\nRCPT TO:<eve@example.com>", name: "Ada")
            await #expect(throws: EventFault.self) {
                try await world.deliver(OrderConfirmed(orderID: "o", customer: hostile, total: Self.total))
            }
            let euro = Money(amount: 1, currency: "euro")
            await #expect(throws: EventFault.self) {
                try await world.deliver(OrderRefunded(orderID: "o", customer: Self.customer, total: euro))
            }
            let error = await #expect(throws: HandlerError.self) {
                try await world.deliver(Self.confirmed, time: "yesterday")
            }
            #expect(error?.kind == .permanent)
            #expect(error?.errorClass == "mail.invalid-time")
        }
    }

    @Test("Notification has a handler for every type that its queue takes")
    func complete() async throws {
        try await NotificationWorld.with(smtp: "smtp://127.0.0.1:1") { world async throws in
            let shop = Shop.topology(with: Set(Shop.Context.allCases))
            let subscription = shop.subscriptions.first { $0.subscriber == "notification" }
            #expect(world.subscriber.types == Set(try #require(subscription).types))
        }
    }
}
