import Events
import ShopEvents
import Testing

@testable import Shipping

@Suite("A shipment: what Order and the courier say, in any order")
struct ShipmentTests {
    /// One thing that happens to a shipment.
    enum Happening: String, Sendable, CaseIterable {
        case first, second, confirmed, ended, dispatched, delivered, conflict
    }

    static let parcel = Shipment.Parcel(trackingCode: "SBX1", version: 1)

    static func address(_ version: Int) -> PostalAddress {
        PostalAddress(
            name: "Ada Lovelace",
            lines: ["\(version) Square"],
            postalCode: "W1",
            city: "London",
            country: "GB"
        )
    }

    /// A shipment after those, and everything that was told.
    private static func play(_ happenings: [Happening]) throws -> (Shipment?, [Shipment.Announcement]) {
        var shipment: Shipment?
        var told: [Shipment.Announcement] = []
        for happening in happenings {
            guard var known = shipment else {
                switch happening {
                case .first: shipment = .announced("o-1", address(1), version: 1, at: 0)
                case .second: shipment = .announced("o-1", address(2), version: 2, at: 0)
                case .confirmed: shipment = .confirmed("o-1", at: 0)
                case .ended: shipment = .ended("o-1", at: 0)
                // Nobody told the courier of it: the desk answers 404.
                case .dispatched, .delivered, .conflict: break
                }
                continue
            }
            switch happening {
            case .first: known.addressChanged(to: address(1), version: 1, at: 1)
            case .second: known.addressChanged(to: address(2), version: 2, at: 1)
            case .confirmed: _ = known.confirmed(at: 1)
            case .ended: known.ended(at: 1)
            case .dispatched, .conflict: told += try known.take(.dispatched(parcel), at: 1)
            case .delivered: told += try known.take(.delivered(parcel), at: 1)
            }
            shipment = known
        }
        return (shipment, told)
    }

    private static func pairs(_ happenings: [Happening]) -> [(Happening, Happening)] {
        happenings.flatMap { one in happenings.filter { $0 != one }.map { (one, $0) } }
    }

    @Test("Of what Order says, the end wins over everything, and the newest address over the older, in both orders")
    func orderWords() throws {
        for (one, other) in Self.pairs([.first, .second, .confirmed, .ended]) {
            let (shipment, told) = try Self.play([one, other])
            let both: Set<Happening> = [one, other]
            #expect(told.isEmpty)
            if both.contains(.ended) {
                #expect(shipment?.state == .calledOff, "\(one), \(other)")
                #expect(shipment?.address == nil, "\(one), \(other)")
            } else {
                let newest = both.contains(.second) ? 2 : 1
                #expect(shipment?.version == newest, "\(one), \(other)")
                #expect(shipment?.address == Self.address(newest), "\(one), \(other)")
                #expect(shipment?.state == (both.contains(.confirmed) ? .requested : .announced), "\(one), \(other)")
            }
        }
    }

    @Test("Once the courier is told, each pair of what may happen next ends as the table says, in both orders")
    func crossings() throws {
        for (one, other) in Self.pairs([.second, .ended, .dispatched, .delivered, .conflict]) {
            let (result, told) = try Self.play([.first, .confirmed, one, other])
            let shipment = try #require(result)
            let both: Set<Happening> = [one, other]
            let hasLeft = !both.isDisjoint(with: [.dispatched, .conflict])
            let expected: Shipment.State =
                if both.contains(.delivered) {
                    .delivered
                } else if both.contains(.ended) {
                    .callingOff
                } else {
                    hasLeft ? .dispatched : .requested
                }
            #expect(shipment.state == expected, "\(one), \(other)")
            let isLeavingTold = one != .ended && (hasLeft || both.contains(.delivered))
            let dispatched = ShipmentDispatched(orderID: "o-1", trackingCode: "SBX1", addressVersion: 1)
            #expect(told.filter { $0 == .dispatched(dispatched) }.count == (isLeavingTold ? 1 : 0), "\(one), \(other)")
            let isArrivalTold = both.contains(.delivered) && (one == .delivered || !both.contains(.ended))
            #expect(
                told.filter { $0 == .delivered(ShipmentDelivered(orderID: "o-1")) }.count == (isArrivalTold ? 1 : 0),
                "\(one), \(other)"
            )
            #expect((shipment.address == nil) == (shipment.state != .requested), "\(one), \(other)")
        }
    }

    @Test("An address that the courier does not take is told, and the next one is tried")
    func refused() throws {
        var shipment = try #require(try Self.play([.first, .confirmed]).0)
        let refused = ShipmentRefused(orderID: "o-1", reason: "unknown_address", addressVersion: 1)
        #expect(
            try shipment.take(.refused(version: 1, reason: "unknown_address"), at: 2) == [.refused(refused)]
        )
        #expect(shipment.state == .waiting)
        #expect(shipment.step == .lookUp)
        shipment.addressChanged(to: Self.address(2), version: 2, at: 3)
        #expect(shipment.step == .book(Self.address(2), version: 2))
        #expect(try shipment.take(.refused(version: 1, reason: "unknown_address"), at: 4).isEmpty)
        #expect(shipment.state == .requested)
    }

    @Test("Where the courier refuses a newer address it is asked what it does with the older one, which may leave")
    func refusedNewer() throws {
        var shipment = try #require(try Self.play([.first, .confirmed]).0)
        _ = try shipment.take(.booked(version: 1), at: 2)
        shipment.addressChanged(to: Self.address(2), version: 2, at: 3)
        #expect(try shipment.take(.refused(version: 2, reason: "unknown_address"), at: 4).count == 1)
        #expect(shipment.step == .lookUp)
        #expect(try shipment.take(.booked(version: 1), at: 5).isEmpty)
        #expect(shipment.step(after: .booked(version: 1)) == .lookUp, "it is asked again")
        #expect(try shipment.take(.unknown, at: 5).isEmpty)
        #expect(shipment.step(after: .unknown) == .nothing, "it holds no address")
        let left = try shipment.take(.dispatched(Shipment.Parcel(trackingCode: "T-1", version: 1)), at: 6)
        let event = ShipmentDispatched(orderID: "o-1", trackingCode: "T-1", addressVersion: 1)
        #expect(left == [.dispatched(event)])
        var unaddressed = Shipment.confirmed("o-2", at: 0)
        #expect(unaddressed.step == .nothing, "it was told of nothing")
        unaddressed.ended(at: 1)
        #expect(unaddressed.state == .calledOff)
    }

    @Test("An answer about an older address does not make the newest one known to the courier")
    func lateAnswer() throws {
        var shipment = try #require(try Self.play([.first, .confirmed, .second]).0)
        #expect(try shipment.take(.booked(version: 1), at: 2).isEmpty)
        #expect(shipment.step == .book(Self.address(2), version: 2))
    }

    @Test("An address that it was never told of, and a second tracking code, are contradictions and change nothing")
    func contradictions() throws {
        var shipment = try #require(try Self.play([.first, .confirmed, .dispatched]).0)
        let before = shipment
        let lies: [Shipment.Word] = [
            .booked(version: 2), .delivered(Shipment.Parcel(trackingCode: "SBX1", version: 8)),
            .delivered(Shipment.Parcel(trackingCode: "OTHER", version: 1)), .calledOff, .returning(Self.parcel),
            .unknown,
        ]
        for lie in lies {
            #expect(throws: Shipment.Contradiction.self, "\(lie)") { _ = try shipment.take(lie, at: 9) }
            #expect(shipment == before)
        }
    }
}
