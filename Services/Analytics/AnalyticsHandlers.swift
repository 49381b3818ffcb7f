import Events
import Messaging
import ShopEvents
import Telemetry

/// What Analytics does when it reads of an order: it tells the data platform.
struct AnalyticsHandlers: Sendable {
    let platform: PlatformGateway
    let logger: Logger

    func register(on subscriber: Subscriber) {
        subscriber.on(OrderConfirmed.self) { event, delivery in
            try await tell(try OrderRecord(delivery.envelope, orderID: event.orderID, total: event.total))
        }
        subscriber.on(OrderCancelled.self) { event, delivery in
            try await tell(try OrderRecord(delivery.envelope, orderID: event.orderID, total: event.total))
        }
        subscriber.on(OrderLinesCancelled.self) { event, delivery in
            try await tell(try OrderRecord(delivery.envelope, orderID: event.orderID, total: event.total))
        }
        subscriber.on(OrderPartlyRefunded.self) { event, delivery in
            try await tell(try OrderRecord(delivery.envelope, orderID: event.orderID, total: event.total))
        }
        subscriber.on(OrderRefunded.self) { event, delivery in
            try await tell(
                try OrderRecord(delivery.envelope, orderID: event.orderID, total: event.total, reason: event.reason)
            )
        }
    }

    /// The receipt is committed when this has returned: a record is told before it counts as told.
    private func tell(_ record: OrderRecord) async throws {
        try await platform.put(record)
        logger.info(
            "Told the data platform",
            [LogField("order.id", record.orderID), LogField("messaging.event.type", record.type)]
        )
    }
}
