/// The tree of commands, laid flat for scripts: what can follow at each place.
struct CompletionTree {
    /// A place in the tree.
    struct Place {
        /// The names that lead there, joined by spaces: `warren order place`.
        let route: String
        /// The words that lead one step on, aliases included, and where each leads.
        let steps: [(word: String, route: String)]
        /// The commands to offer, without their aliases.
        let commands: [(name: String, summary: String)]
        /// The options to offer, those of the groups around included.
        let options: [CommandOption]
        /// The words to offer for an argument.
        let words: [String]
    }

    let places: [Place]

    /// Lays the tree flat.
    ///
    /// - Parameter services: the names that `--service` can have.
    init(_ root: Command, services: [String] = []) {
        var places: [Place] = []
        func walk(_ command: Command, _ route: String, _ inherited: [CommandOption]) {
            let own = command.options.map { $0.name == CommandOption.service.name ? .service(among: services) : $0 }
            let options = own + inherited
            places.append(
                Place(
                    route: route,
                    steps: command.subcommands.flatMap { next in
                        ([next.name] + next.aliases).map { (word: $0, route: "\(route) \(next.name)") }
                    },
                    commands: command.subcommands.map { (name: $0.name, summary: $0.summary) },
                    options: options,
                    words: command.arguments.flatMap(\.choices)
                )
            )
            for next in command.subcommands { walk(next, "\(route) \(next.name)", options) }
        }
        walk(root, root.name, [])
        self.places = places
    }

    /// The names of all options that take a value, with dashes, in order.
    var valued: [String] {
        var names: Set<String> = []
        for option in places.flatMap(\.options) where option.takesValue {
            names.insert("--\(option.name)")
            if let short = option.short { names.insert("-\(short)") }
        }
        return names.sorted()
    }
}

extension CommandOption {
    /// How it can be written, with dashes.
    var spellings: [String] { ["--\(name)"] + (short.map { ["-\($0)"] } ?? []) }
}
