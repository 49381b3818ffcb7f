internal import Database
internal import Events

/// The statements on `warren_deliveries` and `warren_attempts` for one subscriber.
struct DeliveryTable: Sendable {
    /// The pseudo-subscriber whose deliveries are events that the broker has not taken yet.
    static let forwarder = "(forwarder)"
    /// Attempts that are kept of one delivery.
    static let keptAttempts = 20

    let subscriber: String
    let ordering: Subscriber.Ordering
    let afterDeadLetter: Subscriber.AfterDeadLetter
    /// Which subjects need not be asked for.
    let waiting = WaitingSubjects()
    /// Which events need not be asked for.
    let seen = SeenEvents()

    /// A row whose next attempt is due.
    struct Due: Sendable {
        var id: Int64
        var subscriber: String
        var isSuspect: Bool
        var life: DeliveryLife
        var receivedAt: Int64
        var source: String
        var type: String
        var subject: String
        /// The event; empty until the attempt has begun, so that what waits for its turn takes up no memory.
        var body: [UInt8] = []
    }

    /// A failed attempt, for the record.
    struct Attempt: Sendable {
        var startedAt: Int64
        var durationMilliseconds: Int64
        var error: HandlerError
    }
}
