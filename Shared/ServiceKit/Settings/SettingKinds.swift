import HTTP

extension Setting where Value == String {
    /// Any text.
    public static func text(
        _ name: String,
        default: String?,
        secret: Bool = false,
        help: String,
        defaultNote: String? = nil
    ) -> Setting<String> {
        Setting(
            name,
            default: `default`,
            secret: secret,
            expected: SettingDeclaration.anyText,
            help: help,
            defaultNote: defaultNote
        ) { $0 }
    }

    /// An absolute URL whose scheme is one of `schemes`, with a host.
    ///
    /// Credentials in it are never printed.
    public static func url(
        _ name: String,
        default: String?,
        schemes: [String],
        secret: Bool = false,
        help: String
    ) -> Setting<String> {
        let example = schemes.map { "\($0)://HOST:PORT" }.joined(separator: " or ")
        return Setting(
            name,
            default: `default`,
            display: secret ? .secret : .locator,
            expected: "a URL such as \(example)",
            help: help
        ) { text in
            guard let locator = URLParts(text), schemes.contains(locator.scheme) else { return nil }
            return text
        }
    }

    /// `host:port`; an IPv6 host stands in brackets, port 0 picks a free one.
    public static func address(_ name: String, default: String?, help: String) -> Setting<String> {
        Setting(name, default: `default`, expected: "HOST:PORT with a port from 0 to 65535", help: help) { text in
            HTTPServer.isAddress(text) ? text : nil
        }
    }
}

extension Setting where Value == String? {
    /// A text that need not be given.
    public static func optionalText(_ name: String, secret: Bool = false, help: String) -> Setting<String?> {
        Setting(
            name,
            default: "",
            secret: secret,
            expected: SettingDeclaration.anyText,
            help: help,
            defaultNote: "none"
        ) { text in
            .some(text.isEmpty ? nil : text)
        }
    }
}

extension Setting where Value == Int {
    /// A whole number.
    public static func integer(
        _ name: String,
        default: Int,
        in range: ClosedRange<Int>,
        help: String
    ) -> Setting<Int> {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return Setting(name, default: String(`default`), expected: expected, help: help) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Setting where Value == Double {
    /// A number, with a point if need be.
    public static func number(
        _ name: String,
        default: Double,
        in range: ClosedRange<Double>,
        help: String
    ) -> Setting<Double> {
        func plain(_ number: Double) -> String { Int(exactly: number).map { String($0) } ?? number.description }
        let expected = "a number from \(plain(range.lowerBound)) to \(plain(range.upperBound))"
        return Setting(name, default: plain(`default`), expected: expected, help: help) { text in
            Double(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Setting where Value == Bool {
    /// `true` or `false`.
    public static func flag(_ name: String, default: Bool, help: String) -> Setting<Bool> {
        Setting(name, default: String(`default`), expected: "true or false", help: help) { Bool($0) }
    }
}

extension Setting where Value == Duration {
    /// A whole number with its unit: `500ms`, `10s`, `5m`, `24h`.
    public static func duration(
        _ name: String,
        default: String,
        in range: ClosedRange<Duration> = .zero...(.seconds(365 * 86_400)),
        help: String
    ) -> Setting<Duration> {
        var expected = "a duration such as 500ms, 10s, 5m or 24h"
        if range.lowerBound > .zero { expected += ", at least \(DurationText.text(of: range.lowerBound))" }
        expected += ", at most \(DurationText.text(of: range.upperBound))"
        return Setting(name, default: `default`, expected: expected, help: help) { text in
            DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension Setting where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of a fixed set of words.
    public static func choice(_ name: String, default: Value, help: String) -> Setting<Value> {
        choice(name, default: `default`, among: Array(Value.allCases), help: help)
    }
}

extension Setting where Value: RawRepresentable, Value.RawValue == String {
    /// One of a fixed set of words.
    public static func choice(
        _ name: String,
        default: Value,
        among choices: [Value],
        help: String
    ) -> Setting<Value> {
        let words = choices.map(\.rawValue).joined(separator: " or ")
        return Setting(name, default: `default`.rawValue, expected: words, help: help) { text in
            choices.first { $0.rawValue == text }
        }
    }
}

/// Durations as settings write them.
enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]

    static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let suffix = text.dropFirst(digits.count)
        guard let count = Int64(digits), let unit = units.first(where: { $0.suffix == suffix }) else { return nil }
        let product = count.multipliedReportingOverflow(by: unit.milliseconds)
        return product.overflow ? nil : .milliseconds(product.partialValue)
    }

    /// The duration in the largest unit in which it is whole; less than a millisecond is cut off.
    static func text(of duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        let unit = units.last { milliseconds % $0.milliseconds == 0 && milliseconds >= $0.milliseconds } ?? units[0]
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}
