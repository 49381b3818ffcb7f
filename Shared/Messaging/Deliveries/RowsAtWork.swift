/// The rows at work, and which of those that are due may begin beside them: a pure value.
///
/// What takes longer than `patience` gives its place up, so that what hangs does not hold up what does not.
struct RowsAtWork {
    /// Rows at work, those aside that take long.
    static let atOnce = 64
    /// Rows at work in all.
    static let most = 256

    private struct Entry {
        var start: Int
        var company: Suspicion.Company
        var since: ContinuousClock.Instant
        var size: Int
    }

    private var entries: [Int64: Entry] = [:]
    /// Of their events.
    private var budget = ByteBudget.atWork
    private var starts = 0
    /// The row that has, or waits for, the turn of those that run alone.
    private var alone: Int64?
    /// Whether rows that are due wait for a place: then a place that somebody leaves is theirs.
    private(set) var isAwaited = false
    /// The rows that places were handed on to since a look at the table began, whose answer is not here yet.
    private var followed: Set<Int64>?
    private let patience: Duration

    init(patience: Duration) {
        self.patience = patience
    }

    /// How many there are.
    var count: Int { entries.count }

    /// Whether a row is at work.
    func contains(_ row: Int64) -> Bool { entries[row] != nil }

    /// A look at the table begins: the ids of all, which may still be in it when they have ended.
    mutating func beginLook() -> Set<Int64> {
        followed = []
        return Set(entries.keys)
    }

    /// How many rows may begin now.
    func free(at now: ContinuousClock.Instant) -> Int {
        let quick = entries.values.count { $0.since + patience > now }
        return max(0, min(RowsAtWork.atOnce - quick, RowsAtWork.most - entries.count))
    }

    /// Takes from `due` what may begin now, in its order; the rest stays.
    mutating func choose(
        from due: inout [DeliveryTable.Due],
        at now: ContinuousClock.Instant
    ) -> [(row: DeliveryTable.Due, start: Int)] {
        var free = free(at: now)
        var group = entries.values.count { $0.company == .smallGroup && $0.since + patience > now }
        var chosen: [(DeliveryTable.Due, Int)] = []
        var left: [DeliveryTable.Due] = []
        let followed = exchange(&followed, with: nil) ?? []
        for row in due {
            if contains(row.id) || followed.contains(row.id) { continue }
            guard free > 0, budget.hasRoom(for: row.size) else {
                left.append(row)
                // What comes later and is smaller must not pass a large one for ever.
                free = 0
                continue
            }
            switch row.suspicion.company {
            case .everybody: break
            case .smallGroup:
                guard group < Suspicion.groupSize else {
                    left.append(row)
                    continue
                }
                group += 1
            case .nobody:
                guard alone == nil else {
                    left.append(row)
                    continue
                }
                alone = row.id
            }
            free -= 1
            starts += 1
            budget.add(row.size)
            entries[row.id] = Entry(start: starts, company: row.suspicion.company, since: now, size: row.size)
            chosen.append((row, starts))
        }
        due = left
        isAwaited = !left.isEmpty
        return chosen
    }

    /// What is due will not be looked for before a place is free.
    mutating func await() { isAwaited = true }

    /// A row hands its place on to the one that it has let go, unless others wait for it.
    ///
    /// Both are rows that everybody may be beside.
    ///
    /// - Returns: the start of the next one; nil where the place is not handed on.
    mutating func handOn(
        _ row: Int64,
        start: Int,
        to next: DeliveryTable.Due,
        at now: ContinuousClock.Instant
    ) -> Int? {
        guard !isAwaited, !contains(next.id), let entry = entries[row], entry.start == start,
            // Otherwise it has given its place up.
            entry.since + patience > now,
            entry.company == .everybody, next.suspicion.company == .everybody
        else { return nil }
        budget.giveBack(entry.size)
        guard budget.take(next.size) else {
            budget.add(entry.size)
            return nil
        }
        entries[row] = nil
        starts += 1
        followed?.insert(next.id)
        entries[next.id] = Entry(start: starts, company: .everybody, since: now, size: next.size)
        return starts
    }

    /// The turn of a row that runs alone is over; it may be at work still.
    mutating func turnEnded(_ row: Int64) {
        if alone == row { alone = nil }
    }

    /// A row is not at work any more.
    ///
    /// - Parameter start: which of its starts has ended: an attempt that was given up may end much later.
    mutating func ended(_ row: Int64, start: Int) {
        guard let entry = entries[row], entry.start == start else { return }
        entries[row] = nil
        budget.giveBack(entry.size)
        turnEnded(row)
    }
}
