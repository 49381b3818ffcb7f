import Events
import JSON
import ServiceKit

/// Writes down what was published, while it happens.
final class PublicationReport {
    private let printer: Printer
    private let total: Int64
    private var records: [JSONValue] = []
    private var nextProgress = ContinuousClock.now
    /// How many events the broker has confirmed.
    private(set) var count: Int64 = 0

    init(_ invocation: Invocation, total: Int64) {
        self.printer = invocation.printer
        self.total = total
    }

    /// Takes one confirmed event.
    ///
    /// All rows of one call are equally wide, so that each can be written at once.
    func took(_ envelope: Envelope) {
        count += 1
        let record: JSONValue = [
            "id": .string(envelope.id), "type": .string(envelope.type.rawValue),
            "subject": .string(envelope.subject ?? ""),
            "source": .string(envelope.source),
        ]
        switch printer.format {
        case .table:
            let columns = ["ID", "TYPE", "SUBJECT"].map { Table.Column(title: $0) }
            let table = Table(columns: columns, rows: [[envelope.id, envelope.type.rawValue, envelope.subject ?? ""]])
            let lines = table.text().split(separator: "\n").map { "\($0)\n" }
            printer.output.data(count == 1 ? lines.joined() : lines[1])
        case .json:
            records.append(record)
        case .jsonl:
            printer.line(record)
        }
        showProgress()
    }

    /// Writes what could not be written before.
    func finish() {
        if printer.format == .json { printer.list(records, columns: [], empty: "") }
        if isShowingProgress { printer.output.messages("\r\(count) of \(total) published\n") }
    }

    /// On a terminal, unless the rows themselves are on it.
    private var isShowingProgress: Bool {
        total > 1 && printer.output.messagesAreTerminal && !printer.output.dataIsTerminal
    }

    private func showProgress() {
        guard isShowingProgress, ContinuousClock.now >= nextProgress else { return }
        printer.output.messages("\r\(count) of \(total) published")
        nextProgress = .now + .milliseconds(200)
    }
}
