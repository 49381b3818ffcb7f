/// What `--help` prints.
struct HelpText: CustomStringConvertible {
    let program: String
    let summary: String
    let settings: [SettingDeclaration]

    private static let width = 100

    var description: String {
        var lines = [
            summary, "",
            "Usage: \(program) [--help | --version]", "",
            "Settings are read from the environment. For each NAME, NAME_FILE may instead name a file",
            "that holds the value; an empty variable counts as not set.", "",
        ]
        let column = (settings.map(\.name.count).max() ?? 0) + 4
        for setting in settings {
            var entry = Self.wrapped(setting.help, to: Self.width - column)
            if let value = setting.shownValue { entry += Self.wrapped("value: \(value)", to: Self.width - column) }
            entry += Self.wrapped("default: \(setting.shownDefault)", to: Self.width - column)
            for (index, text) in entry.enumerated() {
                let head = index == 0 ? "  " + setting.name : ""
                lines.append(head + String(repeating: " ", count: column - head.count) + text)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func wrapped(_ text: String, to width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty && line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return line.isEmpty ? lines : lines + [line]
    }
}

extension SettingDeclaration {
    /// What can be given, as help shows it; nil where that is any text.
    var shownValue: String? { expected == Self.anyText ? nil : expected }

    /// The default as help shows it.
    var shownDefault: String {
        if let defaultNote { return defaultNote }
        guard let defaultText else { return "none, it must be set" }
        if display == .secret { return "built in, not shown" }
        return defaultText.isEmpty ? "empty" : defaultText
    }
}
