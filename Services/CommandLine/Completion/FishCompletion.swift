/// Completion for fish 3 and later.
enum FishCompletion {
    static func script(_ tree: CompletionTree) -> String {
        var steps: [String] = []
        var lines: [String] = []
        for place in tree.places {
            for step in place.steps {
                steps.append("            case \(quote("\(place.route) \(step.word)"))")
                steps.append("                set route \(quote(step.route))")
            }
            let condition = "-n \(quote("test (__warren_route) = \"\(place.route)\""))"
            for command in place.commands {
                lines.append("complete -c warren \(condition) -a \(command.name) -d \(quote(command.summary))")
            }
            if !place.words.isEmpty {
                lines.append("complete -c warren \(condition) -a \(quote(place.words.joined(separator: " ")))")
            }
            for option in place.options {
                var line = "complete -c warren \(condition) -l \(option.name)"
                if let short = option.short { line += " -s \(short)" }
                if !option.choices.isEmpty {
                    line += " -x -a \(quote(option.choices.joined(separator: " ")))"
                } else if option.takesValue {
                    line += " -r"
                }
                lines.append("\(line) -d \(quote(option.help))")
            }
        }
        return """
            # fish completion for warren: warren completion fish > ~/.config/fish/completions/warren.fish
            function __warren_route
                set -l route warren
                set -l skip 0
                for word in (commandline -opc)[2..-1]
                    if test $skip -eq 1
                        set skip 0
                        continue
                    end
                    if contains -- $word \(tree.valued.joined(separator: " "))
                        set skip 1
                        continue
                    end
                    switch "$route $word"
            \(steps.joined(separator: "\n"))
                    end
                end
                echo $route
            end
            complete -c warren -f
            \(lines.joined(separator: "\n"))

            """
    }

    private static func quote(_ text: String) -> String {
        "'\(text.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'"
    }
}
