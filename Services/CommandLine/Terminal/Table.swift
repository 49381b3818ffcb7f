/// Rows under headings, in columns as wide as their widest cell.
struct Table {
    /// A heading and where its cells stand.
    struct Column: Sendable {
        let title: String
        var isNumber = false
    }

    let columns: [Column]
    var rows: [[String]]

    /// The table as text, one line per row, ending with a newline.
    ///
    /// - Parameters:
    ///   - bold: whether the headings are in bold type.
    ///   - limit: the terminal's width; the last column is cut to fit. Nil leaves every cell whole.
    func text(bold: Bool = false, limit: Int? = nil) -> String {
        let cells = rows.map { $0.map { TerminalText.harmless($0) } }
        var widths = columns.map { TerminalText.width($0.title) }
        for row in cells {
            for (index, cell) in row.enumerated() { widths[index] = max(widths[index], TerminalText.width(cell)) }
        }
        if let limit, let last = widths.indices.last {
            let before = widths.dropLast().reduce(0) { $0 + $1 + Self.gap }
            widths[last] = min(widths[last], max(limit - before, 8))
        }
        let heading = line(columns.map(\.title), widths)
        let lines = [bold ? "\u{1B}[1m\(heading)\u{1B}[0m" : heading] + cells.map { line($0, widths) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let gap = 2

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var result = ""
        for (index, cell) in cells.enumerated() {
            let cell = TerminalText.cut(cell, to: widths[index])
            let padding = String(repeating: " ", count: max(0, widths[index] - TerminalText.width(cell)))
            let isLast = index == cells.count - 1
            if columns[index].isNumber {
                result += padding + cell
            } else {
                result += isLast ? cell : cell + padding
            }
            if !isLast { result += String(repeating: " ", count: Self.gap) }
        }
        while result.last == " " { result.removeLast() }
        return result
    }
}
