internal import AMQP

/// Which publish the broker closes the channel over: found by publishing what was in flight again, in smaller and smaller groups.
///
/// Without I/O: it takes what happened and says what to publish, with nothing beside it. The broker's words (the routing key of a topic
/// permission, the size of a message) say where to look first and are no proof; proof is that the channel was closed with that one publish alone
/// on it. Without a hint a thousand suspects take ten closings, with one a single one.
///
///     suspect ──begin──▶ on trial ──settled──▶ innocent
///        ▲                  │ came back, alone: the culprit
///        └── in halves ◀────┘ came back, with others
struct CulpritSearch<Item> {
    /// What is known once the last word on a trial has come.
    struct Verdict {
        /// The one that the broker closes the channel over, and what it said.
        var culprit: (item: Item, error: AMQPError)?
        /// The connection stands: the next trial may begin at once.
        var isConnected = true
    }

    /// To be tried, the last first.
    private var groups: [[Item]] = []
    /// In flight when the channel was closed outside of a trial.
    private var collected: [Item] = []
    private var reason: AMQPError?
    private var isOnTrial = false
    private var awaited = 0
    private var count = 0
    private var cameBack: [Item] = []
    private var lost: AMQPError?
    private(set) var trial = 0
    /// Whether the broker's words speak of an item.
    private let isMeant: (Item, AMQPError) -> Bool

    init(isMeant: @escaping (Item, AMQPError) -> Bool) {
        self.isMeant = isMeant
    }

    /// Whether anything is to be tried or on trial: everything else waits.
    var isActive: Bool { isOnTrial || !groups.isEmpty || !collected.isEmpty }

    /// Whether that trial is under way.
    func isOnTrial(_ trial: Int) -> Bool { isOnTrial && trial == self.trial }

    /// An item was in flight when the broker closed the channel.
    mutating func suspect(_ item: Item, _ error: AMQPError) {
        collected.append(item)
        reason = error
    }

    /// There is a connection with nothing in flight: what to publish on it now, and no more before the verdict.
    ///
    /// - Returns: empty when a trial is under way, or when there is nothing to try.
    mutating func begin() -> [Item] {
        guard !isOnTrial else { return [] }
        if let reason, !collected.isEmpty { split(collected, reason, isCertain: false) }
        collected = []
        guard let group = groups.popLast() else { return [] }
        isOnTrial = true
        trial += 1
        awaited = group.count
        count = group.count
        cameBack = []
        lost = nil
        return group
    }

    /// An item on trial has got an outcome that is its own.
    mutating func settled() -> Verdict? {
        awaited -= 1
        return verdict()
    }

    /// An item on trial came back: the channel or the connection was closed, or it was not sent.
    mutating func returned(_ item: Item, _ error: AMQPError) -> Verdict? {
        awaited -= 1
        cameBack.append(item)
        // What was not sent says nothing; the word of the broker is what counts.
        if lost?.channelClose == nil { lost = error }
        return verdict()
    }

    /// No word has come for so long that the broker can have nothing against what is on trial.
    ///
    /// It closes a channel when it reads a publish, and confirms later.
    mutating func timedOut(_ trial: Int) -> Verdict? {
        guard isOnTrial, trial == self.trial else { return nil }
        awaited = 0
        return verdict()
    }

    /// Takes out what needs no trial any more.
    mutating func removeAll(where isSettled: (Item) -> Bool) -> [Item] {
        let removed = (groups.joined() + collected).filter(isSettled)
        groups = groups.map { $0.filter { !isSettled($0) } }.filter { !$0.isEmpty }
        collected.removeAll(where: isSettled)
        return removed
    }

    private mutating func verdict() -> Verdict? {
        guard awaited == 0 else { return nil }
        isOnTrial = false
        guard let lost, !cameBack.isEmpty else { return Verdict() }
        defer { cameBack = [] }
        if lost.channelClose == nil {
            groups.append(cameBack)
        } else if count == 1 {
            return Verdict(culprit: (cameBack[0], lost), isConnected: false)
        } else {
            split(cameBack, lost, isCertain: true)
        }
        return Verdict(isConnected: false)
    }

    /// Whom the broker speaks of is tried alone, and after the others: these are innocent, as it looks, and have waited.
    ///
    /// - Parameter isCertain: whether the culprit is among them.
    private mutating func split(_ items: [Item], _ error: AMQPError, isCertain: Bool) {
        let meant = items.filter { isMeant($0, error) }
        let others = items.filter { !isMeant($0, error) }
        groups += meant.reversed().map { [$0] }
        guard !others.isEmpty else { return }
        if meant.isEmpty, isCertain, others.count > 1 {
            groups.append(Array(others[(others.count / 2)...]))
            groups.append(Array(others[..<(others.count / 2)]))
        } else {
            groups.append(others)
        }
    }
}
