import Foundation
import HTTP
import Testing

@Suite(
    "TLS is verified",
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "needs the openssl command"),
    .timeLimit(.minutes(5))
)
struct TLSTests {
    /// Runs `openssl s_server` with a certificate for `localhost` that no one knows.
    static func withTLSServer(
        _ options: [String],
        _ body: (Int, _ certificate: String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "warren-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let key = folder.appending(path: "key.pem").path
        let certificate = folder.appending(path: "certificate.pem").path
        func openssl(_ arguments: [String]) -> Process {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = arguments
            process.standardError = FileHandle.nullDevice
            return process
        }
        let making = openssl(
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
                + [
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                    certificate,
                ]
        )
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            making.terminationHandler = { _ in continuation.resume() }
            do { try making.run() } catch { continuation.resume(throwing: error) }
        }
        try #require(making.terminationStatus == 0)

        let serving = openssl(["s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate] + options)
        let output = Pipe()
        serving.standardOutput = output
        serving.standardInput = Pipe()
        try serving.run()
        // Not `terminate`: a process started from a thread of the pool inherits its blocked signals.
        defer { kill(serving.processIdentifier, SIGKILL) }
        let socket = RawOutput(output.fileHandleForReading)
        let port = try #require(try await socket.port())
        try await body(port, certificate)
    }

    /// A request that leaves a busy machine time for the handshake.
    private static func request(_ method: String, _ url: String) -> HTTPClient.Request {
        var request = HTTPClient.Request(method, url)
        request.connectTimeout = .seconds(60)
        request.timeout = .seconds(120)
        return request
    }

    /// Reads a pipe on a queue of its own.
    final class RawOutput: Sendable {
        private let handle: FileHandle
        private let queue = DispatchQueue(label: "raw-output")

        init(_ handle: FileHandle) { self.handle = handle }

        /// The port that the server says it accepts on.
        func port() async throws -> Int? {
            await withCheckedContinuation { continuation in
                queue.async { [handle] in
                    var text = ""
                    while true {
                        let data = handle.availableData
                        text += String(decoding: data, as: UTF8.self)
                        let port = text.firstMatch(of: /ACCEPT 127.0.0.1:([0-9]+)\n/).flatMap { Int($0.output.1) }
                        if port != nil || data.isEmpty { return continuation.resume(returning: port) }
                    }
                }
            }
        }
    }

    @Test("A certificate of an unknown authority, or for another name, is refused before anything is sent")
    func verification() async throws {
        try await Self.withTLSServer(["-www"]) { port, certificate in
            let strangers = HTTPClient()
            let unknown = try await #require(throws: HTTPClient.Failure.self) {
                try await strangers.send(Self.request("POST", "https://localhost:\(port)/"))
            }
            #expect(unknown.code == .tls)
            #expect(!unknown.isUnknown)
            let friends = HTTPClient(certificateAuthorities: certificate)
            let otherName = try await #require(throws: HTTPClient.Failure.self) {
                try await friends.send(Self.request("POST", "https://127.0.0.1:\(port)/"))
            }
            #expect(otherName.code == .tls)
            #expect(!otherName.isUnknown)
            let response = try await friends.send(Self.request("GET", "https://localhost:\(port)/"))
            #expect(response.status == 200)
        }
    }

    @Test("A mail server's certificate is verified after STARTTLS")
    func startTLS() async throws {
        var offering = FakeSMTPServer.Behaviour()
        offering.extensions = ["STARTTLS"]
        offering.replies["STARTTLS"] = "220 go on"
        // The server speaks no TLS after its leave: the handshake fails, and nothing of the mail is said in the clear.
        try await withSMTPServer(offering) { server, url in
            let client = try SMTPClient(
                url: url + "?starttls=required",
                timeout: .seconds(60),
                connectTimeout: .seconds(60)
            )
            await #expect(throws: SMTPFailure.self) { try await client.send(SMTPTests.mail()) }
            #expect(!server.commands.contains { $0.hasPrefix("MAIL") })
        }
        try await Self.withTLSServer([]) { port, _ in
            let client = try SMTPClient(
                url: "smtps://localhost:\(port)",
                timeout: .seconds(60),
                connectTimeout: .seconds(60)
            )
            let failure = try await #require(throws: SMTPFailure.self) { try await client.send(SMTPTests.mail()) }
            #expect(failure.reason.contains("certificate"))
        }
    }
}
