import HTTP

/// One setting from the environment: `NAME`, or `NAME_FILE` naming a file that holds the value.
///
/// An empty variable counts as not set, so that `NAME=${NAME:-}` in a compose file means the default. A setting without
/// a default must be given.
public struct Setting<Value: Sendable>: Sendable {
    /// Type-erased, for the list that a service declares.
    public let declaration: SettingDeclaration

    /// Makes a setting.
    ///
    /// - Parameters:
    ///   - name: the variable, in capitals.
    ///   - default: the text that applies when nothing is given; nil when the setting must be given.
    ///   - secret: whether the value is never printed. The default of a secret is not printed either, unless
    ///     `defaultNote` says what to print.
    ///   - expected: what a valid text is, as in "expected a whole number from 1 to 9".
    ///   - help: what the setting does, one sentence or two.
    ///   - defaultNote: what `--help` prints instead of the default.
    ///   - parse: gives the value, or nil when the text is not valid. Must not print.
    public init(
        _ name: String,
        default: String?,
        secret: Bool = false,
        expected: String,
        help: String,
        defaultNote: String? = nil,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.init(
            name,
            default: `default`,
            display: secret ? .secret : .open,
            expected: expected,
            help: help,
            defaultNote: defaultNote,
            parse: parse
        )
    }

    init(
        _ name: String,
        default: String?,
        display: SettingDeclaration.Display,
        expected: String,
        help: String,
        defaultNote: String? = nil,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        declaration = SettingDeclaration(
            name: name,
            defaultText: `default`,
            display: display,
            expected: expected,
            help: help,
            defaultNote: defaultNote,
            parse: { text in parse(text).map { SettingValue(value: $0) } }
        )
    }
}

/// A setting without its type.
public struct SettingDeclaration: Sendable {
    /// The variable.
    public let name: String
    let defaultText: String?
    let display: Display
    let expected: String
    let help: String
    let defaultNote: String?
    let parse: @Sendable (String) -> (any Sendable)?

    /// What is expected where any text will do.
    static let anyText = "a text"

    /// How a value may be shown to people.
    enum Display {
        case open
        case secret
        /// URLs, separated by commas: without the credentials in them.
        case locator

        func text(of value: String) -> String {
            switch self {
            case .open: ShownValue.text(value)
            case .secret: "the value (not shown, it is secret)"
            case .locator: ShownValue.text(Self.redacted(value))
            }
        }

        /// A list of URLs for logs.
        static func redacted(_ locators: String) -> String {
            locators.split(separator: ",", omittingEmptySubsequences: false)
                .map { URLParts.redacted(String($0)) }.joined(separator: ",")
        }
    }

    /// The variable that names a file with the value.
    var fileName: String { name + "_FILE" }
}

/// A parsed value; boxed so that an optional value stays apart from a missing one.
struct SettingValue<Value: Sendable>: Sendable {
    let value: Value
}
