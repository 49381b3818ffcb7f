import ShopEvents
import Testing

@testable import Shipping

/// What can happen to a shipment, each once or more, by whoever says it.
private enum Crossing: String, CaseIterable, Sendable {
    case address1, address2, confirmed, cancelled, dispatched, delivered
    /// The courier's 409 to a booking: the parcel has left to the first address.
    case conflict
    case bookedIt, refusedIt

    /// Lets it happen as the desk would, where it can be: the courier says nothing of what it was never told.
    func happen(to shipment: inout Shipment?, _ said: inout [String]) throws {
        let parcel = Shipment.Parcel(trackingCode: "T-1", version: 1)
        switch self {
        case .address1: address(1, &shipment)
        case .address2: address(2, &shipment)
        case .confirmed:
            if shipment == nil { shipment = .confirmed("o", at: 0) } else { _ = shipment?.confirmed(at: 1) }
        case .cancelled: if shipment == nil { shipment = .ended("o", at: 0) } else { shipment?.ended(at: 1) }
        case .dispatched, .conflict: try say(.dispatched(parcel), &shipment, &said)
        case .delivered: try say(.delivered(parcel), &shipment, &said)
        case .bookedIt: try say(.booked(version: 1), &shipment, &said)
        case .refusedIt: try say(.refused(version: 1, reason: "unknown_address"), &shipment, &said)
        }
    }

    private func address(_ version: Int, _ shipment: inout Shipment?) {
        let address = ShipmentTests.address(version)
        guard shipment != nil else {
            shipment = .announced("o", address, version: version, at: 0)
            return
        }
        shipment?.addressChanged(to: address, version: version, at: 1)
    }

    private func say(_ word: Shipment.Word, _ shipment: inout Shipment?, _ said: inout [String]) throws {
        guard shipment?.askedVersion ?? 0 > 0 else { return }
        for announcement in try shipment?.take(word, at: 2) ?? [] {
            switch announcement {
            case .dispatched: said.append("dispatched")
            case .delivered: said.append("delivered")
            case .refused: said.append("refused")
            }
        }
    }
}

@Suite("A shipment, whatever comes first")
struct ShipmentCrossingTests {
    private func outcome(_ happenings: [Crossing]) throws -> (state: String, said: [String]) {
        var shipment: Shipment?
        var said: [String] = []
        for happening in happenings { try happening.happen(to: &shipment, &said) }
        return (shipment?.state.rawValue ?? "none", said)
    }

    /// The README's table of crossings: each pair, behind what had to be before, in both orders.
    static let crossings: [(before: String, first: String, then: String, state: String, said: String)] = [
        ("", "address1", "address2", "announced", ""),
        ("", "address2", "address1", "announced", ""),
        ("", "address1", "confirmed", "requested", ""),
        ("", "confirmed", "address1", "requested", ""),
        ("", "address1", "cancelled", "called-off", ""),
        ("", "cancelled", "address1", "called-off", ""),
        ("", "confirmed", "cancelled", "called-off", ""),
        ("", "cancelled", "confirmed", "called-off", ""),
        ("address1", "confirmed", "cancelled", "calling-off", ""),
        ("address1", "cancelled", "confirmed", "called-off", ""),
        ("address1", "address2", "confirmed", "requested", ""),
        ("address1", "confirmed", "address2", "requested", ""),
        ("address1", "dispatched", "confirmed", "requested", ""),
        ("address1", "confirmed", "dispatched", "dispatched", "dispatched"),
        ("address1 confirmed", "address2", "dispatched", "dispatched", "dispatched"),
        ("address1 confirmed", "dispatched", "address2", "dispatched", "dispatched"),
        ("address1 confirmed", "address2", "delivered", "delivered", "dispatched delivered"),
        ("address1 confirmed", "delivered", "address2", "delivered", "dispatched delivered"),
        ("address1 confirmed", "address2", "conflict", "dispatched", "dispatched"),
        ("address1 confirmed", "conflict", "address2", "dispatched", "dispatched"),
        ("address1 confirmed", "address2", "bookedIt", "requested", ""),
        ("address1 confirmed", "bookedIt", "address2", "requested", ""),
        ("address1 confirmed", "address2", "refusedIt", "requested", ""),
        ("address1 confirmed", "refusedIt", "address2", "requested", "refused"),
        ("address1 confirmed", "dispatched", "delivered", "delivered", "dispatched delivered"),
        ("address1 confirmed", "delivered", "dispatched", "delivered", "dispatched delivered"),
        ("address1 confirmed", "dispatched", "conflict", "dispatched", "dispatched"),
        ("address1 confirmed", "conflict", "dispatched", "dispatched", "dispatched"),
        ("address1 confirmed", "delivered", "conflict", "delivered", "dispatched delivered"),
        ("address1 confirmed", "conflict", "delivered", "delivered", "dispatched delivered"),
        ("address1 confirmed", "dispatched", "bookedIt", "dispatched", "dispatched"),
        ("address1 confirmed", "bookedIt", "dispatched", "dispatched", "dispatched"),
        ("address1 confirmed", "dispatched", "cancelled", "calling-off", "dispatched"),
        ("address1 confirmed", "cancelled", "dispatched", "calling-off", ""),
        ("address1 confirmed", "delivered", "cancelled", "delivered", "dispatched delivered"),
        ("address1 confirmed", "cancelled", "delivered", "delivered", ""),
        ("address1 confirmed", "conflict", "cancelled", "calling-off", "dispatched"),
        ("address1 confirmed", "cancelled", "conflict", "calling-off", ""),
        ("address1 confirmed", "refusedIt", "cancelled", "calling-off", "refused"),
        ("address1 confirmed", "cancelled", "refusedIt", "calling-off", ""),
        ("address1 confirmed", "address2", "cancelled", "calling-off", ""),
        ("address1 confirmed", "cancelled", "address2", "calling-off", ""),
    ]

    @Test("Each pair that can cross, in both orders", arguments: ShipmentCrossingTests.crossings.indices)
    func crossing(index: Int) throws {
        let row = Self.crossings[index]
        let names = row.before.split(separator: " ").map(String.init) + [row.first, row.then]
        let outcome = try outcome(names.map { try #require(Crossing(rawValue: $0)) })
        #expect(outcome.state == row.state, "\(names)")
        #expect(outcome.said.joined(separator: " ") == row.said, "\(names)")
    }

    @Test(
        "In any order and twice over, each thing is told at most once, dispatched before delivered, and the newest address wins"
    )
    func everyOrder() throws {
        let all: [Crossing] = [.address1, .address2, .confirmed, .dispatched, .delivered]
        for order in Self.permutations(all) {
            var shipment: Shipment?
            var said: [String] = []
            for happening in order + order { try happening.happen(to: &shipment, &said) }
            #expect(said == ["dispatched", "delivered"], "\(order)")
            #expect(shipment?.state == .delivered)
            #expect(shipment?.address == nil, "nobody has to go there any more")
        }
    }

    @Test("An order that ended is never told of, in any order, unless its parcel had left before")
    func endings() throws {
        for order in Self.permutations([Crossing.address1, .confirmed, .cancelled, .dispatched, .delivered]) {
            let end = try #require(order.firstIndex(of: .cancelled))
            let before = try outcome(Array(order[..<end])).said
            #expect(try outcome(order + order).said == before, "\(order)")
        }
    }

    private static func permutations(_ all: [Crossing]) -> [[Crossing]] {
        guard !all.isEmpty else { return [[]] }
        return all.indices.flatMap { index in
            var rest = all
            let first = rest.remove(at: index)
            return permutations(rest).map { [first] + $0 }
        }
    }

    @Test(
        "A courier that lies changes nothing: an address it was never told of, another code, a return that nobody asked for"
    )
    func lies() throws {
        var shipment = Shipment.announced("o", ShipmentTests.address(1), version: 1, at: 0)
        _ = shipment.confirmed(at: 0)
        let words: [Shipment.Word] = [
            .booked(version: 2), .booked(version: 0), .refused(version: 2, reason: "r"), .calledOff,
            .dispatched(Shipment.Parcel(trackingCode: "T", version: 2)),
            .returning(Shipment.Parcel(trackingCode: "T-1", version: 1)),
        ]
        for word in words {
            let before = shipment
            #expect(throws: Shipment.Contradiction.self) { try shipment.take(word, at: 1) }
            #expect(shipment == before)
        }
        _ = try shipment.take(.dispatched(Shipment.Parcel(trackingCode: "T-1", version: 1)), at: 1)
        #expect(throws: Shipment.Contradiction.self) {
            try shipment.take(.delivered(Shipment.Parcel(trackingCode: "T-2", version: 1)), at: 1)
        }
    }

    @Test("What the courier has forgotten, or has an old address of, is told again")
    func forgotten() throws {
        var shipment = Shipment.announced("o", ShipmentTests.address(2), version: 2, at: 0)
        _ = shipment.confirmed(at: 0)
        for word in [Shipment.Word.unknown, .booked(version: 1)] {
            _ = try shipment.take(.booked(version: 2), at: 1)
            #expect(shipment.step == .lookUp)
            _ = try shipment.take(word, at: 1)
            #expect(shipment.step == .book(ShipmentTests.address(2), version: 2))
        }
    }

    @Test("One that left all the same after it was called off is called back, once")
    func leftAllTheSame() throws {
        var shipment = Shipment.announced("o", ShipmentTests.address(1), version: 1, at: 0)
        _ = shipment.confirmed(at: 0)
        shipment.ended(at: 1)
        _ = try shipment.take(.calledOff, at: 1)
        #expect(shipment.state == .calledOff)
        #expect(try shipment.take(.dispatched(Shipment.Parcel(trackingCode: "T-1", version: 1)), at: 1) == [])
        #expect(shipment.step == .callOff)
        _ = try shipment.take(.returning(Shipment.Parcel(trackingCode: "T-1", version: 1)), at: 1)
        #expect(shipment.state == .returning)
        #expect(try shipment.take(.dispatched(Shipment.Parcel(trackingCode: "T-1", version: 1)), at: 1) == [])
        #expect(shipment.step == .nothing)
    }
}
