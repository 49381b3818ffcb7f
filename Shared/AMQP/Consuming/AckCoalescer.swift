/// Turns the acks that handlers give, in any order, into as few acks on the wire as possible: a pure value without I/O.
///
/// `multiple` acknowledges everything up to a tag, so it is right only where everything before that tag has been settled.
/// The coalescer therefore writes one `multiple` for the contiguous front and single acks for what lies beyond a gap:
/// holding those back could starve the consumer of its prefetch.
struct AckCoalescer {
    /// What is to be written, in this order.
    enum Frame: Equatable {
        case ack(UInt64, multiple: Bool)
        case reject(UInt64, requeue: Bool)
    }

    private enum Status: UInt8 {
        /// Delivered, nothing said yet.
        case open
        /// Acknowledged, not written yet.
        case acked
        /// Written.
        case done
    }

    /// The status of the tags from `base` on.
    private var statuses: [Status] = []
    /// How many bytes each of them has.
    private var sizes: [Int] = []
    private var head = 0
    private var base: UInt64 = 1
    /// Acknowledged and not yet written, in the order given.
    private var fresh: [UInt64] = []
    private var rejects: [Frame] = []

    /// How many deliveries have been neither acknowledged nor rejected.
    private(set) var open = 0

    /// How many bytes they have.
    private(set) var openBytes = 0

    /// How many deliveries `flush` has settled.
    private(set) var settledCount = 0

    /// Whether `flush` has something to say.
    var hasFrames: Bool { !fresh.isEmpty || !rejects.isEmpty }

    /// The broker delivered a message.
    ///
    /// Tags of one channel count from 1 without gaps.
    ///
    /// - Parameter size: of its body, in bytes.
    /// - Returns: false where the tag breaks that rule, which is a fault of the protocol.
    mutating func delivered(_ tag: UInt64, size: Int = 0) -> Bool {
        guard tag == base + UInt64(statuses.count - head) else { return false }
        statuses.append(.open)
        sizes.append(size)
        open += 1
        openBytes += size
        return true
    }

    /// The broker delivered these, one after the other.
    mutating func delivered(_ deliveries: [IncomingMessage]) -> Bool {
        for delivery in deliveries where !delivered(delivery.tag.number, size: delivery.message.body.count) {
            return false
        }
        return true
    }

    /// A handler acknowledges.
    ///
    /// - Returns: false where the tag is unknown or has been settled before; it is dropped then, as the broker would close
    ///   the channel for it.
    mutating func ack(_ tag: UInt64) -> Bool {
        guard settle(tag, as: .acked) else { return false }
        fresh.append(tag)
        return true
    }

    /// A handler rejects.
    ///
    /// The same rules as for `ack`.
    mutating func reject(_ tag: UInt64, requeue: Bool) -> Bool {
        guard settle(tag, as: .done) else { return false }
        rejects.append(.reject(tag, requeue: requeue))
        return true
    }

    /// What is to be written now.
    ///
    /// Rejects come first, so that no `multiple` swallows one.
    mutating func flush() -> [Frame] {
        var frames = rejects
        settledCount += rejects.count + fresh.count
        rejects.removeAll(keepingCapacity: true)
        guard !fresh.isEmpty else {
            trim()
            return frames
        }

        var front: UInt64?
        var index = head
        while index < statuses.count, statuses[index] != .open {
            // The tag of a `multiple` must itself be unsettled for the broker.
            if statuses[index] == .acked { front = base + UInt64(index - head) }
            index += 1
        }
        if let front {
            let covered = fresh.count { $0 <= front }
            frames.append(.ack(front, multiple: covered > 1))
        }
        for tag in fresh where tag > (front ?? 0) {
            frames.append(.ack(tag, multiple: false))
        }
        for tag in fresh {
            statuses[head + Int(tag - base)] = .done
        }
        fresh.removeAll(keepingCapacity: true)
        trim()
        return frames
    }

    private mutating func settle(_ tag: UInt64, as status: Status) -> Bool {
        guard tag >= base, tag < base + UInt64(statuses.count - head) else { return false }
        let index = head + Int(tag - base)
        guard statuses[index] == .open else { return false }
        statuses[index] = status
        open -= 1
        openBytes -= sizes[index]
        return true
    }

    /// Forgets what is written at the front.
    private mutating func trim() {
        while head < statuses.count, statuses[head] == .done {
            head += 1
            base += 1
        }
        if head >= 4_096, head * 2 >= statuses.count {
            statuses.removeFirst(head)
            sizes.removeFirst(head)
            head = 0
        }
    }
}
