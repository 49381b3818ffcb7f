/// Several runs of the same thing.
struct Figures {
    private(set) var values: [Double] = []

    mutating func add(_ value: Double) {
        values.append(value)
    }

    var median: Double { Figures.quantile(0.5, of: values) }
    var least: Double { values.min() ?? .nan }
    var most: Double { values.max() ?? .nan }

    /// The value below which that part of the values lies, drawn straight between neighbours.
    static func quantile(_ part: Double, of values: [Double]) -> Double {
        let sorted = values.sorted()
        guard let last = sorted.last else { return .nan }
        let place = part * Double(sorted.count - 1)
        let below = Int(place)
        guard below + 1 < sorted.count else { return last }
        return sorted[below] + (sorted[below + 1] - sorted[below]) * (place - Double(below))
    }

    /// Run by run: this one's over the other's.
    func over(_ other: Figures) -> Figures {
        Figures(values: zip(values, other.values).map { $0 / $1 })
    }

    func scaled(by factor: Double) -> Figures {
        Figures(values: values.map { $0 * factor })
    }
}

/// Numbers as people read them.
enum NumberText {
    static func whole(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        let digits = String(Int(value.rounded()))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3), text != "-" { text.append(",") }
            text.append(digit)
        }
        return text
    }

    static func fixed(_ value: Double, _ places: Int) -> String {
        guard value.isFinite else { return "-" }
        let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
        let number = Int((abs(value) * Double(scale)).rounded())
        let fraction = String(number % scale)
        let sign = value < 0 && number > 0 ? "-" : ""
        guard places > 0 else { return sign + String(number) }
        return sign + String(number / scale) + "."
            + String(repeating: "0", count: places - fraction.count) + fraction
    }

    /// Median and range, `0.93 (0.90..0.97)`.
    static func spread(_ figures: Figures, _ places: Int = 2) -> String {
        "\(fixed(figures.median, places)) (\(fixed(figures.least, places))..\(fixed(figures.most, places)))"
    }
}
