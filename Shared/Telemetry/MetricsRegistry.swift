import Synchronization

/// The metrics of a process, rendered as Prometheus text.
///
/// Asking twice for the same name and labels gives the same handle. Names follow Prometheus: base units, `_total` at
/// the end of a counter. A name that is not valid, or that is registered as two kinds, is a mistake in the program and
/// stops it; it shows at the first start.
public final class MetricsRegistry: Sendable {
    /// What a callback answers: one value per set of labels.
    public typealias Samples = [(labels: MetricLabels, value: Double)]

    private enum Kind: String {
        case counter
        case gauge
        case histogram
    }

    private enum Series {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }

    private struct Family {
        let help: String
        let kind: Kind
        var series: [MetricLabels: Series] = [:]
        var callbacks: [@Sendable () -> Samples] = []
    }

    private let families = Mutex<[String: Family]>([:])

    /// Makes a registry without metrics.
    public init() {}

    /// A counter; its name ends in `_total`.
    public func counter(_ name: String, help: String, labels: MetricLabels = .none) -> Counter {
        withFamily(name, help: help, kind: .counter) { family in
            if case .counter(let counter) = family.series[labels] { return counter }
            let counter = Counter()
            family.series[labels] = .counter(counter)
            return counter
        }
    }

    /// A gauge.
    public func gauge(_ name: String, help: String, labels: MetricLabels = .none) -> Gauge {
        withFamily(name, help: help, kind: .gauge) { family in
            if case .gauge(let gauge) = family.series[labels] { return gauge }
            let gauge = Gauge()
            family.series[labels] = .gauge(gauge)
            return gauge
        }
    }

    /// A histogram with upper bounds of its ranges; `+Inf` is added.
    public func histogram(
        _ name: String,
        help: String,
        labels: MetricLabels = .none,
        bounds: [Double] = Histogram.durationBounds
    ) -> Histogram {
        precondition(!labels.pairs.contains { $0.name == "le" }, "le is the histogram's own label")
        return withFamily(name, help: help, kind: .histogram) { family in
            if case .histogram(let histogram) = family.series[labels] { return histogram }
            let histogram = Histogram(bounds: bounds)
            family.series[labels] = .histogram(histogram)
            return histogram
        }
    }

    /// A counter that is read when the metrics are rendered.
    ///
    /// `read` is called from any thread and must not block; where it answers nothing, nothing is written.
    public func counter(_ name: String, help: String, read: @escaping @Sendable () -> Samples) {
        withFamily(name, help: help, kind: .counter) { $0.callbacks.append(read) }
    }

    /// A gauge that is read when the metrics are rendered.
    ///
    /// `read` is called from any thread and must not block; where it answers nothing, nothing is written.
    public func gauge(_ name: String, help: String, read: @escaping @Sendable () -> Samples) {
        withFamily(name, help: help, kind: .gauge) { $0.callbacks.append(read) }
    }

    /// All metrics in the Prometheus text format 0.0.4, by name; ends in a newline.
    public func render() -> String {
        let families = families.withLock { $0 }.sorted { $0.key < $1.key }
        var text = ""
        for (name, family) in families {
            let lines = Self.lines(of: family, named: name)
            guard !lines.isEmpty else { continue }
            text += "# HELP \(name) \(Self.escapedHelp(family.help))\n# TYPE \(name) \(family.kind.rawValue)\n"
            for line in lines { text += line + "\n" }
        }
        return text.isEmpty ? "\n" : text
    }

    private func withFamily<Result: Sendable>(
        _ name: String,
        help: String,
        kind: Kind,
        _ body: (inout Family) -> Result
    ) -> Result {
        precondition(Self.isName(name, allowingColon: true), "\(name) is not a metric name")
        precondition((kind == .counter) == name.hasSuffix("_total"), "\(name): a counter, and only it, ends in _total")
        return families.withLock { families in
            var family = families[name] ?? Family(help: help, kind: kind)
            precondition(family.kind == kind, "\(name) is registered as a \(family.kind.rawValue)")
            let result = body(&family)
            families[name] = family
            return result
        }
    }

    private static func lines(of family: Family, named name: String) -> [String] {
        var lines: [String] = []
        var seen: Set<MetricLabels> = []
        for (labels, series) in family.series.sorted(by: { $0.key.rendered() < $1.key.rendered() }) {
            seen.insert(labels)
            switch series {
            case .counter(let counter): lines.append("\(name)\(labels.rendered()) \(counter.value)")
            case .gauge(let gauge): lines.append("\(name)\(labels.rendered()) \(number(gauge.value))")
            case .histogram(let histogram): lines += self.lines(of: histogram, named: name, labels: labels)
            }
        }
        for sample in family.callbacks.flatMap({ $0() }) where seen.insert(sample.labels).inserted {
            lines.append("\(name)\(sample.labels.rendered()) \(number(sample.value))")
        }
        return lines
    }

    private static func lines(of histogram: Histogram, named name: String, labels: MetricLabels) -> [String] {
        let snapshot = histogram.snapshot()
        var lines: [String] = []
        for (bound, count) in zip(histogram.bounds, snapshot.cumulative) {
            let rendered = labels.rendered(with: MetricLabels.Pair(name: "le", value: number(bound)))
            lines.append("\(name)_bucket\(rendered) \(count)")
        }
        let rendered = labels.rendered(with: MetricLabels.Pair(name: "le", value: "+Inf"))
        lines.append("\(name)_bucket\(rendered) \(snapshot.count)")
        lines.append("\(name)_sum\(labels.rendered()) \(number(snapshot.sum))")
        lines.append("\(name)_count\(labels.rendered()) \(snapshot.count)")
        return lines
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }

    private static func escapedHelp(_ help: String) -> String {
        var result = ""
        for scalar in help.unicodeScalars {
            switch scalar {
            case "\\": result += #"\\"#
            case "\n": result += #"\n"#
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func isName(_ name: String, allowingColon: Bool) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            case UInt8(ascii: ":"): allowingColon
            default: false
            }
        }
    }
}
