import Database
import Events
import Messaging
import ShopEvents
import Telemetry

/// What Shipping does when Order speaks, and when it is time to ask the courier.
///
/// Order's events are written down at once and wait for nobody. The courier is asked in turns of their own, outside of
/// transactions; what it answers goes through the same pure transitions as its webhooks, for a shipment that is read again.
struct ShippingHandlers: Sendable {
    let desk: DispatchDesk
    let database: Database
    let courier: any Courier
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(
        desk: DispatchDesk,
        database: Database,
        courier: any Courier,
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.desk = desk
        self.database = database
        self.courier = courier
        self.now = now
    }

    func register(on subscriber: Subscriber) {
        subscriber.on(OrderShippingAddressChanged.self) { event, delivery in
            try await delivery.commit { try desk.addressChanged(event, at: now(), in: $0) }
        }
        subscriber.on(OrderConfirmed.self) { event, delivery in
            try await delivery.commit { try desk.orderConfirmed(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(OrderCancelled.self) { event, delivery in
            try await delivery.commit { try desk.orderEnded(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(OrderRejected.self) { event, delivery in
            try await delivery.commit { try desk.orderEnded(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(CourierTurn.self) { event, delivery in
            try await turn(of: event.orderID, delivery)
        }
    }

    /// Asks the courier for what the shipment needs now.
    ///
    /// A turn that was replaced while the courier was asked commits nothing: the one that replaced it asks again, which the courier
    /// takes as often as it comes.
    private func turn(of orderID: String, _ delivery: Delivery) async throws {
        let shipment = try await database.read { try ShipmentStore().find(orderID, in: $0) }
        let word: Shipment.Word
        switch shipment?.step ?? .nothing {
        case .nothing: return
        case .book(let address, let version): word = try await courier.book(orderID, address, version: version)
        case .lookUp: word = try await courier.lookUp(orderID)
        case .callOff: word = try await courier.callOff(orderID)
        }
        do {
            try await delivery.commit { try desk.take(word, of: orderID, at: now(), in: $0) }
        } catch let contradiction as Shipment.Contradiction {
            throw HandlerError.permanent("courier.contradiction", contradiction.description)
        }
    }
}
