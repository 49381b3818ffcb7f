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
    ///
    /// One that waits while very many later ones are settled is set aside, so that what the broker never settles does not keep the room
    /// of all that follows it.
    private var slots: [Slot?] = []
    private var head = 0
    private var base: UInt64 = 1
    /// Those that were set aside, by their numbers, which are less than `base`.
    private var setAside: [UInt64: Slot] = [:]
    /// How many settled slots may lie behind one that is not.
    private let most: Int

    /// How many messages wait.
    package private(set) var count = 0

    /// Makes a tracker that waits for nothing.
    package init() { self.init(settingAsideBehind: 65_536) }

    /// - Parameter most: how many settled messages may lie behind one that is not.
    init(settingAsideBehind most: Int) {
        self.most = most
    }

    /// The sequence number that the next `sent` gives.
    var nextSequence: UInt64 { base + UInt64(slots.count - head) }

    /// How many numbers it keeps a slot for.
    var room: Int { slots.count }

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
        guard number < nextSequence, number > 0 else { return [] }
        var settled: [(entry: Entry, outcome: Outcome)] = []
        func settle(_ slot: Slot) {
            let outcome: Outcome =
                if !positive { .nacked } else if let reason = slot.returned { .returned(reason: reason) } else {
                    .confirmed
                }
            settled.append((slot.entry, outcome))
        }
        if !setAside.isEmpty {
            for old in setAside.keys.filter({ multiple ? $0 <= number : $0 == number }).sorted() {
                if let slot = setAside.removeValue(forKey: old) { settle(slot) }
            }
        }
        if number >= base {
            let last = head + Int(number - base)
            for index in (multiple ? head : last)...last {
                guard let slot = slots[index] else { continue }
                slots[index] = nil
                settle(slot)
            }
        }
        count -= settled.count
        trim()
        return settled
    }

    /// The connection is gone: everything that waited, oldest first, with the reason where it had come back already.
    ///
    /// The tracker is as new.
    package mutating func connectionLost() -> [(entry: Entry, returned: String?)] {
        let old = setAside.sorted { $0.key < $1.key }.map { Optional($0.value) }
        let waiting = (old + slots[head...]).compactMap { slot in slot.map { (entry: $0.entry, returned: $0.returned) }
        }
        self = ConfirmTracker(settingAsideBehind: most)
        return waiting
    }

    /// Forgets the settled slots at the front.
    private mutating func trim() {
        while true {
            while head < slots.count, slots[head] == nil {
                head += 1
                base += 1
            }
            guard slots.count - head + setAside.count - count > most, let slot = slots[head] else { break }
            setAside[base] = slot
            slots[head] = nil
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
