import Foundation
import TestSupport
import Testing

@testable import CommandLine

@Suite("Completion")
struct CompletionTests {
    /// What bash offers after these words; the last one is being written.
    private func offers(_ words: [String]) async throws -> [String] {
        let script = await warren("completion bash").data
        let quoted = words.map { "'\($0)'" }.joined(separator: " ")
        let arguments = [
            "--norc", "-c",
            "\(script)\nCOMP_WORDS=(\(quoted)); COMP_CWORD=\(words.count - 1); _warren; printf '%s\\n' \"${COMPREPLY[@]}\"",
        ]
        let bash = try await ChildProcess.run(URL(filePath: "/bin/bash"), arguments)
        #expect(bash.end == .exit(0))
        return bash.output.split(separator: "\n").map(String.init)
    }

    @Test("in bash offers commands, those of groups by every name, and arguments")
    func commands() async throws {
        #expect(try await offers(["warren", ""]) == Root.command.subcommands.map(\.name))
        #expect(try await offers(["warren", "dead"]) == ["dead-letters"])
        let deeds = ["list", "groups", "show", "retry", "discard", "restore", "edit", "operations"]
        #expect(try await offers(["warren", "dead-letters", ""]) == deeds)
        #expect(try await offers(["warren", "dlq", ""]) == deeds)
        #expect(try await offers(["warren", "dlq", "--service", "payment", "re"]) == ["retry", "restore"])
        #expect(try await offers(["warren", "trigger", "provider"]) == ["provider-error", "provider-timeout"])
        let events = ["order.placed", "order.payment-requested", "order.partly-refunded"]
        #expect(try await offers(["warren", "publish", "order.p"]) == events)
    }

    @Test("in bash offers options, inherited ones too, and their words")
    func options() async throws {
        #expect(try await offers(["warren", "dlq", "discard", "--re"]) == ["--reason"])
        #expect(try await offers(["warren", "dlq", "discard", "--se"]) == ["--service", "--service-url"])
        #expect(try await offers(["warren", "dlq", "list", "-o", ""]) == ["table", "json", "jsonl"])
        #expect(try await offers(["warren", "dlq", "list", "--output", "=", "js"]) == ["json", "jsonl"])
        #expect(try await offers(["warren", "wait", "order", "x", "--for", "re"]) == ["rejected", "refunded"])
    }

    @Test("for every shell knows every command and option")
    func scripts() async {
        for shell in ["bash", "zsh", "fish"] {
            let outcome = await warren("completion \(shell)")
            #expect(outcome.code == 0)
            for place in CompletionTree(Root.command).places {
                #expect(
                    outcome.data.contains("'\(place.route)'") || outcome.data.contains("\"\(place.route)\""),
                    "\(place.route)"
                )
                for option in place.options { #expect(outcome.data.contains(option.name)) }
            }
        }
        #expect(await warren("completion tcsh").code == 2)
    }
}
