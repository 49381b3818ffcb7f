import JSON
import ServiceKit
import Testing

@testable import CommandLine

@Suite("A table")
struct TableTests {
    private let columns = [Table.Column(title: "ID"), .init(title: "N", isNumber: true), .init(title: "TEXT")]

    @Test("is as wide as its widest cells, numbers to the right, nothing behind the last word")
    func alignment() {
        let table = Table(columns: columns, rows: [["a", "5", "x"], ["bbbb", "1000", ""]])
        #expect(table.text() == "ID       N  TEXT\na        5  x\nbbbb  1000\n")
    }

    @Test("counts wide characters as two columns")
    func wide() {
        let table = Table(columns: columns, rows: [["日本", "1", "x"], ["abcd", "1", "é"]])
        #expect(table.text() == "ID    N  TEXT\n日本  1  x\nabcd  1  é\n")
    }

    @Test("lets nothing through that steers a terminal")
    func harmless() {
        let table = Table(columns: columns, rows: [["\u{1B}[2J", "1", "a\nb\u{202E}c\u{9B}"]])
        #expect(table.text() == "ID         N  TEXT\n\\u{1b}[2J  1  a\\nb\\u{202e}c\\u{9b}\n")
    }

    @Test("cuts its last column to fit a terminal, and nothing in a pipe")
    func cutting() {
        let row = ["id", "1", String(repeating: "x", count: 100)]
        let table = Table(columns: columns, rows: [row])
        #expect(table.text(limit: 40).split(separator: "\n").allSatisfy { TerminalText.width(String($0)) <= 40 })
        #expect(table.text(limit: 40).contains("x…"))
        #expect(table.text().contains(row[2]))
    }
}

@Suite("Data")
struct FormatTests {
    private let sample: JSONValue = [
        "id": "1", "payment": ["status": "captured"], "lines": [["sku": "a"], ["sku": "b"]],
    ]

    private func printed(_ format: OutputFormat, colour: Bool = true, _ print: (Printer) -> Void) -> String {
        let collected = Collector()
        var output = Output(data: { collected.add($0) }, messages: { _ in })
        output.dataIsTerminal = true
        print(Printer(output: output, format: format, mayColour: colour))
        return collected.text
    }

    @Test("of one record is a line per member, in the order that is asked for, or JSON")
    func record() {
        #expect(
            printed(.table) { $0.record(sample, first: ["id", "payment.status"]) }
                == "id              1\npayment.status  captured\nlines[0].sku    a\nlines[1].sku    b\n"
        )
        #expect(
            printed(.jsonl) { $0.record(sample) }
                == #"{"id":"1","lines":[{"sku":"a"},{"sku":"b"}],"payment":{"status":"captured"}}"# + "\n"
        )
    }

    @Test("of a list is an array, or a line each; a list of nothing is an empty array, or no line")
    func list() throws {
        let columns = [Printer.Column("ID", "id")]
        let json = printed(.json) { $0.list([sample, sample], columns: columns, empty: "none") }
        #expect(try JSONValue(parsing: Array(json.utf8)) == .array([sample, sample]))
        #expect(
            printed(.jsonl) { $0.list([sample, sample], columns: columns, empty: "none") }.split(separator: "\n").count
                == 2
        )
        #expect(
            try JSONValue(parsing: Array(printed(.json) { $0.list([], columns: columns, empty: "none") }.utf8)) == []
        )
        #expect(printed(.jsonl) { $0.list([], columns: columns, empty: "none") }.isEmpty)
        #expect(printed(.table) { $0.list([], columns: columns, empty: "none") }.isEmpty)
    }

    @Test("is coloured on a terminal, and not where NO_COLOR is set")
    func colour() {
        let columns = [Printer.Column("ID", "id")]
        #expect(printed(.table) { $0.list([sample], columns: columns, empty: "") }.contains("\u{1B}[1m"))
        #expect(!printed(.table, colour: false) { $0.list([sample], columns: columns, empty: "") }.contains("\u{1B}"))
    }
}
