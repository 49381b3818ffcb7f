import FoundationEssentials
import Glibc
import Telemetry

/// What a program touches of its process.
///
/// Tests pass their own.
struct HostProcess: Sendable {
    let program: String
    /// Without the program's name.
    let arguments: [String]
    let environment: [String: String]
    let writeOutput: @Sendable (String) -> Void
    let writeError: @Sendable (String) -> Void
    let makeLogSink: @Sendable (LogFormat) -> any LogSink
    let stop: StopSignal
    /// Listens for signals and limits the stop.
    let guardStop: @Sendable (_ grace: Duration, _ logger: Logger) -> SignalHandler?

    /// The process that this code runs in.
    ///
    /// From here on a reader that goes away is an error of the write, no signal.
    static func current(
        arguments: [String] = CommandLine.arguments,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> HostProcess {
        signal(SIGPIPE, SIG_IGN)
        let stop = StopSignal()
        return HostProcess(
            program: arguments.first?.split(separator: "/").last.map(String.init) ?? "service",
            arguments: Array(arguments.dropFirst()),
            environment: environment,
            writeOutput: { write($0, to: STDOUT_FILENO) },
            writeError: { write($0, to: STDERR_FILENO) },
            makeLogSink: { StandardErrorLogSink(format: $0) },
            stop: stop,
            guardStop: { grace, logger in
                EmergencyExit.arm(after: grace, of: stop, logger: logger)
                return SignalHandler(stop: stop, logger: logger)
            }
        )
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if written == 0 || errno != EINTR {
                return
            }
        }
    }
}
