import Foundation
import TestSupport
import Testing

/// Schemathesis makes requests from what the services say of themselves, right ones and wrong ones.
///
/// A minute in all: what it finds in ten seconds at one address is what a change has broken.
@Suite("A fuzzer finds the services to be as their OpenAPI documents say", .timeLimit(.minutes(10)), .serialized)
struct SchemaTests {
    @Test(
        "No answer is an error of the server, undescribed, or none of its schema; what is right is taken, what is wrong is not",
        arguments: [
            ("order-service", "WARREN_HTTP_ADDRESS", 10), ("payment-service", "WARREN_HTTP_ADDRESS", 6),
            ("order-service", "WARREN_OPERATIONS_ADDRESS", 12), ("payment-service", "WARREN_OPERATIONS_ADDRESS", 8),
            ("notification-service", "WARREN_OPERATIONS_ADDRESS", 8),
            ("notification-service", "WARREN_HTTP_ADDRESS", 4), ("inventory-service", "WARREN_HTTP_ADDRESS", 10),
            ("coupon-service", "WARREN_HTTP_ADDRESS", 8), ("points-service", "WARREN_HTTP_ADDRESS", 6),
            ("shipping-service", "WARREN_HTTP_ADDRESS", 4),
        ]
    )
    func fuzz(program: String, address: String, seconds: Int) async throws {
        let folder = try TemporaryFolder("schema")
        var environment = [
            "WARREN_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/", "WARREN_LOG_LEVEL": "error",
            // Without a secret it takes no webhook at all.
            "PAYMENT_WEBHOOK_SECRET": "whsec_schema", "SHIPPING_WEBHOOK_SECRET": "whsec_schema",
            "WARREN_DATABASE_URL": "sqlite:\(folder.file("service.db").path)",
        ]
        for name in ["WARREN_HTTP_ADDRESS", "WARREN_OPERATIONS_ADDRESS"] {
            environment[name] = "127.0.0.1:\(try FreePort.next())"
        }
        let service = try ChildProcess(
            TestEnvironment.program(program),
            environment: environment,
            folder: folder.url
        )
        let url = "http://\(environment[address] ?? "")"
        let port = try #require(url.split(separator: ":").last.flatMap { UInt16($0) })
        try await eventually("\(program) is wired") {
            try await HTTPProbe(port: port).get("/openapi.yaml").status == 200
        }
        let python = try TestEnvironment.python
        let configuration = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("schemathesis.toml")
        let done = try await ChildProcess.run(
            python.deletingLastPathComponent().appendingPathComponent("schemathesis"),
            [
                "--config-file", configuration.path, "run", "\(url)/openapi.yaml", "--url", url,
                "--phases", "examples,fuzzing", "--max-examples", "20", "--max-time", "\(seconds)",
                "--continue-on-failure", "--no-color", "--warnings", "off", "--generation-deterministic",
            ],
            within: .seconds(120)
        )
        #expect(done.end == .exit(0), "\(done.output)\n\(done.errors)")
        #expect(try await service.terminate() == .exit(0))
    }
}
