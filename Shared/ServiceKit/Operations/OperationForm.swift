import HTTP
import JSON
import Messaging
import Telemetry

/// The body of `POST /dead-letter-operations`, checked; all faults at once.
///
/// Strict where a mistake would reach more dead letters than were meant: a member that is not known is a fault, and "all of
/// them" has to be said.
struct OperationForm {
    private(set) var plan: DeadLetterOperation.Plan
    private(set) var reason: String
    private(set) var isDryRun: Bool

    init(_ request: HTTPRequest) throws {
        var reader = Reader(members: try Self.object(of: request))
        reader.knows(["action", "filter", "limit", "rate", "ramp", "reason", "dryRun"])
        let action = reader.action()
        isDryRun = reader.bool("dryRun") ?? false
        reason = reader.reason(isRequired: !isDryRun)
        let limit = reader.number("limit", in: 1...1_000_000_000, isWhole: true).map { Int($0) }
        let rate = reader.number("rate", in: 0.01...1_000_000)
        let ramp = reader.number("ramp", in: 0...86_400)
        if ramp != nil, rate == nil { reader.fault("ramp", "needs `rate`, to which it leads") }
        let filter = reader.filter(of: action ?? .retry)
        guard reader.faults.isEmpty, let action else { throw Problem.invalidRequest(reader.faults) }
        plan = DeadLetterOperation.Plan(
            action: action,
            filter: filter,
            limit: limit,
            rate: rate,
            ramp: ramp.map { .milliseconds(Int64($0 * 1000)) }
        )
    }

    private static func object(of request: HTTPRequest) throws -> [String: JSONValue] {
        guard case .object(let members) = try request.decode(JSONValue.self) else {
            throw Problem.invalidRequest([Problem.Fault(field: "", detail: "must be an object")])
        }
        return members
    }

    /// Takes members out of the body and notes what is wrong with them.
    private struct Reader {
        let members: [String: JSONValue]
        private(set) var faults: [Problem.Fault] = []
        /// The path of the object that is read, with its dot.
        private var prefix = ""

        init(members: [String: JSONValue]) {
            self.members = members
        }

        mutating func fault(_ name: String, _ detail: String) {
            faults.append(Problem.Fault(field: prefix + name, detail: detail))
        }

        mutating func knows(_ names: [String]) {
            for name in members.keys.sorted() {
                if !names.contains(name) {
                    faults.append(.unknown(prefix + name, among: names))
                } else if members[name] == .null {
                    faults.append(.null(prefix + name))
                }
            }
        }

        /// A member that is there; one that is null is a fault already.
        private func value(_ name: String) -> JSONValue? {
            members[name] == .null ? nil : members[name]
        }

        mutating func action() -> DeadLetterAction? {
            let names = DeadLetterAction.allCases.map(\.rawValue).joined(separator: ", ")
            guard let text = text("action") else {
                if members["action"] == nil { fault("action", "is required: one of \(names)") }
                return nil
            }
            guard let action = DeadLetterAction(rawValue: text) else {
                fault("action", "must be one of \(names)")
                return nil
            }
            return action
        }

        mutating func reason(isRequired: Bool) -> String {
            guard let given = text("reason") else {
                if isRequired, members["reason"] == nil { fault("reason", "must say why") }
                return ""
            }
            let reason = String(given.trimmingSpaces)
            if given.unicodeScalars.count > 1000 || !given.isOneLine {
                fault("reason", "must be at most 1,000 characters without control characters")
            } else if isRequired, reason.isEmpty {
                fault("reason", "must say why")
            }
            return reason
        }

        mutating func text(_ name: String) -> String? {
            switch value(name) {
            case nil: return nil
            case .string(let text)?: return text
            default:
                fault(name, "must be a string")
                return nil
            }
        }

        mutating func bool(_ name: String) -> Bool? {
            switch value(name) {
            case nil: return nil
            case .bool(let bool)?: return bool
            default:
                fault(name, "must be true or false")
                return nil
            }
        }

        mutating func number(_ name: String, in range: ClosedRange<Double>, isWhole: Bool = false) -> Double? {
            let number: Double
            switch value(name) {
            case nil: return nil
            case .integer(let integer)?: number = Double(integer)
            case .number(let other)? where !isWhole || other == other.rounded(): number = other
            default: number = .nan
            }
            guard range.contains(number) else {
                let kind = isWhole ? "whole number" : "number"
                func shown(_ bound: Double) -> String { bound == bound.rounded() ? String(Int(bound)) : String(bound) }
                fault(name, "must be a \(kind) from \(shown(range.lowerBound)) to \(shown(range.upperBound))")
                return nil
            }
            return number
        }

        // MARK: The filter

        mutating func filter(of action: DeadLetterAction) -> DeadLetterFilter {
            var filter = DeadLetterFilter()
            let hint = "must say which dead letters: conditions, or {\"all\": true}"
            guard case .object(let conditions)? = value("filter") else {
                if members["filter"] != .null { fault("filter", hint) }
                return filter
            }
            var reader = Reader(members: conditions)
            reader.prefix = "filter."
            reader.knows(["all", "type", "error", "state", "subject", "from", "until", "text"])
            filter.types = reader.texts("type")
            filter.errorClass = reader.condition("error")
            filter.subject = reader.condition("subject")
            filter.text = reader.condition("text")
            filter.from = reader.time("from")
            filter.until = reader.time("until")
            let states = reader.texts("state")
            if !states.isEmpty, states != [action.from.rawValue] {
                reader.fault("state", "must be \(action.from.rawValue): \(action.rawValue) leads on from there alone")
            }
            let all = reader.bool("all")
            if all == false { reader.fault("all", "must be true, or left out") }
            let isEmpty = DeadLetterFilter() == filter
            if all == true, !isEmpty { reader.fault("all", "must not be given together with conditions") }
            faults += reader.faults
            if all != true, isEmpty, reader.faults.isEmpty { fault("filter", hint) }
            return filter
        }

        /// A text that must not be empty: an empty condition would be none.
        private mutating func condition(_ name: String) -> String? {
            guard let text = text(name) else { return nil }
            if text.isEmpty { fault(name, "must not be empty") }
            return text.isEmpty ? nil : text
        }

        private mutating func texts(_ name: String) -> [String] {
            let values: [JSONValue]
            switch value(name) {
            case nil: return []
            case .array(let list)?: values = list
            case .some(let one): values = [one]
            }
            let texts = values.compactMap { value in
                if case .string(let text) = value, !text.isEmpty { text } else { nil as String? }
            }
            if texts.count < values.count || !(1...100).contains(values.count) {
                fault(name, "must be a string or a list of 1 to 100 strings, none of them empty")
            }
            return texts
        }

        private mutating func time(_ name: String) -> Int64? {
            guard let text = text(name) else { return nil }
            guard let time = Timestamp(rfc3339: text) else {
                fault(name, "must be a time such as 2026-01-01T00:00:00.000Z (RFC 3339)")
                return nil
            }
            return time.milliseconds
        }
    }
}
