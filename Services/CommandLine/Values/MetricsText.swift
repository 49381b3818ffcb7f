/// Metrics in Prometheus' text format.
enum MetricsText {
    /// The sum of the samples of that name over all its labels; 0 where there are none.
    static func sum(of name: String, in text: String) -> Double {
        text.split(whereSeparator: \.isNewline).reduce(0) { sum, line in
            guard line.hasPrefix(name) else { return sum }
            var rest = line.dropFirst(name.count)
            if rest.first == "{" {
                guard let end = rest.lastIndex(of: "}") else { return sum }
                rest = rest[rest.index(after: end)...]
            } else if rest.first != " " {
                return sum
            }
            return sum + (rest.split(separator: " ").first.flatMap { Double($0) } ?? 0)
        }
    }
}
