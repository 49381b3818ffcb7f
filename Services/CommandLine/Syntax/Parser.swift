/// Understands the words on the command line by a tree of commands.
struct Parser {
    /// What the words ask for.
    enum Result: Sendable {
        /// Run the last command of the path with these values.
        case run(path: [Command], values: ParsedValues)
        /// Show the help of the last command of the path.
        case help(path: [Command])
        /// Show the version.
        case version
    }

    private var path: [Command]
    private var values = ParsedValues()

    /// Understands the words that follow the program's name.
    ///
    /// - Throws: `UsageError` that says what is wrong and what was probably meant.
    static func parse(_ words: [String], root: Command) throws -> Result {
        var parser = Parser(path: [root])
        do {
            return try parser.parse(words[...])
        } catch let error as UsageError {
            throw error.at(parser.path.map(\.name))
        }
    }

    private init(path: [Command]) {
        self.path = path
    }

    private var command: Command { path[path.count - 1] }

    /// The options of the command and of the groups around it.
    private var options: [CommandOption] { path.reversed().flatMap(\.options) }

    private mutating func parse(_ words: ArraySlice<String>) throws -> Result {
        var rest = words
        if rest.first == "help" {
            return .help(path: try descend(rest.dropFirst()))
        }
        while let word = rest.popFirst() {
            if word == "--" {
                for word in rest { try takeWord(word) }
                break
            } else if word.hasPrefix("--") {
                guard let outcome = try takeLongOption(word.dropFirst(2), &rest) else { continue }
                return outcome
            } else if word.hasPrefix("-"), word.count > 1 {
                guard let outcome = try takeShortOption(word.dropFirst(), &rest) else { continue }
                return outcome
            } else {
                try takeWord(word)
            }
        }
        try check()
        return .run(path: path, values: values)
    }

    /// Goes down the tree as far as the words name commands: `help order place`, or `--help` before the command's name.
    private mutating func descend(_ words: ArraySlice<String>) throws -> [Command] {
        for word in words where !word.hasPrefix("-") {
            guard !command.subcommands.isEmpty else { break }
            try takeWord(word)
        }
        return path
    }

    private mutating func takeWord(_ word: String) throws {
        guard !command.subcommands.isEmpty else {
            values.words.append(word)
            return
        }
        guard let next = command.subcommand(word) else {
            let names = command.subcommands.flatMap { [$0.name] + $0.aliases }
            throw UsageError(
                message: "there is no command `\((path.map(\.name) + [word]).joined(separator: " "))`",
                mend: Suggestion.sentence(for: word, among: names)
                    ?? "Commands are: \(command.subcommands.map(\.name).joined(separator: ", "))."
            )
        }
        path.append(next)
    }

    private mutating func takeLongOption(_ text: Substring, _ rest: inout ArraySlice<String>) throws -> Result? {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = options.first(where: { $0.name == name }) else {
            throw UsageError(
                message: "there is no option --\(name)",
                mend: Suggestion.nearest(to: name, among: options.map(\.name)).map { "Did you mean `--\($0)`?" }
            )
        }
        return try take(option, called: "--\(name)", attached: parts.count > 1 ? String(parts[1]) : nil, &rest)
    }

    private mutating func takeShortOption(_ text: Substring, _ rest: inout ArraySlice<String>) throws -> Result? {
        guard let letter = text.first, let option = options.first(where: { $0.short == letter }) else {
            throw UsageError(
                message: "there is no option -\(text)",
                mend: Suggestion.nearest(to: String(text), among: options.map(\.name)).map {
                    "Did you mean `--\($0)`? Long options have two dashes."
                } ?? "Write `--` before a word that begins with a dash."
            )
        }
        var attached: String?
        if text.count > 1 {
            attached = String(text.dropFirst(text.dropFirst().first == "=" ? 2 : 1))
        }
        return try take(option, called: "-\(letter)", attached: attached, &rest)
    }

    private mutating func take(
        _ option: CommandOption,
        called name: String,
        attached: String?,
        _ rest: inout ArraySlice<String>
    ) throws -> Result? {
        guard option.takesValue else {
            guard attached == nil else { throw UsageError(message: "\(name) takes no value") }
            if option.name == Root.help { return .help(path: try descend(rest)) }
            if option.name == Root.version { return .version }
            values.options[option.name] = [""]
            return nil
        }
        let value: String
        if let attached {
            value = attached
        } else if let next = rest.first, next == "-" || !next.hasPrefix("-") {
            value = next
            rest.removeFirst()
        } else {
            throw UsageError(
                message: "\(name) needs a value",
                mend: rest.isEmpty
                    ? "Usage: \(option.signature)"
                    : "A value that begins with a dash is written --\(option.name)=\(rest.first ?? "")"
            )
        }
        if !option.choices.isEmpty, !option.choices.contains(value) {
            throw UsageError(
                message: "\(name) cannot be `\(value)`",
                mend: Suggestion.sentence(for: value, among: option.choices)
                    ?? "It is one of: \(option.choices.joined(separator: ", "))."
            )
        }
        guard option.repeats || values.options[option.name] == nil else {
            throw UsageError(message: "\(name) is given twice")
        }
        values.options[option.name, default: []].append(value)
        return nil
    }

    /// Everything that can only be judged once all words are read.
    private func check() throws {
        guard command.action != nil else {
            throw UsageError(
                message: "`\(path.map(\.name).joined(separator: " "))` needs a command",
                mend: "Commands are: \(command.subcommands.map(\.name).joined(separator: ", "))."
            )
        }
        for option in options where option.isRequired && values.options[option.name] == nil {
            throw UsageError(message: "--\(option.name) is missing", mend: option.help)
        }
        let needed = command.arguments.count
        let least = command.arguments.count { $0.arity != .any }
        guard values.words.count >= least else {
            let missing = command.arguments[values.words.count]
            throw UsageError(message: "\(missing.name) is missing", mend: missing.help)
        }
        if command.arguments.last.map({ $0.arity == .one }) ?? true, values.words.count > needed {
            throw UsageError(message: "`\(values.words[needed])` is one word too many")
        }
        for (argument, word) in zip(command.arguments, values.words)
        where argument.onlyChoices && !argument.choices.contains(word) {
            throw UsageError(
                message: "\(argument.name) cannot be `\(word)`",
                mend: Suggestion.sentence(for: word, among: argument.choices)
                    ?? "It is one of: \(argument.choices.joined(separator: ", "))."
            )
        }
    }
}

/// What was found on the command line, by name.
struct ParsedValues: Sendable, Equatable {
    /// The values of each option that was given, in order; one empty value for a switch.
    var options: [String: [String]] = [:]
    /// The positional words.
    var words: [String] = []
}
