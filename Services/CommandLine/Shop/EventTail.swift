import JSON

/// Follows the event stores of several services at once.
struct EventTail: Sendable {
    /// What there is to print.
    enum Happening: Sendable {
        case events([JSONValue], KnownService)
        case note(String)
    }

    /// A happening, and who waits until it is printed: a service is asked for its next page only then.
    private struct Item: Sendable {
        let happening: Happening
        let printed: CheckedContinuation<Void, Never>
    }

    private static let pageSize = 100
    private static let wait = 20

    /// Query items.
    let filter: [(name: String, value: String)]
    /// The position to begin behind, or `end`.
    let start: String
    /// Whether it waits for events to come.
    let goesOn: Bool

    /// Hands over what happens until there is no more, or `print` says that it is enough.
    ///
    /// - Throws: `CommandFailure` when a service does not answer its first request, or refuses a later one.
    func follow(_ clients: [EventClient], _ print: (Happening) -> Bool) async throws {
        let (items, queue) = AsyncStream.makeStream(of: Item.self)
        let asking = Task {
            defer { queue.finish() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in clients {
                    group.addTask {
                        try await follow(client) { happening in
                            await withCheckedContinuation { printed in
                                let item = Item(happening: happening, printed: printed)
                                // Nobody prints any more.
                                if case .terminated = queue.yield(item) { printed.resume() }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        var isEnough = false
        for await item in items {
            if !isEnough, !print(item.happening) {
                isEnough = true
                asking.cancel()
            }
            item.printed.resume()
        }
        do {
            try await asking.value
        } catch {
            if !isEnough { throw error }
        }
    }

    private func follow(_ client: EventClient, _ emit: (Happening) async -> Void) async throws {
        var position = start
        var hasAnswered = false
        var isAway = false
        while !Task.isCancelled {
            let page: EventClient.Page
            do {
                page = try await client.page(
                    after: position,
                    filter,
                    limit: Self.pageSize,
                    wait: goesOn && hasAnswered ? Self.wait : 0
                )
            } catch let failure as CommandFailure
                where goesOn && hasAnswered && [.unreachable, .notMet].contains(failure.code)
            {
                if !isAway { await emit(.note("\(failure.message); waiting for it")) }
                isAway = true
                try await Task.sleep(for: .seconds(1))
                continue
            }
            if isAway { await emit(.note("\(client.client.service.name) is back")) }
            isAway = false
            hasAnswered = true
            position = page.next
            if !page.events.isEmpty { await emit(.events(page.events, client.client.service)) }
            if page.isAtEnd, !goesOn { return }
        }
    }
}
