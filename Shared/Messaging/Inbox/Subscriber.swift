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
        /// - Parameter isTyped: whether it reads JSON.
        case handler(from: String?, isTyped: Bool, @Sendable (_ data: [UInt8], Delivery) async throws -> Void)
        /// An old version: the newer type, and the way there.
        case upcaster(from: String?, to: EventType, @Sendable (_ data: [UInt8]) throws -> [UInt8])

        /// The one source that may send the type; nil where anybody may.
        var source: String? {
            switch self {
            case .handler(let source, _, _), .upcaster(let source, _, _): source
            }
        }
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
    ///
    /// What another source sends than the one that the contract names (`Event.source`) becomes a dead letter,
    /// `event.foreign-source`, and so does an event whose data is not JSON, `event.invalid-data`.
    public func on<E: Event>(
        _ type: E.Type,
        _ handler: @escaping @Sendable (_ event: E, _ delivery: Delivery) async throws -> Void
    ) {
        register(
            E.type,
            .handler(from: E.source, isTyped: true) { data, delivery in
                try await handler(try E(decodingData: data), delivery)
            }
        )
    }

    /// Registers the handler of a type whose data it takes as it came: an image, XML, what another system has of its own.
    ///
    /// `delivery.envelope.dataContentType` says what the bytes are; for JSON they are the text of the value. Everything else is as
    /// with `on(_:_:)`.
    ///
    /// - Parameters:
    ///   - type: the type.
    ///   - source: the one source that may send it; nil where anybody may.
    ///   - handler: is given the data, empty for an event without any.
    public func onBytes(
        of type: EventType,
        from source: String? = nil,
        _ handler: @escaping @Sendable (_ data: [UInt8], _ delivery: Delivery) async throws -> Void
    ) {
        register(type, .handler(from: source, isTyped: false, handler))
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
        register(
            Old.type,
            .upcaster(from: Old.source, to: New.type) { data in
                try upcast(try Old(decodingData: data)).encodedData()
            }
        )
    }

    /// The same for an old version that is no Swift type any more: `upcast` gets the `data` of its envelope, JSON that
    /// has been checked.
    public func upcast<New: Event>(
        from old: EventType,
        to new: New.Type,
        _ upcast: @escaping @Sendable (_ data: [UInt8]) throws -> New
    ) {
        register(old, .upcaster(from: New.source, to: New.type) { data in try upcast(data).encodedData() })
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
        let source = entries[type]?.source
        while upcasts.count <= longestChain {
            switch entries[current] {
            case nil: return nil
            case .upcaster(_, let newer, let upcast):
                upcasts.append(upcast)
                current = newer
            case .handler(_, let isTyped, let handle):
                return { [upcasts] delivery in
                    try check(delivery, source: source, isJSON: isTyped || !upcasts.isEmpty)
                    let data = try upcasts.reduce(delivery.envelope.data) { data, upcast in try upcast(data) }
                    try await EventStore.$cause.withValue(delivery.envelope) { try await handle(data, delivery) }
                }
            }
        }
        return nil
    }

    /// Holds an event to what its contract says beside its data.
    private static func check(_ delivery: Delivery, source: String?, isJSON: Bool) throws(EventFault) {
        let envelope = delivery.envelope
        if let source, envelope.source != source, !delivery.isTimeout {
            throw EventFault(
                .foreignSource,
                "\(envelope.type) is \(source)'s to send, and this one says that it comes from \(envelope.source)"
            )
        }
        if isJSON, !envelope.hasJSONData {
            throw EventFault(.invalidData, "data must be JSON, datacontenttype is \(envelope.dataContentType)")
        }
    }

    /// The types that can be handled, old versions included.
    var types: Set<EventType> {
        state.withLock { Set($0.entries.keys) }
    }
}
