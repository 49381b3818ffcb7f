import Glibc

/// What has to stay linear: what an operation costs with little in the store, and with very much.
struct CostsBenchmark {
    private struct Case {
        var title: String
        var worker: String
        /// How much is in the store: little, and much.
        var sizes: [Int]
        var more: [String] = []
        /// What the worker tells, and what that is.
        var figures: [(name: String, title: String)]
    }

    private static let cases = [
        Case(
            title: "held deliveries of one subject",
            worker: "release",
            sizes: [1_000, 50_000],
            figures: [("rate", "released and handled, 1/s")]
        ),
        Case(
            title: "subjects in the event store",
            worker: "retain",
            sizes: [100_000, 10_000_000],
            figures: [("rate", "removed by retention, 1/s"), ("left", "left")]
        ),
        Case(
            title: "scheduled deliveries",
            worker: "start",
            sizes: [50_000, 5_000_000],
            figures: [("start", "from the start to the first handled, ms"), ("backlog", "the backlog's gauges, ms")]
        ),
        Case(
            title: "subjects that wait",
            worker: "waiting",
            sizes: [0, 90, 10_000],
            more: ["20000"],
            figures: [("rate", "others appended and handled, 1/s")]
        ),
    ]

    let setting: Setting
    let report: Report
    /// The larger sizes times this.
    let scale: Double

    func run() throws {
        var table = Table("what it costs", columns: ["", "in the store", "figure"])
        for one in Self.cases {
            for size in one.sizes {
                let rows = size == one.sizes[0] ? size : Int(Double(size) * scale)
                let path = "\(setting.folder)/costs.db"
                defer { for end in ["", "-wal", "-shm", ".lock"] { unlink(path + end) } }
                Setting.note("costs: \(one.title), \(NumberText.whole(Double(rows)))")
                let program = try Program(
                    setting.runner,
                    ["worker", one.worker, setting.broker, path, "\(rows)"] + one.more
                )
                let results = try program.results(seconds: 1_800)
                for figure in one.figures {
                    var figures = Figures()
                    figures.add(results[figure.name] ?? .nan)
                    report.keep(figures, figure.name, of: "swift", in: "costs", case: "\(one.title), \(rows)")
                    table.add([
                        "\(one.title): \(figure.title)", NumberText.whole(Double(rows)),
                        NumberText.fixed(figures.median, 1),
                    ])
                }
            }
        }
        table.show()
    }
}
