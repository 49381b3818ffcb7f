import Events
import ShopEvents

extension Order {
    /// Where the order's parcel is, as Shipping has reported it.
    enum ShippingStatus: String, Sendable, Codable, CaseIterable {
        /// Not on its way: the order is not confirmed, has no address, or waits for the courier.
        case pending
        /// The courier does not take it to the address; another one may be given.
        case refused
        case dispatched
        case delivered
    }

    /// The parcel of an order in a shop that ships.
    struct Shipment: Sendable, Equatable, Codable {
        var status = ShippingStatus.pending
        /// All that the order was given, oldest first; the last one counts until the parcel is on its way.
        var addresses: [PostalAddress] = []
        /// Which of them the parcel goes to, from 1; nil before it is on its way.
        var dispatchedTo: Int?
        var trackingCode: String?
        /// The courier's code where it does not take the parcel.
        var reason: String?

        /// Where the parcel goes, as far as is known.
        var address: PostalAddress? {
            guard let dispatchedTo, addresses.indices.contains(dispatchedTo - 1) else { return addresses.last }
            return addresses[dispatchedTo - 1]
        }
    }

    /// What Shipping reports.
    enum ShippingReport: Sendable, Equatable {
        case dispatched(trackingCode: String, addressVersion: Int)
        case delivered
        case refused(reason: String, addressVersion: Int)

        var status: ShippingStatus {
            switch self {
            case .dispatched: .dispatched
            case .delivered: .delivered
            case .refused: .refused
            }
        }
    }

    /// Gives the order another address.
    ///
    /// - Throws: `Refusal.notShipped`, `.ended`, `.dispatched` or `.tooManyAddresses`.
    mutating func ship(to address: PostalAddress, by caller: String? = nil, at now: Int64) throws(Refusal) -> Outcome {
        guard var shipment else { throw .notShipped }
        guard status == .placed || status == .confirmed else { throw .ended }
        guard shipment.dispatchedTo == nil else { throw .dispatched }
        guard shipment.addresses.last != address else { return .unchanged }
        guard shipment.addresses.count < ContractLimits.addressVersion.upperBound else { throw .tooManyAddresses }
        shipment.addresses.append(address)
        shipment.status = .pending
        shipment.reason = nil
        record(OrderShippingAddressChanged.type, shipment: shipment, by: caller, at: now)
        return .changed(addressChanged)
    }

    /// Takes what Shipping reports.
    ///
    /// An address that was given while the parcel left comes too late: the order shows the one that it went to.
    ///
    /// - Throws: `Refusal.shippingContradiction`: an operator has to look at it.
    mutating func take(_ report: ShippingReport, at now: Int64) throws(Refusal) -> Outcome {
        guard var shipment else { throw .shippingContradiction(known: nil, reported: report.status) }
        let known = shipment.status
        shipment.status = report.status
        switch (known, report) {
        case (.dispatched, .dispatched), (.delivered, .delivered), (.delivered, .dispatched):
            return .unchanged  // A repetition, or overtaken.
        case (.pending, .dispatched(let code, let version)), (.refused, .dispatched(let code, let version)):
            shipment.dispatchedTo = version
            shipment.trackingCode = code
            shipment.reason = nil
            record(ShipmentDispatched.type, shipment: shipment, at: now)
            let event = OrderDispatched(orderID: id, customer: customer, trackingCode: code)
            return .changed(status == .confirmed ? [event] : [])
        case (_, .delivered):
            record(ShipmentDelivered.type, shipment: shipment, at: now)
            return .changed([])
        case (.pending, .refused(let reason, let version)), (.refused, .refused(let reason, let version)):
            // One that was replaced meanwhile is nobody's business any more.
            guard version == shipment.addresses.count, known == .pending else { return .unchanged }
            shipment.reason = reason
            record(ShipmentRefused.type, shipment: shipment, at: now)
            return .changed([])
        case (.dispatched, .refused), (.delivered, .refused):
            throw .shippingContradiction(known: known, reported: report.status)
        }
    }

    /// What tells of the order's newest address; nothing where it has none.
    var addressChanged: [any Event] {
        guard let shipment, let address = shipment.addresses.last else { return [] }
        let version = shipment.addresses.count
        return [OrderShippingAddressChanged(orderID: id, address: address, version: version)]
    }
}
