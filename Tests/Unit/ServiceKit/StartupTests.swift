import Synchronization
import Telemetry
import Testing

@testable import ServiceKit

@Suite("The start of a service")
struct StartupTests {
    /// What a start printed, logged and answered.
    private final class Stage: Sendable {
        let output = Mutex("")
        let errors = Mutex("")
        let log = CollectingLogSink()
        let guards = Mutex(0)

        func prepare(_ arguments: [String] = [], _ environment: [String: String] = [:]) -> Startup.Outcome {
            let kit = KitSettings(service: "order", httpPort: 8081)
            let process = HostProcess(
                program: "order-service",
                arguments: arguments,
                environment: environment,
                writeOutput: { text in self.output.withLock { $0 += text } },
                writeError: { text in self.errors.withLock { $0 += text } },
                makeLogSink: { _ in self.log },
                stop: StopSignal(),
                guardStop: { _, _ in
                    self.guards.withLock { $0 += 1 }
                    return nil
                }
            )
            return Startup.prepare(
                process,
                name: "order",
                summary: "Takes orders.",
                common: kit.common,
                declarations: kit.declarations + [
                    Setting<String>.text("ORDER_KEY", default: nil, secret: true, help: "The key of the shop.")
                        .declaration
                ],
                check: kit.faults
            )
        }

        func exitCode(_ arguments: [String] = [], _ environment: [String: String] = [:]) -> Int32? {
            guard case .exit(let code) = prepare(arguments, environment) else { return nil }
            return code
        }
    }

    @Test("prints every setting with its default for --help, aligned, and ends with 0")
    func help() {
        let stage = Stage()
        #expect(stage.exitCode(["--help"]) == 0)
        #expect(stage.errors.withLock { $0 }.isEmpty)
        let lines = stage.output.withLock { $0 }.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.first == "Takes orders.")
        #expect(lines.contains("Usage: order-service [--help | --version]"))
        #expect(lines.allSatisfy { $0.count <= 100 && $0.last != " " })
        let column = "  WARREN_OPERATIONS_TOKENS_FILE  ".count
        for (name, fallback) in [
            ("WARREN_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/"), ("WARREN_DATABASE_URL", "sqlite:order.db"),
            ("WARREN_HTTP_ADDRESS", "127.0.0.1:8081"), ("WARREN_OPERATIONS_TOKEN", "none"),
            ("WARREN_OPERATIONS_ADDRESS", "127.0.0.1:9081"), ("WARREN_OPERATIONS_TOKENS_FILE", "none"),
            ("WARREN_API_TOKENS_FILE", "none"), ("WARREN_JWT_ALGORITHM", "RS256"), ("WARREN_HTTP_HOSTS", "none"),
            ("WARREN_LOG_LEVEL", "info"), ("WARREN_LOG_FORMAT", "json"), ("WARREN_QUEUE_TYPE", "quorum"),
            ("WARREN_PREFETCH", "256"), ("WARREN_TOPOLOGY", "declare"), ("WARREN_RETRY_ATTEMPTS", "6"),
            ("WARREN_RETRY_BASE", "1s"), ("WARREN_RETRY_FACTOR", "4"), ("WARREN_RETRY_CAP", "5m"),
            ("WARREN_DEFERRAL_LIMIT", "24h"), ("WARREN_CONFIRM_TIMEOUT", "30s"),
            ("WARREN_EVENT_RETENTION", "30d"), ("WARREN_DELIVERY_RETENTION", "90d"),
            ("WARREN_HTTP_MAX_CONNECTIONS", "512"), ("WARREN_HTTP_IDLE_TIMEOUT", "30s"),
            ("WARREN_HTTP_HEAD_TIMEOUT", "10s"), ("WARREN_HTTP_BODY_TIMEOUT", "30s"),
            ("WARREN_SHUTDOWN_GRACE", "10s"), ("ORDER_KEY", "none, it must be set"),
        ] {
            guard let start = lines.firstIndex(where: { $0.hasPrefix("  \(name) ") }) else {
                Issue.record("\(name) is missing")
                continue
            }
            #expect(lines[start].prefix(column).hasSuffix("  "))
            #expect(lines[start].dropFirst(column).first?.isLetter == true)
            let entry = [lines[start]] + lines[(start + 1)...].prefix { $0.hasPrefix("   ") }
            #expect(entry.contains { $0.dropFirst(column) == "default: \(fallback)" }, "\(name)")
        }
        for value in [
            "quorum or classic", "a whole number from 1 to 65535", "a duration such as 500ms, 10s, 5m or 24h,",
        ] {
            #expect(lines.contains { $0.dropFirst(column).hasPrefix("value: \(value)") }, "\(value)")
        }
        #expect(!lines.contains { $0.hasSuffix("value: a text") })
    }

    @Test("prints the version for --version")
    func version() {
        let stage = Stage()
        #expect(stage.exitCode(["--version"]) == 0)
        #expect(stage.output.withLock { $0 } == "order-service \(Warren.version)\n")
    }

    @Test("refuses an unknown argument with 2, wherever it stands")
    func unknownArguments() {
        for arguments in [["--verbose"], ["--help", "now"], [""]] {
            let stage = Stage()
            #expect(stage.exitCode(arguments) == 2)
            #expect(stage.errors.withLock { $0 }.hasPrefix("order-service: unknown argument \""))
            #expect(stage.output.withLock { $0 }.isEmpty)
        }
    }

    @Test("names all faults of the settings at once on standard error, ends with 2, and has started nothing")
    func faults() {
        let stage = Stage()
        let environment = ["WARREN_PREFETCH": "many", "WARREN_LOG_LEVEL": "loud", "ORDER_KEY_FILE": "/nowhere"]
        #expect(stage.exitCode([], environment) == 2)
        let lines = stage.errors.withLock { $0 }.split(separator: "\n")
        #expect(lines.count == 3)
        for name in ["WARREN_PREFETCH", "WARREN_LOG_LEVEL", "ORDER_KEY_FILE"] {
            #expect(lines.filter { $0.hasPrefix("order-service: \(name): ") }.count == 1)
        }
        #expect(stage.log.records.isEmpty)
        #expect(stage.guards.withLock { $0 } == 0)
    }

    @Test("with good settings goes on, warns of misspelt ones, and listens for signals")
    func goodSettings() {
        let stage = Stage()
        guard case .run(let prepared) = stage.prepare([], ["ORDER_KEY": "k", "WARREN_LOGLEVEL": "debug"]) else {
            Issue.record("it did not go on")
            return
        }
        #expect(prepared.address == "127.0.0.1:8081")
        #expect(prepared.grace == .seconds(10))
        #expect(stage.guards.withLock { $0 } == 1)
        #expect(stage.log.records.map(\.level) == [.warning])
        #expect(stage.log.records.first?.fields.map(\.value) == ["WARREN_LOGLEVEL", "WARREN_LOG_LEVEL"])
    }
}
