import Foundation
public import JSON

/// RabbitMQ's management API: what a test wants to know of the broker, or to do to it, without the client under test.
public struct BrokerManagement: Sendable {
    private let probe: HTTPProbe

    /// The API on that port of 127.0.0.1, as `guest`.
    public init(port: UInt16) {
        let credentials = Data("guest:guest".utf8).base64EncodedString()
        // Generous: the API waits for the node, which may have much to do.
        probe = HTTPProbe(
            port: port,
            headers: ["Authorization": "Basic \(credentials)"],
            timeout: .seconds(60)
        )
    }

    /// The API of the broker that all tests share.
    public static var shared: BrokerManagement {
        get throws {
            let url = try TestEnvironment.managementURL
            guard let port = url.port.flatMap(UInt16.init(exactly:)) else { throw TimedOut("no port in \(url)") }
            return BrokerManagement(port: port)
        }
    }

    /// Makes a virtual host: exchanges and queues of its own.
    public func makeVirtualHost(_ name: String) async throws {
        try await expect(204, 201, of: "PUT", "/api/vhosts/\(name)")
        try await expect(
            204,
            201,
            of: "PUT",
            "/api/permissions/\(name)/guest",
            ["configure": ".*", "write": ".*", "read": ".*"]
        )
    }

    /// Removes a virtual host with everything in it.
    public func removeVirtualHost(_ name: String) async throws {
        try await expect(204, of: "DELETE", "/api/vhosts/\(name)")
    }

    /// Makes a user that has no password and may do anything in the default virtual host.
    public func makeUser(_ name: String) async throws {
        try await expect(204, 201, of: "PUT", "/api/users/\(name)", ["password_hash": "", "tags": ""])
        try await expect(
            204,
            201,
            of: "PUT",
            "/api/permissions/%2F/\(name)",
            ["configure": ".*", "write": ".*", "read": ".*"]
        )
    }

    /// Makes a user with a password who may do anything in a virtual host but publish under other topics than those that match.
    public func makeUser(
        _ name: String,
        password: String,
        in virtualHost: String,
        publishing topics: String,
        to exchange: String = "warren.events"
    ) async throws {
        try await expect(204, 201, of: "PUT", "/api/users/\(name)", ["password": .string(password), "tags": ""])
        try await expect(
            204,
            201,
            of: "PUT",
            "/api/permissions/\(virtualHost)/\(name)",
            ["configure": ".*", "write": ".*", "read": ".*"]
        )
        try await permit(topics, of: name, in: virtualHost, to: exchange)
    }

    /// Changes under which topics a user may publish.
    public func permit(
        _ topics: String,
        of name: String,
        in virtualHost: String,
        to exchange: String = "warren.events"
    ) async throws {
        try await expect(
            204,
            201,
            of: "PUT",
            "/api/topic-permissions/\(virtualHost)/\(name)",
            ["exchange": .string(exchange), "write": .string(topics), "read": ".*"]
        )
    }

    /// Removes a user.
    public func removeUser(_ name: String) async throws {
        try await expect(204, of: "DELETE", "/api/users/\(name)")
    }

    /// Removes the binding of a queue to an exchange by a routing key.
    public func unbind(
        _ queue: String,
        from exchange: String = "warren.events",
        routingKey: String,
        in virtualHost: String = "%2F"
    ) async throws {
        try await expect(204, of: "DELETE", "/api/bindings/\(virtualHost)/e/\(exchange)/q/\(queue)/\(routingKey)")
    }

    /// Publishes a message as raw as it gets.
    ///
    /// - Returns: whether a queue took it.
    @discardableResult
    public func publish(
        _ body: [UInt8],
        exchange: String = "warren.events",
        routingKey: String,
        properties: JSONValue = [:],
        in virtualHost: String = "%2F"
    ) async throws -> Bool {
        let reply = try await expect(
            200,
            of: "POST",
            "/api/exchanges/\(virtualHost)/\(exchange)/publish",
            [
                "properties": properties, "routing_key": .string(routingKey),
                "payload": .string(Data(body).base64EncodedString()), "payload_encoding": "base64",
            ]
        )
        return try reply.json["routed"] == true
    }

    /// How many messages lie in a queue, ready or unacked, by statistics that lag some seconds behind.
    public func depth(of queue: String, in virtualHost: String = "%2F") async throws -> Int64 {
        let reply = try await expect(200, of: "GET", "/api/queues/\(virtualHost)/\(queue)")
        return try reply.json["messages"].integer ?? 0
    }

    /// Takes the next messages out of a queue, without the client under test.
    ///
    /// - Returns: the payloads as text; empty when the queue is.
    public func take(_ count: Int, from queue: String, in virtualHost: String = "%2F") async throws -> [String] {
        let reply = try await expect(
            200,
            of: "POST",
            "/api/queues/\(virtualHost)/\(queue)/get",
            ["count": .integer(Int64(count)), "ackmode": "ack_requeue_false", "encoding": "auto"]
        )
        return try reply.json.elements.map { message in
            guard let payload = message["payload"].text else { throw TimedOut("no payload: \(message)") }
            return payload
        }
    }

    @discardableResult
    private func expect(
        _ statuses: Int...,
        of method: String,
        _ path: String,
        _ body: JSONValue? = nil
    ) async throws -> HTTPProbe.Reply {
        let reply = try await probe.send(
            method,
            path,
            headers: body == nil ? [:] : ["Content-Type": "application/json"],
            body: body?.bytes ?? []
        )
        guard statuses.contains(reply.status) else {
            throw TimedOut("\(method) \(path): \(reply.status) \(reply.text)")
        }
        return reply
    }
}
