import Synchronization

/// The events that have been committed since the forwarder last read the store, so that it need not read them back.
///
/// It is complete from a reading that has reached the end of the store on: whatever is committed after the reading began
/// is here, in the order of the commits. When more gathers than it holds, it is no longer, and the store is read again.
final class OutboxTail: Sendable {
    /// How many it holds, and how many bytes of them.
    private static let most = 2_048
    private static let budget = ByteBudget(4 << 20)

    private struct State {
        var events: [StoredEvent] = []
        var budget = OutboxTail.budget
        var isGathering = false
        /// Everything that the forwarder has not read is here.
        var isComplete = false

        mutating func forget() {
            events = []
            budget = OutboxTail.budget
            isGathering = false
            isComplete = false
        }
    }

    private let state = Mutex(State())

    /// Events have been committed; called in the order of the commits.
    func add(_ events: [StoredEvent]) {
        state.withLock { state in
            guard state.isGathering else { return }
            state.events += events
            let hasRoom = events.allSatisfy { state.budget.take($0.envelope.count) }
            if state.events.count > Self.most || !hasRoom { state.forget() }
        }
    }

    /// The store is about to be read.
    func beginReading() {
        state.withLock { state in
            state.forget()
            state.isGathering = true
        }
    }

    /// The store has been read.
    ///
    /// - Parameter isEnd: whether nothing followed when the reading began.
    func endReading(isEnd: Bool) {
        state.withLock { state in
            guard isEnd else { return state.forget() }
            state.isComplete = state.isGathering
        }
    }

    /// Takes the next events, `limit` at most.
    ///
    /// - Parameters:
    ///   - position: what has been read already, events up to there included that were committed then and are heard of
    ///     only now.
    ///   - isUsable: whether an event can be published without a look into the database.
    /// - Returns: nil when the store has to be read.
    func take(after position: Int64, upTo limit: Int, where isUsable: (StoredEvent) -> Bool) -> [StoredEvent]? {
        state.withLock { state in
            guard state.isComplete else { return nil }
            let known = state.events.prefix { $0.position <= position }.count
            let end = min(state.events.count, known + limit)
            let taken = Array(state.events[known..<end])
            guard taken.allSatisfy(isUsable) else {
                state.forget()
                return nil
            }
            for event in state.events[..<end] { state.budget.giveBack(event.envelope.count) }
            state.events.removeFirst(end)
            return taken
        }
    }

    /// What is here is not to be relied on: the store is to be read.
    func forget() {
        state.withLock { $0.forget() }
    }
}
