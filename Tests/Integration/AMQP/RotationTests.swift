import Foundation
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import AMQP

@Suite(
    "A broker that is away, and one whose secrets change",
    .enabled(if: TestBroker.url != nil, TestBroker.missing),
    .timeLimit(.minutes(5))
)
struct RotationTests {
    private let proxy: TestProxy

    init() throws {
        proxy = try TestProxy(to: TestBroker.port)
    }

    @Test("A password that was changed is taken at the next connection, and a source that fails is asked again")
    func rotation() async throws {
        enum Given { case right, wrong, none }
        struct Missing: Error {}
        let given = Mutex(Given.right)
        var configuration = try TestBroker.configuration(port: proxy.port)
        guard case .plain(let user, let password) = configuration.endpoints[0].authentication else { return }
        configuration.credentials = {
            switch given.withLock({ $0 }) {
            case .right: Credentials(user: user, password: password)
            case .wrong: Credentials(user: user, password: "out of date")
            case .none: throw Missing()
            }
        }
        let publisher = Publisher(configuration, logger: testLogger)
        try await running([publisher]) {
            let states = publisher.states
            try await reached(states, "ready") { $0 == .ready }
            given.withLock { $0 = .wrong }
            proxy.cut()
            try await reached(states, "refused") {
                if case .closed(let cause) = $0 { cause.contains("403") } else { false }
            }
            given.withLock { $0 = .none }
            try await reached(states, "no credentials") {
                if case .closed(let cause) = $0 { cause.contains("credentials could not be had") } else { false }
            }
            given.withLock { $0 = .right }
            try await reached(states, "ready again") { $0 == .ready }
        }
    }

    @Test("URIs are read again: the client follows its broker to another port")
    func moved() async throws {
        let other = try TestProxy(to: TestBroker.port)
        let urls = try [proxy.port, other.port].map { try TestBroker.configuration(port: $0).urls[0] }
        let current = Mutex(urls[0])
        var configuration = try ConnectionConfiguration(name: "moved", urls: { [current.withLock { $0 }] })
        configuration.backoff = .milliseconds(10) ... .milliseconds(100)
        let publisher = Publisher(configuration, logger: testLogger)
        try await running([publisher]) {
            let states = publisher.states
            try await reached(states, "ready") { $0 == .ready }
            current.withLock { $0 = urls[1] }
            proxy.refuse(true)
            proxy.cut()
            try await reached(states, "closed") { if case .closed = $0 { true } else { false } }
            try await reached(states, "ready again") { $0 == .ready }
        }
        #expect(other.accepted >= 1)
    }

    @Test("Many failed attempts are few lines, and the return says how many they were")
    func thinLog() async throws {
        let sink = CollectingSink()
        var configuration = try TestBroker.configuration(port: proxy.port)
        configuration.backoff = .milliseconds(1) ... .milliseconds(20)
        let publisher = Publisher(configuration, logger: Logger("test", level: .info, sink: sink))
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            let before = proxy.accepted
            proxy.refuse(true)
            proxy.cut()
            try await eventually("many attempts") { proxy.accepted >= before + 60 }
            proxy.refuse(false)
            let states = publisher.states
            try await reached(states, "ready again") { $0 == .ready }
            try await eventually("the line about the return") { sink.count("Connected to the broker again") == 1 }
        }
        #expect(sink.count("Connected to the broker") == 1)
        let failures = sink.field("messaging.failures", of: "Connected to the broker again").flatMap { Int($0) }
        #expect((failures ?? 0) >= 60)
        // The break, the refusal in the one or two ways that it shows, and one line whenever the time without a connection
        // has doubled: ten are a quarter of an hour.
        #expect((1...13).contains(sink.count("The connection to the broker failed")))
    }

    @Test("Under an alarm of the broker a publisher with nothing on its way ends at once")
    func endsUnderAlarm() async throws {
        var configuration = try TestBroker.configuration(port: proxy.port)
        configuration.closingTimeout = .seconds(600)
        let publisher = Publisher(configuration, logger: testLogger)
        let states = publisher.states
        let run = Task { await publisher.run() }
        try await reached(states, "ready") { $0 == .ready }
        proxy.inject(Frames.blocked("low on disk"))
        try await reached(states, "blocked") { $0 == .blocked(reason: "low on disk") }
        // As a broker under alarm: it reads nothing more.
        proxy.freeze()
        let began = ContinuousClock.now
        run.cancel()
        await run.value
        // Long before the closing timeout, and long after what a busy machine may take.
        #expect(began.duration(to: .now) < .seconds(200))
    }
}

/// Keeps every record.
private final class CollectingSink: LogSink {
    private let records = Mutex<[LogRecord]>([])

    func write(_ record: LogRecord) { records.withLock { $0.append(record) } }

    func count(_ message: String) -> Int { records.withLock { $0.count { "\($0.message)" == message } } }

    func field(_ key: String, of message: String) -> String? {
        records.withLock { records in
            records.last { "\($0.message)" == message }?.fields.first { "\($0.key)" == key }?.value
        }
    }
}
