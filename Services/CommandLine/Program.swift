/// Runs the command: everything of `main` but the process.
///
/// - Parameters:
///   - arguments: the words that follow the program's name.
///   - environment: the process's environment.
///   - output: where data and messages go.
///   - http: carries requests to services.
///   - broker: takes events.
///   - input: reads standard input to its end.
///   - ask: asks who sits at the terminal.
/// - Returns: the exit code.
func run(
    arguments: [String],
    environment: [String: String],
    output: Output,
    http: any HTTPTransport,
    broker: any EventBroker = RabbitMQ(),
    input: @escaping @Sendable () throws -> [UInt8] = Surroundings.processInput,
    ask: @escaping @Sendable (String) -> String? = Surroundings.askOnTerminal
) async -> Int32 {
    let mayColour = environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
    let messages = Printer(output: output, format: .table, mayColour: mayColour)
    do {
        switch try Parser.parse(arguments, root: Root.command) {
        case .help(let path):
            output.data(Help.text(for: path))
        case .version:
            output.data("warren \(Root.versionNumber)\n")
        case .run(let path, let values):
            let format = values.options["output"]?.last.flatMap(OutputFormat.init(rawValue:)) ?? .table
            let invocation = Invocation(
                path: path,
                values: values,
                surroundings: Surroundings(
                    environment: environment,
                    output: output,
                    http: http,
                    broker: broker,
                    input: input,
                    ask: ask
                ),
                printer: Printer(output: output, format: format, mayColour: mayColour)
            )
            do {
                try await path.last?.action?(invocation)
            } catch let error as UsageError {
                throw error.at(path.map { $0.name })
            }
        }
        return ExitCode.done.rawValue
    } catch let error as UsageError {
        let command = (error.path.isEmpty ? [Root.command.name] : error.path).joined(separator: " ")
        messages.error(error.message, mend: error.mend)
        messages.note("  `\(command) --help` shows how it is used.")
        return ExitCode.usage.rawValue
    } catch let failure as CommandFailure {
        messages.error(failure.message, mend: failure.mend)
        return failure.code.rawValue
    } catch {
        messages.error(String(describing: error), mend: nil)
        return ExitCode.failed.rawValue
    }
}
