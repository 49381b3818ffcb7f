import HTTP
import Telemetry

/// The first steps of a program: its command line, its settings, its log.
enum Startup {
    struct Prepared: Sendable {
        let settings: Settings
        let logger: Logger
        let grace: Duration
        let address: String
        /// The names that it answers to.
        let hosts: [String]
        let httpLimits: HTTPServer.Limits
        /// Listens for signals as long as it is kept.
        let signals: SignalHandler?
    }

    enum Outcome: Sendable {
        case run(Prepared)
        case exit(Int32)
    }

    /// Answers `--help` and `--version`, checks the settings, and opens the log.
    ///
    /// Nothing else is started, so that a fault leaves nothing half done.
    static func prepare(
        _ process: HostProcess,
        name: String,
        summary: String,
        common: CommonSettings,
        declarations: [SettingDeclaration],
        check: (Settings) -> [SettingFault] = { _ in [] }
    ) -> Outcome {
        switch Invocation(arguments: process.arguments) {
        case .help:
            process.writeOutput(
                HelpText(program: process.program, summary: summary, settings: declarations).description
            )
            return .exit(0)
        case .version:
            process.writeOutput("\(process.program) \(Warren.version)\n")
            return .exit(0)
        case .mistake(let argument):
            process.writeError(
                "\(process.program): unknown argument \(ShownValue.text(argument)); "
                    + "settings come from the environment, see \(process.program) --help\n"
            )
            return .exit(2)
        case .run:
            break
        }
        let settings: Settings
        do throws(SettingFaults) {
            settings = try Settings.read(declarations, from: process.environment)
            let faults = check(settings)
            guard faults.isEmpty else { throw SettingFaults(faults: faults) }
        } catch {
            let lines = error.faults.map { "\(process.program): \($0)\n" }
            process.writeError(lines.joined())
            return .exit(2)
        }
        let sink = process.makeLogSink(settings[common.logFormat])
        let logger = Logger(name, level: settings[common.logLevel], sink: sink)
        for finding in UnknownVariables.find(in: process.environment, declared: declarations) {
            var fields = [LogField("setting.name", finding.name)]
            if let similar = finding.similar { fields.append(LogField("setting.similar", similar)) }
            logger.warning("a variable looks like a setting and is none", fields)
        }
        let grace = settings[common.shutdownGrace]
        return .run(
            Prepared(
                settings: settings,
                logger: logger,
                grace: grace,
                address: settings[common.address],
                hosts: settings[common.hosts],
                httpLimits: common.http.limits(in: settings),
                signals: process.guardStop(grace, logger)
            )
        )
    }
}

/// The kit itself.
public enum Warren {
    /// The version of the kit and the services built with it.
    public static let version = "0.1.0"
}
