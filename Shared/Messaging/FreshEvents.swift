import Synchronization

/// The events that have been committed since the forwarder last read the store, so that it need not read them back.
///
/// It is complete from a reading that has reached the end of the store on: whatever is committed after the reading began
/// is here, in the order of the commits. When more gathers than it holds, it is no longer, and the store is read again.
final class FreshEvents: Sendable {
    /// How many it holds, and how many bytes of them.
    private static let most = 2_048
    private static let mostBytes = 4 << 20

    private struct State {
        var events: [StoredEvent] = []
        var bytes = 0
        var isGathering = false
        /// Everything that the forwarder has not read is here.
        var isComplete = false

        mutating func forget() {
            events = []
            bytes = 0
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
            for event in events { state.bytes += event.envelope.count }
            if state.events.count > Self.most || state.bytes > Self.mostBytes { state.forget() }
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
    /// - Parameters:
    ///   - position: the last position that has been read.
    ///   - isEnd: whether nothing followed when the reading began.
    func endReading(through position: Int64, isEnd: Bool) {
        state.withLock { state in
            guard isEnd else { return state.forget() }
            guard state.isGathering else { return }
            state.isComplete = true
            state.events.removeAll { event in
                guard event.position <= position else { return false }
                state.bytes -= event.envelope.count
                return true
            }
        }
    }

    /// Takes the next events, `limit` at most.
    ///
    /// - Parameter isUsable: whether an event can be published without a look into the database.
    /// - Returns: nil when the store has to be read.
    func take(upTo limit: Int, where isUsable: (StoredEvent) -> Bool) -> [StoredEvent]? {
        state.withLock { state in
            guard state.isComplete else { return nil }
            let taken = Array(state.events.prefix(limit))
            guard taken.allSatisfy(isUsable) else {
                state.forget()
                return nil
            }
            state.events.removeFirst(taken.count)
            for event in taken { state.bytes -= event.envelope.count }
            return taken
        }
    }

    /// What is here is not to be relied on: the store is to be read.
    func forget() {
        state.withLock { $0.forget() }
    }
}
