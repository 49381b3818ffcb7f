import JSON
import ServiceKit

/// The form of data on standard output.
enum OutputFormat: String, Sendable, CaseIterable {
    case table
    case json
    case jsonl
}

/// Writes records in the form that was asked for, and messages.
struct Printer: Sendable {
    /// A column of a table of records: where its cells come from.
    struct Column: Sendable {
        let title: String
        let isNumber: Bool
        let cell: @Sendable (JSONValue) -> String

        /// A column that shows the member at a path such as `payment.status`.
        init(_ title: String, _ path: String, isNumber: Bool = false) {
            self.init(title, isNumber: isNumber) { $0.member(at: path)?.cell ?? "" }
        }

        /// A column whose cells are made from the whole record.
        init(_ title: String, isNumber: Bool = false, cell: @escaping @Sendable (JSONValue) -> String) {
            self.title = title
            self.isNumber = isNumber
            self.cell = cell
        }
    }

    let output: Output
    let format: OutputFormat
    /// False where `NO_COLOR` is set.
    let mayColour: Bool

    /// Writes a list: a table, one JSON array, or one JSON object per line.
    ///
    /// - Parameter empty: the message in place of a table without rows.
    func list(_ records: [JSONValue], columns: [Column], empty: String) {
        switch format {
        case .table where records.isEmpty:
            note(empty)
        case .table:
            let table = Table(
                columns: columns.map { Table.Column(title: $0.title, isNumber: $0.isNumber) },
                rows: records.map { record in columns.map { $0.cell(record) } }
            )
            output.data(table.text(bold: mayColour && output.dataIsTerminal, limit: output.columns))
        case .json:
            output.data(JSONValue.array(records).encoded(pretty: true) + "\n")
        case .jsonl:
            for record in records { line(record) }
        }
    }

    /// Writes one record: a name and value per line, or JSON.
    ///
    /// - Parameters:
    ///   - first: the members to show first, as paths; the others follow in alphabetical order.
    ///   - without: members that are left out of the table, because they are shown in another way.
    func record(_ record: JSONValue, first: [String] = [], without: Set<String> = []) {
        switch format {
        case .table:
            var members = Self.flatten(record).filter { !$0.value.isEmpty && !without.contains($0.path) }
            let rank = Dictionary(zip(first, 0...), uniquingKeysWith: { one, _ in one })
            members.sort { (rank[$0.path] ?? first.count, $0.path) < (rank[$1.path] ?? first.count, $1.path) }
            let width = members.map { TerminalText.width($0.path) }.max() ?? 0
            for member in members {
                let padding = String(repeating: " ", count: width - TerminalText.width(member.path) + 2)
                output.data(
                    TerminalText.harmless(member.path) + padding + TerminalText.harmless(member.value) + "\n"
                )
            }
        case .json:
            output.data(record.encoded(pretty: true) + "\n")
        case .jsonl:
            line(record)
        }
    }

    /// Writes one record; in a table, these of its members as money.
    func record(_ record: JSONValue, money: [String], first: [String]) {
        var facts = record
        if format == .table {
            for name in money where facts[name] != nil { facts[name] = .string(MoneyText.cell(facts[name])) }
        }
        self.record(facts, first: first)
    }

    /// Writes one record as a line of JSON.
    func line(_ record: JSONValue) {
        output.data(record.encoded() + "\n")
    }

    /// Writes text for people to standard output, with what could steer a terminal written out.
    func text(_ text: String) {
        output.data(TerminalText.harmless(text, keepingLines: true) + "\n")
    }

    /// Writes a message to standard error.
    func note(_ message: String) {
        output.messages(TerminalText.harmless(message, keepingLines: true) + "\n")
    }

    /// Writes an error and its mend to standard error.
    func error(_ message: String, mend: String?) {
        let colour = mayColour && output.messagesAreTerminal
        output.messages(colour ? "\u{1B}[31mwarren:\u{1B}[0m " : "warren: ")
        note(message)
        if let mend {
            note(
                mend.split(separator: "\n", omittingEmptySubsequences: false).map { "  \($0)" }.joined(separator: "\n")
            )
        }
    }

    /// The leaves of nested objects under paths such as `payment.status`; arrays of objects under `lines[0].sku`.
    private static func flatten(_ value: JSONValue, at path: String = "") -> [(path: String, value: String)] {
        switch value {
        case .object(let members):
            members.sorted { $0.key < $1.key }.flatMap {
                flatten($0.value, at: path.isEmpty ? $0.key : "\(path).\($0.key)")
            }
        case .array(let elements) where !elements.isEmpty:
            elements.enumerated().flatMap { flatten($0.element, at: "\(path)[\($0.offset)]") }
        case .array:
            []
        default:
            [(path, value.cell)]
        }
    }
}
