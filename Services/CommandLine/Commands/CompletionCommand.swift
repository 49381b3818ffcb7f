/// `warren completion`: the script that a shell completes by.
enum CompletionCommand {
    static let command = Command(
        name: "completion",
        summary: "Print the script by which a shell completes this command.",
        discussion: "--service is completed to the names that WARREN_SERVICES has when the script is made.",
        arguments: [
            Argument(
                name: "SHELL",
                help: "one of",
                choices: ["bash", "zsh", "fish"],
                onlyChoices: true
            )
        ],
        examples: [
            .init("source <(warren completion bash)", "For this bash; put the line into ~/.bashrc to keep it"),
            .init("warren completion zsh > \"${fpath[1]}/_warren\"", "For zsh"),
            .init("warren completion fish > ~/.config/fish/completions/warren.fish", "For fish"),
        ]
    ) { invocation in
        let tree = CompletionTree(invocation.path[0], services: try invocation.writtenNames())
        let script =
            switch invocation.words[0] {
            case "zsh": ZshCompletion.script(tree)
            case "fish": FishCompletion.script(tree)
            default: BashCompletion.script(tree)
            }
        invocation.surroundings.output.data(script)
    }
}
