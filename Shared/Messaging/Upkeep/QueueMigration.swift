internal import AMQP
public import Telemetry

/// Puts queues with the arguments of this version in the place of queues with others, and moves what they hold.
///
/// Nothing is lost and no subject's order is changed, wherever it ends: it goes on where it was when it is run again, and may
/// have copied some messages twice, which every inbox knows. It takes nothing but AMQP, one queue at a time, and one run at a
/// time.
///
/// No service may run meanwhile, because each declares all queues: a queue that somebody consumes is refused. What others
/// publish is kept. (Should they publish two events of one subject within the milliseconds in which the new queue begins to
/// hear them, the second can come first; stop them too where that matters.) Between a run that was ended and the next one, no
/// service may be started either: it would not wait for what is still set aside.
public struct QueueMigration: Sendable {
    /// What was found, or done, about one queue.
    public enum Outcome: Sendable, Equatable {
        /// It has the right arguments, or there is none: a service makes it when it starts.
        case fits
        /// It has others, or an earlier run was ended in the middle.
        case waits
        /// It has been replaced; so many messages were moved into the new one.
        case moved(messages: Int)
    }

    /// The places where a run can end; tests end it there.
    enum Milestone: CaseIterable, Sendable {
        case arrivingIsBound
        case movingIsThere
        case queueIsUnbound
        case isMoving
        case queueIsDrained
        case queueIsDeleted
        case queueIsNew
        case isMovingBack
        case movingIsDrained
        case movingIsDeleted
        case queueIsBound
        case arrivingIsDrained
    }

    private let topology: BrokerTopology
    private let queueType: MessagingConfiguration.QueueType
    private let configuration: ConnectionConfiguration
    private let administration: BrokerAdministration
    private let logger: Logger
    /// Called at each milestone; what it throws ends the run.
    var reached: @Sendable (Milestone) async throws -> Void = { _ in }

    /// Makes a migration to the queues that services of this topology declare; nothing connects yet.
    ///
    /// - Throws: `QueueMigrationFailure` when a URL is not valid; credentials are redacted.
    public init(
        brokerURLs: [String],
        topology: Topology,
        queueType: MessagingConfiguration.QueueType,
        logger: Logger
    ) throws {
        self.topology = topology.declarations(queueType: queueType, mode: .declare)
        self.queueType = queueType
        self.logger = logger
        do {
            var configuration = try ConnectionConfiguration(urls: brokerURLs, name: "warren queues")
            // A message that does not fit in would be cut off; the broker itself takes no more than this.
            configuration.maximumBodySize = 512 << 20
            self.configuration = configuration
        } catch let error as AMQPError {
            throw QueueMigrationFailure(kind: .unreachable, reason: error.reason)
        }
        administration = BrokerAdministration(configuration)
    }

    /// The names of a subscriber's queues, its own first.
    public static func queues(of subscriber: String) -> [String] {
        [subscriber, Topology.deadLetterQueue(of: subscriber)]
    }

    /// Looks at a queue and changes nothing.
    ///
    /// - Throws: `QueueMigrationFailure`.
    public func look(at queue: String) async throws -> Outcome {
        try await named(queue) { try await state(of: queue).next == nil ? .fits : .waits }
    }

    /// Replaces a queue where it has to be, and finishes what an earlier run has left.
    ///
    /// - Throws: `QueueMigrationFailure`; run it again.
    public func migrate(_ queue: String) async throws -> Outcome {
        try await named(queue) {
            var messages: Int?
            while let step = try await state(of: queue).next {
                let moved = try await perform(step, on: queue)
                // What is set aside is counted when it comes back.
                messages = (messages ?? 0) + (step == .setAside ? 0 : moved)
            }
            return messages.map { .moved(messages: $0) } ?? .fits
        }
    }

    // MARK: Steps

    private func state(of queue: String) async throws -> QueueMove {
        QueueMove(
            queue: try await place(of: queue),
            hasMoving: try await administration.counts(of: Self.moving(queue)) != nil,
            hasArriving: try await administration.counts(of: Self.arriving(queue)) != nil
        )
    }

    private func place(of queue: String) async throws -> QueueMove.Place {
        guard try await administration.counts(of: queue) != nil else { return .absent }
        do {
            try await administration.declare(own(queue))
            return .fits
        } catch let error as AMQPError where error.code == .preconditionFailed {
            return .differs
        }
    }

    private func perform(_ step: QueueMove.Step, on queue: String) async throws -> Int {
        let (moving, arriving) = (Self.moving(queue), Self.arriving(queue))
        switch step {
        case .setAside:
            try await requireUnused(queue)
            try await administration.declare(spare(arriving, hearing: queue))
            try await reached(.arrivingIsBound)
            try await administration.declare(spare(moving))
            try await reached(.movingIsThere)
            try await administration.unbind(bindings(of: queue))
            try await reached(.queueIsUnbound)
            let moved = try await drain(queue, into: moving) { try await reached(.isMoving) }
            try await reached(.queueIsDrained)
            try await administration.delete(queue: queue)
            try await reached(.queueIsDeleted)
            return moved
        case .bringBack:
            try await administration.declare(spare(arriving, hearing: queue))
            try await administration.declare(own(queue))
            try await requireUnused(queue)
            // A service that was started too early has bound it.
            try await administration.unbind(bindings(of: queue))
            try await reached(.queueIsNew)
            let moved = try await drain(moving, into: queue) { try await reached(.isMovingBack) }
            try await reached(.movingIsDrained)
            try await administration.delete(queue: moving)
            try await reached(.movingIsDeleted)
            return moved
        case .join:
            try await administration.declare(own(queue))
            try await requireUnused(queue)
            var moved = try await drain(arriving, into: queue)
            var bound = own(queue)
            bound.exchanges = topology.exchanges
            bound.bindings = bindings(of: queue)
            try await administration.declare(bound)
            try await reached(.queueIsBound)
            try await administration.unbind(bindings(of: queue, for: arriving))
            // Copies of what the queue hears itself by now, and what came in the moment before.
            moved += try await drain(arriving, into: queue)
            try await reached(.arrivingIsDrained)
            try await administration.delete(queue: arriving)
            return moved
        }
    }

    /// Moves everything until nothing is left that is ready or waits for an ack.
    private func drain(
        _ source: String,
        into target: String,
        onBurst: @escaping @Sendable () async throws -> Void = {}
    ) async throws -> Int {
        var moved = 0
        while true {
            try await requireUnused(source)
            guard let ready = try await administration.counts(of: source)?.ready else { return moved }
            guard ready > 0 else {
                // What was routed to it before it was unbound may still be on its way inside the broker.
                try await Task.sleep(for: .milliseconds(200))
                let counts = try await administration.counts(of: source)
                guard counts?.ready ?? 0 > 0 || counts?.consumers ?? 0 > 0 else { return moved }
                continue
            }
            let mover = MessageMover(from: source, to: target, configuration: configuration, logger: logger)
            let count = try await mover.move(ready, onBurst: onBurst)
            guard count > 0 else {
                throw QueueMigrationFailure(
                    kind: .stopped,
                    reason: "the broker says that \(source) holds \(ready) messages, and delivers none"
                )
            }
            moved += count
        }
    }

    /// What has a consumer may have given it messages that nobody sees, and gives it the next ones.
    private func requireUnused(_ queue: String) async throws {
        // A consumer whose process was killed is gone as soon as the broker has noticed.
        let deadline = ContinuousClock.now + .seconds(5)
        while let counts = try await administration.counts(of: queue), counts.consumers > 0 {
            guard ContinuousClock.now < deadline else {
                throw QueueMigrationFailure(
                    kind: .inUse,
                    reason: "\(queue) has \(counts.consumers == 1 ? "a consumer" : "\(counts.consumers) consumers")"
                )
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    // MARK: Declarations

    private static func moving(_ queue: String) -> String { "\(queue).moving" }
    private static func arriving(_ queue: String) -> String { "\(queue).arriving" }

    private func bindings(of queue: String, for other: String? = nil) -> [BrokerTopology.Binding] {
        topology.bindings.filter { $0.queue == queue }.map { binding in
            var binding = binding
            binding.queue = other ?? queue
            return binding
        }
    }

    /// The queue as services declare it, without its bindings.
    private func own(_ queue: String) -> BrokerTopology {
        var own = BrokerTopology()
        own.queues = topology.queues.filter { $0.name == queue }
        return own
    }

    /// A queue that keeps everything, and hears what another one does.
    private func spare(_ name: String, hearing queue: String? = nil) -> BrokerTopology {
        var spare = BrokerTopology()
        var arguments: FieldTable = ["x-queue-type": .string(queueType.rawValue)]
        // Each run that is ended counts as a delivery; after 20 of them RabbitMQ 4 would drop the message.
        if queueType == .quorum { arguments["x-delivery-limit"] = .int32(1_000_000) }
        spare.queues = [.init(name: name, arguments: arguments)]
        if let queue {
            spare.exchanges = topology.exchanges
            spare.bindings = bindings(of: queue, for: name)
        }
        return spare
    }

    private func named<Result>(_ queue: String, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as AMQPError {
            switch error.code {
            case .connectionFailed, .closed, .timeout:
                throw QueueMigrationFailure(kind: .unreachable, reason: error.reason)
            case .connectionLost:
                throw QueueMigrationFailure(kind: .stopped, reason: "\(queue): \(error.reason)")
            default:
                throw QueueMigrationFailure(kind: .refused, reason: "\(queue): \(error.description)")
            }
        }
    }
}

/// Why a queue was not replaced.
///
/// What has been moved until then is safe.
public struct QueueMigrationFailure: Error, Sendable, CustomStringConvertible {
    /// What kind of failure.
    public enum Kind: Sendable {
        /// There is no connection.
        case unreachable
        /// Somebody consumes the queue.
        case inUse
        /// The broker does not allow it.
        case refused
        /// It came to a stop in the middle.
        case stopped
    }

    /// What kind of failure.
    public let kind: Kind
    /// For a person; credentials are redacted.
    public let reason: String

    /// Makes a failure.
    public init(kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// The reason.
    public var description: String { reason }
}
