/// Which connection makes room for a newcomer.
///
/// The one that has been silent longest, among those of the address that has most of them: who holds connections open loses its
/// own first, and a proxy that keeps a few warm keeps them. A pure function.
enum Displacement {
    /// A connection that could be closed.
    struct Candidate {
        let id: UInt64
        let peer: PeerAddress
        /// Since when it is silent; any unit.
        let since: UInt64

        /// Whether it has been silent longer; of two that came at the same moment, the first.
        func isBefore(_ other: Candidate) -> Bool { (since, id) < (other.since, other.id) }
    }

    /// The one to close; nil when there is none.
    static func choose(among candidates: some Sequence<Candidate>) -> UInt64? {
        var longest: [PeerAddress: (count: Int, candidate: Candidate)] = [:]
        for candidate in candidates {
            guard let (count, before) = longest[candidate.peer] else {
                longest[candidate.peer] = (1, candidate)
                continue
            }
            longest[candidate.peer] = (count + 1, candidate.isBefore(before) ? candidate : before)
        }
        let most = longest.values.max {
            $0.count < $1.count || $0.count == $1.count && $1.candidate.isBefore($0.candidate)
        }
        return most?.candidate.id
    }
}
