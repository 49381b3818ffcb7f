import HTTP
import Messaging
import Telemetry

/// The query of a request of the operations API, checked; all faults at once.
struct OperationsQuery {
    static let defaultLimit = 50
    static let maximumLimit = 500
    static let filterNames: Set<String> = ["type", "error", "state", "subject", "from", "until", "text"]
    static let pageNames: Set<String> = ["limit", "after"]

    private let items: [(name: String, value: String)]
    private var faults: [Problem.Fault] = []

    /// - Parameter known: the names that this request may have. A misspelt filter must not answer more than was asked
    ///   for, so any other name is a fault.
    init(_ request: HTTPRequest, known: Set<String>) {
        items = request.query
        for name in Set(items.map(\.name)).subtracting(known).sorted() {
            let names = known.isEmpty ? "it has none" : "it has " + known.sorted().joined(separator: ", ")
            faults.append(Problem.Fault(field: name, detail: "is not a parameter of this request (\(names))"))
        }
    }

    mutating func filter() -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        filter.types = values("type")
        filter.errorClass = single("error")
        let states = values("state")
        if !states.isEmpty {
            filter.states = states.compactMap { DeliveryState(rawValue: $0) }
            if filter.states.count < states.count {
                let names = DeliveryState.allCases.map(\.rawValue).joined(separator: ", ")
                faults.append(Problem.Fault(field: "state", detail: "must be one of \(names)"))
            }
        }
        filter.subject = single("subject")
        filter.from = time("from")
        filter.until = time("until")
        filter.text = single("text")
        return filter
    }

    mutating func limit() -> Int {
        guard let text = single("limit") else { return Self.defaultLimit }
        guard let limit = Int(text), (1...Self.maximumLimit).contains(limit) else {
            faults.append(
                Problem.Fault(field: "limit", detail: "must be a whole number from 1 to \(Self.maximumLimit)")
            )
            return Self.defaultLimit
        }
        return limit
    }

    mutating func after() -> Int64? {
        guard let text = single("after") else { return nil }
        guard let id = Int64(text), id > 0 else {
            faults.append(Problem.Fault(field: "after", detail: "must be the value of `next` of the page before"))
            return nil
        }
        return id
    }

    /// Where a page of dead letters begins.
    mutating func place(in filter: DeadLetterFilter) -> DeadLetterCursor? {
        guard let text = single("after") else { return nil }
        guard let place = DeadLetterCursor(text: text, hasTime: filter.hasTime) else {
            let form = filter.hasTime ? "TIME/ID, since `from` or `until` is given" : "ID"
            faults.append(
                Problem.Fault(field: "after", detail: "must be the value of `next` of the page before (\(form))")
            )
            return nil
        }
        return place
    }

    /// Throws a `Problem` that names every fault.
    func throwFaults() throws {
        guard !faults.isEmpty else { return }
        throw Problem(status: 422, slug: "invalid-request", title: "The query is not valid", faults: faults)
    }

    private func values(_ name: String) -> [String] {
        items.filter { $0.name == name && !$0.value.isEmpty }.map(\.value)
    }

    private mutating func single(_ name: String) -> String? {
        let values = values(name)
        if values.count > 1 { faults.append(Problem.Fault(field: name, detail: "must occur only once")) }
        return values.first
    }

    private mutating func time(_ name: String) -> Int64? {
        guard let text = single(name) else { return nil }
        guard let time = Timestamp(rfc3339: text) else {
            let detail = "must be a time such as 2026-01-01T00:00:00.000Z (RFC 3339)"
            faults.append(Problem.Fault(field: name, detail: detail))
            return nil
        }
        return time.milliseconds
    }
}
