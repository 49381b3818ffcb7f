public import Database
public import Events
import Synchronization
internal import Telemetry

/// The phase in which a local handler shares the transaction of the event.
public struct BeforeCommit: Sendable {
    /// In the transaction that appends the event; a throw rolls it back.
    public static let beforeCommit = BeforeCommit()
}

/// The phase in which a local handler runs beside the service, after the event is durable.
public struct AfterCommit: Sendable {
    /// After the commit, asynchronously.
    public static let afterCommit = AfterCommit()
}

/// Handlers within the process for the service's own events.
///
/// Without a handler for a type an append pays one look into a dictionary, and nothing at all while there is none for
/// any type.
final class LocalDispatch: Sendable {
    typealias Before = @Sendable (any Event, Envelope, Transaction) throws -> Void
    typealias After = @Sendable (any Event, Envelope) async throws -> Void

    /// An event that was appended in a transaction and has local handlers.
    struct Appended: Sendable {
        var event: any Event
        var envelope: Envelope
    }

    /// More events than this in one transaction through handlers that append: they call one another in a circle.
    private static let longestCascade = 1000

    /// Events that may wait for the second phase.
    static let mostWaiting = 10_000
    /// And their bytes.
    static let budget = ByteBudget(16 << 20)

    private enum Item: Sendable {
        case event(Appended)
        case marker(CheckedContinuation<Void, Never>)
    }

    private struct State {
        var before: [EventType: [Before]] = [:]
        var after: [EventType: [After]] = [:]
        var queue: AsyncStream<Item>.Continuation?
        var waiting = 0
        var budget = LocalDispatch.budget
        /// Events that found no room, since the last one that did.
        var left = 0

        /// Whether there is room for an event; then it has it.
        mutating func admit(_ size: Int) -> Bool {
            guard waiting < LocalDispatch.mostWaiting, budget.take(size) else {
                left += 1
                return false
            }
            (waiting, left) = (waiting + 1, 0)
            return true
        }
    }

    /// What the log says where events of the second phase find no room.
    struct Overflow: Error, CustomStringConvertible {
        var description: String { "its handlers are too slow: what does not fit into their queue is left out" }
    }

    private let state = Mutex(State())
    private let onError: @Sendable (any Error, EventType) -> Void

    init(onError: @escaping @Sendable (any Error, EventType) -> Void) {
        self.onError = onError
    }

    deinit { state.withLock { $0.queue }?.finish() }

    func register(_ type: EventType, _ handler: @escaping Before) {
        state.withLock { $0.before[type, default: []].append(handler) }
    }

    func register(_ type: EventType, _ handler: @escaping After) {
        state.withLock { state in
            state.after[type, default: []].append(handler)
            guard state.queue == nil else { return }
            let (items, queue) = AsyncStream.makeStream(of: Item.self)
            state.queue = queue
            // One task for all, so that events are handled in the order of their commits.
            Task { [weak self] in
                for await item in items {
                    switch item {
                    case .event(let appended):
                        await self?.runAfterCommit(appended)
                        self?.state.withLock { state in
                            state.waiting -= 1
                            state.budget.giveBack(appended.envelope.data.count)
                        }
                    case .marker(let continuation): continuation.resume()
                    }
                }
            }
        }
    }

    /// Whether any type has a handler.
    var isNeeded: Bool { state.withLock { !$0.before.isEmpty || !$0.after.isEmpty } }

    func hasHandlers(of type: EventType) -> Bool {
        state.withLock { $0.before[type] != nil || $0.after[type] != nil }
    }

    /// Runs the handlers of the first phase for what has been appended in the transaction, in the order of appending and,
    /// for one event, of registration; what they append themselves follows at the end.
    func runBeforeCommit(in transaction: Transaction) throws {
        var index = 0
        while let context = transaction.context as? AppendContext, index < context.appended.count {
            guard index < Self.longestCascade else {
                throw DatabaseError(
                    code: .misuse,
                    reason: "local handlers append more than \(Self.longestCascade) events in one transaction"
                )
            }
            let appended = context.appended[index]
            index += 1
            for handler in state.withLock({ $0.before[appended.envelope.type] ?? [] }) {
                guard let current = transaction.context as? AppendContext else { return }
                current.cause = appended.envelope
                try handler(appended.event, appended.envelope, transaction)
            }
        }
        guard let context = transaction.context as? AppendContext else { return }
        let events = context.appended.filter { appended in
            state.withLock { $0.after[appended.envelope.type] != nil }
        }
        guard !events.isEmpty else { return }
        transaction.afterCommit { [self] in
            for event in events {
                let (queue, left) = state.withLock { state in
                    (state.admit(event.envelope.data.count) ? state.queue : nil, state.left)
                }
                queue?.yield(.event(event))
                // Once for all that find no room in a row.
                if left == 1 { onError(Overflow(), event.envelope.type) }
            }
        }
    }

    /// Returns when everything committed so far has been through the handlers of the second phase.
    func drained() async {
        await withCheckedContinuation { continuation in
            guard let queue = state.withLock({ $0.queue }) else { return continuation.resume() }
            if case .enqueued = queue.yield(.marker(continuation)) { return }
            continuation.resume()
        }
    }

    private func runAfterCommit(_ appended: Appended) async {
        for handler in state.withLock({ $0.after[appended.envelope.type] ?? [] }) {
            do {
                try await handler(appended.event, appended.envelope)
            } catch {
                onError(error, appended.envelope.type)
            }
        }
    }
}

extension EventStore {
    /// Calls `handler` for every event of this type that the service appends, before the transaction commits.
    ///
    /// It runs at the end of the closure of `write` or `Delivery.commit`, so it sees all of the transaction's changes; it
    /// may change and append as well, caused by the event. Handlers are called in the order in which the events were
    /// appended, and for one event in the order of registration; what a handler appends is handled after that. A throw
    /// undoes the whole transaction, its caller gets the error, and no event of it is published.
    ///
    /// Like the closure itself, it must not block or do I/O. Register before the service serves.
    public func on<E: Event>(
        _ type: E.Type,
        _ phase: BeforeCommit,
        _ handler: @escaping @Sendable (_ event: E, _ envelope: Envelope, _ transaction: Transaction) throws -> Void
    ) {
        local.register(E.type) { event, envelope, transaction in
            try handler(try event as? E ?? E(decodingData: envelope.data), envelope, transaction)
        }
    }

    /// Calls `handler` for every event of this type that the service appended, after the transaction is durable.
    ///
    /// One event at a time, in the order of the commits, beside everything else. **It is lost when the process ends
    /// first**, and it is not repeated when it throws (the error is logged): it suits caches, notices and measures. At most
    /// 10,000 events or 16 MiB wait for it: what comes while there is no room is left out, which the log says. What
    /// must not be lost subscribes to the queue.
    public func on<E: Event>(
        _ type: E.Type,
        _ phase: AfterCommit,
        _ handler: @escaping @Sendable (_ event: E, _ envelope: Envelope) async throws -> Void
    ) {
        local.register(E.type) { event, envelope in
            try await handler(try event as? E ?? E(decodingData: envelope.data), envelope)
        }
    }
}
