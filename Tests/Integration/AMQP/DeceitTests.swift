import Foundation
import TestSupport
import Testing

@testable import AMQP

/// Servers that no client should trust, by OpenSSL's own server: its log tells whether the client said anything.
@Suite(
    "TLS with a server that is not to be trusted",
    .enabled(if: FileManager.default.isExecutableFile(atPath: Certificates.command.path), "there is no openssl"),
    .timeLimit(.minutes(2))
)
struct DeceitTests {
    /// A server on a port of loopback.
    private struct Server {
        let process: ChildProcess
        let port: UInt16

        /// Starts it and waits until it listens.
        init(_ identity: Certificates.Identity, in certificates: Certificates, _ arguments: [String] = []) async throws
        {
            let port = try FreePort.next()
            let process = try ChildProcess(
                Certificates.command,
                // For one connection. `-www` answers by itself; otherwise the server would end with its input.
                arguments: ["s_server", "-accept", "127.0.0.1:\(port)", "-naccept", "1", "-www", "-msg"]
                    + ["-cert", identity.certificate.path, "-key", identity.key.path] + arguments,
                folder: certificates.folder.url
            )
            self.process = process
            self.port = port
            try await eventually("the server listens") { process.standardOutput.contains("ACCEPT") }
        }

        func url(_ certificates: Certificates, host: String = "localhost") -> String {
            "amqps://\(host):\(port)/?cacertfile=\(certificates.authority.path)"
        }

        /// Waits for the end of the connection.
        ///
        /// - Returns: whether the client said anything that belongs to AMQP, such as its password.
        func heardSomething() async throws -> Bool {
            try await process.waitForEnd()
            let log = process.standardOutput
            try #require(log.contains("ClientHello"))
            // The type of a record's content; 17 is the application's.
            return log.contains("<<< TLS 1.3, InnerContent [length 0001]\n    17\n")
        }
    }

    @Test("One that is trusted gets as far as AMQP, so that the others are refused for what they are")
    func control() async throws {
        let certificates = try await Certificates()
        let server = try await Server(certificates.identity("fresh", dnsName: "localhost"), in: certificates)
        let failure = try await failure(of: server.url(certificates))
        #expect(failure.reason.contains("authenticating"), "\(failure)")
        #expect(try await server.heardSomething())
    }

    @Test("A certificate that has expired is refused")
    func expired() async throws {
        let certificates = try await Certificates()
        let identity = try await certificates.identity("late", dnsName: "localhost", days: -1)
        let server = try await Server(identity, in: certificates)
        let failure = try await failure(of: server.url(certificates))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains("has expired"), "\(failure)")
        #expect(try await !server.heardSomething())
    }

    @Test("A certificate of another authority is refused, whatever name it has")
    func impostor() async throws {
        let impostors = try await Certificates()
        let server = try await Server(impostors.identity("localhost", dnsName: "localhost"), in: impostors)
        let certificates = try await Certificates()
        let failure = try await failure(of: server.url(certificates))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains(certificates.authority.path), "\(failure)")
        #expect(try await !server.heardSomething())
    }

    @Test("A certificate for another name is refused")
    func otherName() async throws {
        let certificates = try await Certificates()
        let identity = try await certificates.identity("elsewhere", dnsName: "broker.example.org")
        let server = try await Server(identity, in: certificates)
        let failure = try await failure(of: server.url(certificates))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains("is not for 'localhost'"), "\(failure)")
        #expect(try await !server.heardSomething())
    }

    /// In a process of its own, whose OpenSSL is allowed to speak what distributions forbid: it is the client that refuses.
    @Test("TLS 1.1 is refused, even where the system allows it")
    func oldVersion() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await DeceitTests.refuseOldVersion()
        }
        // The figures of a failure are in there.
        print(String(decoding: result?.standardErrorContent ?? [], as: UTF8.self))
    }

    private static func refuseOldVersion() async throws {
        let certificates = try await Certificates()
        let configuration = certificates.folder.file("openssl.cnf")
        try """
        openssl_conf = all
        [all]
        ssl_conf = tls
        [tls]
        system_default = anything
        [anything]
        MinProtocol = TLSv1.1
        CipherString = ALL:@SECLEVEL=0
        """.write(to: configuration, atomically: true, encoding: .utf8)
        setenv("OPENSSL_CONF", configuration.path, 1)
        let identity = try await certificates.identity("fresh", dnsName: "localhost")
        let old = ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
        // Whoever takes it gets in.
        var server = try await Server(identity, in: certificates, old)
        let other = try await ChildProcess.run(
            Certificates.command,
            ["s_client", "-connect", "127.0.0.1:\(server.port)", "-brief"],
            environment: ["OPENSSL_CONF": configuration.path]
        )
        try #require(other.errors.contains("TLSv1.1"))
        server = try await Server(identity, in: certificates, old)
        let failure = try await failure(of: server.url(certificates))
        try #require(failure.code == .connectionFailed && failure.reason.contains("TLS 1.2"), "\(failure)")
    }
}
