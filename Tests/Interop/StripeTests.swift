import Foundation
import TestSupport
import Testing

/// `stripe_client.py` speaks through Stripe's own library, which knows nothing of this provider but its address.
@Suite("Stripe's library takes the sandbox for Stripe", .timeLimit(.minutes(5)))
struct StripeTests {
    @Test(
        "What it does there, it does here",
        arguments: ["charges", "declines", "refuses", "refunds", "holds", "pages"]
    )
    func library(name: String) async throws {
        let folder = try TemporaryFolder("stripe")
        let port = try FreePort.next()
        let sandbox = try ChildProcess(
            TestEnvironment.program("sandbox"),
            environment: ["WARREN_HTTP_ADDRESS": "127.0.0.1:\(port)"],
            folder: folder.url
        )
        let probe = HTTPProbe(port: port)
        try await eventually("the sandbox is there") { try await probe.get("/readyz").status == 200 }
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("stripe_client.py")
        let arguments = [script.path, "http://127.0.0.1:\(port)", "sk_test_sandbox", name]
        let done = try await ChildProcess.run(TestEnvironment.python, arguments, within: .seconds(120))
        #expect(done.end == .exit(0), "\(done.errors)")
        _ = try await sandbox.terminate()
    }
}
