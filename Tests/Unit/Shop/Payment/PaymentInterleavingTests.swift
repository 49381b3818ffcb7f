import Testing

@testable import Payment
@testable import Sandbox

/// Deliveries, faults and crashes in random order, and what must hold at the end of each.
@Suite("Payment under random faults", .timeLimit(.minutes(5))) struct PaymentInterleavingTests {
    @Test(
        "Charged at most once, refunded at most once, and told exactly what happened",
        arguments: 1...8 as ClosedRange<UInt64>
    )
    func everySeed(batch: UInt64) async throws {
        try await PaymentDesk.open { desk async throws in
            for number in 1...25 as ClosedRange<UInt64> {
                let seed = batch * 1000 + number
                try await run(seed, at: desk)
            }
        }
    }

    /// One order: some deliveries of its request and its cancellation while everything goes wrong, then, with all
    /// faults over, each of those that had not ended well comes once more until it does.
    private func run(_ seed: UInt64, at desk: PaymentDesk) async throws {
        var random = Random(state: seed)
        let order = "order-\(seed)"
        let method = random.pick([PaymentMethod.visa, .visa, .declined, .errorOnce, .errorAfterOnce, .resetOnce])
        var requestIsOpen = false
        var cancelIsOpen = false
        var wasCancelled = false
        for _ in 1...random.number(upTo: 6) {
            if random.number(upTo: 2) == 1 {
                desk.plan(
                    random.pick([.error, .errorAfter, .reset, .unavailable, .rateLimit]),
                    for: random.pick([.charge, .refund])
                )
            }
            let isBlind = random.number(upTo: 4) == 1
            desk.hooks.set { $0.isLookUpBlind = isBlind }
            let crashing = random.number(upTo: 3) == 1
            if random.number(upTo: 2) == 1 {
                requestIsOpen = try await desk.request(order, method: method, crashing: crashing) != .done
            } else {
                cancelIsOpen = try await desk.cancel(order, crashing: crashing) != .done
                wasCancelled = true
            }
        }
        desk.clearFaults()
        desk.hooks.set { $0.isLookUpBlind = false }
        // In either order, as often as it takes, and not for ever.
        for _ in 1...6 where requestIsOpen || cancelIsOpen {
            if requestIsOpen, random.number(upTo: 2) == 1 {
                requestIsOpen = try await desk.request(order, method: method) != .done
            }
            if cancelIsOpen { cancelIsOpen = try await desk.cancel(order) != .done }
            if requestIsOpen { requestIsOpen = try await desk.request(order, method: method) != .done }
        }
        #expect(!requestIsOpen && !cancelIsOpen, "seed \(seed)")

        let moved = desk.moved(order)
        let told = try await desk.told(order)
        #expect(moved[0] <= 1 && moved[1] <= moved[0], "seed \(seed): charged and refunded \(moved)")
        if wasCancelled { #expect(moved[0] == moved[1], "seed \(seed): cancelled, charged and refunded \(moved)") }
        #expect(told.filter { $0 == "captured" }.count == moved[0], "seed \(seed): \(told)")
        #expect(told.filter { $0 == "refunded" }.count == moved[1], "seed \(seed): \(told)")
        let endings = Set(told).intersection(["captured", "declined", "voided"])
        #expect(endings.count == 1 && Set(told).count == told.count, "seed \(seed): \(told)")
    }
}

/// Numbers that a seed repeats (SplitMix64).
private struct Random {
    var state: UInt64

    mutating func number(upTo limit: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(limit)) + 1
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[number(upTo: elements.count) - 1]
    }
}
