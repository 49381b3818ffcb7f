/// The client against C: publishing with confirms, consuming with acks, doing nothing.
struct AMQPBenchmark {
    private static let name = "amqp"
    private static let size = 512

    /// What is measured of one case on one side.
    private struct Measured {
        var rate = Figures()
        var cpu = Figures()
    }

    let setting: Setting
    let report: Report

    func run() throws {
        for type in ["quorum", "classic"] {
            try publishing(type)
            try consuming(type)
        }
        try idling()
    }

    private func publishing(_ type: String) throws {
        var table = comparison("publish, \(type) queue, persistent messages of \(AMQPBenchmark.size) bytes")
        // The same window by tasks of which each waits for its own confirm, as a program without an event store does.
        for (window, count, way) in [
            (1, 1_500, AMQPWorkers.Way.submit), (100, 30_000, .submit), (1_000, 40_000, .submit),
            (100, 30_000, .publish), (1_000, 40_000, .publish),
        ] {
            let name = "window \(window)" + (way == .publish ? ", a task each" : "")
            Setting.note("amqp: publish, \(type), \(name)")
            let measured = try compare { side, queue in
                try reference("queue-declare", setting.broker, queue, type)
                let rest = ["publish", setting.broker, queue, "\(count)", "\(window)", "\(AMQPBenchmark.size)"]
                return switch side {
                case .swift: (try Program.run(setting.runner, ["worker"] + rest + [way.rawValue]), count)
                case .c: (try Program.run(setting.reference, rest), count)
                }
            }
            add(measured, to: &table, case: "publish \(type) \(name)", name)
        }
        table.show()
    }

    private func consuming(_ type: String) throws {
        var table = comparison("consume, \(type) queue, manual acks")
        for (prefetch, count) in [(1, 2_000), (50, 30_000), (250, 40_000)] {
            Setting.note("amqp: consume, \(type), prefetch \(prefetch)")
            let measured = try compare { side, queue in
                try reference("queue-declare", setting.broker, queue, type)
                _ = try Program.run(
                    setting.reference,
                    ["publish", setting.broker, queue, "\(count)", "1000", "\(AMQPBenchmark.size)"]
                )
                let rest = ["consume", setting.broker, queue, "\(count)", "\(prefetch)"]
                let results =
                    switch side {
                    case .swift: try Program.run(setting.runner, ["worker"] + rest)
                    case .c: try Program.run(setting.reference, rest)
                    }
                guard results["bytes"] == Double(count * AMQPBenchmark.size) else {
                    throw BenchmarkError("\(side) did not get every byte")
                }
                return (results, count)
            }
            add(measured, to: &table, case: "consume \(type) prefetch \(prefetch)", "prefetch \(prefetch)")
        }
        table.show()
    }

    private func idling() throws {
        let connections = 20
        let seconds = 5.0
        var table = Table(
            "a connection at rest (heartbeats of 10 s; mean of \(connections))",
            columns: ["", "memory KiB", "CPU ms/s"]
        )
        Setting.note("amqp: at rest")
        let queue = "benchmark-idle"
        try reference("queue-declare", setting.broker, queue, "classic")
        for side in Side.allCases {
            var memory = Figures()
            var cpu = Figures()
            for _ in 0..<min(setting.rounds, 3) {
                let rest = ["idle", setting.broker, queue, "\(connections)", "\(seconds)"]
                let results =
                    switch side {
                    case .swift: try Program.run(setting.runner, ["worker"] + rest)
                    case .c: try Program.run(setting.reference, rest)
                    }
                memory.add((results["resident"] ?? .nan) / Double(connections))
                cpu.add((results["cpu"] ?? .nan) * 1_000 / seconds / Double(connections))
            }
            report.keep(memory, "KiB", of: side.rawValue, in: AMQPBenchmark.name, case: "idle connection")
            report.keep(cpu, "CPU ms/s", of: side.rawValue, in: AMQPBenchmark.name, case: "idle connection")
            table.add([side.rawValue, NumberText.whole(memory.median), NumberText.fixed(cpu.median, 3)])
        }
        try reference("queue-delete", setting.broker, queue)
        table.show()
    }

    // MARK: Comparing

    private func compare(
        _ run: (Side, _ queue: String) throws -> (results: [String: Double], count: Int)
    ) throws -> [Side: Measured] {
        var measured: [Side: Measured] = [.swift: Measured(), .c: Measured()]
        for round in 0..<setting.rounds {
            for side in Side.order(inRound: round) {
                let queue = "benchmark-\(side)-\(round)"
                let (results, count) = try run(side, queue)
                try reference("queue-delete", setting.broker, queue)
                measured[side]?.rate.add(Double(count) / (results["seconds"] ?? .nan))
                measured[side]?.cpu.add((results["cpu"] ?? .nan) / Double(count) * 1e6)
            }
        }
        return measured
    }

    private func reference(_ arguments: String...) throws {
        let program = try Program(setting.reference, arguments)
        _ = try program.results(seconds: 30)
    }

    private func comparison(_ title: String) -> Table {
        Table(
            title,
            columns: ["", "Swift/s", "C/s", "Swift/C (min..max)", "Swift CPU µs", "C CPU µs", "CPU Swift/C (min..max)"]
        )
    }

    private func add(_ measured: [Side: Measured], to table: inout Table, case situation: String, _ name: String) {
        guard let swift = measured[.swift], let c = measured[.c] else { return }
        for (side, figures) in measured {
            report.keep(figures.rate, "messages/s", of: side.rawValue, in: AMQPBenchmark.name, case: situation)
            report.keep(figures.cpu, "CPU µs/message", of: side.rawValue, in: AMQPBenchmark.name, case: situation)
        }
        table.add([
            name,
            NumberText.whole(swift.rate.median),
            NumberText.whole(c.rate.median),
            NumberText.spread(swift.rate.over(c.rate)),
            NumberText.fixed(swift.cpu.median, 1),
            NumberText.fixed(c.cpu.median, 1),
            NumberText.spread(swift.cpu.over(c.cpu)),
        ])
    }
}
