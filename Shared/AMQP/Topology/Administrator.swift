import CRabbitMQ

/// Looks at what is on a broker and takes it apart: for tools, tests and whoever tidies up, not for services at work.
///
/// Each call has a connection of its own on a thread of its own, so a call that the broker refuses harms no other. It tries every
/// endpoint once and does not reconnect; it ends within the time that the configuration allows each step. Cancelling the task
/// does not stop it. What it deletes is gone for everybody.
public struct Administrator: Sendable {
    /// What a queue holds and who reads it.
    public struct QueueState: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Messages that wait; those that a consumer has and has not acknowledged are not among them.
        public var readyMessages: Int
        /// Consumers that the broker knows of, the waiting ones of a single active consumer included.
        public var consumers: Int
    }

    private let configuration: ConnectionConfiguration

    /// Makes an administrator; nothing connects yet.
    public init(_ configuration: ConnectionConfiguration) {
        self.configuration = configuration
    }

    /// Looks at a queue (passive `queue.declare`).
    ///
    /// - Returns: nil if there is no such queue.
    /// - Throws: `AMQPError`.
    public func queue(_ name: String) async throws -> QueueState? {
        do {
            return try await perform("looking at queue '\(name)'") { session, arena in
                let answer = unsafe amqp_queue_declare(
                    session.connection,
                    Session.channel,
                    arena.bytes(name),
                    1,
                    0,
                    0,
                    0,
                    amqp_empty_table
                )
                return unsafe answer.map {
                    unsafe QueueState(
                        name: name,
                        readyMessages: Int($0.pointee.message_count),
                        consumers: Int($0.pointee.consumer_count)
                    )
                }
            }
        } catch let error as AMQPError where error.code == .notFound {
            return nil
        }
    }

    /// Declares what is not there yet, or verifies it where the topology is passive.
    ///
    /// - Throws: `AMQPError` with code `.preconditionFailed` where something exists with other arguments, `.notFound` where
    ///   something that is needed does not exist.
    public func declare(_ topology: BrokerTopology) async throws {
        try await withSession { session throws(AMQPError) in try session.declare(topology) }
    }

    /// Drops the messages that wait in a queue, for good.
    ///
    /// Those that consumers have and have not acknowledged stay.
    ///
    /// - Returns: how many were dropped.
    /// - Throws: `AMQPError` with code `.notFound` if there is no such queue.
    @discardableResult
    public func purge(queue name: String) async throws -> Int {
        try await perform("purging queue '\(name)'") { session, arena in
            let answer = unsafe amqp_queue_purge(session.connection, Session.channel, arena.bytes(name))
            return unsafe answer.map { unsafe Int($0.pointee.message_count) }
        } ?? 0
    }

    /// Deletes a queue, its bindings and its messages; one that is not there counts as deleted.
    ///
    /// - Parameters:
    ///   - ifUnused: refuses where it has consumers.
    ///   - ifEmpty: refuses where messages wait in it. Quorum queues do not know this on every broker; look at `queue` before.
    /// - Returns: how many messages went with it.
    /// - Throws: `AMQPError` with code `.preconditionFailed` where it is not deleted.
    @discardableResult
    public func delete(queue name: String, ifUnused: Bool = false, ifEmpty: Bool = false) async throws -> Int {
        try await perform("deleting queue '\(name)'") { session, arena in
            let answer = unsafe amqp_queue_delete(
                session.connection,
                Session.channel,
                arena.bytes(name),
                ifUnused ? 1 : 0,
                ifEmpty ? 1 : 0
            )
            return unsafe answer.map { unsafe Int($0.pointee.message_count) }
        } ?? 0
    }

    /// Deletes an exchange and the bindings to it; one that is not there counts as deleted.
    ///
    /// - Parameter ifUnused: refuses where something is bound to it.
    /// - Throws: `AMQPError` with code `.preconditionFailed` where it is not deleted.
    public func delete(exchange name: String, ifUnused: Bool = false) async throws {
        _ = try await perform("deleting exchange '\(name)'") { session, arena in
            unsafe amqp_exchange_delete(session.connection, Session.channel, arena.bytes(name), ifUnused ? 1 : 0)
                == nil ? nil : true
        }
    }

    /// Removes a binding: what is published from now on does not take it.
    ///
    /// One that is not there counts as removed.
    ///
    /// - Throws: `AMQPError`; with code `.notFound` on brokers that mind a queue or an exchange that is not there.
    public func unbind(_ binding: BrokerTopology.Binding) async throws {
        _ = try await perform("unbinding queue '\(binding.queue)' from exchange '\(binding.exchange)'") {
            session,
            arena in
            unsafe amqp_queue_unbind(
                session.connection,
                Session.channel,
                arena.bytes(binding.queue),
                arena.bytes(binding.exchange),
                arena.bytes(binding.routingKey),
                binding.arguments.makeC(in: arena)
            ) == nil ? nil : true
        }
    }

    /// Runs one call of the C library that waits for its answer.
    private func perform<Answer: Sendable>(
        _ what: String,
        _ call: @escaping @Sendable (Session, CArena) -> Answer?
    ) async throws -> Answer? {
        try await withSession { session throws(AMQPError) in
            var answer: Answer?
            session.arena.reset()
            try session.call(what) { answer = call(session, session.arena) }
            return answer
        }
    }

    /// Connects on a thread of its own, lends the session, closes.
    private func withSession<Answer: Sendable>(
        _ body: @escaping @Sendable (Session) throws(AMQPError) -> Answer
    ) async throws -> Answer {
        let configuration = configuration
        return try await withCheckedThrowingContinuation { continuation in
            let isStarted = LinkThread.start(named: "amqp-admin") {
                continuation.resume(with: Result { try Self.run(configuration, body) })
            }
            if !isStarted {
                continuation.resume(throwing: AMQPError(code: .connectionFailed, reason: "the system gives no thread"))
            }
        }
    }

    private static func run<Answer>(
        _ configuration: ConnectionConfiguration,
        _ body: (Session) throws(AMQPError) -> Answer
    ) throws(AMQPError) -> Answer {
        var failure = AMQPError(code: .connectionFailed, reason: "there is no broker URI")
        for endpoint in try configuration.currentEndpoints() {
            let session: Session
            do throws(AMQPError) {
                session = try Session(configuration.authenticated(endpoint), configuration, CallGuard())
            } catch {
                failure = error
                continue
            }
            defer { session.close(within: configuration.closingTimeout) }
            return try body(session)
        }
        throw failure
    }
}
