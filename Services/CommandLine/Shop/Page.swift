import JSON
import ServiceKit

/// A page of what a service's own API lists.
struct Page: Sendable {
    let items: [JSONValue]
    /// What `--after` has to be for the page that follows; nil on the last.
    let next: String?

    /// The options of every command that lists a page.
    static let options: [CommandOption] = [
        .text("after", "CURSOR", help: "The page after this one"),
        .text("limit", "N", help: "How many, 1 to 100", fallback: "50"),
    ]
}

extension Invocation {
    /// Asks for a page: the one behind `--after`, with as many as `--limit` says.
    ///
    /// - Parameters:
    ///   - path: what is listed.
    ///   - member: under which name the answer has it.
    ///   - filters: the options that the query has under their own names, where they are given.
    /// - Throws: `UsageError` where an option cannot be understood; `CommandFailure`.
    func page(of client: ServiceClient, _ path: String, _ member: String, filters: [String] = []) async throws -> Page {
        var query = [(name: "limit", value: String(try integer("limit", in: 1...100) ?? 50))]
        for name in filters + ["after"] {
            if let value = text(name) { query.append((name: name, value: value)) }
        }
        let answer = try await client.get(path, query: query)
        // Another service's answer is not the end of a list.
        guard let items = answer[member]?.array else {
            throw CommandFailure(
                .failed,
                "\(client.service.name) at \(client.base) answered with something that is no page of \(member)",
                mend: client.notTheService
            )
        }
        return Page(items: items, next: answer["next"]?.text)
    }
}

extension Printer {
    /// Writes a page, and says how to get the one that follows.
    func page(_ page: Page, columns: [Column], empty: String) {
        list(page.items, columns: columns, empty: empty)
        if let next = page.next { note("There are more: add --after \(next)") }
    }
}
