internal import AMQP
import Events
import Synchronization
import Telemetry

/// Moves messages from one queue to another: each is acknowledged after the other queue has confirmed it.
///
/// In order, and with at most one message of a subject unconfirmed: one that the broker refuses cannot fall behind a later one
/// of its subject. Whatever ends it, every message is in one of the queues, and some may be in both.
struct MessageMover {
    /// How long nothing may come or be confirmed.
    private static let patience = Duration.seconds(30)

    private let target: String
    private let source: String
    private let consumer: Consumer
    private let publisher: Publisher

    init(from source: String, to target: String, configuration: ConnectionConfiguration, logger: Logger) {
        self.source = source
        self.target = target
        consumer = Consumer(configuration, queue: source, logger: logger)
        publisher = Publisher(configuration, logger: logger)
    }

    /// Moves so many messages, or a few more; returns when both connections are closed.
    ///
    /// - Parameter onBurst: called after each burst; what it throws ends the moving.
    /// - Returns: how many were moved; fewer where no more came.
    func move(_ count: Int, onBurst: @escaping @Sendable () async throws -> Void) async throws -> Int {
        let connections = [Task { [publisher] in await publisher.run() }, Task { [consumer] in await consumer.run() }]
        let moved = Count()
        let result: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await moveAll(count, moved, onBurst) }
                group.addTask { try await watch(moved) }
                // The first to end decides.
                try await group.next()
                group.cancelAll()
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        for connection in connections { connection.cancel() }
        for connection in connections { await connection.value }
        try result.get()
        return moved.value
    }

    private func moveAll(
        _ count: Int,
        _ moved: Count,
        _ onBurst: @Sendable () async throws -> Void
    ) async throws {
        for await state in publisher.states where state == .ready { break }
        for await burst in consumer.bursts {
            for run in try Self.runs(of: burst) {
                try await publish(run)
                consumer.ack(run.map(\.tag))
                moved.add(run.count)
            }
            try await onBurst()
            if moved.value >= count { return }
        }
        try Task.checkCancellation()
    }

    /// Ends when nothing has moved for a while.
    private func watch(_ moved: Count) async throws {
        var last = -1
        while last != moved.value {
            last = moved.value
            try await Task.sleep(for: Self.patience)
        }
        let failure = publisher.lastFailure ?? consumer.lastFailure
        throw failure ?? AMQPError(code: .timeout, reason: "nothing was moved from \(source) for \(Self.patience)")
    }

    /// The messages in order, cut so that no part has two of one subject.
    static func runs(of burst: [IncomingMessage]) throws -> [[IncomingMessage]] {
        var runs: [[IncomingMessage]] = []
        var subjects: Set<SubjectKey> = []
        var isOpen = false
        for message in burst {
            guard !message.isOversized else {
                throw AMQPError(code: .invalidMessage, reason: "a message is larger than this program takes in")
            }
            let subject = subject(of: message)
            if let subject, isOpen, subjects.insert(subject).inserted {
                runs[runs.count - 1].append(message)
                continue
            }
            runs.append([message])
            // What cannot be read goes alone.
            subjects = subject.map { [$0] } ?? []
            isOpen = subject != nil
        }
        return runs
    }

    private static func subject(of message: IncomingMessage) -> SubjectKey? {
        do throws(EventFault) {
            let envelope = try Envelope(decoding: message.message.body)
            return envelope.subject.map { SubjectKey(source: envelope.source, subject: $0) }
        } catch {
            return nil
        }
    }

    private func publish(_ run: [IncomingMessage]) async throws {
        let publications = run.map { incoming in
            var message = incoming.message
            message.properties.deliveryMode = 2
            // The broker lets nobody publish in another's name.
            message.properties.userID = nil
            message.properties.headers?["x-delivery-count"] = nil
            return Publication(exchange: "", routingKey: target, message: message)
        }
        let (outcomes, report) = AsyncStream.makeStream(of: AMQPError?.self)
        publisher.submit(publications) { _, error in report.yield(error) }
        var missing = publications.count
        for await outcome in outcomes {
            if let outcome { throw outcome }
            missing -= 1
            if missing == 0 { return }
        }
        throw CancellationError()
    }

    /// How many have been moved.
    private final class Count: Sendable {
        private let count = Atomic(0)

        var value: Int { count.load(ordering: .relaxed) }

        func add(_ number: Int) { count.add(number, ordering: .relaxed) }
    }
}
