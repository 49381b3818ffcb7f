/// A courier's books: a pure value that knows no clock.
///
/// Times are milliseconds since 1970. A shipment has the newest address that it was given, leaves after a while and arrives after
/// another. What was called off before it was ever asked for stays so.
struct CourierState: Sendable {
    /// Where a parcel goes, as clients write it.
    struct Address: Codable, Sendable, Equatable {
        /// Its members, as they are written.
        static let members = ["name", "lines", "postalCode", "city", "country"]

        var name: String
        var lines: [String]
        var postalCode: String
        var city: String
        var country: String

        /// Whether parcels can go there: not to Nowhere, nor to the codes that ISO 3166-1 leaves to its users.
        var isKnown: Bool {
            city != "Nowhere" && country.utf8.count == 2 && country != "AA" && country != "ZZ" && country.first != "X"
                && !("QM"..."QZ").contains(country)
        }
    }

    enum Stage: String, Codable, Sendable {
        case booked
        case dispatched
        case delivered
        case returning
        case calledOff = "called_off"
    }

    /// One shipment.
    struct Shipment: Sendable, Equatable {
        let id: String
        var address: Address?
        var version = 0
        var stage = Stage.booked
        var trackingCode: String?
        /// When it moves on by itself.
        var due: Int64?
    }

    /// What the courier has done, for those who look at it from outside.
    struct Effect: Encodable, Sendable, Equatable {
        enum Kind: String, Encodable, Sendable {
            case addressTaken = "address-taken"
            case addressRefused = "address-refused"
            case dispatched
            case delivered
            case calledBack = "called-back"
            case calledOff = "called-off"
        }

        let shipment: String
        let kind: Kind
        let version: Int
        /// The address that was taken or refused.
        var address: Address?
    }

    /// What a client is answered.
    enum Reply: Sendable, Equatable {
        case shipment(Shipment, isNew: Bool)
        case refused(Refusal, Shipment?)
    }

    /// Why something is refused, as a code.
    enum Refusal: String, Sendable {
        case staleAddress = "stale_address"
        case alreadyDispatched = "already_dispatched"
        case alreadyDelivered = "already_delivered"
        case calledOff = "called_off"
        case unknownAddress = "unknown_address"
        case unknownShipment = "unknown_shipment"
    }

    /// How long after its booking a parcel leaves, and after that arrives.
    let delay: Int64
    private(set) var shipments: [String: Shipment] = [:]
    private(set) var effects: [Effect] = []

    init(delay: Int64) {
        self.delay = delay
    }

    // MARK: Clients

    /// Books a shipment, or gives it another address.
    mutating func put(_ id: String, _ address: Address, version: Int, at now: Int64) -> Reply {
        let known = shipments[id]
        if let known {
            switch known.stage {
            case .calledOff: return .refused(.calledOff, known)
            case .dispatched, .returning: return .refused(.alreadyDispatched, known)
            case .delivered: return .refused(.alreadyDelivered, known)
            case .booked: break
            }
            guard version >= known.version else { return .refused(.staleAddress, known) }
            // The same one again: whatever else stands in it, the first counts.
            if version == known.version { return .shipment(known, isNew: false) }
        }
        guard address.isKnown else {
            effects.append(Effect(shipment: id, kind: .addressRefused, version: version, address: address))
            return .refused(.unknownAddress, known)
        }
        var shipment = known ?? Shipment(id: id, due: now + delay)
        shipment.address = address
        shipment.version = version
        shipments[id] = shipment
        effects.append(Effect(shipment: id, kind: .addressTaken, version: version, address: address))
        return .shipment(shipment, isNew: known == nil)
    }

    /// Shows a shipment.
    func get(_ id: String) -> Reply {
        shipments[id].map { .shipment($0, isNew: false) } ?? .refused(.unknownShipment, nil)
    }

    /// Calls a shipment off, or back where it has left.
    mutating func delete(_ id: String) -> Reply {
        var shipment = shipments[id] ?? Shipment(id: id)
        switch shipment.stage {
        case .booked:
            shipment.stage = .calledOff
            shipment.due = nil
            effects.append(Effect(shipment: id, kind: .calledOff, version: shipment.version))
        case .dispatched:
            shipment.stage = .returning
            shipment.due = nil
            effects.append(Effect(shipment: id, kind: .calledBack, version: shipment.version))
        case .delivered: return .refused(.alreadyDelivered, shipment)
        case .calledOff, .returning: break
        }
        shipments[id] = shipment
        return .shipment(shipment, isNew: false)
    }

    // MARK: Parcels

    /// When something happens next.
    var nextDue: Int64? { shipments.values.compactMap(\.due).min() }

    /// Lets happen what is due.
    ///
    /// - Returns: the shipments that have moved on, each as it is now.
    mutating func advance(to now: Int64) -> [Shipment] {
        let due = shipments.values.filter { ($0.due ?? .max) <= now }.map(\.id)
        return due.sorted().compactMap { moveOn($0, at: now) }
    }

    /// Lets a parcel leave, or, where it has left, arrive.
    ///
    /// - Returns: the shipment as it is now; nil where it does not move.
    mutating func moveOn(_ id: String, at now: Int64) -> Shipment? {
        guard var shipment = shipments[id] else { return nil }
        switch shipment.stage {
        case .booked:
            shipment.stage = .dispatched
            shipment.trackingCode = "SBX" + String(1_000_000 + effects.count)
            shipment.due = now + delay
            effects.append(Effect(shipment: id, kind: .dispatched, version: shipment.version))
        case .dispatched:
            shipment.stage = .delivered
            shipment.due = nil
            effects.append(Effect(shipment: id, kind: .delivered, version: shipment.version))
        case .delivered, .returning, .calledOff: return nil
        }
        shipments[id] = shipment
        return shipment
    }
}
