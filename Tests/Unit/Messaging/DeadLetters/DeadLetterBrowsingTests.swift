import Database
import Events
import Telemetry
import Testing

@testable import Messaging

/// Numbers that look random and are the same in every run.
struct Dice {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func roll(_ sides: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(sides))
    }
}

extension Bench {
    /// Fills the table with deliveries of many kinds.
    func fill(
        _ count: Int,
        types: Int = 5,
        states: [DeliveryState] = [.dead],
        sharesSubjects: Bool = true
    ) async throws {
        var dice = Dice(7)
        // In slices: a busy machine must not meet the deadline of a write.
        for first in stride(from: 0, to: count, by: 1_000) {
            dice = try await database.write { [table, dice] transaction in
                var dice = dice
                for number in first..<min(count, first + 1_000) {
                    let state = states[dice.roll(states.count)]
                    let subject = "subject-\(sharesSubjects ? dice.roll(max(1, count / 20)) : number)"
                    let envelope = Envelope(
                        id: "event-\(number)",
                        source: "/elsewhere",
                        type: Happened.type,
                        subject: subject,
                        time: Timestamp.now().description,
                        correlationID: "flow",
                        data: try Happened(subject: subject, number: number).encodedData()
                    )
                    let record = DeliveryRecord(
                        key: DeliveryKey(source: "/elsewhere", eventID: envelope.id),
                        type: "type.\(dice.roll(types))",
                        subjectKey: SubjectKey(source: "/elsewhere", subject: subject),
                        receivedAt: Int64(1_000 + number),
                        body: envelope.encoded(),
                        properties: StoredProperties(json: "{}")
                    )
                    let classes = ["mail.refused", "provider.away", "event.invalid"]
                    let error = HandlerError.permanent(
                        classes[dice.roll(3)],
                        "it went wrong 100% at \(number % 17)_\(number % 10)"
                    )
                    _ = try table.insert(
                        record,
                        life: DeliveryLife(state: state, attempts: 1, dueAt: state == .scheduled ? .max / 2 : nil),
                        error: error,
                        now: Int64(5_000 + dice.roll(1_000)),
                        in: transaction
                    )
                }
                return dice
            }
        }
    }

    /// Every row that is not processed.
    func allLetters() async throws -> [DeadLetter] {
        try await database.read { transaction in
            try transaction.query("SELECT id FROM warren_deliveries WHERE status <> 'processed' ORDER BY id")
                .compactMap { try DeliveryTable.letter($0[0], in: transaction) }
        }
    }

    /// The numbers that are kept, and what they ought to be.
    func groupCounts() async throws -> (kept: [String], counted: [String]) {
        let kept = """
            SELECT status, type, error_class, count FROM warren_dead_letter_groups ORDER BY status, type, error_class
            """
        let counted = """
            SELECT status, type, COALESCE(error_class, ''), COUNT(*) FROM warren_deliveries
            WHERE status = 'dead' OR status = 'discarded' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
            """
        return (try await lines(kept), try await lines(counted))
    }

    private func lines(_ sql: String) async throws -> [String] {
        try await database.read { transaction in try transaction.query(sql).map { row in "\(row.values)" } }
    }
}

extension DeadLetterFilter {
    /// The filter in plain words, as the proof.
    func matches(_ letter: DeadLetter) -> Bool {
        if !states.isEmpty, !states.contains(letter.state) { return false }
        if !types.isEmpty, !types.contains(letter.type) { return false }
        if let errorClass, errorClass != letter.errorClass { return false }
        if let subject, subject != letter.subject { return false }
        if let from, letter.updatedAt < from { return false }
        if let until, letter.updatedAt >= until { return false }
        guard let text else { return true }
        return letter.errorMessage.contains(text) || letter.eventID.contains(text)
    }
}

@Suite("Browsing dead letters")
struct DeadLetterBrowsingTests {
    private func random(_ dice: inout Dice) -> DeadLetterFilter {
        var filter = DeadLetterFilter()
        let states: [[DeliveryState]] = [
            [.dead], [.dead, .discarded], [], [.held], [.scheduled, .dead], [.discarded],
        ]
        filter.states = states[dice.roll(states.count)]
        if dice.roll(2) == 0 { filter.types = (0...dice.roll(3)).map { _ in "type.\(dice.roll(6))" } }
        if dice.roll(3) == 0 { filter.errorClass = ["mail.refused", "provider.away", "nothing"][dice.roll(3)] }
        if dice.roll(4) == 0 { filter.subject = "subject-\(dice.roll(20))" }
        if dice.roll(4) == 0 { filter.from = Int64(5_000 + dice.roll(1_000)) }
        if dice.roll(4) == 0 { filter.until = Int64(5_000 + dice.roll(1_000)) }
        if dice.roll(3) == 0 { filter.text = ["100%", "7_", "event-1", "nowhere"][dice.roll(4)] }
        return filter
    }

    /// Page after page, each compared as few rows for as may be: 500.
    private func everything(
        _ search: DeadLetterSearch,
        pagesOf limit: Int,
        on bench: Bench
    ) async throws -> (ids: [Int64], cuts: Int) {
        var ids: [Int64] = []
        var cuts = 0
        var place: DeadLetterSearch.Key?
        repeat {
            let page = try await bench.database.read { [place] transaction in
                try search.find(after: place, limit: limit, compared: 1, in: transaction)
            }
            #expect(page.hits.count <= limit)
            #expect(page.isCutShort || page.next == nil || page.hits.count == limit)
            if page.isCutShort { cuts += 1 }
            ids += page.hits.map(\.id)
            place = page.next
        } while place != nil && ids.count < 5_000
        return (ids, cuts)
    }

    private func expected(_ filter: DeadLetterFilter, of all: [DeadLetter]) -> [Int64] {
        let matching = all.filter { filter.matches($0) }
        let sorted = matching.sorted { one, other in
            filter.hasTime ? (one.updatedAt, one.id) > (other.updatedAt, other.id) : one.id > other.id
        }
        return sorted.map(\.id)
    }

    @Test("any filter gives every match once, in order, over pages of any size, wherever a bounded search ends them")
    func everyFilter() async throws {
        try await withBench { bench in
            try await bench.fill(3_000, states: [.dead, .dead, .dead, .discarded, .held, .scheduled])
            let all = try await bench.allLetters()
            var dice = Dice(1)
            var cuts = 0
            for round in 0..<150 {
                let filter = random(&dice)
                let order: DeadLetterSearch.Order = filter.hasTime ? .lastChangedFirst : .newestFirst
                let search = DeadLetterSearch(filter: filter, order: order)
                let found = try await everything(search, pagesOf: 1 + dice.roll(400), on: bench)
                #expect(found.ids == expected(filter, of: all), "round \(round): \(filter)")
                cuts += found.cuts
            }
            #expect(cuts > 20)
        }
    }

    @Test("a page says that it is not full because of its bound, and a list goes on until it is")
    func honest() async throws {
        try await withBench { bench in
            try await bench.fill(DeadLetterSearch.comparedRows + 300)
            var filter = DeadLetterFilter()
            filter.text = "event-7"
            filter.types = ["type.0", "type.1", "type.2", "type.3", "type.4"]
            let page = try await bench.deadLetters.page(filter, after: nil, limit: 500)
            #expect(page.items.count == 500 && page.isComplete)
            filter.text = "event-77"
            let short = try await bench.deadLetters.page(filter, after: nil, limit: 500)
            #expect(short.items.count < 500 && !short.isComplete && short.next != nil)
            let rest = try await bench.deadLetters.page(filter, after: short.next, limit: 500)
            let whole = try await bench.deadLetters.list(filter, after: nil, limit: 500)
            #expect(whole.map(\.id) == (short.items + rest.items).map(\.id))
            let groups = try await bench.deadLetters.groups(filter)
            #expect(!groups.isComplete)
        }
    }

    @Test("groups are counted exactly by state, type and error, whatever has been done to their members")
    func groups() async throws {
        try await withBench { bench in
            try await bench.fill(600, states: [.dead, .dead, .discarded, .held, .scheduled])
            var dice = Dice(3)
            for letter in try await bench.allLetters() {
                switch (letter.state, dice.roll(3)) {
                case (.dead, 0): _ = try await bench.deadLetters.retry(letter.id, actor: "a", reason: "")
                case (.dead, 1): _ = try await bench.deadLetters.discard(letter.id, actor: "a", reason: "r")
                case (.discarded, 0): _ = try await bench.deadLetters.restore(letter.id, actor: "a", reason: "")
                default: break
                }
            }
            for letter in try await bench.allLetters().filter({ $0.state == .dead }).prefix(5) {
                let data = DeadLetterEdit.data(Array("{\"subject\":\"\(letter.subject)\",\"number\":1}".utf8))
                _ = try await bench.deadLetters.edit(letter.id, to: data, actor: "a", reason: "typo")
            }
            let counts = try await bench.groupCounts()
            #expect(counts.kept == counts.counted)
            let all = try await bench.allLetters()
            for _ in 0..<60 {
                let filter = random(&dice)
                let groups = try await bench.deadLetters.groups(filter)
                #expect(groups.isComplete)
                var expected: [String: Int] = [:]
                for letter in all.filter(filter.matches) {
                    expected["\(letter.type) \(letter.errorClass)", default: 0] += 1
                }
                let found = groups.items.map { ("\($0.type) \($0.errorClass)", $0.count) }
                #expect(Dictionary(uniqueKeysWithValues: found) == expected, "\(filter)")
                #expect(groups.items.map(\.count) == groups.items.map(\.count).sorted(by: >))
                for group in groups.items {
                    let members = all.filter {
                        filter.matches($0) && $0.type == group.type && $0.errorClass == group.errorClass
                    }
                    #expect(group.firstSeen == members.map(\.receivedAt).min())
                    #expect(group.example == members.max { $0.id < $1.id }?.errorMessage)
                    #expect(group.lastSeen >= members.map(\.updatedAt).max() ?? 0)
                }
            }
        }
    }

    @Test("what dies, is retried and dies again is counted where it lies")
    func countedByTheMachine() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { _, _ in throw HandlerError.transient("away", "not there") }
            for number in 0..<5 { await bench.receive(try bench.message(Happened(subject: "s\(number)", number: 1))) }
            try await bench.settle { $0.allSatisfy { $0.status == "dead" } }
            _ = try await bench.deadLetters.retry(1, actor: "a", reason: "")
            try await bench.settle { $0.allSatisfy { $0.status == "dead" } && $0[0].generation == 1 }
            let counts = try await bench.groupCounts()
            #expect(counts.kept == counts.counted)
            #expect(counts.kept.count == 1)
        }
    }

    @Test("no statement of a search reads the whole table or sorts it, and none of the fast path has another plan")
    func plans() async throws {
        try await withBench { bench in
            try await bench.fill(300, states: [.dead, .discarded, .held])
            var dice = Dice(5)
            let place = DeadLetterSearch.Key(time: 5_500, id: 200)
            for _ in 0..<200 {
                let filter = random(&dice)
                let orders: [DeadLetterSearch.Order] =
                    filter.hasTime ? [.lastChangedFirst, .oldestFirst] : [.newestFirst, .oldestFirst]
                for order in orders {
                    let search = DeadLetterSearch(
                        filter: filter,
                        order: order,
                        lastID: order == .oldestFirst ? 250 : nil,
                        unchangedSince: order == .oldestFirst ? 9_000 : nil
                    )
                    try await bench.database.read { transaction in
                        for walk in try search.walks(in: transaction) {
                            let floor = DeadLetterSearch.Key(time: 5_100, id: 1)
                            for bounds in [(place, floor), (nil, nil)]
                                as [(DeadLetterSearch.Key?, DeadLetterSearch.Key?)]
                            {
                                let statement = walk.statement(after: bounds.0, floor: bounds.1, limit: 51)
                                let plan = try transaction.query(
                                    "EXPLAIN QUERY PLAN \(statement.sql)",
                                    arguments: statement.arguments
                                ).map { row -> String in try row["detail"] }.joined(separator: "; ")
                                #expect(!plan.contains("SCAN"), "\(plan): \(statement.sql)")
                                // The deliveries of one subject are sorted where they are few.
                                let sorts = filter.subject != nil && order == .lastChangedFirst
                                #expect(sorts || !plan.contains("TEMP B-TREE"), "\(plan): \(statement.sql)")
                            }
                        }
                    }
                }
            }
        }
    }
}
