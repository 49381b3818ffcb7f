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
    }

    private let administrator: Administrator

    /// Makes a view; nothing connects yet.
    ///
    /// - Throws: `PublishFailure` when a URL is not valid; credentials are redacted.
    public init(brokerURLs: [String], timeout: Duration = .seconds(10)) throws {
        do {
            var configuration = try ConnectionConfiguration(urls: brokerURLs, name: "warren")
            configuration.timeout = timeout
            administrator = Administrator(configuration)
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
                let state = try await administrator.queue(name)
                queues.append(
                    Queue(
                        name: name,
                        exists: state != nil,
                        readyMessages: state?.readyMessages ?? 0,
                        consumers: state?.consumers ?? 0
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
