import JSON
import ServiceKit

/// The operations API's dead letters of one service.
struct DeadLetterClient: Sendable {
    /// What an operator can do with a dead letter.
    enum Action: String, Sendable {
        case retry
        case discard
        case restore

        /// The state from which it leads on.
        var from: String { self == .restore ? "discarded" : "dead" }
    }

    let client: ServiceClient

    /// Dead letters, newest first; by time, last changed first.
    ///
    /// - Parameters:
    ///   - filter: query items as the operations API has them.
    ///   - after: the place of the last one of the page before.
    ///   - limit: how many; asked for in pages of 500.
    /// - Returns: the dead letters, and whether there are more.
    func list(
        _ filter: [(name: String, value: String)],
        after: String? = nil,
        limit: Int
    ) async throws -> (items: [JSONValue], hasMore: Bool) {
        var items: [JSONValue] = []
        var cursor = after
        while items.count < limit {
            var query = filter + [(name: "limit", value: String(min(500, limit - items.count)))]
            if let cursor { query.append((name: "after", value: cursor)) }
            let page = try await client.get("/dead-letters", query: query)
            let found = page["items"]?.array ?? []
            items += found.map(named)
            // A page whose next one is itself would be asked for again for ever. An empty one may have a next one: a
            // search that no index answers ends at a bound, and goes on there.
            guard let next = page["next"]?.cell, next != cursor else { return (items, false) }
            cursor = next
        }
        return (items, true)
    }

    /// Groups, and whether all that match are counted in them.
    func groups(
        _ filter: [(name: String, value: String)]
    ) async throws -> (items: [JSONValue], isComplete: Bool) {
        let page = try await client.get("/dead-letters/groups", query: filter)
        let groups = (page["items"]?.array ?? []).map { group in
            var group = group
            group["service"] = .string(client.service.name)
            return group
        }
        return (groups, page["complete"] != .bool(false))
    }

    func show(_ number: String) async throws -> JSONValue {
        named(try await client.get("/dead-letters/\(number)"))
    }

    func perform(_ action: Action, on number: String, reason: String?) async throws -> JSONValue {
        let body: JSONValue = reason.map { ["reason": .string($0)] } ?? [:]
        return named(try await client.post("/dead-letters/\(number)/\(action.rawValue)", body: body))
    }

    /// Puts a corrected event in a dead letter's place.
    ///
    /// - Parameters:
    ///   - member: `data` or `envelope`.
    ///   - json: its value, sent byte for byte: numbers stay as they were written.
    func edit(_ number: String, _ member: String, to json: [UInt8], reason: String) async throws -> JSONValue {
        var request = ServiceRequest(method: "POST", url: client.url("/dead-letters/\(number)/edit"))
        request.headers["Content-Type"] = "application/json"
        request.body = Array("{\"reason\":\(JSONValue.string(reason).encoded()),\"\(member)\":".utf8) + json + [0x7D]
        let response = try await client.send(request)
        guard response.status == 200, let letter = try? JSONValue(parsing: response.body) else {
            throw client.failure(of: response)
        }
        return named(letter)
    }

    /// The dead letter with the id under which this command knows it, `payment-17`.
    private func named(_ letter: JSONValue) -> JSONValue {
        var letter = letter
        letter["service"] = .string(client.service.name)
        if let number = letter["id"]?.cell { letter["id"] = .string("\(client.service.name)-\(number)") }
        return letter
    }
}
