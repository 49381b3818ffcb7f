/// How much speaks for it that a delivery ends the process: the number of processes that ended while it was at work, less the
/// attempts that it has failed without ending one.
///
/// It decides who may be at work beside it, and who answers for the next end:
///
/// | ends | beside it | when the process ends |
/// | --- | --- | --- |
/// | 0, 1 | everything | it is suspected more |
/// | 2 | everything, but 7 others at most that are suspected as much | it is suspected more |
/// | 3 and more | nothing | that costs it an attempt |
///
/// So what was unlucky once or twice runs as fast as all others, and what ends the process is alone with it at the fourth time.
/// An end that finds it in company all the same, since somebody took longer than a turn (`SuspectIsolation`), costs it an
/// attempt from the seventh on.
struct Suspicion: Sendable, Hashable {
    /// Who may be at work beside a delivery.
    enum Company {
        case everybody
        case smallGroup
        case nobody
    }

    /// Deliveries of a small group.
    static let groupSize = 8
    /// More ends are not told apart.
    static let highest = 6
    /// What has been at work when a process ended, for all that is known, once.
    static let first = Suspicion(level: 1)

    /// As it stands in the row.
    var level: Int

    /// Who may be at work beside it.
    var company: Company {
        switch level {
        case ..<2: .everybody
        case 2: .smallGroup
        default: .nobody
        }
    }

    /// Whether an end of the process costs it an attempt, so that the attempt is counted before it begins.
    ///
    /// - Parameter isAlone: whether nothing else is at work.
    func isCharged(alone isAlone: Bool) -> Bool {
        company == .nobody && (isAlone || level >= Suspicion.highest)
    }
}
