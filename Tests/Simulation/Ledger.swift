/// What the world outside the services knows: who was promised what, and what handlers were given to see.
///
/// Unchecked: one thread.
final class Ledger: @unchecked Sendable {
    /// A delivery as a handler saw it.
    struct Sight: Hashable {
        var service: String
        var source: String
        var eventID: String
    }

    /// A handler at work.
    struct Work {
        var process: Int
        var sight: Sight
        var subject: String
        /// It was told to hang: nobody can keep others from going on beside it for ever.
        var isHanging: Bool
    }

    /// What a process was started with.
    struct Settings {
        var isOrdered: Bool
        var holdsAfterDead: Bool
    }

    /// Numbers whose write has returned to its caller.
    var acknowledged: Set<Int> = []
    /// Numbers that were appended in a transaction which was rolled back, or belongs to one that must be.
    var neverCommitted: Set<Int> = []
    /// Numbers that handlers were given.
    var seen: Set<Int> = []
    /// How often a handler was called.
    var calls: [Sight: Int] = [:]
    /// How often a handler ended its process.
    var crashes: [Sight: Int] = [:]
    /// What was handled by a process that was not asked for order.
    var handledUnordered: Set<Sight> = []
    /// What such a process was delivered, by service and event id: it may stand in the table before what came ahead of it.
    var deliveredUnordered: Set<String> = []
    /// How often a handler's attempt at it failed for a reason of its own.
    var failures: [Sight: Int] = [:]
    /// How often a service was asked to stop.
    var stops: [String: Int] = [:]
    /// Handlers that are at work, by a number of their own.
    private(set) var atWork: [Int: Work] = [:]
    private var lastWork = 0
    /// The settings of each process.
    var settings: [Int: Settings] = [:]
    /// How many commits a process tried while its disk was full.
    var refusedCommits: [Int: Int] = [:]
    /// How many commits of a service failed.
    var failedCommits: [String: Int] = [:]
    /// How often an operator went through the dead letters of a service.
    var operatorActs: [String: Int] = [:]
    /// How often a service was killed from outside.
    var kills: [String: Int] = [:]
    /// Events that the broker has stored, by id.
    var stored: Set<String> = []
    /// Broken promises that were seen while they were broken.
    var violations: [String] = []
    private var lastNumber = 0

    /// A handler begins.
    ///
    /// - Returns: its number, for `end`.
    func begin(_ work: Work) -> Int {
        if settings[work.process]?.isOrdered == true, !work.isHanging {
            for other in atWork.values.sorted(by: { $0.sight.eventID < $1.sight.eventID })
            where other.process == work.process && other.subject == work.subject
                && other.sight.source == work.sight.source && !other.isHanging
            {
                violations.append("\(work.sight.service) handles two events of \(work.subject) at once")
            }
        }
        lastWork += 1
        atWork[lastWork] = work
        return lastWork
    }

    /// A handler has ended.
    func end(_ number: Int) { atWork[number] = nil }

    /// A process has ended, and its handlers with it.
    func ended(_ process: Int) {
        atWork = atWork.filter { $0.value.process != process }
    }

    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }
}
