import JSON
import ServiceKit

/// The operations on many dead letters of one service.
struct OperationClient: Sendable {
    let client: ServiceClient

    /// How many dead letters an operation would go to.
    func preview(_ body: JSONValue) async throws -> JSONValue {
        var body = body
        body["dryRun"] = .bool(true)
        return named(try await client.post("/dead-letter-operations", body: body))
    }

    func start(_ body: JSONValue) async throws -> JSONValue {
        named(try await client.post("/dead-letter-operations", body: body))
    }

    func list(limit: Int64) async throws -> [JSONValue] {
        let query = [(name: "limit", value: String(limit))]
        return (try await client.get("/dead-letter-operations", query: query)["items"]?.array ?? []).map(named)
    }

    func show(_ number: String) async throws -> JSONValue {
        named(try await client.get("/dead-letter-operations/\(number)"))
    }

    func order(_ order: String, _ number: String, reason: String?) async throws -> JSONValue {
        let body: JSONValue = reason.map { ["reason": .string($0)] } ?? [:]
        return named(try await client.post("/dead-letter-operations/\(number)/\(order)", body: body))
    }

    /// The number of an operation in its service, without the service's name.
    func number(of operation: JSONValue) -> String {
        String((operation["id"]?.text ?? "").dropFirst(client.service.name.count + 1))
    }

    /// The operation with the id under which this command knows it, `payment-3`.
    private func named(_ operation: JSONValue) -> JSONValue {
        var operation = operation
        operation["service"] = .string(client.service.name)
        if let number = operation["id"]?.cell { operation["id"] = .string("\(client.service.name)-\(number)") }
        return operation
    }
}
