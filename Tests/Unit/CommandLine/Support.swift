import Events
import JSON
import Messaging
import ServiceKit
import Synchronization

@testable import CommandLine

/// What one run of the command came to.
struct Outcome: Sendable {
    let code: Int32
    let data: String
    let messages: String

    var lines: [String] { data.split(separator: "\n").map(String.init) }

    /// Each line of data as JSON.
    var records: [JSONValue] { lines.compactMap { try? JSONValue(parsing: Array($0.utf8)) } }
}

/// Runs the command on a line of words, split at spaces.
func warren(
    _ line: String,
    _ more: String...,
    environment: [String: String] = [:],
    http: any HTTPTransport = FakeServices(),
    broker: any EventBroker = FakeBroker(),
    input: String = "",
    ask: @escaping @Sendable (String) -> String? = { _ in nil }
) async -> Outcome {
    let sink = Sink()
    let code = await run(
        arguments: line.split(separator: " ").map(String.init) + more,
        environment: environment,
        output: Output(data: { sink.add(data: $0) }, messages: { sink.add(message: $0) }),
        http: http,
        broker: broker,
        input: { Array(input.utf8) },
        ask: ask
    )
    return sink.outcome(code)
}

/// Keeps what a command writes.
private final class Sink: Sendable {
    private let texts = Mutex((data: "", messages: ""))

    func add(data: String) { texts.withLock { $0.data += data } }

    func add(message: String) { texts.withLock { $0.messages += message } }

    func outcome(_ code: Int32) -> Outcome {
        texts.withLock { Outcome(code: code, data: $0.data, messages: $0.messages) }
    }
}

/// Services that answer from a closure and remember what they were asked.
final class FakeServices: HTTPTransport {
    typealias Answer = @Sendable (_ request: ServiceRequest) throws -> ServiceResponse

    private let answer: Answer
    private let asked = Mutex<[ServiceRequest]>([])

    init(_ answer: @escaping Answer = { _ in throw TransportFailure(reason: "refused") }) {
        self.answer = answer
    }

    var requests: [ServiceRequest] { asked.withLock { $0 } }

    /// What was asked, as `GET http://127.0.0.1:9081/orders`.
    var lines: [String] { requests.map { "\($0.method) \($0.url)" } }

    func send(_ request: ServiceRequest) async throws -> ServiceResponse {
        asked.withLock { $0.append(request) }
        return try answer(request)
    }
}

extension ServiceResponse {
    static func json(_ value: JSONValue, status: Int = 200) -> ServiceResponse {
        ServiceResponse(status: status, body: Array(value.encoded().utf8))
    }

    static func text(_ text: String, status: Int = 200) -> ServiceResponse {
        ServiceResponse(status: status, body: Array(text.utf8))
    }

    static func problem(_ status: Int, _ title: String, detail: String? = nil) -> ServiceResponse {
        .json(
            ["type": "/problems/x", "title": .string(title), "detail": detail.map { .string($0) } ?? .null],
            status: status
        )
    }
}

/// A broker that remembers what was published.
final class FakeBroker: EventBroker {
    private let failure: PublishFailure?
    private let limit: Int
    private let taken = Mutex<[Envelope]>([])
    private let isConnected: Bool
    private let existing: [String: Int]

    /// - Parameters:
    ///   - limit: how many events it takes before it fails.
    ///   - failure: how it fails then.
    ///   - isConnected: whether it can be reached.
    ///   - queues: how many messages wait in its queues.
    init(
        limit: Int = .max,
        failure: PublishFailure? = nil,
        isConnected: Bool = true,
        queues: [String: Int] = [:]
    ) {
        existing = queues
        self.limit = limit
        self.failure = failure
        self.isConnected = isConnected
    }

    var events: [Envelope] { taken.withLock { $0 } }

    func withConnection(
        to url: String,
        timeout: Duration,
        _ body: (@escaping Publish) async throws -> Void
    ) async throws {
        guard isConnected else { throw PublishFailure(kind: .unreachable, reason: "connection refused") }
        try await body { [self] envelope in
            let isTaken = taken.withLock { taken in
                guard taken.count < limit else { return false }
                taken.append(envelope)
                return true
            }
            if !isTaken, let failure { throw failure }
        }
    }

    func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue] {
        guard isConnected else { throw PublishFailure(kind: .unreachable, reason: "connection refused") }
        return names.map { name in
            BrokerView.Queue(
                name: name,
                exists: existing[name] != nil,
                readyMessages: existing[name] ?? 0,
                consumers: existing[name] == nil ? 0 : 1
            )
        }
    }
}

/// Keeps data only.
final class Collector: Sendable {
    private let collected = Mutex("")

    func add(_ text: String) { collected.withLock { $0 += text } }

    var text: String { collected.withLock { $0 } }
}

extension EventBroker {
    func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue] { [] }

    func queues(
        of topology: Topology,
        at url: String,
        type: MessagingConfiguration.QueueType
    ) throws -> any QueueKeeper {
        throw QueueMigrationFailure(kind: .unreachable, reason: "connection refused")
    }
}

/// A broker's queues with what becomes of each.
struct FakeQueues: EventBroker, QueueKeeper {
    let outcome: @Sendable (_ queue: String) throws -> QueueMigration.Outcome
    let migrated = MutexBox<[String]>([])
    /// The topology whose queues were asked for.
    let topology = MutexBox<Topology?>(nil)
    /// Those that are there, as far as the command asks before.
    var existing: Set<String> = []

    func withConnection(
        to url: String,
        timeout: Duration,
        _ body: (@escaping Publish) async throws -> Void
    ) async throws {
        throw PublishFailure(kind: .unreachable, reason: "connection refused")
    }

    func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue] {
        names.map { name in
            BrokerView.Queue(name: name, exists: existing.contains(name), readyMessages: 0, consumers: 0)
        }
    }

    func queues(
        of topology: Topology,
        at url: String,
        type: MessagingConfiguration.QueueType
    ) throws -> any QueueKeeper {
        self.topology.change { $0 = topology }
        return self
    }

    func look(at queue: String) async throws -> QueueMigration.Outcome { try outcome(queue) }

    func migrate(_ queue: String) async throws -> QueueMigration.Outcome {
        migrated.change { $0.append(queue) }
        let outcome = try outcome(queue)
        return outcome == .waits ? .moved(messages: 3) : outcome
    }
}

/// A value behind a lock.
final class MutexBox<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    var value: Value { mutex.withLock { $0 } }

    func change(_ change: (inout sending Value) -> Void) { mutex.withLock { change(&$0) } }
}
