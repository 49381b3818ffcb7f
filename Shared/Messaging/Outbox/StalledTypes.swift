internal import AMQP
internal import Events
import Synchronization
internal import Telemetry

/// The types whose events the broker takes and does not confirm.
///
/// A queue without a majority holds back the confirm of every event that it is to get, for as long as that lasts. Events of these types go to
/// the table without being tried, so that they do not use up the forwarder's window; from there one at a time tries whether the broker
/// confirms again. What it confirms, early or late, ends the stall; so does silence for three times the time-out, when
/// nothing is left that could try.
final class StalledTypes: Sendable {
    /// How many types are tried at once: each takes a place of the scheduler's for as long as the time-out is.
    private static let mostProbes = 8
    /// How many events of one type may wait for their confirm at once when they come from the table.
    static let mostFromTable = 16
    /// How long one from the table waits for its place.
    static let placePatience: Duration = .seconds(1)
    /// The pause before an event is looked at again, in milliseconds, and the pause between two of a type: a hundred thousand that wait must
    /// not keep the database at work.
    static let pause: Int64 = 5_000
    private static let spacing: Int64 = 5

    private struct Stall {
        var ends: ContinuousClock.Instant
        /// Not by the wall clock, which may be set back by hours.
        var nextTurn = ContinuousClock.now
        var isProbed = false
    }

    private struct State {
        var stalls: [String: Stall] = [:]
        var fromTable: [String: Int] = [:]

        mutating func prune() {
            let now = ContinuousClock.now
            stalls = stalls.filter { $0.value.isProbed || $0.value.ends > now }
        }
    }

    /// How long the broker may take to confirm.
    let timeout: Duration
    private let pause: Int64
    private let counters: CounterBox
    private let logger: Logger
    private let state = Mutex(State())
    private let hasAny = Atomic(false)

    init(timeout: Duration, pause: Int64 = StalledTypes.pause, counters: CounterBox, logger: Logger) {
        self.timeout = timeout
        self.pause = pause
        self.counters = counters
        self.logger = logger
    }

    /// Whether there is none; cheap.
    var isEmpty: Bool { !hasAny.load(ordering: .relaxed) }

    /// Whether events of a type are not to be tried.
    func contains(_ type: String) -> Bool {
        guard !isEmpty else { return false }
        return change { state in
            state.prune()
            return state.stalls[type] != nil
        }
    }

    /// So many events of a type have not been confirmed in time.
    func mark(_ type: String, count: Int = 1) {
        counters.add(count, to: \.unconfirmed)
        let isNew = change { state in
            let ends = ContinuousClock.now + timeout * 3
            defer { state.stalls[type, default: Stall(ends: ends)].ends = ends }
            return state.stalls[type] == nil
        }
        guard isNew else { return }
        logger.warning(
            "the broker does not confirm events of a type; they wait in the table, and the others pass",
            [LogField("messaging.event.type", type)]
        )
    }

    /// The broker has confirmed an event of a type.
    func clear(_ type: String) {
        guard !isEmpty else { return }
        guard change({ $0.stalls.removeValue(forKey: type) }) != nil else { return }
        logger.info("the broker confirms events of a type again", [LogField("messaging.event.type", type)])
    }

    /// What an event of a stalled type waits for: tried again at its turn, at no attempt's cost.
    func deferral(of type: String, _ message: String) -> HandlerError {
        let until = change { [pause] state in
            let now = WallClock.milliseconds()
            guard var stall = state.stalls[type] else { return now + pause }
            let instant = ContinuousClock.now
            stall.nextTurn = max(stall.nextTurn + .milliseconds(Self.spacing), instant + .milliseconds(pause))
            state.stalls[type] = stall
            return now + Int64(instant.duration(to: stall.nextTurn) / .milliseconds(1))
        }
        return .deferred(until: until, "broker.unconfirmed", message)
    }

    /// How an event from the table stands.
    enum Place {
        case taken
        /// So many of its type are under way already.
        case full
        /// Its type is stalled, and another one tries.
        case stalled
    }

    /// Takes a place for an event from the table; of a stalled type, as its probe.
    func takePlace(_ type: String) -> Place {
        change { state in
            state.prune()
            if state.stalls[type] != nil {
                guard state.stalls[type]?.isProbed == false,
                    state.stalls.values.count(where: \.isProbed) < Self.mostProbes
                else { return .stalled }
                state.stalls[type]?.isProbed = true
            } else if state.fromTable[type, default: 0] >= Self.mostFromTable {
                return .full
            }
            state.fromTable[type, default: 0] += 1
            return .taken
        }
    }

    /// Gives a place back.
    func leavePlace(_ type: String) {
        change { state in
            state.stalls[type]?.isProbed = false
            let count = state.fromTable[type, default: 1] - 1
            state.fromTable[type] = count > 0 ? count : nil
        }
    }

    /// What is wrong; nil when nothing is.
    var problem: String? {
        guard !isEmpty else { return nil }
        let types = change { state in
            state.prune()
            return state.stalls.keys.sorted()
        }
        guard !types.isEmpty else { return nil }
        return
            "the broker takes events and does not confirm them; they wait in the table: \(types.joined(separator: ", "))"
    }

    private func change<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        state.withLock { state in
            let result = body(&state)
            hasAny.store(!state.stalls.isEmpty, ordering: .relaxed)
            return result
        }
    }
}
