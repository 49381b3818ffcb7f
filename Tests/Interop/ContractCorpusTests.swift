import Foundation
import JSON
import TestSupport
import Testing

/// `contract_corpus.py` makes the events of the AsyncAPI document itself, so that a rule that is added there is asked of the
/// code without a test being written for it.
@Suite("warren publish knows the rules of the AsyncAPI document", .timeLimit(.minutes(10)))
struct ContractCorpusTests {
    private struct Case: Sendable {
        let name: String
        let type: String
        let data: JSONValue
        let options: [String]
        /// What a refusal has to name; nil where the event is to be taken.
        let field: String?

        init(_ value: JSONValue) throws {
            name = try #require(value["name"]?.text)
            type = try #require(value["type"]?.text)
            data = value["data"] ?? .null
            options = value["options"].elements.compactMap(\.text)
            field = value["field"]?.text
        }
    }

    private func corpus(_ folder: TemporaryFolder) async throws -> [Case] {
        let document = folder.file("asyncapi.json")
        try Data(YAML.read("Shared/ShopEvents/asyncapi.yaml").bytes).write(to: document)
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("contract_corpus.py")
        let done = try await ChildProcess.run(TestEnvironment.python, [script.path, document.path])
        try #require(done.end == .exit(0), "\(done.errors)")
        return try done.output.split(separator: "\n").map { try Case(JSONValue(parsing: Array($0.utf8))) }
    }

    @Test("What breaks one rule is refused and the field named; every example, and what just keeps a rule, is taken")
    func publish() async throws {
        let corpus = try await corpus(TemporaryFolder("contracts"))
        #expect(corpus.count { $0.field != nil } > 300)
        #expect(corpus.count { $0.field == nil } > 100)
        let warren = try TestEnvironment.program("warren")
        // Some at a time: each is a process of its own.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, event) in corpus.enumerated() {
                if index >= 4 { try await group.next() }
                group.addTask { try await check(event, by: warren) }
            }
            try await group.waitForAll()
        }
    }

    private func check(_ event: Case, by warren: URL) async throws {
        var arguments = ["publish", event.type, "--timeout", "1ms"] + event.options
        if event.data != .null { arguments += ["--data", String(decoding: event.data.bytes, as: UTF8.self)] }
        // What is refused is so before anybody is asked; what is taken finds no broker there.
        let done = try await ChildProcess.run(
            warren,
            arguments,
            environment: ["WARREN_AMQP_URL": "amqp://127.0.0.1:1/"]
        )
        if let field = event.field {
            #expect(done.end == .exit(2), "\(event.name): \(event.data)")
            #expect(done.errors.contains(field), "\(event.name): \(done.errors)")
        } else {
            #expect(done.end == .exit(7), "\(event.name): \(done.errors)")
        }
    }
}
