/// What a broker has of one queue that is to be replaced, and what follows from it.
///
/// A pure value. The steps are found anew from what the broker has each time, so whoever was killed in the middle goes on where
/// it was:
///
///     queue differs ──setAside──▶ no queue, `moving` ──bringBack──▶ queue fits, `arriving` ──join──▶ queue fits
///
/// Events that are published meanwhile come into `arriving`, which is bound before the old queue is unbound and unbound after
/// the new one is bound: some come twice, none gets lost.
struct QueueMove: Equatable, Sendable {
    /// What the queue is like.
    enum Place: Equatable, Sendable {
        case absent
        case fits
        case differs
    }

    /// What is to be done next.
    enum Step: Equatable, Sendable {
        /// Moves what the old queue holds into `moving`, and deletes the old queue.
        case setAside
        /// Makes the new queue, and moves what `moving` holds into it.
        case bringBack
        /// Moves what `arriving` holds behind it, and has it hear the events itself again.
        case join
    }

    var queue: Place
    /// Whether there is a queue that holds what was set aside.
    var hasMoving: Bool
    /// Whether there is a queue that holds what came meanwhile.
    var hasArriving: Bool

    /// What to do next; nil when nothing is left to do.
    var next: Step? {
        if queue == .differs { return .setAside }
        if hasMoving { return .bringBack }
        return hasArriving ? .join : nil
    }
}
