import Testing

@testable import CommandLine

/// A small tree, so that what is tested is the parser and not the shop.
private let tree = Command(
    name: "tool",
    summary: "A tool.",
    options: [
        .choice("output", ["table", "json"], short: "o", help: "Form", fallback: "table"),
        .flag(Root.help, short: "h", help: "Help"), .flag(Root.version, help: "Version"),
    ],
    subcommands: [
        Command(
            name: "group",
            aliases: ["g"],
            summary: "A group.",
            options: [.text("service", "NAME", help: "Which", repeats: true)],
            subcommands: [
                Command(
                    name: "act",
                    summary: "Act.",
                    arguments: [Argument(name: "ID", help: "ids", arity: .oneOrMore)],
                    options: [
                        .text("reason", "TEXT", help: "why", isRequired: true), .flag("dry-run", help: "nothing"),
                    ],
                    action: { _ in }
                )
            ]
        ),
        Command(
            name: "show",
            summary: "Show.",
            arguments: [Argument(name: "WHAT", help: "what", choices: ["sun", "moon"], onlyChoices: true)],
            action: { _ in }
        ),
    ]
)

private func parse(_ words: String...) throws -> (route: String, values: ParsedValues) {
    guard case .run(let path, let values) = try Parser.parse(words, root: tree) else {
        throw UsageError(message: "not a run")
    }
    return (path.map(\.name).joined(separator: " "), values)
}

private func fault(_ words: String...) -> UsageError? {
    do {
        _ = try Parser.parse(words, root: tree)
        return nil
    } catch {
        return error as? UsageError
    }
}

@Suite("Words on the command line")
struct ParsingTests {
    @Test("are taken as `--name value`, `--name=value`, and by one letter")
    func spellings() throws {
        for words in [["--output", "json"], ["--output=json"], ["-o", "json"], ["-ojson"], ["-o=json"]] {
            guard case .run(_, let values) = try Parser.parse(["show", "sun"] + words, root: tree) else {
                Issue.record("not a run: \(words)")
                continue
            }
            #expect(values.options["output"] == ["json"], "\(words)")
        }
    }

    @Test("lead through aliases, and options of a group may stand before its command")
    func groups() throws {
        let parsed = try parse(
            "--output",
            "json",
            "g",
            "--service",
            "a",
            "act",
            "1",
            "--service=b",
            "--reason",
            "r",
            "2"
        )
        #expect(parsed.route == "tool group act")
        #expect(parsed.values.words == ["1", "2"])
        #expect(parsed.values.options == ["output": ["json"], "service": ["a", "b"], "reason": ["r"]])
    }

    @Test("are all positional after `--`, and `-` alone is a word")
    func endOfOptions() throws {
        #expect(try parse("group", "act", "--reason=r", "-", "--", "--dry-run").values.words == ["-", "--dry-run"])
        #expect(try parse("group", "act", "1", "--reason", "-").values.options["reason"] == ["-"])
    }

    @Test("may be empty or hold an equals sign as a value")
    func oddValues() throws {
        #expect(try parse("group", "act", "1", "--reason=").values.options["reason"] == [""])
        #expect(try parse("group", "act", "1", "--reason=a=b").values.options["reason"] == ["a=b"])
    }

    @Test(
        "that cannot be understood are explained, with what was probably meant",
        arguments: [
            (["grop"], "there is no command `tool grop`", "Did you mean `group`?"),
            (["group", "atc"], "there is no command `tool group atc`", "Did you mean `act`?"),
            (["zzzzzz"], "there is no command `tool zzzzzz`", "Commands are: group, show."),
            (["show", "sun", "--outptu", "json"], "there is no option --outptu", "Did you mean `--output`?"),
            (["show", "sun", "-output"], "-o cannot be `utput`", "It is one of: table, json."),
            (["show", "sun", "--output", "jsn"], "--output cannot be `jsn`", "Did you mean `json`?"),
            (["show", "sun", "--output"], "--output needs a value", "Usage: -o, --output table|json"),
            (["show", "sun", "-o", "json", "-o", "json"], "-o is given twice", nil),
            (["show", "mon"], "WHAT cannot be `mon`", "Did you mean `moon`?"),
            (["show"], "WHAT is missing", "what"),
            (["show", "sun", "moon"], "`moon` is one word too many", nil),
            (["group", "act", "1"], "--reason is missing", "why"),
            (["group", "act", "--reason", "r"], "ID is missing", "ids"),
            (["group", "act", "1", "--dry-run=yes"], "--dry-run takes no value", nil),
            (
                ["group", "act", "1", "--reason", "--dry-run"], "--reason needs a value",
                "A value that begins with a dash is written --reason=--dry-run"
            ),
            (["group"], "`tool group` needs a command", "Commands are: act."),
        ] as [([String], String, String?)]
    )
    func faults(words: [String], message: String, mend: String?) {
        #expect(throws: UsageError.self) { try Parser.parse(words, root: tree) }
        do {
            _ = try Parser.parse(words, root: tree)
        } catch let error as UsageError {
            #expect(error.message == message)
            #expect(error.mend == mend)
            #expect(error.path.first == "tool")
        } catch {
            Issue.record(error)
        }
    }

    @Test("ask for help at every place, whatever else is missing")
    func help() throws {
        let questions: [([String], [String])] = [
            (["--help"], ["tool"]), (["-h"], ["tool"]), (["help"], ["tool"]), (["help", "g"], ["tool", "group"]),
            (["group", "act", "--help"], ["tool", "group", "act"]),
            (["help", "group", "act"], ["tool", "group", "act"]),
            (["--help", "group", "act"], ["tool", "group", "act"]), (["show", "--help"], ["tool", "show"]),
        ]
        for (words, expected) in questions {
            guard case .help(let path) = try Parser.parse(words, root: tree) else {
                Issue.record("no help: \(words)")
                continue
            }
            #expect(path.map(\.name) == expected, "\(words)")
        }
        #expect(fault("help", "grop")?.mend == "Did you mean `group`?")
    }
}

@Suite("A suggestion")
struct SuggestionTests {
    @Test("is the nearest word, and none is better than a far one")
    func nearest() {
        let words = ["list", "show", "retry", "discard", "restore"]
        #expect(Suggestion.nearest(to: "lsit", among: words) == "list")
        #expect(Suggestion.nearest(to: "rety", among: words) == "retry")
        #expect(Suggestion.nearest(to: "dis", among: words) == "discard")
        #expect(Suggestion.nearest(to: "explode", among: words) == nil)
        #expect(Suggestion.nearest(to: "", among: words) == nil)
    }

    @Test("counts insertions, deletions, substitutions and swaps")
    func distance() {
        #expect(Suggestion.distance("", "abc") == 3)
        #expect(Suggestion.distance("order", "oder") == 1)
        #expect(Suggestion.distance("order", "odrer") == 1)
        #expect(Suggestion.distance("kitten", "sitting") == 3)
    }
}
