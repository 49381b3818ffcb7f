internal import Database
import Synchronization

/// Knows without asking the database which events certainly have not come before: nearly all of them.
///
/// Ids that grow, as UUIDv7 does, arrive nearly in their order. Of each source it keeps the last few thousand ids, as
/// hashes, and a floor: whatever came before those was not above it. An id above the floor that is not among them is new.
/// Of other ids nothing is known: they are looked up. Like every look before the handler it only saves work: what decides
/// is the row's key.
final class SeenEvents: Sendable {
    /// More sources are not kept apart: those beyond are looked up.
    private static let mostSources = 256
    /// How many ids a generation has; there are two, the older of which is forgotten when the younger is full.
    private static let generation = 2_048

    /// An object, so that it is changed in its place.
    private final class Recent {
        /// Whether what the table held before is under the floor.
        var isComplete = false
        /// Whatever came before the older generation is not above it.
        var floor = ""
        /// The same for the younger generation.
        var nextFloor = ""
        var highest = ""
        var older: Set<Int> = []
        var younger: Set<Int> = []

        /// Takes an id; says whether it is certainly new.
        func take(_ id: String) -> Bool {
            let hash = id.hashValue
            let isUnseen = !older.contains(hash) && younger.insert(hash).inserted
            let isNew = isComplete && isUnseen && floor.isBelow(id)
            if highest.isBelow(id) { highest = id }
            if younger.count == SeenEvents.generation {
                (older, younger) = (younger, [])
                (floor, nextFloor) = (nextFloor, highest)
            }
            return isNew
        }

        /// Whatever the table held at the start is not above this id.
        func complete(with id: String) {
            if floor.isBelow(id) { floor = id }
            if nextFloor.isBelow(id) { nextFloor = id }
            if highest.isBelow(id) { highest = id }
            isComplete = true
        }
    }

    private let sources = Mutex<[String: Recent]>([:])

    /// Takes an event that has come, and says whether it certainly has not come before.
    func take(_ key: DeliveryKey) -> Bool {
        sources.withLock { sources in
            if let recent = sources[key.source] { return recent.take(key.eventID) }
            guard sources.count < Self.mostSources else { return false }
            let recent = Recent()
            _ = recent.take(key.eventID)
            sources[key.source] = recent
            return false
        }
    }

    /// Asks for what the table has of sources that have come for the first time since the start.
    func complete(_ events: [DeliveryKey], of subscriber: String, in transaction: Transaction) throws {
        let incomplete = sources.withLock { sources in
            Set(events.map(\.source)).filter { sources[$0]?.isComplete == false }
        }
        for source in incomplete {
            let highest = try DeliveryTable.highestEventID(of: subscriber, source: source, in: transaction)
            sources.withLock { $0[source]?.complete(with: highest) }
        }
    }
}

extension String {
    /// By bytes, as the table orders its ids.
    fileprivate func isBelow(_ other: String) -> Bool {
        utf8.lexicographicallyPrecedes(other.utf8)
    }
}
