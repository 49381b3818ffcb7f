/// What a handler does with one event, decided by seed, service and event alone.
enum Conduct: Equatable {
    case succeeds
    /// Takes this long, in milliseconds.
    case isSlow(Int)
    /// Fails so often, then succeeds.
    case failsAtFirst(Int)
    /// Never helps, until an operator has mended the cause.
    case failsForGood
    /// Puts it off so often.
    case defers(Int)
    /// Ends the process so often, before the transaction.
    case crashes(Int)
    /// Ends the process so often, inside the transaction.
    case crashesInside(Int)
    /// Throws so often out of the transaction, after effects and an appended event.
    case rollsBack(Int)
    /// Lets the error of its commit fall, so often.
    case swallows(Int)
    /// Returns without a commit: the receipt alone.
    case isSilent
    /// Does not come back so often, until somebody cancels it; one that is deaf does not hear that, and comes back when it is
    /// too late, or never.
    case hangs(Int, isDeaf: Bool)

    /// - Parameters:
    ///   - isSelfEnding: whether many events end the process, and most of those each time.
    ///   - faults: what else may go wrong.
    init(seed: UInt64, service: Int, number: Int, isSelfEnding: Bool, faults: Faults) {
        if faults.contains(.poison), let burst = Burst(containing: number) {
            self = burst.isPoison(number) ? .crashes(1000) : .isSlow(50 + number % 5 * 40)
            return
        }
        var random = SeededRandom(seed: mix64(seed ^ mix64(UInt64(number) &* 31 &+ UInt64(service))))
        let often = random.once(in: isSelfEnding ? 2 : 4) ? 1000 : 1 + random.below(2)
        switch random.below(100) {
        case ..<25 where isSelfEnding: self = .crashes(1000)
        case ..<52: self = .succeeds
        case ..<55 where faults.contains(.hangingHandlers): self = .hangs(often, isDeaf: random.once(in: 2))
        case ..<60: self = .isSlow(1 + random.below(400))
        case ..<70: self = .failsAtFirst(often)
        case ..<75: self = .failsForGood
        case ..<80: self = .defers(1 + random.below(3))
        case ..<86: self = .crashes(often)
        case ..<89: self = .crashesInside(often)
        case ..<95: self = .rollsBack(often)
        case ..<97: self = .swallows(1)
        default: self = .isSilent
        }
    }

    /// Whether nothing about it can end in a dead letter.
    var isHarmless: Bool {
        switch self {
        case .succeeds, .isSlow, .isSilent: true
        default: false
        }
    }
}

/// Events that are written at the same time, with one among them that ends the process of the service that handles it.
struct Burst {
    /// So many events, at most.
    static let size = 16
    /// The first number of the first burst.
    static let first = 100_000

    let index: Int

    init(index: Int) { self.index = index }

    /// The burst that a number belongs to; nil for what is no part of one.
    ///
    /// What follows from a poison is harmless.
    init?(containing number: Int) {
        guard number >= Burst.first, number < 2 * Burst.first else { return nil }
        index = (number - Burst.first) / Burst.size
    }

    var numbers: Range<Int> { Burst.first + index * Burst.size..<Burst.first + (index + 1) * Burst.size }

    func isPoison(_ number: Int) -> Bool {
        number - numbers.lowerBound == Int(mix64(UInt64(index)) % UInt64(Burst.size))
    }
}
