import Synchronization

/// A data platform: it stores each record once, under the id that its sender gave it, and counts how often it came.
///
/// It forgets everything with its process.
final class DataPlatform: Sendable {
    /// What became of an order.
    struct Record: Codable, Sendable, Equatable {
        /// Its members, as they are written.
        static let members = ["id", "type", "orderID", "occurredAt", "amount", "currency", "reason"]

        var id: String
        var type: String
        var orderID: String
        var occurredAt: String
        var amount: Int64
        var currency: String
        var reason: String?
    }

    /// A record and how often it was put.
    struct Stored: Encodable, Sendable, Equatable {
        var record: Record
        var puts: Int
    }

    /// What became of a record that was put.
    enum Outcome: Sendable, Equatable {
        case stored
        /// It was there.
        case known
        /// Another one is there.
        case contradiction
        /// Nothing was done: the fault says why.
        case failed(Fault.Kind)
    }

    /// An outcome, and how its answer travels.
    struct Reply: Sendable, Equatable {
        var outcome: Outcome
        var transmission = ProviderReply.Transmission.now
    }

    private struct State {
        var stored: [Stored] = []
        var places: [String: Int] = [:]
        var faults = FaultPlan()

        mutating func store(_ record: Record) -> Outcome {
            guard let place = places[record.id] else {
                places[record.id] = stored.count
                stored.append(Stored(record: record, puts: 1))
                return .stored
            }
            guard stored[place].record == record else { return .contradiction }
            stored[place].puts += 1
            return .known
        }
    }

    private let state = Mutex(State())

    /// Takes a record.
    ///
    /// - Parameter now: milliseconds since 1970.
    func put(_ record: Record, at now: Int64) -> Reply {
        state.withLock { state in
            guard let fault = state.faults.next(.record) else { return Reply(outcome: state.store(record)) }
            switch fault.kind {
            case .error, .unavailable, .rateLimit:
                return Reply(outcome: .failed(fault.kind))
            case .errorAfter:
                _ = state.store(record)
                return Reply(outcome: .failed(fault.kind))
            case .timeout:
                return Reply(outcome: state.store(record), transmission: .never)
            case .reset:
                return Reply(outcome: state.store(record), transmission: .cutOff)
            case .twice, .forged, .lag: return Reply(outcome: state.store(record))
            case .slow, .pending, .failing:
                return Reply(outcome: state.store(record), transmission: .at(now + fault.delayMilliseconds))
            }
        }
    }

    /// What is stored, in the order in which it came.
    var records: [Stored] { state.withLock { $0.stored } }

    /// The record of that id.
    func record(_ id: String) -> Record? {
        state.withLock { state in state.places[id].map { state.stored[$0].record } }
    }

    /// Plans a fault for the next `count` records.
    func plan(_ fault: Fault, count: Int) {
        state.withLock { $0.faults.plan(fault, for: .record, count: count) }
    }

    /// No planned faults any more.
    func clearFaults() {
        state.withLock { $0.faults.clear() }
    }

    /// Forgets everything.
    func reset() {
        state.withLock { $0 = State() }
    }
}
