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
    /// How many commits a process tried while its disk was full.
    var refusedCommits: [Int: Int] = [:]
    /// How many commits of a service failed.
    var failedCommits: [String: Int] = [:]
    /// How often a service was killed from outside.
    var kills: [String: Int] = [:]
    /// Events that the broker has stored, by id.
    var stored: Set<String> = []
    /// Broken promises that were seen while they were broken.
    var violations: [String] = []
    private var lastNumber = 0

    func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }
}
