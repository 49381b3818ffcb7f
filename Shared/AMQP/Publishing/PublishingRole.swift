import Synchronization

/// What other threads want of a publisher's link.
enum PublishCommand: Sendable {
    case burst([Publication], outcome: @Sendable (Int, AMQPError?) -> Void)
    case single(Publication, PublishTicket)
    /// Tickets have been cancelled: forget their messages.
    case forgetCancelled
}

/// The publishing side of a link: a queue of what is to be sent, and a window of what waits for the broker's confirm.
final class PublishingRole: LinkRole {
    /// Whom an outcome is told.
    private enum Receiver {
        case burst(index: Int, outcome: @Sendable (Int, AMQPError?) -> Void)
        case ticket(PublishTicket)

        func tell(_ error: AMQPError?) {
            switch self {
            case .burst(let index, let outcome): outcome(index, error)
            case .ticket(let ticket): ticket.finish(error)
            }
        }
    }

    /// An object: it goes from the queue to the tracker and out again.
    private final class Outgoing {
        let publication: Publication
        let receiver: Receiver

        init(publication: Publication, receiver: Receiver) {
            self.publication = publication
            self.receiver = receiver
        }
    }

    /// One burst on the wire ends after so many messages, so that what arrives is looked at in between.
    private static let burstCount = 128

    private let window: Int
    private let counts: Counts
    private var queue = Fifo<Outgoing>()
    private var tracker = ConfirmTracker<Outgoing>()
    private var isConnected = false
    private var isBlocked = false

    init(window: Int, counts: Counts) {
        self.window = max(1, window)
        self.counts = counts
    }

    var wantsToWrite: Bool { isConnected && !isBlocked && !queue.isEmpty && tracker.count < window }

    var isUrgent: Bool { tracker.count == 0 && queue.count <= 1 }

    func connected(_ transport: any Transport, number: UInt64) throws(AMQPError) {
        try transport.selectConfirms()
        isConnected = true
        isBlocked = false
    }

    func take(_ commands: [PublishCommand]) {
        for command in commands {
            switch command {
            case .burst(let publications, let outcome):
                for (index, publication) in publications.enumerated() {
                    accept(Outgoing(publication: publication, receiver: .burst(index: index, outcome: outcome)))
                }
            case .single(let publication, let ticket):
                queue.append(Outgoing(publication: publication, receiver: .ticket(ticket)))
            case .forgetCancelled:
                _ = queue.removeAll { outgoing in
                    if case .ticket(let ticket) = outgoing.receiver { ticket.isOver } else { false }
                }
            }
        }
        counts.setWaiting(queue.count)
    }

    /// Queues a message of a burst, which does not wait for a connection.
    private func accept(_ outgoing: Outgoing) {
        do throws(AMQPError) {
            try outgoing.publication.validate()
        } catch {
            outgoing.receiver.tell(error)
            return
        }
        guard isConnected else {
            outgoing.receiver.tell(AMQPError(code: .closed, reason: "there is no connection"))
            return
        }
        queue.append(outgoing)
    }

    func write(_ transport: any Transport) throws(AMQPError) {
        var count = 0
        while count < Self.burstCount, transport.takesMore || count == 0, tracker.count < window,
            let next = queue.popFirst()
        {
            if case .ticket(let ticket) = next.receiver, !ticket.beginSending() { continue }
            do throws(AMQPError) {
                try transport.publish(next.publication)
            } catch {
                guard error.code == .invalidMessage else {
                    // A part of it may have gone out.
                    tracker.sent(next)
                    throw error
                }
                next.receiver.tell(error)
                continue
            }
            tracker.sent(next)
            count += 1
        }
        counts.setInFlight(tracker.count)
        counts.setWaiting(queue.count)
        try transport.flush()
    }

    func receive(_ frame: consuming IncomingFrame, _ transport: any Transport) throws(AMQPError) {
        switch frame {
        case .confirmed(let number, let multiple, let positive):
            settle(tracker.settled(upTo: number, multiple: multiple, positive: positive))
        case .returned(let reason, let exchange, let routingKey, let message):
            // A return carries no number. Two messages that agree in all of this are interchangeable.
            tracker.returned(reason: "\(reason) (exchange '\(exchange)', routing key '\(routingKey)')") { outgoing in
                let publication = outgoing.publication
                return publication.mandatory && publication.exchange == exchange
                    && publication.routingKey == routingKey
                    && publication.message.properties.messageID == message.properties.messageID
            } preferring: { outgoing in
                outgoing.publication.message.body == message.body
            }
        case .blocked:
            isBlocked = true
        case .unblocked:
            isBlocked = false
        case .delivered, .consumerCancelled:
            break
        }
    }

    private func settle(_ settled: [(entry: Outgoing, outcome: ConfirmTracker<Outgoing>.Outcome)]) {
        var confirmed = 0
        var nacked = 0
        var returned = 0
        for (_, outcome) in settled {
            switch outcome {
            case .confirmed: confirmed += 1
            case .nacked: nacked += 1
            case .returned: returned += 1
            }
        }
        counts.setInFlight(tracker.count)
        counts.update { statistics in
            statistics.confirmed += confirmed
            statistics.nacked += nacked
            statistics.returned += returned
        }
        for (entry, outcome) in settled {
            switch outcome {
            case .confirmed:
                entry.receiver.tell(nil)
            case .nacked:
                entry.receiver.tell(AMQPError(code: .nacked, reason: "the broker refused the message"))
            case .returned(let reason):
                entry.receiver.tell(AMQPError(code: .returned, reason: reason))
            }
        }
    }

    func received() {}

    func finish(_ transport: any Transport) throws(AMQPError) -> Bool {
        // What was never sent is not sent now; what is on its way gets its confirm.
        closeQueue(all: true)
        return tracker.count == 0
    }

    func disconnected(_ error: AMQPError) {
        isConnected = false
        let waiting = tracker.connectionLost()
        counts.setInFlight(0)
        counts.update { $0.unknown += waiting.count { $0.returned == nil } }
        for (entry, returned) in waiting {
            if let returned {
                entry.receiver.tell(AMQPError(code: .returned, reason: returned))
            } else {
                entry.receiver.tell(
                    AMQPError(code: .connectionLost, reason: error.reason, channelClose: error.channelClose)
                )
            }
        }
        closeQueue(all: false)
    }

    func ended(_ leftOver: [PublishCommand]) {
        isConnected = false
        take(leftOver)
        closeQueue(all: true)
    }

    /// Reports what has not been sent: the messages of bursts, and where `all` is set those of waiting callers too.
    private func closeQueue(all: Bool) {
        let unsent = queue.removeAll { outgoing in
            if case .burst = outgoing.receiver { true } else { all }
        }
        counts.setWaiting(queue.count)
        for outgoing in unsent {
            outgoing.receiver.tell(AMQPError(code: .closed, reason: "there is no connection; it was not sent"))
        }
    }
}
