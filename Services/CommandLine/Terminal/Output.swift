import Glibc

/// Where a command writes: data to standard output, messages to standard error.
struct Output: Sendable {
    /// Takes data, newlines included.
    var data: @Sendable (String) -> Void
    /// Takes messages, newlines included.
    var messages: @Sendable (String) -> Void
    /// Whether somebody reads the data on a terminal.
    var dataIsTerminal = false
    /// Whether somebody reads the messages on a terminal.
    var messagesAreTerminal = false
    /// How many columns that terminal has.
    var columns: Int?

    /// The process's own outputs.
    ///
    /// Writing blocks while a pipe is full, so it is for the main thread only.
    static func process() -> Output {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        return Output(
            data: { write($0, to: STDOUT_FILENO) },
            messages: { write($0, to: STDERR_FILENO) },
            dataIsTerminal: isTerminal,
            messagesAreTerminal: isatty(STDERR_FILENO) == 1,
            columns: isTerminal ? terminalColumns() : nil
        )
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                rest = rest.dropFirst(written)
            } else if errno != EINTR {
                // The reader has gone (`| head`): there is nobody left to work for. 141 is what a shell reports for it.
                Glibc.exit(errno == EPIPE ? 141 : ExitCode.failed.rawValue)
            }
        }
    }

    private static func terminalColumns() -> Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}
