import Foundation
import Telemetry
import TestSupport
import Testing

@testable import AMQP

@Suite(
    "TLS",
    .enabled(if: brokerScript != nil, "WARREN_TEST_BROKER names no script"),
    .secureBroker(requiringCertificates: false),
    .timeLimit(.minutes(5))
)
struct SecurityTests {
    private let broker: SecureBroker

    init() throws {
        broker = try SecureBroker.shared
    }

    private func configuration(_ url: String? = nil) throws -> ConnectionConfiguration {
        var configuration = try ConnectionConfiguration(urls: [try url ?? broker.url()], name: "secure")
        configuration.backoff = .milliseconds(10) ... .milliseconds(100)
        return configuration
    }

    @Test("Messages go both ways, in bursts and with large bodies")
    func roundTrip() async throws {
        let name = TestBroker.uniqueName()
        var topology = BrokerTopology()
        topology.queues = [TestBroker.queue(name)]
        let publisher = Publisher(try configuration(), topology: topology, logger: testLogger)
        try await running([publisher]) {
            let sizes = Array(repeating: 512, count: 2_000) + [900_000, 0, 1]
            let burst = sizes.map { size in
                Publication(exchange: "", routingKey: name, message: Message(body: [UInt8](repeating: 5, count: size)))
            }
            let outcomes = try await outcomes(of: burst, by: publisher)
            #expect(outcomes.allSatisfy { $0 == nil })
            let consumer = Consumer(try configuration(), queue: name, logger: testLogger)
            try await running([], [consumer]) {
                let messages = try await collect(sizes.count, from: consumer) { consumer.ack($0.map(\.tag)) }
                #expect(messages.map(\.message.body.count) == sizes)
            }
        }
    }

    @Test("A broker whose certificate comes from an unknown authority is refused, and the mend is named")
    func unknownAuthority() async throws {
        let failure = try await failure(of: broker.url(["cacertfile": ""]))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains("?cacertfile="), "\(failure)")
    }

    @Test("A broker with a certificate for another name is refused, and the mend is named")
    func otherName() async throws {
        let failure = try await failure(of: broker.url(host: "127.0.0.1"))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains("is not for '127.0.0.1'"), "\(failure)")
    }

    @Test("Without verification the same broker is taken, because the URI says so")
    func unverified() async throws {
        let url = try broker.url(host: "127.0.0.1", ["cacertfile": "", "verify": "verify_none"])
        let publisher = Publisher(try configuration(url), logger: testLogger)
        try await running([publisher]) { try await reached(publisher.states, "ready") { $0 == .ready } }
    }

    @Test("A file of authorities that is missing is named")
    func missingAuthorities() async throws {
        let failure = try await failure(of: broker.url(["cacertfile": "/nowhere/ca.pem"]))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains("/nowhere/ca.pem"), "\(failure)")
    }

    @Test("A plain URI on the TLS port, and TLS on a plain port, fail in time and say so")
    func mixedUp() async throws {
        let plain = try await failure(of: "amqp://localhost:\(broker.port)/")
        #expect(plain.code == .connectionFailed)
        #expect(plain.reason.contains("TLS"), "\(plain)")
        let secure = try await failure(of: broker.url(port: TestBroker.port))
        #expect(secure.code == .connectionFailed)
        #expect(secure.reason.contains("TLS port"), "\(secure)")
    }

    @Test("A certificate is a login: its common name is the user")
    func external() async throws {
        let name = TestBroker.uniqueName()
        try await broker.management.makeUser(name)
        let identity = try await broker.certificates.identity(name)
        try await expectUser(name, over: configuration(external(identity)))
    }

    @Test("A certificate of somebody whom the broker does not know is refused, and the mend is named")
    func unknownUser() async throws {
        let identity = try await broker.certificates.identity("nobody")
        let failure = try await failure(of: external(identity))
        #expect(failure.code == .accessRefused)
        #expect(failure.reason.contains("the user named by the certificate"), "\(failure)")
    }

    @Test("A login by certificate without a certificate is refused, and the mend is named")
    func noCertificate() async throws {
        let failure = try await failure(of: broker.url(["auth_mechanism": "external"]))
        #expect(failure.code == .accessRefused)
        #expect(failure.reason.contains("?certfile="), "\(failure)")
    }

    @Test("A certificate that was replaced is taken at the next connection")
    func rotation() async throws {
        let (before, after) = (TestBroker.uniqueName("before"), TestBroker.uniqueName("after"))
        for name in [before, after] { try await broker.management.makeUser(name) }
        let identity = try await broker.certificates.identity(before, file: "rotated")
        let proxy = try TestProxy(to: broker.port)
        let url = try external(identity, port: proxy.port)
        var configuration = try ConnectionConfiguration(urls: [url], name: "rotated")
        configuration.backoff = .milliseconds(10) ... .milliseconds(100)
        let publisher = Publisher(
            configuration,
            topology: TestBroker.topology(TestBroker.queue(before)),
            logger: testLogger
        )
        try await running([publisher]) {
            try await publisher.publish(message(of: before, to: before))
            try await broker.certificates.identity(after, file: "rotated")
            // The connection that stands stays what it is.
            try await publisher.publish(message(of: before, to: before))
            let states = publisher.states
            proxy.cut()
            // What is sent before the break is noticed may be lost with the old connection.
            try await reached(states, "closed") { if case .closed = $0 { true } else { false } }
            try await publisher.publish(message(of: after, to: before))
            #expect(publisher.statistics.reconnects == 1)
        }
    }

    private func external(_ identity: Certificates.Identity, port: Int? = nil) throws -> String {
        try broker.url(
            port: port,
            [
                "auth_mechanism": "external", "certfile": identity.certificate.path, "keyfile": identity.key.path,
            ]
        )
    }

    /// The broker takes a message with a user-id only from that user.
    private func message(of user: String, to queue: String) -> Publication {
        var message = Message("x")
        message.properties.userID = user
        return Publication(exchange: "", routingKey: queue, message: message)
    }

    private func expectUser(_ user: String, over configuration: ConnectionConfiguration) async throws {
        let queue = TestBroker.uniqueName()
        let publisher = Publisher(
            configuration,
            topology: TestBroker.topology(TestBroker.queue(queue)),
            logger: testLogger
        )
        try await running([publisher]) {
            try await publisher.publish(message(of: user, to: queue))
            await #expect { try await publisher.publish(message(of: "guest", to: queue)) } throws: {
                ($0 as? AMQPError)?.reason.contains("user_id") == true
            }
        }
    }
}

@Suite(
    "TLS with a broker that insists on certificates",
    .enabled(if: brokerScript != nil, "WARREN_TEST_BROKER names no script"),
    .secureBroker(requiringCertificates: true),
    .timeLimit(.minutes(5))
)
struct ClientCertificateTests {
    private let broker: SecureBroker

    init() throws {
        broker = try SecureBroker.shared
    }

    private func url(_ certificate: URL, _ key: URL) throws -> String {
        try broker.url(["certfile": certificate.path, "keyfile": key.path])
    }

    @Test("With a certificate of its authority a client is let in, by its password")
    func right() async throws {
        let identity = try await broker.certificates.identity("client")
        let configuration = try ConnectionConfiguration(
            urls: [url(identity.certificate, identity.key)],
            name: "client"
        )
        let publisher = Publisher(configuration, logger: testLogger)
        try await running([publisher]) { try await reached(publisher.states, "ready") { $0 == .ready } }
    }

    @Test("Without a certificate it is not, and the mend is named")
    func none() async throws {
        let failure = try await failure(of: broker.url())
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains("?certfile="), "\(failure)")
    }

    @Test("With a certificate of another authority it is not, and the certificate is named")
    func otherAuthority() async throws {
        let others = try await Certificates("Somebody else")
        let identity = try await others.identity("client")
        let failure = try await failure(of: url(identity.certificate, identity.key))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains(identity.certificate.path), "\(failure)")
        #expect(failure.reason.contains("an authority that the broker trusts"), "\(failure)")
    }

    @Test("With a certificate that has expired it is not, and the certificate is named")
    func expired() async throws {
        let identity = try await broker.certificates.identity("late", days: -1)
        let failure = try await failure(of: url(identity.certificate, identity.key))
        #expect(failure.code == .connectionFailed)
        #expect(failure.reason.contains(identity.certificate.path), "\(failure)")
    }

    @Test("A certificate with the key of another, and files that are missing, are named before anything is sent")
    func files() async throws {
        let one = try await broker.certificates.identity("one")
        let other = try await broker.certificates.identity("other")
        for (certificate, key) in [
            (one.certificate, other.key), (URL(fileURLWithPath: "/nowhere/c.pem"), one.key),
            (one.certificate, URL(fileURLWithPath: "/nowhere/k.pem")),
        ] {
            let failure = try await failure(of: url(certificate, key))
            #expect(failure.code == .connectionFailed)
            #expect(failure.reason.contains(certificate.path) && failure.reason.contains(key.path), "\(failure)")
        }
    }
}
