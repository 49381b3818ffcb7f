/// What is wrong with one setting.
///
/// Holds no value of a secret.
struct SettingFault: Error, Equatable, CustomStringConvertible {
    /// The variable that the mend begins with.
    let variable: String
    /// What is wrong, as a clause: `"many" is not valid`.
    let wrong: String
    let expected: String
    /// What to do.
    let mend: String

    /// One line.
    var description: String { "\(variable): \(wrong); expected \(expected); \(mend)" }
}

/// A value as a fault may show it: on one line, and not endless.
enum ShownValue {
    static func text(_ value: String) -> String {
        var shown = "\""
        for scalar in value.unicodeScalars.prefix(60) {
            shown += scalar.escaped(asASCII: true)
        }
        return shown + (value.unicodeScalars.count > 60 ? "…\"" : "\"")
    }
}
