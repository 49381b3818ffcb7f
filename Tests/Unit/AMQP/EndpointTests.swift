import Testing

@testable import AMQP

@Suite("AMQP URIs are read as RabbitMQ's specification says")
struct EndpointTests {
    @Test("Every part has its default")
    func defaults() throws {
        let endpoint = try Endpoint(uri: "amqp://")
        #expect(endpoint.host == "localhost")
        #expect(endpoint.port == 5_672)
        #expect(endpoint.virtualHost == "/")
        #expect(endpoint.authentication == .plain(user: "guest", password: "guest"))
        #expect(endpoint.security == nil)
        #expect(try Endpoint(uri: "amqps://broker").port == 5_671)
    }

    @Test("The specification's example: every part given and percent-encoded")
    func encoded() throws {
        let endpoint = try Endpoint(uri: "amqp://user%61:%61pass@ho%61st:10000/v%2fhost")
        #expect(endpoint.authentication == .plain(user: "usera", password: "apass"))
        #expect(endpoint.host == "hoast")
        #expect(endpoint.port == 10_000)
        #expect(endpoint.virtualHost == "v/host")
    }

    @Test(
        "Virtual hosts",
        arguments: [
            ("amqp://h", "/"), ("amqp://h/", "/"), ("amqp://h/%2f", "/"), ("amqp://h/%2F", "/"),
            ("amqp://h/shop", "shop"),
            ("amqp://h/sh%C3%B6p?heartbeat=5", "shöp"),
        ]
    )
    func virtualHosts(uri: String, expected: String) throws {
        #expect(try Endpoint(uri: uri).virtualHost == expected)
    }

    @Test("An IPv6 address stands in brackets, with or without a port")
    func addresses() throws {
        #expect(try Endpoint(uri: "amqp://u:p@[::1]:5673/").host == "::1")
        #expect(try Endpoint(uri: "amqp://u:p@[::1]:5673/").port == 5_673)
        #expect(try Endpoint(uri: "amqp://[fe80::1]").port == 5_672)
        #expect(try Endpoint(uri: "AMQP://H").host == "H")
    }

    @Test("A user without a password has an empty one, not the default's")
    func userOnly() throws {
        #expect(try Endpoint(uri: "amqp://me@h").authentication == .plain(user: "me", password: ""))
        #expect(try Endpoint(uri: "amqp://me:@h").authentication == .plain(user: "me", password: ""))
        #expect(try Endpoint(uri: "amqp://me:a:b@h").authentication == .plain(user: "me", password: "a:b"))
    }

    @Test("TLS is verified by the system's authorities unless the query says otherwise")
    func security() throws {
        #expect(try Endpoint(uri: "amqps://h").security == Endpoint.Security())
        let endpoint = try Endpoint(
            uri: "amqps://h/v?cacertfile=/a%20b/ca.pem&certfile=c.pem&keyfile=k.pem&verify=verify_none"
                + "&auth_mechanism=EXTERNAL&heartbeat=30&connection_timeout=2500&channel_max=7"
        )
        #expect(
            endpoint.security
                == Endpoint.Security(authorities: "/a b/ca.pem", certificate: "c.pem", key: "k.pem", verifies: false)
        )
        #expect(endpoint.authentication == .external)
        #expect(endpoint.heartbeat == 30)
        #expect(endpoint.connectionTimeout == .milliseconds(2_500))
        #expect(endpoint.virtualHost == "v")
    }

    @Test(
        "What is not understood is refused with a reason, and without the secret",
        arguments: [
            ("http://u:secret@h", "amqp://"), ("", "amqp://"), ("amqp://u:secret@h:0", "port"),
            ("amqp://u:secret@h:65536", "port"), ("amqp://u:secret@h:x", "port"), ("amqp://u:secret@h:+5", "port"),
            ("amqp://u:secret%@h", "%"), ("amqp://u:secret%4@h", "%"), ("amqp://u:secret%GG@h", "%"),
            ("amqp://u:secret%00@h", "NUL"), ("amqp://u:secret%FF@h", "UTF-8"), ("amqp://u:secret@[::1", "]"),
            ("amqp://u:secret@[g]", "IPv6"), ("amqp://u:secret@[::1]5", "IPv6"), ("amqp://u:secret@h/a/b", "%2F"),
            ("amqp://u:secret@h?verify=verify_none", "amqps"), ("amqps://u:secret@h?verify=no", "verify"),
            ("amqps://u:secret@h?cacert=x", "cacert"), ("amqps://u:secret@h?certfile=x", "keyfile"),
            ("amqp://u:secret@h?heartbeat=-1", "heartbeat"), ("amqp://u:secret@h?heartbeat=1&heartbeat=2", "twice"),
            ("amqp://u:secret@h#f", "fragment"), ("amqp://u:sec ret@h", "blank"),
            ("amqp://u:secret@h?user_id=me", "user_id"), ("amqp://u:secret@h?auth_mechanism=md5", "auth_mechanism"),
            ("amqps://u:secret@h?cacertfile=", "empty"),
        ]
    )
    func refused(uri: String, mention: String) {
        let error = #expect(throws: AMQPError.self) { try ConnectionConfiguration(urls: [uri], name: "n") }
        #expect(error?.code == .invalidURL)
        #expect(error?.description.contains(mention) == true, "\(String(describing: error))")
        #expect(error?.description.contains("secret") == false)
        #expect(error?.description.contains("sec ret") == false)
    }

    @Test("Messages name the user that logs in, where it is known, can be written down and is to be named")
    func publishingUser() throws {
        #expect(try Endpoint(uri: "amqp://h").publishingUser == "guest")
        #expect(try Endpoint(uri: "amqp://%C3%BCser:p@h?user_id=login").publishingUser == "üser")
        #expect(try Endpoint(uri: "amqp://u:p@h?user_id=none").publishingUser == nil)
        #expect(try Endpoint(uri: "amqps://u:p@h?auth_mechanism=external").publishingUser == nil)
        let longest = String(repeating: "u", count: 255)
        #expect(try Endpoint(uri: "amqp://\(longest):p@h").publishingUser == longest)
        #expect(try Endpoint(uri: "amqp://\(longest)u:p@h").publishingUser == nil)
        #expect(try Endpoint(uri: "amqp://:p@h").publishingUser == nil)
    }

    @Test("Messages name the user of the credentials that replace the URI's")
    func publishingUserOfCredentials() throws {
        var configuration = try ConnectionConfiguration(urls: ["amqp://u:p@h"], name: "n")
        configuration.credentials = { Credentials(user: "rotated", password: "p") }
        #expect(try configuration.authenticated(configuration.endpoints[0]).publishingUser == "rotated")
    }

    @Test("Nothing that can be printed shows a credential")
    func redacted() throws {
        let configuration = try ConnectionConfiguration(
            urls: ["amqp://alice:secret@h/shop", "amqps://alice:secret@[::1]"],
            name: "n"
        )
        var dumped = ""
        dump(configuration, to: &dumped)
        dump(configuration.endpoints, to: &dumped)
        for text in [
            "\(configuration)", String(reflecting: configuration), dumped, "\(configuration.endpoints)",
            String(reflecting: configuration.endpoints),
        ] {
            #expect(!text.contains("secret"))
            #expect(!text.contains("alice"))
        }
        #expect("\(configuration)" == "n at amqp://h:5672/shop, amqps://[::1]:5671/")
    }

    @Test("At least one URI is needed")
    func none() {
        #expect(throws: AMQPError.self) { try ConnectionConfiguration(urls: [], name: "n") }
    }

    @Test("A combining mark cannot hide a delimiter and make a host of the credentials")
    func combiningMarks() {
        for uri in ["amqp://secret@\u{032D}host", "amqp://u:p@host/\u{0301}v", "amqp://u:sécret@host"] {
            #expect {
                try Endpoint(uri: uri)
            } throws: { "\($0)".contains("ASCII") && !"\($0)".contains("cret") }
        }
    }
}
