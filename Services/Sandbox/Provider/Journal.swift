import FoundationEssentials
import Glibc

/// A file that holds what the provider was asked to do, so that a restart forgets nothing: neither a charge that is to be
/// refunded one day nor an idempotency key.
///
/// One JSON object per line: the series of the provider's ids first, then each call with its time, written before the call is
/// answered. The provider's state follows from them. What was written outlives the process; it is not synced, so it may not
/// outlive the machine. A line without an end was cut off by a crash before its call was answered, and is forgotten.
///
/// Not safe to use from several tasks at once: its provider has it behind its lock.
struct Journal: ~Copyable {
    /// What a line holds.
    enum Entry: Codable, Equatable {
        case began(series: String)
        case called(ProviderCall, at: Int64)
    }

    /// The file cannot be used as a journal.
    struct Failure: Error, CustomStringConvertible {
        let path: String
        let reason: String

        var description: String { "the journal \(path) \(reason)" }
    }

    private let path: String
    private let file: Int32

    /// A journal and the state that follows from it.
    struct Opened: ~Copyable {
        let journal: Journal
        let state: ProviderState
    }

    /// Opens a journal, or begins one where there is no file.
    ///
    /// - Parameter newSeries: makes the series of a new provider's ids.
    /// - Throws: `Failure`.
    static func open(_ path: String, newSeries: () -> String) throws(Failure) -> Opened {
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure(path: path, reason: "cannot be opened: \(lastError())") }
        let journal = Journal(path: path, file: file)
        let content = try journal.content()
        let end = content.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        if end < content.count, ftruncate(file, off_t(end)) != 0 {
            throw Failure(path: path, reason: "cannot be cut to its last whole line: \(lastError())")
        }
        var state: ProviderState?
        let decoder = JSONDecoder()
        for (number, line) in content[..<end].split(separator: UInt8(ascii: "\n")).enumerated() {
            // The state is changed in place: a second reference to it, in a pattern say, would copy all of it at each line.
            switch try? decoder.decode(Entry.self, from: Data(line)) {
            case .began(let series): state = ProviderState(series: series)
            case .called(let call, let time) where state != nil: state?.apply(call, at: time)
            default: throw Failure(path: path, reason: "cannot be read at line \(number + 1): remove it to begin anew")
            }
        }
        if let state { return Opened(journal: journal, state: state) }
        let series = newSeries()
        try journal.append(.began(series: series))
        return Opened(journal: journal, state: ProviderState(series: series))
    }

    deinit {
        close(file)
    }

    /// Adds an entry.
    ///
    /// - Throws: `Failure`; nothing of the entry stays then.
    func append(_ entry: Entry) throws(Failure) {
        guard var line = try? JSONEncoder().encode(entry) else {
            throw Failure(path: path, reason: "cannot take this entry")
        }
        line.append(UInt8(ascii: "\n"))
        let bytes = Array(line)
        let before = lseek(file, 0, SEEK_END)
        let written = write(file, bytes, bytes.count)
        guard written == bytes.count else {
            let reason = written < 0 ? Self.lastError() : "the disk is full"
            if written > 0 { ftruncate(file, before) }
            throw Failure(path: path, reason: "cannot be written: \(reason)")
        }
    }

    private func content() throws(Failure) -> [UInt8] {
        var content: [UInt8] = []
        while true {
            let chunk = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
                count = max(0, pread(file, buffer.baseAddress, buffer.count, off_t(content.count)))
            }
            if chunk.isEmpty { return content }
            content += chunk
        }
    }

    private static func lastError() -> String {
        String(cString: strerror(errno))
    }
}
