import Testing

@testable import CommandLine

@Suite("Help")
struct HelpTests {
    /// Every place in the tree, with the words that lead there.
    private static let places: [[Command]] = {
        func walk(_ path: [Command]) -> [[Command]] {
            [path] + (path.last?.subcommands ?? []).flatMap { walk(path + [$0]) }
        }
        return walk([Root.command])
    }()

    @Test("is there at every place, on standard output, with usage and examples and no line past 80 columns")
    func everywhere() async {
        for path in Self.places {
            let words = path.dropFirst().map(\.name).joined(separator: " ")
            let outcome = await warren("\(words) --help")
            #expect(outcome.code == 0)
            #expect(outcome.messages.isEmpty)
            #expect(outcome.data.contains("Usage: " + path.map(\.name).joined(separator: " ")), "\(words)")
            #expect(outcome.data.contains("Examples:"), "\(words) has no example")
            // Examples are lines to copy and stay whole.
            let prose = outcome.data.components("Examples:").first ?? ""
            for line in prose.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        }
    }

    @Test("shows examples that the parser understands")
    func examples() throws {
        for path in Self.places {
            for example in path.last?.examples ?? [] {
                guard example.line.hasPrefix("warren "), !example.line.contains("|"), !example.line.contains(">") else {
                    continue
                }
                let words = example.line.dropFirst(7).split(separator: "'", omittingEmptySubsequences: false)
                    .enumerated().flatMap { index, part in
                        index % 2 == 1 ? [String(part)] : part.split(separator: " ").map(String.init)
                    }
                #expect(throws: Never.self, "\(example.line)") { try Parser.parse(words, root: Root.command) }
            }
        }
    }

    @Test("of the whole names commands, variables and exit codes")
    func root() async {
        let text = await warren("--help").data
        for word in [
            "publish", "trigger", "order", "wait", "payments", "products", "coupons", "points",
            "dead-letters, dlq", "status", "describe", "completion",
            "WARREN_SERVICES", "WARREN_AMQP_URL",
            "WARREN_OPERATIONS_TOKEN", "NO_COLOR", "7  a service or the broker cannot be reached",
        ] {
            #expect(text.contains(word), "\(word)")
        }
    }

    @Test("of a command names its arguments, options, defaults and the options that every command has")
    func command() async {
        let text = await warren("dlq discard --help").data
        #expect(text.contains("Usage: warren dead-letters discard --reason TEXT [ID…] [options]"))
        #expect(text.contains("--reason TEXT    Why, for the audit (required)"))
        #expect(text.contains("Common options:"))
        #expect(text.contains("--service NAME"))
    }

    @Test("is not needed for the version")
    func version() async {
        let outcome = await warren("--version")
        #expect(outcome.code == 0)
        #expect(outcome.data == "warren \(Root.versionNumber)\n")
    }

    @Test("is pointed at, on standard error, when the words cannot be understood")
    func usage() async {
        let none = await warren("")
        #expect(none.code == 2)
        #expect(none.data.isEmpty)
        #expect(none.messages.contains("`warren --help` shows how it is used."))
        let wrong = await warren("order plce")
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("Did you mean `place`?"))
        #expect(wrong.messages.contains("`warren order --help` shows how it is used."))
    }
}

extension String {
    fileprivate func components(_ separator: String) -> [String] { split(separator: separator).map(String.init) }
}
