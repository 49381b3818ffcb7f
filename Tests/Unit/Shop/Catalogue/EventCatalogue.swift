import Events
import JSON
import Messaging
import ShopEvents
import TestSupport

/// `Shared/ShopEvents/catalogue.md`: for each event who says it, who hears it and why, and what older ones lack.
///
/// All of it is `asyncapi.yaml`'s, which another test holds to the code, in the order of `Shop.events`.
struct EventCatalogue {
    private let document: JSONValue
    /// By the name of the message: the queues that take it.
    private var hearers: [String: [(name: String, why: String, contexts: [String])]] = [:]

    init(_ document: JSONValue) {
        self.document = document
        // Not in the document's order, which the reader does not keep.
        for subscription in Shop.topology(with: Set(Shop.Context.allCases)).subscriptions {
            let channel = document["channels", subscription.subscriber + "Queue"]
            for (message, why) in channel?["x-why"]?.object ?? [:] {
                let contexts = Shop.Context.allCases.map(\.rawValue).filter { context in
                    context != subscription.subscriber
                        && channel?["x-with-context-only", context].elements.contains(.string(message)) == true
                }
                hearers[message, default: []].append((subscription.subscriber, why.text ?? "", contexts))
            }
        }
    }

    /// The file.
    var text: String {
        """
        # The shop's events

        Made from `asyncapi.yaml` by a test, which fails where this file is stale; `WARREN_CATALOGUE=write` in its environment has it
        written anew: `WARREN_CATALOGUE=write swift test --filter EventCatalogueTests`.

        What an event had not got at first is optional: who reads an old one finds it absent, and who reads a new one passes over what
        it does not know. A change that would break a reader is a new type.

        | event | said by | heard by | since |
        | --- | --- | --- | --- |
        \(Shop.events.map(row).joined(separator: "\n"))

        \(Shop.events.map(section).joined(separator: "\n\n"))

        """
    }

    private func name(_ type: any Event.Type) -> String { String(describing: type) }

    private func heard(_ type: any Event.Type) -> [(name: String, why: String, contexts: [String])] {
        let name = name(type)
        return hearers[name.prefix(1).lowercased() + name.dropFirst()] ?? []
    }

    private func short(_ type: any Event.Type) -> String {
        String(type.type.rawValue.dropFirst("dev.warren.".count))
    }

    private func message(_ type: any Event.Type) -> JSONValue? { document["components", "messages", name(type)] }

    private func speaker(_ type: any Event.Type) -> String {
        document["operations", "publish" + name(type), "x-service"]?.text?.capitalizingFirst ?? "?"
    }

    private func row(_ type: any Event.Type) -> String {
        let hearers = heard(type).map(\.name.capitalizingFirst)
        let list = hearers.isEmpty ? "its followers alone" : hearers.joined(separator: ", ")
        return "| `\(short(type))` | \(speaker(type)) | \(list) | \(message(type)?["x-since"]?.text ?? "?") |"
    }

    private func section(_ type: any Event.Type) -> String {
        let rules = document["components", "schemas", name(type)]
        let description = rules?["description"]?.text ?? ""
        var lines = ["## \(short(type))", "", description, ""]
        lines.append("Said by \(speaker(type)). Fields: \(fields(rules)).")
        let hearers = heard(type)
        if !hearers.isEmpty { lines.append("") }
        for hearer in hearers {
            let contexts = hearer.contexts.map(\.capitalizingFirst).joined(separator: ", ")
            let only = contexts.isEmpty ? "" : " (in a shop with \(contexts))"
            lines.append("- **\(hearer.name.capitalizingFirst)**\(only): \(hearer.why)")
        }
        let since = message(type)?["x-since"]?.text
        let added = (message(type)?["x-added"]?.object ?? [:]).filter { $0.value.text != since }
        for (date, fields) in Dictionary(grouping: added.keys, by: { added[$0]?.text ?? "" }).sorted(by: {
            $0.key < $1.key
        }) {
            lines += ["", "Before \(date) it had no \(fields.sorted().map { "`\($0)`" }.joined(separator: ", "))."]
        }
        return lines.joined(separator: "\n")
    }

    /// Those that must be there first.
    private func fields(_ rules: JSONValue?) -> String {
        let required = (rules?["required"]?.array ?? []).compactMap(\.text)
        let others = Set((rules?["properties"]?.object ?? [:]).keys).subtracting(required).sorted()
        return (required.map { "`\($0)`" } + others.map { "`\($0)` (optional)" }).joined(separator: ", ")
    }
}

extension String {
    fileprivate var capitalizingFirst: String { prefix(1).uppercased() + dropFirst() }
}
