/// The webhooks that are still to be sent, and those that are under way; a value that knows no clock.
///
/// What is not answered by 2xx comes again, after one second and then twice as long each time up to a minute, for three days.
struct WebhookOutbox: Sendable {
    /// A message to send.
    struct Item: Sendable, Equatable {
        let number: Int
        let event: ProviderEvent
        /// Signed with a secret that is not the receiver's.
        let isForged: Bool
        var attempts = 0
        var dueAt: Int64
        let createdAt: Int64
        var isUnderWay = false
    }

    /// One attempt that has ended.
    struct Attempt: Sendable, Equatable, Encodable {
        /// The event's id.
        let event: String
        let type: String
        /// The intent that it is about, itself or its charge.
        let paymentIntent: String
        let isForged: Bool
        /// What was answered; nil where nothing was.
        let status: Int?

        /// Whether the receiver answered by 2xx.
        var isTaken: Bool { status.map((200..<300).contains) ?? false }
    }

    /// How the webhooks stand.
    struct State: Sendable, Equatable, Encodable {
        /// Whether there is somebody to send them to.
        var isSending = false
        var isHeld = false
        /// How many wait or are under way.
        var waiting = 0
        /// The last thousand attempts at least, oldest first.
        var attempts: [Attempt] = []
    }

    private static let mostAttempts = 2_000

    /// For how long a message is tried, in milliseconds.
    static let patience: Int64 = 3 * 24 * 3_600_000

    private var items: [Item] = []
    private var numbers = 0
    private var faults = FaultPlan()
    /// Whether everything waits until it is let go.
    private(set) var isHeld = false
    private var attempts: [Attempt] = []

    /// How many wait or are under way.
    var count: Int { items.count }

    /// How it stands, for those who look at it from outside.
    var state: State { State(isSending: true, isHeld: isHeld, waiting: count, attempts: attempts) }

    /// Takes an event to be sent.
    mutating func add(_ event: ProviderEvent, at now: Int64) {
        let fault = faults.next(.webhook)
        switch fault?.kind {
        case .slow: append(event, at: now, dueAt: now + (fault?.delayMilliseconds ?? 0))
        case .twice:
            append(event, at: now)
            append(event, at: now)
        case .forged: append(event, at: now, isForged: true)
        default: append(event, at: now)
        }
    }

    private mutating func append(_ event: ProviderEvent, at now: Int64, dueAt: Int64? = nil, isForged: Bool = false) {
        numbers += 1
        items.append(Item(number: numbers, event: event, isForged: isForged, dueAt: dueAt ?? now, createdAt: now))
    }

    /// What is to be sent now.
    mutating func take(_ limit: Int, at now: Int64) -> [Item] {
        guard !isHeld else { return [] }
        var taken: [Item] = []
        for index in items.indices where !items[index].isUnderWay && items[index].dueAt <= now {
            items[index].isUnderWay = true
            items[index].attempts += 1
            taken.append(items[index])
            if taken.count == limit { break }
        }
        return taken
    }

    /// Notes how it went.
    /// - Parameter status: what the receiver answered; nil where it did not.
    mutating func finish(_ item: Item, status: Int?, at now: Int64) {
        guard let index = items.firstIndex(where: { $0.number == item.number }) else { return }
        let attempt = Attempt(
            event: item.event.id,
            type: item.event.type,
            paymentIntent: item.event.object.paymentIntent,
            isForged: item.isForged,
            status: status
        )
        attempts.append(attempt)
        if attempts.count >= Self.mostAttempts { attempts.removeFirst(Self.mostAttempts / 2) }
        // Nobody takes a forgery; it is not tried for three days.
        if attempt.isTaken || item.isForged || now - item.createdAt > Self.patience {
            items.remove(at: index)
            return
        }
        items[index].isUnderWay = false
        items[index].dueAt = now + min(1000 << Int64(min(item.attempts - 1, 16)), 60_000)
    }

    /// Keeps everything back.
    mutating func hold() { isHeld = true }

    /// Lets go of everything that was kept back, also what would have been tried again later.
    mutating func release(newestFirst: Bool, at now: Int64) {
        isHeld = false
        for index in items.indices { items[index].dueAt = min(items[index].dueAt, now) }
        if newestFirst { items.reverse() }
    }

    /// Plans a fault for the next events.
    mutating func plan(_ fault: Fault, count: Int) { faults.plan(fault, for: .webhook, count: count) }

    /// Forgets planned faults, and lets go of what was held.
    mutating func clear(at now: Int64) {
        faults.clear()
        release(newestFirst: false, at: now)
    }

    /// Forgets everything but how far it has counted: what is under way is told of under its number.
    mutating func reset() {
        let numbers = numbers
        self = WebhookOutbox()
        self.numbers = numbers
    }
}
