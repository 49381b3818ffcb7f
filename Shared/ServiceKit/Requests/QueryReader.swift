import HTTP

/// Reads the query of a request, parameter by parameter.
///
/// A parameter that is given twice, or is none of those that are known, is noted as a fault; nothing is thrown, so that reading
/// goes on, until `check` says all that was wrong.
public struct QueryReader {
    private let values: [String: String]
    /// Where faults are noted.
    public let faults = FaultCollector()

    /// Begins with a query.
    ///
    /// - Parameter known: the names of the parameters that there are.
    public init(_ items: [(name: String, value: String)], knows known: Set<String>) {
        var values: [String: String] = [:]
        for (name, value) in items {
            guard known.contains(name) else {
                faults.add(String(name.prefix(64)), "is not a known parameter")
                continue
            }
            guard values[name] == nil else {
                faults.add(name, "is given twice")
                continue
            }
            values[name] = value
        }
        self.values = values
    }

    /// What a parameter says; nil where it is not there.
    public func text(_ name: String) -> String? { values[name] }

    /// What a parameter says, made a value; nil where it is not there or has a fault, which is noted.
    ///
    /// - Parameter detail: what is wrong where `read` makes nothing of it.
    public func value<Value>(_ name: String, _ detail: String, _ read: (String) -> Value?) -> Value? {
        guard let text = values[name] else { return nil }
        if let value = read(text) { return value }
        faults.add(name, detail)
        return nil
    }

    /// Where the page begins: the `next` of the page before.
    public func cursor<Value>(_ read: (String) -> Value?) -> Value? {
        value("after", "must be the `next` of an earlier answer", read)
    }

    /// The size of the page; the standard one where the query does not say.
    public func limit(_ standard: Int = 50, in range: ClosedRange<Int>) -> Int {
        let detail = "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        return value("limit", detail) { text in
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text) else { return nil }
            return range.contains(number) ? number : nil
        } ?? standard
    }

    /// - Throws: a `Problem` (422) that names every parameter at fault.
    public func check() throws {
        guard faults.faults.isEmpty else { throw Problem.invalidRequest(faults.faults) }
    }
}

extension String {
    /// The text itself where it is a UUID in lower case, as services make the ids of what they list by.
    public var asLowercaseUUID: String? {
        let isRight =
            utf8.count == 36
            && utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case UInt8(ascii: "-"): [8, 13, 18, 23].contains(index)
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"):
                    ![8, 13, 18, 23].contains(index)
                default: false
                }
            }
        return isRight ? self : nil
    }
}
