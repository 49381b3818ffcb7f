import Synchronization
internal import Telemetry

/// Tells which attempts have taken too long, and takes them from their handlers.
///
/// One clock for all: it ticks, an attempt notes the tick that it began at, and each tick looks at what began so many ticks ago.
/// So a deadline costs a delivery no timer.
final class AttemptClock: Sendable {
    /// How many ticks an attempt may take, begun ones not counted.
    static let ticks = 20

    private let tick = Atomic<Int>(0)
    private let limit: Duration
    private let logger: Logger

    /// - Parameter limit: how long an attempt may take; at most a twentieth more.
    init(limit: Duration, logger: Logger) {
        self.limit = limit
        self.logger = logger
    }

    /// The tick now.
    var now: Int { tick.load(ordering: .relaxed) }

    /// Whether what began at `start` has taken, or waited, too long.
    func isOver(since start: Int) -> Bool { now - start > AttemptClock.ticks }

    /// What an attempt fails with that took too long.
    var timeout: HandlerError {
        .transient("handler.timed-out", "the handler has not ended within \(Int(limit / .seconds(1))) s")
    }

    /// Ticks until cancelled.
    func run(over lanes: [Lanes]) async {
        let pause = Signal()
        while !Task.isCancelled {
            await pause.wait(until: .now + limit / AttemptClock.ticks)
            if !Task.isCancelled { beat(lanes) }
        }
    }

    /// The next tick.
    func beat(_ lanes: [Lanes]) {
        let now = tick.add(1, ordering: .relaxed).newValue
        for lane in lanes {
            let count = lane.giveUp(begunBefore: now - AttemptClock.ticks)
            guard count > 0 else { continue }
            logger.warning("handlers have taken too long", [LogField("messaging.attempts", count)])
        }
    }
}
