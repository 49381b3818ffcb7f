/// What the forwarder has read and not yet forgotten.
///
/// Without I/O: it takes what happened and says what to do. It has one owner: a copy would share its events.
///
/// *Confirmed before forgotten*: `forwardedThrough` moves only past events that the broker confirmed or that the table of
/// deliveries has taken over. At most one event of a subject is under way, so that a refusal cannot reorder the subject;
/// different subjects pass one another.
///
/// *Nothing waits for ever*: what is not confirmed within the patience is handed to the table, and with it what else of its type is
/// under way; later events of the type follow it there (`read`) for as long as it is stalled.
struct ForwarderState {
    /// What to do next.
    struct Actions {
        /// To be published, in this order.
        var publish: [StoredEvent] = []
        /// To be handed to the table: refused with this error, or held behind one that was.
        var park: [Parking] = []
        /// The types of which the broker has not confirmed so many events in time.
        var stalled: [String: Int] = [:]

        var isEmpty: Bool { publish.isEmpty && park.isEmpty }
    }

    /// An event for the table.
    struct Parking {
        /// Why it goes there.
        enum Reason {
            /// An earlier event of its subject is there.
            case behind
            /// It was refused.
            case refused(HandlerError)
            /// The broker has not confirmed it in time, or was not asked because it has not confirmed others of its type.
            case unconfirmed(wasSent: Bool)
        }

        var event: StoredEvent
        var reason = Reason.behind
    }

    private enum Progress {
        case waiting
        case underWay
        case interrupted
        case parking
        case done
    }

    /// An event and how far it is.
    private final class Entry {
        let event: StoredEvent
        var progress: Progress
        /// The tick at which it was sent last.
        var sentAt: Int

        init(_ event: StoredEvent, _ progress: Progress, sentAt: Int) {
            self.event = event
            self.progress = progress
            self.sentAt = sentAt
        }
    }

    /// The events of one subject that are not done, in their order.
    private final class Line {
        var entries: [Entry] = []
        var isParked = false
    }

    /// Everything up to this position is the broker's or the table's.
    private(set) var forwardedThrough: Int64
    /// The last position that was read.
    private(set) var readThrough: Int64
    /// What has been read, in its order; nil as soon as it is forgotten.
    private var order: [Entry?] = []
    private var orderStart = 0
    private var entries: [Int64: Entry] = [:]
    /// The bytes of what is read and not forgotten.
    private(set) var budget: ByteBudget
    private var lines: [SubjectKey: Line] = [:]
    private var interrupted = 0
    /// How many ticks the broker may take to confirm an event.
    private let patience: Int
    private let window: Int
    private let isStalled: (String) -> Bool
    private var now = 0
    /// When the latest was sent that has been confirmed.
    private var confirmedSentAt = 0

    /// - Parameters:
    ///   - window: how many events are read and not forgotten at most.
    ///   - budget: and how many bytes of them.
    ///   - patience: how many ticks the broker may take to confirm an event.
    ///   - isStalled: whether the broker does not confirm events of a type, so that none is to be sent.
    init(
        after position: Int64,
        window: Int = 1000,
        budget: ByteBudget = .atWork,
        patience: Int = 30,
        isStalled: @escaping (String) -> Bool = { _ in false }
    ) {
        forwardedThrough = position
        readThrough = position
        self.window = window
        self.budget = budget
        self.patience = patience
        self.isStalled = isStalled
    }

    /// Events that are read and not forgotten.
    var count: Int { entries.count }

    /// Whether so much is read and not forgotten that no more is to be read.
    var isFull: Bool { count > window / 2 || budget.isHalfUsed }

    /// Whether events wait to be published again since their connection was lost.
    var hasInterrupted: Bool { interrupted > 0 }

    /// Takes events that were read, in the order of their positions.
    mutating func read(_ events: [StoredEvent]) -> Actions {
        var actions = Actions()
        for event in events {
            readThrough = event.position
            let line = line(of: event.subject)
            if event.isBlocked { line.isParked = true }
            var progress: Progress = line.isParked ? .parking : line.entries.isEmpty ? .underWay : .waiting
            switch progress {
            case .parking: actions.park.append(Parking(event: event))
            case .underWay where isStalled(event.type):
                line.isParked = true
                progress = .parking
                actions.park.append(Parking(event: event, reason: .unconfirmed(wasSent: false)))
            case .underWay: actions.publish.append(event)
            default: break
            }
            let entry = Entry(event, progress, sentAt: now)
            line.entries.append(entry)
            order.append(entry)
            entries[event.position] = entry
            budget.add(event.envelope.count)
        }
        return actions
    }

    private mutating func line(of subject: SubjectKey) -> Line {
        if let line = lines[subject] { return line }
        let line = Line()
        lines[subject] = line
        return line
    }

    /// The broker confirmed an event.
    ///
    /// One that has been handed to the table meanwhile stays there, and goes out once more.
    mutating func confirmed(_ position: Int64) -> Actions {
        guard let entry = entries[position], entry.progress != .parking else { return Actions() }
        confirmedSentAt = max(confirmedSentAt, entry.sentAt)
        return finish(entry)
    }

    /// The type of an event that is not forgotten.
    func type(of position: Int64) -> String? { entries[position]?.event.type }

    /// The table has taken an event.
    mutating func parked(_ position: Int64) -> Actions {
        entries[position].map { finish($0) } ?? Actions()
    }

    /// The broker refused an event, or the client did: it and the later ones of its subject go to the table.
    mutating func refused(_ position: Int64, _ refusal: HandlerError) -> Actions {
        guard let entry = entries[position], entry.progress != .parking, entry.progress != .done else {
            return Actions()
        }
        return Actions(park: park(entry, .refused(refusal)))
    }

    /// Hands an event and the later ones of its subject to the table.
    private mutating func park(_ first: Entry, _ reason: Parking.Reason) -> [Parking] {
        guard let line = lines[first.event.subject] else { return [] }
        line.isParked = true
        return line.entries.filter { $0.progress != .parking }.map { entry in
            if entry.progress == .interrupted { interrupted -= 1 }
            entry.progress = .parking
            return Parking(event: entry.event, reason: entry === first ? reason : .behind)
        }
    }

    /// A tick of time has gone by during which the broker could have confirmed.
    ///
    /// - Parameter isHeldUp: whether what is under way keeps others from being read. What younger ones have overtaken by far is then
    ///   given a tenth of the patience: it is not the broker that is slow.
    mutating func tick(isHeldUp: Bool = false) -> Actions {
        now += 1
        let underWay = order[orderStart...].compactMap(\.self).filter { $0.progress == .underWay }
        let isOverdue: (Entry) -> Bool = { [now, patience, confirmedSentAt] entry in
            now - entry.sentAt > patience || (isHeldUp && confirmedSentAt - entry.sentAt > patience / 10)
        }
        let stalled = Set(underWay.lazy.filter(isOverdue).map(\.event.type))
        var actions = Actions()
        guard !stalled.isEmpty else { return actions }
        // Those that have just been sent may be confirmed as quickly as ever.
        for entry in underWay where stalled.contains(entry.event.type) && (isOverdue(entry) || now - entry.sentAt > 1) {
            actions.stalled[entry.event.type, default: 0] += 1
            actions.park += park(entry, .unconfirmed(wasSent: true))
        }
        return actions
    }

    /// The connection was lost with an event under way, or before it was sent: it waits for the next connection.
    mutating func interrupted(_ position: Int64) {
        guard let entry = entries[position], entry.progress == .underWay else { return }
        entry.progress = .interrupted
        interrupted += 1
    }

    /// There is a connection again.
    mutating func resume() -> Actions {
        guard interrupted > 0 else { return Actions() }
        var actions = Actions()
        for case .some(let entry) in order[orderStart...] where entry.progress == .interrupted {
            entry.progress = .underWay
            entry.sentAt = now
            actions.publish.append(entry.event)
        }
        interrupted = 0
        return actions
    }

    private mutating func finish(_ entry: Entry) -> Actions {
        guard entry.progress != .done else { return Actions() }
        if entry.progress == .interrupted { interrupted -= 1 }
        entry.progress = .done
        var actions = Actions()
        if let line = lines[entry.event.subject] {
            line.entries.removeAll { $0 === entry }
            if let next = line.entries.first {
                if next.progress == .waiting, isStalled(next.event.type) {
                    actions.park = park(next, .unconfirmed(wasSent: false))
                } else if next.progress == .waiting {
                    next.progress = .underWay
                    next.sentAt = now
                    actions.publish.append(next.event)
                }
            } else {
                lines[entry.event.subject] = nil
            }
        }
        forget()
        return actions
    }

    private mutating func forget() {
        while orderStart < order.count, let entry = order[orderStart], entry.progress == .done {
            forwardedThrough = entry.event.position
            budget.giveBack(entry.event.envelope.count)
            entries[forwardedThrough] = nil
            order[orderStart] = nil
            orderStart += 1
        }
        if orderStart == order.count {
            order.removeAll(keepingCapacity: true)
            orderStart = 0
        } else if orderStart > 1024, orderStart * 2 > order.count {
            order.removeFirst(orderStart)
            orderStart = 0
        }
    }
}
