import Foundation
import TestSupport
import Testing

/// `stripe_client.py` speaks through Stripe's own library, which knows nothing of this provider but its address.
@Suite("Stripe's library takes the sandbox for Stripe", .timeLimit(.minutes(5)))
struct StripeTests {
    private static let webhookSecret = "whsec_interop"

    /// Runs a case of the script against a sandbox of its own.
    private func play(_ name: String, _ more: [String] = [], sandbox environment: [String: String] = [:]) async throws {
        let folder = try TemporaryFolder("stripe")
        let port = try FreePort.next()
        let sandbox = try ChildProcess(
            TestEnvironment.program("sandbox"),
            environment: environment.merging(["WARREN_HTTP_ADDRESS": "127.0.0.1:\(port)"]) { given, _ in given },
            folder: folder.url
        )
        let probe = HTTPProbe(port: port)
        try await eventually("the sandbox is there") { try await probe.get("/readyz").status == 200 }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("stripe_client.py")
        let arguments = [script.path, "http://127.0.0.1:\(port)", "sk_test_sandbox", name] + more
        let done = try await ChildProcess.run(TestEnvironment.python, arguments, within: .seconds(120))
        #expect(done.end == .exit(0), "\(done.errors)")
        _ = try await sandbox.terminate()
    }

    @Test(
        "What it does there, it does here",
        arguments: ["charges", "declines", "refuses", "refunds", "holds", "pages"]
    )
    func library(name: String) async throws {
        try await play(name)
    }

    @Test("It takes the webhooks that the sandbox sends, and refuses them forged, of another secret, or too old")
    func webhooks() async throws {
        let receiver = try FreePort.next()
        try await play(
            "tells",
            [String(receiver), Self.webhookSecret],
            sandbox: [
                "SANDBOX_WEBHOOK_URL": "http://127.0.0.1:\(receiver)/webhooks",
                "SANDBOX_WEBHOOK_SECRET": Self.webhookSecret,
            ]
        )
    }

    @Test("Payment takes the webhooks that it signs, and refuses them forged, of another secret, or too old")
    func signatures() async throws {
        let folder = try TemporaryFolder("payment")
        let virtualHost = TestEnvironment.uniqueName("webhooks")
        try await BrokerManagement.shared.makeVirtualHost(virtualHost)
        let port = try FreePort.next()
        let payment = try ChildProcess(
            TestEnvironment.program("payment-service"),
            environment: [
                "WARREN_AMQP_URL": try TestEnvironment.brokerURL + virtualHost,
                "WARREN_HTTP_ADDRESS": "127.0.0.1:\(port)",
                "WARREN_OPERATIONS_ADDRESS": "127.0.0.1:\(try FreePort.next())",
                "WARREN_DATABASE_URL": "sqlite:\(folder.file("payment.db").path)",
                "PAYMENT_PROVIDER_URL": "http://127.0.0.1:1", "PAYMENT_WEBHOOK_SECRET": Self.webhookSecret,
            ],
            folder: folder.url
        )
        let probe = HTTPProbe(port: port)
        try await eventually("Payment is ready", within: .seconds(120)) {
            (try? await probe.get("/readyz"))?.status == 200
        }
        try await play("signs", ["http://127.0.0.1:\(port)", Self.webhookSecret])
        try await payment.kill()
        try await BrokerManagement.shared.removeVirtualHost(virtualHost)
    }
}
