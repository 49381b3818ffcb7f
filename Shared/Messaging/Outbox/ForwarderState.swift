/// What the forwarder has read and not yet forgotten.
///
/// Without I/O: it takes what happened and says what to do. It has one owner: a copy would share its events.
///
/// *Confirmed before forgotten*: `forwardedThrough` moves only past events that the broker confirmed or that the table of
/// deliveries has taken over. At most one event of a subject is under way, so that a refusal cannot reorder the subject;
/// different subjects pass one another.
struct ForwarderState {
    /// What to do next.
    struct Actions: Equatable {
        /// To be published, in this order.
        var publish: [StoredEvent] = []
        /// To be handed to the table: refused with this error, or held behind one that was.
        var park: [Parking] = []

        var isEmpty: Bool { publish.isEmpty && park.isEmpty }
    }

    /// An event for the table.
    struct Parking: Equatable {
        var event: StoredEvent
        var errorClass: String?
        var message: String?
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

        init(_ event: StoredEvent, _ progress: Progress) {
            self.event = event
            self.progress = progress
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
    private var lines: [SubjectKey: Line] = [:]
    private var interrupted = 0

    init(after position: Int64) {
        forwardedThrough = position
        readThrough = position
    }

    /// Events that are read and not forgotten.
    var count: Int { entries.count }

    /// Whether events wait to be published again since their connection was lost.
    var hasInterrupted: Bool { interrupted > 0 }

    /// Takes events that were read, in the order of their positions.
    mutating func read(_ events: [StoredEvent]) -> Actions {
        var actions = Actions()
        for event in events {
            readThrough = event.position
            let line = line(of: event.subject)
            if event.isBlocked { line.isParked = true }
            let progress: Progress = line.isParked ? .parking : line.entries.isEmpty ? .underWay : .waiting
            switch progress {
            case .parking: actions.park.append(Parking(event: event))
            case .underWay: actions.publish.append(event)
            default: break
            }
            let entry = Entry(event, progress)
            line.entries.append(entry)
            order.append(entry)
            entries[event.position] = entry
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
    mutating func confirmed(_ position: Int64) -> Actions {
        finish(position)
    }

    /// The table has taken an event.
    mutating func parked(_ position: Int64) -> Actions {
        finish(position)
    }

    /// The broker refused an event, or the client did: it and the later ones of its subject go to the table.
    mutating func refused(_ position: Int64, errorClass: String, message: String) -> Actions {
        guard let refused = entries[position], let line = lines[refused.event.subject] else { return Actions() }
        var actions = Actions()
        line.isParked = true
        for entry in line.entries where entry.progress != .parking {
            entry.progress = .parking
            let isRefused = entry === refused
            actions.park.append(
                Parking(
                    event: entry.event,
                    errorClass: isRefused ? errorClass : nil,
                    message: isRefused ? message : nil
                )
            )
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
            actions.publish.append(entry.event)
        }
        interrupted = 0
        return actions
    }

    private mutating func finish(_ position: Int64) -> Actions {
        guard let entry = entries[position], entry.progress != .done else { return Actions() }
        if entry.progress == .interrupted { interrupted -= 1 }
        entry.progress = .done
        var actions = Actions()
        if let line = lines[entry.event.subject] {
            line.entries.removeAll { $0 === entry }
            if let next = line.entries.first {
                if next.progress == .waiting {
                    next.progress = .underWay
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
