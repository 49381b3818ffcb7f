/// A command, or a group of commands: the one description that drives parsing, help and completion.
struct Command: Sendable {
    /// What a command does once its words are understood.
    typealias Action = @Sendable (Invocation) async throws -> Void

    /// A line to copy, with what it does.
    struct Example: Sendable {
        let line: String
        let purpose: String

        init(_ line: String, _ purpose: String) {
            self.line = line
            self.purpose = purpose
        }
    }

    /// The word that calls it.
    let name: String
    /// Shorter words that call it too.
    var aliases: [String] = []
    /// One sentence in the imperative, with its full stop.
    let summary: String
    /// What a user has to know beyond the summary; paragraphs are separated by empty lines.
    var discussion = ""
    /// The positional words, in order.
    var arguments: [Argument] = []
    /// Options; those of a group are understood by every command in it.
    var options: [CommandOption] = []
    var examples: [Example] = []
    /// The commands of a group.
    var subcommands: [Command] = []
    /// Absent for a group.
    var action: Action?

    /// The subcommand that this word calls.
    func subcommand(_ word: String) -> Command? {
        subcommands.first { $0.name == word || $0.aliases.contains(word) }
    }
}

/// A positional word of a command.
struct Argument: Sendable {
    /// How many words it takes.
    enum Arity: Sendable {
        case one
        case oneOrMore
        /// None where an option says what is meant; the action checks that.
        case any
    }

    /// As it is written in the usage line: `TYPE`.
    let name: String
    let help: String
    var arity = Arity.one
    /// What completion offers; with `onlyChoices` nothing else is accepted.
    var choices: [String] = []
    var onlyChoices = false
}
