internal import Database
internal import Events

/// The statements on `warren_deliveries` and `warren_attempts` for one subscriber.
///
/// `due_at` and `deferred_since` are stored by the steady clock; here and everywhere else they are the wall clock's.
struct DeliveryTable: Sendable {
    /// The pseudo-subscriber whose deliveries are events that the broker has not taken yet.
    static let forwarder = "(forwarder)"
    /// Attempts that are kept of one delivery.
    static let keptAttempts = 20

    let subscriber: String
    let ordering: Subscriber.Ordering
    let afterDeadLetter: Subscriber.AfterDeadLetter
    /// The source of the service's own timeouts, which stand each for itself; nil where there are none.
    var timeoutSource: String?
    /// What rows are due by.
    var clock = SteadyClock()
    /// Which subjects need not be asked for.
    var waiting = WaitingSubjects()
    /// Which events need not be asked for.
    let seen = SeenEvents()

    /// A row whose next attempt is due.
    struct Due: Sendable {
        var id: Int64
        var subscriber: String
        var suspicion: Suspicion
        /// Whether it counts as at work already: its predecessor has let it go.
        var isBegun = false
        var life: DeliveryLife
        var receivedAt: Int64
        var source: String
        var type: String
        var subject: String
        /// How far the wall clock was ahead when it was read: the times in `life` are that clock's.
        var lead: Int64 = 0
        /// Of the event, in bytes.
        var size = 0
        /// Whether the attempt that has begun is counted already.
        var isCharged = false
        /// The event; empty until the attempt has begun, so that what waits for its turn takes up no memory, unless the row runs
        /// right after the one that has let it go.
        var body: [UInt8] = []

        var subjectKey: SubjectKey { SubjectKey(source: source, subject: subject) }
    }

    /// A failed attempt, for the record.
    struct Attempt: Sendable {
        var startedAt: Int64
        var durationMilliseconds: Int64
        var error: HandlerError
    }
}
