import Events
import Glibc

/// A million dead letters: how long a page takes by every filter, and how quick a hundred thousand are retried while the
/// service does its normal work.
///
/// The pages are asked for over HTTP, of the real payment service on a table that was filled for it. The retry is one
/// operation in a process of the kit, whose queue brings 500 events a second at the same time.
struct DeadLettersBenchmark {
    private static let name = "dead-letters"
    private static let rows = 1_000_000
    private static let rate = 500.0
    private static let load = 20_000
    private static let beforeRetry = 2_500

    let setting: Setting
    let report: Report

    private var database: String { "\(setting.folder)/dead-letters.db" }

    /// More would not leave enough beside what is retried.
    private var rounds: Int { min(5, setting.rounds) }

    func run() throws {
        defer { for end in ["", "-wal", "-shm", ".lock"] { unlink(database + end) } }
        Setting.note("dead-letters: filling a table with \(NumberText.whole(Double(Self.rows))) rows")
        let filler = try Program(
            setting.runner,
            ["worker", "bury", database, "\(Self.rows)", "\(rounds)"]
        )
        _ = try filler.results(seconds: 900)
        try browse()
        try retry()
    }

    // MARK: Browsing

    /// What is asked for.
    private static let questions: [(title: String, path: String)] = [
        ("first page", "/dead-letters"),
        ("deep page", "/dead-letters?after=100000"),
        ("500 a page, deep", "/dead-letters?limit=500&after=500000"),
        ("state", "/dead-letters?state=discarded"),
        ("every state, deep", "/dead-letters?state=dead&state=held&state=scheduled&state=discarded&after=300000"),
        ("type", "/dead-letters?type=dev.warren.payment.declined"),
        ("type, deep", "/dead-letters?type=dev.warren.payment.declined&after=100000"),
        (
            "three types, deep",
            "/dead-letters?type=dev.warren.order.placed&type=dev.warren.mail.bounced&type=x&after=100000"
        ),
        ("error class", "/dead-letters?error=mail.refused"),
        ("error class, deep", "/dead-letters?error=mail.refused&after=100000"),
        ("type and error class", "/dead-letters?type=dev.warren.order.placed&error=mail.refused&after=500000"),
        ("subject", "/dead-letters?subject=dead-00007106"),
        ("subject with many", "/dead-letters?subject=busy-99"),
        ("time range", "/dead-letters?from=2026-01-01T01:00:00Z&until=2026-01-01T02:00:00Z"),
        (
            "time range, deep",
            "/dead-letters?from=2026-01-01T00:30:00Z&until=2026-01-01T03:00:00Z&after=2026-01-01T00:40:00Z/100000"
        ),
        ("time range, type", "/dead-letters?from=2026-01-01T01:00:00Z&type=dev.warren.mail.bounced"),
        ("text that many have", "/dead-letters?text=answered%20503"),
        ("text that few have", "/dead-letters?text=request%20777777"),
        ("text that none has, deep", "/dead-letters?text=nowhere&after=500000"),
        ("text, type, error class", "/dead-letters?text=99&type=dev.warren.order.placed&error=mail.refused"),
        ("groups", "/dead-letters/groups"),
        ("groups by type", "/dead-letters/groups?type=dev.warren.order.placed"),
        ("groups, discarded too", "/dead-letters/groups?state=dead&state=discarded"),
        ("groups by time", "/dead-letters/groups?from=2026-01-01T01:00:00Z"),
        ("groups by text", "/dead-letters/groups?text=503"),
    ]

    private func browse() throws {
        let port = try Loopback.freePort()
        let service = try Program(
            "\(setting.programs)/payment-service",
            [],
            environment: [
                "WARREN_HTTP_ADDRESS": "127.0.0.1:0", "WARREN_OPERATIONS_ADDRESS": "127.0.0.1:\(port)",
                "WARREN_LOG_LEVEL": "warning",
                "WARREN_AMQP_URL": setting.broker, "WARREN_DATABASE_URL": "sqlite:\(database)",
            ],
            log: "\(setting.folder)/dead-letters.log"
        )
        defer {
            service.stop()
            unlink("\(setting.folder)/dead-letters.log")
        }
        try waitUntilAlive(port)
        var table = Table(
            "a page of \(NumberText.whole(Double(Self.rows))) deliveries, over HTTP (ms)",
            columns: ["", "median", "worst", "items", "whole"]
        )
        for question in Self.questions {
            Setting.note("dead-letters: \(question.title)")
            var figures = Figures()
            var answer = ""
            for _ in 0..<max(10, setting.rounds * 4) {
                let began = Meter.now()
                answer = try ask(question.path, port)
                figures.add(Double(Meter.now() - began) / 1e6)
            }
            report.keep(figures, "ms", of: "Swift kit", in: Self.name, case: question.title)
            let mark = question.path.contains("groups") ? "\"count\":" : "\"eventId\":"
            table.add([
                question.title,
                NumberText.fixed(figures.median, 1),
                NumberText.fixed(figures.most, 1),
                "\(answer.split(separator: mark, omittingEmptySubsequences: false).count - 1)",
                answer.hasSuffix("\"complete\":true}") ? "yes" : "bounded",
            ])
        }
        table.show()
    }

    private func waitUntilAlive(_ port: UInt16) throws {
        let deadline = Meter.now() + 120_000_000_000
        while Meter.now() < deadline {
            if (try? ask("/livez", port)) != nil { return }
            usleep(50_000)
        }
        throw BenchmarkError("the payment service did not start; its log is in \(setting.folder)")
    }

    /// The body of an answer with status 200.
    private func ask(_ path: String, _ port: UInt16) throws -> String {
        let connection = try Connection(port: port)
        try connection.write("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        guard let status = connection.line() else { throw BenchmarkError("no answer to \(path)") }
        var length = 0
        while let header = connection.line(), !header.isEmpty {
            if header.lowercased().hasPrefix("content-length:") {
                length = Int(header.split(separator: " ").last ?? "") ?? 0
            }
        }
        let body = try connection.text(count: length)
        guard status.hasPrefix("HTTP/1.1 200") else { throw BenchmarkError("\(path): \(status) \(body)") }
        return body
    }

    // MARK: Retrying

    private func retry() throws {
        var (rates, asked, cpu) = (Figures(), Figures(), Figures())
        var before: (half: Figures, most: Figures, worst: Figures) = (Figures(), Figures(), Figures())
        var during = before
        for round in 0..<rounds {
            Setting.note("dead-letters: retry, round \(round + 1)")
            let moments = try replay(round)
            let seconds = (moments.ended - moments.began) / 1e9
            rates.add(Double(DeadLetterWorkers.replayed) / seconds)
            asked.add(moments.asked)
            cpu.add(moments.cpu / Double(DeadLetterWorkers.replayed) * 1e6)
            // The first second is the start: caches, statements, connections.
            let latencies = zip(moments.appended, moments.handled).dropFirst(Int(Self.rate))
                .map { (at: Double($0), took: Double($1 - $0) / 1e6) }
            let quiet = latencies.filter { $0.at < moments.began }.map(\.took)
            let loaded = latencies.filter { $0.at >= moments.began && $0.at < moments.ended }.map(\.took)
            before.half.add(Figures.quantile(0.5, of: quiet))
            before.most.add(Figures.quantile(0.99, of: quiet))
            before.worst.add(quiet.max() ?? .nan)
            during.half.add(Figures.quantile(0.5, of: loaded))
            during.most.add(Figures.quantile(0.99, of: loaded))
            during.worst.add(loaded.max() ?? .nan)
        }
        let count = NumberText.whole(Double(DeadLetterWorkers.replayed))
        var table = Table(
            "one operation that retries \(count) of them, with \(Int(Self.rate)) healthy events/s",
            columns: ["", "median (min..max)"]
        )
        table.add(["retried and handled, per second", NumberText.spread(rates, 0)])
        table.add(["until the request is answered, ms", NumberText.spread(asked, 1)])
        table.add(["processor time of each, µs", NumberText.spread(cpu, 1)])
        table.show()
        report.keep(rates, "retries/s", of: "Swift kit", in: Self.name, case: "retry")
        var latency = Table(
            "healthy events, from their commit to the end of the handler's (ms)",
            columns: ["", "p50", "p99", "worst"]
        )
        for (title, figures) in [("before the retry", before), ("during the retry", during)] {
            report.keep(figures.half, "ms p50", of: "Swift kit", in: Self.name, case: title)
            report.keep(figures.most, "ms p99", of: "Swift kit", in: Self.name, case: title)
            latency.add([
                title, NumberText.spread(figures.half), NumberText.spread(figures.most),
                NumberText.spread(figures.worst, 1),
            ])
        }
        latency.show()
    }

    private struct Replay {
        var began: Double
        var ended: Double
        var asked: Double
        var cpu: Double
        var appended: [Int64]
        var handled: [Int64]
    }

    private func replay(_ round: Int) throws -> Replay {
        let reference = { (arguments: [String]) in
            _ = try Program(setting.reference, arguments).results(seconds: 30)
        }
        let (appended, handled) = ("\(setting.folder)/appended", "\(setting.folder)/handled")
        let producing = "\(setting.folder)/producer.db"
        try reference(["subscriber-declare", setting.broker, "producer"])
        try reference(["subscriber-declare", setting.broker, "consumer", Asked.type.rawValue])
        let consumer = try Program(
            setting.runner,
            [
                "worker", "replay", setting.broker, database, "\(round)", "\(Self.load)", "\(Self.beforeRetry)",
                handled,
            ]
        )
        try consumer.waitUntilReady()
        try consumer.go()
        let producer = try Program(
            setting.runner,
            [
                "worker", "append", setting.broker, producing, "\(Self.load)", "10000", "120", "1", "\(Self.rate)",
                appended,
            ]
        )
        try producer.waitUntilReady()
        try producer.go()
        _ = try producer.results()
        let results = try consumer.results(seconds: 600)
        defer {
            for path in [appended, handled] { unlink(path) }
            for end in ["", "-wal", "-shm", ".lock"] { unlink(producing + end) }
        }
        try reference(["queue-delete", setting.broker, "consumer", "consumer.dead-letters"])
        guard results["done"] == Double(DeadLetterWorkers.replayed) else {
            throw BenchmarkError("\(results["done"] ?? 0) of \(DeadLetterWorkers.replayed) were retried")
        }
        return Replay(
            began: results["began"] ?? .nan,
            ended: results["ended"] ?? .nan,
            asked: results["asked"] ?? .nan,
            cpu: results["cpu"] ?? .nan,
            appended: try Moments.read(appended, count: Self.load),
            handled: try Moments.read(handled, count: Self.load)
        )
    }
}
