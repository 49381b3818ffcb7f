import HTTP
import JSON
import ServiceKit

/// The event API of one service.
struct EventClient: Sendable {
    /// A page of events.
    struct Page: Sendable {
        var events: [JSONValue]
        /// Where the next page begins.
        var next: String
        /// Whether this is all there is now.
        var isAtEnd: Bool
    }

    let client: ServiceClient

    /// Reads a page.
    ///
    /// - Parameters:
    ///   - position: the events behind it; `end` for those to come.
    ///   - filter: query items.
    ///   - limit: how many at most.
    ///   - wait: how many seconds the service waits for the first event.
    func page(
        after position: String,
        _ filter: [(name: String, value: String)],
        limit: Int,
        wait: Int
    ) async throws -> Page {
        let items = [
            (name: "after", value: position), (name: "limit", value: String(limit)),
            (name: "wait", value: String(wait)),
        ]
        let response = try await client.send(
            ServiceRequest(
                method: "GET",
                url: client.url("/events", items + filter),
                timeout: .seconds(wait + 30)
            )
        )
        guard response.status == 200 else { throw client.failure(of: response) }
        guard let next = response.headers["Warren-Next-Position"], let head = response.headers["Warren-Head-Position"],
            let events = (try? JSONValue(parsing: response.body))?.array
        else {
            throw CommandFailure(
                .failed,
                "\(client.service.name) at \(client.base) answered with something that is no page of events",
                mend: client.notTheService
            )
        }
        return Page(events: events, next: next, isAtEnd: next == head)
    }

    /// How many events of each type the store holds; each record names the service.
    func types() async throws -> [JSONValue] {
        let answer = try await client.get("/events/types")
        return (answer["items"]?.array ?? []).map { item in
            [
                "service": .string(client.service.name), "type": item["type"] ?? .null,
                "count": item["count"] ?? .null,
            ]
        }
    }
}
