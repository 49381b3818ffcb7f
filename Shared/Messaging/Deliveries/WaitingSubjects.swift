internal import Database
import Synchronization

/// Knows without asking the database which subjects certainly have no delivery that waits: most of them, most of the time.
///
/// What it knows is a list of the subjects that had one when it was read, and it holds as long as no delivery has begun to
/// wait since. Deliveries that stop waiting leave their subject in the list: it errs on that side only, and whoever finds
/// a subject there asks the database. Lists are read, and deliveries begin to wait, in the writer's transactions, one after
/// the other; a list counts from its transaction's commit.
final class WaitingSubjects: Sendable {
    /// Lists are no longer; with more deliveries waiting nothing is known.
    private static let longestList = 100
    /// Questions that the database answers before the list is read anew: as many as the reading costs, or more.
    private static let fewestQuestions = 4
    private static let mostQuestions = 1_024

    private struct State {
        /// How often deliveries have begun to wait.
        var changes: UInt64 = 0
        /// The number of changes that the list was read after; nil without a list.
        var listedAt: UInt64?
        var list: Set<SubjectKey> = []
        /// Questions since the list was last read, and how many there have to be before it is read again.
        var questions = 0
        var patience = 0

        var isKnown: Bool { listedAt == changes }
    }

    private let state = Mutex(State())

    /// Whether the subject certainly has no delivery that waits.
    func isClear(_ subject: SubjectKey) -> Bool {
        state.withLock { state in
            guard state.isKnown else { return false }
            return state.list.isEmpty || !state.list.contains(subject)
        }
    }

    /// A delivery begins to wait, if this transaction commits.
    func change() {
        state.withLock { $0.changes += 1 }
    }

    /// Reads the list anew where that pays: something has changed, and enough has been asked since.
    ///
    /// Called in a transaction of the writer for each question that the database has to answer.
    func refresh(for subscriber: String, in transaction: Transaction) throws {
        let changes: UInt64? = state.withLock { state in
            guard !state.isKnown else { return nil }
            state.questions += 1
            guard state.questions > state.patience else { return nil }
            state.questions = 0
            return state.changes
        }
        guard let changes else { return }
        let subjects = try DeliveryTable.waitingSubjects(of: subscriber, limit: Self.longestList + 1, in: transaction)
        guard subjects.count <= Self.longestList else {
            state.withLock { $0.patience = Self.mostQuestions }
            return
        }
        let list = Set(subjects)
        transaction.afterCommit { [self, list] in
            state.withLock { state in
                state.patience = max(Self.fewestQuestions, list.count)
                guard state.changes == changes else { return }
                (state.list, state.listedAt) = (list, changes)
            }
        }
    }
}
