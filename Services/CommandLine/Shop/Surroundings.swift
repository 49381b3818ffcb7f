import FoundationEssentials
import Glibc
import HTTP

/// What a command meets of the outside; tests put something else there.
struct Surroundings: Sendable {
    let environment: [String: String]
    let output: Output
    let http: any HTTPTransport
    let broker: any EventBroker
    /// Reads standard input to its end.
    let input: @Sendable () throws -> [UInt8]
    /// Asks a question and gives the line that somebody typed; nil where nobody sits at a terminal.
    let ask: @Sendable (String) -> String?

    /// Reads a file.
    func contents(of file: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(filePath: file)))
        } catch {
            throw UsageError(message: "the file \(file) cannot be read", mend: "Check its name and your permissions.")
        }
    }

    /// The value of a variable, or the text of the file that `…_FILE` names; nil where neither is given.
    ///
    /// - Throws: `UsageError` where the file cannot be read.
    func text(of variable: String) throws -> String? {
        if let value = environment[variable], !value.isEmpty { return value }
        guard let file = environment[variable + "_FILE"], !file.isEmpty else { return nil }
        var text = String(decoding: try contents(of: file), as: UTF8.self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text.isEmpty ? nil : text
    }

    /// Asks on the process's terminal.
    ///
    /// Blocks, so it is for the main thread only.
    static func askOnTerminal(_ question: String) -> String? {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return nil }
        let bytes = Array(question.utf8)
        guard write(STDERR_FILENO, bytes, bytes.count) == bytes.count else { return nil }
        return readLine() ?? ""
    }

    /// Reads the process's standard input to its end.
    ///
    /// Blocks, so it is for the main thread only.
    static func processInput() throws -> [UInt8] {
        var content: [UInt8] = []
        while true {
            let chunk = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
                var got = read(STDIN_FILENO, buffer.baseAddress, buffer.count)
                while got < 0, errno == EINTR { got = read(STDIN_FILENO, buffer.baseAddress, buffer.count) }
                count = max(0, got)
            }
            if chunk.isEmpty { return content }
            content += chunk
        }
    }
}

extension Invocation {
    /// What an option gives as `JSON|@FILE|-`, byte for byte.
    func payload(_ option: String) throws -> [UInt8]? {
        guard let text = text(option) else { return nil }
        if text == "-" { return try surroundings.input() }
        if text.hasPrefix("@") { return try surroundings.contents(of: String(text.dropFirst())) }
        return Array(text.utf8)
    }

    /// A client of one service's operations API.
    ///
    /// - Throws: `UsageError` where the file with the token cannot be read.
    func client(of service: KnownService) throws -> ServiceClient {
        ServiceClient(
            service: service,
            api: .operations(actor: actor),
            token: try token("WARREN_OPERATIONS_TOKEN"),
            transport: surroundings.http
        )
    }

    /// A client of a service's own API.
    ///
    /// - Throws: `UsageError` where the file with the token cannot be read.
    func apiClient(of service: KnownService, _ api: ShopAPI) throws -> ServiceClient {
        ServiceClient(
            service: service,
            api: .own(api),
            token: try token("WARREN_API_TOKEN"),
            transport: surroundings.http
        )
    }

    /// A token from its variable or file; there is no option for it, because every user of a machine sees the words of a
    /// command line.
    private func token(_ variable: String) throws -> String? {
        try surroundings.text(of: variable)
    }

    /// Who the audit names: `WARREN_ACTOR`, else the user.
    ///
    /// Only what a header can carry.
    private var actor: String {
        let environment = surroundings.environment
        let name = environment["WARREN_ACTOR"] ?? environment["USER"] ?? ""
        let printable = name.filter { $0.isASCII && ("\u{21}"..."\u{7E}").contains($0) }
        return printable.isEmpty ? "operator" : String(printable.prefix(64))
    }
}
