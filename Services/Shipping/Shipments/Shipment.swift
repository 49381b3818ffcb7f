import ShopEvents

/// The parcel of one order: what Order said of it, what the courier said of it, and so what is to be done.
///
/// A pure value. Order's events and the courier's words may come in any order and more than once; each transition says what has to be
/// told, and `step` what the courier is to be asked for. The table in the README is this file in other words.
struct Shipment: Sendable, Equatable {
    /// Where it stands.
    enum State: String, Sendable, CaseIterable {
        /// It has an address; the order is not confirmed yet.
        case announced
        /// The order is confirmed, and the courier does not take its newest address, or there is none. It may hold an older one.
        case waiting
        /// The courier is to be told of the newest address, and perhaps has been.
        case requested
        /// The courier has the newest address.
        case booked
        /// The courier has the parcel.
        case dispatched
        /// The courier has delivered it.
        case delivered
        /// The order has ended; the courier is to be told.
        case callingOff = "calling-off"
        /// The order has ended, and nothing is sent.
        case calledOff = "called-off"
        /// The order has ended; the courier brings the parcel back.
        case returning
    }

    /// What the courier has got.
    struct Parcel: Sendable, Equatable {
        /// The courier's name of it.
        let trackingCode: String
        /// Which of the order's addresses it goes to.
        let version: Int
    }

    /// What the courier says of a shipment, in an answer or by webhook.
    enum Word: Sendable, Equatable {
        /// It has that address.
        case booked(version: Int)
        /// It does not take a parcel to that address.
        case refused(version: Int, reason: String)
        /// The parcel is on its way.
        case dispatched(Parcel)
        /// The parcel is there.
        case delivered(Parcel)
        /// The parcel comes back.
        case returning(Parcel)
        /// Nothing will be sent, however late it is asked for.
        case calledOff
        /// It has never heard of it.
        case unknown
    }

    /// What the courier is to be asked for now.
    enum Step: Sendable, Equatable {
        case nothing
        case book(PostalAddress, version: Int)
        case lookUp
        case callOff
    }

    /// What has to be told of a change, in this order.
    enum Announcement: Sendable, Equatable {
        case dispatched(ShipmentDispatched)
        case delivered(ShipmentDelivered)
        case refused(ShipmentRefused)
    }

    /// The courier's words do not go together with what it was told, or said before: a person has to find out.
    struct Contradiction: Error, Sendable, Equatable, CustomStringConvertible {
        /// Names what does not fit; no address.
        let description: String
    }

    let orderID: String
    private(set) var state: State
    /// The newest address, for as long as it may be needed: none any more once the parcel has left or the order has ended.
    private(set) var address: PostalAddress?
    /// Which of the order's addresses that is or was; 0 where there was none.
    private(set) var version: Int
    /// The newest address that the courier was to be told of; 0 where there was none, and then it can say nothing.
    private(set) var askedVersion: Int
    /// The newest address that the courier does not take; 0 where there is none.
    private(set) var refusedVersion: Int
    private(set) var parcel: Parcel?
    let createdAt: Int64
    private(set) var updatedAt: Int64

    /// As it is stored.
    init(
        orderID: String,
        state: State,
        address: PostalAddress?,
        version: Int,
        askedVersion: Int,
        refusedVersion: Int,
        parcel: Parcel?,
        createdAt: Int64,
        updatedAt: Int64
    ) {
        self.orderID = orderID
        self.state = state
        self.address = address
        self.version = version
        self.askedVersion = askedVersion
        self.refusedVersion = refusedVersion
        self.parcel = parcel
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    private init(_ orderID: String, _ state: State, at now: Int64) {
        self.init(
            orderID: orderID,
            state: state,
            address: nil,
            version: 0,
            askedVersion: 0,
            refusedVersion: 0,
            parcel: nil,
            createdAt: now,
            updatedAt: now
        )
    }

    // MARK: The first that is heard of an order

    /// Its address.
    static func announced(_ orderID: String, _ address: PostalAddress, version: Int, at now: Int64) -> Shipment {
        var shipment = Shipment(orderID, .announced, at: now)
        shipment.addressChanged(to: address, version: version, at: now)
        return shipment
    }

    /// Its confirmation: it waits for an address.
    static func confirmed(_ orderID: String, at now: Int64) -> Shipment { Shipment(orderID, .waiting, at: now) }

    /// Its end: whatever comes late finds that nothing is to be sent.
    static func ended(_ orderID: String, at now: Int64) -> Shipment { Shipment(orderID, .calledOff, at: now) }

    // MARK: What Order says

    /// The order has another address; an older one than is known changes nothing, nor does any once the parcel has left.
    mutating func addressChanged(to address: PostalAddress, version: Int, at now: Int64) {
        guard version > self.version else { return }
        switch state {
        case .announced:
            self.address = address
            self.version = version
            updatedAt = now
        case .waiting, .requested, .booked:
            self.address = address
            self.version = version
            request(at: now)
        case .dispatched, .delivered, .callingOff, .calledOff, .returning:
            break
        }
    }

    /// The order is paid: its parcel may go.
    ///
    /// - Returns: false where it had ended before.
    mutating func confirmed(at now: Int64) -> Bool {
        switch state {
        case .announced: request(at: now)
        case .waiting, .requested, .booked, .dispatched, .delivered: break
        case .callingOff, .calledOff, .returning: return false
        }
        return true
    }

    /// The order is cancelled or rejected.
    mutating func ended(at now: Int64) {
        switch state {
        case .announced: move(to: .calledOff, at: now)
        case .waiting: move(to: askedVersion == 0 ? .calledOff : .callingOff, at: now)
        case .requested, .booked, .dispatched: move(to: .callingOff, at: now)
        case .delivered, .callingOff, .calledOff, .returning: break
        }
    }

    private mutating func request(at now: Int64) {
        askedVersion = version
        move(to: .requested, at: now)
    }

    private mutating func move(to state: State, at now: Int64) {
        self.state = state
        updatedAt = now
        switch state {
        case .announced, .waiting, .requested, .booked: break
        // Where somebody lives is kept for as long as somebody has to go there.
        case .dispatched, .delivered, .callingOff, .calledOff, .returning: address = nil
        }
    }

    // MARK: What the courier says

    /// What the courier is to be asked for.
    var step: Step {
        switch state {
        case .requested: address.map { .book($0, version: version) } ?? .nothing
        case .booked, .dispatched: .lookUp
        // An address that it was told of before the one that it refused may be where the parcel goes.
        case .waiting: askedVersion == 0 ? .nothing : .lookUp
        case .callingOff: .callOff
        case .announced, .delivered, .calledOff, .returning: .nothing
        }
    }

    /// What the courier is to be asked for after it has said that: one that holds no address beside those that it refused can send
    /// nothing until it is told of another.
    func step(after word: Word) -> Step {
        state == .waiting && word == .unknown ? .nothing : step
    }

    /// Takes the courier's word, as often and as late as it comes.
    ///
    /// - Returns: what has to be told.
    /// - Throws: `Contradiction`; nothing has changed then.
    mutating func take(_ word: Word, at now: Int64) throws(Contradiction) -> [Announcement] {
        switch word {
        case .booked(let version):
            try check(version)
            // An older one where the newest is being told changes nothing; where it was told, the courier has forgotten it.
            if state == .requested, version == self.version { move(to: .booked, at: now) }
            if state == .booked, version < self.version { request(at: now) }
            return []
        case .refused(let version, let reason):
            try check(version)
            guard state == .requested, version == self.version else { return [] }
            refusedVersion = version
            move(to: .waiting, at: now)
            return [.refused(ShipmentRefused(orderID: orderID, reason: reason, addressVersion: version))]
        case .dispatched(let parcel):
            try check(parcel)
            return hasLeft(parcel, at: now)
        case .delivered(let parcel):
            try check(parcel)
            guard state != .delivered else { return [] }
            let announcements = hasLeft(parcel, at: now)
            guard state == .dispatched else {
                // Nobody could stop it: the order has ended, and is not told.
                move(to: .delivered, at: now)
                return []
            }
            move(to: .delivered, at: now)
            return announcements + [.delivered(ShipmentDelivered(orderID: orderID))]
        case .returning(let parcel):
            try check(parcel)
            guard hasEnded else { throw Contradiction(description: "the parcel comes back, and nobody called it back") }
            self.parcel = parcel
            if state != .returning { move(to: .returning, at: now) }
            return []
        case .calledOff:
            guard hasEnded else { throw Contradiction(description: "it is called off, and nobody did that") }
            if state == .callingOff { move(to: parcel == nil ? .calledOff : .returning, at: now) }
            return []
        case .unknown:
            // It has forgotten it: told again.
            if state == .booked { request(at: now) }
            guard state != .dispatched else {
                throw Contradiction(description: "the courier does not know a parcel that it had dispatched")
            }
            return []
        }
    }

    /// Whether the order is known to have ended before the parcel arrived.
    private var hasEnded: Bool {
        switch state {
        case .callingOff, .calledOff, .returning: true
        case .announced, .waiting, .requested, .booked, .dispatched, .delivered: false
        }
    }

    private mutating func hasLeft(_ parcel: Parcel, at now: Int64) -> [Announcement] {
        switch state {
        case .announced, .waiting, .requested, .booked:
            self.parcel = parcel
            move(to: .dispatched, at: now)
            let event = ShipmentDispatched(
                orderID: orderID,
                trackingCode: parcel.trackingCode,
                addressVersion: parcel.version
            )
            return [.dispatched(event)]
        case .calledOff:
            // It left all the same: called back.
            self.parcel = parcel
            move(to: .callingOff, at: now)
        case .callingOff:
            self.parcel = parcel
        case .dispatched, .delivered, .returning: break
        }
        return []
    }

    private func check(_ version: Int) throws(Contradiction) {
        guard (1...max(1, askedVersion)).contains(version), askedVersion > 0 else {
            throw Contradiction(description: "the courier names the address \(version); it was told of \(askedVersion)")
        }
    }

    private func check(_ parcel: Parcel) throws(Contradiction) {
        try check(parcel.version)
        guard self.parcel.map({ $0 == parcel }) ?? true else {
            throw Contradiction(
                description: "the courier gives the parcel another tracking code or address than before"
            )
        }
    }
}
