public import Events
import Synchronization

/// The handlers of one service, by event type.
///
/// Register all of them before the messaging runs.
public final class Subscriber: Sendable {
    /// Whether the deliveries of one subject keep their order.
    public enum Ordering: Sendable {
        /// The events of one source about one subject are applied in order; a failed one holds those after it.
        case perSubject
        /// Each delivery stands for itself: one failed mail does not hold the next.
        case none
    }

    /// What happens to the later deliveries of a subject when one is dead.
    public enum AfterDeadLetter: Sendable {
        /// They are held until the dead one is processed or discarded.
        case hold
        /// They pass it; the handlers must make sense of every order.
        case proceed
    }

    typealias Handler = @Sendable (Delivery) async throws -> Void

    /// What is registered for a type.
    private enum Entry: Sendable {
        case handler(@Sendable (_ data: [UInt8], Delivery) async throws -> Void)
        /// An old version: the newer type, and the way there.
        case upcaster(to: EventType, @Sendable (_ data: [UInt8]) throws -> [UInt8])
    }

    /// No chain of versions is longer; one that is goes round in a circle.
    private static let longestChain = 32

    private struct State {
        var entries: [EventType: Entry] = [:]
        /// Outermost first.
        var middleware: [any HandlerMiddleware] = []
        /// What has been put together of them, until something else is registered.
        var handlers: [EventType: Handler] = [:]
    }

    private let state = Mutex(State())

    init() {}

    /// Registers the handler of one type; a second one for the same type takes the first one's place.
    ///
    /// The handler gets the event with its delivery beside it. Calls to the outside come before `delivery.commit`, which
    /// runs one synchronous closure in one transaction with the receipt. A handler that returns without `commit` gets its
    /// receipt alone. It may run again after a crash or a failure, so calls to the outside need idempotency keys.
    public func on<E: Event>(
        _ type: E.Type,
        _ handler: @escaping @Sendable (_ event: E, _ delivery: Delivery) async throws -> Void
    ) {
        register(
            E.type,
            .handler { data, delivery in
                try await handler(try E(decodingData: data), delivery)
            }
        )
    }

    /// Has events of an old version handled by the handler of a newer one.
    ///
    /// The handler sees the newer event; `delivery.envelope` stays as it came in, with the old type and data. Upcasters
    /// form a chain: v1 to v2 and v2 to v3 bring v1 to the handler of v3. A handler and an upcaster for the same type:
    /// the one registered last counts. A version that has neither goes to the dead letters, as any unknown type does, and
    /// so does data that `upcast` throws an `EventFault` for.
    ///
    /// - Parameters:
    ///   - old: the old version, as it was.
    ///   - new: the version that it becomes.
    ///   - upcast: makes the new event of the old one: a pure function.
    public func upcast<Old: Event, New: Event>(
        from old: Old.Type,
        to new: New.Type,
        _ upcast: @escaping @Sendable (_ old: Old) throws -> New
    ) {
        self.upcast(from: Old.type, to: New.self) { data in try upcast(try Old(decodingData: data)) }
    }

    /// The same for an old version that is no Swift type any more: `upcast` gets the `data` of its envelope, JSON that
    /// has been checked.
    public func upcast<New: Event>(
        from old: EventType,
        to new: New.Type,
        _ upcast: @escaping @Sendable (_ data: [UInt8]) throws -> New
    ) {
        register(old, .upcaster(to: New.type) { data in try upcast(data).encodedData() })
    }

    private func register(_ type: EventType, _ entry: Entry) {
        state.withLock { state in
            state.entries[type] = entry
            state.handlers = [:]
        }
    }

    /// Puts a middleware around all handlers, whenever they are registered; the first one is the outermost.
    public func use(_ middleware: any HandlerMiddleware) {
        state.withLock { state in
            state.middleware.append(middleware)
            state.handlers = [:]
        }
    }

    /// The handler of a type, through the middleware and the upcasters on the way to it.
    func handler(of type: EventType) -> Handler? {
        state.withLock { state in
            if let handler = state.handlers[type] { return handler }
            guard let bare = Self.handler(of: type, among: state.entries) else { return nil }
            let handler = state.middleware.reversed().reduce(bare) { next, middleware in
                return { delivery in try await middleware.handle(delivery, next: next) }
            }
            state.handlers[type] = handler
            return handler
        }
    }

    private static func handler(of type: EventType, among entries: [EventType: Entry]) -> Handler? {
        var upcasts: [@Sendable ([UInt8]) throws -> [UInt8]] = []
        var current = type
        while upcasts.count <= longestChain {
            switch entries[current] {
            case nil: return nil
            case .upcaster(let newer, let upcast):
                upcasts.append(upcast)
                current = newer
            case .handler(let handle):
                return { [upcasts] delivery in
                    let data = try upcasts.reduce(delivery.envelope.data) { data, upcast in try upcast(data) }
                    try await EventStore.$cause.withValue(delivery.envelope) { try await handle(data, delivery) }
                }
            }
        }
        return nil
    }

    /// The types that can be handled, old versions included.
    var types: Set<EventType> {
        state.withLock { Set($0.entries.keys) }
    }
}
