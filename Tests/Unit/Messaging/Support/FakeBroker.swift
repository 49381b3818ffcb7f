import AMQP
import Synchronization
import Telemetry

@testable import Messaging

/// A sink that does to each publication what the test says.
final class FakeSink: PublishingConnection {
    enum Answer: Sendable {
        case confirm
        case refuse(AMQPError)
        /// Neither confirmed nor refused until the connection is cut.
        case keep
    }

    private struct State {
        var answer: @Sendable (Publication) -> Answer = { _ in .confirm }
        var published: [Publication] = []
        var kept: [@Sendable (AMQPError?) -> Void] = []
        var connection = ConnectionState.ready
        var observers: [AsyncStream<ConnectionState>.Continuation] = []
    }

    private let mutable = Mutex(State())

    var state: ConnectionState { mutable.withLock { $0.connection } }

    var states: AsyncStream<ConnectionState> {
        let (stream, continuation) = AsyncStream.makeStream(of: ConnectionState.self)
        mutable.withLock { state in
            continuation.yield(state.connection)
            state.observers.append(continuation)
        }
        return stream
    }

    var published: [Publication] { mutable.withLock { $0.published } }

    func answer(_ answer: @escaping @Sendable (Publication) -> Answer) {
        mutable.withLock { $0.answer = answer }
    }

    func set(_ connection: ConnectionState) {
        let (observers, kept) = mutable.withLock { state in
            state.connection = connection
            defer { if connection != .ready { state.kept = [] } }
            return (state.observers, connection == .ready ? [] : state.kept)
        }
        for outcome in kept { outcome(AMQPError(code: .connectionLost, reason: "cut")) }
        for observer in observers { observer.yield(connection) }
    }

    /// The broker confirms what it has kept.
    ///
    /// - Returns: how many publications.
    @discardableResult
    func confirmKept() -> Int {
        let kept = mutable.withLock { state in
            defer { state.kept = [] }
            return state.kept
        }
        for outcome in kept { outcome(nil) }
        return kept.count
    }

    func run() async {}

    func publish(_ publication: Publication) async throws {
        let error = await withCheckedContinuation { continuation in
            submit([publication]) { _, error in continuation.resume(returning: error) }
        }
        if let error { throw error }
    }

    func submit(_ burst: [Publication], outcome: @escaping @Sendable (Int, AMQPError?) -> Void) {
        for (index, publication) in burst.enumerated() {
            let answer = mutable.withLock { state in
                state.published.append(publication)
                return state.answer(publication)
            }
            switch answer {
            case .confirm: outcome(index, nil)
            case .refuse(let error): outcome(index, error)
            case .keep: mutable.withLock { $0.kept.append { outcome(index, $0) } }
            }
        }
    }
}

/// A queue's connection into which the test puts messages.
final class FakeSource: ConsumingConnection {
    private struct State {
        var connection = ConnectionState.connecting
        var observers: [AsyncStream<ConnectionState>.Continuation] = []
        var nextTag: UInt64 = 1
        var acknowledged: [UInt64] = []
    }

    let bursts: AsyncStream<[IncomingMessage]>
    /// What lay in the queue when the connection began.
    let readyMessages: Int
    private let queue: AsyncStream<[IncomingMessage]>.Continuation
    private let mutable = Mutex(State())

    init(readyMessages: Int = 0) {
        self.readyMessages = readyMessages
        (bursts, queue) = AsyncStream.makeStream()
    }

    var state: ConnectionState { mutable.withLock { $0.connection } }

    var states: AsyncStream<ConnectionState> {
        let (stream, continuation) = AsyncStream.makeStream(of: ConnectionState.self)
        mutable.withLock { state in
            continuation.yield(state.connection)
            state.observers.append(continuation)
        }
        return stream
    }

    /// The tags of what was acknowledged.
    var acknowledged: [UInt64] { mutable.withLock { $0.acknowledged } }

    /// There is a connection.
    func connect() {
        let observers = mutable.withLock { state in
            state.connection = .ready
            return state.observers
        }
        for observer in observers { observer.yield(.ready) }
    }

    /// The broker delivers a message.
    func deliver(_ message: Message) {
        let tag = mutable.withLock { state in
            defer { state.nextTag += 1 }
            return IncomingMessage.Tag(connection: 1, number: state.nextTag)
        }
        let routingKey = message.properties.type ?? ""
        queue.yield([
            IncomingMessage(
                tag: tag,
                redelivered: false,
                exchange: Topology.exchange,
                routingKey: routingKey,
                message: message
            )
        ])
    }

    func run() async {}

    func stopConsuming() { queue.finish() }

    func ack(_ tag: IncomingMessage.Tag) { mutable.withLock { $0.acknowledged.append(tag.number) } }

    func ack(_ tags: [IncomingMessage.Tag]) {
        for tag in tags { ack(tag) }
    }
}

/// Keeps the records with one message.
final class LineCount: LogSink {
    private let message: String
    private let kept = Mutex<[LogRecord]>([])

    init(_ message: String) { self.message = message }

    var value: Int { kept.withLock { $0.count } }

    /// The values of one field, in the order of the records.
    func values(of key: String) -> [String] {
        kept.withLock { $0.flatMap { $0.fields.filter { "\($0.key)" == key }.map(\.value) } }
    }

    func write(_ record: LogRecord) {
        if "\(record.message)" == message { kept.withLock { $0.append(record) } }
    }
}
