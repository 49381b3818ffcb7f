import AMQP
import Foundation
import Synchronization
import Telemetry
import Testing

@Suite("The examples of the documentation", .timeLimit(.minutes(5)))
struct ExampleTests {
    private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    @Test("are quoted word for word", arguments: ["Publishing", "Consuming", "Recovery", "TLS", "Alone"])
    func quoted(article: String) throws {
        let source = try String(contentsOf: Self.here.appendingPathComponent("Examples.swift"), encoding: .utf8)
        let part = try #require(source.components(separatedBy: "// example \(article)\n").last)
        let lines = try #require(part.components(separatedBy: "\n        // end").first).components(separatedBy: "\n")
        let example = lines.map { $0.hasPrefix("        ") ? String($0.dropFirst(8)) : $0 }.joined(separator: "\n")
        let path = "../../../Shared/AMQP/AMQP.docc/\(article).md"
        let text = try String(contentsOf: Self.here.appendingPathComponent(path), encoding: .utf8)
        #expect(text.contains("```swift\n\(example)\n```"), "the article should quote:\n\(example)")
    }

    @Test("do what the articles say", .enabled(if: TestBroker.url != nil, TestBroker.missing))
    func work() async throws {
        let url = try #require(TestBroker.url)
        try await Examples.publish(urls: [url], logger: testLogger)
        let bodies = Mutex<[[UInt8]]>([])
        try await Examples.consume(urls: [url], logger: testLogger) { body in bodies.withLock { $0.append(body) } }
        #expect(bodies.withLock { $0 }.first == Array("hello".utf8))
        try await Examples.watch(urls: [url], logger: testLogger) { Credentials(user: "guest", password: "guest") }
        #expect(throws: Never.self) { try Examples.secure(logger: testLogger) }
        try await Examples.tidy(urls: [url], topology: TestBroker.topology(.init(name: "jobs")), logger: testLogger)
    }
}
