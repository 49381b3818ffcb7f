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
        /// How often an operator went through the dead letters of a service.
        var operatorActs: [String: Int]
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
        /// What the broker gave up on, and what of it while the subscriber ran: subscriber and event id.
        var brokerGaveUp: Set<String>
        var brokerGaveUpLate: Set<String>
        /// How often a handler failed on its own account: subscriber, source and event id.
        var failures: [String: Int]
        /// How often the broker did not take an event, or not at once.
        var refusals: [String: Int]
        /// Types that nobody was allowed to publish at some time.
        var forbidden: Set<String>
        /// What each process was started with.
        var settings: [Int: Ledger.Settings]
        /// What was handled by a process that was not asked for order: subscriber, source and event id.
        var handledUnordered: Set<String>
        /// What such a process was delivered, by service and event id.
        var deliveredUnordered: Set<String>
        /// The messages of strangers: their numbers, and to whom they went.
        var strangers: [Int: String]
        /// How often each came back.
        var returnsOfStrangers: [Int: Int]
    }

    var services: [Snapshot]
    var facts: Facts
    /// Operators have dealt with every dead letter.
    var isFinal: Bool

    private static let forwarder = "(forwarder)"
    /// How often a delivery may run, with others beside it, before its runs are counted: first when it came in, then among
    /// all, then in a small group.
    private static let uncountedRuns = 3

    func violations() -> [String] {
        var found: [String] = []
        found += stores()
        for service in services {
            found += accounts(of: service)
            found += effects(of: service)
            found += order(of: service)
            found += attempts(of: service)
            found += waiting(of: service)
            found += strangers(of: service)
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
        let own = subscriber.deliveries.filter { subscriber.names.contains($0.subscriber) && !$0.source.isEmpty }
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
        // What an operator made of it is another event of the same source.
        for row in own { if let successor = row.successor { known.insert("\(row.source) \(successor)") } }
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
                if ["simulation.deferred", "broker.away", "broker.unconfirmed", "delivery.deferred-too-long"].contains(
                    row.errorClass
                ) {
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

    /// The numbers of events, by source and id; what an operator has edited has that of what it was.
    private func numbers(of service: Snapshot) -> [String: Int] {
        var numbers = Dictionary(
            services.flatMap { $0.events.map { ("\($0.source) \($0.id)", $0.number) } },
            uniquingKeysWith: { first, _ in first }
        )
        for row in service.deliveries {
            guard let successor = row.successor, let number = numbers["\(row.source) \(row.eventID)"] else { continue }
            numbers["\(row.source) \(successor)"] = number
        }
        return numbers
    }

    /// What is processed has its effect once, what is not has none.
    private func effects(of service: Snapshot) -> [String] {
        var found: [String] = []
        var count: [String: Int] = [:]
        for effect in service.effects { count["\(effect.source) \(effect.eventID)", default: 0] += 1 }
        let numbers = numbers(of: service)
        for row in service.deliveries where service.names.contains(row.subscriber) {
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
        var found: [String] = []
        // What an operator sent back has let others pass where a dead letter does not hold them; what the broker gave up
        // on after the start was not there to hold anybody, even if a copy of it came into the table before its dead letter.
        let processes = Set(service.effects.map(\.process))
        let holdsAfterDead = processes.allSatisfy { facts.settings[$0]?.holdsAfterDead != false }
        let exempt = Set(
            service.deliveries
                .filter {
                    facts.brokerGaveUpLate.contains("\(service.identity) \($0.eventID)")
                        || (!holdsAfterDead && ($0.generation > 0 || $0.status == "dead"))
                }
                .map { "\($0.source) \($0.eventID)" }
        )
        let ids = Dictionary(
            service.deliveries.map { ("\($0.source) \($0.eventID)", $0.id) },
            uniquingKeysWith: { first, _ in first }
        )
        var last: [String: Int] = [:]
        var lastEffect: [String: String] = [:]
        for effect in service.effects where !exempt.contains("\(effect.source) \(effect.eventID)") {
            guard facts.settings[effect.process]?.isOrdered == true else { continue }
            let line = "\(effect.source) \(effect.subject)"
            // What came in while order did not matter could not wait for what was not there yet.
            let before = lastEffect[line] ?? ""
            let id = before.split(separator: " ").last ?? ""
            let isUnordered =
                facts.handledUnordered.contains("\(service.identity) \(before)")
                || facts.deliveredUnordered.contains("\(service.identity) \(id)")
            let isExcused =
                isUnordered && ids["\(effect.source) \(effect.eventID)", default: 0] > ids[before, default: 0]
            if effect.sequence <= last[line, default: 0], !isExcused {
                found.append("\(service.name) applied \(effect.sequence) after \(last[line, default: 0]) of \(line)")
            }
            if effect.sequence > last[line, default: 0] { lastEffect[line] = "\(effect.source) \(effect.eventID)" }
            last[line] = max(last[line, default: 0], effect.sequence)
        }
        return found
    }

    /// Attempts are bounded, counted and kept; nobody pays for a neighbour.
    private func attempts(of service: Snapshot) -> [String] {
        var found: [String] = []
        let numbers = numbers(of: service)
        for row in service.deliveries {
            let key = "\(row.source) \(row.eventID)"
            if row.attempts > service.attemptLimit + 1 {
                found.append("\(service.name) counts \(row.attempts) attempts of \(key)")
            }
            let acts = facts.operatorActs[service.identity, default: 0]
            if row.generation > acts, !row.source.isEmpty {
                found.append("\(service.name) was sent \(key) back \(row.generation) times, by operators \(acts)")
            }
            if row.keptAttempts > 20 { found.append("\(service.name) keeps \(row.keptAttempts) attempts of \(key)") }
            found += charges(of: row, for: service)
            guard service.names.contains(row.subscriber) else { continue }
            let crashes = facts.crashes["\(service.identity) \(key)"] ?? 0
            // Its first delivery is not counted, nor is it when it ran beside others, or with few.
            let first = Checker.uncountedRuns + copies(of: row, for: service)
            let allowed = (row.generation + 1) * (service.attemptLimit + Checker.uncountedRuns) + first
            if crashes > allowed { found.append("\(service.name) was ended \(crashes) times by \(key)") }
            if let number = numbers[key], service.harmless.contains(number), row.status == "dead",
                row.errorClass == "process.ended",
                facts.kills[service.identity, default: 0] + facts.failedCommits[service.identity, default: 0]
                    < service.attemptLimit
            {
                found.append("\(service.name) buried \(number), which had never ended it")
            }
        }
        return found
    }

    /// Nobody pays for a neighbour: what counts against a delivery are its own failures, the ends of the process that it
    /// caused, and, since that cannot be told apart, what was done to the process from outside.
    private func charges(of row: Snapshot.Delivery, for service: Snapshot) -> [String] {
        let key = "\(service.identity) \(row.source) \(row.eventID)"
        var allowed = row.status == "processed" ? 1 : 0
        if row.subscriber == Checker.forwarder {
            // What is refused for good, or for a while, need not be tried again to be refused again.
            if service.large.contains(row.eventID) || facts.forbidden.contains(row.type) { return [] }
            allowed += facts.refusals[row.eventID, default: 0]
        } else if row.source.isEmpty || facts.brokerGaveUp.contains("\(service.identity) \(row.eventID)") {
            allowed += 1 + facts.failures[key, default: 0] + facts.crashes[key, default: 0]
        } else {
            allowed += facts.failures[key, default: 0] + facts.crashes[key, default: 0]
        }
        allowed += facts.kills[service.identity, default: 0] + facts.failedCommits[service.identity, default: 0]
        guard row.attempts > allowed else { return [] }
        return ["\(service.name) charges \(row.eventID) with \(row.attempts) attempts; \(allowed) are its own"]
    }

    /// What is no event is a dead letter: each, and a second time only what came a second time.
    private func strangers(of service: Snapshot) -> [String] {
        var found: [String] = []
        for number in facts.strangers.keys.sorted() where facts.strangers[number] == service.identity {
            let rows = service.deliveries.filter { $0.stranger == number }
            if rows.isEmpty { found.append("\(service.name) has lost the stranger's \(number)") }
            if rows.count > 1 + facts.returnsOfStrangers[number, default: 0] {
                found.append("\(service.name) has the stranger's \(number) \(rows.count) times")
            }
            for row in rows where row.status != "dead" && row.status != "discarded" {
                found.append("\(service.name) has the stranger's \(number) \(row.status)")
            }
        }
        return found
    }

    /// How many copies of an event may have counted as new because the broker was still moving an earlier one aside.
    ///
    /// Its own service marks what it publishes again for itself.
    private func copies(of row: Snapshot.Delivery, for service: Snapshot) -> Int {
        guard facts.brokerGaveUpLate.contains("\(service.identity) \(row.eventID)") else { return 0 }
        let isOwn = row.source == service.source
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
            let holds = row.subscriber == Checker.forwarder || (service.isOrdered && service.holdsAfterDead)
            if !isHeldBack || !holds {
                found.append("\(service.name) holds \(row.sequence) of \(row.source) \(row.subject) for nothing")
            }
        }
        return found
    }
}
