import Glibc
import Synchronization

/// Writes log records to standard error: one line per record, one `write(2)` per line.
///
/// Thread-safe: lines of different threads never mix. A reader that stops reading makes writers wait; after a second
/// without progress the record is dropped, when the descriptor is non-blocking.
public final class StandardErrorLogSink: LogSink {
    private let format: LogFormat
    private let descriptor: Int32
    /// Held for the length of one write.
    private let turn = Mutex(())

    /// Makes the sink.
    public convenience init(format: LogFormat) {
        self.init(format: format, descriptor: STDERR_FILENO)
    }

    init(format: LogFormat, descriptor: Int32) {
        self.format = format
        self.descriptor = descriptor
    }

    /// Writes one record.
    public func write(_ record: LogRecord) {
        let line = format.line(for: record, at: .now())
        turn.withLock { _ in
            line.withUnsafeBytes { writeAll($0) }
        }
    }

    /// One call of `write(2)` takes a whole line; the loop is for the rest of one that a signal or a full pipe cut short.
    private func writeAll(_ line: UnsafeRawBufferPointer) {
        var rest = line[...]
        while !rest.isEmpty {
            let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if written < 0 && errno == EINTR {
                continue
            } else if written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) {
                var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&poller, 1, 1000) > 0 else { return }
            } else {
                // Where the log itself cannot be written there is no place left to say so.
                return
            }
        }
    }
}
