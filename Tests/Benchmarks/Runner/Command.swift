/// The command line: which benchmarks, how often, where the broker is.
struct Command {
    private static let benchmarks = ["orders", "delivery", "dead-letters", "costs", "amqp", "sizes"]

    private var names: [String] = []
    private var json: String?
    private var scale = 1.0
    private var setting = Setting(broker: "", brokerFolder: nil, programs: "", folder: "", rounds: 5)

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else {
                guard Command.benchmarks.contains(argument) else {
                    throw BenchmarkError("no benchmark \(argument); there are: \(Command.benchmarks)")
                }
                names.append(argument)
                continue
            }
            guard let value = rest.popFirst() else { throw BenchmarkError("\(argument) needs a value") }
            switch argument {
            case "--json": json = value
            case "--broker": setting.broker = value
            case "--broker-folder": setting.brokerFolder = value
            case "--programs": setting.programs = value
            case "--folder": setting.folder = value
            case "--rounds":
                guard let rounds = Int(value), rounds > 0 else { throw BenchmarkError("--rounds needs a number") }
                setting.rounds = rounds
            case "--scale":
                guard let number = Double(value), number > 0 else { throw BenchmarkError("--scale needs a number") }
                scale = number
            default: throw BenchmarkError("no option \(argument)")
            }
        }
        if names.isEmpty { names = Command.benchmarks }
        guard !setting.broker.isEmpty, !setting.programs.isEmpty, !setting.folder.isEmpty else {
            throw BenchmarkError("--broker, --programs and --folder are needed; Tests/Benchmarks/run gives them")
        }
    }

    func run() async throws {
        let report = Report()
        let load = Machine.loadAverage.first.map { NumberText.fixed($0, 1) } ?? "?"
        print("\(Machine.cores) cores, load average \(load), medians of \(setting.rounds) interleaved runs")
        for name in names {
            switch name {
            case "orders": try await OrdersBenchmark(setting: setting, report: report).run()
            case "delivery": try DeliveryBenchmark(setting: setting, report: report).run()
            case "dead-letters": try DeadLettersBenchmark(setting: setting, report: report).run()
            case "costs": try CostsBenchmark(setting: setting, report: report, scale: scale).run()
            case "amqp": try AMQPBenchmark(setting: setting, report: report).run()
            default: try SizesBenchmark(setting: setting, report: report).run()
            }
        }
        if let json { try report.write(to: json) }
    }
}
