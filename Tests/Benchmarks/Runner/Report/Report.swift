import FoundationEssentials
import Glibc

/// What the benchmarks have found: printed as tables as it comes, and kept for `--json`.
final class Report {
    /// One series of measurements.
    private struct Record: Encodable {
        var benchmark: String
        var `case`: String
        var side: String
        var metric: String
        var median: Double
        var values: [Double]
    }

    private struct Document: Encodable {
        var cores: Int
        var loadAverage: [Double]
        var records: [Record]
    }

    private var records: [Record] = []

    /// Keeps a series.
    func keep(_ figures: Figures, _ metric: String, of side: String, in name: String, case situation: String) {
        guard !figures.values.isEmpty, figures.values.allSatisfy(\.isFinite) else { return }
        records.append(
            Record(
                benchmark: name,
                case: situation,
                side: side,
                metric: metric,
                median: figures.median,
                values: figures.values
            )
        )
    }

    /// Writes everything that was kept.
    func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let document = Document(cores: Machine.cores, loadAverage: Machine.loadAverage, records: records)
        let bytes = [UInt8](try encoder.encode(document)) + [UInt8(ascii: "\n")]
        guard let file = fopen(path, "w") else { throw BenchmarkError("cannot write \(path)") }
        let written = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, written == bytes.count else { throw BenchmarkError("cannot write \(path)") }
    }
}

/// The machine that everything runs on.
enum Machine {
    static var cores: Int { sysconf(Int32(_SC_NPROCESSORS_ONLN)) }

    static var loadAverage: [Double] {
        var averages = [0.0, 0.0, 0.0]
        return getloadavg(&averages, 3) == 3 ? averages : []
    }
}

/// A table on standard output: the first column is text, the others are numbers.
struct Table {
    private let title: String
    private var rows: [[String]]

    init(_ title: String, columns: [String]) {
        self.title = title
        rows = [columns]
    }

    mutating func add(_ row: [String]) {
        rows.append(row)
    }

    func show() {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        print("\n\(title)\n")
        for (index, row) in rows.enumerated() {
            let cells = zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + space : space + cell.0
            }
            print("  " + cells.joined(separator: "  "))
            if index == 0 { print("  " + widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")) }
        }
        print("")
        fflush(nil)
    }
}
