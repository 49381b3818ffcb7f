internal import Database
import Synchronization

/// Knows without asking the database which subjects certainly have no delivery that waits: most of them, most of the time.
///
/// It keeps the subjects that may have one, up to `most`. A delivery that begins to wait puts its subject among them before
/// its transaction commits; a subject goes when a transaction has seen that nothing of it waits, with that transaction's
/// commit and unless something has begun to wait since. So it errs on one side only, and whoever finds a subject here asks
/// the database.
///
/// What the table held before is read in slices, one for a question that the database has to answer, stepping from subject
/// to subject; until the end is reached, and while there are more than `most`, nothing is known. Slices are read, and
/// deliveries begin to wait, in the writer's transactions, one after the other; a slice counts from its commit.
final class WaitingSubjects: Sendable {
    /// A part of what the table holds.
    struct Slice: Sendable {
        var subjects: [SubjectKey] = []
        /// The last one that was looked at.
        var place: SubjectKey?
        var isEnd = false
    }

    /// Subjects that one slice steps through: about a millisecond.
    private static let slice = 128
    /// Questions after which a slice that has not come back is read again: its transaction was undone.
    private static let lostSlice = 64

    private enum Knowledge {
        /// Nothing is known; after so many questions the table is read.
        case none(questions: Int)
        /// Everything up to this place is known.
        case through(SubjectKey?)
        case all
    }

    private struct State {
        var knowledge = Knowledge.none(questions: 0)
        /// Each with the number of the change that put it here last.
        var subjects: [SubjectKey: UInt64] = [:]
        var changes: UInt64 = 0
        /// How often reading has begun.
        var reading = 0
        /// Questions until a slice is read; it has been asked for while this is not 0.
        var pause = 0

        var isKept: Bool {
            if case .none = knowledge { return false }
            return true
        }

        mutating func add(_ subject: SubjectKey, most: Int) {
            guard isKept else { return }
            changes += 1
            subjects[subject] = changes
            guard subjects.count > most else { return }
            // Reading as many again pays when as many questions have been asked.
            (subjects, knowledge) = ([:], .none(questions: most))
        }
    }

    private let most: Int
    private let state = Mutex(State())

    /// - Parameter most: subjects that are kept; about 150 bytes each.
    init(most: Int = 50_000) {
        self.most = most
    }

    /// Whether the subject certainly has no delivery that waits.
    func isClear(_ subject: SubjectKey) -> Bool {
        state.withLock { state in
            guard case .all = state.knowledge else { return false }
            return state.subjects.isEmpty || state.subjects[subject] == nil
        }
    }

    /// A delivery of this subject begins to wait, if this transaction commits.
    func change(_ subject: SubjectKey) {
        state.withLock { $0.add(subject, most: most) }
    }

    /// Nothing of this subject waits, as this transaction sees it.
    func clear(_ subject: SubjectKey, in transaction: Transaction) {
        guard let seen = state.withLock({ $0.subjects[subject] }) else { return }
        transaction.afterCommit { [self] in
            state.withLock { state in
                if state.subjects[subject] == seen { state.subjects[subject] = nil }
            }
        }
    }

    /// Reads on in what the table holds, if there is more.
    ///
    /// Called in a transaction of the writer for each question that the database has to answer.
    ///
    /// - Parameter read: gives the subjects behind a place.
    func readOn(
        in transaction: Transaction,
        _ read: (_ after: SubjectKey?, _ limit: Int) throws -> Slice
    ) throws {
        let begun: (reading: Int, place: SubjectKey?)? = state.withLock { state in
            switch state.knowledge {
            case .all: return nil
            case .none(let questions) where questions > 0:
                state.knowledge = .none(questions: questions - 1)
                return nil
            case .none:
                // From here on every subject that begins to wait is noted.
                state.knowledge = .through(nil)
                state.reading += 1
                state.pause = 0
            case .through: break
            }
            guard state.pause == 0, case .through(let place) = state.knowledge else {
                state.pause -= 1
                return nil
            }
            state.pause = Self.lostSlice
            return (state.reading, place)
        }
        guard let begun else { return }
        let slice = try read(begun.place, Self.slice)
        transaction.afterCommit { [self] in
            state.withLock { state in
                // The same slice may have been read twice.
                guard state.reading == begun.reading, case .through(let place) = state.knowledge,
                    place == begun.place
                else { return }
                state.pause = 0
                state.knowledge = slice.isEnd ? .all : .through(slice.place)
                for subject in slice.subjects where state.subjects[subject] == nil { state.add(subject, most: most) }
            }
        }
    }
}
