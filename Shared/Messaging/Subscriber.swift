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

    private let handlers = Mutex<[EventType: Handler]>([:])

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
        handlers.withLock { handlers in
            handlers[E.type] = { delivery in
                try await handler(try E(decodingData: delivery.envelope.data), delivery)
            }
        }
    }

    /// The handler of a type.
    func handler(of type: EventType) -> Handler? {
        handlers.withLock { $0[type] }
    }

    /// The types that have a handler.
    var types: Set<EventType> {
        handlers.withLock { Set($0.keys) }
    }
}
