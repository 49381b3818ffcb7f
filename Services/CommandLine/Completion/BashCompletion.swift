/// Completion for bash 4 and later.
enum BashCompletion {
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
                values.append("        \(patterns)) offers='\(option.choices.joined(separator: " "))' ;;")
            }
            let words = place.commands.map(\.name) + place.words
            offers.append(
                """
                        '\(place.route)')
                            offers='\(words.joined(separator: " "))'
                            options='\(place.options.map { "--\($0.name)" }.joined(separator: " "))'
                            ;;
                """
            )
        }
        return """
            # bash completion for warren: source <(warren completion bash)
            _warren() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
                local route=warren offers='' options='' index word
                # Bash takes "=" for a word of its own.
                if [[ $current == '=' ]]; then
                    current=''
                elif [[ $previous == '=' ]]; then
                    previous=${COMP_WORDS[COMP_CWORD - 2]}
                fi
                for ((index = 1; index < COMP_CWORD; index++)); do
                    word=${COMP_WORDS[index]}
                    case $word in
                        \(tree.valued.joined(separator: "|")))
                            if [[ ${COMP_WORDS[index + 1]} == '=' ]]; then index=$((index + 1)); fi
                            index=$((index + 1))
                            continue
                            ;;
                    esac
                    case "$route $word" in
            \(steps.joined(separator: "\n"))
                    esac
                done
                COMPREPLY=()
                case "$route $previous" in
            \(values.joined(separator: "\n"))
                    *\(tree.valued.map { "' \($0)'" }.joined(separator: "|*")))
                        mapfile -t COMPREPLY < <(compgen -f -- "$current")
                        return
                        ;;
                esac
                if [[ -n $offers ]]; then
                    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$current")
                    return
                fi
                case $route in
            \(offers.joined(separator: "\n"))
                esac
                if [[ $current == -* ]]; then offers=$options; fi
                mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$current")
            }
            complete -F _warren warren

            """
    }
}
