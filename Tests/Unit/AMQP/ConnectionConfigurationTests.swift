import Synchronization
import Testing

@testable import AMQP

@Suite("Secrets that change while the client runs")
struct ConnectionConfigurationTests {
    private struct Missing: Error, CustomStringConvertible {
        let description = "the file /run/secrets/broker is missing"
    }

    @Test("URIs from a source are asked for anew, and what they are now counts")
    func source() throws {
        let urls = Mutex(["amqp://u:old@a"])
        let configuration = try ConnectionConfiguration(name: "n", urls: { urls.withLock { $0 } })
        #expect(try configuration.currentEndpoints() == [Endpoint(uri: "amqp://u:old@a")])
        urls.withLock { $0 = ["amqp://u:new@a", "amqp://u:new@b"] }
        #expect(
            try configuration.currentEndpoints() == [Endpoint(uri: "amqp://u:new@a"), Endpoint(uri: "amqp://u:new@b")]
        )
        urls.withLock { $0 = ["amqp://u:se%cret@a"] }
        #expect {
            try configuration.currentEndpoints()
        } throws: { error in
            (error as? AMQPError)?.code == .invalidURL && !"\(error)".contains("cret")
        }
        urls.withLock { $0 = [] }
        #expect(throws: AMQPError.self) { try configuration.currentEndpoints() }
    }

    @Test("Credentials from a source replace those of the URI, but not a certificate")
    func credentials() throws {
        var configuration = try ConnectionConfiguration(urls: ["amqp://u:old@a"], name: "n")
        let endpoint = configuration.endpoints[0]
        #expect(try configuration.authenticated(endpoint) == endpoint)
        configuration.credentials = { Credentials(user: "v", password: "new") }
        #expect(try configuration.authenticated(endpoint).authentication == .plain(user: "v", password: "new"))
        let external = try Endpoint(uri: "amqps://a?auth_mechanism=external")
        #expect(try configuration.authenticated(external) == external)
        configuration.credentials = { Credentials(user: "v", password: "a\0b") }
        #expect(throws: AMQPError.self) { try configuration.authenticated(endpoint) }
    }

    @Test("A source that fails is a failed attempt that says why")
    func failure() throws {
        var configuration = try ConnectionConfiguration(urls: ["amqp://a"], name: "n")
        configuration.credentials = { throw Missing() }
        #expect {
            try configuration.authenticated(configuration.endpoints[0])
        } throws: { error in
            (error as? AMQPError)?.code == .connectionFailed && "\(error)".contains("/run/secrets/broker")
        }
        #expect(throws: Missing.self) { try ConnectionConfiguration(name: "n", urls: { throw Missing() }) }
    }

    @Test("Nothing prints credentials")
    func redaction() throws {
        let credentials = Credentials(user: "visitor", password: "secret")
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(!text.contains("visitor") && !text.contains("password: \"secret"))
        }
    }
}
