/// How log records are written.
public enum LogFormat: String, Sendable, CaseIterable {
    /// One JSON object per line: `time`, `level`, `label`, `message`, then the fields in order.
    case json
    /// For people: time, level, label, message and `key=value` pairs.
    case text

    /// One line for a record, newline included.
    ///
    /// Whatever the record holds, the result is one line of valid UTF-8.
    func line(for record: LogRecord, at time: Timestamp) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        switch self {
        case .json: appendJSON(of: record, at: time, to: &line)
        case .text: appendText(of: record, at: time, to: &line)
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private func appendJSON(of record: LogRecord, at time: Timestamp, to line: inout [UInt8]) {
        line.append(contentsOf: #"{"time":"\#(time)","level":"\#(record.level.name)","label":"#.utf8)
        LogText.appendQuoted(record.label, to: &line)
        line.append(contentsOf: #","message":"#.utf8)
        LogText.appendQuoted(record.message.description, to: &line)
        for field in Self.fieldsWithoutRepeats(record.fields) {
            line.append(UInt8(ascii: ","))
            LogText.appendQuoted(field.key, to: &line)
            line.append(UInt8(ascii: ":"))
            if field.isNumber {
                line.append(contentsOf: field.value.utf8)
            } else {
                LogText.appendQuoted(field.value, to: &line)
            }
        }
        line.append(UInt8(ascii: "}"))
    }

    private func appendText(of record: LogRecord, at time: Timestamp, to line: inout [UInt8]) {
        let level = record.level.name
        let padding = String(repeating: " ", count: 8 - level.utf8.count)
        line.append(contentsOf: "\(time) \(level)\(padding)".utf8)
        LogText.appendPlain(record.label, to: &line)
        line.append(contentsOf: ": ".utf8)
        LogText.appendPlain(record.message.description, to: &line)
        for field in Self.fieldsWithoutRepeats(record.fields) {
            line.append(contentsOf: " \(field.key)=".utf8)
            if LogText.needsQuotes(field.value) {
                LogText.appendQuoted(field.value, to: &line)
            } else {
                line.append(contentsOf: field.value.utf8)
            }
        }
    }

    /// The fields with each key once, the last value winning, and no key of the record's own.
    private static func fieldsWithoutRepeats(_ fields: [LogField]) -> [(key: String, value: String, isNumber: Bool)] {
        var result: [(key: String, value: String, isNumber: Bool)] = []
        for field in fields {
            var key = field.key.description
            if ["time", "level", "label", "message"].contains(key) { key = "field." + key }
            if let index = result.firstIndex(where: { $0.key == key }) {
                result[index] = (key, field.value, field.isNumber)
            } else {
                result.append((key, field.value, field.isNumber))
            }
        }
        return result
    }
}

/// Text inside log lines: nothing in it can end the line, close the string or steer a terminal.
enum LogText {
    /// Values are cut here, so that one record can never flood the log.
    static let maximumLength = 16 << 10

    static func needsQuotes(_ text: String) -> Bool {
        text.isEmpty || text.utf8.count > maximumLength
            || text.unicodeScalars.contains { scalar in
                scalar == " " || scalar == "\"" || scalar == "=" || scalar == "\\" || mustEscape(scalar)
            }
    }

    /// Appends a JSON string with its quotes.
    static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        appendEscaped(text, quotes: true, to: &line)
        line.append(UInt8(ascii: "\""))
    }

    /// Appends text that needs no quotes, control characters escaped.
    static func appendPlain(_ text: String, to line: inout [UInt8]) {
        appendEscaped(text, quotes: false, to: &line)
    }

    private static func appendEscaped(_ text: String, quotes: Bool, to line: inout [UInt8]) {
        var length = 0
        for scalar in text.unicodeScalars {
            length += UTF8.width(scalar)
            guard length <= maximumLength else {
                line.append(contentsOf: "…".utf8)
                return
            }
            switch scalar {
            case "\"" where quotes: line.append(contentsOf: #"\""#.utf8)
            case "\\" where quotes: line.append(contentsOf: #"\\"#.utf8)
            case "\n": line.append(contentsOf: #"\n"#.utf8)
            case "\r": line.append(contentsOf: #"\r"#.utf8)
            case "\t": line.append(contentsOf: #"\t"#.utf8)
            case _ where mustEscape(scalar):
                let digits = String(scalar.value, radix: 16)
                line.append(contentsOf: "\\u".utf8)
                line.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 4 - digits.utf8.count))
                line.append(contentsOf: digits.utf8)
            default: line.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
    }

    /// C0, DEL, C1, the line and paragraph separators and the marks that turn the direction of writing: all are at most
    /// U+FFFF, so four hexadecimal digits do.
    private static func mustEscape(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
