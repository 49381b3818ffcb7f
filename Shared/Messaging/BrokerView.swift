internal import AMQP

/// What the queues of subscribers hold on a broker, seen over AMQP alone: no management pages, no right to change anything.
///
/// Bindings cannot be seen that way.
public struct BrokerView: Sendable {
    /// A queue.
    public struct Queue: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Whether the broker has it.
        public let exists: Bool
        /// Messages that wait in it.
        public let readyMessages: Int
        /// Who reads it.
        public let consumers: Int

        /// Makes a queue.
        public init(name: String, exists: Bool, readyMessages: Int, consumers: Int) {
            self.name = name
            self.exists = exists
            self.readyMessages = readyMessages
            self.consumers = consumers
        }
    }

    private let administration: BrokerAdministration

    /// Makes a view; nothing connects yet.
    ///
    /// - Throws: `PublishFailure` when a URL is not valid; credentials are redacted.
    public init(brokerURLs: [String], timeout: Duration = .seconds(10)) throws {
        do {
            var configuration = try ConnectionConfiguration(urls: brokerURLs, name: "warren")
            configuration.timeout = timeout
            administration = BrokerAdministration(configuration)
        } catch let error as AMQPError {
            throw PublishFailure(kind: .unreachable, reason: error.reason)
        }
    }

    /// Looks at queues, in their order.
    ///
    /// - Throws: `PublishFailure` when the broker cannot be reached or refuses.
    public func queues(_ names: [String]) async throws -> [Queue] {
        var queues: [Queue] = []
        for name in names {
            do {
                let counts = try await administration.counts(of: name)
                queues.append(
                    Queue(
                        name: name,
                        exists: counts != nil,
                        readyMessages: counts?.ready ?? 0,
                        consumers: counts?.consumers ?? 0
                    )
                )
            } catch let error as AMQPError {
                let isRefusal = error.code == .accessRefused || error.code == .preconditionFailed
                throw PublishFailure(kind: isRefusal ? .refused : .unreachable, reason: error.reason)
            }
        }
        return queues
    }
}
