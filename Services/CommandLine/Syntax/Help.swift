/// Writes the help of a command from its description.
enum Help {
    /// The help of the last command of the path, ending with a newline.
    static func text(for path: [Command]) -> String {
        guard let command = path.last else { return "" }
        let words = path.map(\.name).joined(separator: " ")
        var sections = [command.summary]
        sections.append("Usage: \(usage(words, command))")
        if !command.aliases.isEmpty {
            sections.append("Also called: \(command.aliases.joined(separator: ", "))")
        }
        if !command.discussion.isEmpty {
            sections.append(
                command.discussion.split(separator: "\n\n").map { paragraph in
                    paragraph.hasPrefix("  ") ? String(paragraph) : lines(String(paragraph), width: width).joined("\n")
                }.joined("\n\n")
            )
        }
        if !command.subcommands.isEmpty {
            sections.append(
                "Commands:\n" + list(command.subcommands.map { (([$0.name] + $0.aliases).joined(", "), $0.summary) })
            )
        }
        if !command.arguments.isEmpty {
            sections.append("Arguments:\n" + list(command.arguments.map { ($0.name, describe($0)) }))
        }
        let inherited = path.dropLast().reversed().flatMap(\.options)
        if !command.options.isEmpty {
            let title = path.count == 1 ? "Options of every command" : "Options"
            sections.append("\(title):\n" + list(command.options.map { ($0.signature, describe($0)) }))
        }
        if !inherited.isEmpty {
            sections.append("Common options:\n" + list(inherited.map { ($0.signature, describe($0)) }))
        }
        if !command.examples.isEmpty {
            let examples = command.examples.map { "  # \($0.purpose)\n  \($0.line)" }
            sections.append("Examples:\n" + examples.joined(separator: "\n"))
        }
        if !command.subcommands.isEmpty {
            sections.append("`\(words) COMMAND --help` tells more about a command.")
        }
        return sections.joined(separator: "\n\n") + "\n"
    }

    private static let width = 80

    private static func usage(_ words: String, _ command: Command) -> String {
        var parts = [words]
        if !command.subcommands.isEmpty { parts.append("COMMAND") }
        parts += command.options.filter(\.isRequired).map { $0.choices.isEmpty ? $0.signature : "--\($0.name) WORD" }
        parts += command.arguments.map { argument in
            switch argument.arity {
            case .one: argument.name
            case .oneOrMore: "\(argument.name)…"
            case .any: "[\(argument.name)…]"
            }
        }
        parts.append("[options]")
        return parts.joined(separator: " ")
    }

    private static func describe(_ argument: Argument) -> String {
        guard argument.onlyChoices else { return argument.help }
        return "\(argument.help): \(argument.choices.joined(separator: ", "))"
    }

    private static func describe(_ option: CommandOption) -> String {
        var notes: [String] = []
        if option.isRequired { notes.append("required") }
        if option.repeats { notes.append("may be given several times") }
        if let fallback = option.fallback { notes.append("default \(fallback)") }
        if let variable = option.variable { notes.append("or \(variable)") }
        return notes.isEmpty ? option.help : "\(option.help) (\(notes.joined(separator: "; ")))"
    }

    /// Two columns, the right one folded; a left text that is too wide has a line of its own.
    private static func list(_ rows: [(left: String, right: String)]) -> String {
        let column = min(28, (rows.map(\.left.count).max() ?? 0) + 4)
        var result: [String] = []
        for row in rows {
            let folded = lines(row.right, width: width - column)
            var left = "  \(row.left)"
            var rest = folded[...]
            if left.count + 2 <= column {
                left += String(repeating: " ", count: column - left.count) + (rest.popFirst() ?? "")
            }
            result.append(left)
            result += rest.map { String(repeating: " ", count: column) + $0 }
        }
        return result.joined(separator: "\n")
    }

    /// Folds a text at spaces; a word that is longer than the width stands alone.
    static func lines(_ text: String, width: Int) -> [String] {
        var result: [String] = []
        var line = ""
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                result.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        result.append(line)
        return result
    }
}

extension Sequence where Element == String {
    fileprivate func joined(_ separator: String) -> String { joined(separator: separator) }
}
