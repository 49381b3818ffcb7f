internal import Events

/// An event as the forwarder reads it.
struct StoredEvent: Sendable, Equatable {
    var position: Int64
    var id: String
    var type: String
    var subject: SubjectKey
    var sequence: Int64
    var time: Int64
    var envelope: [UInt8]
    /// An earlier event of the subject lies in the table because the broker did not take it.
    var isBlocked: Bool
    /// An earlier process may have published it.
    var isRepeat = false
}

/// What the forwarder has read and not yet forgotten.
///
/// A pure value: it takes what happened and says what to do.
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

    private struct Line {
        var positions: [Int64] = []
        var isParked = false
    }

    /// Everything up to this position is the broker's or the table's.
    private(set) var forwardedThrough: Int64
    /// The last position that was read.
    private(set) var readThrough: Int64
    private var order: [Int64] = []
    private var orderStart = 0
    private var entries: [Int64: (event: StoredEvent, progress: Progress)] = [:]
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
            order.append(event.position)
            var line = lines[event.subject] ?? Line()
            if event.isBlocked { line.isParked = true }
            line.positions.append(event.position)
            if line.isParked {
                entries[event.position] = (event, .parking)
                actions.park.append(Parking(event: event))
            } else if line.positions.count == 1 {
                entries[event.position] = (event, .underWay)
                actions.publish.append(event)
            } else {
                entries[event.position] = (event, .waiting)
            }
            lines[event.subject] = line
        }
        return actions
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
        guard let entry = entries[position], var line = lines[entry.event.subject] else { return Actions() }
        var actions = Actions()
        line.isParked = true
        for other in line.positions {
            guard let successor = entries[other], successor.progress != .parking else { continue }
            entries[other]?.progress = .parking
            let isRefused = other == position
            actions.park.append(
                Parking(
                    event: successor.event,
                    errorClass: isRefused ? errorClass : nil,
                    message: isRefused ? message : nil
                )
            )
        }
        lines[entry.event.subject] = line
        return actions
    }

    /// The connection was lost with an event under way, or before it was sent: it waits for the next connection.
    mutating func interrupted(_ position: Int64) {
        guard entries[position]?.progress == .underWay else { return }
        entries[position]?.progress = .interrupted
        interrupted += 1
    }

    /// There is a connection again.
    mutating func resume() -> Actions {
        guard interrupted > 0 else { return Actions() }
        var actions = Actions()
        for position in order[orderStart...] where entries[position]?.progress == .interrupted {
            entries[position]?.progress = .underWay
            if let event = entries[position]?.event { actions.publish.append(event) }
        }
        interrupted = 0
        return actions
    }

    private mutating func finish(_ position: Int64) -> Actions {
        guard let entry = entries[position], entry.progress != .done else { return Actions() }
        if entry.progress == .interrupted { interrupted -= 1 }
        entries[position]?.progress = .done
        var actions = Actions()
        if var line = lines[entry.event.subject] {
            line.positions.removeAll { $0 == position }
            if line.positions.isEmpty {
                lines[entry.event.subject] = nil
            } else {
                if let next = line.positions.first, entries[next]?.progress == .waiting,
                    let event = entries[next]?.event
                {
                    entries[next]?.progress = .underWay
                    actions.publish.append(event)
                }
                lines[entry.event.subject] = line
            }
        }
        forget()
        return actions
    }

    private mutating func forget() {
        while orderStart < order.count, let entry = entries[order[orderStart]], entry.progress == .done {
            forwardedThrough = order[orderStart]
            entries[order[orderStart]] = nil
            orderStart += 1
        }
        if orderStart > 1024, orderStart * 2 > order.count {
            order.removeFirst(orderStart)
            orderStart = 0
        }
    }
}
