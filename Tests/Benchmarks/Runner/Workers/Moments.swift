import Glibc

/// The moments at which each event, by its number, was committed or handled.
///
/// Unchecked: each number is one thread's at a time (its event is committed once), and the file is written after all.
final class Moments: @unchecked Sendable {
    private let moments: UnsafeMutableBufferPointer<Int64>

    init(count: Int) {
        moments = .allocate(capacity: count)
        moments.initialize(repeating: 0)
    }

    deinit { moments.deallocate() }

    /// Notes the present moment for an event.
    func note(_ number: Int) {
        moments[number] = Meter.now()
    }

    /// Writes the moments as 64-bit integers in the machine's order; does nothing where `path` is `-`.
    func write(to path: String) throws {
        guard path != "-" else { return }
        guard let file = fopen(path, "wb") else { throw BenchmarkError("cannot write \(path)") }
        let written = fwrite(moments.baseAddress, MemoryLayout<Int64>.size, moments.count, file)
        guard fclose(file) == 0, written == moments.count else { throw BenchmarkError("cannot write \(path)") }
    }

    /// Reads what `write` (or a C program) wrote.
    static func read(_ path: String, count: Int) throws -> [Int64] {
        guard let file = fopen(path, "rb") else { throw BenchmarkError("cannot read \(path)") }
        defer { fclose(file) }
        var values = [Int64](repeating: 0, count: count)
        guard fread(&values, MemoryLayout<Int64>.size, count, file) == count else {
            throw BenchmarkError("\(path) is too short")
        }
        return values
    }
}

/// What went wrong with a benchmark, for the person at the terminal.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
