/// Compares what lies on the disks with the promises, and knows nothing of how they are kept.
///
/// It is called when nothing is on its way any more. What it is told beside the disks comes from the simulated world, not
/// from the code under test.
struct Checker {
    struct Facts {
        var acknowledged: Set<Int>
        var neverCommitted: Set<Int>
        var seen: Set<Int>
        var kills: [String: Int]
        /// How many commits the busiest process tried while its disk was full, for at most 2.6 s.
        var mostRefusedCommits: Int
        /// How often the handler was called that was called most often, with one event.
        var mostCalls: Int
        var crashes: [String: Int]
        /// How many commits of a service failed.
        var failedCommits: [String: Int]
        /// How often each event was published, and how often a queue got it twice by that.
        var published: [String: Int]
        var doubled: [String: Int]
        /// What the broker gave up on while the subscriber ran: subscriber and event id.
        var brokerGaveUpLate: Set<String>
    }

    var services: [Snapshot]
    var facts: Facts
    /// Operators have dealt with every dead letter.
    var isFinal: Bool

    private static let forwarder = "(forwarder)"

    func violations() -> [String] {
        var found: [String] = []
        found += stores()
        for service in services {
            found += accounts(of: service)
            found += effects(of: service)
            found += order(of: service)
            found += attempts(of: service)
            found += waiting(of: service)
        }
        return found
    }

    /// State and events commit together or not at all, and events are numbered without a gap.
    private func stores() -> [String] {
        var found: [String] = []
        var committed: Set<Int> = []
        for service in services {
            if service.produced != service.events.map(\.number).sorted() {
                found.append("\(service.name): its state and its events do not agree")
            }
            if Set(service.produced).count != service.produced.count {
                found.append("\(service.name): one effect has been made twice")
            }
            committed.formUnion(service.produced)
            var last: [String: Int] = [:]
            for event in service.events {
                if event.sequence != last[event.subject, default: 0] + 1 {
                    found.append(
                        "\(service.name): \(event.subject) has no event \(last[event.subject, default: 0] + 1)"
                    )
                }
                last[event.subject] = event.sequence
            }
            if service.offset < service.events.last?.position ?? 0 {
                found.append("\(service.name): the offset \(service.offset) is not at the end")
            }
        }
        for number in facts.acknowledged.subtracting(committed).sorted() where !facts.neverCommitted.contains(number) {
            found.append("the acknowledged write \(number) is lost")
        }
        for number in facts.neverCommitted.intersection(facts.seen).sorted() {
            found.append("\(number) was rolled back, and a handler saw it")
        }
        for number in facts.neverCommitted.intersection(committed).sorted() {
            found.append("\(number) was rolled back, and it is in a store")
        }
        if facts.mostRefusedCommits > 400 {
            found.append("a process tried \(facts.mostRefusedCommits) commits while its disk was full")
        }
        if facts.mostCalls > 60 { found.append("a handler was called \(facts.mostCalls) times with one event") }
        for number in facts.seen.subtracting(committed).sorted() {
            found.append("\(number) is in no store, and a handler saw it")
        }
        return found
    }

    /// Every committed event is, for every subscriber, processed or dead (or waits behind a dead one, or an operator
    /// discarded it).
    private func accounts(of subscriber: Snapshot) -> [String] {
        var found: [String] = []
        let own = subscriber.deliveries.filter { $0.subscriber == subscriber.name }
        let byEvent = Dictionary(grouping: own) { "\($0.source) \($0.eventID)" }
        var known: Set<String> = []
        for producer in services {
            let kept = Dictionary(
                producer.deliveries.filter { $0.subscriber == Checker.forwarder }.map { ($0.eventID, $0.status) },
                uniquingKeysWith: { first, _ in first }
            )
            for event in producer.events where subscriber.types.contains(event.type) {
                known.insert("\(event.source) \(event.id)")
                let rows = byEvent["\(event.source) \(event.id)"] ?? []
                if rows.count > 1 { found.append("\(subscriber.name) has \(event.number) \(rows.count) times") }
                if rows.isEmpty, kept[event.id] == nil || kept[event.id] == "processed" {
                    found.append("\(subscriber.name) never got \(event.number) of \(producer.name)")
                }
            }
        }
        for row in own where !known.contains("\(row.source) \(row.eventID)") {
            found.append("\(subscriber.name) has \(row.eventID), which nobody has committed for it")
        }
        for row in subscriber.deliveries {
            switch row.status {
            case "processed":
                if row.hasBody { found.append("\(subscriber.name) keeps the body of a processed delivery") }
            case "dead":
                if isFinal { found.append("\(subscriber.name) has a dead letter that nothing ails: \(row.errorClass)") }
                if !row.hasBody { found.append("\(subscriber.name) has a dead letter without its body") }
                if ["simulation.deferred", "broker.away"].contains(row.errorClass) {
                    found.append("\(subscriber.name) buried what was only put off: \(row.errorClass)")
                }
            case "held", "discarded":
                if !row.hasBody { found.append("\(subscriber.name) has a \(row.status) delivery without its body") }
            default:
                found.append("\(subscriber.name) has a \(row.status) delivery and nothing moves")
            }
        }
        return found
    }

    /// What is processed has its effect once, what is not has none.
    private func effects(of service: Snapshot) -> [String] {
        var found: [String] = []
        var count: [String: Int] = [:]
        for effect in service.effects { count["\(effect.source) \(effect.eventID)", default: 0] += 1 }
        let numbers = Dictionary(
            services.flatMap { $0.events.map { ("\($0.source) \($0.id)", $0.number) } },
            uniquingKeysWith: { first, _ in first }
        )
        for row in service.deliveries where row.subscriber == service.name {
            let key = "\(row.source) \(row.eventID)"
            let expected = row.status == "processed" && !service.silent.contains(numbers[key] ?? -1) ? 1 : 0
            if count[key, default: 0] != expected {
                found.append("\(service.name) has \(count[key, default: 0]) effects of \(key), which is \(row.status)")
            }
            count[key] = nil
        }
        for key in count.keys.sorted() { found.append("\(service.name) has an effect of \(key) without a receipt") }
        return found
    }

    /// The events of one subject of one source were applied in their order.
    private func order(of service: Snapshot) -> [String] {
        guard service.isOrdered else { return [] }
        var found: [String] = []
        // What an operator sent back has let others pass where a dead letter does not hold them; what the broker gave up
        // on after the start was not there to hold anybody, even if a copy of it came into the table before its dead letter.
        let exempt = Set(
            service.deliveries
                .filter {
                    facts.brokerGaveUpLate.contains("\(service.name) \($0.eventID)")
                        || (!service.holdsAfterDead && ($0.generation > 0 || $0.status == "dead"))
                }
                .map { "\($0.source) \($0.eventID)" }
        )
        var last: [String: Int] = [:]
        for effect in service.effects where !exempt.contains("\(effect.source) \(effect.eventID)") {
            let line = "\(effect.source) \(effect.subject)"
            if effect.sequence <= last[line, default: 0] {
                found.append("\(service.name) applied \(effect.sequence) after \(last[line, default: 0]) of \(line)")
            }
            last[line] = max(last[line, default: 0], effect.sequence)
        }
        return found
    }

    /// Attempts are bounded, counted and kept; nobody pays for a neighbour.
    private func attempts(of service: Snapshot) -> [String] {
        var found: [String] = []
        let numbers = Dictionary(
            services.flatMap { $0.events.map { ("\($0.source) \($0.id)", $0.number) } },
            uniquingKeysWith: { first, _ in first }
        )
        for row in service.deliveries {
            let key = "\(row.source) \(row.eventID)"
            if row.attempts > service.attemptLimit + 1 {
                found.append("\(service.name) counts \(row.attempts) attempts of \(key)")
            }
            if row.generation > 4 {
                found.append("\(service.name) was sent \(key) back \(row.generation) times: \(row.errorClass)")
            }
            if row.keptAttempts > 20 { found.append("\(service.name) keeps \(row.keptAttempts) attempts of \(key)") }
            guard row.subscriber == service.name else { continue }
            let crashes = facts.crashes["\(service.name) \(key)"] ?? 0
            // Its first three ends are not charged, and it is charged for who kills from outside.
            let first = 3 + copies(of: row, for: service)
            let allowed = (row.generation + 1) * service.attemptLimit + first + facts.kills[service.name, default: 0]
            if crashes > allowed { found.append("\(service.name) was ended \(crashes) times by \(key)") }
            if let number = numbers[key], service.harmless.contains(number), row.status == "dead",
                row.errorClass == "process.ended",
                facts.kills[service.name, default: 0] + facts.failedCommits[service.name, default: 0]
                    < service.attemptLimit
            {
                found.append("\(service.name) buried \(number), which had never ended it")
            }
        }
        return found
    }

    /// How many copies of an event may have counted as new because the broker was still moving an earlier one aside.
    ///
    /// Its own service marks what it publishes again for itself.
    private func copies(of row: Snapshot.Delivery, for service: Snapshot) -> Int {
        guard facts.brokerGaveUpLate.contains("\(service.name) \(row.eventID)") else { return 0 }
        let isOwn = row.source == "/\(service.name)"
        let again = isOwn ? 0 : facts.published[row.eventID, default: 1] - 1
        return again + facts.doubled[row.eventID, default: 0]
    }

    /// What is held waits for a dead letter of its subject, and nothing else.
    private func waiting(of service: Snapshot) -> [String] {
        var found: [String] = []
        for row in service.deliveries where row.status == "held" {
            let isHeldBack = service.deliveries.contains { other in
                other.status == "dead" && other.subscriber == row.subscriber && other.source == row.source
                    && other.subject == row.subject
            }
            let holds = row.subscriber == Checker.forwarder || service.holdsAfterDead
            if !isHeldBack || !holds {
                found.append("\(service.name) holds \(row.sequence) of \(row.source) \(row.subject) for nothing")
            }
        }
        return found
    }
}
