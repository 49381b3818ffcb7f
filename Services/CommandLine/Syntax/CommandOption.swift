/// An option of a command: `--name`, `--name value` or `--name=value`.
struct CommandOption: Sendable {
    /// What follows the name.
    enum Value: Sendable {
        /// Nothing: the option is a switch.
        case flag
        /// Any text, shown as this placeholder.
        case text(String)
        /// One of these words.
        case choice([String])
    }

    /// Without the dashes.
    let name: String
    let value: Value
    let help: String
    /// A single letter, without the dash.
    var short: Character?
    /// What counts where neither the option nor its variable is given.
    var fallback: String?
    /// The environment variable that counts where the option is not given.
    var variable: String?
    /// Whether it may be given several times.
    var repeats = false
    var isRequired = false

    /// A switch.
    static func flag(_ name: String, short: Character? = nil, help: String) -> CommandOption {
        CommandOption(name: name, value: .flag, help: help, short: short)
    }

    /// An option with a value.
    static func text(
        _ name: String,
        _ placeholder: String,
        help: String,
        fallback: String? = nil,
        variable: String? = nil,
        repeats: Bool = false,
        isRequired: Bool = false
    ) -> CommandOption {
        CommandOption(
            name: name,
            value: .text(placeholder),
            help: help,
            fallback: fallback,
            variable: variable,
            repeats: repeats,
            isRequired: isRequired
        )
    }

    /// An option whose value is one of a few words.
    static func choice(
        _ name: String,
        _ choices: [String],
        short: Character? = nil,
        help: String,
        fallback: String? = nil,
        repeats: Bool = false,
        isRequired: Bool = false
    ) -> CommandOption {
        CommandOption(
            name: name,
            value: .choice(choices),
            help: help,
            short: short,
            fallback: fallback,
            repeats: repeats,
            isRequired: isRequired
        )
    }

    /// The services to ask; which there are, settings say.
    static let service = CommandOption.text("service", "NAME", help: "Only this service", repeats: true)

    /// The same, as a shell completes it.
    static func service(among names: [String]) -> CommandOption {
        var option = CommandOption.choice(service.name, names, help: service.help)
        option.repeats = service.repeats
        return option
    }

    /// Whether a value follows the name.
    var takesValue: Bool {
        if case .flag = value { false } else { true }
    }

    /// The words that its value can be; empty when it can be any.
    var choices: [String] {
        if case .choice(let choices) = value { choices } else { [] }
    }

    /// As it is written in help: `-o, --output table|json|jsonl`.
    var signature: String {
        let names = (short.map { "-\($0), " } ?? "") + "--\(name)"
        return switch value {
        case .flag: names
        case .text(let placeholder): "\(names) \(placeholder)"
        case .choice(let choices): "\(names) \(choices.joined(separator: "|"))"
        }
    }
}
