/// What other threads want of a consumer's link.
enum ConsumeCommand: Sendable {
    case ack(IncomingMessage.Tag)
    case acks([IncomingMessage.Tag])
    case reject(IncomingMessage.Tag, requeue: Bool)
    case stopConsuming
}

/// The consuming side of a link.
final class ConsumingRole: LinkRole {
    private static let consumerTag = "warren"
    /// How long the channel stays open after the last ack.
    ///
    /// Quorum queues apply acks after the broker has taken them, and undo what is not applied when the channel closes. On one
    /// node a call that is answered after the last ack is enough (without one, hundreds of 20,000 messages came back); nothing
    /// tells when the nodes of a cluster have agreed, so they get this time.
    private static let settlingTime = Duration.milliseconds(150)

    /// How many bytes of messages may be unsettled before no more are read.
    ///
    /// One message more may be, and what one look at the socket brings.
    static let byteBudget = 32 << 20
    /// What one frame has at most, about.
    private static let frameSize = 128 << 10

    private let queue: String
    private let prefetch: Int
    private let arguments: FieldTable
    private let mailbox: BurstMailbox
    private let counts: Counts

    private var connection: UInt64 = 0
    private var isConnected = false
    private var isConsuming = false
    /// Nothing more is to be consumed, on this connection and later ones.
    private var isStopped = false
    private var coalescer = AckCoalescer()
    private var burst: [IncomingMessage] = []
    private var lastSettled: ContinuousClock.Instant?
    /// The link has been told not to read.
    private var isFull = false

    init(queue: String, prefetch: Int, arguments: FieldTable, mailbox: BurstMailbox, counts: Counts) {
        self.queue = queue
        self.prefetch = prefetch
        self.arguments = arguments
        self.mailbox = mailbox
        self.counts = counts
    }

    var wantsToWrite: Bool { isConnected && (coalescer.hasFrames || (isStopped && isConsuming)) }

    /// The broker may have nothing more to send before it has these acks.
    var isUrgent: Bool { !isStopped && !isFull && coalescer.open == 0 }

    /// As many frames as the budget has room for: none while what is unsettled fills it.
    var readLimit: Int {
        let room = Self.byteBudget - coalescer.openBytes
        isFull = room <= 0
        return isFull ? 0 : min(1_024, room / Self.frameSize + 1)
    }

    func connected(_ transport: any Transport, number: UInt64) throws(AMQPError) {
        connection = number
        coalescer = AckCoalescer()
        lastSettled = nil
        isConsuming = false
        if !isStopped {
            try transport.setPrefetch(prefetch)
            try transport.consume(queue, tag: Self.consumerTag, arguments: arguments)
            isConsuming = true
        }
        isConnected = true
    }

    func take(_ commands: [ConsumeCommand]) {
        var stale = 0
        for command in commands {
            switch command {
            case .ack(let tag):
                if tag.connection != connection || !coalescer.ack(tag.number) { stale += 1 }
            case .acks(let tags):
                for tag in tags where tag.connection != connection || !coalescer.ack(tag.number) { stale += 1 }
            case .reject(let tag, let requeue):
                if tag.connection != connection || !coalescer.reject(tag.number, requeue: requeue) { stale += 1 }
            case .stopConsuming:
                isStopped = true
                if !isConsuming { mailbox.finish() }
            }
        }
        if stale > 0 { counts.update { $0.staleAcks += stale } }
    }

    func write(_ transport: any Transport) throws(AMQPError) {
        if coalescer.hasFrames {
            let before = coalescer.settledCount
            let frames = coalescer.flush()
            for frame in frames { try transport.settle(frame) }
            try transport.flush()
            lastSettled = .now
            let count = coalescer.settledCount - before
            counts.update { $0.settled += count }
        }
        if isStopped, isConsuming {
            try transport.cancelConsumer(tag: Self.consumerTag)
            isConsuming = false
            // What came before the broker's answer has been set aside by the library and is received next.
            while try !transport.receive(limit: 1_024, { frame throws(AMQPError) in try receive(frame, transport) }) {}
            received()
            mailbox.finish()
        }
    }

    func receive(_ frame: consuming IncomingFrame, _ transport: any Transport) throws(AMQPError) {
        switch consume frame {
        case .delivered(let deliveries):
            guard coalescer.delivered(deliveries) else {
                throw AMQPError(code: .connectionLost, reason: "the broker skipped a delivery tag")
            }
            if burst.isEmpty { burst = deliveries } else { burst += deliveries }
        case .consumerCancelled:
            throw AMQPError(
                code: .connectionLost,
                reason: "the broker cancelled the consumer of queue '\(queue)': the queue was deleted, its node is "
                    + "down, or a delivery waited for its ack for longer than the broker allows"
            )
        case .returned, .confirmed, .blocked, .unblocked:
            break
        }
    }

    func received() {
        guard !burst.isEmpty else { return }
        let count = burst.count
        counts.update { $0.delivered += count }
        mailbox.append(burst)
        burst = []
    }

    func finish(_ transport: any Transport) throws(AMQPError) -> Bool {
        if isConsuming {
            isStopped = true
            try write(transport)
        }
        guard !coalescer.hasFrames else { return false }
        guard let lastSettled, lastSettled.duration(to: .now) < Self.settlingTime else {
            // The answer proves that the broker has read every ack before it.
            try transport.setPrefetch(prefetch)
            return true
        }
        return false
    }

    func disconnected(_ error: AMQPError) {
        isConnected = false
        isConsuming = false
        burst = []
        // Not taken yet: the broker delivers them again, and their tags are dead.
        mailbox.dropAll()
        if isStopped { mailbox.finish() }
        connection = 0
    }

    func ended(_ leftOver: [ConsumeCommand]) {
        isConnected = false
        connection = 0
        take(leftOver)
        mailbox.finish()
    }
}
