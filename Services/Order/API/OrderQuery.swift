import HTTP
import ServiceKit

/// The query of `GET /orders`.
struct OrderQuery: Sendable, Equatable {
    static let limits = 1...100

    private(set) var status: Order.Status?
    /// The id of the last order of the page before.
    private(set) var after: String?
    private(set) var limit = 50

    /// Reads the query.
    ///
    /// - Throws: a `Problem` (422) that names every parameter at fault.
    init(_ items: [(name: String, value: String)]) throws {
        let faults = FaultCollector()
        var seen: Set<String> = []
        for (name, value) in items {
            guard seen.insert(name).inserted else {
                faults.add(String(name.prefix(64)), "is given twice")
                continue
            }
            switch name {
            case "status":
                status = Order.Status(rawValue: value)
                let names = Order.Status.allCases.map(\.rawValue).joined(separator: ", ")
                if status == nil { faults.add(name, "must be one of \(names)") }
            case "after":
                after = value
                if !OrderQuery.isCursor(value) { faults.add(name, "must be the `next` of an earlier answer") }
            case "limit":
                if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value),
                    OrderQuery.limits.contains(number)
                {
                    limit = number
                } else {
                    let range = OrderQuery.limits
                    faults.add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
                }
            default:
                faults.add(String(name.prefix(64)), "is not a known parameter")
            }
        }
        guard faults.faults.isEmpty else {
            throw Problem.invalidRequest(faults.faults)
        }
    }

    /// The address of the page that follows.
    func path(after next: String) -> String {
        "/orders?" + (status.map { "status=\($0.rawValue)&" } ?? "") + "after=\(next)&limit=\(limit)"
    }

    /// An order's id, as this service makes them: a UUID in lower case.
    private static func isCursor(_ text: String) -> Bool {
        text.utf8.count == 36
            && text.utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case UInt8(ascii: "-"): [8, 13, 18, 23].contains(index)
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"):
                    ![8, 13, 18, 23].contains(index)
                default: false
                }
            }
    }
}
