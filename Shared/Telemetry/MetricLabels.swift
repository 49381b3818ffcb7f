/// The labels of one series of a metric, ordered by name.
///
/// Their values come from a small, fixed set: a route's pattern, a status, never an id.
public struct MetricLabels: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// The names and values, ordered by name.
    let pairs: [Pair]

    struct Pair: Sendable, Hashable {
        let name: String
        let value: String
    }

    /// Labels from names and values.
    ///
    /// A name is made of letters, digits and underscores and does not begin with a digit or two underscores; each
    /// occurs once.
    public init(_ pairs: [(name: String, value: String)]) {
        for (index, pair) in pairs.enumerated() {
            precondition(Self.isValid(pair.name), "\(pair.name) is not a label name")
            precondition(!pairs[..<index].contains { $0.name == pair.name }, "the label \(pair.name) occurs twice")
        }
        self.pairs = pairs.map { Pair(name: $0.name, value: $0.value) }.sorted { $0.name < $1.name }
    }

    /// Labels from a literal: `["http_route": "/orders/{id}"]`.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(elements.map { (name: $0.0, value: $0.1) })
    }

    /// No labels.
    public static let none = MetricLabels([])

    /// `{name="value",…}`, or nothing when there are none; `extra` comes last.
    func rendered(with extra: Pair? = nil) -> String {
        let all = extra.map { pairs + [$0] } ?? pairs
        guard !all.isEmpty else { return "" }
        return "{" + all.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ value: String) -> String {
        var result = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": result += #"\\"#
            case "\"": result += #"\""#
            case "\n": result += #"\n"#
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isValid(_ name: String) -> Bool {
        !name.hasPrefix("__") && MetricsRegistry.isName(name, allowingColon: false)
    }
}
