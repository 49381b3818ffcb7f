/// What is done to a broker's queues and bindings by hand: look, declare, unbind, purge, delete.
///
/// Thread-safe. Each call has a connection of its own, on a thread of its own, tries every endpoint in turn, and is bounded by
/// `ConnectionConfiguration.timeout`. None is repeated: after `.connectionLost` it may or may not have been done. All of them
/// may be called again for what is done already.
///
/// There is no deletion under the condition that a queue is empty or unused: quorum queues refuse it (540).
public struct BrokerAdministration: Sendable {
    /// What a queue says of itself.
    public struct QueueCounts: Sendable, Equatable {
        /// Messages that wait for a consumer; those that wait for their ack are not counted.
        public var ready: Int
        /// Consumers, those included that wait for their turn.
        public var consumers: Int

        /// Makes counts.
        public init(ready: Int, consumers: Int) {
            self.ready = ready
            self.consumers = consumers
        }
    }

    private let configuration: ConnectionConfiguration

    /// Makes an administration of the broker that the configuration names; nothing connects yet.
    public init(_ configuration: ConnectionConfiguration) {
        self.configuration = configuration
    }

    /// Declares, or verifies where the topology is passive.
    ///
    /// - Throws: `AMQPError`, with code `.preconditionFailed` where something exists with other arguments.
    public func declare(_ topology: BrokerTopology) async throws {
        try await perform { session throws(AMQPError) in try session.declare(topology) }
    }

    /// What a queue holds; nil where there is no such queue.
    ///
    /// - Throws: `AMQPError`.
    public func counts(of queue: String) async throws -> QueueCounts? {
        do {
            return try await perform { session throws(AMQPError) in try session.counts(of: queue) }
        } catch let error as AMQPError where error.code == .notFound {
            return nil
        }
    }

    /// Undoes bindings, in order; those that are not there are no error, and neither is a queue that is not.
    ///
    /// - Throws: `AMQPError`.
    public func unbind(_ bindings: [BrokerTopology.Binding]) async throws {
        guard !bindings.isEmpty else { return }
        try await perform { session throws(AMQPError) in
            for binding in bindings { try session.unbind(binding) }
        }
    }

    /// Deletes a queue with all that it holds, whoever consumes it.
    ///
    /// - Returns: how many messages that were ready went with it; 0 where there was no such queue.
    /// - Throws: `AMQPError`.
    @discardableResult
    public func delete(queue: String) async throws -> Int {
        try await perform { session throws(AMQPError) in try session.delete(queue: queue) }
    }

    /// Removes what a queue has ready; what waits for its ack stays.
    ///
    /// - Returns: how many messages were removed.
    /// - Throws: `AMQPError`, with code `.notFound` where there is no such queue.
    @discardableResult
    public func purge(queue: String) async throws -> Int {
        try await perform { session throws(AMQPError) in try session.purge(queue: queue) }
    }

    /// Connects, works, closes.
    private func perform<Result: Sendable>(
        _ work: @escaping @Sendable (Session) throws(AMQPError) -> Result
    ) async throws -> Result {
        let configuration = configuration
        return try await withCheckedThrowingContinuation { continuation in
            let starts = LinkThread.start(named: "amqp-admin") {
                continuation.resume(with: Self.perform(work, configuration))
            }
            if !starts {
                continuation.resume(
                    throwing: AMQPError(code: .connectionFailed, reason: "the system gives no thread")
                )
            }
        }
    }

    private static func perform<Result: Sendable>(
        _ work: (Session) throws(AMQPError) -> Result,
        _ configuration: ConnectionConfiguration
    ) -> Swift.Result<Result, any Error> {
        do throws(AMQPError) {
            let session = try connect(configuration)
            defer { session.close(within: configuration.closingTimeout) }
            return .success(try work(session))
        } catch {
            return .failure(error)
        }
    }

    private static func connect(_ configuration: ConnectionConfiguration) throws(AMQPError) -> Session {
        var last = AMQPError(code: .connectionFailed, reason: "there is no broker to connect to")
        for endpoint in try configuration.currentEndpoints() {
            do throws(AMQPError) {
                return try Session(configuration.authenticated(endpoint), configuration, CallGuard())
            } catch {
                last = error
            }
        }
        throw last
    }
}
