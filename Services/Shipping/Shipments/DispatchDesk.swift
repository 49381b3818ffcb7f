import Database
import Messaging
import ServiceKit
import ShopEvents
import Telemetry

/// What can happen to shipments: each call is one transaction's work - the shipment, what it has to say, and the courier's next turn.
struct DispatchDesk: Sendable {
    /// How often the courier is asked about a parcel that it says nothing of, in milliseconds.
    let checkInterval: Int64
    let logger: Logger
    private let store = ShipmentStore()

    init(checkInterval: Int64, logger: Logger) {
        self.checkInterval = checkInterval
        self.logger = logger
    }

    // MARK: Order

    /// An order has an address, for the first time or another one.
    func addressChanged(_ event: OrderShippingAddressChanged, at now: Int64, in transaction: Transaction) throws {
        guard let before = try store.find(event.orderID, in: transaction) else {
            let shipment = Shipment.announced(event.orderID, event.address, version: event.version, at: now)
            return try store.insert(shipment, in: transaction)
        }
        var shipment = before
        shipment.addressChanged(to: event.address, version: event.version, at: now)
        try write(shipment, from: before, at: now, in: transaction)
    }

    /// An order is paid.
    func orderConfirmed(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        guard let before = try store.find(orderID, in: transaction) else {
            return try store.insert(.confirmed(orderID, at: now), in: transaction)
        }
        var shipment = before
        guard shipment.confirmed(at: now) else {
            return transaction.afterCommit { [logger] in
                logger.warning("An order was confirmed that had ended", [LogField("order.id", orderID)])
            }
        }
        try write(shipment, from: before, at: now, in: transaction)
    }

    /// An order was cancelled or rejected.
    func orderEnded(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        guard let before = try store.find(orderID, in: transaction) else {
            return try store.insert(.ended(orderID, at: now), in: transaction)
        }
        var shipment = before
        shipment.ended(at: now)
        try write(shipment, from: before, at: now, in: transaction)
    }

    // MARK: The courier

    /// The courier has said something of a shipment.
    ///
    /// - Returns: false where there is no shipment of which it could have heard.
    /// - Throws: `Shipment.Contradiction`.
    @discardableResult
    func take(_ word: Shipment.Word, of orderID: String, at now: Int64, in transaction: Transaction) throws -> Bool {
        guard let before = try store.find(orderID, in: transaction), before.askedVersion > 0 else { return false }
        var shipment = before
        let announcements = try shipment.take(word, at: now)
        // The turn in which it was said is over: there is another one even where nothing has changed.
        try write(shipment, from: before, after: word, at: now, in: transaction)
        for announcement in announcements {
            switch announcement {
            case .dispatched(let event): try transaction.append(event)
            case .delivered(let event): try transaction.append(event)
            case .refused(let event): try transaction.append(event)
            }
        }
        return true
    }

    private func write(
        _ shipment: Shipment,
        from before: Shipment,
        after word: Shipment.Word? = nil,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        guard shipment != before || word != nil else { return }
        if shipment != before { try store.update(shipment, from: before, in: transaction) }
        let key = CourierTurn.key(of: shipment.orderID)
        switch word.map(shipment.step(after:)) ?? shipment.step {
        case .nothing: try transaction.cancelScheduled(key: key)
        case .book, .callOff: try transaction.schedule(CourierTurn(orderID: shipment.orderID), at: now, key: key)
        case .lookUp:
            try transaction.schedule(CourierTurn(orderID: shipment.orderID), at: now + checkInterval, key: key)
        }
        guard shipment.state != before.state else { return }
        transaction.afterCommit { [logger] in
            let fields = [
                LogField("order.id", shipment.orderID), LogField("shipment.state", shipment.state.rawValue),
                LogField("shipment.address_version", "\(shipment.version)"),
            ]
            guard before.state == .callingOff || before.state == .calledOff || before.state == .returning,
                shipment.state == .delivered || before.state == .calledOff
            else { return logger.info("A shipment has changed", fields) }
            logger.warning("A parcel has left or arrived although its order had ended", fields)
        }
    }
}
