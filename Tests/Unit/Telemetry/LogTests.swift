import Foundation
import Synchronization
import Testing

@testable import Telemetry

@Suite("A log line")
struct LogTests {
    private static let time = Timestamp(milliseconds: 1_767_225_600_123)

    private static func record(_ fields: [LogField], label: String = "order") -> LogRecord {
        LogRecord(level: .warning, label: label, message: "the \"broker\" is away", fields: fields)
    }

    private static func json(_ fields: [LogField]) throws -> [String: Any] {
        let line = LogFormat.json.line(for: record(fields), at: time)
        #expect(line.last == UInt8(ascii: "\n"))
        #expect(line.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7F })
        return try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
    }

    @Test("in JSON holds time, level, label, message and then the fields, in that order")
    func order() {
        let line = LogFormat.json.line(for: Self.record([LogField("b", "x"), LogField("a", 2)]), at: Self.time)
        #expect(
            String(decoding: line, as: UTF8.self)
                == #"{"time":"2026-01-01T00:00:00.123Z","level":"warning","label":"order","#
                + #""message":"the \"broker\" is away","b":"x","a":2}"# + "\n"
        )
    }

    @Test(
        "in JSON gives every text back as it was",
        arguments: [
            "plain", "", "quote \" backslash \\ slash /", "line\nfeed\r\ttab", "\u{0}\u{1}\u{1F}\u{7F}",
            "next\u{85}line\u{2028}sep\u{2029}", "\u{1B}[31mred\u{1B}[0m", "ünïcödé 🐇 漢字", "\u{202E}evil",
            #"","level":"error","x":""#,
        ]
    )
    func texts(text: String) throws {
        #expect(try Self.json([LogField("value", text)])["value"] as? String == text)
    }

    @Test("holds no byte that is not UTF-8, whatever came in")
    func invalidInput() throws {
        let text = String(decoding: [0x61, 0xFF, 0xC3, 0x28, 0xED, 0xA0, 0x80] as [UInt8], as: UTF8.self)
        #expect(try Self.json([LogField("value", text)])["value"] as? String == text)
    }

    @Test("has each key once, the last value winning, and keeps the record's own keys")
    func repeatedKeys() throws {
        let fields = [LogField("a", "first"), LogField("level", "fake"), LogField("a", "second")]
        let line = LogFormat.json.line(for: Self.record(fields), at: Self.time)
        let text = String(decoding: line, as: UTF8.self)
        #expect(text.hasSuffix(#","a":"second","field.level":"fake"}"# + "\n"))
    }

    @Test("writes numbers as numbers, and as text where JSON has none")
    func numbers() throws {
        let object = try Self.json([
            LogField("int", Int64.min), LogField("real", 0.25), LogField("nan", Double.nan),
        ])
        #expect(object["int"] as? Int64 == Int64.min)
        #expect(object["real"] as? Double == 0.25)
        #expect(object["nan"] as? String == "nan")
    }

    @Test("cuts a value that would flood the log")
    func longValues() throws {
        let value = try #require(try Self.json([LogField("v", String(repeating: "ä", count: 1 << 20))])["v"] as? String)
        #expect(value.utf8.count <= LogText.maximumLength + 3)
        #expect(value.hasSuffix("ä…"))
    }

    @Test("in text reads well and quotes what would be unclear")
    func text() {
        let fields = [LogField("plain", "x-1"), LogField("spaced", "a b"), LogField("line", "a\nb"), LogField("n", 3)]
        let line = LogFormat.text.line(for: Self.record(fields), at: Self.time)
        #expect(
            String(decoding: line, as: UTF8.self)
                == "2026-01-01T00:00:00.123Z warning order: the \"broker\" is away "
                + "plain=x-1 spaced=\"a b\" line=\"a\\nb\" n=3\n"
        )
    }

    @Test("is written whole, however many threads write")
    func threads() async throws {
        let pipe = Pipe()
        let sink = StandardErrorLogSink(format: .json, descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let logger = Logger("test", sink: sink)
        let received = Mutex(Data())
        // The ninth thread reads, while eight write lines that are longer than a pipe takes without tearing them.
        let writing = Atomic(8)
        await onThreads(9) { thread in
            guard thread < 8 else {
                let data = pipe.fileHandleForReading.readDataToEndOfFile()
                received.withLock { $0 = data }
                return
            }
            let filler = String(repeating: "x", count: 6000)
            for number in 0..<200 {
                logger.info("written", [LogField("w", thread), LogField("n", number), LogField("f", filler)])
            }
            if writing.subtract(1, ordering: .relaxed).newValue == 0 { pipe.fileHandleForWriting.closeFile() }
        }
        let lines = received.withLock { $0 }.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 1600)
        var seen: Set<[Int]> = []
        for line in lines {
            let object = try #require(try JSONSerialization.jsonObject(with: line) as? [String: Any])
            seen.insert([try #require(object["w"] as? Int), try #require(object["n"] as? Int)])
        }
        #expect(seen.count == 1600)
    }

    @Test("below the logger's level is neither built nor written")
    func levels() {
        let sink = CollectingLogSink()
        let logger = Logger("test", level: .info, sink: sink).with(LogField("a", 1))
        logger.debug(
            "hidden",
            {
                Issue.record("fields were built")
                return []
            }()
        )
        logger.labelled("part").error("shown", [LogField("b", 2)])
        #expect(sink.records.map(\.label) == ["part"])
        #expect(sink.records.first?.fields.map { $0.key.description } == ["a", "b"])
    }
}
