/// Completion for zsh.
enum ZshCompletion {
    static func script(_ tree: CompletionTree) -> String {
        var steps: [String] = []
        var values: [String] = []
        var offers: [String] = []
        for place in tree.places {
            for step in place.steps {
                steps.append("            '\(place.route) \(step.word)') route='\(step.route)' ;;")
            }
            for option in place.options where !option.choices.isEmpty {
                let patterns = option.spellings.map { "'\(place.route) \($0)'" }.joined(separator: "|")
                values.append("        \(patterns)) compadd -- \(option.choices.joined(separator: " ")); return ;;")
            }
            let commands = place.commands.map { quote("\($0.name):\($0.summary)") } + place.words.map(quote)
            let options = place.options.map { quote("--\($0.name):\($0.help)") }
            offers.append(
                """
                        '\(place.route)')
                            offers=(\(commands.joined(separator: " ")))
                            options=(\(options.joined(separator: " ")))
                            ;;
                """
            )
        }
        return """
            #compdef warren
            # zsh completion for warren: warren completion zsh > "${fpath[1]}/_warren"
            _warren() {
                local route=warren word current=${words[CURRENT]} previous=${words[CURRENT - 1]}
                local -i index
                local -a offers options
                for ((index = 2; index < CURRENT; index++)); do
                    word=${words[index]}
                    case $word in
                        (\(tree.valued.joined(separator: "|"))) index=$((index + 1)); continue ;;
                    esac
                    case "$route $word" in
            \(steps.joined(separator: "\n"))
                    esac
                done
                if [[ $current == --*=* ]]; then
                    previous=${current%%=*}
                    compset -P '*='
                fi
                case "$route $previous" in
            \(values.joined(separator: "\n"))
                    (*\(tree.valued.map { "' \($0)'" }.joined(separator: "|*"))) _files; return ;;
                esac
                case $route in
            \(offers.joined(separator: "\n"))
                esac
                if [[ $current == -* ]]; then
                    _describe 'option' options
                else
                    _describe 'command' offers
                fi
            }
            if [[ $funcstack[1] == _warren ]]; then
                _warren "$@"
            else
                compdef _warren warren
            fi

            """
    }

    private static func quote(_ text: String) -> String {
        "'\(text.replacing("'", with: "'\\''"))'"
    }
}
