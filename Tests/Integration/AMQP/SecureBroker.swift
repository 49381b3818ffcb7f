import Foundation
import TestSupport
import Testing

@testable import AMQP

/// A broker of a suite's own that speaks TLS, with the certificates of its world.
struct SecureBroker: Sendable {
    /// The broker's TLS port.
    let port: Int
    /// The authority that the broker and its clients trust.
    let certificates: Certificates
    let management: BrokerManagement

    @TaskLocal static var current: SecureBroker?

    /// The broker of the running suite.
    static var shared: SecureBroker {
        get throws { try #require(current) }
    }

    /// An `amqps` URI for this broker.
    ///
    /// - Parameters:
    ///   - port: another port, such as a proxy's.
    ///   - parameters: of the query, beside `cacertfile`; an empty value leaves one out.
    func url(host: String = "localhost", port: Int? = nil, _ parameters: [String: String] = [:]) throws -> String {
        let all = ["cacertfile": certificates.authority.path].merging(parameters) { _, given in given }
        var components = URLComponents()
        components.scheme = "amqps"
        components.host = host
        components.port = port ?? self.port
        components.path = "/"
        components.queryItems = all.filter { !$0.value.isEmpty }.sorted { $0.key < $1.key }.map(URLQueryItem.init)
        return try #require(components.string)
    }

    /// Runs the body with such a broker.
    static func with(requiringCertificates: Bool, _ body: (SecureBroker) async throws -> Void) async throws {
        let certificates = try await Certificates()
        try await certificates.identity("server", dnsName: "localhost")
        let port = try FreePort.next()
        let arguments = ["--tls", "\(port)", "--certificates", certificates.folder.url.path]
        try await PrivateBroker.with(
            arguments: arguments + (requiringCertificates ? ["--require-certificates"] : [])
        ) { broker in
            try await body(
                SecureBroker(port: Int(port), certificates: certificates, management: broker.management)
            )
        }
    }
}

/// Gives a suite a broker with TLS; it runs as long as the suite does.
struct SecureBrokerTrait: SuiteTrait, TestScoping {
    let requiresCertificates: Bool

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await SecureBroker.with(requiringCertificates: requiresCertificates) { broker in
            try await SecureBroker.$current.withValue(broker) { try await function() }
        }
    }
}

extension Trait where Self == SecureBrokerTrait {
    /// A broker that verifies the certificates of its clients.
    static func secureBroker(requiringCertificates: Bool) -> Self {
        SecureBrokerTrait(requiresCertificates: requiringCertificates)
    }
}

/// The script that starts brokers.
let brokerScript = ProcessInfo.processInfo.environment["WARREN_TEST_BROKER"]

/// Why an attempt to connect to that URI fails.
func failure(of url: String) async throws -> AMQPError {
    let configuration = try ConnectionConfiguration(urls: [url], name: "refused")
    return try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            do throws(AMQPError) {
                let session = try Session(configuration.endpoints[0], configuration, CallGuard())
                session.close(within: .seconds(1))
                continuation.resume(throwing: Certificates.Failure(description: "\(url) was not refused"))
            } catch {
                continuation.resume(returning: error)
            }
        }
    }
}
