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
        guard let limit = Self.number(text), (1...Int64(Self.maximumLimit)).contains(limit) else {
            faults.append(
                Problem.Fault(field: "limit", detail: "must be a whole number from 1 to \(Self.maximumLimit)")
            )
            return Self.defaultLimit
        }
        return Int(limit)
    }

    mutating func after() -> Int64? {
        guard let text = single("after") else { return nil }
        guard let id = Self.id(text) else {
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
        throw Problem.invalidRequest(faults)
    }

    /// A number of digits alone, eighteen at most.
    static func number(_ text: String) -> Int64? {
        text.utf8.count <= 18 && text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int64(text) : nil
    }

    /// The number of a row, in the one way in which it is written.
    static func id(_ text: String) -> Int64? { text.hasPrefix("0") ? nil : number(text) }

    /// An empty condition would be none, and more would be answered than was asked for.
    private mutating func values(_ name: String) -> [String] {
        let values = items.filter { $0.name == name }.map(\.value)
        if values.contains("") { faults.append(Problem.Fault(field: name, detail: "must not be empty")) }
        if values.count > 100 { faults.append(Problem.Fault(field: name, detail: "must occur at most 100 times")) }
        return values.filter { !$0.isEmpty }
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
