/// Which published messages of one channel still wait for the broker's word: a pure value without I/O.
///
/// A message gets its sequence number when it is sent; the broker answers with `basic.ack` or `basic.nack` for one number
/// or, with `multiple`, for all up to it, in any order. A `basic.return` comes before the ack of the same message and
/// carries no number: it is matched by what came back with it.
package struct ConfirmTracker<Entry> {
    /// How the broker settled one message.
    package enum Outcome: Equatable {
        case confirmed
        case nacked
        /// Confirmed, after it had been returned with this reason.
        case returned(reason: String)
    }

    fileprivate struct Slot {
        var entry: Entry
        var returned: String?
    }

    /// The slots of the numbers from `base` on; nil once settled.
    ///
    /// The first is never nil.
    private var slots: [Slot?] = []
    private var head = 0
    private var base: UInt64 = 1

    /// How many messages wait.
    package private(set) var count = 0

    /// Makes a tracker that waits for nothing.
    package init() {}

    /// The sequence number that the next `sent` gives.
    var nextSequence: UInt64 { base + UInt64(slots.count - head) }

    /// A message goes out: remembers it under the next sequence number, which is returned.
    @discardableResult
    package mutating func sent(_ entry: Entry) -> UInt64 {
        let sequence = nextSequence
        slots.append(Slot(entry: entry, returned: nil))
        count += 1
        return sequence
    }

    /// A message came back: marks the oldest waiting one that `matches`, if there is one that has not come back yet.
    ///
    /// - Parameter preferred: chooses among several that match.
    /// - Returns: whether one was found.
    @discardableResult
    package mutating func returned(
        reason: String,
        matching matches: (Entry) -> Bool,
        preferring preferred: (Entry) -> Bool = { _ in true }
    ) -> Bool {
        var found: Int?
        for index in head..<slots.count {
            guard let slot = slots[index], slot.returned == nil, matches(slot.entry) else { continue }
            if preferred(slot.entry) {
                found = index
                break
            }
            if found == nil { found = index }
        }
        guard let found else { return false }
        slots[found]?.returned = reason
        return true
    }

    /// The broker settled the message of that number and, with `multiple`, all before it.
    ///
    /// Numbers that are unknown or settled already are passed over.
    package mutating func settled(
        upTo number: UInt64,
        multiple: Bool,
        positive: Bool
    ) -> [(entry: Entry, outcome: Outcome)] {
        guard number >= base, number < nextSequence else { return [] }
        let last = head + Int(number - base)
        var settled: [(entry: Entry, outcome: Outcome)] = []
        for index in (multiple ? head : last)...last {
            guard let slot = slots[index] else { continue }
            slots[index] = nil
            let outcome: Outcome =
                if !positive { .nacked } else if let reason = slot.returned { .returned(reason: reason) } else {
                    .confirmed
                }
            settled.append((slot.entry, outcome))
        }
        count -= settled.count
        trim()
        return settled
    }

    /// The connection is gone: everything that waited, oldest first, with the reason where it had come back already.
    ///
    /// The tracker is as new.
    package mutating func connectionLost() -> [(entry: Entry, returned: String?)] {
        let waiting = slots[head...].compactMap { slot in slot.map { (entry: $0.entry, returned: $0.returned) } }
        self = ConfirmTracker()
        return waiting
    }

    /// Forgets the settled slots at the front.
    private mutating func trim() {
        while head < slots.count, slots[head] == nil {
            head += 1
            base += 1
        }
        if head == slots.count {
            slots.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 1_024, head * 2 >= slots.count {
            slots.removeFirst(head)
            head = 0
        }
    }
}

extension ConfirmTracker: Sendable where Entry: Sendable {}
extension ConfirmTracker.Slot: Sendable where Entry: Sendable {}
