/// A command with the values it was given and everything it needs of the outside.
struct Invocation: Sendable {
    let path: [Command]
    let values: ParsedValues
    let surroundings: Surroundings
    let printer: Printer

    /// The positional words.
    var words: [String] { values.words }

    /// The value of an option: as given, else from its variable, else its fallback.
    func text(_ name: String) -> String? {
        if let given = values.options[name]?.last { return given }
        guard let option = path.lazy.reversed().flatMap(\.options).first(where: { $0.name == name }) else { return nil }
        if let variable = option.variable, let value = surroundings.environment[variable], !value.isEmpty {
            return value
        }
        return option.fallback
    }

    /// All values of an option that may be given several times.
    func texts(_ name: String) -> [String] {
        values.options[name] ?? []
    }

    /// Whether a switch is given.
    func isGiven(_ name: String) -> Bool {
        values.options[name] != nil
    }

    /// The whole number that is an option's value.
    ///
    /// - Throws: `UsageError` where it is none or lies outside of the range.
    func integer(_ name: String, in range: ClosedRange<Int64>) throws -> Int64? {
        guard let text = text(name) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            let bounds =
                switch (range.lowerBound, range.upperBound) {
                case (.min, .max): ""
                case (_, .max): ", from \(range.lowerBound)"
                default: ", \(range.lowerBound) to \(range.upperBound)"
                }
            throw UsageError(message: "--\(name) cannot be `\(text)`", mend: "It is a whole number\(bounds).")
        }
        return number
    }

    /// The duration that is an option's value.
    ///
    /// - Throws: `UsageError` where it is none.
    func duration(_ name: String) throws -> Duration? {
        guard let text = text(name) else { return nil }
        guard let duration = DurationText.parse(text) else {
            throw UsageError(
                message: "--\(name) cannot be `\(text)`",
                mend: "It is a duration such as 500ms, 10s, 5m or 24h."
            )
        }
        return duration
    }

    /// The value of an option that has a fallback or is required.
    func value(_ name: String) throws -> String {
        guard let text = text(name), !text.isEmpty else { throw UsageError(message: "--\(name) is missing") }
        return text
    }
}
