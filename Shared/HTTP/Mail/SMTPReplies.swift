/// Keeps what a server said when it refused: all lines of its last reply with a code of 4xx or 5xx.
///
/// A pure value; a hostile server can fill it with so much and no more.
struct SMTPReplies {
    private var code: Int?
    private var texts: [String] = []
    private var isWhole = true

    private static let maximumLines = 16
    private static let maximumLine = 512

    /// Takes a line as it came.
    mutating func take(_ line: String) {
        guard let number = Int(line.prefix(3)), (400...599).contains(number) else { return }
        let rest = line.dropFirst(3)
        if isWhole || code != number {
            code = number
            texts = []
        }
        isWhole = rest.first != "-"
        // Controls would break the lines of a log; what is left is still the server's.
        let text = String(
            String.UnicodeScalarView(rest.dropFirst().unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F })
        )
        if texts.count < Self.maximumLines { texts.append(String(text.prefix(Self.maximumLine))) }
    }

    /// The words of the reply with that code, its lines one after the other; nil when it has none.
    func words(of code: Int) -> String? {
        guard code == self.code else { return nil }
        let words = texts.filter { !$0.isEmpty }.joined(separator: " ")
        return words.isEmpty ? nil : words
    }
}
