import Events
import Glibc
import Telemetry

/// The main job in full durability, the kit against C: append -> forward -> broker -> handle -> commit -> ack.
///
/// Two processes with a database each, a producer and a consumer, on both sides. The kit's appends come from 256 tasks that
/// each wait for their commit; the C program with group commit puts 256 events into each transaction, and handles in one
/// transaction what has arrived. Handling is the receipt, one row and one event, which is forwarded too, to nobody.
struct DeliveryBenchmark {
    private static let name = "delivery"
    private static let eventBytes = 512
    private static let subjects = 10_000
    private static let clients = 256
    private static let prefetch = 256

    /// Who does the job.
    private enum Contender: String, CaseIterable {
        case swift = "Swift kit"
        case group = "C, group commit"
        case bare = "C, group commit without savepoints"
        case single = "C, one commit per message"

        var mode: String { "\(self)" }
        var isSwift: Bool { self == .swift }
    }

    /// What is measured of one contender.
    private struct Measured {
        var rate = Figures()
        var producerCPU = Figures()
        var consumerCPU = Figures()
        var group = Figures()
    }

    let setting: Setting
    let report: Report

    func run() throws {
        try reference(["subscriber-declare", setting.broker, "producer"])
        try throughput("end to end", endToEnd)
        try throughput("the consuming half alone (queue filled before)", consuming)
        try latency()
    }

    // MARK: Throughput

    private func throughput(_ title: String, _ run: (Contender, _ count: Int) throws -> [String: Double]) throws {
        var measured: [Contender: Measured] = [:]
        for round in 0..<setting.rounds {
            let contenders = round.isMultiple(of: 2) ? Contender.allCases : Contender.allCases.reversed()
            for contender in contenders {
                Setting.note("delivery: \(title), \(contender.rawValue), round \(round + 1)")
                let count = contender == .single ? 6_000 : 30_000
                let results = try run(contender, count)
                var figures = measured[contender] ?? Measured()
                figures.rate.add(results["rate"] ?? .nan)
                figures.producerCPU.add((results["producer"] ?? .nan) / Double(count) * 1e6)
                figures.consumerCPU.add((results["consumer"] ?? .nan) / Double(count) * 1e6)
                figures.group.add(results["group"] ?? .nan)
                measured[contender] = figures
            }
        }
        var table = Table(
            "\(title): events of \(DeliveryBenchmark.eventBytes) bytes, \(DeliveryBenchmark.subjects) subjects, "
                + "synchronous=FULL, quorum queue",
            columns: ["", "events/s", "Swift/this (min..max)", "producer CPU µs", "consumer CPU µs", "per commit"]
        )
        guard let swift = measured[.swift] else { return }
        for contender in Contender.allCases {
            guard let figures = measured[contender] else { continue }
            report.keep(figures.rate, "events/s", of: contender.rawValue, in: DeliveryBenchmark.name, case: title)
            for (metric, series) in [
                ("producer CPU µs/event", figures.producerCPU), ("consumer CPU µs/event", figures.consumerCPU),
            ] {
                report.keep(series, metric, of: contender.rawValue, in: DeliveryBenchmark.name, case: title)
            }
            table.add([
                contender.rawValue,
                NumberText.whole(figures.rate.median),
                contender.isSwift ? "" : NumberText.spread(swift.rate.over(figures.rate)),
                NumberText.fixed(figures.producerCPU.median, 1),
                NumberText.fixed(figures.consumerCPU.median, 1),
                NumberText.fixed(figures.group.median, 1),
            ])
        }
        table.show()
    }

    private func endToEnd(_ contender: Contender, count: Int) throws -> [String: Double] {
        try withQueue { folder in
            let consumer = try handler(contender, folder, count: count, isEarly: true)
            try consumer.waitUntilReady()
            try consumer.go()
            let producer = try appender(contender, folder, count: count, rate: 0)
            try producer.waitUntilReady()
            try producer.go()
            let produced = try producer.results()
            let consumed = try consumer.results()
            let handled = try Moments.read("\(folder)/handled", count: count)
            let seconds = (Double(handled.max() ?? 0) - (produced["began"] ?? .nan)) / 1e9
            return [
                "rate": Double(count) / seconds,
                "producer": produced["cpu"] ?? .nan,
                "consumer": consumed["cpu"] ?? .nan,
                "group": consumed["group"] ?? .nan,
            ]
        }
    }

    private func consuming(_ contender: Contender, count: Int) throws -> [String: Double] {
        try withQueue { folder in
            let filler = try appender(.group, folder, count: count, rate: 0)
            try filler.waitUntilReady()
            try filler.go()
            _ = try filler.results()
            let consumer = try handler(contender, folder, count: count, isEarly: false)
            try consumer.waitUntilReady()
            try consumer.go()
            let consumed = try consumer.results()
            // From the end of the first commit on: connecting is not handling.
            let handled = try Moments.read("\(folder)/handled", count: count)
            let first = handled.min() ?? 0
            let rest = handled.count { $0 > first }
            return [
                "rate": Double(rest) / (Double((handled.max() ?? 0) - first) / 1e9),
                "consumer": consumed["cpu"] ?? .nan,
                "group": consumed["group"] ?? .nan,
            ]
        }
    }

    // MARK: Latency

    private func latency() throws {
        let rate = 500.0
        let count = 2_500
        var table = Table(
            "from the producer's commit to the end of the consumer's commit, at \(Int(rate)) events/s (ms)",
            columns: ["", "p50", "p99", "worst"]
        )
        let contenders = [Contender.swift, .group]
        var quantiles: [Contender: (half: Figures, most: Figures, worst: Figures)] = [:]
        for round in 0..<setting.rounds {
            for contender in round.isMultiple(of: 2) ? contenders : contenders.reversed() {
                Setting.note("delivery: latency, \(contender.rawValue), round \(round + 1)")
                let latencies = try withQueue { folder in
                    let consumer = try handler(contender, folder, count: count, isEarly: true)
                    try consumer.waitUntilReady()
                    try consumer.go()
                    let producer = try appender(contender, folder, count: count, rate: rate)
                    try producer.waitUntilReady()
                    try producer.go()
                    _ = try producer.results()
                    _ = try consumer.results()
                    let appended = try Moments.read("\(folder)/appended", count: count)
                    let handled = try Moments.read("\(folder)/handled", count: count)
                    // The first half second is the start: caches, statements, connections.
                    return zip(appended, handled).dropFirst(Int(rate / 2)).map { Double($1 - $0) / 1e6 }
                }
                var entry = quantiles[contender] ?? (Figures(), Figures(), Figures())
                entry.half.add(Figures.quantile(0.5, of: latencies))
                entry.most.add(Figures.quantile(0.99, of: latencies))
                entry.worst.add(latencies.max() ?? .nan)
                quantiles[contender] = entry
            }
        }
        for contender in contenders {
            guard let entry = quantiles[contender] else { continue }
            for (metric, figures) in [("p50 ms", entry.half), ("p99 ms", entry.most), ("worst ms", entry.worst)] {
                report.keep(figures, metric, of: contender.rawValue, in: DeliveryBenchmark.name, case: "latency")
            }
            table.add([
                contender.isSwift ? contender.rawValue : "C",
                NumberText.spread(entry.half),
                NumberText.spread(entry.most),
                NumberText.spread(entry.worst, 1),
            ])
        }
        table.show()
    }

    // MARK: Programs

    private func appender(_ contender: Contender, _ folder: String, count: Int, rate: Double) throws -> Program {
        let common = [
            setting.broker, "\(folder)/producer.db", "\(count)", "\(DeliveryBenchmark.subjects)", "\(textBytes)",
        ]
        let rest = ["\(rate)", "\(folder)/appended"]
        guard contender.isSwift else {
            return try Program(setting.reference, ["append"] + common + [contender.mode] + rest)
        }
        return try Program(setting.runner, ["worker", "append"] + common + ["\(DeliveryBenchmark.clients)"] + rest)
    }

    private func handler(_ contender: Contender, _ folder: String, count: Int, isEarly: Bool) throws -> Program {
        let common = [setting.broker, "\(folder)/consumer.db", "\(count)", "\(DeliveryBenchmark.prefetch)"]
        let rest = ["\(folder)/handled"]
        guard contender.isSwift else {
            return try Program(setting.reference, ["handle"] + common + [contender.mode] + rest)
        }
        return try Program(setting.runner, ["worker", "handle"] + common + [isEarly ? "early" : "late"] + rest)
    }

    /// Lends a folder, with the consumer's queue made anew.
    private func withQueue<Result>(_ body: (_ folder: String) throws -> Result) throws -> Result {
        let folder = "\(setting.folder)/delivery"
        guard mkdir(folder, 0o700) == 0 else { throw BenchmarkError("cannot make \(folder)") }
        try reference(["subscriber-declare", setting.broker, "consumer", Asked.type.rawValue])
        let result = try body(folder)
        try reference(["queue-delete", setting.broker, "consumer", "consumer.dead-letters"])
        for database in ["producer", "consumer"] {
            for end in [".db", ".db-wal", ".db-shm", ".db.lock", ".db-lock"] { unlink("\(folder)/\(database)\(end)") }
        }
        unlink("\(folder)/appended")
        unlink("\(folder)/handled")
        guard rmdir(folder) == 0 else { throw BenchmarkError("something is left in \(folder)") }
        return result
    }

    private func reference(_ arguments: [String]) throws {
        let program = try Program(setting.reference, arguments)
        _ = try program.results(seconds: 30)
    }

    /// How long the payload's text is for a whole event of the size wanted.
    private var textBytes: Int {
        let subject = "subject-00000000"
        let envelope = Envelope(
            id: UUIDv7.make(),
            source: "/producer",
            type: Asked.type,
            subject: subject,
            time: Timestamp(milliseconds: 0).description,
            sequence: 1,
            correlationID: subject,
            data: Array("{\"number\":10000,\"subject\":\"\(subject)\",\"text\":\"\"}".utf8)
        )
        return DeliveryBenchmark.eventBytes - envelope.encoded().count
    }
}
