import AMQP

extension InMemoryBroker {
    /// The queues that a message reaches, each once, in the order of their declaration.
    func route(exchange name: String, routingKey: String, headers: FieldTable?) -> [String] {
        var reached: Set<String> = []
        var visited: Set<String> = []
        var next: String? = name
        while let current = next, let exchange = exchanges[current], visited.insert(current).inserted {
            if current.isEmpty {
                if queues[routingKey] != nil { reached.insert(routingKey) }
            } else {
                for binding in bindings where binding.exchange == current && !reached.contains(binding.queue) {
                    if Self.matches(exchange.type, binding, routingKey, headers) { reached.insert(binding.queue) }
                }
            }
            next = reached.isEmpty ? exchange.arguments["alternate-exchange"]?.text : nil
        }
        return queueNames.filter(reached.contains)
    }

    private static func matches(
        _ type: String,
        _ binding: BrokerTopology.Binding,
        _ routingKey: String,
        _ headers: FieldTable?
    ) -> Bool {
        switch type {
        case "fanout": true
        case "topic":
            matches(words(of: binding.routingKey), words(of: routingKey))
        case "headers": matches(binding.arguments, headers ?? [:])
        default: binding.routingKey == routingKey
        }
    }

    /// An empty key has no words, not an empty one.
    private static func words(of key: String) -> ArraySlice<Substring> {
        key.isEmpty ? [] : ArraySlice(key.split(separator: ".", omittingEmptySubsequences: false))
    }

    /// `*` stands for one word, `#` for any number of them, none included.
    private static func matches(_ pattern: ArraySlice<Substring>, _ words: ArraySlice<Substring>) -> Bool {
        guard let first = pattern.first else { return words.isEmpty }
        let rest = pattern.dropFirst()
        if first == "#" {
            return (words.startIndex...words.endIndex).contains { matches(rest, words[$0...]) }
        }
        guard let word = words.first, first == "*" || first == word else { return false }
        return matches(rest, words.dropFirst())
    }

    /// `x-match`: `all` (default) or `any`; arguments that begin with `x-` are no conditions.
    private static func matches(_ arguments: FieldTable, _ headers: FieldTable) -> Bool {
        let conditions = arguments.entries.filter { !$0.name.hasPrefix("x-") }
        func holds(_ condition: FieldTable.Entry) -> Bool {
            guard let value = headers[condition.name] else { return false }
            return condition.value == .void || condition.value == value
                || (value.integer != nil && value.integer == condition.value.integer)
        }
        return arguments["x-match"]?.text == "any" ? conditions.contains(where: holds) : conditions.allSatisfy(holds)
    }
}
