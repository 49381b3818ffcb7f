import AMQP
import Synchronization

@testable import Messaging

/// A sink that does to each publication what the test says.
final class FakeSink: EventSink {
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
