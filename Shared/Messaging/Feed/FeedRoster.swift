import Synchronization
internal import Telemetry

/// The feeds of a service.
final class FeedRoster: Sendable {
    private struct State {
        var followed: [EventFeed] = []
        var caughtUp: [EventFeed] = []
    }

    private let state = Mutex(State())

    func follow(_ feed: EventFeed) {
        state.withLock { $0.followed.append(feed) }
    }

    func catchUp(_ feed: EventFeed) {
        state.withLock { $0.caughtUp.append(feed) }
    }

    /// Follows what is to be followed, until cancelled.
    ///
    /// A feed that cannot go on says so and leaves the others alone.
    func run() async {
        let feeds = state.withLock { $0.followed }
        await withTaskGroup(of: Void.self) { group in
            for feed in feeds {
                group.addTask { await feed.followAlways() }
            }
        }
    }

    /// Catches up with every source before the queue is handled.
    ///
    /// - Parameter isBound: returns when the queue and its bindings are declared.
    /// - Returns: whether the queue may be handled now; false when cancelled, or when a feed cannot go on: then the
    ///   queue keeps its messages, since handling them would hide the gap.
    func handOver(after isBound: () async -> Void) async -> Bool {
        let feeds = state.withLock { $0.caughtUp }
        guard !feeds.isEmpty else { return true }
        await isBound()
        guard !Task.isCancelled else { return false }
        return await withTaskGroup(of: Bool.self) { group in
            for feed in feeds {
                group.addTask { (try? await feed.catchUp()) ?? false }
            }
            var isDone = true
            for await isOne in group where !isOne { isDone = false }
            return isDone
        }
    }

    /// The feeds that are followed and whose source does not answer: what this service does beside goes on.
    ///
    /// Where one catches up, the queue waits for it.
    var away: Set<String> {
        let feeds = state.withLock { $0.followed }
        return Set(feeds.filter(\.isAway).map { "feed.\($0.name)" })
    }

    /// All of them, by their names.
    var feeds: [EventFeed] {
        state.withLock { $0.followed + $0.caughtUp }.sorted { $0.name < $1.name }
    }

    /// What is wrong, by feed.
    var problems: [(check: String, problem: String)] {
        let feeds = state.withLock { $0.followed + $0.caughtUp }
        return feeds.compactMap { feed in feed.problem.map { ("feed.\(feed.name)", $0) } }
    }
}
