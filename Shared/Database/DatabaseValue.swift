/// A value in a statement's arguments or in a row.
///
/// There are no dates and no booleans: times are integers (milliseconds since 1970) and booleans 0 or 1, which every
/// engine stores alike.
public enum DatabaseValue: Sendable, Equatable {
    /// No value.
    case null
    /// A whole number.
    case integer(Int64)
    /// A floating-point number; never NaN.
    case real(Double)
    /// Text; may hold NUL characters.
    case text(String)
    /// Bytes.
    case blob([UInt8])

    /// The kind of value, for messages that must not show the value itself.
    var kind: String {
        switch self {
        case .null: "null"
        case .integer: "an integer"
        case .real: "a real"
        case .text: "text"
        case .blob: "a blob"
        }
    }
}
