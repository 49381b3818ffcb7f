import Events

@testable import Database
@testable import Messaging

/// What lies on a service's disk at the end, as plain values: the only thing that the checker knows of a service.
struct Snapshot {
    struct Event {
        var position: Int
        var id: String
        var source: String
        var type: String
        var subject: String
        var sequence: Int
        var number: Int
    }

    struct Delivery {
        var id: Int
        var subscriber: String
        var source: String
        var eventID: String
        var type: String
        var subject: String
        var sequence: Int
        var status: String
        var generation: Int
        var attempts: Int
        var keptAttempts: Int
        var hasBody: Bool
        var errorClass: String
        var hasAudit: Bool
        /// The id of the event that an operator has put in its place.
        var successor: String?
        /// The number of a stranger's message.
        var stranger: Int?
    }

    struct Effect {
        var source: String
        var eventID: String
        var subject: String
        var sequence: Int
        var process: Int
    }

    var name: String
    /// What the ledger calls it.
    var identity: String
    /// All names that it has had.
    var names: Set<String>
    var source: String
    var types: Set<String>
    var isOrdered: Bool
    var holdsAfterDead: Bool
    var attemptLimit: Int
    var produced: [Int]
    var events: [Event]
    var deliveries: [Delivery]
    var effects: [Effect]
    var offset: Int
    /// The ids of its events that are larger than the broker takes.
    var large: Set<String>
    /// Event ids whose handling leaves no effect.
    var silent: Set<Int>
    /// Numbers of events that nothing but a fault from outside can bury.
    var harmless: Set<Int>

    init(of service: SimulatedService) throws {
        let reader = service.disk.reader
        let configuration = service.configuration
        name = service.name
        identity = service.identity
        names = Set(service.names)
        source = configuration.source
        types = Set(
            service.world.topology.subscriptions.filter { $0.subscriber == service.name }
                .flatMap { $0.types.map(\.rawValue) }
        )
        isOrdered = configuration.ordering == .perSubject
        holdsAfterDead = configuration.afterDeadLetter == .hold
        attemptLimit = configuration.retryPolicy.attempts
        produced = try reader.query("SELECT number FROM produced ORDER BY number", [], limit: .max).map { try $0[0] }
        events = try reader.query(
            """
            SELECT position, id, source, type, subject, sequence,
                CAST(json_extract(CAST(envelope AS TEXT), '$.data.number') AS INTEGER) AS number
            FROM warren_events ORDER BY position
            """,
            [],
            limit: .max
        ).map { row in
            Event(
                position: try row["position"],
                id: try row["id"],
                source: try row["source"],
                type: try row["type"],
                subject: try row["subject"],
                sequence: try row["sequence"],
                number: try row["number"]
            )
        }
        deliveries = try reader.query(
            """
            SELECT *, json_extract(properties, '$.headers.stranger') AS stranger, (SELECT COUNT(*) FROM warren_attempts WHERE delivery_id = d.id) AS kept,
                EXISTS (SELECT 1 FROM warren_audit WHERE delivery_id = d.id) AS audited
            FROM warren_deliveries d ORDER BY id
            """,
            [],
            limit: .max
        ).map { row in
            let body: [UInt8]? = try row["body"]
            return Delivery(
                id: try row["id"],
                subscriber: try row["subscriber"],
                source: try row["source"],
                eventID: try row["event_id"],
                type: try row["type"],
                subject: try row["subject"],
                sequence: try row["sequence"] ?? 0,
                status: try row["status"],
                generation: try row["generation"],
                attempts: try row["attempts"],
                keptAttempts: try row["kept"],
                hasBody: body != nil,
                errorClass: try row["error_class"] ?? "",
                hasAudit: try row["audited"],
                successor: Snapshot.successor(try row["error_class"], try row["error_message"]),
                stranger: try row["stranger"]
            )
        }
        effects = try reader.query("SELECT * FROM effects ORDER BY place", [], limit: .max).map { row in
            Effect(
                source: try row["source"],
                eventID: try row["event_id"],
                subject: try row["subject"],
                sequence: try row["sequence"],
                process: try row["process"]
            )
        }
        offset =
            try reader.query("SELECT position FROM warren_offsets WHERE name = 'forwarder'", [], limit: 1).first?[0]
            ?? 0
        large = Set(events.filter { service.world.note(for: $0.number) != nil }.map(\.id))
        silent = []
        harmless = []
        for other in service.world.services {
            let numbers = try other.disk.reader.query(
                "SELECT CAST(json_extract(CAST(envelope AS TEXT), '$.data.number') AS INTEGER) FROM warren_events",
                [],
                limit: .max
            )
            for row in numbers {
                let number: Int = try row[0]
                let conduct = Conduct(
                    seed: service.world.seed,
                    service: service.index,
                    number: number,
                    isSelfEnding: service.world.isSelfEnding,
                    faults: service.world.faults
                )
                if conduct == .isSilent { silent.insert(number) }
                if conduct.isHarmless { harmless.insert(number) }
            }
        }
    }

    private static func successor(_ errorClass: String?, _ message: String?) -> String? {
        guard errorClass == "edited" else { return nil }
        return message.flatMap { $0.split(separator: " ").last }.map(String.init)
    }
}
